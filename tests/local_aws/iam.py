"""What MiniStack's policy evaluation (`AUTH=true`) doesn't know: who may send which event, who may touch which items,
and of whom a security group or a file system is.

EventBridge: `events:source`, `events:detail-type`. DynamoDB: `dynamodb:LeadingKeys`, the partition keys that a
request names. EC2: `ec2:Vpc`, and `aws:ResourceTag` of security groups. EFS: `aws:ResourceTag`, and the file system of
a mount target. (Service Authorization Reference, the resource types and condition keys of these services.)
"""

import json
import re
from typing import Any, Iterator

from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import dynamodb, ec2, efs, tagging

_dynamodb_context = iam_actions.dynamodb_service_context
_tag_context = iam_actions.request_tag_context
_resource_arn = iam_actions.extract_resource_arn
_enforce = iam_evaluator.enforce

# How the partition keys that a transaction names for one action are handed to the evaluation of that action.
_OF_ACTION = "local_aws:LeadingKeysOf/"


def register() -> None:
    """Add the keys to the contexts that MiniStack evaluates, and the resources to what it looks up."""
    iam_actions.dynamodb_service_context = _with_leading_keys
    iam_evaluator.enforce = _with_keys_of_the_action
    iam_actions.request_tag_context = _with_event_and_network_keys
    iam_actions.extract_resource_arn = _with_file_systems
    tagging._RESOURCE_TAG_COLLECTORS |= {"ec2": _tags_of_security_groups, "elasticfilesystem": tagging._collect_efs}


def _with_event_and_network_keys(service: str, action: str, body: bytes, params: dict[str, Any]) -> dict[str, Any]:
    context = _tag_context(service, action, body, params)
    if action == "events:PutEvents":
        entries = _json(body).get("Entries") or []
        for key, member in (("events:source", "Source"), ("events:detail-type", "DetailType")):
            values = sorted({entry[member] for entry in entries if isinstance(entry.get(member), str)})
            if values:
                context[key] = values[0] if len(values) == 1 else values
    group = ec2._security_groups.get(ec2._p(params, "GroupId")) if service == "ec2" else None
    if group:
        context["ec2:Vpc"] = f"arn:aws:ec2:{get_region()}:{get_account_id()}:vpc/{group['VpcId']}"
    return context


def _with_file_systems(service: str, method: str, path: str, headers: dict[str, str], body: bytes,
                       query: dict[str, Any], region: str, account: str) -> str:
    arn = _resource_arn(service, method, path, headers, body, query, region, account)
    kind, _, identity = path.removeprefix("/2015-02-01/").partition("/")
    if service != "elasticfilesystem" or kind not in ("file-systems", "mount-targets") or not arn.endswith("*"):
        return arn
    target = efs._mount_targets.get(identity)
    name = target["FileSystemId"] if target else "".join(query.get("FileSystemId") or ["*"])
    return f"arn:aws:elasticfilesystem:{region}:{account}:file-system/{name}"


def _tags_of_security_groups() -> Iterator[tuple[str, list[dict[str, str]]]]:
    for identity in ec2._security_groups:
        yield ec2._security_group_arn(identity), ec2._tags.get(identity, [])


def _with_leading_keys(body: bytes) -> dict[str, Any]:
    context = _dynamodb_context(body)
    request = _json(body)
    keys = _plain(_leading_keys(request))
    if keys:
        context["dynamodb:LeadingKeys"] = keys
    operations = [operation for item in request.get("TransactItems") or [] for operation in item.items()]
    for kind in {kind for kind, _ in operations}:
        named = [_leading_keys(operation) for other, operation in operations if other == kind]
        context[_OF_ACTION + iam_actions._DYNAMODB_TRANSACT_ITEM_ACTIONS.get(kind, kind)] = _plain(*named)
    return context


def _with_keys_of_the_action(access_key: str, action: str, service: str, region: str, resource_arn: str = "*",
                             service_context: dict[str, Any] | None = None) -> Any:
    """The evaluation, in which the actions of one transaction are each held against their own items."""
    context = dict(service_context or {})
    if keys := context.get(_OF_ACTION + action):
        context["dynamodb:LeadingKeys"] = keys
    return _enforce(access_key, action, service, region, resource_arn, context)


def _plain(*keys: Iterator[dict[str, Any]]) -> list[str]:
    return [next(iter(value.values())) for some in keys for value in some]


def _leading_keys(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The values of the partition keys, as typed attribute values."""
    for item in request.get("TransactItems") or []:
        for operation in item.values():
            yield from _leading_keys(operation)
    for table, requests in (request.get("RequestItems") or {}).items():
        keys = requests.get("Keys", []) if isinstance(requests, dict) else [
            operation.get("Item") or operation.get("Key") for row in requests for operation in row.values()]
        for key in keys:
            yield from _leading_keys({"TableName": table, "Key": key})
    name = _partition_key(request.get("TableName", ""))
    attributes = request.get("Key") or request.get("Item") or {}
    if name in attributes:
        yield attributes[name]
    # `#pk = :pk AND begins_with(sk, :prefix)`: a query names its partition key by equality.
    names, values = request.get("ExpressionAttributeNames") or {}, request.get("ExpressionAttributeValues") or {}
    for left, right in re.findall(r"([#\w]+)\s*=\s*(:\w+)", request.get("KeyConditionExpression") or ""):
        if names.get(left, left) == name and right in values:
            yield values[right]


def _partition_key(table: str) -> str | None:
    return (dynamodb._tables.get(table.rpartition("/")[2]) or {}).get("pk_name")


def _json(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body or b"{}")
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
