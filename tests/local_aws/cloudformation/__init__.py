"""CloudFormation: the resource types that MiniStack has not, or not whole."""

from . import dynamodb, ec2, events, nested_stacks, network_firewall, s3, sagemaker, secrets, sns


def register() -> None:
    """Enter all types into MiniStack's tables."""
    ec2.register_types()
    events.register_types()
    network_firewall.register_types()
    sagemaker.register_types()
    nested_stacks.complete()
    dynamodb.complete()
    s3.complete()
    secrets.complete()
    sns.complete()
