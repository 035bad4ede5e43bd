"""The resource types of Network Firewall. They go through the API's own operations, as AWS's handlers do
(https://github.com/aws-cloudformation/aws-cloudformation-resource-providers-networkfirewall)."""

import time
from typing import Any

from .. import model
from ..errors import AwsError
from ..network_firewall import SERVICE
from .table import Created, Properties, ResourceType, register

_POLL_SECONDS = 0.02
_PROTECTIONS = {
    "DeleteProtection": "UpdateFirewallDeleteProtection",
    "SubnetChangeProtection": "UpdateSubnetChangeProtection",
    "FirewallPolicyChangeProtection": "UpdateFirewallPolicyChangeProtection",
}


def _call(operation: str, **request: Any) -> dict[str, Any]:
    shape = model.service_model(SERVICE.name).operation_model(operation).input_shape
    given = {key: value for key, value in request.items() if value is not None}
    return SERVICE.call(operation, model.coerce(shape, given))


def _retag(arn: str, old: Properties, new: Properties) -> None:
    gone = {item["Key"] for item in old.get("Tags", [])} - {item["Key"] for item in new.get("Tags", [])}
    if gone:
        _call("UntagResource", ResourceArn=arn, TagKeys=sorted(gone))
    if new.get("Tags"):
        _call("TagResource", ResourceArn=arn, Tags=new["Tags"])


def _is_gone(error: AwsError) -> bool:
    return error.code == "ResourceNotFoundException"


# AWS::NetworkFirewall::RuleGroup

def _create_rule_group(_logical_id: str, properties: Properties, _stack: str) -> Created:
    response = _call("CreateRuleGroup", **_tags_or_none(properties))["RuleGroupResponse"]
    return response["RuleGroupArn"], _rule_group_attributes(response)


def _update_rule_group(arn: str, old: Properties, new: Properties) -> Created:
    current = _call("DescribeRuleGroup", RuleGroupArn=arn)
    changed = ("RuleGroup", "Description", "SummaryConfiguration")
    _call("UpdateRuleGroup", RuleGroupArn=arn, UpdateToken=current["UpdateToken"],
          **{name: new[name] for name in changed if name in new})
    _retag(arn, old, new)
    return arn, _rule_group_attributes(current["RuleGroupResponse"])


def _delete_rule_group(arn: str, _properties: Properties) -> None:
    try:
        _call("DeleteRuleGroup", RuleGroupArn=arn)
    except AwsError as error:
        if not _is_gone(error):
            raise


def _rule_group_attributes(response: dict[str, Any]) -> dict[str, Any]:
    return {"RuleGroupArn": response["RuleGroupArn"], "RuleGroupId": response["RuleGroupId"]}


# AWS::NetworkFirewall::FirewallPolicy

def _create_policy(_logical_id: str, properties: Properties, _stack: str) -> Created:
    response = _call("CreateFirewallPolicy", **_tags_or_none(properties))["FirewallPolicyResponse"]
    return response["FirewallPolicyArn"], _policy_attributes(response)


def _update_policy(arn: str, old: Properties, new: Properties) -> Created:
    current = _call("DescribeFirewallPolicy", FirewallPolicyArn=arn)
    _call("UpdateFirewallPolicy", FirewallPolicyArn=arn, UpdateToken=current["UpdateToken"],
          FirewallPolicy=new["FirewallPolicy"], Description=new.get("Description"))
    _retag(arn, old, new)
    return arn, _policy_attributes(current["FirewallPolicyResponse"])


def _delete_policy(arn: str, _properties: Properties) -> None:
    try:
        _call("DeleteFirewallPolicy", FirewallPolicyArn=arn)
    except AwsError as error:
        if not _is_gone(error):
            raise


def _policy_attributes(response: dict[str, Any]) -> dict[str, Any]:
    return {"FirewallPolicyArn": response["FirewallPolicyArn"], "FirewallPolicyId": response["FirewallPolicyId"]}


# AWS::NetworkFirewall::Firewall

def _create_firewall(_logical_id: str, properties: Properties, _stack: str) -> Created:
    arn = _call("CreateFirewall", **_tags_or_none(properties))["Firewall"]["FirewallArn"]
    return arn, _ready_attributes(arn)


def _update_firewall(arn: str, old: Properties, new: Properties) -> Created:
    for name, operation in _PROTECTIONS.items():
        # Protections fall first, so that what they guard can change in the same update.
        if name in new and new[name] != old.get(name):
            _call(operation, FirewallArn=arn, **{name: new[name]})
    if new.get("Description") != old.get("Description"):
        _call("UpdateFirewallDescription", FirewallArn=arn, Description=new.get("Description"))
    if new["FirewallPolicyArn"] != old["FirewallPolicyArn"]:
        _call("AssociateFirewallPolicy", FirewallArn=arn, FirewallPolicyArn=new["FirewallPolicyArn"])
    before = {mapping["SubnetId"]: mapping for mapping in old.get("SubnetMappings", [])}
    after = {mapping["SubnetId"]: mapping for mapping in new.get("SubnetMappings", [])}
    if added := [after[subnet] for subnet in after.keys() - before.keys()]:
        _call("AssociateSubnets", FirewallArn=arn, SubnetMappings=added)
    if removed := sorted(before.keys() - after.keys()):
        _call("DisassociateSubnets", FirewallArn=arn, SubnetIds=removed)
    _retag(arn, old, new)
    return arn, _ready_attributes(arn)


def _delete_firewall(arn: str, _properties: Properties) -> None:
    try:
        _call("DeleteFirewall", FirewallArn=arn)
        while True:
            _call("DescribeFirewall", FirewallArn=arn)
            time.sleep(_POLL_SECONDS)
    except AwsError as error:
        if not _is_gone(error):
            raise


def _ready_attributes(arn: str) -> dict[str, Any]:
    """Wait until the firewall and its endpoints are READY, as AWS's handler does; then the attributes."""
    while True:
        answer = _call("DescribeFirewall", FirewallArn=arn)
        status = answer["FirewallStatus"]
        attachments = {zone: state["Attachment"] for zone, state in status["SyncStates"].items()}
        if status["Status"] == "READY" and all(item["Status"] == "READY" for item in attachments.values()):
            break
        time.sleep(_POLL_SECONDS)
    # "The endpoint IDs are not listed in any particular order": here never in that of the subnets.
    by_subnet = {item["SubnetId"]: f"{zone}:{item['EndpointId']}" for zone, item in attachments.items()}
    ordered = [by_subnet[mapping["SubnetId"]] for mapping in answer["Firewall"]["SubnetMappings"]]
    return {"FirewallArn": arn, "FirewallId": answer["Firewall"]["FirewallId"], "EndpointIds": ordered[::-1]}


# AWS::NetworkFirewall::LoggingConfiguration

def _create_logging(_logical_id: str, properties: Properties, _stack: str) -> Created:
    arn = properties["FirewallArn"]
    if _call("DescribeLoggingConfiguration", FirewallArn=arn).get("LoggingConfiguration"):
        raise AwsError("AlreadyExists", "A logging configuration already exists for the firewall")
    _set_logging(arn, properties)
    return arn, {}


def _update_logging(arn: str, _old: Properties, new: Properties) -> Created:
    _clear_logging(arn)
    _set_logging(arn, new)
    return arn, {}


def _delete_logging(arn: str, _properties: Properties) -> None:
    try:
        _clear_logging(arn)
    except AwsError as error:
        if not _is_gone(error):
            raise


def _set_logging(arn: str, properties: Properties) -> None:
    """One change a call: the destinations come one by one."""
    configs = properties["LoggingConfiguration"]["LogDestinationConfigs"]
    for count in range(1, len(configs) + 1):
        _call("UpdateLoggingConfiguration", FirewallArn=arn,
              LoggingConfiguration={"LogDestinationConfigs": configs[:count]},
              EnableMonitoringDashboard=properties.get("EnableMonitoringDashboard"))


def _clear_logging(arn: str) -> None:
    current = _call("DescribeLoggingConfiguration", FirewallArn=arn).get("LoggingConfiguration") or {}
    configs = current.get("LogDestinationConfigs", [])
    for count in reversed(range(len(configs))):
        _call("UpdateLoggingConfiguration", FirewallArn=arn,
              LoggingConfiguration={"LogDestinationConfigs": configs[:count]})


def _tags_or_none(properties: Properties) -> Properties:
    """The API refuses an empty list of tags."""
    return {name: value for name, value in properties.items() if name != "Tags" or value}


def register_types() -> None:
    """Enter the types."""
    register(ResourceType(
        "AWS::NetworkFirewall::RuleGroup", _create_rule_group, _delete_rule_group, _update_rule_group,
        create_only=("RuleGroupName", "Capacity", "Type"), custom_name="RuleGroupName", tagged=True))
    register(ResourceType(
        "AWS::NetworkFirewall::FirewallPolicy", _create_policy, _delete_policy, _update_policy,
        create_only=("FirewallPolicyName",), custom_name="FirewallPolicyName", tagged=True))
    register(ResourceType(
        "AWS::NetworkFirewall::Firewall", _create_firewall, _delete_firewall, _update_firewall,
        create_only=("FirewallName", "VpcId"), custom_name="FirewallName", tagged=True, waits=True))
    register(ResourceType(
        "AWS::NetworkFirewall::LoggingConfiguration", _create_logging, _delete_logging, _update_logging,
        create_only=("FirewallArn", "FirewallName")))
