"""Apps, of a user profile or of a space.

There is never an instance of the type `ml.p4de.24xlarge`: an app that asks for it ends as Failed.
"""

from .. import service
from . import domains, interfaces, state, user_profiles
from .state import AwsError, Entity, Request, apps, in_use

NEVER_AVAILABLE = "ml.p4de.24xlarge"


def create(request: Request) -> Request:
    """CreateApp."""
    key = _key(request)
    of_owner = (user_profiles.security_groups_of_profile if key[1] == "profile"
                else user_profiles.security_groups_of_space)
    groups = of_owner(request)
    if key in apps and state.is_there(apps[key]):
        raise in_use(f"App {request['AppName']} already exists.")
    arn = service.arn("sagemaker", f"app/{key[0]}/{key[2]}/{key[3].lower()}/{key[4]}")
    app = Entity(arn, state.without_tags(request), tags=request.get("Tags", []))
    if request.get("ResourceSpec", {}).get("InstanceType") == NEVER_AVAILABLE:
        app.failure = f"{NEVER_AVAILABLE} is not available at the moment. Try another instance type."
    else:
        interfaces.attach(domains.find(request), app, groups)
    apps[key] = app
    return {"AppArn": arn}


def describe(request: Request) -> Request:
    """DescribeApp."""
    entity = _find(request)
    return {**entity.settings, **entity.condition(), "AppArn": entity.arn, "CreationTime": entity.created_at}


def delete(request: Request) -> Request:
    """DeleteApp; an app that has failed can't be deleted."""
    entity = _find(request)
    if entity.deleted_at is not None:
        raise AwsError("ResourceNotFound", f"App {request['AppName']} does not exist.")
    if entity.status() == "Failed":
        raise AwsError("ValidationException", f"App {request['AppName']} is in the Failed state and can't be deleted.")
    entity.delete()
    interfaces.release(entity)
    return {}


def list_all(request: Request) -> Request:
    """ListApps: deleted ones stay listed for a day, and failed ones."""
    if "UserProfileNameEquals" in request and "SpaceNameEquals" in request:
        raise AwsError("ValidationException", "UserProfileNameEquals and SpaceNameEquals can't both be set.")
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
    names = ("DomainId", "UserProfileName", "SpaceName", "AppType", "AppName", "ResourceSpec")
    shown = {name: entity.settings[name] for name in names if name in entity.settings}
    return {**shown, "Status": entity.status(), "CreationTime": entity.created_at}
