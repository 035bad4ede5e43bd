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
        ("long comment", with(approve("a"), "comment", json!(long))),
    ];
    let stage = Stage::new();
    let mut answers = Vec::new();
    for (what, event) in events {
        let outcome = stage.happens(event).await;
        answers.push(format!("{what}: {}", outcome.refused.expect("it is refused")));
    }
    assert!(stage.ledger.requests().is_empty() && stage.firewall.writes() == 0);
    assert_eq!(stage.told().len(), answers.len());
    insta::assert_snapshot!(answers.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_kept_once_and_told_with_the_place_where_to_answer() {
    let stage = Stage::new();
    let mut event = without(ask("a", &["github.com"]), "justification");
    event["detail"]["reply_to"] = json!({"via": "slack", "to": "C0123"});
    for _ in 0..2 {
        stage.happens(event.clone()).await;
    }
    let kept = stage.ledger.refused();
    assert_eq!(kept.len(), 1);
    assert!(kept[0].event.contains("github.com"), "{kept:?}");
    let told = stage.bus.published();
    assert_eq!(told[0].detail["reply_to"]["to"], "C0123");
    assert_eq!(told[0].detail["by"], "alice");
    assert!(told.iter().all(|event| event.detail["event_id"] == told[0].detail["event_id"]));
    stage.is_settled();
}

#[tokio::test(start_paused = true)]
async fn an_enormous_event_is_kept_in_part() {
    let stage = Stage::new();
    let event = with(ask("a", &["github.com"]), "justification", json!("x".repeat(500_000)));
    stage.happens(event).await;
    assert_eq!(stage.ledger.refused()[0].event.len(), 8_000);
}

#[tokio::test(start_paused = true)]
async fn a_reason_that_quotes_an_enormous_event_is_cut() {
    let stage = Stage::new();
    let enormous = "\u{202e}".repeat(30_000);
    stage.happens(with(ask("a", &["github.com"]), "duration_seconds", json!(enormous))).await;
    stage.happens(with(ask("a", &["github.com"]), &enormous, json!(1))).await;
    for event in stage.bus.published() {
        assert!(event.detail.to_string().len() < 20_000, "{}", event.detail.to_string().len());
    }
    assert_eq!(stage.bus.published().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_time_in_the_far_future_is_not_believed() {
    let stage = Stage::new();
    let mut event = approve("nothing");
    event["time"] = json!("9999-12-30T22:00:00Z");
    let outcome = stage.happens(event).await;
    assert!(outcome.not_allowed.concat().starts_with("there is no request"), "{:?}", outcome.not_allowed);
}

#[tokio::test(start_paused = true)]
async fn a_command_that_overtakes_its_request_comes_again_and_one_without_a_request_is_answered() {
    let stage = Stage::new();
    let mut early = approve("a");
    early["time"] = json!(tests::memory::clock::now());
    let answer = stage.fails(early.clone(), &Faults::none()).await;
    assert!(answer.starts_with("there is no request req-"), "{answer}");
    // Lambda tries again after a minute, and then after two.
    tests::memory::clock::pass(std::time::Duration::from_mins(3)).await;
    let outcome = stage.happens(early).await;
    assert_eq!(outcome.not_allowed.len(), 1);
    assert!(stage.told()[0].starts_with("CommandAnswered"), "{:?}", stage.told());
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
