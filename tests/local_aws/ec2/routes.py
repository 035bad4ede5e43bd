"""Routes to endpoints, and route tables of gateways: MiniStack's CreateRoute makes a local route of the one, and
it knows no association with a gateway."""

import random

from ministack.services import ec2
from ministack.services.cloudformation import provisioners

from . import api
from .api import Params, Response

_DESTINATIONS = provisioners._EC2_ROUTE_DESTINATIONS
_TARGETS = provisioners._EC2_ROUTE_TARGETS


def create(params: Params) -> Response:
    """CreateRoute."""
    return _put("CreateRoute", params, exists=False)


def replace(params: Params) -> Response:
    """ReplaceRoute."""
    return _put("ReplaceRoute", params, exists=True)


def _put(action: str, params: Params, *, exists: bool) -> Response:
    table_id = api.first(params, "RouteTableId")
    table = ec2._route_tables.get(table_id)
    if table is None:
        return api.refuse("InvalidRouteTableID.NotFound", f"The routeTable ID '{table_id}' does not exist")
    properties = {name: api.first(params, name) for name in _DESTINATIONS + _TARGETS if api.first(params, name)}
    destination = next(((name, properties[name]) for name in _DESTINATIONS if name in properties), None)
    if destination is None or not any(name in properties for name in _TARGETS):
        return api.refuse("MissingParameter", "The request must contain a destination and a target")
    if missing := missing_target(properties):
        return api.refuse(*missing)
    name, value = destination
    present = any(route.get(name) == value for route in table["Routes"])
    if present and not exists:
        return api.refuse("RouteAlreadyExists", f"The route identified by {value} already exists.")
    if exists and not present:
        return api.refuse("InvalidRoute.NotFound", f"There is no route defined for '{value}' in the route table.")
    provisioners._ec2_route_put(table, properties, destination)
    return api.answer(action)


def missing_target(properties: dict[str, str]) -> tuple[str, str] | None:
    """The error of a route to an endpoint, NAT gateway or internet gateway that isn't there."""
    stores = (("VpcEndpointId", ec2._vpc_endpoints, "InvalidVpcEndpointId.NotFound", "vpcEndpoint"),
              ("NatGatewayId", ec2._nat_gateways, "InvalidNatGatewayID.NotFound", "natGateway"))
    for name, store, code, kind in stores:
        wanted = properties.get(name)
        if wanted and wanted not in store:
            return code, f"The {kind} ID '{wanted}' does not exist"
    gateway = properties.get("GatewayId", "")
    if gateway.startswith("igw-") and gateway not in ec2._internet_gateways:
        return "InvalidGatewayID.NotFound", f"The gateway ID '{gateway}' does not exist"
    return None


def associate(params: Params) -> Response:
    """AssociateRouteTable, with a gateway too: then it is the gateway's edge table."""
    gateway = api.first(params, "GatewayId")
    if not gateway:
        return _associate_subnet(params)
    table = ec2._route_tables.get(api.first(params, "RouteTableId"))
    if table is None or gateway not in ec2._internet_gateways:
        return api.refuse("InvalidGatewayID.NotFound", f"The gateway ID '{gateway}' does not exist")
    association = f"rtbassoc-{random.getrandbits(68):017x}"
    table["Associations"].append({
        "RouteTableAssociationId": association, "RouteTableId": table["RouteTableId"], "GatewayId": gateway,
        "Main": False, "AssociationState": {"State": "associated"},
    })
    return api.answer("AssociateRouteTable", f"<associationId>{association}</associationId>")


_associate_subnet = ec2._associate_route_table
_table_xml = ec2._rtb_fields_xml


def table_xml(table: dict, tag: str = "item") -> str:
    """A route table with the gateways of its associations."""
    xml = _table_xml(table, tag)
    for association in table.get("Associations", []):
        if association.get("GatewayId"):
            mark = f"<routeTableAssociationId>{association['RouteTableAssociationId']}</routeTableAssociationId>"
            xml = xml.replace(mark, f"{mark}<gatewayId>{association['GatewayId']}</gatewayId>")
    return xml
