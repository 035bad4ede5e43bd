//! What comes from the bus: taken whole, or refused by the field's name.

#![cfg(test)]

use egress::events::{Incoming, Sender};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

fn event(source: &str, detail_type: &str, detail: &Value) -> Value {
    json!({
        "version": "0", "id": "1", "account": "123456789012", "region": "eu-west-1", "time": "2026-11-21T12:00:00Z",
        "resources": [], "source": source, "detail-type": detail_type, "detail": detail,
    })
}

fn asked() -> Value {
    json!({
        "version": 1, "message_key": "webhook:1", "requester": "alice@example.com", "domains": [".github.com"],
        "justification": "I need it", "ticket": "OPS-1", "duration_seconds": 3600,
    })
}

fn refusal(event: Value) -> String {
    Incoming::read(event).unwrap_err().to_string()
}

#[test]
fn the_events_of_intake_and_the_tick_are_taken() {
    let decided = json!({"version": 1, "message_key": "k", "request_id": "req-0123456789ab", "decision": "approve", "approver": "bob"});
    let revoked = json!({"version": 1, "message_key": "k", "request_id": "req-0123456789ab", "by": "bob", "reason": "over"});
    assert!(matches!(
        Incoming::read(event("egress.intake", "DomainRequested", &asked())),
        Ok(Incoming::DomainRequested(_))
    ));
    assert!(matches!(
        Incoming::read(event("egress.intake", "RequestDecided", &decided)),
        Ok(Incoming::RequestDecided(_))
    ));
    assert!(matches!(
        Incoming::read(event("egress.intake", "GrantRevoked", &revoked)),
        Ok(Incoming::GrantRevoked(_))
    ));
    assert!(matches!(Incoming::read(event("aws.events", "Scheduled Event", &json!({}))), Ok(Incoming::Tick)));
    let withdrawn =
        json!({"version": 1, "message_key": "k", "request_id": "req-0123456789ab", "by": "alice"});
    assert!(matches!(
        Incoming::read(event("egress.intake", "RequestWithdrawn", &withdrawn)),
        Ok(Incoming::RequestWithdrawn(_))
    ));
    let extension = json!({"version": 1, "message_key": "k", "request_id": "req-0123456789ab", "requester": "alice", "justification": "not done"});
    assert!(matches!(
        Incoming::read(event("egress.intake", "ExtensionRequested", &extension)),
        Ok(Incoming::ExtensionRequested(_))
    ));
    let used = json!({"version": 1, "event_id": "first-use:req-0123456789ab", "request_id": "req-0123456789ab", "at": "2026-11-21T12:00:00Z", "host": "github.com", "source": "10.2.3.4"});
    assert!(matches!(Incoming::read(event("egress.alerts", "GrantUsed", &used)), Ok(Incoming::GrantUsed(_))));
}

#[test]
fn questions_are_taken_with_the_place_where_to_answer() {
    for question in [
        json!({"kind": "why", "host": "github.com"}),
        json!({"kind": "list", "which": "unused"}),
        json!({"kind": "status", "request_id": "req-0123456789ab"}),
    ] {
        let asked = json!({
            "version": 1, "message_key": "k", "by": "alice", "question": question,
            "reply_to": {"via": "slack", "to": "C0123"},
        });
        let read = Incoming::read(event("egress.intake", "QuestionAsked", &asked));
        assert!(matches!(read, Ok(Incoming::QuestionAsked(_))), "{read:?}");
    }
}

fn silenced(more: &[(&str, Value)]) -> Result<Incoming, String> {
    let mut detail =
        json!({"version": 1, "message_key": "k", "by": "bob", "domain": "https://x.pypi.org/simple/"});
    for (field, value) in more {
        detail[field] = value.clone();
    }
    Incoming::read(event("egress.intake", "AlertsSilenced", &detail)).map_err(|error| error.to_string())
}

#[test]
fn a_silence_is_of_a_registrable_domain_and_has_an_end() {
    let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
    let made = |more: &[(&str, Value)]| match silenced(more) {
        Ok(Incoming::AlertsSilenced(asked)) => {
            let silence = asked.silence(now).unwrap();
            (silence.domain, silence.owner, silence.until.duration_since(now).as_secs())
        }
        other => panic!("{other:?}"),
    };
    let pypi = "pypi.org".to_owned();
    assert_eq!(made(&[]), (pypi.clone(), None, 86_400));
    let owner = "profile/d-x/alice";
    let told = made(&[("owner", json!(owner)), ("duration_seconds", json!(60))]);
    assert_eq!(told, (pypi.clone(), Some(owner.to_owned()), 60));
    assert_eq!(made(&[("duration_seconds", json!(0))]), (pypi, None, 0));
    assert_eq!(made(&[("domain", json!("198.51.100.3:443"))]).0, "198.51.100.3");

    for (field, value) in [
        ("domain", json!("")),
        ("domain", json!("pypi")),
        ("domain", json!("pypi.org\nx")),
        ("owner", json!(" ")),
        ("owner", json!("*")),
        ("owner", json!("x\ny")),
        ("owner", json!("x".repeat(401))),
        ("duration_seconds", json!(59)),
        ("duration_seconds", json!(30 * 86_400 + 1)),
        ("duration_seconds", json!(u64::MAX)),
        ("message_key", json!("")),
        ("by", json!("")),
        ("until", json!("never")),
    ] {
        let refused = silenced(&[(field, value.clone())]).unwrap_err();
        assert!(refused.contains(field), "{field} {value}: {refused}");
    }
}

#[test]
fn what_is_wrong_is_named_and_its_sender_known() {
    let mut detail = asked();
    detail["justification"] = json!("");
    detail["reply_to"] = json!({"via": "slack", "to": "C0123"});
    let event = event("egress.intake", "DomainRequested", &detail);
    let error = Incoming::read(event.clone()).unwrap_err();
    assert_eq!(
        (error.to_string().as_str(), error.field().as_deref()),
        ("justification is empty", Some("justification"))
    );
    let sender = Sender::of(&event);
    assert_eq!(
        (sender.by.as_deref(), sender.message_key.as_deref()),
        (Some("alice@example.com"), Some("webhook:1"))
    );
    assert_eq!(sender.reply_to.unwrap().to, "C0123");
    assert_eq!(Sender::of(&json!({"detail": {"by": "a\nb", "message_key": 5}})), Sender::default());
    let long = json!({"detail": {"reply_to": {"via": "slack", "to": "x".repeat(2_001)}}});
    assert_eq!(Sender::of(&long), Sender::default());
}

#[test]
fn only_intake_can_ask() {
    for source in ["egress.requests", "egress.alerts", "aws.partner/example.com", "EGRESS.INTAKE", ""] {
        let refused = refusal(event(source, "DomainRequested", &asked()));
        assert_eq!(refused, format!("the event {source}/DomainRequested is not one of ours"));
    }
}

#[test]
fn limits_are_counted_in_characters() {
    let with = |field: &str, value: String| {
        let mut detail = asked();
        detail[field] = json!(value);
        Incoming::read(event("egress.intake", "DomainRequested", &detail))
    };
    assert!(with("justification", "ü".repeat(2_000)).is_ok());
    assert!(with("justification", "ü".repeat(2_001)).is_err());
    assert!(with("requester", "ü".repeat(256)).is_ok());
    assert!(with("requester", "ü".repeat(257)).is_err());
    assert!(with("justification", "two\nlines".to_owned()).is_ok());
}

/// Any JSON.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(".{0,8}", inner, 0..4).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn a_field_with_anything_in_it_is_taken_or_named(
        field in prop::sample::select(vec!["version", "message_key", "requester", "domains", "justification", "ticket", "duration_seconds", "preset", "break_glass", "reply_to"]),
        value in anything(),
    ) {
        let mut detail = asked();
        detail[field] = value;
        if let Err(refusal) = Incoming::read(event("egress.intake", "DomainRequested", &detail)) {
            prop_assert!(refusal.to_string().contains(field), "{refusal}");
        }
    }

    #[test]
    fn anything_at_all_is_read_without_a_panic(value in anything(), detail in anything()) {
        let _ = Incoming::read(value);
        let _ = Incoming::read(event("egress.intake", "RequestDecided", &detail));
    }
}
