"""AWS::CloudFormation::Stack: MiniStack's own, with four repairs.

- In an update, a resource that doesn't change keeps its attributes (they got lost, so that `Fn::GetAtt` failed).
- In an update, what is replaced is deleted when the nested stack is updated: it was deleted at once, while others
  still referred to it, and a custom resource's former id was never deleted. (AWS deletes after the whole update.)
- A nested stack whose creation fails takes back what it had created (it stayed).
- A nested stack with a resource that can't be deleted fails (the failure was only logged, the resource forgotten).
"""

import contextvars
import logging
from typing import Any

from ministack.services import cloudformation
from ministack.services.cloudformation import provisioners

from . import nested_events
from .table import Created, Properties

logger = logging.getLogger("local_aws")

_provision = provisioners._provision_resource
_update = provisioners._update_resource
_delete = provisioners._delete_resource
_TYPE = "AWS::CloudFormation::Stack"

# By stack and logical id; the top level keeps its own.
_attributes: dict[tuple[str, str], dict[str, Any]] = {}
# What an update of a nested stack, or of one inside it, has replaced: (function, arguments, keywords).
_replaced: contextvars.ContextVar[list[Any] | None] = contextvars.ContextVar("replaced", default=None)
# What could not be deleted, by stack.
_stuck: dict[str, dict[str, str]] = {}


def complete() -> None:
    """Put the repairs around the functions that nested stacks call."""
    nested_events.complete()
    provisioners._provision_resource = _remembering_provision
    provisioners._update_resource = _remembering_update
    provisioners._delete_resource = _remembering_delete
    handlers = provisioners._RESOURCE_HANDLERS[_TYPE]
    create, update, delete = handlers["create"], handlers["update"], handlers["delete"]
    handlers["update"] = lambda *arguments: _update_and_clean_up(update, *arguments)
    handlers["create"] = lambda logical_id, properties, stack: _create(create, delete, logical_id, properties, stack)
    handlers["delete"] = lambda physical_id, properties: _delete_whole(delete, physical_id, properties)


def _remembering_provision(kind: str, logical_id: str, properties: Properties, stack: str) -> Created:
    made = _provision(kind, logical_id, properties, stack)
    _attributes[stack, logical_id] = made[1]
    return made


def _remembering_update(kind: str, physical_id: str, old: Properties, new: Properties, stack: str,
                        logical_id: str | None = None, old_attrs: dict[str, Any] | None = None) -> Created:
    key = (stack, logical_id or physical_id)
    queue = _replaced.get()
    if queue is None:
        made = _update(kind, physical_id, old, new, stack, logical_id, old_attrs or _attributes.get(key))
    else:
        before = len(queue)
        token = provisioners._DEFERRED_PREDECESSOR_DELETES.set(queue)
        try:
            made = _update(kind, physical_id, old, new, stack, logical_id, old_attrs or _attributes.get(key))
        finally:
            provisioners._DEFERRED_PREDECESSOR_DELETES.reset(token)
        if made[0] != physical_id and len(queue) == before and not provisioners._RETAIN_REPLACED.get():
            queue.append((_remembering_delete, (kind, physical_id, old, stack, logical_id), {}))
    _attributes[key] = made[1]
    return made


def _update_and_clean_up(update: Any, *arguments: Any) -> Created:
    """An update of a nested stack; the outermost one cleans up."""
    if _replaced.get() is not None:
        return update(*arguments)
    queue: list[Any] = []
    token = _replaced.set(queue)
    try:
        made = update(*arguments)
    finally:
        _replaced.reset(token)
    for function, positional, keywords in reversed(queue):
        try:
            function(*positional, **keywords)
        except Exception as error:  # as in MiniStack's own cleanup, the update is done by now
            logger.error("what was replaced can't be deleted: %s: %s", positional, error)
    return made


def _remembering_delete(kind: str, physical_id: str, properties: Properties, stack: str | None = None,
                        logical_id: str | None = None) -> None:
    nested_events.deletion(stack, logical_id, kind, physical_id, "DELETE_IN_PROGRESS")
    try:
        _delete(kind, physical_id, properties, stack, logical_id)
    except Exception as error:
        nested_events.deletion(stack, logical_id, kind, physical_id, "DELETE_FAILED", str(error))
        if stack and logical_id:
            _stuck.setdefault(stack, {})[logical_id] = str(error)
        raise
    nested_events.deletion(stack, logical_id, kind, physical_id, "DELETE_COMPLETE")


def _create(create: Any, delete: Any, logical_id: str, properties: Properties, stack: str) -> Created:
    try:
        return create(logical_id, properties, stack)
    except Exception:
        for name, child in cloudformation._stacks.items():
            if name.startswith(f"{stack}-{logical_id}-") and child["StackStatus"] == "CREATE_FAILED":
                _delete_whole(delete, name, properties)
        raise


def _delete_whole(delete: Any, physical_id: str, properties: Properties) -> None:
    name = provisioners._nested_stack_lookup_name(physical_id)
    child = cloudformation._stacks.get(name, {})
    resources = dict(child.get("_resources", {}))
    _stuck.pop(name, None)
    delete(physical_id, properties)
    if stuck := _stuck.pop(name, None):
        reason = f"The following resource(s) failed to delete: [{', '.join(stuck)}]. "
        child["_resources"] = {logical_id: resources[logical_id] for logical_id in stuck}
        child["StackStatus"], child["StackStatusReason"] = "DELETE_FAILED", reason
        raise ValueError(f"Embedded stack {child['StackId']} was not successfully deleted: {reason}")
