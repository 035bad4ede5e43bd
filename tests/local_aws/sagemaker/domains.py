"""Studio domains."""

from ministack.core.responses import get_account_id, get_region
from ministack.services import ec2

from .. import service
from . import home_directories, state
from .state import AwsError, Entity, Request, domains, in_use


def create(request: Request) -> Request:
    """CreateDomain, with its home file system."""
    state.purge(domains)
    if any(entity.settings["DomainName"] == request["DomainName"] for entity in domains.values()):
        raise in_use(f"Domain {request['DomainName']} already exists.")
    _check_subnets(request.get("SubnetIds", []))
    identity = state.identifier("d-")
    arn = service.arn("sagemaker", f"domain/{identity}")
    entity = Entity(arn, state.without_tags(request), tags=request.get("Tags", []))
    entity.settings |= {"DomainId": identity, "HomeEfsFileSystemId": home_directories.create(identity, arn, request)}
    domains[identity] = entity
    return {"DomainArn": arn, "DomainId": identity, "Url": _url(identity)}


def describe(request: Request) -> Request:
    """DescribeDomain."""
    entity = find(request)
    return {"AppNetworkAccessType": "PublicInternetOnly", **entity.settings, **entity.times(),
            "DomainArn": entity.arn, "Status": entity.status(), "Url": _url(request["DomainId"])}


def update(request: Request) -> Request:
    """UpdateDomain. Subnets can come at any time; none goes, nor does the access change, while an app runs."""
    entity = find(request)
    before = entity.settings.get("SubnetIds", [])
    after = request.get("SubnetIds") or before
    access = request.get("AppNetworkAccessType") not in (None, entity.settings.get("AppNetworkAccessType"))
    narrowed = access or set(before) - set(after)
    if narrowed and any(key[0] == request["DomainId"] and state.is_there(app) for key, app in state.apps.items()):
        raise in_use("Domain has apps that are not deleted.")
    _check_subnets(after)
    # What becomes of the mount targets in the others is not documented: here they stay.
    home_directories.reach(entity.settings["HomeEfsFileSystemId"], [item for item in after if item not in before])
    entity.update(request)
    return {"DomainArn": entity.arn}


def delete(request: Request) -> Request:
    """DeleteDomain; the home directories stay, and all that leads to them, unless the policy says Delete."""
    entity = find(request)
    for store, what in ((state.profiles, "user profiles"), (state.spaces, "spaces")):
        state.purge(store)
        if any(key[0] == request["DomainId"] for key in store.keys()):
            raise in_use(f"Unable to delete Domain {request['DomainId']} because {what} are associated with it.")
    if request.get("RetentionPolicy", {}).get("HomeEfsFileSystem") == "Delete":
        home_directories.delete(entity.settings["HomeEfsFileSystemId"])
    entity.delete()
    return {}


def list_all(request: Request) -> Request:
    """ListDomains."""
    state.purge(domains)
    found, token = state.rows(domains.values(), request, _row)
    return {"Domains": found, "NextToken": token}


def find(request: Request) -> Entity:
    """The domain that a request names."""
    return state.live(domains, request["DomainId"], f"Domain {request['DomainId']}")


def _check_subnets(subnets: list[str]) -> None:
    for subnet in subnets:
        if subnet not in ec2._subnets:
            raise AwsError("ValidationException", f"The subnet ID '{subnet}' does not exist")


def _row(entity: Entity) -> Request:
    identity = entity.settings["DomainId"]
    return {"DomainArn": entity.arn, "DomainId": identity, "DomainName": entity.settings["DomainName"],
            "Status": entity.status(), "Url": _url(identity), **entity.times()}


def _url(identity: str) -> str:
    return f"https://{identity}.studio.{get_region()}.sagemaker.aws?account={get_account_id()}"
