"""User profiles and spaces of a domain."""

from typing import Any

from .. import service
from . import domains, state
from .state import Entity, Request, in_use, profiles, spaces


def create_profile(request: Request) -> Request:
    """CreateUserProfile."""
    return {"UserProfileArn": _create(profiles, request, "user-profile", request["UserProfileName"])}


def create_space(request: Request) -> Request:
    """CreateSpace; its owner is a profile of the domain."""
    owner = request.get("OwnershipSettings", {}).get("OwnerUserProfileName")
    if owner is not None:
        state.live(profiles, (request["DomainId"], owner), f"UserProfile {owner}")
    return {"SpaceArn": _create(spaces, request, "space", request["SpaceName"])}


def describe_profile(request: Request) -> Request:
    """DescribeUserProfile."""
    entity = find_profile(request)
    return {**entity.settings, **entity.times(), "UserProfileArn": entity.arn, "Status": entity.status()}


def describe_space(request: Request) -> Request:
    """DescribeSpace."""
    entity = find_space(request)
    return {**entity.settings, **entity.times(), "SpaceArn": entity.arn, "Status": entity.status()}


def update_profile(request: Request) -> Request:
    """UpdateUserProfile."""
    entity = find_profile(request)
    entity.update(request)
    return {"UserProfileArn": entity.arn}


def delete_profile(request: Request) -> Request:
    """DeleteUserProfile; its apps and its private spaces go first."""
    entity = find_profile(request)
    name = request["UserProfileName"]
    _check_no_apps(request["DomainId"], "profile", name)
    state.purge(spaces)
    owned = [space for key, space in spaces.items() if key[0] == request["DomainId"]
             and space.settings.get("OwnershipSettings", {}).get("OwnerUserProfileName") == name]
    if owned:
        raise in_use(f"Unable to delete UserProfile {name} because spaces are associated with it.")
    entity.deleted_at = state.clock.now()
    return {}


def delete_space(request: Request) -> Request:
    """DeleteSpace."""
    entity = find_space(request)
    _check_no_apps(request["DomainId"], "space", request["SpaceName"])
    entity.deleted_at = state.clock.now()
    return {}


def list_profiles(request: Request) -> Request:
    """ListUserProfiles."""
    found, token = _list(profiles, request, "UserProfileName")
    return {"UserProfiles": found, "NextToken": token}


def list_spaces(request: Request) -> Request:
    """ListSpaces."""
    found, token = _list(spaces, request, "SpaceName")
    return {"Spaces": found, "NextToken": token}


def find_profile(request: Request) -> Entity:
    """The profile that a request names."""
    name = request["UserProfileName"]
    return state.live(profiles, (request["DomainId"], name), f"UserProfile {name}")


def find_space(request: Request) -> Entity:
    """The space that a request names."""
    name = request["SpaceName"]
    return state.live(spaces, (request["DomainId"], name), f"Space {name}")


def _create(store: Any, request: Request, kind: str, name: str) -> str:
    domain = domains.find(request)
    if domain.deleted_at is not None:
        raise in_use(f"Domain {request['DomainId']} is being deleted.")
    state.purge(store)
    key = (request["DomainId"], name)
    if key in store:
        raise in_use(f"{name} already exists in domain {request['DomainId']}.")
    arn = service.arn("sagemaker", f"{kind}/{request['DomainId']}/{name}")
    store[key] = Entity(arn, state.without_tags(request), tags=request.get("Tags", []))
    return arn


def _check_no_apps(domain: str, kind: str, owner: str) -> None:
    active = [key[4] for key, app in state.apps.items()
              if key[:3] == (domain, kind, owner) and app.status() not in ("Deleted", "Failed")]
    if active:
        raise in_use(f"Unable to delete {owner} because apps are associated with it: {', '.join(active)}.")


def _list(store: Any, request: Request, name: str) -> tuple[list[Request], str | None]:
    state.purge(store)
    domain = request.get("DomainIdEquals")
    chosen = [entity for key, entity in store.items()
              if domain in (None, key[0]) and request.get(f"{name}Contains", "") in key[1]]

    def row(entity: Entity) -> Request:
        return {"DomainId": entity.settings["DomainId"], name: entity.settings[name], "Status": entity.status(),
                **entity.times()}

    return state.rows(chosen, request, row)
