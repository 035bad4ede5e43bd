"""Firewalls: their operations, their endpoints, and what they say about being in sync."""

from typing import Any

from .. import clock, service
from ..ec2 import endpoints
from . import policies
from .state import (Attachment, AwsError, Firewall, check_new, check_token, firewalls, invalid, not_found, rule_groups)

Request = dict[str, Any]

# The API initialises all of them to TRUE (botocore, shape Firewall).
PROTECTIONS = ("DeleteProtection", "SubnetChangeProtection", "FirewallPolicyChangeProtection")
_KEPT = ("EncryptionConfiguration", "EnabledAnalysisTypes")


def create(request: Request) -> Request:
    """CreateFirewall in a VPC's subnets."""
    name, vpc, mappings = request["FirewallName"], request.get("VpcId"), request.get("SubnetMappings")
    if not vpc or not mappings:
        raise invalid("VpcId and SubnetMappings must be provided; other kinds of firewalls are not part of "
                      "the local AWS")
    policy = policies.find({"FirewallPolicyArn": request["FirewallPolicyArn"]})
    firewall = Firewall(
        arn=arn(name), name=name, tags=request.get("Tags", []), description=request.get("Description"), vpc=vpc,
        policy_arn=policy.arn, protections={key: request.get(key, True) for key in PROTECTIONS},
        extras={key: request[key] for key in _KEPT if key in request},
    )
    purge()
    check_new(firewalls, firewall.arn)
    firewall.policy_since = firewall.created_at
    _attach(firewall, mappings)
    firewalls[firewall.arn] = firewall
    return _description(firewall)


def describe(request: Request) -> Request:
    """DescribeFirewall."""
    firewall = find(request)
    return {"UpdateToken": firewall.token, **_description(firewall)}


def describe_metadata(request: Request) -> Request:
    """DescribeFirewallMetadata."""
    firewall = find(request)
    zones = {zone: {"IPAddressType": "IPV4"} for zone in firewall.attachments}
    return {"FirewallArn": firewall.arn, "FirewallPolicyArn": firewall.policy_arn, "Status": _status(firewall),
            "Description": firewall.description, "SupportedAvailabilityZones": zones}


def delete(request: Request) -> Request:
    """DeleteFirewall: refused under protection, with logging on, and while a route leads to an endpoint."""
    firewall = find(request)
    if firewall.protections["DeleteProtection"]:
        raise _refused("Unable to delete the firewall because delete protection is enabled")
    if firewall.logging is not None:
        raise _refused("Unable to delete the firewall because it has a logging configuration")
    for attachment in firewall.attachments.values():
        if endpoints.has_route(attachment.endpoint):
            raise _refused(f"Unable to delete the firewall because a route leads to {attachment.endpoint}")
    firewall.deleted_at = clock.now()
    return _description(firewall)


def list_all(request: Request) -> Request:
    """ListFirewalls, of all VPCs or of some."""
    purge()
    vpcs = request.get("VpcIds")
    rows = [{"FirewallName": firewall.name, "FirewallArn": firewall.arn} for firewall in firewalls.values()
            if not vpcs or firewall.vpc in vpcs]
    rows, token = service.page(rows, request)
    return {"Firewalls": rows, "NextToken": token}


def associate_subnets(request: Request) -> Request:
    """AssociateSubnets."""
    firewall = _for_change(request, "SubnetChangeProtection")
    _attach(firewall, request["SubnetMappings"])
    firewall.changed()
    return _answer(firewall, SubnetMappings=firewall.mappings)


def disassociate_subnets(request: Request) -> Request:
    """DisassociateSubnets."""
    firewall = _for_change(request, "SubnetChangeProtection")
    for subnet in request["SubnetIds"]:
        found = [item for item in firewall.attachments.values() if item.subnet == subnet]
        if not found:
            raise invalid(f"SubnetId is not associated, parameter: [{subnet}], context: SubnetIds")
        if len(firewall.attachments) == 1:
            raise invalid("SubnetIds cannot be all of the firewall's subnets, context: SubnetIds")
        if endpoints.has_route(found[0].endpoint):
            raise _refused(f"Unable to remove the subnet because a route leads to {found[0].endpoint}")
        _detach(firewall, found[0].zone)
    firewall.changed()
    return _answer(firewall, SubnetMappings=firewall.mappings)


def associate_policy(request: Request) -> Request:
    """AssociateFirewallPolicy."""
    firewall = _for_change(request, "FirewallPolicyChangeProtection")
    firewall.policy_arn = policies.find({"FirewallPolicyArn": request["FirewallPolicyArn"]}).arn
    firewall.policy_since = clock.now()
    firewall.changed()
    return _answer(firewall, FirewallPolicyArn=firewall.policy_arn)


def update_description(request: Request) -> Request:
    """UpdateFirewallDescription."""
    firewall = _for_change(request, None)
    firewall.description = request.get("Description")
    firewall.changed()
    return _answer(firewall, Description=firewall.description)


def update_protection(name: str):
    """The operation that switches one protection."""
    def operation(request: Request) -> Request:
        firewall = _for_change(request, None)
        firewall.protections[name] = request[name]
        firewall.changed()
        return _answer(firewall, **{name: request[name]})
    return operation


def arn(name: str) -> str:
    """A firewall's ARN."""
    return service.arn("network-firewall", f"firewall/{name}")


def find(request: Request) -> Firewall:
    """The firewall that a request names."""
    purge()
    if "FirewallArn" not in request and "FirewallName" not in request:
        raise invalid("FirewallArn or FirewallName must be provided")
    wanted = request.get("FirewallArn") or arn(request["FirewallName"])
    firewall = firewalls.get(wanted)
    if firewall is None:
        raise not_found(wanted)
    return firewall


def purge() -> None:
    """Let go of the firewalls whose deletion is over, and of their endpoints."""
    for firewall in firewalls.values():
        if firewall.deleted_at is not None and clock.settled(firewall.deleted_at):
            for zone in list(firewall.attachments):
                _detach(firewall, zone)
            del firewalls[firewall.arn]


def _for_change(request: Request, protection: str | None) -> Firewall:
    firewall = find(request)
    check_token(firewall, request, required=False)
    if firewall.deleted_at is not None:
        raise _refused("Unable to change the firewall because it is being deleted")
    if protection and firewall.protections[protection]:
        raise _refused(f"Unable to change the firewall because {protection} is enabled")
    return firewall


def _attach(firewall: Firewall, mappings: list[dict[str, str]]) -> None:
    zones: dict[str, str] = {}
    for index, mapping in enumerate(mappings):
        subnet = endpoints.subnet(mapping["SubnetId"])
        if subnet is None or subnet["VpcId"] != firewall.vpc:
            raise invalid(f"SubnetId does not exist in the VPC, parameter: [{mapping['SubnetId']}], "
                          f"context: SubnetMappings[{index}].SubnetId")
        zone = subnet["AvailabilityZone"]
        if zone in zones or zone in firewall.attachments:
            raise invalid(f"SubnetMappings must have one subnet for each Availability Zone, parameter: [{zone}], "
                          f"context: SubnetMappings[{index}]")
        zones[zone] = mapping["SubnetId"]
    for zone, subnet_id in zones.items():
        endpoint, interface = endpoints.create(subnet_id, firewall.arn)
        firewall.attachments[zone] = Attachment(subnet_id, zone, endpoint, interface, clock.now())
    firewall.mappings = firewall.mappings + [{"IPAddressType": "IPV4", **mapping} for mapping in mappings]


def _detach(firewall: Firewall, zone: str) -> None:
    attachment = firewall.attachments.pop(zone)
    endpoints.delete(attachment.endpoint, attachment.interface)
    firewall.mappings = [mapping for mapping in firewall.mappings if mapping["SubnetId"] != attachment.subnet]


def _status(firewall: Firewall) -> str:
    if firewall.deleted_at is not None:
        return "DELETING"
    return "READY" if clock.settled(firewall.created_at) else "PROVISIONING"


def _description(firewall: Firewall) -> Request:
    states = sync_states(firewall)
    in_sync = all(entry["SyncStatus"] == "IN_SYNC" for state in states.values() for entry in state["Config"].values())
    content = {
        "FirewallName": firewall.name, "FirewallArn": firewall.arn, "FirewallPolicyArn": firewall.policy_arn,
        "VpcId": firewall.vpc, "SubnetMappings": firewall.mappings, "FirewallId": firewall.id,
        "Description": firewall.description, "Tags": firewall.tags or None, **firewall.protections, **firewall.extras,
    }
    status = {"Status": _status(firewall), "ConfigurationSyncStateSummary": "IN_SYNC" if in_sync else "PENDING",
              "SyncStates": states}
    return {"Firewall": {key: value for key, value in content.items() if value is not None}, "FirewallStatus": status}


def sync_states(firewall: Firewall) -> Request:
    """For each zone its endpoint, and for each object of the configuration its version and whether it is there.

    Zones take over a change one after another, as on AWS ("normally within minutes", with inconsistency between
    endpoints): whoever looks at one zone only is found out.
    """
    policy = policies.find({"FirewallPolicyArn": firewall.policy_arn})
    groups = [rule_groups[group] for group in policy.group_arns() if group in rule_groups]
    states = {}
    for index, zone in enumerate(sorted(firewall.attachments)):
        attachment = firewall.attachments[zone]
        start = max(firewall.policy_since, attachment.since)
        since = {policy.arn: (policy.token, max(start, policy.changed_at))}
        for group in groups:
            since[group.arn] = (group.token, max(start, group.changed_at, policy.referenced_at[group.arn]))
        config = {
            key: {"SyncStatus": "IN_SYNC" if clock.settled(when, 1 + index / 2) else "PENDING", "UpdateToken": token}
            for key, (token, when) in since.items()
        }
        states[zone] = {"Attachment": _attachment_state(firewall, attachment), "Config": config}
    return states


def _attachment_state(firewall: Firewall, attachment: Attachment) -> Request:
    if firewall.deleted_at is not None:
        return {"SubnetId": attachment.subnet, "EndpointId": attachment.endpoint, "Status": "DELETING"}
    if not clock.settled(max(firewall.created_at, attachment.since)):
        return {"SubnetId": attachment.subnet, "Status": "CREATING"}
    return {"SubnetId": attachment.subnet, "EndpointId": attachment.endpoint, "Status": "READY"}


def _answer(firewall: Firewall, **more: Any) -> Request:
    return {"FirewallArn": firewall.arn, "FirewallName": firewall.name, "UpdateToken": firewall.token, **more}


def _refused(message: str) -> AwsError:
    return AwsError("InvalidOperationException", message)
