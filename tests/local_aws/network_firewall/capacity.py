"""How much of its capacity a rule group uses.

A Suricata or 5-tuple rule is one unit whatever it holds. A domain list is one unit for each target and type, and
one more for HTTP; evaluated in action order, an allow list adds a drop rule for each type (AWS's best-practice
guide "customer-managed-rules", and measurements by badmintoncryer/cdk-preflight). A stateless rule is the product
of the numbers of its settings (developer guide, "Calculating stateless rule group capacity").
"""

from math import prod
from typing import Any

from . import suricata
from .state import invalid

MAX_CAPACITY = 30_000


def consumed(body: dict[str, Any]) -> int:
    """The capacity that the rules of a group need."""
    source = body["RulesSource"]
    if "RulesString" in source:
        return len(suricata.rules(source["RulesString"]))
    if "StatefulRules" in source:
        return len(source["StatefulRules"])
    if "RulesSourceList" in source:
        return _domain_list(source["RulesSourceList"], body.get("StatefulRuleOptions", {}))
    return sum(_stateless(rule) for rule in source["StatelessRulesAndCustomActions"]["StatelessRules"])


def check(body: dict[str, Any], capacity: int) -> None:
    """Raise InvalidRequestException when the rules don't fit."""
    if capacity > MAX_CAPACITY:
        raise invalid(f"Capacity capacity exceeded, parameter: [{capacity}], context: Capacity")
    needed = consumed(body)
    if needed > capacity:
        kind = "StatelessRules" if "StatelessRulesAndCustomActions" in body["RulesSource"] else "StatefulRules"
        raise invalid(f"{kind} capacity exceeded, parameter: [{needed}], context: RulesSource.{kind}")


def _domain_list(source: dict[str, Any], options: dict[str, Any]) -> int:
    types = source["TargetTypes"]
    units = len(source["Targets"]) * len(types) + (1 if "HTTP_HOST" in types else 0)
    strict = options.get("RuleOrder") == "STRICT_ORDER"
    return units + (len(types) if source["GeneratedRulesType"] == "ALLOWLIST" and not strict else 0)


def _stateless(rule: dict[str, Any]) -> int:
    match = rule["RuleDefinition"]["MatchAttributes"]
    settings = ("Protocols", "Sources", "SourcePorts", "Destinations", "DestinationPorts")
    return prod(max(1, len(match.get(name, []))) for name in settings)
