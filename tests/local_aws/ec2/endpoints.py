"""A firewall's endpoints, as EC2 shows them: a VPC endpoint and its network interface."""

import ipaddress
import random
from typing import Any

from ministack.core.responses import get_account_id, get_region, now_iso
from ministack.services import ec2


# The number of the address in its subnet that the first app gets.
NOTEBOOK = 10


def subnet(subnet_id: str) -> dict[str, Any] | None:
    """MiniStack's record of a subnet."""
    return ec2._subnets.get(subnet_id)


def create(subnet_id: str, firewall_arn: str) -> tuple[str, str]:
    """A Gateway Load Balancer endpoint in a subnet; the ids of it and of its interface."""
    record = ec2._subnets[subnet_id]
    endpoint_id = f"vpce-{_hex()}"
    interface_id = create_interface(subnet_id, f"VPC Endpoint Interface {endpoint_id}",
                                    "gateway_load_balancer_endpoint")
    ec2._vpc_endpoints[endpoint_id] = {
        "VpcEndpointId": endpoint_id, "VpcEndpointType": "GatewayLoadBalancer", "VpcId": record["VpcId"],
        "ServiceName": f"com.amazonaws.vpce.{get_region()}.vpce-svc-{_hex()}", "State": "available",
        "RouteTableIds": [], "SubnetIds": [subnet_id], "SecurityGroupIds": [],
        "NetworkInterfaceIds": [interface_id], "DnsEntries": [], "PrivateDnsEnabled": False, "PolicyDocument": None,
        "OwnerId": get_account_id(), "CreationTimestamp": now_iso(),
    }
    ec2._tags[endpoint_id] = [{"Key": "AWSNetworkFirewallManaged", "Value": "true"},
                              {"Key": "Firewall", "Value": firewall_arn}]
    return endpoint_id, interface_id


def delete(endpoint_id: str, interface_id: str) -> None:
    """Remove what `create` made."""
    ec2._vpc_endpoints.pop(endpoint_id, None)
    ec2._tags.pop(endpoint_id, None)
    ec2._network_interfaces.pop(interface_id, None)


def has_route(endpoint_id: str) -> bool:
    """Whether a route table leads to the endpoint."""
    return any(endpoint_id in (route.get("VpcEndpointId"), route.get("GatewayId"))
               for table in ec2._route_tables.values() for route in table["Routes"])


def create_interface(subnet_id: str, description: str, kind: str, groups: list[str] | None = None,
                     first: int = 4) -> str:
    """A network interface that a service made and attached, with a free address of its subnet, the `first` if it is."""
    record = ec2._subnets[subnet_id]
    interface_id = f"eni-{_hex()}"
    ec2._network_interfaces[interface_id] = {
        "NetworkInterfaceId": interface_id, "SubnetId": subnet_id, "VpcId": record["VpcId"],
        "AvailabilityZone": record["AvailabilityZone"], "Description": description, "OwnerId": get_account_id(),
        "Status": "in-use", "PrivateIpAddress": _free_address(subnet_id, record["CidrBlock"], first), "InterfaceType": kind,
        "SourceDestCheck": kind == "interface",
        "MacAddress": ":".join(f"{random.randrange(256):02x}" for _ in range(6)),
        "Groups": [{"GroupId": group, "GroupName": ec2._security_groups.get(group, {}).get("GroupName", group)}
                   for group in groups or []],
        "Attachment": {"AttachmentId": f"eni-attach-{_hex()}", "DeviceIndex": 1, "Status": "attached",
                       "AttachTime": ec2._now_ts()},
    }
    return interface_id


def _free_address(subnet_id: str, cidr: str, first: int) -> str:
    """A free address of a subnet: the one with the number `first`, or else the next that is neither taken, nor one of the
    four that AWS keeps, nor the tenth, at which the firewall lab's notebook is."""
    taken = {item["PrivateIpAddress"] for item in ec2._network_interfaces.values() if item["SubnetId"] == subnet_id}
    network = ipaddress.ip_network(cidr)
    others = [host for host in list(network.hosts())[3:] if host != network[NOTEBOOK]]
    return next(str(host) for host in [network[first], *others] if str(host) not in taken)


def _hex() -> str:
    return f"{random.getrandbits(68):017x}"
