"""The resource types of EC2 that MiniStack has not, or not whole."""

from typing import Any

from ministack.services import ec2
from ministack.services.cloudformation import provisioners

from ..ec2 import api, dependencies, descriptions, interfaces, routes
from ..errors import AwsError
from ..going import let_go
from .table import Created, Properties, ResourceType, guard_delete, register, reported


# AWS::EC2::EIP

def _create_address(_logical_id: str, properties: Properties, _stack: str) -> Created:
    answer = api.call("AllocateAddress", Domain=properties.get("Domain", "vpc"))
    allocation, public_ip = api.find(answer, "allocationId"), api.find(answer, "publicIp")
    api.tag(allocation, properties.get("Tags"))
    return public_ip, {"AllocationId": allocation, "PublicIp": public_ip}


def _update_address(public_ip: str, _old: Properties, new: Properties) -> Created:
    allocation = _allocation(public_ip)
    api.tag(allocation, new.get("Tags"))
    return public_ip, {"AllocationId": allocation, "PublicIp": public_ip}


def _delete_address(public_ip: str, _properties: Properties) -> None:
    allocation = _allocation(public_ip)
    if allocation:
        api.call("ReleaseAddress", AllocationId=allocation)


def _allocation(public_ip: str) -> str:
    found = (item["AllocationId"] for item in ec2._addresses.values() if item["PublicIp"] == public_ip)
    return next(found, "")


# AWS::EC2::NatGateway

def _create_nat_gateway(_logical_id: str, properties: Properties, _stack: str) -> Created:
    names = ("SubnetId", "AllocationId", "ConnectivityType")
    answer = api.call("CreateNatGateway", **{name: properties.get(name) for name in names})
    identity = api.find(answer, "natGatewayId")
    api.tag(identity, properties.get("Tags"))
    return identity, _nat_attributes(identity)


def _update_nat_gateway(identity: str, _old: Properties, new: Properties) -> Created:
    api.tag(identity, new.get("Tags"))
    return identity, _nat_attributes(identity)


def _delete_nat_gateway(identity: str, _properties: Properties) -> None:
    if identity in ec2._nat_gateways:
        api.call("DeleteNatGateway", NatGatewayId=identity)


def _nat_attributes(identity: str) -> dict[str, Any]:
    return {"NatGatewayId": identity, "EniId": ec2._nat_gateways[identity]["NetworkInterfaceId"]}


# AWS::EC2::SecurityGroupIngress, AWS::EC2::SecurityGroupEgress

def _rule_handlers(store: str, *, egress: bool):
    """The handlers of a rule in a group of its own; a rule has no id but the one that EC2 computes."""
    def create(_logical_id: str, properties: Properties, _stack: str) -> Created:
        descriptions.check_rules([properties])
        group = _group(properties["GroupId"])
        rule = _rule(properties)
        if any(ec2._rules_match(rule, other) for other in group[store]):
            raise AwsError("AlreadyExists", "the specified rule already exists")
        rule["SecurityGroupRuleId"] = ec2._sg_rule_id(properties["GroupId"], egress, rule)
        group[store].append(rule)
        return rule["SecurityGroupRuleId"], {"Id": rule["SecurityGroupRuleId"]}

    def delete(_physical_id: str, properties: Properties) -> None:
        group = ec2._security_groups.get(properties["GroupId"])
        if group is not None:
            rule = _rule(properties)
            group[store][:] = [other for other in group[store] if not ec2._rules_match(rule, other)]

    return create, delete


def _rule(properties: Properties) -> dict[str, Any]:
    return provisioners._ec2_sg_permissions([properties])[0]


def _group(identity: str) -> dict[str, Any]:
    if identity not in ec2._security_groups:
        raise AwsError("InvalidGroup.NotFound", f"The security group '{identity}' does not exist")
    return ec2._security_groups[identity]


_RULE_PROPERTIES = (
    "GroupId", "GroupName", "IpProtocol", "FromPort", "ToPort", "CidrIp", "CidrIpv6", "SourcePrefixListId",
    "DestinationPrefixListId", "SourceSecurityGroupId", "SourceSecurityGroupName", "SourceSecurityGroupOwnerId",
    "DestinationSecurityGroupId", "Description",
)


# AWS::EC2::SecurityGroup: MiniStack's own, with the check of the descriptions

def _check_descriptions() -> None:
    handlers = provisioners._RESOURCE_HANDLERS["AWS::EC2::SecurityGroup"]

    def check(properties: Properties) -> None:
        descriptions.check_group(properties.get("GroupDescription"))
        for rules in ("SecurityGroupIngress", "SecurityGroupEgress"):
            descriptions.check_rules(properties.get(rules))

    def checked(original, new: int):
        def run(*arguments):
            check(arguments[new])
            return original(*arguments)
        return reported(run)

    handlers |= {"create": checked(handlers["create"], 1), "update": checked(handlers["update"], 2)}


# AWS::EC2::FlowLog

def _create_flow_log(_logical_id: str, properties: Properties, _stack: str) -> Created:
    names = ("ResourceType", "TrafficType", "LogDestinationType", "LogDestination", "LogGroupName")
    answer = api.call("CreateFlowLogs", ResourceId=[properties["ResourceId"]],
                      **{name: properties.get(name) for name in names})
    identity = api.find(api.find(answer, "flowLogIdSet"), "item")
    api.tag(identity, properties.get("Tags"))
    return identity, {"Id": identity}


def _update_flow_log(identity: str, _old: Properties, new: Properties) -> Created:
    api.tag(identity, new.get("Tags"))
    return identity, {"Id": identity}


def _delete_flow_log(identity: str, _properties: Properties) -> None:
    api.call("DeleteFlowLogs", FlowLogId=[identity])


_FLOW_LOG_CREATE_ONLY = (
    "DeliverCrossAccountRole", "DeliverLogsPermissionArn", "DestinationOptions", "LogDestination",
    "LogDestinationType", "LogFormat", "LogGroupName", "MaxAggregationInterval", "ResourceId", "ResourceType",
    "TrafficType",
)


# AWS::EC2::GatewayRouteTableAssociation

def _create_edge(_logical_id: str, properties: Properties, _stack: str) -> Created:
    answer = api.call("AssociateRouteTable", RouteTableId=properties["RouteTableId"], GatewayId=properties["GatewayId"])
    return properties["GatewayId"], {"AssociationId": api.find(answer, "associationId")}


def _update_edge(gateway: str, _old: Properties, new: Properties) -> Created:
    _delete_edge(gateway, {})
    return _create_edge("", new, "")


def _delete_edge(gateway: str, _properties: Properties) -> None:
    for table in ec2._route_tables.values():
        table["Associations"][:] = [item for item in table["Associations"] if item.get("GatewayId") != gateway]


# AWS::EC2::VPCEndpoint and AWS::EC2::Route: MiniStack's own, with what they leave out

def _complete_endpoint() -> None:
    handlers = provisioners._RESOURCE_HANDLERS["AWS::EC2::VPCEndpoint"]
    create, update, delete = handlers["create"], handlers["update"], handlers["delete"]

    def finished(created: Created) -> Created:
        endpoint = ec2._vpc_endpoints[created[0]]
        interfaces.settle_interfaces(endpoint)
        return created[0], provisioners._ec2_vpc_endpoint_attributes(endpoint)

    def released(identity: str, properties: Properties) -> None:
        interfaces.release_interfaces(ec2._vpc_endpoints.get(identity))
        delete(identity, properties)

    handlers["create"] = lambda *arguments: finished(create(*arguments))
    handlers["update"] = lambda *arguments: finished(update(*arguments))
    handlers["delete"] = released


def _check_route_targets() -> None:
    handlers = provisioners._RESOURCE_HANDLERS["AWS::EC2::Route"]
    create = handlers["create"]

    def checked(logical_id: str, properties: Properties, stack: str) -> Created:
        missing = routes.missing_target(properties)
        if missing:
            raise ValueError(f"{missing[1]} (HandlerErrorCode: {missing[0]})")
        return create(logical_id, properties, stack)

    handlers["create"] = checked


def _guard_deletions() -> None:
    """CloudFormation's own deletions go past EC2's actions in MiniStack: the same checks stand before them."""
    by_id = (
        ("AWS::EC2::Subnet", dependencies.subnet),
        ("AWS::EC2::VPC", dependencies.vpc),
        ("AWS::EC2::SecurityGroup", dependencies.security_group),
        ("AWS::EC2::RouteTable", dependencies.route_table),
        ("AWS::EC2::InternetGateway", dependencies.internet_gateway),
    )
    for name, check in by_id:
        guard_delete(name, lambda identity, _properties, check=check: check(identity), before=let_go)
    guard_delete("AWS::EC2::VPCGatewayAttachment",
                 lambda _identity, properties: dependencies.gateway_attachment(properties["VpcId"]))


def register_types() -> None:
    """Enter the types."""
    register(ResourceType("AWS::EC2::EIP", _create_address, _delete_address, _update_address,
                          create_only=("Domain", "NetworkBorderGroup", "TransferAddress", "Address"), tagged=True))
    register(ResourceType("AWS::EC2::NatGateway", _create_nat_gateway, _delete_nat_gateway, _update_nat_gateway,
                          create_only=("SubnetId", "AllocationId", "ConnectivityType", "PrivateIpAddress", "VpcId"),
                          tagged=True))
    for name, store, egress in (("Ingress", "IpPermissions", False), ("Egress", "IpPermissionsEgress", True)):
        create, delete = _rule_handlers(store, egress=egress)
        register(ResourceType(f"AWS::EC2::SecurityGroup{name}", create, delete, create_only=_RULE_PROPERTIES))
    register(ResourceType("AWS::EC2::FlowLog", _create_flow_log, _delete_flow_log, _update_flow_log,
                          create_only=_FLOW_LOG_CREATE_ONLY, tagged=True))
    register(ResourceType("AWS::EC2::GatewayRouteTableAssociation", _create_edge, _delete_edge, _update_edge,
                          create_only=("GatewayId",)))
    _complete_endpoint()
    _check_route_targets()
    _check_descriptions()
    _guard_deletions()
