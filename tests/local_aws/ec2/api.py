"""EC2's query API inside the process."""

import re
from typing import Any
from xml.sax.saxutils import escape, unescape

from ministack.services import ec2

from ..errors import AwsError

Params = dict[str, list[str]]
Response = tuple[int, dict[str, str], bytes]


def call(action: str, **params: Any) -> str:
    """Run an action; lists become `Name.1`, `Name.2`. The answer's XML, or `AwsError`."""
    status, _, body = ec2._ACTION_MAP[action](flat(params))
    text = body.decode()
    if status >= 400:
        raise AwsError(find(text, "Code"), unescape(find(text, "Message")), status)
    return text


def find(xml: str, element: str) -> str:
    """The text of the first element of that name."""
    match = re.search(rf"<{element}>(.*?)</{element}>", xml, re.DOTALL)
    return match[1] if match else ""


def first(params: Params, name: str) -> str:
    """A request's parameter, or an empty text."""
    return ec2._p(params, name)


def refuse(code: str, message: str) -> Response:
    """An error's answer."""
    return ec2._error(code, escape(message), 400)


def answer(action: str, inner: str = "<return>true</return>") -> Response:
    """An action's answer."""
    return ec2._xml(200, f"{action}Response", inner)


def flat(params: dict[str, Any]) -> Params:
    """The form of a request; lists become `Name.1`, `Name.2`."""
    flat: Params = {}
    for name, value in params.items():
        if isinstance(value, list):
            flat |= {f"{name}.{index}": [str(item)] for index, item in enumerate(value, 1)}
        elif value is not None:
            flat[name] = [str(value)]
    return flat


def tag(resource_id: str, tags: list[dict[str, str]] | None) -> None:
    """Set a resource's tags."""
    if tags:
        ec2._tags[resource_id] = [{"Key": item["Key"], "Value": str(item.get("Value", ""))} for item in tags]
    else:
        ec2._tags.pop(resource_id, None)
