"""What the service holds: domains with their profiles, spaces and apps, and the states that they walk through."""

import random
import string
from dataclasses import dataclass, field
from typing import Any

from ministack.core.responses import AccountRegionScopedDict

from .. import clock
from ..errors import AwsError

Request = dict[str, Any]


@dataclass
class Entity:
    """A domain, user profile, space or app: what it was created with, and when it changed."""

    arn: str
    settings: Request
    created_at: float = field(default_factory=clock.now)
    changed_at: float = field(default_factory=clock.now)
    changing: str = "Pending"
    deleted_at: float | None = None
    tags: list[dict[str, str]] = field(default_factory=list)
    failure: str | None = None

    def status(self) -> str:
        """Pending or Updating until it is InService, or has failed; Deleting until it is gone."""
        if self.deleted_at is not None:
            return "Deleted" if clock.settled(self.deleted_at) else "Deleting"
        if not clock.settled(self.changed_at):
            return self.changing
        if self.failure is None:
            return "InService"
        return "Failed" if self.changing == "Pending" else "Update_Failed"

    def condition(self) -> Request:
        """The status of a description, with the reason of a failure."""
        status = self.status()
        return {"Status": status, **({"FailureReason": self.failure} if "ailed" in status else {})}

    def update(self, settings: Request, failure: str | None = None) -> None:
        """Take over new settings, or come to nothing by `failure`."""
        self.settings |= settings
        self.changing, self.changed_at, self.failure = "Updating", clock.now(), failure

    def delete(self) -> None:
        """Begin to go; once more changes nothing."""
        self.deleted_at = self.deleted_at or clock.now()

    def times(self) -> Request:
        """The time stamps of a description."""
        return {"CreationTime": self.created_at, "LastModifiedTime": self.changed_at}


# Keys: domain id; (domain id, profile); (domain id, space); (domain id, "profile" | "space", owner, type, app).
domains: AccountRegionScopedDict = AccountRegionScopedDict()
profiles: AccountRegionScopedDict = AccountRegionScopedDict()
spaces: AccountRegionScopedDict = AccountRegionScopedDict()
apps: AccountRegionScopedDict = AccountRegionScopedDict()
# The network interfaces: of an app, by its ARN; of apps that are going, with the time of their deletion.
attached: AccountRegionScopedDict = AccountRegionScopedDict()
released: AccountRegionScopedDict = AccountRegionScopedDict()


def reset() -> None:
    """Forget everything."""
    for store in (domains, profiles, spaces, apps, attached, released):
        store.clear()


def live(store: AccountRegionScopedDict, key: Any, what: str) -> Entity:
    """An entity that is not gone; ResourceNotFound otherwise."""
    purge(store)
    entity = store.get(key)
    if entity is None:
        raise AwsError("ResourceNotFound", f"{what} does not exist.")
    return entity


def purge(store: AccountRegionScopedDict) -> None:
    """Let go of what is deleted; apps stay listed as Deleted, as on AWS."""
    if store is not apps:
        for key, entity in store.items():
            if entity.status() == "Deleted":
                del store[key]


def is_there(app: Entity) -> bool:
    """Whether an app keeps its owner from going; one that has failed doesn't."""
    return app.status() not in ("Deleted", "Failed")


def in_use(message: str) -> AwsError:
    """The error for what something else still needs."""
    return AwsError("ResourceInUse", message)


def identifier(prefix: str) -> str:
    """An id such as `d-abc123def456`."""
    return prefix + "".join(random.choices(string.ascii_lowercase + string.digits, k=12))


def rows(entities: list[Entity], request: Request, view: Any) -> tuple[list[Request], str | None]:
    """A page of a listing: ten rows when nothing else is asked for, in the order of creation."""
    ordered = sorted(entities, key=lambda entity: entity.created_at,
                     reverse=request.get("SortOrder", "Ascending") == "Descending")
    start = int(request.get("NextToken") or 0)
    end = start + request.get("MaxResults", 10)
    return [view(entity) for entity in ordered[start:end]], str(end) if end < len(ordered) else None


def without_tags(request: Request) -> Request:
    """A creation's settings."""
    return {key: value for key, value in request.items() if key != "Tags"}
