"""Security groups, where MiniStack does otherwise (API reference of the actions).

- A name is unique in its VPC whatever its case, doesn't begin with `sg-`, and the VPC is there; tags in the creation
  are the group's.
- A listing can be filtered by the id, and by patterns; rules of one protocol and port are one permission in it.
- A group's tags go with it, and what isn't there gets none; a tag that is to go with its value stays when it has
  another.
"""

import re
from typing import Any, Iterable
from xml.sax.saxutils import escape

from ministack.services import ec2

from . import api, interfaces, rules
from .api import Params, Response

_create = ec2._create_security_group
_delete = ec2._delete_security_group
_describe = ec2._describe_security_groups
_create_tags = ec2._create_tags
_delete_tags = ec2._delete_tags
_group_xml = ec2._sg_xml

_NAME = re.compile(r"(?!sg-)[a-zA-Z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{1,255}")


def create(params: Params) -> Response:
    """CreateSecurityGroup."""
    name, vpc = api.first(params, "GroupName"), api.first(params, "VpcId") or ec2._DEFAULT_VPC_ID
    if not _NAME.fullmatch(name):
        return api.refuse("InvalidParameterValue", f"Value ({name}) for parameter GroupName is invalid.")
    if vpc not in ec2._vpcs:
        return api.refuse("InvalidVpcID.NotFound", f"The vpc ID '{vpc}' does not exist")
    if any(group["VpcId"] == vpc and group["GroupName"].lower() == name.lower()
           for group in ec2._security_groups.values()):
        return api.refuse("InvalidGroup.Duplicate", f"The security group '{name}' already exists for VPC '{vpc}'")
    return rules.refused_tags(params, "security-group") or _create(params)


def delete(params: Params) -> Response:
    """DeleteSecurityGroup, with its tags."""
    answer = _delete(params)
    if answer[0] < 400:
        api.tag(api.first(params, "GroupId"), None)
    return answer


def describe(params: Params) -> Response:
    """DescribeSecurityGroups."""
    answer = _describe(params)
    if answer[0] >= 400:
        return answer
    groups = interfaces.selected(params, "GroupId", ec2._security_groups, _values)
    return api.answer("DescribeSecurityGroups",
                      f"<securityGroupInfo>{''.join(map(ec2._sg_xml, groups))}</securityGroupInfo>")


def create_tags(params: Params) -> Response:
    """CreateTags, of what is there."""
    return _missing(params) or _create_tags(params)


def delete_tags(params: Params) -> Response:
    """DeleteTags, of what is there."""
    if missing := _missing(params):
        return missing
    for resource in ec2._parse_member_list(params, "ResourceId"):
        present = {tag["Key"]: tag["Value"] for tag in ec2._tags.get(resource, [])}
        named = [tag for tag in ec2._parse_tags(params) if tag["Value"] in ("", present.get(tag["Key"]))]
        if named:
            _delete_tags(api.flat({"ResourceId": [resource]}) | {
                f"Tag.{index}.Key": [tag["Key"]] for index, tag in enumerate(named, 1)})
    return api.answer("DeleteTags")


def group_xml(group: dict[str, Any]) -> str:
    """A group in a listing."""
    return _group_xml({
        **group, "GroupName": escape(group["GroupName"]), "Description": escape(group["Description"]),
        "IpPermissions": rules.merged(group["IpPermissions"]),
        "IpPermissionsEgress": rules.merged(group["IpPermissionsEgress"])})


def _missing(params: Params) -> Response | None:
    resources: Iterable[str] = ec2._parse_member_list(params, "ResourceId")
    gone = next((name for name in resources if name.startswith("sg-") and name not in ec2._security_groups), None)
    return gone and api.refuse("InvalidGroup.NotFound", f"The security group '{gone}' does not exist")


def _values(group: dict[str, Any]) -> dict[str, list[str]]:
    return {"group-id": [group["GroupId"]], "group-name": [group["GroupName"]], "vpc-id": [group["VpcId"]],
            "description": [group["Description"]], "owner-id": [group["OwnerId"]]}
