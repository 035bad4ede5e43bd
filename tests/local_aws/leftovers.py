"""`python -m local_aws.leftovers`: every resource in the account, over the services that a stack may touch, as JSON.

What a new account has by itself is left out: the default VPC with its parts, the default bus, the key aliases and
roles of AWS. What AWS keeps for a time after its deletion (stacks, NAT gateways, secrets, keys) counts as gone.
The endpoint and the credentials come from the environment.
"""

import json
import sys
from typing import Any, Callable, Iterator

import boto3
from botocore.config import Config

Row = dict[str, str]
_CONFIG = Config(retries={"max_attempts": 2}, s3={"addressing_style": "path"})


def client(service: str) -> Any:
    """A client by the environment's configuration."""
    return boto3.client(service, config=_CONFIG)


def pages(service: str, operation: str, key: str, **request: Any) -> Iterator[Any]:
    """All rows of a listing, page after page."""
    api = client(service)
    if api.can_paginate(operation):
        for answer in api.get_paginator(operation).paginate(**request):
            yield from answer.get(key) or []
    else:
        yield from getattr(api, operation)(**request).get(key) or []


def networks() -> Iterator[Row]:
    """EC2."""
    default = {vpc["VpcId"] for vpc in pages("ec2", "describe_vpcs", "Vpcs") if vpc["IsDefault"]}

    def rows(kind: str, operation: str, key: str, identity: str, keep: Callable[[Any], bool] = lambda _: True):
        for item in pages("ec2", operation, key):
            attached = {attachment["VpcId"] for attachment in item.get("Attachments", [])}
            if item.get("VpcId") not in default and not attached & default and keep(item):
                yield {"type": kind, "id": item[identity]}

    yield from rows("AWS::EC2::VPC", "describe_vpcs", "Vpcs", "VpcId")
    yield from rows("AWS::EC2::Subnet", "describe_subnets", "Subnets", "SubnetId")
    yield from rows("AWS::EC2::RouteTable", "describe_route_tables", "RouteTables", "RouteTableId")
    yield from rows("AWS::EC2::InternetGateway", "describe_internet_gateways", "InternetGateways", "InternetGatewayId")
    yield from rows("AWS::EC2::NatGateway", "describe_nat_gateways", "NatGateways", "NatGatewayId",
                    lambda item: item["State"] != "deleted")
    yield from rows("AWS::EC2::EIP", "describe_addresses", "Addresses", "AllocationId")
    yield from rows("AWS::EC2::SecurityGroup", "describe_security_groups", "SecurityGroups", "GroupId")
    yield from rows("AWS::EC2::VPCEndpoint", "describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId")
    yield from rows("AWS::EC2::NetworkInterface", "describe_network_interfaces", "NetworkInterfaces",
                    "NetworkInterfaceId")
    yield from rows("AWS::EC2::FlowLog", "describe_flow_logs", "FlowLogs", "FlowLogId")


def roles() -> Iterator[Row]:
    """IAM, without the roles of AWS's own services."""
    for role in pages("iam", "list_roles", "Roles"):
        if not role.get("Path", "/").startswith("/aws-service-role/"):
            yield {"type": "AWS::IAM::Role", "id": role["RoleName"]}
    for policy in pages("iam", "list_policies", "Policies", Scope="Local"):
        yield {"type": "AWS::IAM::ManagedPolicy", "id": policy["Arn"]}


def buses() -> Iterator[Row]:
    """EventBridge: buses but the default one, and the rules on each."""
    for bus in pages("events", "list_event_buses", "EventBuses"):
        if bus["Name"] != "default":
            yield {"type": "AWS::Events::EventBus", "id": bus["Name"]}
        for rule in pages("events", "list_rules", "Rules", EventBusName=bus["Name"]):
            yield {"type": "AWS::Events::Rule", "id": rule["Name"]}


def keys() -> Iterator[Row]:
    """KMS: the account's own keys that nobody has scheduled for deletion, and aliases."""
    kms = client("kms")
    for key in pages("kms", "list_keys", "Keys"):
        about = kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]
        if about.get("KeyManager", "CUSTOMER") == "CUSTOMER" and about["KeyState"] != "PendingDeletion":
            yield {"type": "AWS::KMS::Key", "id": key["KeyId"]}
    for alias in pages("kms", "list_aliases", "Aliases"):
        if not alias["AliasName"].startswith("alias/aws/"):
            yield {"type": "AWS::KMS::Alias", "id": alias["AliasName"]}


def studio() -> Iterator[Row]:
    """SageMaker Studio: domains, and what is in them; of apps, those that keep their owner from going."""
    for domain in pages("sagemaker", "list_domains", "Domains"):
        yield {"type": "AWS::SageMaker::Domain", "id": domain["DomainId"]}
    for profile in pages("sagemaker", "list_user_profiles", "UserProfiles"):
        yield {"type": "AWS::SageMaker::UserProfile", "id": f"{profile['UserProfileName']}|{profile['DomainId']}"}
    for space in pages("sagemaker", "list_spaces", "Spaces"):
        yield {"type": "AWS::SageMaker::Space", "id": f"{space['SpaceName']}|{space['DomainId']}"}
    for app in pages("sagemaker", "list_apps", "Apps"):
        if app["Status"] not in ("Deleted", "Failed"):
            owner = app.get("UserProfileName") or app["SpaceName"]
            yield {"type": "AWS::SageMaker::App", "id": f"{app['AppName']}|{app['AppType']}|{owner}|{app['DomainId']}"}


def simple() -> Iterator[Row]:
    """Services of which every row is the account's own."""
    for kind, service, operation, key, identity in _SIMPLE:
        for item in pages(service, operation, key):
            yield {"type": kind, "id": item[identity] if identity else item}


_SIMPLE = (
    ("AWS::NetworkFirewall::Firewall", "network-firewall", "list_firewalls", "Firewalls", "FirewallArn"),
    ("AWS::NetworkFirewall::FirewallPolicy", "network-firewall", "list_firewall_policies", "FirewallPolicies", "Arn"),
    ("AWS::NetworkFirewall::RuleGroup", "network-firewall", "list_rule_groups", "RuleGroups", "Arn"),
    ("AWS::Lambda::Function", "lambda", "list_functions", "Functions", "FunctionName"),
    ("AWS::Lambda::EventSourceMapping", "lambda", "list_event_source_mappings", "EventSourceMappings", "UUID"),
    ("AWS::DynamoDB::Table", "dynamodb", "list_tables", "TableNames", None),
    ("AWS::CloudWatch::Dashboard", "cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName"),
    ("AWS::Logs::QueryDefinition", "logs", "describe_query_definitions", "queryDefinitions", "name"),
    ("AWS::Logs::LogGroup", "logs", "describe_log_groups", "logGroups", "logGroupName"),
    ("AWS::SNS::Topic", "sns", "list_topics", "Topics", "TopicArn"),
    ("AWS::SQS::Queue", "sqs", "list_queues", "QueueUrls", None),
    ("AWS::SecretsManager::Secret", "secretsmanager", "list_secrets", "SecretList", "ARN"),
    ("AWS::EFS::FileSystem", "efs", "describe_file_systems", "FileSystems", "FileSystemId"),
    ("AWS::S3::Bucket", "s3", "list_buckets", "Buckets", "Name"),
    ("AWS::CloudWatch::Alarm", "cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
    ("AWS::Scheduler::Schedule", "scheduler", "list_schedules", "Schedules", "Name"),
)


def stacks() -> Iterator[Row]:
    """CloudFormation: stacks that are not deleted."""
    for stack in pages("cloudformation", "describe_stacks", "Stacks"):
        if stack["StackStatus"] != "DELETE_COMPLETE":
            yield {"type": "AWS::CloudFormation::Stack", "id": stack["StackName"]}


def everything() -> list[Row]:
    """All that is left."""
    return [row for source in (networks, roles, buses, keys, studio, simple, stacks) for row in source()]


if __name__ == "__main__":
    json.dump(everything(), sys.stdout, indent=1)
    print()
