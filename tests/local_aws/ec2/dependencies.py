"""What can't be deleted while something is in it: MiniStack lets nearly everything go.

Codes and messages as in EC2 (DependencyViolation and its like).
"""

from typing import Callable

from ministack.services import ec2

from . import api
from .api import Params, Response

Check = Callable[[str], tuple[str, str] | None]


def subnet(subnet_id: str) -> tuple[str, str] | None:
    """A subnet with a network interface in it: of a firewall endpoint, a NAT gateway, an interface endpoint ..."""
    if any(item["SubnetId"] == subnet_id for item in ec2._network_interfaces.values()):
        return _violation(f"The subnet '{subnet_id}' has dependencies and cannot be deleted.")
    return None


def vpc(vpc_id: str) -> tuple[str, str] | None:
    """A VPC with an interface, an endpoint, or a route table of its own."""
    tables = [table for table in ec2._route_tables.values()
              if table["VpcId"] == vpc_id and not any(item.get("Main") for item in table["Associations"])]
    inside = [item for store in (ec2._network_interfaces, ec2._vpc_endpoints) for item in store.values()
              if item["VpcId"] == vpc_id]
    if tables or inside:
        return _violation(f"The vpc '{vpc_id}' has dependencies and cannot be deleted.")
    return None


def security_group(group_id: str) -> tuple[str, str] | None:
    """A security group on an interface, or named by a rule of another group."""
    held = any(group["GroupId"] == group_id for item in ec2._network_interfaces.values() for group in item["Groups"])
    named = any(
        pair.get("GroupId") == group_id
        for other in ec2._security_groups.values() if other["GroupId"] != group_id
        for rules in (other["IpPermissions"], other["IpPermissionsEgress"]) for rule in rules
        for pair in rule.get("UserIdGroupPairs", [])
    )
    return _violation(f"resource {group_id} has a dependent object") if held or named else None


def route_table(table_id: str) -> tuple[str, str] | None:
    """A route table that a subnet or a gateway uses."""
    table = ec2._route_tables.get(table_id)
    if table and any(not item.get("Main") for item in table["Associations"]):
        return _violation(f"The routeTable '{table_id}' has dependencies and cannot be deleted.")
    return None


def internet_gateway(gateway_id: str) -> tuple[str, str] | None:
    """An attached internet gateway, or one that a route leads to."""
    gateway = ec2._internet_gateways.get(gateway_id)
    if gateway and gateway["Attachments"]:
        return _violation(f"The internetGateway '{gateway_id}' has dependencies and cannot be deleted.")
    return None


def gateway_attachment(vpc_id: str) -> tuple[str, str] | None:
    """A VPC in which something still has a public address."""
    subnets = {item["SubnetId"] for item in ec2._subnets.values() if item["VpcId"] == vpc_id}
    interfaces = {key for key, item in ec2._network_interfaces.items() if item["SubnetId"] in subnets}
    if any(address["NetworkInterfaceId"] in interfaces for address in ec2._addresses.values()):
        return _violation(f"Network {vpc_id} has some mapped public address(es). Please unmap those public "
                          "address(es) before detaching the gateway.")
    return None


def address(allocation_id: str) -> tuple[str, str] | None:
    """An Elastic IP that is in use."""
    record = ec2._addresses.get(allocation_id)
    if record and record["AssociationId"]:
        return "InvalidIPAddress.InUse", f"Address {record['PublicIp']} is in use."
    return None


def guarded(action: str, parameter: str, check: Check) -> None:
    """Put a check before one of MiniStack's actions."""
    original = ec2._ACTION_MAP[action]

    def guard(params: Params) -> Response:
        failure = check(api.first(params, parameter))
        return api.refuse(*failure) if failure else original(params)

    ec2._ACTION_MAP[action] = guard


def _violation(message: str) -> tuple[str, str]:
    return "DependencyViolation", message
