//! What comes from the bus: taken whole, or refused by the field's name.

#![cfg(test)]

use egress::events::Intake;
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
    Intake::read(event).unwrap_err().to_string()
}

#[test]
fn the_events_of_intake_and_the_tick_are_taken() {
    let decided = json!({"version": 1, "message_key": "k", "request_id": "req-0123456789ab", "decision": "approve", "approver": "bob"});
    let revoked = json!({"version": 1, "message_key": "k", "request_id": "req-0123456789ab", "by": "bob", "reason": "over"});
    assert!(matches!(
        Intake::read(event("egress.intake", "DomainRequested", &asked())),
        Ok(Intake::DomainRequested(_))
    ));
    assert!(matches!(
        Intake::read(event("egress.intake", "RequestDecided", &decided)),
        Ok(Intake::RequestDecided(_))
    ));
    assert!(matches!(
        Intake::read(event("egress.intake", "GrantRevoked", &revoked)),
        Ok(Intake::GrantRevoked(_))
    ));
    assert!(matches!(Intake::read(event("aws.events", "Scheduled Event", &json!({}))), Ok(Intake::Tick)));
    let withdrawn =
        json!({"version": 1, "message_key": "k", "request_id": "req-0123456789ab", "by": "alice"});
    assert!(matches!(
        Intake::read(event("egress.intake", "RequestWithdrawn", &withdrawn)),
        Ok(Intake::RequestWithdrawn(_))
    ));
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
        Intake::read(event("egress.intake", "DomainRequested", &detail))
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
        field in prop::sample::select(vec!["version", "message_key", "requester", "domains", "justification", "ticket", "duration_seconds", "preset"]),
        value in anything(),
    ) {
        let mut detail = asked();
        detail[field] = value;
        if let Err(refusal) = Intake::read(event("egress.intake", "DomainRequested", &detail)) {
            prop_assert!(refusal.to_string().contains(field), "{refusal}");
        }
    }

    #[test]
    fn anything_at_all_is_read_without_a_panic(value in anything(), detail in anything()) {
        let _ = Intake::read(value);
        let _ = Intake::read(event("egress.intake", "RequestDecided", &detail));
    }
}
