//! Events as the bus delivers them, and what people read of them.

use notify::message::Message;
use notify::notice::Notice;
use serde_json::{Value, json};

pub(crate) fn event(source: &str, detail_type: &str, detail: &Value) -> Value {
    json!({
        "version": "0", "id": "5a1f", "detail-type": detail_type, "source": source, "account": "123456789012",
        "time": "2026-05-14T09:15:00Z", "region": "eu-west-1", "resources": [], "detail": detail
    })
}

/// `more` replaces fields, or adds some.
pub(crate) fn with(mut fields: Value, more: Value) -> Value {
    let Value::Object(more) = more else { panic!("{more}") };
    fields.as_object_mut().unwrap().extend(more);
    fields
}

/// A request that waits; `more` replaces fields of it.
pub(crate) fn request(more: Value) -> Value {
    let request = json!({
        "id": "req-0123456789ab", "version": 1, "state": "pending", "requester": "alice@example.com",
        "domains": [".github.com"], "justification": "Clone the samples\nof the article",
        "ticket": "OPS-1", "duration_seconds": 3_600, "requested_at": "2026-05-14T09:15:00Z",
        "lapses_at": "2026-05-17T09:15:00Z", "approvals_needed": 1,
        "assessment": {"risk": "medium", "domains": [
            {"domain": ".github.com", "risk": "medium", "findings": [{"kind": "subdomains"}], "narrower": ["api.github.com"]}
        ]}
    });
    with(request, more)
}

/// What a request has from its approval on.
pub(crate) fn approved() -> Value {
    json!({
        "state": "approved",
        "approvals": [{"by": "bob@example.com", "at": "2026-05-14T09:15:30Z"}],
        "approved_at": "2026-05-14T09:15:30Z", "ends_at": "2026-05-14T10:15:30Z"
    })
}

/// What a request has that breaks the glass.
pub(crate) fn broken() -> Value {
    json!({
        "state": "approved", "domains": ["api.pagerduty.com"], "approvals_needed": 0,
        "break_glass": "production is down\nand nobody answers the phone",
        "approved_at": "2026-05-14T09:15:30Z", "ends_at": "2026-05-14T10:15:30Z",
        "assessment": {"risk": "low", "domains": [{"domain": "api.pagerduty.com", "risk": "low"}]}
    })
}

/// What a request has that is of high risk, and takes two people.
pub(crate) fn risky() -> Value {
    json!({
        "domains": ["team.github.io"], "approvals_needed": 2,
        "assessment": {
            "risk": "high",
            "domains": [{
                "domain": "team.github.io", "risk": "high", "findings": [{"kind": "shared_hosting", "suffix": "github.io"}],
                "covered_by": [{"kind": "grant", "request_id": "req-00000000000c", "requester": "carol@example.com", "ends_at": "2026-05-14T12:00:00Z"}],
                "blocked": {
                    "days": 7, "connections": 12, "sources": ["10.2.3.10"], "source_count": 1,
                    "hosts": ["team.github.io"], "host_count": 1, "last_seen": "2026-05-14T09:00:00Z"
                }
            }],
            "room": {"needed": 2, "left": 40, "fits": true},
            "unknown": ["whether AWS would take its rules isn't known: throttled"]
        }
    })
}

/// A request's change; `detail` and `request` replace fields of the two.
pub(crate) fn changed(to: &str, detail: Value, more: Value) -> Value {
    let request = with(request(json!({"state": to})), with(more, json!({"state": to})));
    let changed = json!({
        "version": 1, "event_id": "req-0123456789ab.1", "from": null, "to": to, "at": "2026-05-14T09:15:30Z",
        "by": "bob@example.com", "request": request
    });
    event("egress.requests", "RequestStateChanged", &with(changed, detail))
}

/// Another event about a request.
pub(crate) fn about(detail_type: &str, more: Value, request: &Value) -> Value {
    let detail = json!({
        "version": 1, "event_id": "req-0123456789ab.3", "at": "2026-05-14T11:15:30Z", "request": request
    });
    event("egress.requests", detail_type, &with(detail, more))
}

/// An answer to alice, who asked in a chat.
pub(crate) fn answered(answer: &Value) -> Value {
    let detail = json!({
        "version": 1, "event_id": "answer.webhook:4711", "at": "2026-05-14T09:15:30Z", "message_key": "webhook:4711",
        "by": "alice@example.com", "reply_to": {"via": "slack", "to": "C024BE91L"}, "answer": answer
    });
    event("egress.requests", "CommandAnswered", &detail)
}

pub(crate) fn refused(more: Value) -> Value {
    let detail = json!({
        "version": 1, "event_id": "refused.5feceb66ffc86f38d952786c6d696c79", "at": "2026-05-14T09:15:30Z",
        "detail_type": "RequestDecided", "reason": "request_id: there is no request req-0123456789ab", "field": "request_id",
        "by": "bob@example.com", "reply_to": {"via": "jira", "to": "OPS-1"}
    });
    event("egress.requests", "EventRefused", &with(detail, more))
}

pub(crate) fn drift_found() -> Value {
    event(
        "egress.requests",
        "DriftFound",
        &json!({
            "version": 1, "update_token": "4f1c", "changed_at": "2026-05-14T09:14:58Z",
            "rule_group": "arn:aws:network-firewall:eu-west-1:123456789012:stateful-rulegroup/studio-grants-1",
            "found": "the rules were changed by hand: 3 domains were found in them, 2 have their place there",
            "added": [".example.org"], "missing": ["pypi.org"], "lines": ["pass ip any any -> any any (sid:1;)"]
        }),
    )
}

pub(crate) fn allow_list_changed() -> Value {
    event(
        "egress.requests",
        "AllowListChanged",
        &json!({
            "version": 1, "update_token": "4f1c", "added": [".github.com", "pypi.org"], "added_count": 2,
            "removed": ["old.example"], "removed_count": 1,
            "rule_group": "arn:aws:network-firewall:eu-west-1:123456789012:stateful-rulegroup/studio-grants-1"
        }),
    )
}

/// Alice's notebook.
fn alice() -> Value {
    json!({"kind": "user_profile", "domain": "d-abcdefghijkl", "name": "alice"})
}

/// An address that nobody knows.
pub(crate) fn unknown() -> Value {
    json!({"kind": "unknown", "reason": "No network interface has the address 10.2.3.10 any more."})
}

pub(crate) fn blocked(more: Value) -> Value {
    let detail = json!({
        "version": 1, "event_id": "blocked-0123456789abcdef01234567", "owner": alice(), "domain": "pythonhosted.org",
        "destination": "files.pythonhosted.org", "destination_count": 1, "source": "10.2.3.10", "protocol": "tls",
        "port": 443, "count": 12, "first_seen": "2026-05-14T09:16:00.5Z", "last_seen": "2026-05-14T09:16:42Z",
        "window_seconds": 900, "repeat_seconds": 14_400, "firewall": "network-firewall-demo",
        "availability_zone": "eu-west-1a", "signature": "egress last word: TLS to a name that nothing allows",
        "is_new": false, "severity": "normal",
        "suggestion": {"pattern": "files.pythonhosted.org", "preset": "pypi"}
    });
    event("egress.alerts", "TrafficBlocked", &with(detail, more))
}

/// What an alert has that somebody should look at.
pub(crate) fn raised() -> Value {
    json!({
        "destination": "a1.team.github.io", "domain": "team.github.io", "destination_count": 25, "is_new": true,
        "others": ["a2.team.github.io", "a3.team.github.io"], "severity": "raised",
        "findings": [
            {"rule": "many_names", "text": "25 names were asked for within 15m: data may leave in them"},
            {"rule": "shared_hosting", "text": "anybody can have a name below github.io"}
        ],
        "suggestion": {"pattern": "a1.team.github.io"}
    })
}

/// What an alert has of a domain that is granted.
pub(crate) fn granted() -> Value {
    json!({
        "domain": "github.com", "destination": "github.com", "suggestion": null,
        "notes": [
            "It is granted by req-0123456789ab until 2026-05-14 10:15 UTC.",
            "The connection was begun before the grant: begin a new one."
        ]
    })
}

/// What was blocked in a window.
pub(crate) fn digest(more: Value) -> Value {
    let host = |host: &str, connections: u64| json!({"host": host, "connections": connections});
    let detail = json!({
        "version": 1, "event_id": "digest-0123456789abcdef01234567", "owner": alice(), "domain": "pythonhosted.org",
        "sources": ["10.2.3.10", "10.2.3.11"], "from": "2026-05-14T09:15:00Z", "until": "2026-05-14T09:30:00Z",
        "connections": 512, "suppressed": 500,
        "hosts": [host("files.pythonhosted.org", 480), host("test-files.pythonhosted.org", 30)], "host_count": 3,
        "severity": "normal"
    });
    event("egress.alerts", "BlockedDigest", &with(detail, more))
}

/// What a stranger said on a ticket.
pub(crate) fn not_taken() -> Value {
    let detail = json!({
        "version": 1, "event_id": "not-taken.github:4711", "at": "2026-05-14T09:15:30Z", "by": "github:583231",
        "reason": "I don't know who you are.\nAsk whoever runs this to add 583231 to `identities`.",
        "reply_to": {"via": "github", "to": "example/studio-egress#7"}
    });
    event("egress.intake", "CommandNotTaken", &detail)
}

/// One of each event, with all its fields.
pub(crate) fn every_event() -> Vec<Value> {
    use crate::{answers, grants};
    let everything = with(
        with(request(risky()), approved()),
        json!({
            "preset": "pypi", "break_glass": "down", "waits_for": "its rules need 4 units", "extends": "req-00000000000e",
            "extensions": 2, "superseded_by": "req-00000000000f", "reply_to": {"via": "jira", "to": "OPS-1"},
            "refused_domains": [{"text": "*.com", "reason": "com is a public suffix"}]
        }),
    );
    let states = ["pending", "approved", "active", "ended", "denied", "lapsed", "withdrawn", "refused"];
    let states = states.map(|state| {
        changed(state, json!({"from": "pending", "comment": "Use the mirror"}), everything.clone())
    });
    let mut events = Vec::from(states);
    events.extend([
        grants::awaited(everything.clone()),
        grants::glass_broken(&everything),
        grants::waits(everything.clone(), true),
        grants::first_used(&everything),
        answered(&json!({"kind": "done", "request": everything.clone()})),
        answers::not_allowed(),
        answers::why(),
        answers::list(),
        answers::status(&everything),
        refused(json!({})),
        drift_found(),
        allow_list_changed(),
        answers::silenced(json!({})),
        blocked(with(raised(), json!({"notes": ["It is granted by req-0123456789ab."]}))),
        blocked(with(granted(), json!({"owner": {"kind": "space", "domain": "d-abcdefghijkl", "name": "x"}}))),
        blocked(json!({"owner": {"kind": "interface", "id": "eni-0123", "description": "EFS mount target"}})),
        digest(json!({"severity": "raised", "findings": [{"rule": "many_names", "text": "30 names"}], "owner": unknown()})),
        not_taken(),
    ]);
    events
}

pub(crate) fn message(event: Value) -> Message {
    Message::about(&Notice::read(event).unwrap())
}

/// A message as its reader sees it, with what a subscription can filter by.
pub(crate) fn seen(event: Value) -> String {
    let message = message(event);
    let attributes: Vec<String> =
        message.attributes().map(|(name, value)| format!("{name}: {value}")).collect();
    format!("Subject: {}\n{}\n\n{}", message.subject, attributes.join("\n"), message.body)
}

/// A snapshot for each event.
macro_rules! reads {
    ($($name:ident: $event:expr,)*) => {$(
        #[test]
        fn $name() {
            insta::assert_snapshot!($crate::events::seen($event));
        }
    )*};
}
pub(crate) use reads;
