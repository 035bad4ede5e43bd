//! From an event to the topic; and what becomes of events that are none of ours.

use std::collections::BTreeSet;
use std::sync::Mutex;

use egress::events::EventError;
use notify::message::Message;
use notify::notice::Notice;
use notify::{Topic, TopicError, handle};
use serde_json::{Value, json};

use crate::events::{answered, blocked, changed, event, every_event, message};

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
        event("egress.alerts", "GrantUsed", &json!({"version": 1})),
        event("egress.requests", "TrafficUnblocked", &json!({"version": 1})),
        blocked(json!({"version": 2})),
        blocked(json!({"count": "many"})),
        changed("asleep", json!({}), json!({})),
        changed("active", json!({}), json!({"domains": [".com"]})),
        answered(&json!({"kind": "shrug"})),
        event("egress.requests", "DriftFound", &Value::Null),
    ] {
        reasons.push(handle(&topic, event).await.unwrap_err().to_string());
    }
    insta::assert_snapshot!(reasons.join("\n"));
    assert!(topic.messages.into_inner().unwrap().is_empty());
}

#[test]
fn the_rule_brings_what_people_hear_of_and_nothing_else() {
    let template = include_str!("../../../../infra/notify.yaml");
    let (_, pattern) = template.split_once("detail-type:\n").unwrap();
    let brought = pattern.lines().map_while(|line| line.trim().strip_prefix("- ")).map(str::to_owned);
    let told = every_event().into_iter().map(|event| message(event).detail_type.to_owned());
    assert_eq!(brought.clone().collect::<BTreeSet<_>>(), told.collect::<BTreeSet<_>>());
    for detail_type in brought {
        let source = if detail_type == "TrafficBlocked" { "egress.alerts" } else { "egress.requests" };
        let read = Notice::read(event(source, &detail_type, &json!({})));
        assert!(matches!(read, Err(EventError::Detail { .. })), "{detail_type}");
    }
}

#[test]
fn who_asked_elsewhere_is_told_there() {
    let to = |event: Value| {
        let message = message(event);
        let attributes = message.attributes().map(|(name, value)| (name, value.to_owned()));
        attributes.filter(|(name, _)| ["via", "to"].contains(name)).collect::<Vec<_>>()
    };
    let place = json!({"via": "jira", "to": "OPS-1"});
    let asked_there = changed("active", json!({}), json!({"reply_to": place}));
    assert_eq!(to(asked_there), [("via", "jira".to_owned()), ("to", "OPS-1".to_owned())]);
    assert!(to(changed("active", json!({}), json!({}))).is_empty());
    // SNS takes no attribute without a text.
    let nowhere = changed("active", json!({}), json!({"reply_to": {"via": "jira", "to": " "}}));
    assert_eq!(to(nowhere), [("via", "jira".to_owned())]);
}
