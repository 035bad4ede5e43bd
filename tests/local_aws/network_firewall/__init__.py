"""AWS Network Firewall (Classic policies), API 2020-11-12, JSON 1.0."""

from typing import Any

from ..service import JsonService
from . import firewalls, flows, logging_configuration, policies, rule_groups, state, tags

OPERATIONS = {
    "CreateRuleGroup": rule_groups.create,
    "DescribeRuleGroup": rule_groups.describe,
    "DescribeRuleGroupMetadata": rule_groups.describe_metadata,
    "UpdateRuleGroup": rule_groups.update,
    "DeleteRuleGroup": rule_groups.delete,
    "ListRuleGroups": rule_groups.list_all,
    "CreateFirewallPolicy": policies.create,
    "DescribeFirewallPolicy": policies.describe,
    "UpdateFirewallPolicy": policies.update,
    "DeleteFirewallPolicy": policies.delete,
    "ListFirewallPolicies": policies.list_all,
    "CreateFirewall": firewalls.create,
    "DescribeFirewall": firewalls.describe,
    "DescribeFirewallMetadata": firewalls.describe_metadata,
    "DeleteFirewall": firewalls.delete,
    "ListFirewalls": firewalls.list_all,
    "AssociateSubnets": firewalls.associate_subnets,
    "DisassociateSubnets": firewalls.disassociate_subnets,
    "AssociateFirewallPolicy": firewalls.associate_policy,
    "UpdateFirewallDescription": firewalls.update_description,
    "UpdateFirewallDeleteProtection": firewalls.update_protection("DeleteProtection"),
    "UpdateSubnetChangeProtection": firewalls.update_protection("SubnetChangeProtection"),
    "UpdateFirewallPolicyChangeProtection": firewalls.update_protection("FirewallPolicyChangeProtection"),
    "DescribeLoggingConfiguration": logging_configuration.describe,
    "UpdateLoggingConfiguration": logging_configuration.update,
    "StartFlowFlush": flows.start_flush,
    "DescribeFlowOperation": flows.describe,
    "ListFlowOperations": flows.list_all,
    "TagResource": tags.tag,
    "UntagResource": tags.untag,
    "ListTagsForResource": tags.list_all,
}

SERVICE = JsonService("network-firewall", "NetworkFirewall_20201112", "1.0", OPERATIONS, state.reset)


def resource_arn(operation: str, request: dict[str, Any], region: str, account: str) -> str:
    """The resource that a request acts on, for IAM."""
    group = "stateless-rulegroup" if request.get("Type") == "STATELESS" else "stateful-rulegroup"
    subjects = (("RuleGroup", group), ("FirewallPolicy", "firewall-policy"), ("Firewall", "firewall"))
    # Of a CreateFirewall's two ARNs the firewall's is the subject, of a policy's operations the policy's.
    named_firewall = "FirewallName" in request or "FirewallArn" in request
    start = 2 if named_firewall else 0 if "RuleGroup" in operation else 1
    for prefix, kind in subjects[start:]:
        if f"{prefix}Arn" in request:
            return request[f"{prefix}Arn"]
        if f"{prefix}Name" in request:
            return f"arn:aws:network-firewall:{region}:{account}:{kind}/{request[f'{prefix}Name']}"
    return request.get("ResourceArn", "*")
