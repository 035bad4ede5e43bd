"""Network interfaces and VPC endpoints with filters, and interface endpoints with an interface in each subnet."""

from typing import Any, Iterable

from ministack.services import ec2

from . import api, endpoints
from .api import Params, Response

_create_endpoint = ec2._create_vpc_endpoint
_delete_endpoints = ec2._delete_vpc_endpoints


def describe_interfaces(params: Params) -> Response:
    """DescribeNetworkInterfaces; MiniStack's own takes no filter."""
    items = selected(params, "NetworkInterfaceId", ec2._network_interfaces, _interface_values)
    return api.answer("DescribeNetworkInterfaces",
                      f"<networkInterfaceSet>{''.join(map(ec2._eni_fields_xml, items))}</networkInterfaceSet>")


def describe_endpoints(params: Params) -> Response:
    """DescribeVpcEndpoints; MiniStack's own takes no filter."""
    items = selected(params, "VpcEndpointId", ec2._vpc_endpoints, _endpoint_values)
    return api.answer("DescribeVpcEndpoints",
                      f"<vpcEndpointSet>{''.join(map(ec2._vpce_fields_xml, items))}</vpcEndpointSet>")


def create_endpoint(params: Params) -> Response:
    """CreateVpcEndpoint."""
    answer = _create_endpoint(params)
    endpoint = ec2._vpc_endpoints[api.find(answer[2].decode(), "vpcEndpointId")]
    endpoint["SecurityGroupIds"] = ec2._parse_member_list(params, "SecurityGroupId")
    settle_interfaces(endpoint)
    return answer


def delete_endpoints(params: Params) -> Response:
    """DeleteVpcEndpoints; those of a firewall go with it alone."""
    for identity in ec2._parse_member_list(params, "VpcEndpointId"):
        endpoint = ec2._vpc_endpoints.get(identity)
        if endpoint and endpoint["VpcEndpointType"] == "GatewayLoadBalancer":
            return api.refuse("OperationNotPermitted", f"{identity} is managed by AWS Network Firewall")
        release_interfaces(endpoint)
    return _delete_endpoints(params)


def settle_interfaces(endpoint: dict[str, Any]) -> None:
    """Give an interface endpoint one interface for each of its subnets, no more."""
    if endpoint["VpcEndpointType"] != "Interface":
        return
    release_interfaces(endpoint)
    endpoint["NetworkInterfaceIds"] = [
        endpoints.create_interface(subnet, f"VPC Endpoint Interface {endpoint['VpcEndpointId']}", "vpc_endpoint",
                                   endpoint.get("SecurityGroupIds"))
        for subnet in endpoint["SubnetIds"] if subnet in ec2._subnets
    ]


def release_interfaces(endpoint: dict[str, Any] | None) -> None:
    """Remove an interface endpoint's interfaces."""
    for interface in (endpoint or {}).get("NetworkInterfaceIds", []):
        ec2._network_interfaces.pop(interface, None)


def selected(params: Params, name: str, store: Any, values: Any) -> Iterable[dict[str, Any]]:
    """The items of a store that a request names by `name`, and that all of its filters let through."""
    wanted = ec2._parse_member_list(params, name)
    filters = ec2._parse_filters(params)
    tags = {key: value for key, value in filters.items() if key.startswith("tag")}
    others = {key: value for key, value in filters.items() if key not in tags}
    for identity, item in store.items():
        if wanted and identity not in wanted:
            continue
        known = values(item)
        if any(not _matches(known.get(key), accepted) for key, accepted in others.items()):
            continue
        if ec2._resource_matches_tag_filters(identity, tags):
            yield item


def _matches(known: list[str] | None, accepted: list[str]) -> bool:
    return any(ec2._glob_match(pattern, value) for value in known or [] for pattern in accepted)


def _interface_values(item: dict[str, Any]) -> dict[str, list[str]]:
    address = [item["PrivateIpAddress"]]
    return {
        "network-interface-id": [item["NetworkInterfaceId"]], "subnet-id": [item["SubnetId"]],
        "vpc-id": [item["VpcId"]], "description": [item["Description"]], "status": [item["Status"]],
        "private-ip-address": address, "addresses.private-ip-address": address,
        "interface-type": [item["InterfaceType"]], "availability-zone": [item["AvailabilityZone"]],
        "group-id": [group["GroupId"] for group in item["Groups"]],
    }


def _endpoint_values(item: dict[str, Any]) -> dict[str, list[str]]:
    return {
        "vpc-endpoint-id": [item["VpcEndpointId"]], "vpc-id": [item["VpcId"]],
        "vpc-endpoint-type": [item["VpcEndpointType"]], "service-name": [item["ServiceName"]],
        "vpc-endpoint-state": [item["State"]],
    }
