//! What goes wrong between two calls: crashes, second deliveries, other writers.

use std::time::Duration;

use egress::request::{Ending, StateName};
use jiff::SignedDuration;
use serde_json::Value;
use tests::memory::{Call, Chance, Fault, Faults, deliveries};

use crate::harness::{HOUR, MINUTE, Stage, approve, ask, ask_preset, id, revoke, step_clock, strings, tick};

#[tokio::test(start_paused = true)]
async fn a_second_delivery_changes_nothing() {
    let stage = Stage::new();
    let events = [ask("a", &["github.com"]), approve("a"), revoke("a", "bob")];
    for event in &events {
        stage.happens(event.clone()).await;
    }
    let (told, writes) = (stage.told(), stage.firewall.writes());
    for event in &events {
        let outcome = stage.happens(event.clone()).await;
        assert!(outcome.transitions.is_empty() && outcome.not_allowed.is_empty(), "{outcome:?}");
    }
    assert_eq!((stage.told(), stage.firewall.writes()), (told, writes));
    stage.is_settled();
}

#[tokio::test(start_paused = true)]
async fn the_second_delivery_finishes_what_a_crash_left() {
    let stage = Stage::new();
    stage.happens(ask("a", &["github.com"])).await;
    stage.dies(approve("a"), &Faults::script([(Call::Write, Fault::CrashBefore)])).await;
    assert_eq!(stage.state("a"), StateName::Approved);
    assert!(stage.lets_pass().is_empty());
    stage.happens(approve("a")).await;
    assert_eq!(stage.state("a"), StateName::Active);
    assert_eq!(stage.lets_pass(), ["github.com"]);
}

#[tokio::test(start_paused = true)]
async fn a_tick_finishes_what_a_crash_left_also_without_a_second_delivery() {
    let stage = Stage::new();
    stage.dies(ask_preset("a", "pypi"), &Faults::script([(Call::Commit, Fault::CrashAfter)])).await;
    stage.tick_after(MINUTE).await;
    assert_eq!(stage.lets_pass(), ["files.pythonhosted.org", "pypi.org"]);
    stage.is_settled();
}

/// Runs an event with a crash at each of its calls in turn, before and after its effect; then it is
/// delivered again, or not, and the clock ticks.
async fn survives_a_crash_anywhere(prepare: &[Value], event: Value, shared: bool) {
    let stage = || if shared { Stage::shared_list(&[]) } else { Stage::new() };
    for after in [false, true] {
        for redelivered in [false, true] {
            for place in 0.. {
                let stage = stage();
                for event in prepare {
                    stage.happens(event.clone()).await;
                }
                let mut calls = 0;
                let faults = Faults::new(Duration::ZERO, move |_| {
                    calls += 1;
                    (calls == place + 1).then_some(if after { Fault::CrashAfter } else { Fault::CrashBefore })
                });
                if stage.invoke(event.clone(), &faults).await.is_some() {
                    assert!(place > 3, "only {place} calls were made");
                    break;
                }
                if redelivered || stage.ledger.requests().is_empty() {
                    stage.happens(event.clone()).await;
                }
                stage.tick_after(MINUTE).await;
                stage.tick_after(MINUTE).await;
                stage.is_settled();
                let drift = stage.told().iter().filter(|line| line.starts_with("DriftFound")).count();
                assert_eq!(drift, 0, "a crash was taken for a hand edit, {:?}", faults.calls());
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_call_of_a_request_is_made_good() {
    for shared in [false, true] {
        survives_a_crash_anywhere(&[], ask_preset("a", "pypi"), shared).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_call_of_an_approval_is_made_good() {
    for shared in [false, true] {
        survives_a_crash_anywhere(&[ask("a", &[".github.com", "github.com"])], approve("a"), shared).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_call_of_a_revoke_is_made_good() {
    for shared in [false, true] {
        let before = [ask("a", &["github.com"]), approve("a"), ask_preset("b", "pypi")];
        survives_a_crash_anywhere(&before, revoke("a", "bob"), shared).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_transaction_that_seems_to_have_failed_is_not_done_twice() {
    let stage = Stage::new();
    let answer =
        stage.fails(ask_preset("a", "pypi"), &Faults::script([(Call::Commit, Fault::FailAfter)])).await;
    assert!(answer.contains("the ledger can't be reached"), "{answer}");
    stage.happens(ask_preset("a", "pypi")).await;
    assert_eq!(stage.state("a"), StateName::Active);
    assert_eq!(stage.request("a").version, 2);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_meets_another_delivery_of_itself_is_not_lost() {
    // The other one is in the middle of its transaction, and will fail.
    let stage = Stage::new();
    let faults = Faults::script([(Call::Commit, Fault::Contended)]);
    stage.invoke(ask_preset("a", "pypi"), &faults).await.unwrap().unwrap();
    assert_eq!(stage.state("a"), StateName::Active);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_stale_again_and_again_is_left_to_the_tick() {
    let stage = Stage::new();
    let answer = stage
        .fails(
            ask_preset("a", "pypi"),
            &Faults::new(Duration::ZERO, |call| (call == Call::Write).then_some(Fault::Contended)),
        )
        .await;
    assert!(answer.contains("other writers changed the rule group 8 times"), "{answer}");
    assert_eq!(stage.told(), ["approved by policy"]);
    stage.tick().await;
    stage.is_settled();
}

#[tokio::test(start_paused = true)]
async fn a_writer_in_between_doesn_t_lose_its_grant_nor_ours() {
    let stage = Stage::new();
    stage.happens(ask("a", &["a.example.com"])).await;
    stage.happens(ask("b", &["b.example.com"])).await;
    let other = stage.clone();
    let faults = Faults::script([(
        Call::Write,
        Fault::meanwhile(|| async move {
            other.happens(approve("b")).await;
        }),
    )]);
    stage.invoke(approve("a"), &faults).await.unwrap().unwrap();
    assert_eq!(stage.lets_pass(), ["a.example.com", "b.example.com"]);
    stage.is_settled();
}

#[tokio::test(start_paused = true)]
async fn a_grant_that_is_revoked_while_it_is_written_doesn_t_stay_open() {
    // The one who revokes finds nothing to close yet; the one who opens has read before.
    let stage = Stage::new();
    stage.happens(ask("a", &["a.example.com"])).await;
    let other = stage.clone();
    let faults = Faults::script([(
        Call::Write,
        Fault::meanwhile(|| async move {
            other.happens(revoke("a", "carol")).await;
        }),
    )]);
    stage.invoke(approve("a"), &faults).await.unwrap().unwrap();
    assert_eq!(stage.request("a").ending, Some(Ending::Revoked));
    assert!(stage.lets_pass().is_empty());
    stage.is_settled();
}

#[tokio::test(start_paused = true)]
async fn eight_approvals_at_the_same_instant_all_stand() {
    for shared in [false, true] {
        let stage = if shared { Stage::shared_list(&[".kaggle.com"]) } else { Stage::new() };
        let names: Vec<String> = (0..8).map(|n| n.to_string()).collect();
        for name in &names {
            stage.happens(ask(name, &[&format!("{name}.example.com")])).await;
        }
        let mut running = tokio::task::JoinSet::new();
        for name in names.clone() {
            let stage = stage.clone();
            running.spawn(async move { stage.invoke(approve(&name), &Faults::none()).await.unwrap() });
        }
        // Who is pushed aside too often leaves the rest to the tick.
        let _ = running.join_all().await;
        stage.tick_after(MINUTE).await;
        let expected: Vec<String> = names.iter().map(|name| format!("{name}.example.com")).collect();
        let mut open = stage.lets_pass();
        open.retain(|target| target != ".kaggle.com");
        assert_eq!(open, expected);
        assert!(names.iter().all(|name| stage.state(name) == StateName::Active));
    }
}

#[tokio::test(start_paused = true)]
async fn deliveries_in_any_order_and_number_end_in_the_same_state() {
    for seed in 0..50 {
        let stage = Stage::new();
        let mut chance = Chance::new(seed);
        let events =
            [ask("a", &["a.example.com"]), approve("a"), ask("b", &["b.example.com"]), approve("b"), tick()];
        let mut left = deliveries(&events, &mut chance);
        // What fails is delivered again, as Lambda does.
        while let Some(event) = left.pop() {
            if stage.invoke(event.clone(), &Faults::none()).await.unwrap().is_err() {
                left.insert(0, event);
            }
        }
        assert_eq!(stage.lets_pass(), ["a.example.com", "b.example.com"], "seed {seed}");
        stage.is_settled();
    }
}

#[tokio::test(start_paused = true)]
async fn seeded_faults_do_no_lasting_harm() {
    for seed in 0..200 {
        let stage = if seed % 2 == 0 { Stage::new() } else { Stage::shared_list(&[]) };
        let faults = || Faults::seeded(seed, 25);
        let events = [
            ask("a", &["a.example.com"]),
            ask_preset("b", "pypi"),
            approve("a"),
            revoke("b", "alice"),
            tick(),
        ];
        for event in events {
            // Twice again, as Lambda does, and then from the dead-letter queue.
            for _ in 0..2 {
                let _ = stage.invoke(event.clone(), &faults()).await;
            }
            stage.happens(event).await;
        }
        stage.tick_after(MINUTE).await;
        stage.tick_after(MINUTE).await;
        stage.is_settled();
        assert_eq!(stage.lets_pass(), ["a.example.com"], "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_crowd_of_invocations_with_faults_does_no_lasting_harm() {
    for seed in 0..300 {
        let stage = if seed % 2 == 0 { Stage::new() } else { Stage::shared_list(&[".kaggle.com"]) };
        stage.firewall.set_sync_delay(Duration::from_millis(seed % 5 * 700));
        let mut events: Vec<Value> = vec![tick(), tick(), ask_preset("p", "pypi"), revoke("p", "alice")];
        for (name, domain) in [("a", "a.example.com"), ("b", ".a.example.com"), ("c", "a.example.com")] {
            events.extend([ask(name, &[domain]), approve(name)]);
        }
        events.push(revoke("c", "carol"));
        let mut chance = Chance::new(seed);
        let mut running = tokio::task::JoinSet::new();
        for event in deliveries(&events, &mut chance) {
            let (stage, faults) = (stage.clone(), Faults::seeded(chance.next_number(), 15));
            let start = Duration::from_millis(chance.next_number() % 3_000);
            running.spawn(async move {
                tokio::time::sleep(start).await;
                stage.invoke(event, &faults).await.is_some()
            });
        }
        running.join_all().await;
        // What failed comes again, from the dead-letter queue in the end.
        for event in events {
            stage.happens(event).await;
        }
        stage.tick_after(MINUTE).await;
        stage.tick_after(MINUTE).await;
        stage.is_settled();
        let (wide, narrow) = (".a.example.com", "a.example.com");
        let expected: &[&str] = if seed % 2 == 0 { &[narrow, wide] } else { &[wide, ".kaggle.com"] };
        assert_eq!(stage.firewall.patterns(), strings(expected), "seed {seed}");
        stage.tick_after(HOUR).await;
        let expected: &[&str] = if seed % 2 == 0 { &[] } else { &[".kaggle.com"] };
        assert_eq!(stage.firewall.patterns(), strings(expected), "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_not_published_is_published_by_the_tick_and_the_rest_not_again() {
    let stage = Stage::new();
    stage.fails(ask("a", &["github.com"]), &Faults::script([(Call::Publish, Fault::FailBefore)])).await;
    stage.fails(ask("b", &["github.com"]), &Faults::script([(Call::Publish, Fault::FailBefore)])).await;
    stage.fails(ask("c", &["github.com"]), &Faults::script([(Call::Publish, Fault::FailBefore)])).await;
    assert!(stage.told().is_empty());
    tests::memory::clock::pass(MINUTE + Duration::from_secs(1)).await;
    stage.fails(tick(), &Faults::script([(Call::Publish, Fault::Partly)])).await;
    assert_eq!(stage.told().len(), 2);
    stage.tick().await;
    assert_eq!(stage.told().len(), 3);
    stage.is_settled();
}

#[tokio::test(start_paused = true)]
async fn a_crash_after_publishing_tells_it_twice_with_the_same_id() {
    let stage = Stage::new();
    stage.dies(ask("a", &["github.com"]), &Faults::script([(Call::Publish, Fault::CrashAfter)])).await;
    stage.tick_after(2 * MINUTE).await;
    let ids: Vec<_> = stage.bus.published().iter().map(|event| event.detail["event_id"].clone()).collect();
    assert_eq!(ids, [format!("{}.1", id("a")), format!("{}.1", id("a"))]);
}

#[tokio::test(start_paused = true)]
async fn a_tick_that_is_slow_to_settle_doesn_t_publish_its_own_work_twice() {
    let stage = Stage::new();
    stage.happens(ask_preset("a", "pypi")).await;
    tests::memory::clock::pass(8 * HOUR).await;
    let slow = [(Call::Read, Fault::DelayBefore(2 * MINUTE)), (Call::Write, Fault::FailBefore)];
    stage.fails(tick(), &Faults::script(slow)).await;
    stage.tick().await;
    stage.is_settled();
    let expired = stage.told().iter().filter(|line| line.contains("expired")).count();
    assert_eq!(expired, 1);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_steps_back_doesn_t_let_a_grant_live_for_ever() {
    let stage = Stage::new();
    stage.happens(ask_preset("a", "pypi")).await;
    tests::memory::clock::pass(8 * HOUR).await;
    // The deadline is read by a clock that is right, and judged by one that is behind.
    let back = Faults::script([(
        Call::Load,
        Fault::meanwhile(|| async { step_clock(SignedDuration::from_secs(-30)) }),
    )]);
    stage.invoke(tick(), &back).await.unwrap().unwrap();
    assert_eq!(stage.ledger.deadlines().len(), 1, "the grant has lost its deadline");
    stage.tick_after(MINUTE).await;
    assert_eq!(stage.request("a").ending, Some(Ending::Expired));
    assert!(stage.lets_pass().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_deadline_in_the_same_microsecond_is_not_lost() {
    let stage = Stage::new();
    stage.happens(ask_preset("a", "pypi")).await;
    let ends_at = stage.request("a").ends_at.unwrap();
    tests::memory::clock::set(ends_at - SignedDuration::from_nanos(1));
    stage.tick().await;
    assert_eq!(stage.ledger.deadlines().len(), 1, "the grant has lost its deadline");
    stage.tick_after(MINUTE).await;
    assert_eq!(stage.request("a").ending, Some(Ending::Expired));
}

#[tokio::test(start_paused = true)]
async fn two_ticks_at_once_end_a_grant_once() {
    let stage = Stage::new();
    stage.happens(ask_preset("a", "pypi")).await;
    tests::memory::clock::pass(8 * HOUR).await;
    let (one, two) = (stage.clone(), stage.clone());
    tokio::join!(async move { one.tick().await }, async move { two.tick().await });
    assert_eq!(stage.request("a").version, 3);
    assert_eq!(stage.firewall.patterns(), strings(&[]));
    stage.is_settled();
}
