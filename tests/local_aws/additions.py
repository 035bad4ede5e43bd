"""All that is added to MiniStack, in one list."""

from . import (
    bus_policies, cloudformation, custom_resources, ec2, efs, event_source_mappings, execution_roles, function_logs,
    iam, network_firewall, query_definitions, queues, rule_targets, sagemaker, schedules, security_hub, transport,
)
from .going import let_go


def register(minute: float) -> None:
    """Enter the additions into MiniStack's tables, before it serves; `minute` is how long a schedule's takes."""
    network_firewall.SERVICE.register(network_firewall.resource_arn)
    sagemaker.SERVICE.register(sagemaker.resource_arn)
    security_hub.register()
    ec2.register(before_networks=let_go)
    efs.register()
    cloudformation.register()
    iam.register()
    bus_policies.register()
    custom_resources.register()
    execution_roles.register()
    function_logs.register()
    schedules.register(minute)
    rule_targets.register()
    queues.register()
    query_definitions.register()
    event_source_mappings.register()
    transport.register()
