"""The log group of a function that is gone stays gone: MiniStack makes it again when an invocation ends late.

On AWS that takes a role that may create log groups.
"""

from typing import Any

from ministack.services import cloudwatch_logs, lambda_svc

_emit = lambda_svc._emit_lambda_logs


def register() -> None:
    """Put the check before MiniStack's function."""
    lambda_svc._emit_lambda_logs = _emit_of_a_living_one


def _emit_of_a_living_one(func: dict[str, Any], *arguments: Any, **keywords: Any) -> None:
    config = func.get("config") or func
    name = config.get("FunctionName", "")
    group = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{name}"
    if name in lambda_svc._functions or group in cloudwatch_logs._log_groups:
        _emit(func, *arguments, **keywords)
