"""Apps, of a user profile or of a space."""

from .. import clock, service
from . import state, user_profiles
from .state import AwsError, Entity, Request, apps, in_use


def create(request: Request) -> Request:
    """CreateApp."""
    key = _key(request)
    if key[1] == "profile":
        user_profiles.find_profile(request)
    else:
        user_profiles.find_space(request)
    if key in apps and apps[key].status() != "Deleted":
        raise in_use(f"App {request['AppName']} already exists.")
    arn = service.arn("sagemaker", f"app/{key[0]}/{key[2]}/{key[3].lower()}/{key[4]}")
    apps[key] = Entity(arn, state.without_tags(request), tags=request.get("Tags", []))
    return {"AppArn": arn}


def describe(request: Request) -> Request:
    """DescribeApp."""
    entity = _find(request)
    return {**entity.settings, "AppArn": entity.arn, "Status": entity.status(), "CreationTime": entity.created_at}


def delete(request: Request) -> Request:
    """DeleteApp."""
    entity = _find(request)
    if entity.deleted_at is not None:
        raise AwsError("ResourceNotFound", f"App {request['AppName']} does not exist.")
    entity.deleted_at = clock.now()
    return {}


def list_all(request: Request) -> Request:
    """ListApps: deleted ones stay listed for a day."""
    wanted = {0: request.get("DomainIdEquals")}
    for name, kind in (("UserProfileNameEquals", "profile"), ("SpaceNameEquals", "space")):
        if name in request:
            wanted |= {1: kind, 2: request[name]}
    chosen = [entity for key, entity in apps.items()
              if all(value in (None, key[index]) for index, value in wanted.items())]
    found, token = state.rows(chosen, request, _row)
    return {"Apps": found, "NextToken": token}


def _key(request: Request) -> tuple[str, str, str, str, str]:
    profile, space = request.get("UserProfileName"), request.get("SpaceName")
    if (profile is None) == (space is None):
        raise AwsError("ValidationException", "Exactly one of UserProfileName and SpaceName must be given.")
    kind, owner = ("profile", str(profile)) if space is None else ("space", str(space))
    return request["DomainId"], kind, owner, request["AppType"], request["AppName"]


def _find(request: Request) -> Entity:
    return state.live(apps, _key(request), f"App {request['AppName']}")


def _row(entity: Entity) -> Request:
    names = ("DomainId", "UserProfileName", "SpaceName", "AppType", "AppName")
    shown = {name: entity.settings[name] for name in names if name in entity.settings}
    return {**shown, "Status": entity.status(), "CreationTime": entity.created_at}
