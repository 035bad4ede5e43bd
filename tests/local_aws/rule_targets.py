"""A function that a rule of EventBridge's names is invoked asynchronously: it is tried again, and what fails at every
try goes to where its configuration says. MiniStack tried once, and forgot what had failed.

Each name of a function (`$LATEST`, an alias) has a configuration of its own, or none.
"""

import json

from ministack.services import eventbridge, lambda_svc

_dispatch = eventbridge._dispatch_to_lambda


def register() -> None:
    """Put the asynchronous invocation in place of MiniStack's own."""
    eventbridge._dispatch_to_lambda = _invoke_asynchronously


def _invoke_asynchronously(arn: str, payload: str) -> None:
    function, config, _ = lambda_svc._get_func_record_for_ref(arn)
    if not function or not config:
        _dispatch(arn, payload)  # which says that there is none
        return
    _, qualifier = lambda_svc._lambda_function_name_and_qualifier_from_arn(arn)
    record = lambda_svc._execution_record_for_config(function, config)
    configs = record.get("event_invoke_configs") or {}
    record["event_invoke_config"] = configs.get(qualifier or "$LATEST")
    # Where there is none for an alias, MiniStack would take that of `$LATEST`.
    record["event_invoke_configs"] = {}
    lambda_svc.invoke_async_with_retry(record, json.loads(payload))
