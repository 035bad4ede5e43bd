//! What people read, for every event and state; and what becomes of events that are none.

use std::sync::Mutex;

use notify::message::Message;
use notify::notice::Notice;
use notify::{Topic, TopicError, handle};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A topic that keeps what is published, or takes nothing.
#[derive(Default)]
struct Kept {
    messages: Mutex<Vec<Message>>,
    broken: bool,
}

impl Topic for Kept {
    async fn publish(&self, message: &Message) -> Result<(), TopicError> {
        if self.broken {
            return Err(TopicError("told to fail".to_owned()));
        }
        self.messages.lock().unwrap().push(message.clone());
        Ok(())
    }
}

fn event(source: &str, detail_type: &str, detail: &Value) -> Value {
    json!({
        "version": "0", "id": "5a1f", "detail-type": detail_type, "source": source, "account": "123456789012",
        "time": "2026-05-14T09:15:00Z", "region": "eu-west-1", "resources": [], "detail": detail
    })
}

/// A request's change; `detail` and `request` replace fields of the two.
fn changed(to: &str, detail: Value, request: Value) -> Value {
    let mut event = event(
        "egress.requests",
        "RequestStateChanged",
        &json!({
            "version": 1, "event_id": "req-0123456789ab.1", "from": null, "to": to, "at": "2026-05-14T09:15:30Z",
            "by": "bob@example.com",
            "request": {
                "id": "req-0123456789ab", "version": 1, "state": to, "requester": "alice@example.com",
                "domains": [".github.com"], "justification": "Clone the samples\nof the article",
                "ticket": "OPS-1", "duration_seconds": 3_600, "requested_at": "2026-05-14T09:15:00Z",
                "lapses_at": "2026-05-17T09:15:00Z"
            }
        }),
    );
    merge(&mut event["detail"]["request"], request);
    merge(&mut event["detail"], detail);
    event
}

fn merge(into: &mut Value, from: Value) {
    let Value::Object(from) = from else { return };
    into.as_object_mut().unwrap().extend(from);
}

fn approved() -> Value {
    json!({
        "approvals": [{"by": "bob@example.com", "at": "2026-05-14T09:15:30Z"}],
        "ends_at": "2026-05-14T10:15:30Z"
    })
}

fn blocked(more: Value) -> Value {
    let mut detail = json!({
        "version": 1, "event_id": "blocked-0123456789abcdef01234567", "destination": "files.pythonhosted.org",
        "registrable_domain": "pythonhosted.org", "source": "10.2.3.10", "protocol": "tls", "port": 443, "count": 12,
        "first_seen": "2026-05-14T09:16:00.5Z", "last_seen": "2026-05-14T09:16:42Z", "window_seconds": 900,
        "firewall": "network-firewall-demo", "availability_zone": "eu-west-1a",
        "signature": "egress last word: TLS to a name that nothing allows",
        "suggestion": {"pattern": "files.pythonhosted.org", "preset": "pypi"}
    });
    merge(&mut detail, more);
    event("egress.alerts", "TrafficBlocked", &detail)
}

fn message(event: Value) -> Message {
    Message::about(&Notice::read(event).unwrap())
}

fn seen(event: Value) -> String {
    let Message { subject, body, event_id, detail_type } = message(event);
    format!("Subject: {subject}\nevent_id: {event_id}\ndetail_type: {detail_type}\n\n{body}")
}

macro_rules! reads {
    ($($name:ident: $event:expr,)*) => {$(
        #[test]
        fn $name() {
            insta::assert_snapshot!(seen($event));
        }
    )*};
}

reads! {
    pending: changed("pending", json!({"by": "alice@example.com"}), json!({})),
    approved_by_a_person: changed("approved", json!({"from": "pending", "comment": "For the workshop"}), approved()),
    approved_by_a_preset: changed(
        "approved",
        json!({"by": "policy"}),
        json!({"preset": "pypi", "domains": ["pypi.org", "files.pythonhosted.org"], "ends_at": "2026-05-14T10:15:30Z"}),
    ),
    active: changed("active", json!({"from": "approved", "by": "firewall"}), approved()),
    expired: changed("ended", json!({"from": "active", "by": "clock", "ending": "expired"}), approved()),
    revoked: changed("ended", json!({"from": "active", "ending": "revoked", "comment": "Workshop is over"}), approved()),
    superseded: changed("ended", json!({"from": "active", "by": "policy", "ending": "superseded"}), approved()),
    denied: changed("denied", json!({"from": "pending", "comment": "Use the mirror\n\nPlease"}), json!({})),
    lapsed: changed("lapsed", json!({"from": "pending", "by": "clock"}), json!({})),
    withdrawn: changed("withdrawn", json!({"from": "pending", "by": "alice@example.com"}), json!({})),
    refused: changed(
        "refused",
        json!({"by": "policy", "comment": "One of the domains can't be granted"}),
        json!({
            "domains": ["github.com"],
            "refused_domains": [{"text": "*.com", "reason": "com is a public suffix"}, {"text": "10.0.0.1", "reason": "an address"}]
        }),
    ),
    international: changed("pending", json!({}), json!({"domains": [".bücher.de", "xn--80ak6aa92e.com", "c.example"]})),
    allow_list_changed: event(
        "egress.requests",
        "AllowListChanged",
        &json!({"version": 1, "update_token": "4f1c", "added": [".github.com", "pypi.org"], "removed": ["old.example"]}),
    ),
    drift_found: event(
        "egress.requests",
        "DriftFound",
        &json!({"version": 1, "update_token": "4f1c", "found": "a rule for .example.org that no grant asks for"}),
    ),
    blocked_and_in_a_preset: blocked(json!({})),
    blocked_and_in_no_preset: blocked(json!({
        "destination": "github.com", "registrable_domain": "github.com", "count": 1,
        "suggestion": {"pattern": "github.com"}
    })),
    blocked_without_a_name: blocked(json!({"destination": "198.51.100.3:443", "registrable_domain": null, "suggestion": null})),
    blocked_without_a_port: blocked(json!({
        "destination": "198.51.100.8", "registrable_domain": null, "suggestion": null, "protocol": "icmp", "port": null,
        "signature": ""
    })),
    blocked_and_never_allowed: blocked(json!({"destination": "x.denied.org", "registrable_domain": "denied.org", "suggestion": null})),
    hostile_texts: changed(
        "denied",
        json!({"by": "bob\r\nBcc: all@example.com\u{202e}", "comment": "no\nRequest:   req-ffffffffffff\u{0}\u{2028}x"}),
        json!({
            "requester": "\u{1b}[31mélise\u{200b}",
            "justification": "\n\nWhat to do\n  Pay\tnow\n\n",
            "domains": ["github.com", "a.example", "b.example"]
        }),
    ),
}

#[tokio::test]
async fn an_event_becomes_one_message() {
    let topic = Kept::default();
    handle(&topic, blocked(json!({}))).await.unwrap();
    let messages = topic.messages.into_inner().unwrap();
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].subject, "Blocked: files.pythonhosted.org from 10.2.3.10 (at least 12 x)");
}

#[tokio::test]
async fn what_the_topic_does_not_take_is_an_error() {
    let topic = Kept { broken: true, ..Kept::default() };
    let error = handle(&topic, blocked(json!({}))).await.unwrap_err();
    assert_eq!(error.to_string(), "publishing to the topic failed: told to fail");
}

#[tokio::test]
async fn events_that_are_none_of_ours_are_named() {
    let topic = Kept::default();
    let mut reasons = Vec::new();
    for event in [
        json!("hello"),
        json!({"detail": {}}),
        event("aws.ec2", "Instance State-change", &json!({})),
        event("egress.alerts", "RequestStateChanged", &json!({"version": 1})),
        event("egress.requests", "TrafficUnblocked", &json!({"version": 1})),
        blocked(json!({"version": 2})),
        blocked(json!({"count": "many"})),
        changed("asleep", json!({}), json!({})),
        changed("active", json!({}), json!({"domains": [".com"]})),
        event("egress.requests", "DriftFound", &Value::Null),
    ] {
        reasons.push(handle(&topic, event).await.unwrap_err().to_string());
    }
    insta::assert_snapshot!(reasons.join("\n"));
    assert!(topic.messages.into_inner().unwrap().is_empty());
}

fn fits(message: &Message) -> Result<(), TestCaseError> {
    prop_assert!(
        message.subject.len() < 100 && message.subject.bytes().all(|byte| (b' '..=b'~').contains(&byte))
    );
    prop_assert!(message.body.len() < 64 * 1024, "{} bytes", message.body.len());
    let moves = |c: char| c != '\n' && (c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c));
    prop_assert!(!message.body.chars().any(moves), "a control character");
    Ok(())
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), ".{0,300}", Just("\u{202e}\n\r\u{0}".repeat(3_000)), Just("ü".repeat(9_000))]
}

proptest! {
    #[test]
    fn whatever_stands_in_a_request_the_message_fits(texts in prop::collection::vec(any_text(), 6), many in 0..60_usize) {
        let refused = json!({"text": texts[0], "reason": texts[1]});
        let request = json!({
            "requester": texts[2], "justification": texts[3], "ticket": texts[4],
            "refused_domains": vec![refused; many], "domains": vec!["a.example"; many]
        });
        for state in ["pending", "approved", "active", "ended", "denied", "refused"] {
            let detail = json!({"by": texts[5], "comment": texts[0], "event_id": texts[1]});
            fits(&message(changed(state, detail, request.clone())))?;
        }
    }

    #[test]
    fn whatever_was_blocked_the_message_fits(texts in prop::collection::vec(any_text(), 5), count in any::<u64>(), window_seconds in any::<u64>()) {
        fits(&message(blocked(json!({
            "destination": texts[0], "source": texts[1], "protocol": texts[2], "signature": texts[3], "firewall": texts[4],
            "count": count, "window_seconds": window_seconds, "suggestion": {"pattern": texts[0], "preset": texts[1]}
        }))))?;
    }
}
