"""EFS as a network sees it: a mount target has an interface in its subnet, and what is deleted goes a little later.

MiniStack's mount targets make no interface, and its deletions are done at once.
"""

import json
from typing import Any, Callable

from ministack.core.responses import AccountRegionScopedDict
from ministack.services import ec2, efs

from . import clock
from .ec2.endpoints import create_interface

Response = tuple[int, dict[str, str], bytes]

_create_mount_target = efs._create_mount_target
_delete_file_system = efs._delete_file_system
# In the record of what is being deleted. The interface of a mount target outlives it.
_DELETED_AT = "DeletedAt"
_INTERFACE_STEPS = 1.5


def register() -> None:
    """Put the additions in place of MiniStack's functions."""
    efs._create_mount_target = create_mount_target
    efs._delete_mount_target = delete_mount_target
    efs._delete_file_system = delete_file_system
    for name in ("_describe_mount_targets", "_describe_file_systems"):
        setattr(efs, name, _after_purge(getattr(efs, name)))
    for name in ("_fs_response", "_mt_response"):
        setattr(efs, name, _without_times(getattr(efs, name)))


def create_mount_target(body: dict[str, Any]) -> Response:
    """CreateMountTarget, with its interface."""
    purge()
    answer = _create_mount_target(body)
    if answer[0] >= 400:
        return answer
    target = efs._mount_targets[json.loads(answer[2])["MountTargetId"]]
    description = f"EFS mount target for {target['FileSystemId']} ({target['MountTargetId']})"
    interface = create_interface(target["SubnetId"], description, "efs", target["SecurityGroups"])
    target |= {"NetworkInterfaceId": interface,
               "IpAddress": ec2._network_interfaces[interface]["PrivateIpAddress"]}
    return efs._json(200, efs._mt_response(target))


def delete_mount_target(identity: str) -> Response:
    """DeleteMountTarget."""
    purge()
    target = efs._mount_targets.get(identity)
    if target is None:
        return efs._error(404, "MountTargetNotFound", f"Mount target '{identity}' does not exist.")
    if _DELETED_AT not in target:
        target |= {"LifeCycleState": "deleting", _DELETED_AT: clock.now()}
        _interfaces[target["NetworkInterfaceId"]] = clock.now()
    return efs._json(204, {})


def delete_file_system(identity: str) -> Response:
    """DeleteFileSystem; refused while there is a mount target."""
    purge()
    record = efs._file_systems.get(identity)
    if record is None or record["NumberOfMountTargets"] or efs._replication_of(identity):
        return _delete_file_system(identity)
    record |= {"LifeCycleState": "deleting", _DELETED_AT: record.get(_DELETED_AT, clock.now())}
    return efs._json(204, {})


def purge() -> None:
    """Let go of what was deleted long enough ago."""
    for identity, target in list(efs._mount_targets.items()):
        if _is_over(target):
            del efs._mount_targets[identity]
            efs._file_systems[target["FileSystemId"]]["NumberOfMountTargets"] -= 1
    for identity, record in list(efs._file_systems.items()):
        if _is_over(record):
            _delete_file_system(identity)
    for interface, deleted_at in list(_interfaces.items()):
        if clock.settled(deleted_at, _INTERFACE_STEPS):
            ec2._network_interfaces.pop(interface, None)
            del _interfaces[interface]


# The interfaces that go with a deleted mount target, and when that was deleted.
_interfaces: AccountRegionScopedDict = AccountRegionScopedDict()


def _is_over(record: dict[str, Any]) -> bool:
    return _DELETED_AT in record and clock.settled(record[_DELETED_AT])


def _after_purge(describe: Callable[[dict[str, str]], Response]) -> Callable[[dict[str, str]], Response]:
    def described(query: dict[str, str]) -> Response:
        purge()
        return describe(query)
    return described


def _without_times(response: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda record: {key: value for key, value in response(record).items() if key != _DELETED_AT}
