"""AWS::SecretsManager::Secret: MiniStack's own, but Ref is the secret's ARN, as on AWS."""

from ministack.services import secretsmanager
from ministack.services.cloudformation import provisioners

from .table import Created, Properties


def complete() -> None:
    """Put the ARN in the name's place as the physical id."""
    handlers = provisioners._RESOURCE_HANDLERS["AWS::SecretsManager::Secret"]
    create, update, delete = handlers["create"], handlers["update"], handlers["delete"]

    def created(logical_id: str, properties: Properties, stack: str) -> Created:
        return _by_arn(create(logical_id, properties, stack))

    def updated(arn: str, old: Properties, new: Properties, stack: str, logical_id: str) -> Created:
        return _by_arn(update(_name(arn), old, new, stack, logical_id))

    handlers |= {"create": created, "update": updated,
                 "delete": lambda arn, properties: delete(_name(arn), properties)}


def _by_arn(made: Created) -> Created:
    arn = secretsmanager._secrets[made[0]]["ARN"]
    return arn, {**made[1], "Id": arn}


def _name(arn: str) -> str:
    found = (name for name, secret in secretsmanager._secrets.items() if secret["ARN"] == arn)
    return next(found, arn)
