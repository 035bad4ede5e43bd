"""Requests that need more than one permission (`AUTH=true`): MiniStack asks for the one of their own name alone.

EC2: a security group is created on itself and on its VPC; tags in a creation need `ec2:CreateTags` with
`ec2:CreateAction`; tags are asked for on each resource. SageMaker: tags in a creation need `sagemaker:AddTags` with
`sagemaker:TaggingAction`, and a role in the settings `iam:PassRole`. EFS: a mount target goes with its interface,
which needs `ec2:DeleteNetworkInterface`. SNS: on a topic with a key of its own one publishes by that key. S3: what a
bucket encrypts with a key is read by it, through S3. (Service Authorization Reference, the resource types and condition
keys of the actions, which has no `ec2:Vpc` for CreateSecurityGroup and DeleteTags; EFS API, DeleteMountTarget; SNS
Developer Guide, "Managing encryption keys"; S3 User Guide, "Using server-side encryption with AWS KMS keys".)
"""

import re
from dataclasses import dataclass, field
from typing import Any, Iterator

from ministack.core.responses import get_account_id, get_region
from ministack.services import ec2, efs, s3, sns

from . import model, sagemaker
from .ec2 import api
from .errors import AwsError

Keys = dict[str, Any]

# Tags in these are asked for on what is created, beside the group that it is created in.
_RULES = ("AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress")
_SETTINGS = ("UserSettings", "DefaultUserSettings", "DefaultSpaceSettings")


@dataclass(frozen=True)
class Need:
    """A permission: the action, the resource's ARN, and the condition keys."""

    action: str
    resource: str
    keys: Keys = field(default_factory=dict)


def first(service: str, action: str, params: api.Params) -> Need | None:
    """What a request's own name needs, where MiniStack has another resource or other keys."""
    if service != "ec2":
        return None
    if action == "ec2:CreateSecurityGroup":
        return Need(action, arn("security-group"), _tag_keys(_tags_of(params, "security-group")))
    if action in ("ec2:CreateTags", "ec2:DeleteTags"):
        return next(_tagged(action, params), None)
    group = ec2._security_groups.get(api.first(params, "GroupId"))
    return Need(action, arn("security-group", group["GroupId"]), _vpc(group)) if group else None


def further(service: str, action: str, request: dict[str, Any], params: api.Params, path: str) -> list[Need]:
    """What a request needs beside that; `request` is its JSON body, `params` its form, `path` that of its URL."""
    if service == "ec2":
        return [*_of_ec2(action, params)]
    if action == "elasticfilesystem:DeleteMountTarget":
        return [*_of_mount_target(path.rpartition("/")[2])]
    if action == "sns:Publish":
        return [*_of_topic(api.first(params, "TopicArn"))]
    if action == "s3:GetObject":
        return [*_of_bucket(path.removeprefix("/").partition("/")[0])]
    name = action.removeprefix("sagemaker:")
    if service != "sagemaker" or name not in sagemaker.OPERATIONS:
        return []
    try:
        model.check_request(service, name, request)
    except AwsError:
        return []  # which the service says itself
    return [*_of_sagemaker(name, request)]


def _of_ec2(action: str, params: api.Params) -> Iterator[Need]:
    name = action.removeprefix("ec2:")
    if name == "CreateSecurityGroup":
        vpc = api.first(params, "VpcId") or ec2._DEFAULT_VPC_ID
        yield Need(action, arn("vpc", vpc), {"ec2:VpcID": vpc})
    if name in ("CreateTags", "DeleteTags"):
        yield from [*_tagged(action, params)][1:]
    for kind in sorted({api.first(params, path) for path in params
                        if path.startswith("TagSpecification.") and path.endswith(".ResourceType")}):
        keys = _tag_keys(_tags_of(params, kind))
        if keys and name in _RULES:
            yield Need(action, arn(kind), keys)
        if keys:
            yield Need("ec2:CreateTags", arn(kind), {**keys, "ec2:CreateAction": name})


def _tagged(action: str, params: api.Params) -> Iterator[Need]:
    """The tags of a request on each of its resources."""
    keys = _tag_keys({tag["Key"]: tag["Value"] for tag in ec2._parse_tags(params)})
    for resource in ec2._parse_member_list(params, "ResourceId"):
        group = ec2._security_groups.get(resource) if action == "ec2:CreateTags" else None
        yield Need(action, arn(ec2._guess_resource_type(resource), resource), {
            **keys, **(_vpc(group) if group else {})})


def _of_mount_target(identity: str) -> Iterator[Need]:
    target = efs._mount_targets.get(identity)
    subnet = ec2._subnets.get(target["SubnetId"]) if target else None
    if target and subnet:
        yield Need("ec2:DeleteNetworkInterface", arn("network-interface", target["NetworkInterfaceId"]), _vpc(subnet))


def _of_topic(topic: str) -> Iterator[Need]:
    key = (sns._topics.get(topic) or {}).get("attributes", {}).get("KmsMasterKeyId")
    for action in ("kms:GenerateDataKey", "kms:Decrypt") if key else ():
        of_id = f"arn:aws:kms:{get_region()}:{get_account_id()}:key/{key}"
        yield Need(action, key if key.startswith("arn:") else of_id)


def _of_bucket(bucket: str) -> Iterator[Need]:
    if key := re.search("<KMSMasterKeyID>(.+?)</KMSMasterKeyID>", s3._bucket_encryption.get(bucket, "")):
        yield Need("kms:Decrypt", key[1], {"kms:ViaService": f"s3.{get_region()}.amazonaws.com"})


def _of_sagemaker(name: str, request: dict[str, Any]) -> Iterator[Need]:
    if name.startswith("Create") and request.get("Tags"):
        keys = _tag_keys({tag["Key"]: tag["Value"] for tag in request["Tags"]})
        resource = sagemaker.resource_arn(name, request, get_region(), get_account_id())
        yield Need("sagemaker:AddTags", resource, {**keys, "sagemaker:TaggingAction": name})
    for role in sorted({request[settings]["ExecutionRole"] for settings in _SETTINGS
                        if "ExecutionRole" in request.get(settings, {})}):
        yield Need("iam:PassRole", role, {"iam:PassedToService": "sagemaker.amazonaws.com"})


def _tags_of(params: api.Params, kind: str) -> dict[str, str]:
    """The tags that a request gives to what it creates of a kind."""
    tags: dict[str, str] = {}
    for path in params:
        specification = path.removesuffix(".ResourceType")
        if specification != path and api.first(params, path) == kind:
            keys = (name for name in params if name.startswith(f"{specification}.Tag.") and name.endswith(".Key"))
            tags |= {api.first(params, name): api.first(params, name.removesuffix("Key") + "Value") for name in keys}
    return tags


def _tag_keys(tags: dict[str, str]) -> Keys:
    if not tags:
        return {}
    return {"aws:TagKeys": [*tags], **{f"aws:RequestTag/{name}": value for name, value in tags.items()}}


def _vpc(part: dict[str, Any]) -> Keys:
    """Of which VPC a group or a subnet is."""
    return {"ec2:Vpc": arn("vpc", part["VpcId"])}


def arn(kind: str, identity: str = "*") -> str:
    """The ARN of a resource of EC2's, or of all of its kind."""
    return f"arn:aws:ec2:{get_region()}:{get_account_id()}:{kind}/{identity}"
