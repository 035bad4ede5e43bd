//! What grants let through: it is cut when they end, and what nobody uses is named.

use egress::firewall::{FirewallError, Flow};
use serde_json::json;
use tests::memory::{Call, Fault, Faults, clock};

use crate::harness::{HOUR, MINUTE, Stage, approve, ask, ask_preset, extend, id, question, revoke, tick};

fn flow(port: u16) -> Flow {
    Flow { source: "10.2.3.4".parse().unwrap(), destination: "203.0.113.7".parse().unwrap(), port }
}

/// A grant that is in use.
async fn in_use() -> Stage {
    let stage = Stage::new();
    stage.happens(ask("a", &["github.com"])).await;
    stage.happens(approve("a")).await;
    for port in [443, 8443] {
        stage.ledger.use_grant(&id("a"), flow(port), clock::now());
    }
    stage
}

#[tokio::test(start_paused = true)]
async fn what_a_revoked_grant_let_through_is_cut() {
    let stage = in_use().await;
    let outcome = stage.happens(revoke("a", "bob")).await;
    assert_eq!(outcome.cut, [id("a").to_string()]);
    assert_eq!(stage.firewall.flushed(), [flow(443), flow(8443)]);
    // What the log brings late is cut, too, and then it is over.
    stage.ledger.use_grant(&id("a"), flow(22), clock::now());
    stage.tick_after(2 * MINUTE).await;
    assert!(stage.firewall.flushed().contains(&flow(22)));
    let flushed = stage.firewall.flushed().len();
    stage.tick_after(MINUTE).await;
    assert_eq!(stage.firewall.flushed().len(), flushed);
    stage.is_settled();
}

#[tokio::test(start_paused = true)]
async fn what_an_expired_grant_let_through_is_cut_by_the_tick_that_ends_it() {
    let stage = in_use().await;
    stage.tick_after(HOUR).await;
    assert_eq!(stage.firewall.flushed(), [flow(443), flow(8443)]);
}

#[tokio::test(start_paused = true)]
async fn what_was_extended_goes_on() {
    let stage = in_use().await;
    stage.happens(extend("more", "a", "alice", 24 * 3_600)).await;
    stage.happens(approve("more")).await;
    stage.tick_after(MINUTE).await;
    assert!(stage.firewall.flushed().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_was_extended_is_cut_when_its_extension_ends() {
    let stage = in_use().await;
    for (more, original, hours) in [("more", "a", 24), ("still-more", "more", 48)] {
        stage.happens(extend(more, original, "alice", hours * 3_600)).await;
        stage.happens(approve(more)).await;
    }
    stage.ledger.use_grant(&id("still-more"), flow(22), clock::now());
    let outcome = stage.happens(revoke("still-more", "bob")).await;
    assert_eq!(outcome.cut, [id("still-more").to_string()]);
    let mut flushed = stage.firewall.flushed();
    flushed.sort();
    assert_eq!(flushed, [flow(22), flow(443), flow(8443)]);
}

#[tokio::test(start_paused = true)]
async fn what_goes_on_is_not_cut_when_an_extension_ends_that_never_stood() {
    let stage = in_use().await;
    stage.firewall.set_sync_delay(3 * MINUTE);
    stage.happens(extend("more", "a", "alice", 24 * 3_600)).await;
    stage.happens(approve("more")).await;
    stage.happens(revoke("more", "bob")).await;
    for _ in 0..3 {
        stage.tick_after(3 * MINUTE).await;
    }
    assert!(stage.firewall.flushed().is_empty());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_cut_before_new_connections_are_blocked_everywhere() {
    let stage = in_use().await;
    stage.firewall.set_sync_delay(3 * MINUTE);
    stage.happens(revoke("a", "bob")).await;
    assert!(stage.firewall.flushed().is_empty());
    stage.tick_after(3 * MINUTE).await;
    assert!(!stage.firewall.flushed().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_cut_that_failed_is_made_by_the_tick() {
    let stage = in_use().await;
    stage.fails(revoke("a", "bob"), &Faults::script([(Call::Flush, Fault::FailBefore)])).await;
    stage.tick_after(MINUTE).await;
    assert_eq!(stage.firewall.flushed(), [flow(443), flow(8443)]);
}

async fn unused(stage: &Stage, name: &str) -> serde_json::Value {
    stage.happens(question(name, "frank", &json!({"kind": "list", "which": "unused"}))).await;
    stage.bus.published().pop().unwrap().detail["answer"].clone()
}

#[tokio::test(start_paused = true)]
async fn grants_that_nobody_uses_are_named() {
    let stage = in_use().await;
    stage.happens(ask("b", &["b.example.com"])).await;
    stage.happens(approve("b")).await;
    clock::pass(MINUTE).await;
    let answer = unused(&stage, "q").await;
    let ids: Vec<&str> =
        answer["requests"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(ids, [id("b").as_str()], "{answer}");
}

#[tokio::test(start_paused = true)]
async fn where_uses_are_not_logged_nobody_says_that_a_grant_is_unused() {
    let stage = in_use().await;
    stage.firewall.set_logs_alerts(false);
    assert_eq!(unused(&stage, "q").await["kind"], "not_allowed");

    let list = Stage::shared_list(&[".kaggle.com"]);
    let answer = unused(&list, "q").await;
    assert!(
        answer["reason"].as_str().unwrap().contains("a domain list, whose rules log nothing"),
        "{answer}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_cut_that_fails_keeps_no_other_and_is_given_up_after_a_while() {
    // Given two grants with so many connections that they are cut one after the other,
    let stage = Stage::new();
    for name in ["a", "b"] {
        stage.happens(ask(name, &[&format!("{name}.example.com")])).await;
        stage.happens(approve(name)).await;
        for port in 0..15 {
            let port = port + if name == "a" { 100 } else { 200 };
            stage.ledger.use_grant(&id(name), flow(port), clock::now());
        }
    }
    // when they end and the first cut fails, then the other is made,
    clock::pass(HOUR).await;
    stage.fails(tick(), &Faults::script([(Call::Flush, Fault::FailBefore)])).await;
    assert_eq!(stage.firewall.flushed().len(), 15);
    // and where all fail for an hour, that is the end of it.
    let broken =
        || Faults::new(std::time::Duration::ZERO, |call| (call == Call::Flush).then_some(Fault::FailBefore));
    clock::pass(50 * MINUTE).await;
    stage.fails(tick(), &broken()).await;
    assert_eq!(stage.ledger.to_cut().len(), 2);
    clock::pass(10 * MINUTE).await;
    stage.fails(tick(), &broken()).await;
    assert!(stage.ledger.to_cut().is_empty());
}

#[tokio::test(start_paused = true)]
async fn of_a_grant_that_no_rule_names_nobody_says_that_it_is_unused() {
    // Given more grants of a domain than its rules name,
    let stage = Stage::new();
    for name in 0..310 {
        stage.happens(ask_preset(&name.to_string(), "pypi")).await;
    }
    // then only those that they name are unused as far as anybody knows.
    let answer = unused(&stage, "q").await;
    let listed = answer["requests"].as_array().unwrap().len() as u64;
    assert_eq!(listed + answer["more"].as_u64().unwrap(), 300, "{answer}");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_cut_for_good_while_a_rule_group_can_t_be_read() {
    let stage = Stage::of_groups(2);
    stage.happens(ask("a", &["github.com"])).await;
    stage.happens(approve("a")).await;
    stage.ledger.use_grant(&id("a"), flow(443), clock::now());
    let why = FirewallError::Shape("it is a deny list".to_owned());
    stage.firewall.set_unreadable(1, Some(why));
    stage.fails(revoke("a", "bob"), &Faults::none()).await;
    clock::pass(10 * MINUTE).await;
    stage.fails(tick(), &Faults::none()).await;
    assert_eq!(stage.ledger.to_cut().len(), 1);
    stage.firewall.set_unreadable(1, None);
    stage.tick().await;
    assert_eq!(stage.firewall.flushed(), [flow(443)]);
    stage.is_settled();
}
