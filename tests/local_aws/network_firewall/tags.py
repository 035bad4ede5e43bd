"""Tags of rule groups, policies and firewalls."""

from typing import Any

from .. import service
from .state import Resource, firewalls, not_found, policies, rule_groups

Request = dict[str, Any]


def tag(request: Request) -> Request:
    """TagResource."""
    resource = _find(request["ResourceArn"])
    new = {item["Key"]: item for item in request["Tags"]}
    resource.tags = [item for item in resource.tags if item["Key"] not in new] + list(new.values())
    return {}


def untag(request: Request) -> Request:
    """UntagResource."""
    resource = _find(request["ResourceArn"])
    resource.tags = [item for item in resource.tags if item["Key"] not in request["TagKeys"]]
    return {}


def list_all(request: Request) -> Request:
    """ListTagsForResource."""
    rows, token = service.page(_find(request["ResourceArn"]).tags, request)
    return {"Tags": rows, "NextToken": token}


def _find(arn: str) -> Resource:
    for store in (rule_groups, policies, firewalls):
        if arn in store:
            return store[arn]
    raise not_found(arn)
