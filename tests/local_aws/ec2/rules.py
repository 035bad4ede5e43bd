"""The rules of security groups, where MiniStack does otherwise (API reference of the actions).

- A rule has one peer and an id of its own: MiniStack makes one of all the peers of a permission, by their content.
- A rule that is there already is refused, and all the others of the request with it; so is one that names a group that
  isn't there, a malformed CIDR block, or no port where the protocol has ports.
- What isn't there is not revoked, but in a default VPC.
"""

import ipaddress
import random
from typing import Any, Iterator

from ministack.services import ec2

from ..errors import AwsError
from . import api
from .api import Params, Response

Rule = dict[str, Any]

_PEERS = (("IpRanges", "CidrIp"), ("Ipv6Ranges", "CidrIpv6"), ("PrefixListIds", "PrefixListId"),
          ("UserIdGroupPairs", "GroupId"))
_PROTOCOLS = {"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6"}
_STORES = {False: ("IpPermissions", "Ingress"), True: ("IpPermissionsEgress", "Egress")}

_rule_xml = ec2._sg_rule_xml


def authorize(params: Params, *, egress: bool) -> Response:
    """AuthorizeSecurityGroupIngress and -Egress."""
    store, direction = _STORES[egress]
    try:
        group = _group(api.first(params, "GroupId"))
        wanted = _requested(params)
        _check_new(wanted, _singles(group[store]))
    except AwsError as error:
        return api.refuse(error.code, error.message)
    if refusal := refused_tags(params, "security-group-rule"):
        return refusal
    for rule in wanted:
        rule["SecurityGroupRuleId"] = f"sgr-{random.getrandbits(68):017x}"
        api.tag(rule["SecurityGroupRuleId"], ec2._sg_rule_tag_specifications(params))
    group[store] = [*group[store], *wanted]
    rows = "".join(rule_xml(group["GroupId"], rule, egress) for rule in wanted)
    return api.answer(f"AuthorizeSecurityGroup{direction}",
                      f"<return>true</return><securityGroupRuleSet>{rows}</securityGroupRuleSet>")


def revoke(params: Params, *, egress: bool) -> Response:
    """RevokeSecurityGroupIngress and -Egress, by ids or by properties."""
    store, direction = _STORES[egress]
    try:
        group = _group(api.first(params, "GroupId"))
        group[store] = _singles(group[store])
        if ids := ec2._parse_member_list(params, "SecurityGroupRuleId"):
            gone, refusal = ec2._revoke_sg_rules_by_id(group, group["GroupId"], ids, egress)
            if refusal:
                return refusal
        else:
            gone = _take(group, store, {_key(rule) for rule in _requested(params)})
    except AwsError as error:
        return api.refuse(error.code, error.message)
    rows = "".join(ec2._revoked_sg_rule_xml(group["GroupId"], rule, egress) for rule in gone)
    return api.answer(f"RevokeSecurityGroup{direction}",
                      f"<return>true</return><revokedSecurityGroupRuleSet>{rows}</revokedSecurityGroupRuleSet>")


def merged(rules: list[Rule]) -> list[Rule]:
    """Rules as a group's description has them: those of one protocol and port together."""
    permissions: dict[Any, Rule] = {}
    for rule in rules:
        whole = permissions.setdefault((rule["IpProtocol"], rule.get("FromPort"), rule.get("ToPort")),
                                       {**rule, **{peers: [] for peers, _ in _PEERS}})
        for peers, _ in _PEERS:
            whole[peers] = whole[peers] + rule.get(peers, [])
    return list(permissions.values())


def rule_xml(group: str, rule: Rule, is_egress: bool = False) -> str:
    """A rule in an answer, with a prefix list as its peer, too."""
    xml = _rule_xml(group, rule, is_egress)
    for peer in rule.get("PrefixListIds", []):
        xml = xml.replace("</toPort>", f"</toPort><prefixListId>{peer['PrefixListId']}</prefixListId>")
    return xml


def refused_tags(params: Params, kind: str) -> Response | None:
    """The refusal of tags for something else than what is created."""
    for name in params:
        other = api.first(params, name)
        if name.startswith("TagSpecification.") and name.endswith(".ResourceType") and other != kind:
            return api.refuse("InvalidParameterValue",
                              f"'{other}' is not a valid taggable resource type for this operation.")
    return None


def _group(identity: str) -> dict[str, Any]:
    if identity not in ec2._security_groups:
        raise AwsError("InvalidGroup.NotFound", f"The security group '{identity}' does not exist")
    return ec2._security_groups[identity]


def _requested(params: Params) -> list[Rule]:
    permissions = ec2._parse_ip_permissions(params, "IpPermissions")
    for number, permission in enumerate(permissions, 1):
        prefix = f"IpPermissions.{number}.PrefixListIds"
        names = (name for name in params if name.startswith(prefix) and name.endswith(".PrefixListId"))
        permission["PrefixListIds"] = [{"PrefixListId": api.first(params, name)} for name in names]
    wanted = [_checked(rule) for rule in _singles(permissions)]
    if not wanted:
        raise AwsError("MissingParameter", "The request must contain a rule with a protocol and a peer.")
    return wanted


def _singles(permissions: list[Rule]) -> list[Rule]:
    """The rules, each with one peer."""
    none: Rule = {peers: [] for peers, _ in _PEERS}
    return [{**permission, **none, peers: [peer]}
            for permission in permissions for peers, _ in _PEERS for peer in permission.get(peers, [])]


def _checked(rule: Rule) -> Rule:
    """A rule as EC2 keeps it."""
    rule["IpProtocol"] = _PROTOCOLS.get(rule["IpProtocol"], rule["IpProtocol"])
    if rule["IpProtocol"] == "-1":
        rule = {key: value for key, value in rule.items() if key not in ("FromPort", "ToPort")}
    elif rule["IpProtocol"] in ("tcp", "udp") and not {"FromPort", "ToPort"} <= rule.keys():
        raise AwsError("InvalidParameterValue",
                       "Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.")
    for peers, name in _PEERS[:2]:
        for peer in rule[peers]:
            try:
                peer[name] = str(ipaddress.ip_network(peer[name], strict=False))
            except ValueError as error:
                raise AwsError("InvalidParameterValue", f"CIDR block {peer[name]} is malformed") from error
    for peer in rule["UserIdGroupPairs"]:
        _group(peer.get("GroupId", ""))
    return rule


def _check_new(wanted: list[Rule], present: list[Rule]) -> None:
    keys, known = [_key(rule) for rule in wanted], {_key(rule) for rule in present}
    if len(set(keys)) < len(keys):
        raise AwsError("InvalidParameterValue", "The same permission must not appear multiple times")
    for protocol, first, last, peer in keys:
        if (protocol, first, last, peer) in known:
            ports = "" if first is None else f", from port: {first}, to port: {last}"
            name = "ALL" if protocol == "-1" else protocol.upper()
            raise AwsError("InvalidPermission.Duplicate",
                           f'the specified rule "peer: {peer}, {name}{ports}, ALLOW" already exists')


def _take(group: dict[str, Any], store: str, keys: set[Any]) -> list[Rule]:
    """Take rules out of a group; the rules."""
    gone = [rule for rule in group[store] if _key(rule) in keys]
    if len(gone) < len(keys) and group["VpcId"] != ec2._DEFAULT_VPC_ID:
        raise AwsError("InvalidPermission.NotFound", "The specified rule does not exist in this security group.")
    group[store] = [rule for rule in group[store] if _key(rule) not in keys]
    return gone


def _key(rule: Rule) -> tuple[str, int | None, int | None, str]:
    """What makes a rule another one: not its description."""
    peer: Iterator[str] = (peer.get(name, "") for peers, name in _PEERS for peer in rule[peers])
    return rule["IpProtocol"], rule.get("FromPort"), rule.get("ToPort"), next(peer)
