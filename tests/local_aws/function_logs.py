"""Functions' logs, where MiniStack does otherwise.

- The log group of a function that is gone stays gone: MiniStack makes it again when an invocation ends late. On AWS that
  takes a role that may create log groups.
- Lambda logs in the name of the function's role: where that may not, nothing is logged (`AUTH=true`).
- A function is told of its log's format (Lambda Developer Guide, "Configuring JSON and plain text log formats").
"""

from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import cloudwatch_logs, lambda_svc

from .execution_roles import may

_ACTIONS = ("logs:CreateLogStream", "logs:PutLogEvents")

_emit = lambda_svc._emit_lambda_logs
_environment = lambda_svc._provided_worker_env


def register() -> None:
    """Put the checks before MiniStack's function, and the format into the environment of each."""
    lambda_svc._emit_lambda_logs = _emit_what_may_be_logged
    lambda_svc._provided_worker_env = _with_log_format


def _with_log_format(config: dict[str, Any], *arguments: Any) -> dict[str, str]:
    logging = config.get("LoggingConfig") or {}
    return {**_environment(config, *arguments), "AWS_LAMBDA_LOG_FORMAT": logging.get("LogFormat", "Text")}


def _emit_what_may_be_logged(func: dict[str, Any], *arguments: Any, **keywords: Any) -> None:
    config = func.get("config") or func
    name = config.get("FunctionName", "")
    group = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{name}"
    stream = f"arn:aws:logs:{get_region()}:{get_account_id()}:log-group:{group}:log-stream:{name}"
    lives = name in lambda_svc._functions or group in cloudwatch_logs._log_groups
    if lives and all(may(config.get("Role", ""), action, stream) for action in _ACTIONS):
        _emit(func, *arguments, **keywords)
