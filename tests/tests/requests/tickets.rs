//! A ticket is closed, and so its request is over.

use egress::request::{Ending, StateName};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tests::memory::{Faults, clock};

use crate::harness::{HOUR, Stage, approve, ask, extend, id, intake};

/// Somebody closes the ticket of which the message `name` came.
fn closed(name: &str, by: &str) -> Value {
    intake(
        "TicketClosed",
        &json!({
            "version": 1, "message_key": format!("jira:{name}:{by}"), "request_id": id(name), "by": by, "reason": "Done",
            "reply_to": {"via": "jira", "to": "OPS-1"},
        }),
    )
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_withdrawn_and_what_is_open_is_revoked() {
    let stage = Stage::new();
    stage.happens(ask("waits", &["a.example"])).await;
    stage.happens(closed("waits", "alice")).await;
    assert_eq!(stage.state("waits"), StateName::Withdrawn);

    stage.happens(ask("open", &["github.com"])).await;
    stage.happens(approve("open")).await;
    assert_eq!(stage.lets_pass(), ["github.com"]);
    stage.happens(closed("open", "bob")).await;
    assert_eq!(stage.request("open").ending, Some(Ending::Revoked));
    assert!(stage.lets_pass().is_empty());
    stage.is_settled();
}

#[tokio::test(start_paused = true)]
async fn an_approver_who_closes_what_waits_has_denied_it() {
    let stage = Stage::new();
    stage.happens(ask("waits", &["a.example"])).await;
    stage.happens(closed("waits", "bob")).await;
    assert_eq!(stage.state("waits"), StateName::Denied);
    stage.is_settled();
}

#[tokio::test(start_paused = true)]
async fn what_was_extended_ends_with_its_ticket_too() {
    let stage = Stage::new();
    stage.happens(ask("a", &["github.com"])).await;
    stage.happens(approve("a")).await;
    stage.happens(extend("more", "a", "alice", 24 * 3_600)).await;
    stage.happens(approve("more")).await;
    stage.happens(closed("a", "alice")).await;
    assert_eq!(stage.request("more").ending, Some(Ending::Revoked));
    assert!(stage.lets_pass().is_empty());
    stage.is_settled();
}

#[tokio::test(start_paused = true)]
async fn a_ticket_that_is_closed_when_all_is_over_changes_nothing_and_says_nothing() {
    let stage = Stage::new();
    stage.happens(ask("a", &["github.com"])).await;
    stage.happens(approve("a")).await;
    stage.tick_after(HOUR).await;
    let told = stage.told();
    stage.happens(closed("a", "alice")).await;
    let mut never_asked = closed("nothing", "alice");
    never_asked["time"] = json!(clock::now() - SignedDuration::from_mins(3));
    stage.happens(never_asked).await;
    assert_eq!(stage.told(), told);
}

#[tokio::test(start_paused = true)]
async fn a_stranger_closes_nothing_and_hears_why() {
    let stage = Stage::new();
    stage.happens(ask("a", &["github.com"])).await;
    stage.happens(approve("a")).await;
    let outcome = stage.happens(closed("a", "mallory")).await;
    assert!(outcome.not_allowed[0].contains("can't be revoked by mallory"), "{outcome:?}");
    assert_eq!(stage.lets_pass(), ["github.com"]);
}

#[tokio::test(start_paused = true)]
async fn one_that_overtakes_its_own_request_comes_again() {
    let stage = Stage::new();
    let error = stage.fails(closed("a", "alice"), &Faults::none()).await;
    assert!(error.contains(id("a").as_str()), "{error}");
    stage.happens(ask("a", &["github.com"])).await;
    stage.happens(closed("a", "alice")).await;
    assert_eq!(stage.state("a"), StateName::Withdrawn);
}
