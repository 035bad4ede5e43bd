//! Events that aren't ours, or not in their form: refused with the field's name, and nothing is changed.

use serde_json::{Value, json};
use tests::memory::Faults;

use crate::harness::{Stage, approve, ask, intake};

fn with(mut event: Value, field: &str, value: Value) -> Value {
    event["detail"][field] = value;
    event
}

fn without(mut event: Value, field: &str) -> Value {
    if let Some(detail) = event["detail"].as_object_mut() {
        detail.remove(field);
    }
    event
}

#[tokio::test(start_paused = true)]
async fn what_is_malformed_is_refused_with_the_field_s_name() {
    let good = || ask("a", &["github.com"]);
    let long = "x".repeat(3_000);
    let events = [
        ("not an object", json!("hello")),
        ("no source", json!({"detail-type": "DomainRequested", "detail": {}})),
        ("not ours", json!({"source": "aws.s3", "detail-type": "Object Created", "detail": {}})),
        ("not of intake", intake("RequestStateChanged", &json!({}))),
        ("no detail", json!({"source": "egress.intake", "detail-type": "DomainRequested"})),
        ("version 2", with(good(), "version", json!(2))),
        ("no version", without(good(), "version")),
        ("version as text", with(good(), "version", json!("1"))),
        ("no requester", without(good(), "requester")),
        ("empty requester", with(good(), "requester", json!(" "))),
        ("long requester", with(good(), "requester", json!(long))),
        ("requester on two lines", with(good(), "requester", json!("alice\nbob"))),
        ("domains as text", with(good(), "domains", json!("github.com"))),
        ("a number in domains", with(good(), "domains", json!(["github.com", 7]))),
        ("no domains", with(good(), "domains", json!([]))),
        ("too many domains", with(good(), "domains", json!(vec!["github.com"; 21]))),
        ("domains and preset", with(good(), "preset", json!("pypi"))),
        ("long justification", with(good(), "justification", json!(long))),
        ("no justification", without(good(), "justification")),
        ("long ticket", with(good(), "ticket", json!(long))),
        ("no time", with(good(), "duration_seconds", json!(0))),
        ("time backwards", with(good(), "duration_seconds", json!(-5))),
        ("a field too many", with(good(), "approved", json!(true))),
        ("no such decision", with(approve("a"), "decision", json!("maybe"))),
        ("no request's id", with(approve("a"), "request_id", json!("req-1"))),
        ("a request that isn't there", with(approve("a"), "request_id", json!("req-000000000000"))),
        ("long comment", with(approve("a"), "comment", json!(long))),
    ];
    let stage = Stage::new();
    let mut answers = Vec::new();
    for (what, event) in events {
        answers.push(format!("{what}: {}", stage.fails(event, &Faults::none()).await));
    }
    assert!(stage.ledger.requests().is_empty() && stage.told().is_empty() && stage.firewall.writes() == 0);
    insta::assert_snapshot!(answers.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn hostile_text_stays_text() {
    let stage = Stage::new();
    let words = "\"; sid:1;) \n pass ip any any -> any any (sid:2;)";
    stage.happens(with(ask("a", &["github.com"]), "justification", json!(words))).await;
    stage.happens(with(approve("a"), "comment", json!(words))).await;
    let rules = format!("{:?}", stage.firewall.content());
    assert!(!rules.contains("pass ip") && rules.contains("egress grant github.com"), "{rules}");
    assert_eq!(stage.request("a").justification, words);
}
