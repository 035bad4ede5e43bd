"""SQS, where MiniStack does otherwise.

- One thing is done to a queue at a time: event source mappings work on threads of their own, and a message that
  was sent meanwhile got lost, or one that was deleted came back.
- A message in FIFO dead letters has its own id as its deduplication id (SQS Developer Guide, "Learn how to configure
  a dead-letter queue redrive").
- A queue and its dead letters are of one kind, and a `RedriveAllowPolicy` is obeyed (SQS Developer Guide, "Using
  dead-letter queues").
"""

import asyncio
import functools
import json
import threading
from typing import Any, Callable

from ministack.services import sqs
from ministack.services.cloudformation import provisioners

from .cloudformation.table import Created, Properties, reported
from .errors import AwsError

_sweep = sqs._dlq_sweep


def register() -> None:
    """Put the lock around what changes queues, and the checks behind their creation."""
    # The same thread takes it again: a batch sends messages one by one.
    lock = sqs._queues_lock = threading.RLock()

    def locked(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def run(*arguments: Any) -> Any:
            with lock:
                return function(*arguments)
        return run

    sqs._dlq_sweep = locked(_sweep_to_fifo)
    for name in ("_expire_retained", "_collect_msgs", "_act_send_message", "_refresh_counts"):
        setattr(sqs, name, locked(getattr(sqs, name)))
    for action, handler in sqs._HANDLERS.items():
        # ReceiveMessage waits, and so takes the lock in its parts.
        if not asyncio.iscoroutinefunction(handler):
            sqs._HANDLERS[action] = locked(handler)
    _check_redrive_policies()


def _sweep_to_fifo(queue: dict[str, Any]) -> None:
    _sweep(queue)
    target = _dead_letters(queue)
    for message in target["messages"] if target and target["is_fifo"] else ():
        message["dedup_id"] = message["id"]


def _dead_letters(queue: dict[str, Any]) -> dict[str, Any] | None:
    policy = json.loads(queue["attributes"].get("RedrivePolicy") or "{}")
    return sqs._queue_by_arn(policy.get("deadLetterTargetArn", ""))


def _check_redrive_policies() -> None:
    handlers = provisioners._RESOURCE_HANDLERS["AWS::SQS::Queue"]
    create, update, delete = handlers["create"], handlers["update"], handlers["delete"]

    def created(logical_id: str, properties: Properties, stack: str) -> Created:
        made = create(logical_id, properties, stack)
        try:
            _check(sqs._queues[made[0]])
        except AwsError:
            delete(made[0], properties)
            raise
        return made

    def updated(physical_id: str, old: Properties, new: Properties, stack: str, logical_id: str) -> Created:
        made = update(physical_id, old, new, stack, logical_id)
        _check(sqs._queues[made[0]])
        return made

    handlers |= {"create": reported(created), "update": reported(updated)}


def _check(queue: dict[str, Any]) -> None:
    target = _dead_letters(queue)
    if target is None:
        return
    if target["is_fifo"] != queue["is_fifo"]:
        raise AwsError("InvalidParameterValue", "Dead-letter target must be same type of queue as the source.")
    allowed = json.loads(target["attributes"].get("RedriveAllowPolicy") or '{"redrivePermission": "allowAll"}')
    by_queue = queue["attributes"]["QueueArn"] in allowed.get("sourceQueueArns", [])
    if allowed["redrivePermission"] != "allowAll" and not by_queue:
        raise AwsError("InvalidParameterValue",
                       f"Dead-letter target {target['name']} doesn't allow {queue['name']} as its source.")
