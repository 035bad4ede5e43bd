"""Flow operations: a flush of the flows that filters name.

An operation is for one endpoint, or for an Availability Zone with all endpoints in it (developer guide,
"flow-operations-flush"), and a firewall takes one at a time in each zone ("firewall-flow-operations"). What the
service does with a request for neither is not documented: it is refused here.

What flushes real flows is the firewall lab: it reads the operations here and carries them out in its engine.
"""

import ipaddress
import re
import uuid
from typing import Any

from .. import clock, service
from .firewalls import find
from .state import AwsError, Firewall, invalid, not_found

Request = dict[str, Any]

MAX_FILTERS = 20


def start_flush(request: Request) -> Request:
    """StartFlowFlush."""
    firewall = find(request)
    filters = request["FlowFilters"]
    if not filters or len(filters) > MAX_FILTERS:
        raise invalid(f"FlowFilters must have 1 to {MAX_FILTERS} filters, context: FlowFilters")
    for index, one in enumerate(filters):
        _check_filter(one, f"FlowFilters[{index}]")
    zone = _zone(firewall, request)
    if not clock.settled(firewall.created_at):
        raise AwsError("InvalidOperationException", "Unable to start a flow operation: the firewall is not READY")
    if any(other["zone"] == zone and _status(other) == "IN_PROGRESS" for other in firewall.flow_operations):
        raise AwsError("ThrottlingException", f"A flow operation is in progress in {zone}")
    operation = {"id": str(uuid.uuid4()), "at": clock.now(), "zone": zone, "request": request}
    firewall.flow_operations.append(operation)
    return {"FirewallArn": firewall.arn, "FlowOperationId": operation["id"], "FlowOperationStatus": "IN_PROGRESS"}


def describe(request: Request) -> Request:
    """DescribeFlowOperation."""
    firewall = find(request)
    operation = _find(firewall, request)
    started = operation["request"]
    content = {name: started[name] for name in ("MinimumFlowAgeInSeconds", "FlowFilters") if name in started}
    return {
        "FirewallArn": firewall.arn, "AvailabilityZone": started.get("AvailabilityZone"),
        "VpcEndpointId": started.get("VpcEndpointId"), **_metadata(operation), "FlowOperation": content,
    }


def list_all(request: Request) -> Request:
    """ListFlowOperations, the newest first."""
    zone = request.get("AvailabilityZone")
    operations = [_metadata(operation) for operation in reversed(find(request).flow_operations)
                  if request.get("FlowOperationType", "FLOW_FLUSH") == "FLOW_FLUSH"
                  and zone in (None, operation["zone"])]
    rows, token = service.page(operations, request)
    return {"FlowOperations": rows, "NextToken": token}


def _zone(firewall: Firewall, request: Request) -> str:
    zone, endpoint = request.get("AvailabilityZone"), request.get("VpcEndpointId")
    if zone is not None and zone not in firewall.attachments:
        raise invalid(f"AvailabilityZone is not one of the firewall's, parameter: [{zone}], context: AvailabilityZone")
    if endpoint is not None:
        found = [item.zone for item in firewall.attachments.values() if item.endpoint == endpoint]
        if not found:
            raise invalid(f"VpcEndpointId is not one of the firewall's, parameter: [{endpoint}], "
                          "context: VpcEndpointId")
        zone = found[0]
    if zone is None:
        raise invalid("AvailabilityZone, VpcEndpointAssociationArn or VpcEndpointId must be provided")
    return zone


def _check_filter(one: Request, context: str) -> None:
    for name in ("SourceAddress", "DestinationAddress"):
        address = one.get(name, {}).get("AddressDefinition", "0.0.0.0/0")
        try:
            ipaddress.ip_network(address)
        except ValueError:
            raise invalid(f"{name} has invalid format, parameter: [{address}], context: {context}.{name}") from None
    for name in ("SourcePort", "DestinationPort"):
        port = one.get(name, "ANY")
        numbers = re.fullmatch(r"(\d{1,5})(?::(\d{1,5}))?", port)
        if port != "ANY" and (numbers is None or any(int(number) > 65_535 for number in numbers.groups() if number)):
            raise invalid(f"{name} has invalid format, parameter: [{port}], context: {context}.{name}")
    for protocol in one.get("Protocols", []):
        if not protocol.isdigit() or int(protocol) > 255:
            raise invalid(f"Protocols has invalid value, parameter: [{protocol}], context: {context}.Protocols")


def _find(firewall: Firewall, request: Request) -> Request:
    wanted, zone = request["FlowOperationId"], request.get("AvailabilityZone")
    for operation in firewall.flow_operations:
        if operation["id"] == wanted and zone in (None, operation["zone"]):
            return operation
    raise not_found(wanted)


def _status(operation: Request) -> str:
    return "COMPLETED" if clock.settled(operation["at"]) else "IN_PROGRESS"


def _metadata(operation: Request) -> Request:
    return {"FlowOperationId": operation["id"], "FlowOperationType": "FLOW_FLUSH",
            "FlowRequestTimestamp": operation["at"], "FlowOperationStatus": _status(operation)}
