//! From end to end: the templates on the local AWS, the real functions, the lab with the stack's rules.
//!
//! One stack serves all stories here, since it takes the most of the time; each has its own people and
//! domains.

#![cfg(test)]

mod alerts;
mod chats;
mod operations;
mod tickets;

use std::time::{Duration, Instant};

use anyhow::ensure;
use egress::events::{self, DomainRequested};
use egress::request::{Ending, RequestId, StateName};
use serde_json::{Value, json};
use tests::lab::probe::Probe;
use tests::lab::{Engine, Outcome};
use tests::stage::{Deployed, Stage};

pub(crate) const LIMIT: Duration = Duration::from_secs(30);
/// How long the tick takes to come here.
const MINUTE: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread")]
async fn the_deployed_stack_does_what_it_says() -> anyhow::Result<()> {
    let stage = Stage::set(Engine::detect()?, MINUTE).await?;
    let outputs = stage.deploy().await?;
    let mut deployed = Deployed::connect(&stage, outputs).await?;
    stage.opens_a_notebook(&deployed).await?;

    alerts::a_storm_begins(&deployed).await?;
    only_the_right_signature_is_heard(&deployed).await?;
    a_bad_field_is_named(&deployed).await?;
    a_bad_domain_is_refused_with_its_reason(&mut deployed).await?;
    // Each waits for something; none minds the others.
    let (.., story) = tokio::try_join!(
        a_second_delivery_changes_nothing(&deployed),
        nobody_approves_their_own_request(&deployed),
        a_grant_ends_by_itself(&stage, &deployed),
        two_approvals_at_the_same_instant_are_two(&deployed),
        of_two_decisions_at_the_same_instant_one_counts(&deployed),
        a_grant_is_extended_without_a_gap(&deployed),
        Box::pin(chats::somebody_asks_in_a_dialog_and_takes_it_back(&stage, &deployed)),
        Box::pin(chats::an_approver_presses_a_button_and_a_stranger_can_t(&stage, &deployed)),
        Box::pin(chats::a_question_is_answered_to_who_asked(&stage, &deployed)),
        Box::pin(chats::somebody_asks_and_somebody_approves_in_teams(&stage, &deployed)),
        Box::pin(tickets::an_issue_is_talked_to_and_closed_early(&stage, &deployed)),
        Box::pin(tickets::tickets_of_other_systems_are_decided_by_their_states(&stage, &deployed)),
        Box::pin(tickets::an_issue_s_request_runs_its_whole_way(&stage, &deployed)),
    )?;
    tickets::every_channel_has_heard_the_whole_story(&stage, &mut deployed, &story).await?;
    chats::a_broken_destination_holds_up_no_other(&stage, &deployed).await?;
    chats::what_fails_for_good_is_sent_again_by_an_operator(&stage, &deployed).await?;
    a_killed_function_leaves_nothing_half_done(&stage, &deployed).await?;
    another_writer_at_the_same_time_takes_no_grant_away(&deployed).await?;
    what_a_revoked_grant_let_through_is_cut(&stage, &deployed).await?;
    why_a_host_is_blocked_is_answered(&mut deployed).await?;
    a_hand_edit_is_reported_and_put_right(&mut deployed).await?;
    an_unreadable_line_costs_nothing_but_itself(&mut deployed).await?;
    alerts::an_alert_is_silenced_by_who_may(&mut deployed).await?;
    an_update_takes_no_grant_back(&stage, &mut deployed).await?;
    alerts::the_storm_was_one_alert_and_one_digest(&mut deployed).await?;

    operations::every_line_has_its_shape(&deployed).await?;
    operations::every_saved_query_finds_something(&stage, &deployed, &RequestId::of_message("webhook:cut-1"))
        .await?;

    assert_eq!(stage.channels.violations(), Vec::<String>::new());
    deployed.leave().await?;
    stage.delete().await?;
    let left = stage.resources().await?;
    ensure!(left.is_empty(), "left behind: {left:?}");
    stage.strike().await
}

pub(crate) fn asks(domain: &str) -> Value {
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
    deployed.has_said("requests", &[first.as_str(), "acted on already"]).await?;
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
    deployed.has_said("requests", &[id.as_str(), "bob@example.com", "not allowed"]).await?;
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

async fn a_grant_ends_by_itself(stage: &Stage, deployed: &Deployed) -> anyhow::Result<()> {
    // Shorter than intake takes, so that nobody waits for long here; long enough to be seen active.
    let asked = DomainRequested {
        version: events::VERSION,
        message_key: "webhook:short-1".to_owned(),
        requester: "dora@example.com".to_owned(),
        domains: vec!["github.com".to_owned()],
        preset: None,
        justification: "a story".to_owned(),
        ticket: None,
        duration_seconds: Some(25),
        break_glass: None,
        reply_to: None,
    };
    let id = deployed.hand_over(stage, &asked).await?;
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

fn decide(id: &RequestId, decision: &str, approver: &str) -> Value {
    json!({"action": "decide", "request_id": id, "decision": decision, "approver": approver})
}

async fn two_approvals_at_the_same_instant_are_two(deployed: &Deployed) -> anyhow::Result<()> {
    // Names of shared hosting take two approvers.
    let id = deployed.send("two-1", &asks("dora.github.io")).await?;
    let pending = deployed.until(&id, StateName::Pending).await?;
    assert_eq!(pending.approvals_needed, 2);
    let (bob, carol) =
        (decide(&id, "approve", "bob@example.com"), decide(&id, "approve", "carol@example.com"));
    tokio::try_join!(deployed.send("two-2", &bob), deployed.send("two-3", &carol))?;
    let active = deployed.until(&id, StateName::Active).await?;
    assert_eq!(active.approvals.len(), 2);
    egress::history::verify(&deployed.history(&id).await?)?;
    Ok(())
}

async fn of_two_decisions_at_the_same_instant_one_counts(deployed: &Deployed) -> anyhow::Result<()> {
    let id = deployed.send("both-1", &asks("both.example.org")).await?;
    deployed.until(&id, StateName::Pending).await?;
    let (bob, carol) = (decide(&id, "approve", "bob@example.com"), decide(&id, "deny", "carol@example.com"));
    tokio::try_join!(deployed.send("both-2", &bob), deployed.send("both-3", &carol))?;
    deployed.has_said("requests", &[id.as_str(), "not allowed"]).await?;
    let history = deployed.history(&id).await?;
    egress::history::verify(&history)?;
    let decided: Vec<&str> = history
        .iter()
        .map(|entry| entry.what.as_str())
        .filter(|what| ["approved", "denied"].contains(what))
        .collect();
    assert_eq!(decided.len(), 1, "{history:?}");
    Ok(())
}

async fn a_grant_is_extended_without_a_gap(deployed: &Deployed) -> anyhow::Result<()> {
    let id = deployed.send("longer-1", &asks("longer.example.org")).await?;
    deployed.until(&id, StateName::Pending).await?;
    deployed.send("longer-2", &decide(&id, "approve", "bob@example.com")).await?;
    deployed.until(&id, StateName::Active).await?;
    let extend = json!({"action": "extend", "request_id": id, "requester": "dora@example.com", "justification": "not done yet", "duration": "2h"});
    let more = deployed.send("longer-3", &extend).await?;
    deployed.until(&more, StateName::Pending).await?;
    deployed.send("longer-4", &decide(&more, "approve", "bob@example.com")).await?;
    deployed.until(&more, StateName::Active).await?;
    let replaced = deployed.until(&id, StateName::Ended).await?;
    assert_eq!((replaced.ending, replaced.superseded_by), (Some(Ending::Superseded), Some(more)));
    assert!(deployed.grants().await?.contains("longer.example.org"));
    Ok(())
}

async fn a_killed_function_leaves_nothing_half_done(
    stage: &Stage,
    deployed: &Deployed,
) -> anyhow::Result<()> {
    let body = json!({"action": "request", "requester": "dora@example.com", "preset": "pypi", "justification": "a story"});
    let id = deployed.send("killed-1", &body).await?;
    // It is killed while it waits for the firewall to be in sync, or a little before or after.
    deployed.is_there(&id).await?;
    let killed = deployed.kill(stage, "requests")?;
    ensure!(killed > 0, "there was nothing to kill");
    let active = deployed.until(&id, StateName::Active).await?;
    let history = deployed.history(&id).await?;
    egress::history::verify(&history)?;
    assert_eq!(history.len() as u64, active.version);
    Ok(())
}

async fn another_writer_at_the_same_time_takes_no_grant_away(deployed: &Deployed) -> anyhow::Result<()> {
    let names: Vec<String> = (0..4).map(|place| format!("stale-{place}.example.org")).collect();
    let mut ids = Vec::new();
    for name in &names {
        let id = deployed.send(&format!("{name}-1"), &asks(name)).await?;
        deployed.until(&id, StateName::Pending).await?;
        ids.push(id);
    }
    // Somebody with a script of their own writes the rule group again and again, with whatever they have read,
    // until the function was overtaken.
    let scribbles = async {
        loop {
            deployed.write_what_is_read().await?;
        }
    };
    let approvals = async {
        for (name, id) in names.iter().zip(&ids) {
            deployed.send(&format!("{name}-2"), &decide(id, "approve", "bob@example.com")).await?;
        }
        deployed.has_said("requests", &["another writer was quicker"]).await
    };
    tokio::select! {
        failed = scribbles => return failed,
        overtaken = approvals => overtaken?,
    }
    for id in &ids {
        deployed.until(id, StateName::Active).await?;
    }
    let grants = deployed.grants().await?;
    assert!(names.iter().all(|name| grants.contains(name)), "{grants}");
    deployed.in_force().await
}

async fn what_a_revoked_grant_let_through_is_cut(stage: &Stage, deployed: &Deployed) -> anyhow::Result<()> {
    grant(deployed, "cut", "github.com").await?;
    let id = RequestId::of_message("webhook:cut-1");
    let probe = Probe::tls_to("github.com", deployed.lab.address("github.com")?);
    assert_eq!(deployed.lab.probe(&probe).await?.outcome, Outcome::Answered);
    // The use comes back by the firewall's log: once as evidence, once as a message to who asked.
    deployed.used(&id).await?;
    let before = stage.flushed(&deployed.outputs).await?;
    let revoke = json!({"action": "revoke", "request_id": id, "by": "bob@example.com", "reason": "over"});
    deployed.send("cut-3", &revoke).await?;
    deployed.until(&id, StateName::Ended).await?;
    deployed.has_said("requests", &[id.as_str(), "connections are cut"]).await?;
    let started = Instant::now();
    while stage.flushed(&deployed.outputs).await? == before {
        ensure!(started.elapsed() < LIMIT, "no flow was flushed");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    deployed.without(id.as_str()).await
}

async fn why_a_host_is_blocked_is_answered(deployed: &mut Deployed) -> anyhow::Result<()> {
    let why = json!({"action": "why", "by": "dora@example.com", "host": "https://nothing.example.org/x"});
    deployed.webhook.send("why-1", &why).await?;
    let answer = deployed.inbox.find(LIMIT, |message| message.text.contains("nothing.example.org")).await?;
    assert!(answer.text.contains("nothing allows it"), "{}", answer.text);
    Ok(())
}

async fn a_hand_edit_is_reported_and_put_right(deployed: &mut Deployed) -> anyhow::Result<()> {
    let before = deployed.grants().await?;
    deployed.edit_by_hand(&format!("{before}# somebody was here\n")).await?;
    let drift = deployed.inbox.find(LIMIT, |message| message.text.contains("by hand")).await?;
    let group = deployed.outputs["GrantRuleGroupArn"].rsplit('/').next().unwrap_or_default();
    assert!(drift.text.contains("CloudTrail") && drift.text.contains(group), "{}", drift.text);
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
    let mut lines = vec!["this is not JSON".to_owned(); 30];
    let mut plain = record.clone();
    plain["event"].as_object_mut().and_then(|event| event.remove("tls"));
    plain["event"]["flow_id"] = json!(18);
    plain["event"]["http"] = json!({"hostname": "plain.example.org", "url": "/", "http_method": "GET"});
    plain["event"]["app_proto"] = json!("http");
    lines.extend([record.to_string(), plain.to_string(), "{\"event\":".to_owned()]);
    deployed.log(&lines).await?;
    let alert = deployed.inbox.find(LIMIT, |message| message.text.contains("neighbour.example.org")).await?;
    // Nobody has that address.
    let known = ["from 10.2.3.99 (whose it is isn't known: ", "address/10.2.3.99"];
    assert!(known.iter().all(|text| alert.text.contains(text)), "{}", alert.text);
    Ok(())
}

async fn an_update_takes_no_grant_back(stage: &Stage, deployed: &mut Deployed) -> anyhow::Result<()> {
    use Outcome::{Answered, Reset, TimedOut};
    // Given two live grants, and the defaults for everything else,
    grant(deployed, "kept", "github.com").await?;
    grant(deployed, "denied", "www.evil.example").await?;
    let names = ["github.com", "www.evil.example", "example.com", "www.example.com"];
    assert_eq!(outcomes(deployed, names).await?, [Answered, Answered, Reset, Reset]);

    // when the stack is updated with other lists, another answer to what is blocked, and room for more
    // grants, which is another rule group,
    let before = deployed.outputs.clone();
    let parameters = [
        ("DENIED_DOMAINS", ".evil.example"),
        ("BLOCK_ACTION", "Drop"),
        ("GRANT_CAPACITY", "3000"),
        ("ALLOWED_DOMAINS", ".kaggle.com,example.com"),
    ];
    deployed.update(stage, &parameters).await?;
    let changed: Vec<_> = before.keys().filter(|name| before[*name] != deployed.outputs[*name]).collect();
    assert_eq!(changed, ["GrantRuleGroupArn"]);

    // then the grant still passes, and so does what is allowed now; a grant opens nothing that is denied
    // now; and what is blocked gets no answer.
    let after = [Answered, TimedOut, Answered, TimedOut];
    assert_eq!(outcomes(deployed, names).await?, after);
    assert!(deployed.grants().await?.contains("www.evil.example"), "the grant itself is still there");
    // What is granted from now on passes, too.
    grant(deployed, "new", "files.example.org").await?;
    assert_eq!(outcomes(deployed, ["files.example.org"]).await?, [Answered]);

    // And when the firewall is put behind the NAT gateway, all that stays.
    let before = deployed.outputs.clone();
    deployed.update(stage, &[("FIREWALL_PLACEMENT", "AfterNATGateway")]).await?;
    assert_eq!(deployed.outputs, before);
    assert_eq!(outcomes(deployed, names).await?, after);
    assert_eq!(outcomes(deployed, ["files.example.org"]).await?, [Answered]);
    Ok(())
}

/// Asks for a domain, approves it, and waits until that is in force.
async fn grant(deployed: &Deployed, story: &str, domain: &str) -> anyhow::Result<()> {
    let id = deployed.send(&format!("{story}-1"), &asks(domain)).await?;
    deployed.until(&id, StateName::Pending).await?;
    let approve =
        json!({"action": "decide", "request_id": id, "decision": "approve", "approver": "bob@example.com"});
    deployed.send(&format!("{story}-2"), &approve).await?;
    deployed.until(&id, StateName::Active).await?;
    deployed.in_force().await
}

/// What becomes of TLS connections to these names, all at once. They go to the same server: it is the name
/// that the firewall judges.
async fn outcomes<const N: usize>(deployed: &Deployed, names: [&str; N]) -> anyhow::Result<Vec<Outcome>> {
    let server = deployed.lab.address("github.com")?;
    let seen = deployed.lab.probes(&names.map(|name| Probe::tls_to(name, server))).await?;
    Ok(seen.into_iter().map(|one| one.outcome).collect())
}
