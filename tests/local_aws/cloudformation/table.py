"""How a resource type comes into MiniStack's CloudFormation."""

from dataclasses import dataclass
from typing import Any, Callable

from ministack.services.cloudformation import provisioners, stacks

from ..errors import AwsError

Properties = dict[str, Any]
Created = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class ResourceType:
    """A type: its handlers, its create-only properties, and the one that holds a name given by the template.

    `create(logical_id, properties, stack_name)` and `update(physical_id, old, new)` answer the attributes too.
    """

    name: str
    create: Callable[[str, Properties, str], Created]
    delete: Callable[[str, Properties], None]
    update: Callable[[str, Properties, Properties], Created] | None = None
    create_only: tuple[str, ...] = ()
    custom_name: str | None = None
    tagged: bool = False
    waits: bool = False


_waiting: set[str] = set()
_ministack_waits = stacks._runs_on_worker_thread
stacks._runs_on_worker_thread = lambda kind: kind in _waiting or _ministack_waits(kind)


def register(kind: ResourceType) -> None:
    """Enter a type into MiniStack's tables."""
    handlers: dict[str, Any] = {
        "create": reported(kind.create),
        "delete": reported(kind.delete),
    }
    if kind.update is not None:
        update = kind.update
        handlers["update"] = reported(lambda physical_id, old, new, _stack: update(physical_id, old, new))
    provisioners._RESOURCE_HANDLERS[kind.name] = handlers
    provisioners._REPLACING_PROPERTIES[kind.name] = kind.create_only
    if kind.custom_name:
        provisioners._CUSTOM_NAME_REPLACEMENT[kind.name] = {"name": kind.custom_name}
    if kind.tagged:
        provisioners._STACK_TAG_PROPERTY[kind.name] = ("Tags", "list")
    if kind.waits:
        _waiting.add(kind.name)


def guard_delete(type_name: str, check: Callable[[str, Properties], tuple[str, str] | None],
                 before: Callable[[], None] | None = None) -> None:
    """Put a check before the deletion of one of MiniStack's own types."""
    handlers = provisioners._RESOURCE_HANDLERS[type_name]
    original = handlers["delete"]

    def delete(physical_id: str, properties: Properties) -> None:
        if before is not None:
            before()
        failure = check(physical_id, properties)
        if failure:
            raise ValueError(_message(AwsError(*failure)))
        original(physical_id, properties)

    handlers["delete"] = delete


def reported(handler: Callable) -> Callable:
    """The handler with an API's error told as CloudFormation's events tell it."""
    def run(*arguments):
        try:
            return handler(*arguments)
        except AwsError as error:
            raise ValueError(_message(error)) from error
    return run


def _message(error: AwsError) -> str:
    return f'Resource handler returned message: "{error.message}" (HandlerErrorCode: {error.code})'
