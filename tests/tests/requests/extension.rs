//! More time for what is granted, and a broken glass.

use std::time::Duration;

use egress::request::{Ending, StateName};
use jiff::SignedDuration;
use serde_json::json;
use tests::memory::{Call, Fault, Faults, clock};

use crate::harness::{
    HOUR, MINUTE, Stage, approve, ask, ask_for, ask_preset, decide, extend, first_use, id, revoke,
};

/// A grant for an hour, and half an hour later a request for a day more.
async fn extension_asked() -> Stage {
    let stage = Stage::new();
    stage.happens(ask("a", &["github.com"])).await;
    stage.happens(approve("a")).await;
    stage.tick_after(30 * MINUTE).await;
    stage.happens(extend("more", "a", "alice", 24 * 3_600)).await;
    stage
}

#[tokio::test(start_paused = true)]
async fn a_grant_is_extended_without_a_gap() {
    let stage = extension_asked().await;
    assert_eq!(stage.state("more"), StateName::Pending);
    let writes = stage.firewall.writes();
    stage.happens(approve("more")).await;
    assert_eq!(stage.state("more"), StateName::Active);
    let original = stage.request("a");
    assert_eq!((original.ending, original.superseded_by), (Some(Ending::Superseded), Some(id("more"))));
    assert!(stage.firewall.writes() > writes, "the rules name the new grant");
    stage.is_settled();

    stage.tick_after(HOUR).await;
    assert_eq!(stage.lets_pass(), ["github.com"]);
    stage.tick_after(24 * HOUR).await;
    assert!(stage.lets_pass().is_empty());
    assert_eq!(stage.request("more").ending, Some(Ending::Expired));
    stage.is_settled();
}

/// The extension is approved and active, and then the function dies.
async fn dies_before_it_takes_its_place(stage: &Stage) {
    let mut commits = 0;
    let faults = Faults::new(Duration::ZERO, move |call| {
        commits += u32::from(call == Call::Commit);
        (call == Call::Commit && commits == 3).then_some(Fault::CrashBefore)
    });
    stage.dies(approve("more"), &faults).await;
}

#[tokio::test(start_paused = true)]
async fn a_crash_between_an_extension_and_what_it_extends_is_made_good_by_the_tick() {
    let stage = extension_asked().await;
    dies_before_it_takes_its_place(&stage).await;
    assert_eq!((stage.state("a"), stage.state("more")), (StateName::Active, StateName::Active));
    stage.tick_after(2 * MINUTE).await;
    assert_eq!(stage.request("a").ending, Some(Ending::Superseded));
    stage.is_settled();
}

#[tokio::test(start_paused = true)]
async fn an_extension_that_nobody_approves_in_time_takes_nothing_away() {
    let stage = extension_asked().await;
    stage.tick_after(HOUR).await;
    assert_eq!(stage.request("a").ending, Some(Ending::Expired));
    assert!(stage.lets_pass().is_empty());
    // Approved later, it is a grant like any other.
    stage.happens(approve("more")).await;
    assert_eq!(stage.lets_pass(), ["github.com"]);
    stage.is_settled();
}

#[tokio::test(start_paused = true)]
async fn nobody_else_extends_a_grant_and_nobody_one_that_has_ended() {
    let stage = extension_asked().await;
    let mut answers = stage.happens(extend("x", "a", "mallory", 24 * 3_600)).await.not_allowed;
    stage.tick_after(HOUR).await;
    answers.extend(stage.happens(extend("y", "a", "alice", 24 * 3_600)).await.not_allowed);
    let mut nothing = extend("z", "nothing", "alice", 24 * 3_600);
    nothing["time"] = json!(clock::now() - SignedDuration::from_mins(3));
    answers.extend(stage.happens(nothing).await.not_allowed);
    assert_eq!(answers.len(), 3);
    assert_eq!(stage.ledger.requests().len(), 2);
    stage.is_settled();
}

#[tokio::test(start_paused = true)]
async fn the_first_use_is_told_once() {
    let stage = Stage::new();
    stage.happens(ask("a", &["github.com"])).await;
    stage.happens(approve("a")).await;
    for _ in 0..3 {
        stage.happens(first_use("a")).await;
    }
    let uses: Vec<_> =
        stage.bus.published().into_iter().filter(|event| event.detail_type == "GrantFirstUsed").collect();
    assert_eq!(uses.len(), 1);
    assert_eq!(uses[0].detail["request"]["requester"], "alice");
    assert!(stage.request("a").first_used_at.is_some());
    stage.is_settled();
}

#[tokio::test(start_paused = true)]
async fn the_glass_is_broken_for_a_short_time_and_every_approver_hears_of_it() {
    let stage = Stage::new();
    let mut event = ask_for("a", &["github.com"], 30 * MINUTE);
    event["detail"]["requester"] = json!("erin");
    event["detail"]["break_glass"] = json!("production is down, and the fix is on github.com");
    stage.happens(event).await;
    assert_eq!(stage.state("a"), StateName::Active);
    let broken = stage.bus.published().into_iter().find(|event| event.detail_type == "GlassBroken").unwrap();
    assert_eq!(broken.detail["approvers"], json!(["bob", "carol"]));
    stage.tick_after(30 * MINUTE).await;
    assert!(stage.lets_pass().is_empty());
    stage.is_settled();
}

#[tokio::test(start_paused = true)]
async fn what_extends_a_revoked_grant_is_not_approved_any_more() {
    let stage = extension_asked().await;
    stage.happens(revoke("a", "bob")).await;
    let outcome = stage.happens(decide("more", "approve", "carol")).await;
    assert!(outcome.not_allowed.concat().contains("was revoked"), "{:?}", outcome.not_allowed);
    assert_eq!(stage.state("more"), StateName::Pending);
    assert!(stage.lets_pass().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_extends_a_revoked_grant_and_is_not_active_yet_ends_with_it() {
    let stage = extension_asked().await;
    stage.firewall.set_sync_delay(3 * MINUTE);
    stage.happens(approve("more")).await;
    assert_eq!(stage.state("more"), StateName::Approved);
    stage.happens(revoke("a", "bob")).await;
    assert_eq!(stage.request("more").ending, Some(Ending::Revoked));
    assert!(stage.lets_pass().is_empty());
    stage.is_settled();
}

#[tokio::test(start_paused = true)]
async fn what_extends_a_grant_that_has_ended_by_itself_goes_on() {
    let stage = extension_asked().await;
    stage.firewall.set_sync_delay(2 * HOUR);
    stage.happens(approve("more")).await;
    stage.tick_after(HOUR).await;
    assert_eq!(stage.request("a").ending, Some(Ending::Expired));
    stage.tick_after(2 * HOUR).await;
    assert_eq!(stage.state("more"), StateName::Active);
}

#[tokio::test(start_paused = true)]
async fn what_became_active_while_its_original_was_revoked_is_ended_by_the_tick() {
    // Given an extension that becomes active by an invocation that dies before it takes its original's place,
    let stage = extension_asked().await;
    dies_before_it_takes_its_place(&stage).await;
    // and a revocation of the original that dies, too, once it is written,
    stage.dies(revoke("a", "bob"), &Faults::script([(Call::Commit, Fault::CrashAfter)])).await;
    assert_eq!((stage.request("a").ending, stage.state("more")), (Some(Ending::Revoked), StateName::Active));
    // then the tick ends both.
    stage.tick_after(2 * MINUTE).await;
    assert_eq!(stage.request("more").ending, Some(Ending::Revoked));
    assert!(stage.lets_pass().is_empty());
    stage.is_settled();
}

#[tokio::test(start_paused = true)]
async fn a_second_extension_of_what_was_extended_and_then_revoked_is_not_approved() {
    let stage = extension_asked().await;
    stage.happens(extend("other", "a", "alice", 48 * 3_600)).await;
    stage.happens(approve("more")).await;
    stage.happens(revoke("more", "bob")).await;
    let outcome = stage.happens(decide("other", "approve", "carol")).await;
    assert!(outcome.not_allowed.concat().contains("was revoked"), "{:?}", outcome.not_allowed);
    assert!(stage.lets_pass().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_original_that_can_t_be_read_keeps_nobody_else_waiting() {
    let stage = extension_asked().await;
    stage.firewall.set_sync_delay(2 * HOUR);
    stage.happens(approve("more")).await;
    stage.tick_after(HOUR).await;
    stage.ledger.corrupt(&id("a"));
    stage.firewall.set_sync_delay(Duration::ZERO);
    stage.invoke(ask_preset("b", "pypi"), &Faults::none()).await.unwrap().unwrap_err();
    assert_eq!(stage.state("b"), StateName::Active);
}
