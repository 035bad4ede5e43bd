//! Events as the bus delivers them, read.

use notify::notice::Notice;
use serde_json::{Value, json};

pub(crate) const ASKED_BY: &str = "webhook:4711";

/// An event; `more` replaces fields of its detail, or adds some.
pub(crate) fn event(source: &str, detail_type: &str, detail: Value, more: Value) -> Value {
    json!({"source": source, "detail-type": detail_type, "detail": with(detail, more)})
}

pub(crate) fn with(mut fields: Value, more: Value) -> Value {
    let Value::Object(more) = more else { panic!("{more}") };
    fields.as_object_mut().unwrap().extend(more);
    fields
}

/// The request that the message [`ASKED_BY`] has made.
pub(crate) fn request(more: Value) -> Value {
    let id = egress::request::RequestId::of_message(ASKED_BY);
    let request = json!({
        "id": id, "version": 1, "state": "pending", "requester": "alice@example.com", "domains": [".github.com"],
        "justification": "Clone the samples", "duration_seconds": 3_600, "requested_at": "2026-05-14T09:15:00Z",
        "lapses_at": "2026-05-17T09:15:00Z", "approvals_needed": 1,
        "assessment": {"risk": "medium", "domains": [{"domain": ".github.com", "risk": "medium"}]}
    });
    with(request, more)
}

/// The request's `version`th state.
pub(crate) fn changed(version: u64, from: Option<&str>, to: &str, more: Value) -> Value {
    let request = request(with(json!({"version": version, "state": to}), more));
    let detail = json!({
        "version": 1, "event_id": format!("req.{version}"), "from": from, "to": to, "at": "2026-05-14T09:15:30Z",
        "by": "bob@example.com", "request": request
    });
    event("egress.requests", "RequestStateChanged", detail, json!({}))
}

/// Another event about the request in this version.
pub(crate) fn about(detail_type: &str, version: u64, detail: Value, more: Value) -> Value {
    let request = request(with(json!({"version": version}), more));
    let base = json!({
        "version": 1, "event_id": format!("{detail_type}.{version}"), "at": "2026-05-14T11:15:30Z", "request": request
    });
    event("egress.requests", detail_type, base, detail)
}

pub(crate) fn awaited(version: u64, more: Value) -> Value {
    about("DecisionAwaited", version, json!({"approvers": ["bob@example.com"]}), more)
}

pub(crate) fn glass_broken(version: u64) -> Value {
    let more = json!({"state": "approved", "break_glass": "production is down and nobody answers"});
    about("GlassBroken", version, json!({"approvers": ["bob@example.com"]}), more)
}

pub(crate) fn waits(version: u64) -> Value {
    about("GrantWaits", version, json!({"reason": "2 units are missing"}), json!({"state": "approved"}))
}

pub(crate) fn first_used(version: u64, more: Value) -> Value {
    let detail = json!({"host": "api.github.com", "source": "10.2.3.10"});
    about("GrantFirstUsed", version, detail, with(json!({"state": "active"}), more))
}

/// The answer to a command; `more` replaces fields of the detail.
pub(crate) fn answered(answer: &Value, more: Value) -> Value {
    let detail = json!({
        "version": 1, "event_id": "answer.slack:1", "at": "2026-05-14T09:15:30Z", "message_key": "slack:1",
        "by": "bob@example.com", "answer": answer
    });
    event("egress.requests", "CommandAnswered", detail, more)
}

pub(crate) fn not_taken(via: &str, to: &str) -> Value {
    let detail = json!({
        "version": 1, "event_id": "not-taken.slack:2", "at": "2026-05-14T09:15:30Z", "by": "alice@example.com",
        "reason": "there is no command shrug", "reply_to": {"via": via, "to": to}
    });
    event("egress.intake", "CommandNotTaken", detail, json!({}))
}

pub(crate) fn blocked() -> Value {
    let detail = json!({
        "version": 1, "event_id": "blocked-0123", "domain": "pythonhosted.org", "destination": "files.pythonhosted.org",
        "owner": {"kind": "user_profile", "domain": "d-x", "name": "alice"}, "destination_count": 1,
        "source": "10.2.3.10", "protocol": "tls", "port": 443, "count": 12, "first_seen": "2026-05-14T09:16:00.5Z",
        "last_seen": "2026-05-14T09:16:42Z", "window_seconds": 900, "repeat_seconds": 14_400,
        "firewall": "network-firewall-demo", "availability_zone": "eu-west-1a", "signature": "egress last word",
        "is_new": true, "severity": "normal"
    });
    event("egress.alerts", "TrafficBlocked", detail, json!({}))
}

pub(crate) fn drift() -> Value {
    let detail = json!({
        "version": 1, "update_token": "4f1c", "rule_group": "studio-grants", "found": "3 domains were found in them"
    });
    event("egress.requests", "DriftFound", detail, json!({}))
}

pub(crate) fn refused(more: Value) -> Value {
    let detail = json!({
        "version": 1, "event_id": "refused.5fec", "at": "2026-05-14T09:15:30Z", "detail_type": "RequestDecided",
        "reason": "request_id: there is no such request"
    });
    event("egress.requests", "EventRefused", detail, more)
}

pub(crate) fn notice(event: Value) -> Notice {
    Notice::read(event).unwrap()
}
