"""The job of the alert function's reader, by the standard library of Python: what the benchmark compares it with.

    python3 alerts.py EVENT RUNS

EVENT is a file with what CloudWatch Logs hands to Lambda. Prints the seconds that each run took, and what came out.
"""

import base64
import gzip
import hashlib
import ipaddress
import json
import sys
import time
from datetime import datetime

WINDOW = 900
# The suffixes with two labels that the names of the benchmark have; all others have one.
SUFFIXES = {"co.uk", "com.au", "co.jp", "github.io"}
HOST = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.-_")


def address(text):
    """The address, or nothing."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def host(text):
    """The host of an SNI, a Host header or `:authority`: nothing where it is an address."""
    if not text:
        return None
    name = text.strip()
    head, colon, port = name.rpartition(":")
    if colon and port.isdigit() and ":" not in head:
        name = head
    if not name or name == "-" or name.startswith("["):
        return None
    # What ends in a letter is no IPv4 address, and what has no colon no IPv6 address.
    if (name[-1].isdigit() or ":" in name) and address(name):
        return None
    name = name.lower()
    if not HOST.issuperset(name):
        name = "".join(c if c in HOST else f"\\u{{{ord(c):x}}}" for c in name)
    return name[:253]


def registrable(name):
    """The suffix and one label above it."""
    labels = name.split(".")
    if len(labels) < 2:
        return None
    return ".".join(labels[-3:] if ".".join(labels[-2:]) in SUFFIXES else labels[-2:])


def name_of(event, protocol):
    """The name that the client asked for."""
    sni = host(event.get("tls", {}).get("sni"))
    if sni and not protocol.startswith("http"):
        return sni
    http = event.get("http", {})
    headers = {header["name"].lower(): header["value"] for header in http.get("request_headers", ())}
    requested = host(http.get("hostname")) or host(headers.get(":authority")) or host(headers.get("host"))
    return requested or sni or host(event.get("quic", {}).get("sni"))


def alert_of(record, event, logged_at):
    """What a record says of a connection."""
    rule = event.get("alert", {})
    protocol = event.get("app_proto")
    if not protocol or protocol in ("failed", "unknown"):
        protocol = event.get("proto", "unknown")
    protocol = protocol.lower()
    source, destination = address(event.get("src_ip")), address(event.get("dest_ip"))
    source_port, port = event.get("src_port"), event.get("dest_port")
    if event.get("direction") == "to_client":
        source, source_port, destination, port = destination, port, source, source_port
    name = name_of(event, protocol)
    if source is None or (destination is None and name is None):
        raise ValueError("it can't be put down to anybody")
    try:
        at = datetime.fromisoformat(event["timestamp"]).timestamp()
    except (KeyError, ValueError):
        at = float(record.get("event_timestamp") or logged_at / 1000)
    rule_blocks = rule.get("action") == "blocked"
    verdict = event.get("verdict", {}).get("action")
    blocked = verdict in ("drop", "reject") if verdict in ("drop", "reject", "pass", "alert", "accept") else rule_blocks
    flow = event.get("flow_id")
    return {
        "id": None if flow is None else (flow, source, source_port),
        "blocked": blocked,
        "grants": rule.get("metadata", {}).get("grant", []),
        "source": source,
        "destination": name or (f"{destination}:{port}" if port is not None else str(destination)),
        "named": name is not None,
        "port": port,
        "server": destination,
        "protocol": protocol,
        "signature": rule.get("signature", ""),
        "rank": (rule_blocks, name is not None),
        "firewall": record.get("firewall_name", ""),
        "zone": record.get("availability_zone", ""),
        "first": at,
        "last": at,
    }


def absorb(known, other):
    """Adds what another record of the same connection says."""
    known["first"] = min(known["first"], other["first"])
    known["last"] = max(known["last"], other["last"])
    if other["named"] and not known["named"]:
        for key in ("destination", "named", "protocol"):
            known[key] = other[key]
    if other["rank"] > known["rank"]:
        known["signature"], known["rank"] = other["signature"], other["rank"]


def count_use(uses, alert):
    """Counts a connection for the grants that let it pass, and keeps its end points."""
    for grant in alert["grants"]:
        use = uses.setdefault(grant, {"known": set(), "first": alert, "flows": {}})
        use["known"].add(alert["id"])
        if alert["first"] < use["first"]["first"]:
            use["first"] = alert
        use["flows"][(alert["source"], alert["server"], alert["port"])] = alert["first"]
        if len(use["flows"]) > 50:
            del use["flows"][min(use["flows"], key=use["flows"].get)]


def work(event):
    """Reads a batch, and aggregates it: what there was of each, and the entries."""
    envelope = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
    ids, connections, others, uses = hashlib.sha256(), {}, [], {}
    counts = dict.fromkeys(("lines", "blocked", "grant_uses", "passed", "other", "unreadable"), 0)
    for line in envelope["logEvents"]:
        counts["lines"] += 1
        ids.update(line["id"].encode() + b"\n")
        try:
            record = json.loads(line["message"])
            event = record["event"]
            if event.get("event_type", "alert" if "alert" in event else None) != "alert":
                counts["other"] += 1
                continue
            alert = alert_of(record, event, line["timestamp"])
        except (ValueError, KeyError, TypeError, AttributeError):
            counts["unreadable"] += 1
            continue
        if not alert["blocked"]:
            counts["grant_uses" if alert["grants"] else "passed"] += 1
            count_use(uses, alert)
            continue
        counts["blocked"] += 1
        known = alert["id"] is not None and connections.setdefault(alert["id"], alert)
        if known is False:
            others.append(alert)
        elif known is not alert:
            absorb(known, alert)
    entries = {}
    for connection in sorted([*connections.values(), *others], key=lambda one: one["first"]):
        named, destination = connection["named"], connection["destination"]
        domain = registrable(destination) if named else str(connection["server"])
        key = (f"profile/d-bench/user-{connection['source']}", domain, connection["first"] // WINDOW)
        entry = entries.setdefault(key, {**connection, "count": 0, "hosts": {}, "sources": set()})
        entry["count"] += 1
        entry["last"] = max(entry["last"], connection["last"])
        entry["sources"].add(connection["source"])
        host_seen = entry["hosts"].setdefault(destination, {"count": 0})
        host_seen["count"] += 1
        host_seen.update(last=connection["last"], signature=connection["signature"], source=connection["source"])
    for entry in entries.values():
        entry["hosts"] = sorted(entry["hosts"].items(), key=lambda one: (-one[1]["count"], one[0]))
    domains = {key[1] for key, entry in entries.items() if entry["named"]}
    return counts | {
        "entries": len(entries),
        "connections": sum(entry["count"] for entry in entries.values()),
        "domains": len(domains),
        "uses": sum(len(use["known"]) for use in uses.values()),
    }


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        event = json.load(file)
    seconds = []
    for _ in range(int(sys.argv[2])):
        began = time.perf_counter()
        outcome = work(event)
        seconds.append(time.perf_counter() - began)
    print(json.dumps({"seconds": seconds, "outcome": outcome}))


if __name__ == "__main__":
    main()
