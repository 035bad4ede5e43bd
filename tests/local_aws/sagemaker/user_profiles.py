"""User profiles and spaces of a domain.

The role `never-assumed`, in any account, is one that SageMaker can't assume: a profile with it ends as Failed, an
update to it as Update_Failed.
"""

from typing import Any, Callable

from ministack.services import ec2

from .. import service
from . import domains, state
from .state import AwsError, Entity, Request, in_use, profiles, spaces

NEVER_ASSUMED = "never-assumed"


def create_profile(request: Request) -> Request:
    """CreateUserProfile."""
    _check_security_groups(request)
    profile = _create(profiles, request, "user-profile", request["UserProfileName"])
    profile.failure = _failure(request)
    return {"UserProfileArn": profile.arn}


def create_space(request: Request) -> Request:
    """CreateSpace; its owner is a profile of the domain."""
    owner = request.get("OwnershipSettings", {}).get("OwnerUserProfileName")
    if owner is not None:
        state.live(profiles, (request["DomainId"], owner), f"UserProfile {owner}")
    return {"SpaceArn": _create(spaces, request, "space", request["SpaceName"]).arn}


def describe_profile(request: Request) -> Request:
    """DescribeUserProfile."""
    entity = find_profile(request)
    return {**entity.settings, **entity.times(), **entity.condition(), "UserProfileArn": entity.arn}


def describe_space(request: Request) -> Request:
    """DescribeSpace."""
    entity = find_space(request)
    return {**entity.settings, **entity.times(), **entity.condition(), "SpaceArn": entity.arn}


def update_profile(request: Request) -> Request:
    """UpdateUserProfile; not while the profile changes otherwise, nor after its creation failed."""
    entity = find_profile(request)
    if entity.status() not in ("InService", "Update_Failed"):
        raise in_use(f"UserProfile {request['UserProfileName']} is {entity.status()}.")
    _check_security_groups(request)
    entity.update(request, _failure(request))
    return {"UserProfileArn": entity.arn}


def delete_profile(request: Request) -> Request:
    """DeleteUserProfile; its apps and its private spaces go first."""
    entity = find_profile(request)
    name = request["UserProfileName"]
    _check_no_apps(request["DomainId"], "profile", name, f"UserProfile [{entity.arn}]")
    state.purge(spaces)
    owned = [space for key, space in spaces.items() if key[0] == request["DomainId"]
             and space.settings.get("OwnershipSettings", {}).get("OwnerUserProfileName") == name]
    if owned:
        raise in_use(f"Unable to delete UserProfile [{entity.arn}] because Space(s) are associated with it.")
    entity.delete()
    return {}


def delete_space(request: Request) -> Request:
    """DeleteSpace."""
    entity = find_space(request)
    _check_no_apps(request["DomainId"], "space", request["SpaceName"], f"Space [{entity.arn}]")
    entity.delete()
    return {}


def list_profiles(request: Request) -> Request:
    """ListUserProfiles."""
    found, token = _list(profiles, request, "UserProfileName", lambda _: {})
    return {"UserProfiles": found, "NextToken": token}


def list_spaces(request: Request) -> Request:
    """ListSpaces."""
    found, token = _list(spaces, request, "SpaceName", lambda space: {
        f"{name}Summary": space.settings[name] for name in ("OwnershipSettings", "SpaceSharingSettings")
        if name in space.settings})
    return {"Spaces": found, "NextToken": token}


def security_groups_of_profile(request: Request) -> list[str]:
    """The groups of a profile's apps: the domain's and its own (UserSettings: SecurityGroups "is aggregated")."""
    settings = find_profile(request).settings.get("UserSettings", {})
    defaults = domains.find(request).settings.get("DefaultUserSettings", {})
    return list(dict.fromkeys(defaults.get("SecurityGroups", []) + settings.get("SecurityGroups", [])))


def security_groups_of_space(request: Request) -> list[str]:
    """The groups of a space's apps: its owner's when it is private, the domain's for spaces when it is shared."""
    settings = find_space(request).settings
    owner = settings.get("OwnershipSettings", {}).get("OwnerUserProfileName")
    if owner is not None and settings.get("SpaceSharingSettings", {}).get("SharingType") != "Shared":
        return security_groups_of_profile({**request, "UserProfileName": owner})
    return domains.find(request).settings.get("DefaultSpaceSettings", {}).get("SecurityGroups", [])


def find_profile(request: Request) -> Entity:
    """The profile that a request names."""
    name = request["UserProfileName"]
    return state.live(profiles, (request["DomainId"], name), f"UserProfile {name}")


def find_space(request: Request) -> Entity:
    """The space that a request names."""
    name = request["SpaceName"]
    return state.live(spaces, (request["DomainId"], name), f"Space {name}")


def _check_security_groups(request: Request) -> None:
    """Raise the refusal of a group that isn't there, or that is in another VPC than the domain."""
    vpc = domains.find(request).settings.get("VpcId")
    for identity in request.get("UserSettings", {}).get("SecurityGroups", []):
        group = ec2._security_groups.get(identity)
        if group is None or vpc not in (None, group["VpcId"]):
            raise AwsError("ValidationException", f"The security group '{identity}' does not exist")


def _failure(request: Request) -> str | None:
    """Why a profile can't be what the request says."""
    role = request.get("UserSettings", {}).get("ExecutionRole", "")
    return f"SageMaker can't assume the role {role}." if role.endswith(f"/{NEVER_ASSUMED}") else None


def _create(store: Any, request: Request, kind: str, name: str) -> Entity:
    domain = domains.find(request)
    if domain.deleted_at is not None:
        raise in_use(f"Domain {request['DomainId']} is being deleted.")
    state.purge(store)
    key = (request["DomainId"], name)
    if key in store:
        raise in_use(f"{name} already exists in domain {request['DomainId']}.")
    arn = service.arn("sagemaker", f"{kind}/{request['DomainId']}/{name}")
    entity = store[key] = Entity(arn, state.without_tags(request), tags=request.get("Tags", []))
    return entity


def _check_no_apps(domain: str, kind: str, owner: str, what: str) -> None:
    if any(key[:3] == (domain, kind, owner) and state.is_there(app) for key, app in state.apps.items()):
        raise in_use(f"Unable to delete {what} because App(s) are associated with it.")


def _list(store: Any, request: Request, name: str,
          more: Callable[[Entity], Request]) -> tuple[list[Request], str | None]:
    state.purge(store)
    domain = request.get("DomainIdEquals")
    chosen = [entity for key, entity in store.items()
              if domain in (None, key[0]) and request.get(f"{name}Contains", "") in key[1]]

    def row(entity: Entity) -> Request:
        return {"DomainId": entity.settings["DomainId"], name: entity.settings[name], "Status": entity.status(),
                **entity.times(), **more(entity)}

    return state.rows(chosen, request, row)
