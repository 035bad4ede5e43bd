//! What people ask, what they are answered, and what approvers know before they decide.

use egress::ledger::BlockedCount;
use serde_json::{Value, json};
use tests::memory::{Call, Fault, Faults, clock};

use crate::harness::{HOUR, Stage, approve, ask, ask_preset, decide, id, question};

/// Asks, and reads what is told.
async fn answer(stage: &Stage, by: &str, asked: Value) -> Value {
    let name = format!("{by}:{asked}");
    stage.happens(question(&name, by, &asked)).await;
    let told = stage.bus.published().pop().unwrap();
    assert_eq!(
        (told.detail_type.as_str(), &told.detail["reply_to"]["to"]),
        ("CommandAnswered", &json!("C0123"))
    );
    told.detail["answer"].clone()
}

fn ids(answer: &Value) -> Vec<&str> {
    answer["requests"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect()
}

async fn several() -> Stage {
    let stage = Stage::new();
    stage.happens(ask("pending", &["github.com"])).await;
    stage.happens(ask_preset("live", "pypi")).await;
    stage.happens(ask("denied", &["example.com"])).await;
    stage.happens(decide("denied", "deny", "bob")).await;
    stage
}

#[tokio::test(start_paused = true)]
async fn everybody_sees_their_own_requests_and_auditors_see_all() {
    let stage = several().await;
    let list = |which: &str| json!({"kind": "list", "which": which});
    let mine = answer(&stage, "Alice", list("mine")).await;
    assert_eq!(ids(&mine).len(), 2, "{mine}");
    assert!(ids(&answer(&stage, "mallory", list("mine")).await).is_empty());
    assert_eq!(answer(&stage, "mallory", list("pending")).await["kind"], "not_allowed");
    assert_eq!(ids(&answer(&stage, "frank", list("pending")).await), [id("pending").as_str()]);
    assert_eq!(ids(&answer(&stage, "bob", list("live")).await), [id("live").as_str()]);
}

#[tokio::test(start_paused = true)]
async fn what_became_of_a_request_is_told_to_who_may_see_it() {
    let stage = several().await;
    let status = json!({"kind": "status", "request_id": id("denied")});
    let told = answer(&stage, "alice", status.clone()).await;
    let what: Vec<&Value> = told["history"].as_array().unwrap().iter().map(|entry| &entry["what"]).collect();
    assert_eq!(what, ["asked", "denied"]);
    assert_eq!(answer(&stage, "mallory", status).await["kind"], "not_allowed");
    let nothing = json!({"kind": "status", "request_id": "req-000000000000"});
    let (hidden, missing) = (
        answer(&stage, "mallory", json!({"kind": "status", "request_id": id("live")})).await,
        answer(&stage, "mallory", nothing).await,
    );
    let without_id = |text: &Value, id: &str| text["reason"].as_str().unwrap().replace(id, "");
    assert_eq!(without_id(&hidden, id("live").as_str()), without_id(&missing, "req-000000000000"));
}

#[tokio::test(start_paused = true)]
async fn why_a_host_is_blocked() {
    let stage = several().await;
    let told = answer(&stage, "alice", json!({"kind": "why", "host": "https://GitHub.com/x"})).await;
    assert_eq!(told["host"], "github.com", "{told}");
    assert!(told.to_string().contains(id("pending").as_str()), "{told}");
}

#[tokio::test(start_paused = true)]
async fn why_tells_nobody_of_others_who_may_not_see_their_requests() {
    let stage = several().await;
    stage.ledger.block(BlockedCount {
        host: "github.com".to_owned(),
        source: "10.2.3.4".to_owned(),
        connections: 2,
        last_seen: clock::now(),
        signature: "egress: not on the allow list".to_owned(),
        owner: None,
    });
    stage.ledger.block(BlockedCount {
        host: "github.com".to_owned(),
        source: "10.2.3.5".to_owned(),
        connections: 2,
        last_seen: clock::now(),
        signature: "egress: not on the allow list".to_owned(),
        owner: Some("user profile carol in d-x".to_owned()),
    });
    let why = json!({"kind": "why", "host": "github.com"});
    for (by, sees) in [("frank", true), ("bob", true), ("mallory", false)] {
        let told = answer(&stage, by, why.clone()).await.to_string();
        assert_eq!(told.contains(id("pending").as_str()), sees, "{by}: {told}");
        assert_eq!(told.contains("10.2.3.4"), sees, "{by}: {told}");
        assert_eq!(told.contains("carol"), sees, "{by}: {told}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_question_is_answered_once_also_when_it_comes_twice() {
    let stage = several().await;
    let event = question("q", "alice", &json!({"kind": "list", "which": "mine"}));
    stage.happens(event.clone()).await;
    let told = stage.told().len();
    stage.happens(event).await;
    assert_eq!(stage.told().len(), told);
}

#[tokio::test(start_paused = true)]
async fn who_gives_a_command_with_an_address_is_answered_there() {
    let stage = Stage::new();
    stage.happens(ask("a", &["github.com"])).await;
    let with_address = |mut event: Value| {
        event["detail"]["reply_to"] = json!({"via": "slack", "to": "C0123"});
        event
    };
    stage.happens(with_address(decide("a", "approve", "mallory"))).await;
    stage.happens(with_address(approve("a"))).await;
    let answers: Vec<(Value, Value)> = stage
        .bus
        .published()
        .into_iter()
        .filter(|event| event.detail_type == "CommandAnswered")
        .map(|event| (event.detail["by"].clone(), event.detail["answer"]["kind"].clone()))
        .collect();
    assert_eq!(answers, [(json!("mallory"), json!("not_allowed")), (json!("bob"), json!("done"))]);
    stage.is_settled();
}

#[tokio::test(start_paused = true)]
async fn approvers_know_what_a_request_would_have_let_through() {
    let stage = Stage::new();
    stage.happens(ask("before", &["github.com"])).await;
    stage.happens(approve("before")).await;
    stage.ledger.block(BlockedCount {
        host: "api.github.com".to_owned(),
        source: "10.2.3.4".to_owned(),
        connections: 214,
        last_seen: clock::now(),
        signature: "egress: not on the allow list".to_owned(),
        owner: Some("user profile alice in d-x".to_owned()),
    });
    clock::pass(HOUR / 2).await;
    stage.happens(ask("a", &[".github.com", "github.com"])).await;
    let assessment = stage.request("a").assessment;
    insta::assert_snapshot!(
        egress::risk::sentences(&assessment).join("\n").replace(id("before").as_str(), "req-before")
    );
}

#[tokio::test(start_paused = true)]
async fn what_can_t_be_found_out_holds_no_request_up() {
    let stage = Stage::new();
    let faults = Faults::script([
        (Call::Blocked, Fault::FailBefore),
        (Call::Read, Fault::FailBefore),
        (Call::LiveGrants, Fault::FailBefore),
    ]);
    stage.invoke(ask("a", &["github.com"]), &faults).await.unwrap().unwrap();
    assert_eq!(stage.request("a").assessment.unknown.len(), 3);
}
