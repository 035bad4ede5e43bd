"""What the service holds, and how it finds it."""

import uuid
from dataclasses import dataclass, field
from typing import Any

from ministack.core.responses import AccountRegionScopedDict

from .. import clock
from ..errors import AwsError


@dataclass
class Resource:
    """What rule groups, policies and firewalls have in common."""

    arn: str
    name: str
    tags: list[dict[str, str]]
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    token: str = field(default_factory=lambda: str(uuid.uuid4()))
    changed_at: float = field(default_factory=clock.now)
    description: str | None = None

    def changed(self) -> None:
        """A new token, from which the firewalls' synchronisation starts again."""
        self.token = str(uuid.uuid4())
        self.changed_at = clock.now()


@dataclass
class RuleGroup(Resource):
    """A rule group: `body` is the API's RuleGroup."""

    type: str = "STATEFUL"
    capacity: int = 0
    body: dict[str, Any] = field(default_factory=dict)
    extras: dict[str, Any] = field(default_factory=dict)

    def rule_order(self) -> str:
        """The order of evaluation that the group was written for."""
        return self.body.get("StatefulRuleOptions", {}).get("RuleOrder", "DEFAULT_ACTION_ORDER")


@dataclass
class Policy(Resource):
    """A firewall policy: `body` is the API's FirewallPolicy, `referenced_at` when each group came into it."""

    body: dict[str, Any] = field(default_factory=dict)
    referenced_at: dict[str, float] = field(default_factory=dict)

    def group_arns(self) -> list[str]:
        """The rule groups that the policy references."""
        lists = ("StatelessRuleGroupReferences", "StatefulRuleGroupReferences")
        return [reference["ResourceArn"] for name in lists for reference in self.body.get(name, [])]


@dataclass
class Attachment:
    """A firewall's endpoint in one subnet."""

    subnet: str
    zone: str
    endpoint: str
    interface: str
    since: float


@dataclass
class Firewall(Resource):
    """A firewall with its attachments by Availability Zone."""

    vpc: str = ""
    policy_arn: str = ""
    policy_since: float = 0.0
    created_at: float = field(default_factory=clock.now)
    deleted_at: float | None = None
    mappings: list[dict[str, str]] = field(default_factory=list)
    attachments: dict[str, Attachment] = field(default_factory=dict)
    protections: dict[str, bool] = field(default_factory=dict)
    logging: dict[str, Any] | None = None
    dashboard: bool = False
    flow_operations: list[dict[str, Any]] = field(default_factory=list)
    extras: dict[str, Any] = field(default_factory=dict)


rule_groups: AccountRegionScopedDict = AccountRegionScopedDict()
policies: AccountRegionScopedDict = AccountRegionScopedDict()
firewalls: AccountRegionScopedDict = AccountRegionScopedDict()


def reset() -> None:
    """Forget everything."""
    for store in (rule_groups, policies, firewalls):
        store.clear()


def not_found(what: str) -> AwsError:
    """The error for something that isn't there."""
    return AwsError("ResourceNotFoundException", f"Unable to find resource: {what}")


def invalid(message: str) -> AwsError:
    """The error for a request that is not valid; messages as in the service."""
    return AwsError("InvalidRequestException", message)


def in_use() -> AwsError:
    """The error for deleting what something else refers to."""
    return AwsError("InvalidOperationException", "Unable to delete the object because it is still in use")


def check_token(resource: Resource, request: dict[str, Any], *, required: bool) -> None:
    """Optimistic locking: the token must be the one of the newest version."""
    token = request.get("UpdateToken")
    if token is None and not required:
        return
    if token != resource.token:
        raise AwsError("InvalidTokenException", "The token you provided is stale or isn't valid for the operation.")


def policies_with(group_arn: str) -> list[Policy]:
    """The policies that reference a rule group."""
    return [policy for policy in policies.values() if group_arn in policy.group_arns()]


def check_new(store: AccountRegionScopedDict, arn: str) -> None:
    """Names are unique for each kind of resource."""
    if arn in store:
        raise invalid("A resource with the specified name already exists")
