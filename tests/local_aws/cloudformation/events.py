"""AWS::Events::EventBusPolicy: one statement of the policy of a bus."""

from typing import Any

from ministack.services import eventbridge

from ..errors import AwsError
from .table import Created, Properties, ResourceType, register


def _put(properties: Properties) -> Created:
    bus, sid = properties.get("EventBusName", "default"), properties["StatementId"]
    if bus not in eventbridge._event_buses:
        raise AwsError("ResourceNotFoundException", f"Event bus {bus} does not exist.")
    others = _without(bus, sid)
    statement = properties.get("Statement") or {
        "Effect": "Allow", "Resource": eventbridge._event_buses[bus]["Arn"],
        **{name: properties[name] for name in ("Action", "Principal", "Condition") if name in properties}}
    eventbridge._event_bus_policies[bus] = {"Version": "2012-10-17", "Statement": [*others, {**statement, "Sid": sid}]}
    return f"{bus}|{sid}", {}


def _delete(_physical_id: str, properties: Properties) -> None:
    bus = properties.get("EventBusName", "default")
    others = _without(bus, properties["StatementId"])
    if others:
        eventbridge._event_bus_policies[bus] = {"Version": "2012-10-17", "Statement": others}
    else:
        eventbridge._event_bus_policies.pop(bus, None)


def _without(bus: str, sid: str) -> list[dict[str, Any]]:
    policy = eventbridge._event_bus_policies.get(bus) or {"Statement": []}
    return [statement for statement in policy["Statement"] if statement.get("Sid") != sid]


def register_types() -> None:
    """Enter the type."""
    register(ResourceType(
        "AWS::Events::EventBusPolicy", lambda _logical_id, properties, _stack: _put(properties), _delete,
        lambda _physical_id, _old, new: _put(new), create_only=("EventBusName", "StatementId")))
