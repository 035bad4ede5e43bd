"""Event source mappings of SQS, where MiniStack does otherwise.

- Groups of a FIFO queue are worked off at once where a batch is one message: they came one after the other.
- What a function answers counts as Lambda reads it ("Implementing partial batch responses", Lambda Developer Guide):
  an answer that it can't read, or that names no message of the batch, is a failure of all. Here it was a success.
- A function that fails holds up its own message alone, and not the whole queue for a second.
- A mapping is refused whose role may not read the queue, or whose queue shows a message again while the function may
  still be working on it (`AUTH=true` for the first).
- One looks ten times a second, so that nobody waits long for a message that has become visible.
"""

import json
import threading
from typing import Any

from ministack.services import lambda_svc, sqs
from ministack.services.cloudformation import provisioners

from .cloudformation.table import Created, Properties, reported
from .errors import AwsError
from .execution_roles import may

_LOOK = 0.1
_ACTIONS = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")

_concurrency = lambda_svc._sqs_esm_concurrency
_create = lambda_svc._create_esm


class _Impatient:
    """MiniStack's signal that there is work, for which nobody waits longer than `_LOOK`."""

    def __init__(self, event: threading.Event) -> None:
        self.set, self.clear, self._wait = event.set, event.clear, event.wait

    def wait(self, timeout: float) -> bool:
        """Wait for the signal."""
        return self._wait(min(timeout, _LOOK))


def register() -> None:
    """Put the repairs in place of MiniStack's functions."""
    lambda_svc._esm_wake = _Impatient(lambda_svc._esm_wake)
    lambda_svc._sqs_esm_concurrency = _as_many_as_there_are_groups
    lambda_svc._run_sqs_batch = _run_batch
    lambda_svc._create_esm = _create_checked
    handlers = provisioners._RESOURCE_HANDLERS["AWS::Lambda::EventSourceMapping"]
    create = handlers["create"]

    def created(logical_id: str, properties: Properties, stack: str) -> Created:
        _check(properties.get("FunctionName", ""), properties.get("EventSourceArn", ""))
        return create(logical_id, properties, stack)

    handlers["create"] = reported(created)


def _as_many_as_there_are_groups(mapping: dict[str, Any], function: dict[str, Any], config: dict[str, Any],
                                 queue: dict[str, Any] | None = None) -> int:
    return _concurrency(mapping, function, config, None if mapping.get("BatchSize") == 1 else queue)


def _run_batch(mapping: dict[str, Any], function: dict[str, Any], event: dict[str, Any], batch: list[dict[str, Any]],
               queue_url: str, _queue_name: str) -> None:
    handles = {message["id"]: message["receipt_handle"] for message in batch}
    result = lambda_svc._execute_function(function, event)
    failed: set[str] = set()
    if result.get("error"):
        failed = set(handles)
    elif "ReportBatchItemFailures" in mapping.get("FunctionResponseTypes", []):
        failed = _failed(result.get("body"), set(handles))
    mapping["LastProcessingResult"] = "PROBLEM: Function call failed" if result.get("error") else "OK"
    sqs._delete_messages_for_esm(queue_url, {handle for id_, handle in handles.items() if id_ not in failed})


def _failed(body: Any, batch: set[str]) -> set[str]:
    """Which messages of the batch an answer calls failed."""
    try:
        answer = json.loads(body) if isinstance(body, str) else body
        named = {failure["itemIdentifier"] for failure in (answer or {}).get("batchItemFailures") or []}
    except (AttributeError, KeyError, TypeError, ValueError):
        return batch
    return named if named <= batch else batch


def _create_checked(request: dict[str, Any]) -> Any:
    try:
        _check(request.get("FunctionName", ""), request.get("EventSourceArn", ""))
    except AwsError as error:
        return lambda_svc.error_response_json(error.code, error.message, error.status)
    return _create(request)


def _check(function: str, source: str) -> None:
    queue, (_, config, _) = sqs._queue_by_arn(source), lambda_svc._get_func_record_for_ref(function)
    if queue is None or not config:
        return  # MiniStack says so itself
    visibility, timeout = int(queue["attributes"]["VisibilityTimeout"]), int(config.get("Timeout", 3))
    if visibility < timeout:
        raise AwsError("InvalidParameterValueException", f"Queue visibility timeout: {visibility} seconds is less "
                                                         f"than Function timeout: {timeout} seconds")
    for action in _ACTIONS:
        if not may(config["Role"], f"sqs:{action}", source):
            raise AwsError("InvalidParameterValueException", "The provided execution role does not have permissions "
                                                             f"to call {action} on SQS")
