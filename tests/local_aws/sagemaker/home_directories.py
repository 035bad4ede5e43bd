"""What a domain makes for its home directories in the account: a file system, a mount target in each of its zones,
and two security groups that refer to each other.

It all stays when the domain is deleted, unless DeleteDomain's retention policy says otherwise.
"""

import json
from typing import Any

from ministack.core.responses import get_account_id
from ministack.services import ec2, efs

from ..ec2 import api
from .state import AwsError, Request

MANAGED_TAG = "ManagedByAmazonSageMakerResource"
_NFS_PORTS = ((988, 988), (1018, 1023), (2049, 2049))


def create(domain_id: str, domain_arn: str, request: Request) -> str:
    """The home file system of a new domain, reachable from its subnets."""
    file_system = _made(efs._create_file_system({
        "CreationToken": domain_id, "Encrypted": True, "KmsKeyId": request.get("KmsKeyId", ""),
        "Tags": [{"Key": MANAGED_TAG, "Value": domain_arn}],
    }))["FileSystemId"]
    subnets = [ec2._subnets[subnet] for subnet in request.get("SubnetIds", [])]
    if subnets:
        inbound = _security_groups(domain_id, domain_arn, subnets[0]["VpcId"])
        # A file system has one mount target in a zone.
        for subnet in {subnet["AvailabilityZone"]: subnet["SubnetId"] for subnet in subnets}.values():
            _made(efs._create_mount_target(
                {"FileSystemId": file_system, "SubnetId": subnet, "SecurityGroups": [inbound]}))
    return file_system


def reach(file_system: str, subnets: list[str]) -> None:
    """Mount targets in subnets that a domain gets later, in zones that have none ("one IP per subnet/AZ attached to the
    SageMaker domain", "SageMaker Studio Administration Best Practices", network management)."""
    targets = [target for target in efs._mount_targets.values() if target["FileSystemId"] == file_system]
    zones = {ec2._subnets[target["SubnetId"]]["AvailabilityZone"] for target in targets}
    groups = targets[0]["SecurityGroups"] if targets else []
    for subnet in subnets:
        if ec2._subnets[subnet]["AvailabilityZone"] not in zones:
            _made(efs._create_mount_target({"FileSystemId": file_system, "SubnetId": subnet, "SecurityGroups": groups}))


def delete(file_system: str) -> None:
    """All of it, at once."""
    groups: set[str] = set()
    for identity, target in list(efs._mount_targets.items()):
        if target["FileSystemId"] == file_system:
            ec2._network_interfaces.pop(target["NetworkInterfaceId"], None)
            groups.update(target["SecurityGroups"])
            del efs._mount_targets[identity]
    for group in list(groups):
        rules = ec2._security_groups[group]["IpPermissions"]
        groups.update(pair["GroupId"] for rule in rules for pair in rule["UserIdGroupPairs"])
    for group in groups:
        ec2._security_groups.pop(group, None)
        ec2._tags.pop(group, None)
    efs._file_systems.pop(file_system, None)


def outbound(domain_id: str) -> list[str]:
    """The group of notebooks, if the domain has one."""
    name = _group_name("outbound", domain_id)
    return [identity for identity, group in ec2._security_groups.items() if group["GroupName"] == name]


def _security_groups(domain_id: str, domain_arn: str, vpc: str) -> str:
    """The groups of notebooks and of mount targets; the id of the latter."""
    inbound, outbound = (_security_group(direction, domain_id, domain_arn, vpc) for direction in ("inbound", "outbound"))
    ec2._security_groups[inbound] |= {"IpPermissions": _nfs(outbound), "IpPermissionsEgress": []}
    ec2._security_groups[outbound] |= {"IpPermissions": [], "IpPermissionsEgress": _nfs(inbound)}
    return inbound


def _security_group(direction: str, domain_id: str, domain_arn: str, vpc: str) -> str:
    answer = api.call(
        "CreateSecurityGroup", GroupName=_group_name(direction, domain_id), VpcId=vpc,
        GroupDescription=f"[DO NOT DELETE] Security Group that allows {direction} NFS traffic for SageMaker Notebooks "
                         f"Domain [{domain_id}]")
    identity = api.find(answer, "groupId")
    api.tag(identity, [{"Key": MANAGED_TAG, "Value": domain_arn}])
    return identity


def _group_name(direction: str, domain_id: str) -> str:
    return f"security-group-for-{direction}-nfs-{domain_id}"


def _nfs(other: str) -> list[dict[str, Any]]:
    """The rules of one of the groups, from or to the other."""
    return [{"IpProtocol": "tcp", "FromPort": first, "ToPort": last, "IpRanges": [], "Ipv6Ranges": [],
             "PrefixListIds": [], "UserIdGroupPairs": [{"GroupId": other, "UserId": get_account_id()}]}
            for first, last in _NFS_PORTS]


def _made(answer: tuple[int, dict[str, str], bytes]) -> dict[str, Any]:
    if answer[0] >= 400:
        raise AwsError("InternalFailure", f"No home directories for the domain: {answer[2]!r}", 500)
    return json.loads(answer[2])
