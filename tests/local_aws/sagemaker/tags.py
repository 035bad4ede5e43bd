"""Tags of all of them."""

from . import state
from .state import AwsError, Entity, Request


def add(request: Request) -> Request:
    """AddTags."""
    entity = _find(request["ResourceArn"])
    new = {item["Key"]: item for item in request["Tags"]}
    entity.tags = [item for item in entity.tags if item["Key"] not in new] + list(new.values())
    return {"Tags": entity.tags}


def remove(request: Request) -> Request:
    """DeleteTags."""
    entity = _find(request["ResourceArn"])
    entity.tags = [item for item in entity.tags if item["Key"] not in request["TagKeys"]]
    return {}


def list_all(request: Request) -> Request:
    """ListTags."""
    return {"Tags": _find(request["ResourceArn"]).tags}


def _find(arn: str) -> Entity:
    for store in (state.domains, state.profiles, state.spaces, state.apps):
        state.purge(store)
        for entity in store.values():
            if entity.arn == arn:
                return entity
    raise AwsError("ResourceNotFound", f"{arn} does not exist.")
