//! What every ledger keeps to about requests.

use std::collections::BTreeSet;

use egress::history;
use egress::ledger::{Cut, Deadline, Ledger, LedgerError, RefusedEvent, Silence, Transition};
use egress::request::{Request, StateName};
use jiff::{SignedDuration, Timestamp, ToSpan};
use tests::memory::MemoryLedger;

use crate::samples::{approved, asked, noon, revoked, told};
use crate::table::Table;

#[tokio::test]
async fn the_one_in_memory() -> anyhow::Result<()> {
    keeps_the_contract(&MemoryLedger::new()).await
}

#[tokio::test]
async fn the_one_on_dynamodb() -> anyhow::Result<()> {
    keeps_the_contract(&Table::start().await?.ledger()).await
}

async fn keeps_the_contract<L: Ledger>(ledger: &L) -> anyhow::Result<()> {
    // First, since it counts what is there.
    deadlines_come_a_page_at_a_time(ledger).await?;
    a_transition_is_written_whole_and_once(ledger).await?;
    of_two_decisions_at_once_one_is_written(ledger).await?;
    history_is_not_written_over(ledger).await?;
    a_message_is_answered_once(ledger).await?;
    a_refused_event_is_kept_and_told_once(ledger).await?;
    a_silence_is_made_once_with_its_answer_and_ends(ledger).await?;
    what_is_open_is_listed_by_its_deadline(ledger).await?;
    deadlines_come_in_order_and_when_they_are_due(ledger).await?;
    a_deadline_may_move_by_less_than_its_key_shows(ledger).await?;
    what_has_ended_is_cut_once(ledger).await?;
    what_is_published_is_not_published_again(ledger).await?;
    our_targets_are_released_only_as_they_were_read(ledger).await
}

async fn a_transition_is_written_whole_and_once<L: Ledger>(ledger: &L) -> anyhow::Result<()> {
    let first = asked("whole-1", 0);
    let id = first.request.id.clone();
    assert_eq!(ledger.load(&id).await?, None);

    ledger.commit(&first).await?;
    assert_eq!(ledger.load(&id).await?.as_ref(), Some(&first.request));
    assert_eq!(ledger.history(&id).await?.as_slice(), std::slice::from_ref(&first.history));
    assert_eq!(ledger.live_grants().await?, []);
    assert_eq!(ledger.commit(&first).await, Err(LedgerError::Duplicate));

    let second = approved(&first.request, "bob", "whole-2");
    ledger.commit(&second).await?;
    assert_eq!(ledger.live_grants().await?.as_slice(), second.live.as_slice());

    let third = revoked(&second.request);
    ledger.commit(&third).await?;
    assert_eq!(ledger.load(&id).await?.map(|request| request.state), Some(StateName::Ended));
    assert_eq!(ledger.live_grants().await?, []);
    let history = ledger.history(&id).await?;
    assert_eq!(history, [first.history, second.history, third.history]);
    assert_eq!(history::verify(&history), Ok(()));
    Ok(())
}

async fn of_two_decisions_at_once_one_is_written<L: Ledger>(ledger: &L) -> anyhow::Result<()> {
    let pending = asked("both-1", 0);
    ledger.commit(&pending).await?;
    let (bob, carol) =
        (approved(&pending.request, "bob", "both-2"), approved(&pending.request, "carol", "both-3"));
    let both = tokio::join!(ledger.commit(&bob), ledger.commit(&carol));
    assert!(
        matches!(both, (Ok(()), Err(LedgerError::Conflict)) | (Err(LedgerError::Conflict), Ok(()))),
        "{both:?}"
    );
    assert_eq!(ledger.history(&pending.request.id).await?.len(), 2);
    Ok(())
}

async fn history_is_not_written_over<L: Ledger>(ledger: &L) -> anyhow::Result<()> {
    let pending = asked("history-1", 0);
    ledger.commit(&pending).await?;
    let mut forged = approved(&pending.request, "mallory", "history-2");
    forged.history.version = 1;
    assert_eq!(ledger.commit(&forged).await, Err(LedgerError::Conflict));
    let history = ledger.history(&pending.request.id).await?;
    assert_eq!(history, [pending.history]);
    assert_eq!(ledger.load(&pending.request.id).await?, Some(pending.request));
    Ok(())
}

async fn a_message_is_answered_once<L: Ledger>(ledger: &L) -> anyhow::Result<()> {
    all_published(ledger).await?;
    // The longest key that is taken, of the longest characters.
    let key = "\u{1F600}".repeat(256);
    let answer = told(&format!("answer.{key}"), noon());
    ledger.answer(&key, &answer).await?;
    let other = told("answer.again", noon());
    assert_eq!(ledger.answer(&key, &other).await, Err(LedgerError::Duplicate));
    let waiting = ledger.outbox(Timestamp::MAX).await?;
    assert_eq!(waiting, [answer]);
    ledger.published(&waiting).await?;
    assert_eq!(ledger.outbox(Timestamp::MAX).await?, []);

    // What has been answered isn't acted on, and the other way round.
    let asked = Transition { message_key: Some(key), ..asked("answered-1", 0) };
    assert_eq!(ledger.commit(&asked).await, Err(LedgerError::Duplicate));
    let asked = Transition { message_key: Some("answered-2".to_owned()), ..asked };
    ledger.commit(&asked).await?;
    assert_eq!(ledger.answer("answered-2", &other).await, Err(LedgerError::Duplicate));
    Ok(())
}

async fn a_refused_event_is_kept_and_told_once<L: Ledger>(ledger: &L) -> anyhow::Result<()> {
    all_published(ledger).await?;
    let refused = RefusedEvent {
        id: "refused-1".to_owned(),
        at: noon(),
        reason: "message_key is empty".to_owned(),
        event: "{}".repeat(4_000),
    };
    let event = told("refused.refused-1", noon());
    ledger.refuse(&refused, &event).await?;
    ledger.published(std::slice::from_ref(&event)).await?;
    ledger.refuse(&RefusedEvent { at: noon() + 1.hour(), ..refused }, &event).await?;
    assert_eq!(ledger.outbox(Timestamp::MAX).await?, []);
    Ok(())
}

async fn a_silence_is_made_once_with_its_answer_and_ends<L: Ledger>(ledger: &L) -> anyhow::Result<()> {
    all_published(ledger).await?;
    // The longest owner that is taken, of the longest characters.
    let owner = "\u{1F600}".repeat(400);
    let silence = |domain: &str, owner: Option<&str>, hours: i64| Silence {
        domain: domain.to_owned(),
        owner: owner.map(str::to_owned),
        until: noon() + hours.hours(),
        by: "bob@example.com".to_owned(),
        at: noon(),
    };
    let of_all = silence("pypi.org", None, 24);
    let of_one = silence("pypi.org", Some(&owner), 2);
    let of_an_address = silence("2001:db8::1", None, 1);
    for (place, silence) in [&of_all, &of_one, &of_an_address].into_iter().enumerate() {
        let key = format!("silence-{place}");
        ledger.silence(silence, &key, &told(&format!("answer.{key}"), noon())).await?;
    }
    assert_eq!(ledger.outbox(noon()).await?.len(), 3);
    let found = ledger.silences(noon()).await?;
    assert_eq!(found.len(), 3);
    assert!([&of_all, &of_one, &of_an_address].iter().all(|silence| found.contains(silence)), "{found:?}");

    // The same message again, or one that has been acted on otherwise, makes none and answers nothing.
    let again = told("answer.again", noon());
    ledger.answer("silence-9", &told("answer.silence-9", noon())).await?;
    for key in ["silence-0", "silence-9"] {
        let longer = silence("pypi.org", None, 48);
        assert_eq!(ledger.silence(&longer, key, &again).await, Err(LedgerError::Duplicate));
    }
    assert!(!ledger.outbox(noon()).await?.contains(&again));

    // It ends by itself, or by another in its place.
    assert_eq!(ledger.silences(noon() + 1.hour()).await?.len(), 2);
    let ended = silence("pypi.org", None, 0);
    ledger.silence(&ended, "silence-3", &told("answer.silence-3", noon())).await?;
    assert_eq!(ledger.silences(noon() + 1.hour()).await?, [of_one]);
    assert_eq!(ledger.silences(noon() + 2.hours()).await?, []);
    Ok(())
}

async fn what_is_open_is_listed_by_its_deadline<L: Ledger>(ledger: &L) -> anyhow::Result<()> {
    let (late, early) = (asked("open-1", 20), asked("open-2", 10));
    let live = asked("open-3", 0);
    let ended = asked("open-4", 0);
    for transition in [&late, &early, &live, &ended] {
        ledger.commit(transition).await?;
    }
    let live = approved(&live.request, "bob", "open-5");
    ledger.commit(&live).await?;
    let granted = approved(&ended.request, "bob", "open-6");
    ledger.commit(&granted).await?;
    ledger.commit(&revoked(&granted.request)).await?;

    let these = [&late, &early, &live, &ended].map(|transition| &transition.request.id);
    let open = ledger.open_requests().await?;
    let open: Vec<&Request> = open.iter().filter(|request| these.contains(&&request.id)).collect();
    assert_eq!(open, [&live.request, &early.request, &late.request]);
    Ok(())
}

fn deadline(transition: &Transition) -> Deadline {
    Deadline { at: transition.deadline.unwrap(), request_id: transition.request.id.clone() }
}

async fn deadlines_come_a_page_at_a_time<L: Ledger>(ledger: &L) -> anyhow::Result<()> {
    let mut deadlines = Vec::new();
    for minute in 0..120 {
        let asked = asked(&format!("page-{minute}"), minute - 600);
        ledger.commit(&asked).await?;
        deadlines.push(deadline(&asked));
    }
    let now = deadlines[119].at;
    let first = ledger.due(now, None).await?;
    assert_eq!(first, deadlines[..100]);
    assert_eq!(ledger.due(now, first.last()).await?, deadlines[100..]);
    assert_eq!(ledger.due(now, deadlines.last()).await?, []);
    assert_eq!(ledger.due(now - 1.hour(), deadlines.last()).await?, [], "behind what is not due yet");
    // More than `DynamoDB` reads by their keys at once.
    assert_eq!(ledger.open_requests().await?.len(), 120);
    for deadline in &deadlines {
        ledger.clear_deadline(deadline).await?;
    }
    assert_eq!(ledger.open_requests().await?, []);
    Ok(())
}

async fn deadlines_come_in_order_and_when_they_are_due<L: Ledger>(ledger: &L) -> anyhow::Result<()> {
    let early = asked("due-1", -10);
    let late = asked("due-2", -5);
    ledger.commit(&late).await?;
    ledger.commit(&early).await?;
    let ours = |due: Vec<Deadline>| -> Vec<Deadline> {
        let of_these = [&early.request.id, &late.request.id];
        due.into_iter().filter(|deadline| of_these.contains(&&deadline.request_id)).collect()
    };
    let just_before = early.deadline.unwrap() - SignedDuration::from_micros(1);
    assert_eq!(ours(ledger.due(just_before, None).await?), []);
    assert_eq!(ours(ledger.due(early.deadline.unwrap(), None).await?), [deadline(&early)]);
    let now = late.deadline.unwrap();
    assert_eq!(ours(ledger.due(now, None).await?), [deadline(&early), deadline(&late)]);
    assert_eq!(ours(ledger.due(now, Some(&deadline(&early))).await?), [deadline(&late)]);

    ledger.clear_deadline(&deadline(&early)).await?;
    ledger.clear_deadline(&deadline(&early)).await?;
    assert_eq!(ours(ledger.due(now, None).await?), [deadline(&late)]);
    Ok(())
}

async fn a_deadline_may_move_by_less_than_its_key_shows<L: Ledger>(ledger: &L) -> anyhow::Result<()> {
    let first = asked("moved-1", 0);
    ledger.commit(&first).await?;
    let mut moved = approved(&first.request, "bob", "moved-2");
    moved.deadline = first.deadline.map(|at| at + SignedDuration::from_nanos(1));
    ledger.commit(&moved).await?;
    let due = ledger.due(first.deadline.unwrap(), None).await?;
    let due: Vec<&Deadline> = due.iter().filter(|row| row.request_id == first.request.id).collect();
    assert_eq!(due, [&deadline(&moved)]);
    Ok(())
}

async fn what_has_ended_is_cut_once<L: Ledger>(ledger: &L) -> anyhow::Result<()> {
    for cut in ledger.cuts().await? {
        ledger.cut_done(&cut).await?;
    }
    let pending = asked("cut-1", 0);
    ledger.commit(&pending).await?;
    let live = approved(&pending.request, "bob", "cut-2");
    ledger.commit(&live).await?;
    assert_eq!(ledger.cuts().await?, []);
    let ended = revoked(&live.request);
    ledger.commit(&ended).await?;
    let cut = Cut { request_id: pending.request.id, at: ended.history.at };
    assert_eq!(ledger.cuts().await?, std::slice::from_ref(&cut));
    ledger.cut_done(&cut).await?;
    ledger.cut_done(&cut).await?;
    assert_eq!(ledger.cuts().await?, []);
    Ok(())
}

async fn all_published<L: Ledger>(ledger: &L) -> anyhow::Result<()> {
    loop {
        let waiting = ledger.outbox(Timestamp::MAX).await?;
        if waiting.is_empty() {
            return Ok(());
        }
        ledger.published(&waiting).await?;
    }
}

async fn what_is_published_is_not_published_again<L: Ledger>(ledger: &L) -> anyhow::Result<()> {
    all_published(ledger).await?;
    let transition = asked("outbox-1", 0);
    ledger.commit(&transition).await?;
    assert_eq!(ledger.outbox(noon() - 1.second()).await?, []);
    let waiting = ledger.outbox(noon()).await?;
    assert_eq!(waiting, transition.outbox);
    ledger.published(&waiting).await?;
    ledger.published(&waiting).await?;
    assert_eq!(ledger.outbox(Timestamp::MAX).await?, []);

    let drift = told("drift-found.1", noon());
    ledger.answer(&drift.id, &drift).await?;
    assert_eq!(ledger.answer(&drift.id, &drift).await, Err(LedgerError::Duplicate));
    assert_eq!(ledger.outbox(noon()).await?, [drift]);
    Ok(())
}

async fn our_targets_are_released_only_as_they_were_read<L: Ledger>(ledger: &L) -> anyhow::Result<()> {
    let set =
        |targets: &[&str]| -> BTreeSet<String> { targets.iter().map(|&target| target.to_owned()).collect() };
    let group = "arn:aws:network-firewall:eu-west-1:123456789012:stateful-rulegroup/one";
    let other = "arn:aws:network-firewall:eu-west-1:123456789012:stateful-rulegroup/other";
    ledger.claim_targets(group, &set(&["a.example", "b.example"])).await?;
    ledger.claim_targets(other, &set(&["z.example"])).await?;
    let read = ledger.own_targets(group).await?;
    assert_eq!(read.targets, set(&["a.example", "b.example"]));

    ledger.claim_targets(group, &set(&["b.example", "c.example"])).await?;
    let released = ledger.release_targets(group, &set(&["b.example"]), read.claims).await;
    assert_eq!(released, Err(LedgerError::Conflict));

    let read = ledger.own_targets(group).await?;
    ledger.release_targets(group, &set(&["b.example"]), read.claims).await?;
    assert_eq!(ledger.own_targets(group).await?.targets, set(&["a.example", "c.example"]));
    ledger.release_targets(group, &set(&["a.example", "c.example"]), read.claims).await?;
    assert_eq!(ledger.own_targets(group).await?.targets, set(&[]));
    assert_eq!(ledger.own_targets(other).await?.targets, set(&["z.example"]));
    assert_eq!(ledger.release_targets("none", &set(&["a.example"]), 0).await, Err(LedgerError::Conflict));
    Ok(())
}

/// What somebody has edited doesn't hold up the rest, however much it is.
#[tokio::test]
async fn rows_that_cannot_be_read_hide_nothing() -> anyhow::Result<()> {
    let table = Table::start().await?;
    let ledger = table.ledger();
    for row in 0..101 {
        table.put_by_hand("deadline", &format!("{row:020}#by-hand")).await?;
        table.put_by_hand("outbox", &format!("{row:020}#by-hand")).await?;
    }
    let (broken, whole) = (asked("broken", 0), asked("whole", 1));
    ledger.commit(&broken).await?;
    ledger.commit(&whole).await?;
    table.put_by_hand(&format!("request#{}", broken.request.id), "state").await?;
    table.put_by_hand("live", broken.request.id.as_str()).await?;

    assert!(matches!(ledger.load(&broken.request.id).await, Err(LedgerError::Corrupt(_))));
    let due = ledger.due(whole.deadline.unwrap(), None).await?;
    assert_eq!(due, [deadline(&broken), deadline(&whole)]);
    assert_eq!(ledger.outbox(noon() + 1.hour()).await?, [broken.outbox, whole.outbox].concat());
    assert_eq!(ledger.open_requests().await?, [whole.request]);
    assert_eq!(ledger.live_grants().await?, []);
    Ok(())
}
