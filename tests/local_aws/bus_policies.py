"""Policies of event buses, which MiniStack keeps but doesn't evaluate (`AUTH=true`).

A Deny there binds the account's root user, too, whom MiniStack asks nothing. And `aws:PrincipalArn` of a role's
session is the ARN of the role, not of the session (IAM User Guide, global condition keys).
"""

from typing import Any, Callable

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id
from ministack.services import eventbridge, iam

_condition_key = iam_evaluator._resolve_condition_key


def register() -> None:
    """Let the evaluation find a bus's policy, ask it of root, and know a session's role."""
    eventbridge.bus_policy_for_arn = _policy
    iam_evaluator._RESOURCE_POLICY_LOOKUPS["events"] = ("eventbridge", "bus_policy_for_arn")
    iam_evaluator.enforce = _also_of_root(iam_evaluator.enforce)
    iam_evaluator._resolve_condition_key = _principal_is_the_role


def _policy(arn: str) -> tuple[dict[str, Any], str] | None:
    policy = eventbridge._event_bus_policies.get(arn.partition(":event-bus/")[2])
    return (policy, arn.split(":")[4]) if policy else None


def _also_of_root(enforce: Callable[..., Any]) -> Callable[..., Any]:
    def enforced(access_key: str, action: str, service: str, region: str, resource_arn: str = "*",
                 service_context: dict[str, Any] | None = None) -> Any:
        refusal = enforce(access_key, action, service, region, resource_arn, service_context)
        root = service == "events" and iam_evaluator.is_root_access_key(access_key)
        return _denied_to_root(action, region, resource_arn, service_context or {}) if root and not refusal else refusal

    return enforced


def _denied_to_root(action: str, region: str, arn: str, keys: dict[str, Any]) -> Any:
    account = get_account_id()
    root = f"arn:aws:iam::{account}:root"
    policy = _policy(arn)
    answer = iam_evaluator.evaluate_resource_policy(policy and policy[0], iam_evaluator.EvalContext(
        principal_arn=root, principal_type="Account", principal_account=account, action=action, resource_arn=arn,
        region=region, service_context={key.lower(): value for key, value in keys.items()}))
    if answer.decision != "Deny":
        return None
    answer.principal_arn, answer.resource_policy_arn = root, arn
    return answer


def _principal_is_the_role(key: str, context: Any) -> Any:
    if key.lower() != "aws:principalarn" or ":assumed-role/" not in context.principal_arn:
        return _condition_key(key, context)
    name = context.principal_arn.split("/")[1]
    role = iam._roles.get_scoped(context.principal_account, None, name) or {}
    return role.get("Arn", context.principal_arn)
