"""Firewall policies: their operations, and what makes one valid.

Messages are the service's own where they are known (measured by badmintoncryer/cdk-preflight, 2026-09-25).
"""

import uuid
from typing import Any

from .. import clock, service
from .capacity import MAX_CAPACITY
from .state import (AwsError, Policy, check_new, check_token, firewalls, in_use, invalid, not_found, policies,
                    rule_groups)

Request = dict[str, Any]

MAX_REFERENCES = 20
STATELESS_ACTIONS = ("aws:pass", "aws:drop", "aws:forward_to_sfe")
# As in the SDK for Rust 1.136 (types/_firewall_policy.rs).
STATEFUL_ACTIONS = (
    "aws:drop_strict", "aws:drop_established", "aws:alert_strict", "aws:alert_established",
    "aws:drop_established_app_layer", "aws:alert_established_app_layer",
    "aws:drop_established_app_layer_to_server", "aws:alert_established_app_layer_to_server",
)


def create(request: Request) -> Request:
    """CreateFirewallPolicy."""
    name, body = request["FirewallPolicyName"], request["FirewallPolicy"]
    _check(body)
    policy = Policy(arn=arn(name), name=name, tags=request.get("Tags", []), body=body,
                    description=request.get("Description"))
    policy.referenced_at = {group: clock.now() for group in policy.group_arns()}
    check_new(policies, policy.arn)
    if not request.get("DryRun"):
        policies[policy.arn] = policy
    return {"UpdateToken": policy.token, "FirewallPolicyResponse": _response(policy)}


def describe(request: Request) -> Request:
    """DescribeFirewallPolicy."""
    policy = find(request)
    return {"UpdateToken": policy.token, "FirewallPolicy": policy.body, "FirewallPolicyResponse": _response(policy)}


def update(request: Request) -> Request:
    """UpdateFirewallPolicy: the whole policy is replaced."""
    policy = find(request)
    check_token(policy, request, required=True)
    body = request["FirewallPolicy"]
    _check(body)
    if body.get("TLSInspectionConfigurationArn") != policy.body.get("TLSInspectionConfigurationArn"):
        raise invalid("TLSInspectionConfigurationArn cannot be added or removed, "
                      "context: FirewallPolicy.TLSInspectionConfigurationArn")
    if request.get("DryRun"):
        return {"UpdateToken": str(uuid.uuid4()), "FirewallPolicyResponse": _response(policy)}
    policy.body = body
    policy.description = request.get("Description")
    policy.changed()
    policy.referenced_at = {group: policy.referenced_at.get(group, clock.now()) for group in policy.group_arns()}
    return {"UpdateToken": policy.token, "FirewallPolicyResponse": _response(policy)}


def delete(request: Request) -> Request:
    """DeleteFirewallPolicy."""
    policy = find(request)
    if _users(policy):
        raise in_use()
    del policies[policy.arn]
    return {"FirewallPolicyResponse": _response(policy) | {"FirewallPolicyStatus": "DELETING"}}


def list_all(request: Request) -> Request:
    """ListFirewallPolicies."""
    rows = [{"Name": policy.name, "Arn": policy.arn} for policy in policies.values()]
    rows, token = service.page(rows, request)
    return {"FirewallPolicies": rows, "NextToken": token}


def arn(name: str) -> str:
    """A policy's ARN."""
    return service.arn("network-firewall", f"firewall-policy/{name}")


def find(request: Request) -> Policy:
    """The policy that a request names."""
    if "FirewallPolicyArn" not in request and "FirewallPolicyName" not in request:
        raise invalid("FirewallPolicyArn or FirewallPolicyName must be provided")
    wanted = request.get("FirewallPolicyArn") or arn(request["FirewallPolicyName"])
    policy = policies.get(wanted)
    if policy is None:
        raise not_found(wanted)
    return policy


def rule_order(body: Request) -> str:
    """The order in which a policy evaluates its stateful groups."""
    return body.get("StatefulEngineOptions", {}).get("RuleOrder", "DEFAULT_ACTION_ORDER")


def _users(policy: Policy) -> int:
    from .firewalls import purge
    purge()
    return sum(1 for firewall in firewalls.values() if firewall.policy_arn == policy.arn)


def _check(body: Request) -> None:
    for name in ("StatelessDefaultActions", "StatelessFragmentDefaultActions"):
        standard = [action for action in body[name] if action in STATELESS_ACTIONS]
        if len(standard) != 1:
            raise invalid(f"{name} must have exactly one standard action, parameter: {body[name]}, context: {name}")
    _check_default_actions(body)
    _check_references(body, "StatelessRuleGroupReferences", stateless=True)
    _check_references(body, "StatefulRuleGroupReferences", stateless=False)


def _check_default_actions(body: Request) -> None:
    actions = body.get("StatefulDefaultActions", [])
    if not actions:
        return
    order = rule_order(body)
    if order != "STRICT_ORDER":
        raise invalid(f"StatefulDefaultActions has invalid rule order, parameter: [{order}]")
    for index, action in enumerate(actions):
        if action not in STATEFUL_ACTIONS:
            raise invalid(f"StatefulDefaultActions has invalid value, parameter: [{action}], "
                          f"context: StatefulDefaultActions[{index}]")
    drops = [action for action in actions if ":drop_" in action]
    # An established action sees the first packet of data; the app_layer ones wait for the protocol.
    mixed = {action.split("_", 1)[1] for action in actions if "established" in action}
    families = {"app_layer" if "app_layer" in name else name for name in mixed}
    if len(drops) > 1 or len(families) > 1:
        raise invalid("StatefulDefaultActions cannot exist together")


def _check_references(body: Request, name: str, *, stateless: bool) -> None:
    references = body.get(name, [])
    if len(references) > MAX_REFERENCES:
        raise invalid(f"{name} limit exceeded")
    strict = stateless or rule_order(body) == "STRICT_ORDER"
    priorities, arns, total = set(), set(), 0
    for index, reference in enumerate(references):
        context = f"context: {name}[{index}]"
        group = rule_groups.get(reference["ResourceArn"])
        wanted = ":stateless-rulegroup/" if stateless else ":stateful-rulegroup/"
        if wanted not in reference["ResourceArn"]:
            raise invalid(f"rule group ARN is of incorrect entity type, {context}.ResourceArn")
        if group is None:
            raise invalid(f"ResourceArn does not exist, parameter: [{reference['ResourceArn']}], {context}.ResourceArn")
        if not stateless and group.rule_order() != rule_order(body):
            raise invalid(f"ResourceArn has invalid rule order, {context}.ResourceArn")
        if strict and "Priority" not in reference:
            raise invalid(f"Priority cannot be null, {context}.Priority")
        if not strict and "Priority" in reference:
            raise invalid(f"Priority cannot be provided, {context}.Priority")
        if reference.get("Priority") in priorities or group.arn in arns:
            raise invalid(f"{name} has duplicate values, {context}")
        priorities |= {reference["Priority"]} if strict else set()
        arns.add(group.arn)
        total += group.capacity
    if total > MAX_CAPACITY:
        raise AwsError("LimitExceededException", f"{name} capacity exceeded, parameter: [{total}]")


def _response(policy: Policy) -> Request:
    def reserved(name: str) -> int:
        arns = [reference["ResourceArn"] for reference in policy.body.get(name, [])]
        return sum(rule_groups[group].capacity for group in arns if group in rule_groups)

    answer = {
        "FirewallPolicyArn": policy.arn, "FirewallPolicyName": policy.name, "FirewallPolicyId": policy.id,
        "FirewallPolicyStatus": "ACTIVE", "Tags": policy.tags or None, "Description": policy.description,
        "ConsumedStatelessRuleCapacity": reserved("StatelessRuleGroupReferences"),
        "ConsumedStatefulRuleCapacity": reserved("StatefulRuleGroupReferences"),
        "NumberOfAssociations": _users(policy), "LastModifiedTime": policy.changed_at,
    }
    return {key: value for key, value in answer.items() if value is not None}
