"""EC2: what MiniStack's networks leave out."""

from typing import Callable

from ministack.services import ec2

from . import dependencies, descriptions, interfaces, nat_gateways, routes


def register(before_networks: Callable[[], None]) -> None:
    """Put the additions into EC2's table; `before_networks` runs before whatever looks at interfaces."""
    ec2._rtb_fields_xml = routes.table_xml
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


def _after(first: Callable[[], None], action: Callable) -> Callable:
    def both(params):
        first()
        return action(params)
    return both
