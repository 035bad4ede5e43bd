"""Rule groups: their operations, and what makes one valid.

Messages are the service's own where they are known (measured by badmintoncryer/cdk-preflight, 2026-09-25).
"""

import re
import uuid
from typing import Any

from .. import service
from . import capacity, suricata
from .state import (RuleGroup, check_new, check_token, in_use, invalid, not_found, policies_with, rule_groups)

Request = dict[str, Any]

# No scheme, no wildcard, no port: labels between dots, with one dot in front for "and all below".
_TARGET = re.compile(r"^\.?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$")
_SOURCES = ("RulesString", "RulesSourceList", "StatefulRules", "StatelessRulesAndCustomActions")
_PLACEHOLDER_ID = "00000000-0000-0000-0000-000000000000"


def create(request: Request) -> Request:
    """CreateRuleGroup."""
    name, kind = request["RuleGroupName"], request["Type"]
    group = RuleGroup(
        arn=arn(name, kind), name=name, tags=request.get("Tags", []), type=kind, capacity=request["Capacity"],
        body=_body(request), description=request.get("Description"), extras=_extras(request),
    )
    _check(group.body, kind, group.capacity)
    if request.get("DryRun"):
        answer = _response(group)
        answer |= {"RuleGroupArn": arn("dry-run", kind), "RuleGroupId": _PLACEHOLDER_ID}
        return {"UpdateToken": str(uuid.uuid4()), "RuleGroupResponse": answer}
    check_new(rule_groups, group.arn)
    rule_groups[group.arn] = group
    return {"UpdateToken": group.token, "RuleGroupResponse": _response(group)}


def describe(request: Request) -> Request:
    """DescribeRuleGroup."""
    group = find(request)
    return {"UpdateToken": group.token, "RuleGroup": group.body, "RuleGroupResponse": _response(group)}


def describe_metadata(request: Request) -> Request:
    """DescribeRuleGroupMetadata."""
    group = find(request)
    answer = {
        "RuleGroupArn": group.arn, "RuleGroupName": group.name, "Type": group.type, "Capacity": group.capacity,
        "LastModifiedTime": group.changed_at, "Description": group.description,
        "StatefulRuleOptions": group.body.get("StatefulRuleOptions"),
    }
    return {key: value for key, value in answer.items() if value is not None}


def update(request: Request) -> Request:
    """UpdateRuleGroup: the whole group is replaced, under the token of the version that was read."""
    group = find(request)
    check_token(group, request, required=True)
    body = _body(request)
    _check(body, group.type, group.capacity)
    candidate = RuleGroup(arn=group.arn, name=group.name, tags=group.tags, id=group.id, type=group.type,
                          capacity=group.capacity, body=body, description=request.get("Description"),
                          extras=_extras(request))
    if candidate.rule_order() != group.rule_order():
        raise invalid(f"RuleOrder cannot be changed, parameter: [{candidate.rule_order()}], "
                      "context: StatefulRuleOptions.RuleOrder")
    if not request.get("DryRun"):
        rule_groups[group.arn] = candidate
    return {"UpdateToken": candidate.token, "RuleGroupResponse": _response(candidate)}


def delete(request: Request) -> Request:
    """DeleteRuleGroup."""
    group = find(request)
    if policies_with(group.arn):
        raise in_use()
    del rule_groups[group.arn]
    return {"RuleGroupResponse": _response(group) | {"RuleGroupStatus": "DELETING"}}


def list_all(request: Request) -> Request:
    """ListRuleGroups of the account; there are no managed ones here."""
    wanted = request.get("Type")
    rows = [{"Name": group.name, "Arn": group.arn} for group in rule_groups.values()
            if request.get("Scope", "ACCOUNT") == "ACCOUNT" and wanted in (None, group.type)]
    rows, token = service.page(rows, request)
    return {"RuleGroups": rows, "NextToken": token}


def arn(name: str, kind: str) -> str:
    """A rule group's ARN."""
    prefix = "stateless-rulegroup" if kind == "STATELESS" else "stateful-rulegroup"
    return service.arn("network-firewall", f"{prefix}/{name}")


def find(request: Request) -> RuleGroup:
    """The group that a request names by its ARN, or by its name and type."""
    wanted = request.get("RuleGroupArn")
    if wanted is None:
        if "RuleGroupName" not in request:
            raise invalid("RuleGroupArn or RuleGroupName must be provided")
        if "Type" not in request:
            raise invalid("Type must be provided with RuleGroupName, context: Type")
        wanted = arn(request["RuleGroupName"], request["Type"])
    group = rule_groups.get(wanted)
    if group is None or request.get("Type", group.type) != group.type:
        raise not_found(wanted)
    return group


def _body(request: Request) -> Request:
    """The request's RuleGroup, or its Rules as one."""
    if ("Rules" in request) == ("RuleGroup" in request):
        raise invalid("Rules, RuleGroup must set exactly one of them")
    return request.get("RuleGroup") or {"RulesSource": {"RulesString": request["Rules"]}}


def _extras(request: Request) -> Request:
    kept = ("EncryptionConfiguration", "SourceMetadata", "SummaryConfiguration")
    return {name: request[name] for name in kept if name in request}


def _check(body: Request, kind: str, limit: int) -> None:
    source = body["RulesSource"]
    given = [name for name in _SOURCES if source.get(name)]
    if len(given) != 1:
        raise invalid("RulesString, RulesSourceList, StatefulRules must set exactly one of them, context: RulesSource")
    if (given[0] == "StatelessRulesAndCustomActions") != (kind == "STATELESS"):
        raise invalid(f"{given[0]} cannot be used in a rule group of type {kind}, context: RulesSource")
    if "RulesSourceList" in given:
        _check_targets(source["RulesSourceList"]["Targets"])
    if "RulesString" in given:
        suricata.check(source["RulesString"])
    capacity.check(body, limit)


def _check_targets(targets: list[str]) -> None:
    context = "context: RulesSource.RulesSourceList.Targets"
    if not targets:
        raise invalid(f"Targets cannot be empty, {context}")
    seen: set[str] = set()
    for index, target in enumerate(targets):
        if not _TARGET.match(target):
            raise invalid(f"Targets has invalid format, parameter: [{target}], {context}[{index}]")
        # One leading dot doesn't make a name another one; upper case does.
        bare = target.removeprefix(".")
        if bare in seen:
            raise invalid(f"Targets has duplicate values, parameter: [{target}], {context}[{index}]")
        seen.add(bare)


def _response(group: RuleGroup) -> Request:
    answer = {
        "RuleGroupArn": group.arn, "RuleGroupName": group.name, "RuleGroupId": group.id, "Type": group.type,
        "Capacity": group.capacity, "RuleGroupStatus": "ACTIVE", "Tags": group.tags or None,
        "ConsumedCapacity": capacity.consumed(group.body), "NumberOfAssociations": len(policies_with(group.arn)),
        "LastModifiedTime": group.changed_at, "Description": group.description, **group.extras,
    }
    return {key: value for key, value in answer.items() if value is not None}
