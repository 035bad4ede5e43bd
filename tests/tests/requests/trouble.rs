//! What a person or AWS does to the rule group and the ledger: hand edits, a full group, a broken item.

use std::time::Duration;

use egress::firewall::{Content, FirewallError};
use egress::request::{Ending, StateName};
use tests::memory::{Call, Fault, Faults, clock};

use crate::harness::{HOUR, MINUTE, Stage, approve, ask, ask_preset, id, revoke, tick};

fn add_by_hand(content: &mut Content) {
    if let Content::Rules(text) = content {
        text.push_str(
            "pass tls any any -> any any (msg:\"egress grant all.example.org\"; sid:1000000; rev:1;)\n",
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_hand_edit_is_told_and_put_right() {
    let stage = Stage::new();
    stage.happens(ask_preset("a", "pypi")).await;
    let before = stage.firewall.content();
    stage.firewall.edit(add_by_hand);
    stage.tick().await;
    assert_eq!(stage.firewall.content(), before);
    insta::assert_snapshot!(stage.told().join("\n"));
    stage.is_settled();
}

#[tokio::test(start_paused = true)]
async fn a_hand_edit_is_put_right_while_nobody_can_be_told_and_told_later() {
    let stage = Stage::new();
    stage.firewall.edit(add_by_hand);
    stage.fails(tick(), &Faults::script([(Call::Publish, Fault::FailBefore)])).await;
    assert!(stage.lets_pass().is_empty());
    assert!(stage.told().is_empty());
    tokio::time::advance(Duration::from_mins(2)).await;
    stage.tick().await;
    assert_eq!(stage.told().len(), 2);
    stage.is_settled();
}

#[tokio::test(start_paused = true)]
async fn a_hand_edit_is_not_put_right_before_its_report_is_kept() {
    let stage = Stage::new();
    stage.firewall.edit(add_by_hand);
    stage.fails(tick(), &Faults::script([(Call::Answer, Fault::FailBefore)])).await;
    assert_eq!(stage.lets_pass(), ["all.example.org"]);
    stage.tick().await;
    assert!(stage.lets_pass().is_empty());
    assert_eq!(stage.told().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn one_request_that_can_t_be_read_keeps_no_other_from_ending() {
    let stage = Stage::new();
    for name in ["a", "b", "c"] {
        stage.happens(ask(name, &[&format!("{name}.example.com")])).await;
        stage.happens(approve(name)).await;
    }
    stage.ledger.corrupt(&id("b"));
    clock::pass(HOUR).await;
    let answer = stage.fails(tick(), &Faults::none()).await;
    assert!(answer.contains("can't be read"), "{answer}");
    assert_eq!(stage.request("a").ending, Some(Ending::Expired));
    assert_eq!(stage.request("c").ending, Some(Ending::Expired));
    // Its own grant is closed too: its time is over, whatever else can't be said of it.
    assert!(stage.lets_pass().is_empty());
}

#[tokio::test(start_paused = true)]
async fn one_request_that_can_t_be_read_keeps_no_other_from_becoming_active() {
    let stage = Stage::new();
    stage.firewall.set_sync_delay(MINUTE);
    let mut names = ["a", "b", "c"];
    names.sort_by_key(|name| id(name));
    for name in names {
        stage.happens(ask(name, &[&format!("{name}.example.com")])).await;
        stage.happens(approve(name)).await;
    }
    stage.ledger.corrupt(&id(names[0]));
    clock::pass(MINUTE).await;
    stage.fails(tick(), &Faults::none()).await;
    assert_eq!((stage.state(names[1]), stage.state(names[2])), (StateName::Active, StateName::Active));
}

#[tokio::test(start_paused = true)]
async fn more_deadlines_than_a_page_are_worked_off_in_one_tick() {
    let stage = Stage::new();
    for name in 0..250 {
        stage.happens(ask(&name.to_string(), &["github.com"])).await;
    }
    stage.tick_after(72 * HOUR).await;
    assert!(stage.ledger.requests().iter().all(|request| request.state == StateName::Lapsed));
    stage.is_settled();
}

#[tokio::test(start_paused = true)]
async fn a_firewall_that_can_t_be_reached_doesn_t_keep_what_was_decided_from_being_told() {
    let stage = Stage::new();
    let answer =
        stage.fails(ask_preset("a", "pypi"), &Faults::script([(Call::Read, Fault::FailBefore)])).await;
    assert!(answer.contains("the firewall can't be reached"), "{answer}");
    assert_eq!(stage.told(), ["approved by policy"]);
    stage.tick().await;
    assert_eq!(stage.state("a"), StateName::Active);
}

#[tokio::test(start_paused = true)]
async fn a_rule_group_that_can_t_be_read_keeps_no_other_from_being_closed() {
    // Given a grant in each of two groups,
    let stage = Stage::of_groups(2);
    stage.firewall.set_capacity(2);
    for name in ["a", "b"] {
        stage.happens(ask(name, &[&format!("{name}.example.com")])).await;
        stage.happens(approve(name)).await;
    }
    // when the second can't be read any more,
    stage.firewall.set_unreadable(1, Some(FirewallError::Shape("it has 5-tuple rules".to_owned())));
    // then the first is closed all the same,
    let error = stage.fails(revoke("a", "bob"), &Faults::none()).await;
    assert!(error.contains("it has 5-tuple rules"), "{error}");
    assert_eq!(stage.firewall.patterns_of(0), [""; 0]);
    // nothing new is opened, also not what stands in the second, and nobody is told that there is no room;
    stage.happens(ask("c", &["c.example.com"])).await;
    stage.fails(approve("c"), &Faults::none()).await;
    assert_eq!((stage.state("b"), stage.state("c")), (StateName::Active, StateName::Approved));
    assert_eq!(stage.firewall.patterns_of(0), [""; 0]);
    assert!(!stage.told().concat().contains("GrantWaits"));
    // and as soon as it can be read, it goes on.
    stage.firewall.set_unreadable(1, None);
    stage.tick().await;
    assert_eq!(stage.state("c"), StateName::Active);
    assert_eq!(
        (stage.firewall.patterns_of(0), stage.firewall.patterns_of(1)),
        (vec!["c.example.com".to_owned()], vec!["b.example.com".to_owned()],)
    );
}

#[tokio::test(start_paused = true)]
async fn a_hand_edit_that_can_t_be_put_right_is_told_once() {
    let stage = Stage::new();
    stage.firewall.edit(add_by_hand);
    for _ in 0..3 {
        stage
            .fails(
                tick(),
                &Faults::new(Duration::ZERO, |call| (call == Call::Write).then_some(Fault::FailBefore)),
            )
            .await;
        clock::pass(MINUTE).await;
    }
    let told = stage.told().into_iter().filter(|line| line.starts_with("DriftFound")).count();
    assert_eq!(told, 1);
}

#[tokio::test(start_paused = true)]
async fn more_events_than_a_page_that_nobody_could_be_told_are_told_by_one_tick() {
    let stage = Stage::new();
    for name in 0..250 {
        let faults = Faults::script([(Call::Publish, Fault::FailBefore)]);
        stage.fails(ask(&name.to_string(), &["github.com"]), &faults).await;
    }
    assert!(stage.told().is_empty());
    stage.tick_after(2 * MINUTE).await;
    assert_eq!(stage.told().len(), 250);
    stage.is_settled();
}
