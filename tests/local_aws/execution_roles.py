"""What Lambda does in the name of a function's role (`AUTH=true`), for which MiniStack asks nobody.

- A destination of failures that the role may not write to is refused (Lambda API, PutFunctionEventInvokeConfig: "The
  function's execution role does not have permissions to call SendMessage").
- Of an invocation whose role may not write to the log group nothing is logged (Lambda Developer Guide, "Sending Lambda
  function logs to CloudWatch Logs"): function_logs.py.
- A queue is read in the role's name: event_source_mappings.py.
"""

from typing import Any

from ministack import app
from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import lambda_svc

# By the service of the destination's ARN.
_TELLS = {"sqs": "sqs:SendMessage", "sns": "sns:Publish", "lambda": "lambda:InvokeFunction",
          "events": "events:PutEvents"}

_put_event_invoke_config = lambda_svc._put_event_invoke_config


def register() -> None:
    """Put the check before MiniStack's function."""
    lambda_svc._put_event_invoke_config = _put_checked


def may(role: str, action: str, resource: str) -> bool:
    """Whether the policies of the role with this ARN allow an action; where nothing is enforced, they all do."""
    if not app.AUTH:
        return True
    account = get_account_id()
    context = iam_evaluator.EvalContext(
        principal_arn=role, principal_type="AssumedRole", principal_account=account, action=action,
        resource_arn=resource, region=get_region())
    policies = iam_evaluator._gather_role_policies(role.rpartition("/")[2], account)
    return iam_evaluator.evaluate(context, policies).decision == "Allow"


def _put_checked(function: str, qualifier: str | None, data: dict[str, Any]) -> Any:
    _, config, _ = lambda_svc._get_func_record_for_ref(function)
    for destination in (data.get("DestinationConfig") or {}).values():
        arn = (destination or {}).get("Destination") or ""
        action = _TELLS.get(arn.split(":")[2] if arn.count(":") >= 5 else "")
        if config and action and not may(config["Role"], action, arn):
            message = (f"The function's execution role does not have permissions to call "
                       f"{action.partition(':')[2]} on {arn}")
            return lambda_svc.error_response_json("InvalidParameterValueException", message, 400)
    return _put_event_invoke_config(function, qualifier, data)
