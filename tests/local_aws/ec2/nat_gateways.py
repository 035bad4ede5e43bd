"""NAT gateways with what they hold: a network interface in their subnet and an Elastic IP."""

from ministack.services import ec2

from . import api, endpoints
from .api import Params, Response

_create = ec2._create_nat_gateway
_delete = ec2._delete_nat_gateway
_describe = ec2._describe_nat_gateways


def create(params: Params) -> Response:
    """CreateNatGateway."""
    subnet, allocation = api.first(params, "SubnetId"), api.first(params, "AllocationId")
    if subnet not in ec2._subnets:
        return api.refuse("InvalidSubnetID.NotFound", f"The subnet ID '{subnet}' does not exist")
    public = (api.first(params, "ConnectivityType") or "public") == "public"
    address = ec2._addresses.get(allocation)
    if public and address is None:
        return api.refuse("InvalidAllocationID.NotFound", f"The allocation ID '{allocation}' does not exist")
    if public and address["AssociationId"]:
        return api.refuse("Resource.AlreadyAssociated", f"Elastic IP address [{allocation}] is already associated")
    vpc = ec2._subnets[subnet]["VpcId"]
    if public and not _has_internet_gateway(vpc):
        return api.refuse("Gateway.NotAttached", f"Network {vpc} has no Internet gateway attached")
    answer = _create(params)
    gateway = ec2._nat_gateways[api.find(answer[2].decode(), "natGatewayId")]
    identity = gateway["NatGatewayId"]
    interface = endpoints.create_interface(subnet, f"Interface for NAT Gateway {identity}", "nat_gateway")
    gateway |= {"NetworkInterfaceId": interface,
                "PrivateIp": ec2._network_interfaces[interface]["PrivateIpAddress"],
                "PublicIp": address["PublicIp"] if public else None}
    if public:
        address |= {"AssociationId": f"eipassoc-{identity.removeprefix('nat-')}", "NetworkInterfaceId": interface,
                    "PrivateIpAddress": gateway["PrivateIp"]}
    return answer


def delete(params: Params) -> Response:
    """DeleteNatGateway: its address is free again, its interface gone."""
    gateway = ec2._nat_gateways.get(api.first(params, "NatGatewayId"))
    answer = _delete(params)
    if gateway is not None:
        ec2._network_interfaces.pop(gateway.get("NetworkInterfaceId", ""), None)
        address = ec2._addresses.get(gateway["AllocationId"])
        if address is not None:
            address |= {"AssociationId": None, "NetworkInterfaceId": None, "PrivateIpAddress": None}
    return answer


def describe(params: Params) -> Response:
    """DescribeNatGateways, with their addresses."""
    status, headers, body = _describe(params)
    text = body.decode()
    for gateway in ec2._nat_gateways.values():
        mark = f"<natGatewayId>{gateway['NatGatewayId']}</natGatewayId>"
        head, found, tail = text.partition(mark)
        if found:
            text = head + found + tail.replace("<natGatewayAddressSet/>", _addresses(gateway), 1)
    return status, headers, text.encode()


def _addresses(gateway: dict) -> str:
    if not gateway.get("PrivateIp"):
        return "<natGatewayAddressSet></natGatewayAddressSet>"
    public = "" if not gateway["PublicIp"] else (
        f"<allocationId>{gateway['AllocationId']}</allocationId><publicIp>{gateway['PublicIp']}</publicIp>")
    return (f"<natGatewayAddressSet><item>{public}<networkInterfaceId>{gateway['NetworkInterfaceId']}"
            f"</networkInterfaceId><privateIp>{gateway['PrivateIp']}</privateIp></item></natGatewayAddressSet>")


def _has_internet_gateway(vpc: str) -> bool:
    return any(attachment["VpcId"] == vpc for gateway in ec2._internet_gateways.values()
               for attachment in gateway["Attachments"])
