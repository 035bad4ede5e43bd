"""AWS::SNS::Topic: MiniStack's own, with the key that it leaves out."""

from ministack.services import sns
from ministack.services.cloudformation import provisioners

from .table import Created, Properties

_KEY = "KmsMasterKeyId"


def complete() -> None:
    """Put the key behind creation and update."""
    handlers = provisioners._RESOURCE_HANDLERS["AWS::SNS::Topic"]
    create, update = handlers["create"], handlers["update"]

    def created(logical_id: str, properties: Properties, stack: str) -> Created:
        return _with_key(create(logical_id, properties, stack), properties)

    def updated(physical_id: str, old: Properties, new: Properties, stack: str, logical_id: str) -> Created:
        return _with_key(update(physical_id, old, new, stack, logical_id), new)

    handlers |= {"create": created, "update": updated}


def _with_key(made: Created, properties: Properties) -> Created:
    attributes = sns._topics[made[0]]["attributes"]
    attributes.pop(_KEY, None)
    if properties.get(_KEY):
        attributes[_KEY] = properties[_KEY]
    return made
