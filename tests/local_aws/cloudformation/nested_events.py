"""What CloudFormation tells of a nested stack, where MiniStack tells less.

- Its parent names it as soon as it is there ("Resource creation Initiated"), and not at its end only.
- What its parent says of its failure is AWS's sentence, which names the resources that failed and not why: the reasons
  are among its own events.
- The deletion of its resources has events (there were none).
"""

from typing import Any, Callable

from ministack.services import cloudformation
from ministack.services.cloudformation import provisioners, stacks

_TYPE = "AWS::CloudFormation::Stack"
# MiniStack's names of nested stacks: the parent's, the resource's, and so many characters of a UUID.
_SUFFIX = len("-01234567-012")

_add = stacks._add_event


def complete() -> None:
    """Put the events around MiniStack's own."""
    stacks._add_event = _with_its_parents
    handlers = provisioners._RESOURCE_HANDLERS[_TYPE]
    create, update = handlers["create"], handlers["update"]
    handlers["create"] = lambda logical_id, properties, stack: _told(
        lambda: create(logical_id, properties, stack), stack, logical_id, "Embedded stack {} was not successfully "
        "created: The following resource(s) failed to create: [{}]. ")
    handlers["update"] = lambda physical_id, old, new, stack: _told(
        lambda: update(physical_id, old, new, stack), stack, _logical_id(physical_id, stack),
        "Embedded stack {} was not successfully updated. Currently in UPDATE_ROLLBACK_IN_PROGRESS with reason: "
        "The following resource(s) failed to update: [{}]. ")


def deletion(stack: str | None, logical_id: str | None, kind: str, physical_id: str, status: str,
             reason: str = "") -> None:
    """The event of a nested stack's resource."""
    nested = cloudformation._stacks.get(stack or "", {})
    if logical_id and nested.get("ParentId"):
        _add(nested["StackId"], stack, logical_id, kind, status, reason, physical_id)


def _with_its_parents(stack_id: str, stack: str, logical_id: str, kind: str, status: str, reason: str = "",
                      physical_id: str = "", detailed_status: str = "") -> None:
    """An event; behind the first of a nested stack one of its parent's."""
    _add(stack_id, stack, logical_id, kind, status, reason, physical_id, detailed_status)
    nested = cloudformation._stacks.get(stack, {})
    if logical_id == stack and status in ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS") and nested.get("ParentId"):
        parent = nested["_parent_stack_name"]
        initiated = "Resource creation Initiated" if status.startswith("CREATE") else ""
        _add(nested["ParentId"], parent, _logical_id(stack, parent), _TYPE, status, initiated, stack_id)


def _told(run: Callable[[], Any], parent: str, logical_id: str, sentence: str) -> Any:
    try:
        return run()
    except Exception:
        failed = [nested for name, nested in cloudformation._stacks.items()
                  if nested.get("_parent_stack_name") == parent and nested["StackStatus"].endswith("_FAILED")
                  and _logical_id(name, parent) == logical_id]
        last = cloudformation._stack_events[failed[-1]["StackId"]][-1] if failed else {}
        if not last or not last["ResourceStatus"].endswith("_FAILED"):
            raise  # it never came to its resources: a template or parameters that can't be used
        raise ValueError(sentence.format(last["StackId"], last["LogicalResourceId"])) from None


def _logical_id(nested: str, parent: str) -> str:
    """What a nested stack is called in its parent, by its name or its ARN."""
    name = provisioners._nested_stack_lookup_name(nested)
    return name.removeprefix(f"{parent}-")[:-_SUFFIX]
