"""Checks of Suricata rule text, as far as Network Firewall's own messages are known.

Messages: `stateful rule is invalid, rule: ..., reason: ...` with the reasons `sid not assigned`,
`<proto> reject is not supported` and `pcre without one of [...]` are the service's (measured by
badmintoncryer/cdk-preflight). The limit of 8,192 characters a rule is in the service's quotas. What has
no known message says in its own words what is wrong.
"""

import re

from .state import invalid

ACTIONS = ("alert", "drop", "pass", "reject")
REJECTABLE = ("tcp", "http", "tls", "smb", "ssh", "smtp", "dcerpc")
PCRE_COMPANIONS = ("tls.sni", "http.host", "dns.query", "http.uri", "content")
MAX_RULE_LENGTH = 8192

_RULE = re.compile(
    r"^(?P<action>\w+)\s+(?P<protocol>[\w.-]+)\s+(?P<source>\[.*?\]|\S+)\s+(?P<source_port>\[.*?\]|\S+)\s+(?:->|<>)\s+"
    r"(?P<destination>\[.*?\]|\S+)\s+(?P<destination_port>\[.*?\]|\S+)\s*\((?P<options>.*)\)$"
)


def rules(text: str) -> list[str]:
    """The rules of a rules string: comments and empty lines are none, a backslash continues a line."""
    joined = re.sub(r"\\\s*\n", " ", text)
    return [line.strip() for line in joined.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def check(text: str) -> None:
    """Raise InvalidRequestException for the first rule that Network Firewall would refuse."""
    seen: set[str] = set()
    for rule in rules(text):
        _check_rule(rule, seen)


def _check_rule(rule: str, seen: set[str]) -> None:
    match = _RULE.match(rule)
    if match is None:
        raise _refused(rule, "the rule can't be parsed")
    if match["action"] not in ACTIONS:
        raise _refused(rule, f"unknown action {match['action']}")
    if match["action"] == "reject" and match["protocol"] not in REJECTABLE:
        raise _refused(rule, f"{match['protocol']} reject is not supported")
    options = _options(match["options"])
    names = [name for name, _ in options]
    if "pcre" in names and not any(name in names for name in PCRE_COMPANIONS):
        raise _refused(rule, f"pcre without one of [{', '.join(PCRE_COMPANIONS)}]")
    sids = [value for name, value in options if name == "sid"]
    if not sids or not sids[0].isdigit():
        raise _refused(rule, "sid not assigned")
    if sids[0] in seen:
        raise _refused(rule, f"sid {sids[0]} is used twice")
    seen.add(sids[0])
    if len(rule) > MAX_RULE_LENGTH:
        raise _refused(rule, f"the rule is longer than {MAX_RULE_LENGTH} characters")


def _options(text: str) -> list[tuple[str, str]]:
    """The options in order; a semicolon inside quotes or behind a backslash ends none."""
    parts = re.findall(r'((?:"(?:\\.|[^"\\])*"|\\.|[^;"\\])+);', text)
    pairs = (part.strip().partition(":") for part in parts)
    return [(name.strip(), value.strip()) for name, _, value in pairs]


def _refused(rule: str, reason: str) -> Exception:
    return invalid(f"stateful rule is invalid, rule: {rule}, reason: {reason}")
