//! Alerts rest for as long as somebody says who may.

use std::time::Duration;

use egress::ledger::Silence;
use serde_json::{Value, json};
use tests::memory::{Call, Fault, Faults, clock};

use crate::harness::{HOUR, Stage, intake};

fn silence(name: &str, by: &str, more: &Value) -> Value {
    let mut event = intake(
        "AlertsSilenced",
        &json!({
            "version": 1, "message_key": format!("webhook:{name}"), "by": by, "domain": "https://x.pypi.org/simple",
            "reply_to": {"via": "slack", "to": "C0123"},
        }),
    );
    event["detail"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    event
}

/// What stands in the ledger and has not ended: what is silenced, whose, and for how many more minutes.
fn rest(stage: &Stage) -> Vec<(String, Option<String>, i64)> {
    let left = |it: Silence| (it.domain, it.owner, it.until.duration_since(clock::now()).as_secs() / 60);
    stage.ledger.silenced().into_iter().filter(|it| clock::now() < it.until).map(left).collect()
}

fn answers(stage: &Stage) -> Vec<Value> {
    let told = stage.bus.published().into_iter().filter(|event| event.detail_type == "CommandAnswered");
    told.map(|event| event.detail["answer"].clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn an_approver_lets_alerts_rest_for_a_day_and_ends_it_before() {
    let stage = Stage::new();
    stage.happens(silence("a", "Bob", &json!({}))).await;
    stage
        .happens(silence("b", "erin", &json!({"owner": "profile/d-x/alice", "duration_seconds": 3_600})))
        .await;
    let pypi = "pypi.org".to_owned();
    let alice = Some("profile/d-x/alice".to_owned());
    assert_eq!(rest(&stage), [(pypi.clone(), None, 24 * 60), (pypi.clone(), alice, 60)]);
    let told = answers(&stage);
    assert_eq!(told[0]["kind"], "silenced");
    assert_eq!((&told[0]["silence"]["domain"], &told[0]["silence"]["by"]), (&json!(pypi), &json!("Bob")));

    clock::pass(HOUR).await;
    assert_eq!(rest(&stage), [(pypi, None, 23 * 60)]);
    stage.happens(silence("c", "carol", &json!({"duration_seconds": 0}))).await;
    assert_eq!(rest(&stage), []);
    assert_eq!(answers(&stage).len(), 3);
    stage.is_settled();
}

#[tokio::test(start_paused = true)]
async fn who_may_not_is_told_so_and_alerts_go_on() {
    let stage = Stage::new();
    for by in ["alice", "frank"] {
        stage.happens(silence(by, by, &json!({}))).await;
    }
    assert!(rest(&stage).is_empty());
    for told in answers(&stage) {
        assert_eq!(told, json!({"kind": "not_allowed", "reason": "no policy lets you silence alerts"}));
    }
}

#[tokio::test(start_paused = true)]
async fn a_silence_is_made_and_told_once_whatever_happens() {
    let faults = [Fault::FailBefore, Fault::FailAfter, Fault::CrashBefore, Fault::CrashAfter];
    for (place, fault) in faults.into_iter().enumerate() {
        let stage = Stage::new();
        let event = silence("a", "bob", &json!({}));
        let _ = stage.invoke(event.clone(), &Faults::script([(Call::Silence, fault)])).await;
        clock::pass(Duration::from_secs(90)).await;
        stage.happens(event).await;
        stage.tick().await;
        let minutes = rest(&stage)[0].2;
        assert_eq!(minutes, if place % 2 == 0 { 24 * 60 } else { 24 * 60 - 2 }, "fault {place}");
        assert_eq!(answers(&stage).len(), 1, "fault {place}");
        stage.is_settled();
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_domain_or_has_no_end_is_refused() {
    let stage = Stage::new();
    for more in [json!({"domain": "pypi"}), json!({"duration_seconds": 31 * 24 * 3_600})] {
        assert!(stage.happens(silence("a", "bob", &more)).await.refused.is_some());
    }
    assert!(rest(&stage).is_empty());
}
