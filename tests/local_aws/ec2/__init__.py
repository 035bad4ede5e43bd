"""EC2: what MiniStack's networks leave out."""

import functools
from typing import Callable

from ministack.services import ec2

from . import dependencies, descriptions, interfaces, nat_gateways, parameters, routes, rules, security_groups

_OF_SECURITY_GROUPS = (
    "CreateSecurityGroup", "DeleteSecurityGroup", "DescribeSecurityGroups", "DescribeSecurityGroupRules",
    "AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress", "RevokeSecurityGroupIngress",
    "RevokeSecurityGroupEgress", "CreateTags", "DeleteTags", "DescribeNetworkInterfaces",
)


def register(before_networks: Callable[[], None]) -> None:
    """Put the additions into EC2's table; `before_networks` runs before whatever looks at interfaces."""
    ec2._rtb_fields_xml = routes.table_xml
    ec2._sg_xml = security_groups.group_xml
    ec2._sg_rule_xml = rules.rule_xml
    ec2._ACTION_MAP |= {
        "CreateRoute": routes.create,
        "ReplaceRoute": routes.replace,
        "AssociateRouteTable": routes.associate,
        "CreateNatGateway": nat_gateways.create,
        "DeleteNatGateway": nat_gateways.delete,
        "DescribeNatGateways": nat_gateways.describe,
        "DescribeNetworkInterfaces": interfaces.describe_interfaces,
        "DescribeVpcEndpoints": interfaces.describe_endpoints,
        "CreateVpcEndpoint": interfaces.create_endpoint,
        "DeleteVpcEndpoints": interfaces.delete_endpoints,
        "CreateSecurityGroup": security_groups.create,
        "DeleteSecurityGroup": security_groups.delete,
        "DescribeSecurityGroups": security_groups.describe,
        "AuthorizeSecurityGroupIngress": functools.partial(rules.authorize, egress=False),
        "AuthorizeSecurityGroupEgress": functools.partial(rules.authorize, egress=True),
        "RevokeSecurityGroupIngress": functools.partial(rules.revoke, egress=False),
        "RevokeSecurityGroupEgress": functools.partial(rules.revoke, egress=True),
        "CreateTags": security_groups.create_tags,
        "DeleteTags": security_groups.delete_tags,
    }
    descriptions.guard()
    for action, parameter, check in (
        ("DeleteSubnet", "SubnetId", dependencies.subnet),
        ("DeleteVpc", "VpcId", dependencies.vpc),
        ("DeleteSecurityGroup", "GroupId", dependencies.security_group),
        ("DeleteRouteTable", "RouteTableId", dependencies.route_table),
        ("DeleteInternetGateway", "InternetGatewayId", dependencies.internet_gateway),
        ("DetachInternetGateway", "VpcId", dependencies.gateway_attachment),
        ("ReleaseAddress", "AllocationId", dependencies.address),
    ):
        dependencies.guarded(action, parameter, check)
    for action in ("DescribeNetworkInterfaces", "DescribeVpcEndpoints", "DeleteSubnet", "DeleteVpc",
                   "DeleteSecurityGroup"):
        ec2._ACTION_MAP[action] = _after(before_networks, ec2._ACTION_MAP[action])
    parameters.guard(*_OF_SECURITY_GROUPS)


def _after(first: Callable[[], None], action: Callable) -> Callable:
    def both(params):
        first()
        return action(params)
    return both
