//! From end to end: the templates on the local AWS, the real functions, the lab with the stack's rules.
//!
//! One stack serves all stories here, since it takes the most of the time; each has its own people and
//! domains.

#![cfg(test)]

use std::time::Duration;

use anyhow::ensure;
use egress::events::{self, DomainRequested};
use egress::request::{Ending, StateName};
use serde_json::{Value, json};
use tests::lab::probe::Probe;
use tests::lab::{Engine, Outcome};
use tests::stage::{Deployed, Stage};

const LIMIT: Duration = Duration::from_secs(30);
/// How long the tick takes to come here.
const MINUTE: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread")]
async fn the_deployed_stack_does_what_it_says() -> anyhow::Result<()> {
    let stage = Stage::set(Engine::detect()?, MINUTE).await?;
    let outputs = stage.deploy().await?;
    let mut deployed = Deployed::connect(&stage, outputs).await?;

    only_the_right_signature_is_heard(&deployed).await?;
    a_bad_field_is_named(&deployed).await?;
    a_bad_domain_is_refused_with_its_reason(&mut deployed).await?;
    a_second_delivery_changes_nothing(&deployed).await?;
    nobody_approves_their_own_request(&deployed).await?;
    a_grant_ends_by_itself(&deployed).await?;
    a_hand_edit_is_reported_and_put_right(&mut deployed).await?;
    an_unreadable_line_costs_nothing_but_itself(&mut deployed).await?;

    deployed.leave().await?;
    stage.delete().await?;
    let left = stage.resources().await?;
    ensure!(left.is_empty(), "left behind: {left:?}");
    stage.strike().await
}

fn asks(domain: &str) -> Value {
    json!({
        "action": "request", "requester": "dora@example.com", "domains": [domain], "justification": "a story",
        "duration": "1h",
    })
}

async fn only_the_right_signature_is_heard(deployed: &Deployed) -> anyhow::Result<()> {
    let forger = deployed.webhook.with_secret("not the secret");
    let answer = forger.send("forged-1", &asks("forged.example.org")).await?;
    assert_eq!((answer.status, answer.body), (401, Value::Null));
    Ok(())
}

async fn a_bad_field_is_named(deployed: &Deployed) -> anyhow::Result<()> {
    let mut body = asks("example.org");
    body["duration"] = json!("soon");
    let answer = deployed.webhook.send("bad-field-1", &body).await?;
    assert_eq!(answer.status, 400);
    let error = answer.body["error"].as_str().unwrap_or_default();
    assert!(error.contains("duration"), "{error}");
    Ok(())
}

async fn a_bad_domain_is_refused_with_its_reason(deployed: &mut Deployed) -> anyhow::Result<()> {
    let id = deployed.send("bad-domain-1", &asks("*.github.io")).await?;
    let refused = deployed.until(&id, StateName::Refused).await?;
    assert!(refused.refused_domains[0].reason.contains("public suffix"), "{refused:?}");
    let message = deployed.inbox.find(LIMIT, |message| message.text.contains(id.as_str())).await?;
    assert!(message.text.contains("public suffix"), "{}", message.text);
    Ok(())
}

async fn a_second_delivery_changes_nothing(deployed: &Deployed) -> anyhow::Result<()> {
    let body = asks("twice.example.org");
    let first = deployed.send("twice-1", &body).await?;
    deployed.until(&first, StateName::Pending).await?;
    assert_eq!(deployed.send("twice-1", &body).await?, first);
    // What comes after it in the same queue has been worked off, so the second delivery has, too.
    let later = deployed.send("twice-2", &asks("later.example.org")).await?;
    deployed.until(&later, StateName::Pending).await?;
    assert_eq!(deployed.history(&first).await?.len(), 1);
    Ok(())
}

async fn nobody_approves_their_own_request(deployed: &Deployed) -> anyhow::Result<()> {
    let mut body = asks("own.example.org");
    body["requester"] = json!("bob@example.com");
    let id = deployed.send("own-1", &body).await?;
    deployed.until(&id, StateName::Pending).await?;
    let decide = |approver: &str| json!({"action": "decide", "request_id": id, "decision": "approve", "approver": approver});
    deployed.send("own-2", &decide("bob@example.com")).await?;
    deployed.send("own-3", &decide("carol@example.com")).await?;
    deployed.until(&id, StateName::Active).await?;
    let approvers: Vec<String> = deployed
        .history(&id)
        .await?
        .into_iter()
        .filter(|entry| entry.to == StateName::Approved)
        .map(|entry| entry.by)
        .collect();
    assert_eq!(approvers, ["carol@example.com"]);
    Ok(())
}

async fn a_grant_ends_by_itself(deployed: &Deployed) -> anyhow::Result<()> {
    // Shorter than intake takes, so that nobody waits here.
    let asked = DomainRequested {
        version: events::VERSION,
        message_key: "webhook:short-1".to_owned(),
        requester: "dora@example.com".to_owned(),
        domains: vec!["github.com".to_owned()],
        preset: None,
        justification: "a story".to_owned(),
        ticket: None,
        duration_seconds: Some(5),
    };
    let id = deployed.publish(&asked).await?;
    deployed.until(&id, StateName::Pending).await?;
    let approve =
        json!({"action": "decide", "request_id": id, "decision": "approve", "approver": "bob@example.com"});
    deployed.send("short-2", &approve).await?;
    deployed.until(&id, StateName::Active).await?;
    deployed.in_force().await?;
    let probe = Probe::tls_to("github.com", deployed.lab.address("github.com")?);
    assert_eq!(deployed.lab.probe(&probe).await?.outcome, Outcome::Answered);

    let ended = deployed.until(&id, StateName::Ended).await?;
    assert_eq!(ended.ending, Some(Ending::Expired));
    deployed.without(id.as_str()).await?;
    assert_eq!(deployed.lab.probe(&probe).await?.outcome, Outcome::Reset);
    Ok(())
}

async fn a_hand_edit_is_reported_and_put_right(deployed: &mut Deployed) -> anyhow::Result<()> {
    let before = deployed.grants().await?;
    deployed.edit_by_hand(&format!("{before}# somebody was here\n")).await?;
    let drift = deployed.inbox.find(LIMIT, |message| message.text.contains("by hand")).await?;
    assert!(drift.text.contains("by hand"));
    deployed.without("somebody was here").await?;
    assert_eq!(deployed.grants().await?, before);
    Ok(())
}

async fn an_unreadable_line_costs_nothing_but_itself(deployed: &mut Deployed) -> anyhow::Result<()> {
    let record = json!({
        "firewall_name": "by-hand", "availability_zone": "us-east-1a", "event_timestamp": "1759317294",
        "event": {
            "timestamp": "2025-10-01T11:14:54.833146+0000", "flow_id": 17, "event_type": "alert", "proto": "TCP",
            "src_ip": "10.2.3.99", "src_port": 40655, "dest_ip": "203.0.113.9", "dest_port": 443, "app_proto": "tls",
            "alert": {"action": "blocked", "signature_id": 4, "signature": "aws:alert_established action"},
            "verdict": {"action": "drop"}, "tls": {"sni": "neighbour.example.org"},
        },
    });
    let lines = ["this is not JSON".to_owned(), record.to_string(), "{\"event\":".to_owned()];
    deployed.log(&lines).await?;
    let alert = deployed.inbox.find(LIMIT, |message| message.text.contains("neighbour.example.org")).await?;
    assert!(alert.text.contains("10.2.3.99"), "{}", alert.text);
    Ok(())
}
