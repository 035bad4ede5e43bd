"""What a security group and its rules may be described with: EC2 refuses the rest, an apostrophe among it."""

import re
from typing import Any, Iterable

from ministack.services import ec2

from ..errors import AwsError
from . import api
from .api import Params, Response

_ALLOWED = re.compile(r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{0,255}")


def check_group(text: Any) -> None:
    """Raise EC2's refusal of a group's description."""
    _check("security group", text)


def check_rules(rules: Iterable[dict[str, Any]] | None) -> None:
    """Raise EC2's refusal of the description of one of a template's rules."""
    for rule in rules or []:
        _check("rule", rule.get("Description"))


def _check(what: str, text: Any) -> None:
    if text is not None and not _ALLOWED.fullmatch(str(text)):
        raise AwsError("InvalidParameterValue", f"Invalid {what} description. Valid descriptions are strings less than "
                       "256 characters from the following set: a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*")


def guard() -> None:
    """Put the check before EC2's actions that take a description."""
    for action in ("CreateSecurityGroup", "AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress",
                   "ModifySecurityGroupRules", "UpdateSecurityGroupRuleDescriptionsIngress",
                   "UpdateSecurityGroupRuleDescriptionsEgress"):
        if action in ec2._ACTION_MAP:
            ec2._ACTION_MAP[action] = _guarded(ec2._ACTION_MAP[action])


def _guarded(original):
    def checked(params: Params) -> Response:
        try:
            check_group(api.first(params, "GroupDescription"))
            check_rules({"Description": text} for name, texts in params.items()
                        if name.endswith(".Description") for text in texts)
        except AwsError as error:
            return api.refuse(error.code, error.message)
        return original(params)

    return checked
