"""Flow operations: a flush of the flows that filters name.

What flushes real flows is the firewall lab: it reads the operations here and carries them out in its engine.
"""

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
    zone = request.get("AvailabilityZone")
    if zone is not None and zone not in firewall.attachments:
        raise invalid(f"AvailabilityZone is not one of the firewall's, parameter: [{zone}], context: AvailabilityZone")
    if not request["FlowFilters"] or len(request["FlowFilters"]) > MAX_FILTERS:
        raise invalid(f"FlowFilters must have 1 to {MAX_FILTERS} filters, context: FlowFilters")
    if not clock.settled(firewall.created_at):
        raise AwsError("InvalidOperationException", "Unable to start a flow operation: the firewall is not READY")
    operation = {"id": str(uuid.uuid4()), "at": clock.now(), "request": request}
    firewall.flow_operations.append(operation)
    return {"FirewallArn": firewall.arn, "FlowOperationId": operation["id"], "FlowOperationStatus": "IN_PROGRESS"}


def describe(request: Request) -> Request:
    """DescribeFlowOperation."""
    firewall = find(request)
    operation = _find(firewall, request["FlowOperationId"])
    started = operation["request"]
    content = {name: started[name] for name in ("MinimumFlowAgeInSeconds", "FlowFilters") if name in started}
    return {
        "FirewallArn": firewall.arn, "AvailabilityZone": started.get("AvailabilityZone"),
        "VpcEndpointId": started.get("VpcEndpointId"), "FlowRequestTimestamp": operation["at"],
        **_metadata(operation), "FlowOperation": content,
    }


def list_all(request: Request) -> Request:
    """ListFlowOperations, the newest first."""
    operations = [_metadata(operation) for operation in reversed(find(request).flow_operations)
                  if request.get("FlowOperationType", "FLOW_FLUSH") == "FLOW_FLUSH"]
    rows, token = service.page(operations, request)
    return {"FlowOperations": rows, "NextToken": token}


def _find(firewall: Firewall, wanted: str) -> Request:
    for operation in firewall.flow_operations:
        if operation["id"] == wanted:
            return operation
    raise not_found(wanted)


def _metadata(operation: Request) -> Request:
    status = "COMPLETED" if clock.settled(operation["at"]) else "IN_PROGRESS"
    return {"FlowOperationId": operation["id"], "FlowOperationType": "FLOW_FLUSH",
            "FlowRequestTimestamp": operation["at"], "FlowOperationStatus": status}
