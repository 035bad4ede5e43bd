"""The network interfaces of apps in a VpcOnly domain: subnets and security groups can't go as long as they are there.

AWS has one for every instance that a user profile or a shared space uses ("SageMaker Studio Administration Best
Practices", network management); here each app has an instance of its own. An interface outlives its app.

Its description and its tag are as they were seen on AWS, which documents neither. How the tag of an app in a space
ends is not known.
"""

import uuid

from ministack.services import ec2

from .. import clock, service
from ..ec2 import api, endpoints
from . import home_directories, state
from .state import Entity

_STEPS = 1.5
_CLASSIC = ("JupyterServer", "KernelGateway")


def attach(domain: Entity, app: Entity, groups: list[str]) -> None:
    """Give an app its interface, with its owner's security groups and the one for NFS that SageMaker adds."""
    subnets = domain.settings.get("SubnetIds", [])
    if domain.settings.get("AppNetworkAccessType") != "VpcOnly" or not subnets:
        return
    identity = domain.settings["DomainId"]
    description = f"[DO NOT DELETE] ENI managed by SageMaker for Studio Domain({identity}) - {uuid.uuid4().hex}"
    subnet = subnets[len(state.attached) % len(subnets)]
    interface = endpoints.create_interface(subnet, description, "interface",
                                           groups + home_directories.outbound(identity), endpoints.NOTEBOOK)
    api.tag(interface, [{"Key": home_directories.MANAGED_TAG, "Value": _node(app)}])
    state.attached[app.arn] = interface


def release(app: Entity) -> None:
    """Let an app's interface go, in a while."""
    interface = state.attached.pop(app.arn, None)
    if interface is not None:
        state.released[interface] = clock.now()


def purge() -> None:
    """Let go of the interfaces of apps that were deleted long enough ago."""
    for interface, deleted_at in list(state.released.items()):
        if clock.settled(deleted_at, _STEPS):
            ec2._network_interfaces.pop(interface, None)
            api.tag(interface, None)
            del state.released[interface]


def _node(app: Entity) -> str:
    """The instance that an app runs on, as its tag names it."""
    settings = app.settings
    owner = (settings.get("UserProfileName") or settings["SpaceName"]).lower()
    instance = settings.get("ResourceSpec", {}).get("InstanceType", "system")
    kind = "jupyterserverorkernelgateway" if settings["AppType"] in _CLASSIC else settings["AppType"].lower()
    return service.arn("sagemaker", f"node/{settings['DomainId']}/{owner}/{instance}-{kind}")
