"""AWS::DynamoDB::Table: MiniStack's own, with the settings that it leaves out: time to live, recovery, encryption."""

from typing import Any

from ministack.services import dynamodb
from ministack.services.cloudformation import provisioners

from .table import Created, Properties, guard_delete

_TYPE = "AWS::DynamoDB::Table"


def complete() -> None:
    """Put the rest behind creation and update, and deletion protection before deletion."""
    handlers = provisioners._RESOURCE_HANDLERS[_TYPE]
    create, update = handlers["create"], handlers["update"]

    def created(logical_id: str, properties: Properties, stack: str) -> Created:
        made = create(logical_id, properties, stack)
        _apply(made[0], {}, properties)
        return made

    def updated(physical_id: str, old: Properties, new: Properties, stack: str, logical_id: str) -> Created:
        made = update(physical_id, old, new, stack, logical_id)
        _apply(made[0], old if made[0] == physical_id else {}, new)
        return made

    handlers |= {"create": created, "update": updated}
    guard_delete(_TYPE, _protected)


def _apply(name: str, old: Properties, new: Properties) -> None:
    for setting, apply in (("TimeToLiveSpecification", _time_to_live), ("SSESpecification", _encryption),
                           ("PointInTimeRecoverySpecification", _recovery)):
        if new.get(setting) != old.get(setting):
            apply(name, old.get(setting) or {}, new.get(setting) or {})


def _time_to_live(name: str, old: dict[str, Any], new: dict[str, Any]) -> None:
    attribute = new.get("AttributeName") or old.get("AttributeName")
    specification = {"AttributeName": attribute, "Enabled": _true(new.get("Enabled", bool(new)))}
    _checked(dynamodb._update_ttl({"TableName": name, "TimeToLiveSpecification": specification}))


def _recovery(name: str, _old: dict[str, Any], new: dict[str, Any]) -> None:
    specification = {"PointInTimeRecoveryEnabled": _true(new.get("PointInTimeRecoveryEnabled"))}
    _checked(dynamodb._update_continuous_backups(
        {"TableName": name, "PointInTimeRecoverySpecification": specification}))


def _encryption(name: str, _old: dict[str, Any], new: dict[str, Any]) -> None:
    specification = {"Enabled": _true(new.get("SSEEnabled"))}
    specification |= {key: new[key] for key in ("SSEType", "KMSMasterKeyId") if key in new}
    _checked(dynamodb._update_table({"TableName": name, "SSESpecification": specification}))


def _protected(name: str, _properties: Properties) -> tuple[str, str] | None:
    table = dynamodb._tables.get(name)
    if table and _true(table.get("DeletionProtectionEnabled")):
        return "ValidationException", f"Resource {name} is currently protected against deletion"
    return None


def _checked(response: tuple[int, dict[str, str], bytes]) -> None:
    if response[0] >= 400:
        raise ValueError(f"{_TYPE}: {response[2]!r}")


def _true(value: Any) -> bool:
    return str(value).lower() == "true"
