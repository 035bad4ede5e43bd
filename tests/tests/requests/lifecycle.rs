//! What people see when everything goes right.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use egress::request::{Ending, StateName};
use tests::memory::{Call, Faults, clock};
use tokio::time::Instant;

use crate::harness::{HOUR, MINUTE, Stage, approve, ask, ask_preset, decide, revoke};

const TWO_APPROVERS: &str = r#"
@id("two-approvers")
@reason("Two approvers have to say yes.")
forbid (principal, action == Egress::Action::"Grant", resource) when { context.approvals < 2 };
"#;

#[tokio::test(start_paused = true)]
async fn somebody_asks_an_approver_says_yes_and_the_domain_is_open_for_an_hour() {
    let stage = Stage::new();
    stage.happens(ask("a", &["https://GitHub.com/torvalds/linux", "*.github.com"])).await;
    assert_eq!(stage.state("a"), StateName::Pending);
    assert!(stage.lets_pass().is_empty());

    stage.happens(approve("a")).await;
    assert_eq!(stage.state("a"), StateName::Active);
    assert_eq!(stage.lets_pass(), [".github.com", "github.com"]);

    stage.tick_after(HOUR).await;
    assert_eq!(stage.request("a").ending, Some(Ending::Expired));
    assert!(stage.lets_pass().is_empty());
    stage.is_settled();
    insta::assert_snapshot!(stage.told().join("\n"));
}

#[tokio::test(start_paused = true)]
async fn each_event_has_an_id_that_follows_from_the_request_and_its_version() {
    let stage = Stage::new();
    stage.happens(ask("a", &["github.com"])).await;
    stage.happens(approve("a")).await;
    let id = stage.request("a").id;
    let ids: Vec<_> = stage
        .bus
        .published()
        .iter()
        .filter_map(|event| event.detail["event_id"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(ids, [format!("{id}.1"), format!("{id}.2"), format!("{id}.3")]);
}

#[tokio::test(start_paused = true)]
async fn a_preset_is_open_at_once_after_five_calls_one_after_the_other() {
    let second = Duration::from_secs(1);
    let stages = [(Stage::new(), 4), (Stage::shared_list(&[".kaggle.com"]), 5), (Stage::shared_lists(), 5)];
    for (stage, most) in stages {
        let (began, written) = (Instant::now(), Arc::new(Mutex::new(Duration::ZERO)));
        let noted = Arc::clone(&written);
        let faults = Faults::new(second, move |call| {
            if call == Call::Write {
                *noted.lock().unwrap() = began.elapsed();
            }
            None
        });
        stage.invoke(ask_preset("a", "pypi"), &faults).await.unwrap().unwrap();
        assert_eq!(stage.state("a"), StateName::Active);
        assert_eq!(*written.lock().unwrap(), most * second, "{:?}", faults.calls());
    }
}

#[tokio::test(start_paused = true)]
async fn domains_that_presets_cover_need_nobody_and_one_more_needs_somebody() {
    let stage = Stage::new();
    stage.happens(ask("a", &["pypi.org"])).await;
    stage.happens(ask("b", &["pypi.org", "example.com"])).await;
    assert_eq!((stage.state("a"), stage.state("b")), (StateName::Active, StateName::Pending));
}

#[tokio::test(start_paused = true)]
async fn a_denied_request_opens_nothing() {
    let stage = Stage::new();
    stage.happens(ask("a", &["github.com"])).await;
    stage.happens(decide("a", "deny", "bob")).await;
    assert_eq!(stage.state("a"), StateName::Denied);
    stage.happens(approve("a")).await;
    assert_eq!(stage.state("a"), StateName::Denied);
    assert!(stage.lets_pass().is_empty());
    stage.is_settled();
}

#[tokio::test(start_paused = true)]
async fn only_approvers_decide_and_nobody_about_an_own_request() {
    let mut stage = Stage::new();
    let approvers = stage.rulebook.config.groups.get_mut("approvers").unwrap();
    approvers.extend(["alice".to_owned(), "Alice".to_owned()]);
    stage.happens(ask("a", &["github.com"])).await;
    let mut answers = Vec::new();
    for by in ["mallory", "alice", "Alice"] {
        answers.extend(stage.happens(decide("a", "approve", by)).await.not_allowed);
    }
    assert_eq!(stage.state("a"), StateName::Pending);
    insta::assert_snapshot!(answers.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn two_approvals_are_two_people() {
    let stage = Stage::new().policy(TWO_APPROVERS);
    stage.happens(ask("a", &["github.com"])).await;
    stage.happens(approve("a")).await;
    let again = crate::harness::intake(
        "RequestDecided",
        &serde_json::json!({
            "version": 1, "message_key": "webhook:again", "request_id": stage.request("a").id,
            "decision": "approve", "approver": "bob",
        }),
    );
    assert_eq!(stage.happens(again).await.not_allowed.len(), 1);
    assert_eq!(stage.state("a"), StateName::Pending);
    stage.happens(decide("a", "approve", "carol")).await;
    assert_eq!(stage.state("a"), StateName::Active);
    stage.is_settled();
}

#[tokio::test(start_paused = true)]
async fn what_a_rule_forbids_is_refused_at_once_and_says_why() {
    let stage = Stage::new();
    for (name, domains) in [
        ("ip", &["10.0.0.1", "github.com"][..]),
        ("suffix", &[".github.io"]),
        ("denied", &["a.evil.org"]),
        ("quote", &["a\";sid:1;.com"]),
    ] {
        stage.happens(ask(name, domains)).await;
        assert_eq!(stage.state(name), StateName::Refused);
    }
    stage.happens(ask_preset("preset", "npm")).await;
    stage.happens(crate::harness::ask_for("long", &["github.com"], 31 * 24 * HOUR)).await;
    stage.is_settled();
    let reasons = |event: &egress::bus::Event| event.detail["comment"].as_str().map(str::to_owned);
    let reasons: Vec<String> = stage.bus.published().iter().filter_map(reasons).collect();
    insta::assert_snapshot!(reasons.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn what_nobody_decides_lapses() {
    let stage = Stage::new();
    stage.happens(ask("a", &["github.com"])).await;
    stage.tick_after(71 * HOUR).await;
    assert_eq!(stage.state("a"), StateName::Pending);
    stage.tick_after(HOUR).await;
    assert_eq!(stage.state("a"), StateName::Lapsed);
    stage.is_settled();
}

#[tokio::test(start_paused = true)]
async fn an_approver_or_the_requester_closes_again_and_nobody_else() {
    let stage = Stage::new();
    for (name, by) in [("a", "carol"), ("b", "alice")] {
        stage.happens(ask(name, &["github.com"])).await;
        stage.happens(approve(name)).await;
        stage.happens(revoke(name, "mallory")).await;
        assert_eq!(stage.state(name), StateName::Active);
        stage.happens(revoke(name, by)).await;
        assert_eq!(stage.request(name).ending, Some(Ending::Revoked));
        assert!(stage.lets_pass().is_empty());
    }
    stage.is_settled();
}

#[tokio::test(start_paused = true)]
async fn a_domain_stays_open_as_long_as_one_grant_needs_it() {
    let stage = Stage::new();
    for name in ["a", "b"] {
        stage.happens(ask(name, &["github.com"])).await;
        stage.happens(approve(name)).await;
    }
    stage.happens(revoke("a", "bob")).await;
    assert_eq!(stage.lets_pass(), ["github.com"]);
    stage.happens(revoke("b", "bob")).await;
    assert!(stage.lets_pass().is_empty());
    stage.is_settled();
}

#[tokio::test(start_paused = true)]
async fn a_slow_firewall_keeps_the_grant_approved_until_a_tick_finds_it_in_sync() {
    let stage = Stage::new();
    stage.firewall.set_sync_delay(3 * MINUTE);
    stage.happens(ask_preset("a", "pypi")).await;
    assert_eq!(stage.state("a"), StateName::Approved);
    stage.tick_after(MINUTE).await;
    assert_eq!(stage.state("a"), StateName::Approved);
    stage.tick_after(2 * MINUTE).await;
    assert_eq!(stage.state("a"), StateName::Active);
    stage.is_settled();
}

#[tokio::test(start_paused = true)]
async fn active_is_said_only_when_every_zone_is_in_sync() {
    let stage = Stage::new();
    stage.firewall.set_sync_delay(Duration::from_secs(10));
    let began = clock::now();
    stage.happens(ask_preset("a", "pypi")).await;
    let active = stage.ledger.history_of(&stage.request("a").id).pop().unwrap();
    assert!(active.at.duration_since(began).as_secs() >= 10, "{active:?}");
}
