//! What becomes of events that are none of ours; which of ours come; and what subscriptions can filter by.

use std::collections::BTreeSet;

use egress::events::EventError;
use notify::notice::Notice;
use serde_json::{Value, json};

use crate::events::{answered, blocked, changed, event, every_event, message};

#[test]
fn events_that_are_none_of_ours_are_named() {
    let events = [
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
    ];
    let reasons = events.map(|event| Notice::read(event).unwrap_err().to_string());
    insta::assert_snapshot!(reasons.join("\n"));
}

/// The sources of a rule's pattern, each with its detail types.
fn brought() -> Vec<(String, String)> {
    let template = include_str!("../../../../infra/notify.yaml");
    let (_, pattern) = template.split_once("EventPattern:\n").unwrap();
    let (pattern, _) = pattern.split_once("Targets:").unwrap();
    let list = |line: &str| -> Vec<String> {
        let items = line.split_once('[').and_then(|(_, items)| items.split_once(']'));
        items.map(|(items, _)| items.split(", ").map(str::to_owned).collect()).unwrap_or_default()
    };
    let (mut sources, mut brought) = (Vec::new(), Vec::new());
    for line in pattern.lines() {
        if line.contains("source:") {
            sources = list(line);
            continue;
        }
        let item = line.trim().strip_prefix("- ").filter(|item| !item.contains(':')).map(str::to_owned);
        for detail_type in list(line).into_iter().chain(item) {
            brought.extend(sources.iter().map(|source| (source.clone(), detail_type.clone())));
        }
    }
    brought
}

#[test]
fn the_rule_brings_what_people_hear_of_and_nothing_else() {
    // Of a source that a type never comes from, nothing comes.
    let known = |(source, detail_type): &(String, String)| {
        let read = Notice::read(event(source, detail_type, &json!({})));
        matches!(read, Err(EventError::Detail { .. }))
    };
    let types = |events: Vec<(String, String)>| events.into_iter().map(|it| it.1).collect::<BTreeSet<_>>();
    let told = every_event().into_iter().map(|event| message(event).detail_type.to_owned());
    assert_eq!(types(brought()), told.collect());
    assert_eq!(types(brought().into_iter().filter(known).collect()), types(brought()));
}

#[test]
fn who_asked_elsewhere_is_named_unless_that_may_be_a_credential() {
    let to = |via: &str, to: &str| {
        let asked = changed("active", json!({}), json!({"reply_to": {"via": via, "to": to}}));
        let message = message(asked);
        let attributes = message.attributes().filter(|(name, _)| ["via", "to"].contains(name));
        attributes.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(to("jira", "OPS-1"), "via=jira to=OPS-1");
    assert_eq!(to("slack", "https://hooks.slack.com/commands/T1/1/x"), "via=slack");
    // SNS takes no attribute without a text.
    assert_eq!(to("jira", " "), "via=jira");
}
