"""What MiniStack's policy evaluation (`AUTH=true`) doesn't know: who may send which event, who may touch which items,
of whom a security group, a file system or a user profile is, and what else a request needs.

All services: `aws:RequestedRegion`. EventBridge: `events:source`, `events:detail-type`. DynamoDB:
`dynamodb:LeadingKeys`, the partition keys that a request names. EC2: `ec2:Vpc`, and `aws:ResourceTag` of security
groups and VPCs. EFS: `aws:ResourceTag`, and the file system of a mount target. SageMaker: `aws:ResourceTag`. (Service
Authorization Reference, the resource types and condition keys of these services.)
"""

import contextvars
import json
import re
from typing import Any, Iterator

from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import get_region
from ministack.services import dynamodb, ec2, efs, tagging

from . import needs
from .needs import Need
from .sagemaker import state as sagemaker

_dynamodb_context = iam_actions.dynamodb_service_context
_tag_context = iam_actions.request_tag_context
_resource_arn = iam_actions.extract_resource_arn
_enforce = iam_evaluator.enforce
_denial = iam_actions.access_denied_response

# How the partition keys that a transaction names for one action are handed to the evaluation of that action, and what
# a request needs beside the permission of its own name.
_OF_ACTION = "local_aws:LeadingKeysOf/"
_FURTHER = "local_aws:Further"
# The path of a request, which not everything that asks for it is handed.
_path: contextvars.ContextVar[str] = contextvars.ContextVar("path", default="")
# What was missing, where it is not what the request is called.
_missing: contextvars.ContextVar[Need | None] = contextvars.ContextVar("missing", default=None)


def register() -> None:
    """Add the keys to the contexts that MiniStack evaluates, and the resources to what it looks up."""
    iam_actions.dynamodb_service_context = _with_leading_keys
    iam_evaluator.enforce = _with_all_needs
    iam_actions.access_denied_response = _naming_what_is_missing
    iam_actions.request_tag_context = _with_event_keys_and_needs
    iam_actions.extract_resource_arn = _with_networks_and_file_systems
    tagging._RESOURCE_TAG_COLLECTORS |= {"ec2": _tags_of_networks, "elasticfilesystem": tagging._collect_efs,
                                         "sagemaker": _tags_of_studio}


def _with_event_keys_and_needs(service: str, action: str, body: bytes, params: dict[str, Any]) -> dict[str, Any]:
    context = _tag_context(service, action, body, params)
    if action == "events:PutEvents":
        entries = _json(body).get("Entries") or []
        for key, member in (("events:source", "Source"), ("events:detail-type", "DetailType")):
            values = sorted({entry[member] for entry in entries if isinstance(entry.get(member), str)})
            if values:
                context[key] = values[0] if len(values) == 1 else values
    own = needs.first(service, action, params)
    context["aws:RequestedRegion"] = get_region()
    return {**context, **(own.keys if own else {}),
            _FURTHER: needs.further(service, action, _json(body), params, _path.get())}


def _with_networks_and_file_systems(service: str, method: str, path: str, headers: dict[str, str], body: bytes,
                                    query: dict[str, Any], region: str, account: str) -> str:
    _path.set(path)
    arn = _resource_arn(service, method, path, headers, body, query, region, account)
    if own := needs.first(service, f"{service}:{ec2._p(query, 'Action')}", query):
        return own.resource
    kind, _, identity = path.removeprefix("/2015-02-01/").partition("/")
    if service != "elasticfilesystem" or kind not in ("file-systems", "mount-targets") or not arn.endswith("*"):
        return arn
    target = efs._mount_targets.get(identity)
    name = target["FileSystemId"] if target else "".join(query.get("FileSystemId") or ["*"])
    return f"arn:aws:elasticfilesystem:{region}:{account}:file-system/{name}"


def _tags_of_networks() -> Iterator[tuple[str, list[dict[str, str]]]]:
    for identity in ec2._security_groups:
        yield needs.arn("security-group", identity), ec2._tags.get(identity, [])
    for identity in ec2._vpcs:
        yield needs.arn("vpc", identity), ec2._tags.get(identity, [])


def _tags_of_studio() -> Iterator[tuple[str, list[dict[str, str]]]]:
    for store in (sagemaker.domains, sagemaker.profiles, sagemaker.spaces, sagemaker.apps):
        for entity in store.values():
            yield entity.arn, entity.tags


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


def _with_all_needs(access_key: str, action: str, service: str, region: str, resource_arn: str = "*",
                    service_context: dict[str, Any] | None = None) -> Any:
    """The evaluation, in which the actions of one transaction are each held against their own items, and all that a
    request needs has to be allowed."""
    context = dict(service_context or {})
    further: list[Need] = context.pop(_FURTHER, [])
    if keys := context.get(_OF_ACTION + action):
        context["dynamodb:LeadingKeys"] = keys
    _missing.set(None)
    refusal = _enforce(access_key, action, service, region, resource_arn, context)
    for need in further if refusal is None else ():
        refusal = _enforce(access_key, need.action, need.action.partition(":")[0], region, need.resource, need.keys)
        if refusal is not None:
            _missing.set(need)
            break
    return refusal


def _naming_what_is_missing(service: str, action: str, principal_arn: str, *arguments: Any, **keywords: Any) -> Any:
    if missing := _missing.get():
        keywords["message"] = iam_actions.identity_denial_message(
            missing.action, principal_arn, missing.resource, keywords.get("explicit_deny", False))
    return _denial(service, action, principal_arn, *arguments, **keywords)


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
