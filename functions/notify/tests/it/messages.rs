//! What people read of each state of a request, of the firewall, and of what was blocked.

use serde_json::json;

use crate::events::{
    allow_list_changed, approved, blocked, broken, changed, digest, drift_found, event, granted, not_taken,
    raised, reads, refused, risky, unknown, with,
};

reads! {
    pending: changed("pending", json!({"by": "alice@example.com"}), json!({})),
    pending_with_a_high_risk: changed("pending", json!({"by": "alice@example.com"}), risky()),
    pending_for_more_time: changed(
        "pending",
        json!({"by": "alice@example.com"}),
        json!({"extends": "req-00000000000e", "extensions": 2, "reply_to": {"via": "jira", "to": "OPS-1"}}),
    ),
    pending_with_one_more_approval: changed(
        "pending",
        json!({"from": "pending", "comment": "Fine with me"}),
        with(risky(), json!({"approvals": [{"by": "bob@example.com", "at": "2026-05-14T09:15:30Z"}]})),
    ),
    pending_with_two_of_five: changed(
        "pending",
        json!({"from": "pending"}),
        json!({"approvals_needed": 5, "approvals": [
            {"by": "carol@example.com", "at": "2026-05-14T09:15:20Z"}, {"by": "bob@example.com", "at": "2026-05-14T09:15:30Z"}
        ]}),
    ),
    approved_by_a_person: changed("approved", json!({"from": "pending", "comment": "For the workshop"}), approved()),
    approved_by_two: changed("approved", json!({"from": "pending"}), with(with(approved(), risky()), json!({"approvals": [
        {"by": "carol@example.com", "at": "2026-05-14T09:15:20Z"}, {"by": "bob@example.com", "at": "2026-05-14T09:15:30Z"}
    ]}))),
    approved_by_a_preset: changed(
        "approved",
        json!({"by": "policy"}),
        json!({
            "preset": "pypi", "domains": ["pypi.org", "files.pythonhosted.org"], "ends_at": "2026-05-14T10:15:30Z",
            "approvals_needed": 0
        }),
    ),
    approved_by_breaking_the_glass: changed("approved", json!({"by": "alice@example.com"}), broken()),
    active: changed(
        "active",
        json!({"from": "approved", "by": "firewall"}),
        with(approved(), json!({"approvals": [
            {"by": "bob@example.com", "at": "2026-05-14T09:15:30Z", "comment": "For the\nworkshop"}
        ]})),
    ),
    expired: changed("ended", json!({"from": "active", "by": "clock", "ending": "expired"}), approved()),
    revoked: changed("ended", json!({"from": "active", "ending": "revoked", "comment": "Workshop is over"}), approved()),
    superseded: changed(
        "ended",
        json!({"from": "active", "by": "firewall", "ending": "superseded", "comment": "extended by req-00000000000f until 2026-05-14T18:00:00Z"}),
        with(approved(), json!({"ending": "superseded", "superseded_by": "req-00000000000f"})),
    ),
    denied: changed("denied", json!({"from": "pending", "comment": "Use the mirror\n\nPlease"}), json!({})),
    lapsed: changed("lapsed", json!({"from": "pending", "by": "clock"}), json!({})),
    withdrawn: changed("withdrawn", json!({"from": "pending", "by": "alice@example.com"}), json!({})),
    refused_domains: changed(
        "refused",
        json!({"by": "policy", "comment": "One of the domains can't be granted"}),
        json!({
            "domains": ["github.com"],
            "refused_domains": [{"text": "*.com", "reason": "com is a public suffix"}, {"text": "10.0.0.1", "reason": "an address"}]
        }),
    ),
    refused_to_break_the_glass: changed(
        "refused",
        json!({"by": "policy", "comment": "no policy lets you break the glass"}),
        json!({"break_glass": "in a hurry"}),
    ),
    international: changed("pending", json!({}), json!({"domains": [".bücher.de", "xn--80ak6aa92e.com", "c.example"]})),
    allow_list_changes: allow_list_changed(),
    drift: drift_found(),
    drift_of_which_little_is_known: event(
        "egress.requests",
        "DriftFound",
        &json!({"version": 1, "rule_group": "studio-grants", "update_token": "4f1c", "found": "entries of ours were missing"}),
    ),
    event_refused: refused(json!({})),
    event_refused_of_nobody: refused(json!({
        "detail_type": "", "reason": "not an event of the bus: missing field `source`", "field": null, "by": null, "reply_to": null
    })),
    blocked_and_in_a_preset: blocked(json!({})),
    blocked_and_in_no_preset: blocked(json!({
        "destination": "github.com", "domain": "github.com", "count": 1, "is_new": true,
        "suggestion": {"pattern": "github.com"}
    })),
    blocked_without_a_name: blocked(json!({
        "destination": "198.51.100.3:443", "domain": "198.51.100.3", "suggestion": null, "severity": "raised",
        "findings": [{"rule": "bare_address", "text": "the client went to an address and gave no name"}]
    })),
    blocked_without_a_port: blocked(json!({
        "destination": "198.51.100.8", "domain": "198.51.100.8", "suggestion": null, "protocol": "icmp", "port": null,
        "signature": ""
    })),
    blocked_of_nobody_known: blocked(json!({"owner": unknown()})),
    blocked_of_a_space: blocked(json!({"owner": {"kind": "space", "domain": "d-abcdefghijkl", "name": "alices-space"}})),
    blocked_of_somebody: blocked(json!({"owner": {"kind": "studio", "domain": "d-abcdefghijkl"}})),
    blocked_of_an_interface: blocked(json!({
        "owner": {"kind": "interface", "id": "eni-0123456789abcdef0", "description": "NAT of the \u{202e}lab"}
    })),
    blocked_and_to_look_at: blocked(raised()),
    blocked_and_granted: blocked(granted()),
    blocked_where_no_command_can_name_it: blocked(json!({"destination": "x", "domain": "x", "suggestion": null})),
    blocked_in_all: digest(json!({})),
    blocked_in_all_and_to_look_at: digest(json!({
        "owner": unknown(), "sources": ["10.2.3.10"], "severity": "raised", "host_count": 2,
        "findings": [{"rule": "many_names", "text": "25 names were asked for within 15m: data may leave in them"}]
    })),
    command_not_taken: not_taken(),
    blocked_and_never_allowed: blocked(json!({"destination": "x.denied.org", "domain": "denied.org", "suggestion": null})),
}
