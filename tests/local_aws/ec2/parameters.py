"""Which parameters an action takes: EC2 refuses a name that it doesn't know, and too many values of filters, and says
what is missing."""

import re
from typing import Any, Callable

from botocore.model import ListShape, Shape, StructureShape
from ministack.services import ec2

from .. import model
from . import api
from .api import Params, Response

# What every request may have beside its action's own.
_COMMON = ("Action", "Version", "AWSAccessKeyId", "SecurityToken", "Signature", "SignatureMethod", "SignatureVersion",
           "Timestamp", "Expires")
# The most values that the filters of a request have, all together.
_MOST_VALUES = 200
_VALUE = re.compile(r"Filter\.\d+\.Value\.\d+")


def guard(*actions: str) -> None:
    """Put the check before actions."""
    for action in actions:
        ec2._ACTION_MAP[action] = _guarded(action, ec2._ACTION_MAP[action])


def _guarded(action: str, original: Callable[[Params], Response]) -> Callable[[Params], Response]:
    def checked(params: Params) -> Response:
        shape = model.service_model("ec2").operation_model(action).input_shape
        for name in params:
            if name not in _COMMON and not name.startswith("X-Amz-") and not _takes(shape, name.split(".")):
                return api.refuse("UnknownParameter", f"The parameter {name} is not recognized")
        for member in shape.required_members:
            wanted = _name(shape.members[member], member)
            if not any(name.split(".")[0] == wanted for name in params):
                return api.refuse("MissingParameter", f"The request must contain the parameter {wanted}")
        if sum(bool(_VALUE.fullmatch(name)) for name in params) > _MOST_VALUES:
            return api.refuse("FilterLimitExceeded",
                              f"The maximum number of filter values specified on a single call is {_MOST_VALUES}")
        return original(params)

    return checked


def _takes(shape: Shape, path: list[str]) -> bool:
    """Whether a path such as `IpPermissions`, `1`, `Groups`, `1`, `GroupId` leads to a value."""
    if isinstance(shape, StructureShape):
        members = {_name(member, name): member for name, member in shape.members.items()}
        return bool(path) and path[0] in members and _takes(members[path[0]], path[1:])
    if isinstance(shape, ListShape):
        return bool(path) and path[0].isdigit() and _takes(shape.member, path[1:])
    return not path


def _name(member: Shape, name: str) -> str:
    """A member's name in EC2's query protocol."""
    serialization: dict[str, Any] = member.serialization
    written = serialization.get("name", name)
    return serialization.get("queryName") or written[:1].upper() + written[1:]
