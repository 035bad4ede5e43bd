"""A firewall's logging configuration: one change a call (botocore, operation UpdateLoggingConfiguration)."""

from typing import Any

from ministack.services import cloudwatch_logs

from .firewalls import find
from .state import AwsError, invalid

Request = dict[str, Any]


def describe(request: Request) -> Request:
    """DescribeLoggingConfiguration."""
    firewall = find(request)
    return {"FirewallArn": firewall.arn, "LoggingConfiguration": firewall.logging,
            "EnableMonitoringDashboard": firewall.dashboard}


def update(request: Request) -> Request:
    """UpdateLoggingConfiguration: add a destination, remove one, or change where one leads."""
    firewall = find(request)
    wanted = request.get("LoggingConfiguration")
    new = _by_type(wanted)
    if len(new) != len((wanted or {}).get("LogDestinationConfigs", [])):
        raise invalid("LogDestinationConfigs has duplicate values, context: LogDestinationConfigs.LogType")
    old = _by_type(firewall.logging)
    changes = sum(1 for kind in old.keys() | new.keys() if old.get(kind) != new.get(kind))
    if changes > 1:
        raise invalid("LogDestinationConfigs can have one change in a request, "
                      f"parameter: [{changes}], context: LogDestinationConfigs")
    for kind in old.keys() & new.keys():
        if old[kind]["LogDestinationType"] != new[kind]["LogDestinationType"]:
            raise invalid(f"LogDestinationType cannot be changed, parameter: [{kind}], context: LogDestinationConfigs")
    for config in new.values():
        _check_destination(config)
    firewall.logging = wanted if new else None
    firewall.dashboard = request.get("EnableMonitoringDashboard", firewall.dashboard)
    return {"FirewallName": firewall.name, **describe({"FirewallArn": firewall.arn})}


def _by_type(configuration: Request | None) -> Request:
    return {config["LogType"]: config for config in (configuration or {}).get("LogDestinationConfigs", [])}


def _check_destination(config: Request) -> None:
    keys = {"S3": "bucketName", "CloudWatchLogs": "logGroup", "KinesisDataFirehose": "deliveryStream"}
    kind = config["LogDestinationType"]
    name = config["LogDestination"].get(keys[kind])
    if not name:
        raise invalid(f"LogDestination must have {keys[kind]}, context: LogDestinationConfigs.LogDestination")
    if kind == "CloudWatchLogs" and name not in cloudwatch_logs._log_groups:
        raise AwsError("LogDestinationPermissionException", f"The log group {name} does not exist")
