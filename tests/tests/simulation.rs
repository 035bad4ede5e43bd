//! The simulation: what must be true is true in every run, the same seed is the same run, and a design with one
//! thing undone is found out.

#![cfg(test)]

use std::collections::BTreeMap;
use std::path::Path;

use egress::config::Config;
use egress::firewall::{Content, RuleGroup, Settings, UpdateToken};
use egress::lifecycle::Rulebook;
use egress::policy::Policy;
use egress::request::{LiveGrant, RequestId};
use egress::rules;
use jiff::Timestamp;
use requests::Requests;
use serde_json::json;
use tests::memory::{MemoryBus, MemoryFirewall, MemoryLedger, clock};
use tests::simulation::broken::Flaw;
use tests::simulation::{find, run, simulate};

/// How many seeds `make test` runs; `make simulate` runs more.
const SEEDS: u64 = 2_000;
/// In so many seeds a flaw has to be found.
const ENOUGH: u64 = 400;

#[test]
fn whatever_goes_wrong_what_must_be_true_is_true() {
    let summary = simulate(0, SEEDS, |_| {}).unwrap();
    let target = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../target"));
    summary.write(&target.join("sim/summary.json")).unwrap();
    assert_eq!(summary.violations, [], "make simulate SEED=… replays a run and prints all of it");
    assert_eq!(summary.seeds, SEEDS);
    // And enough has gone wrong for that to mean something.
    assert!(summary.crashes > SEEDS, "{} crashes", summary.crashes);
    let rare: Vec<_> = summary.faults.iter().filter(|(_, count)| **count == 0).collect();
    assert!(summary.faults.len() >= 16 && rare.is_empty(), "{:?}", summary.faults);
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 0..20 {
        let (one, other) = (run(seed, Flaw::None).unwrap().record, run(seed, Flaw::None).unwrap().record);
        assert_eq!(one.trace, other.trace, "seed {seed}");
        assert_eq!(one.digest(), other.digest());
    }
}

/// Finds a flaw, and by this invariant among others.
#[track_caller]
fn is_found(flaw: Flaw, invariant: &str) {
    let first = find(flaw, None, ENOUGH).unwrap();
    let found = find(flaw, Some(invariant), ENOUGH).unwrap();
    println!("{flaw:?}: seed {found:?} by {invariant:?}, seed {first:?} by any");
    assert!(found.is_some(), "{flaw:?} was not found in {ENOUGH} seeds");
}

#[test]
fn grants_that_are_read_before_the_token() {
    is_found(Flaw::GrantsBeforeToken, "nothing is opened that isn't granted");
}

#[test]
fn a_stale_token_that_is_answered_with_a_fresh_one() {
    is_found(Flaw::StaleRulesWithFreshToken, "nothing is opened that isn't granted");
}

#[test]
fn in_sync_that_nobody_waits_for() {
    is_found(Flaw::AlwaysInSync, "active is true");
}

#[test]
fn events_beside_the_transaction() {
    is_found(Flaw::ToldBesideTheTransaction, "every transition is told");
}

#[test]
fn a_version_that_is_not_checked() {
    is_found(Flaw::NoVersionCheck, "no transition without its history");
}

#[test]
fn keys_that_are_ignored() {
    is_found(Flaw::KeysIgnored, "what is told has a cause, and every cause is told");
}

#[test]
fn a_history_that_was_changed() {
    is_found(Flaw::HistoryChanged, "no transition without its history");
}

#[test]
fn a_revoke_that_leaves_the_grant() {
    is_found(Flaw::LiveRowLeft, "the firewall is what the ledger says");
}

#[test]
fn a_cut_that_nobody_notes() {
    is_found(Flaw::CutForgotten, "what has ended is cut");
}

#[test]
fn connections_that_come_late_and_are_not_cut() {
    is_found(Flaw::CutOnce, "what has ended is cut");
}

#[test]
fn a_deadline_that_is_not_written() {
    is_found(Flaw::DeadlineForgotten, "the ledger agrees with itself");
}

#[test]
fn entries_that_are_not_claimed() {
    is_found(Flaw::ClaimsForgotten, "the firewall is what the ledger says");
}

#[test]
fn sids_that_are_not_read_back() {
    is_found(Flaw::SidsNotReadBack, "what stands keeps its place");
}

#[test]
fn others_entries_that_are_taken_for_ours() {
    is_found(Flaw::EverythingIsOurs, "others' entries are left alone");
}

#[test]
fn live_grants_of_which_only_a_page_is_read() {
    is_found(Flaw::FirstPageOnly, "nothing is closed that is granted");
}

#[test]
fn a_time_that_is_over_and_that_nobody_looks_at() {
    is_found(Flaw::EndsIgnored, "no grant outlives a tick");
}

#[test]
fn connections_that_are_cut_although_the_grant_was_extended() {
    is_found(Flaw::SupersededIsCut, "what has ended is cut");
}

#[test]
fn a_failure_that_is_taken_for_done() {
    is_found(Flaw::FailureTakenForDone, "nothing acknowledged is lost");
}

#[test]
fn an_outbox_that_nobody_empties() {
    is_found(Flaw::OutboxKept, "it settles");
}

#[test]
fn policies_that_are_not_the_operator_s() {
    is_found(Flaw::OtherPolicies, "who decided may decide");
}

/// No policy can let somebody decide about an own request, or count twice, so there is nothing to find.
#[test]
fn a_policy_that_lets_everybody_do_everything() {
    let found = find(Flaw::GenerousPolicy, None, 100).unwrap();
    assert_eq!(found, None);
}

// What it found, as the smallest stories that show it.

fn grant(name: &str, approved_at: i64, active: bool, domains: &[&str]) -> LiveGrant {
    LiveGrant {
        request_id: RequestId::of_message(name),
        requester: "alice".to_owned(),
        domains: domains.iter().map(|domain| domain.parse().unwrap()).collect(),
        approved_at: Timestamp::from_second(approved_at).unwrap(),
        ends_at: Timestamp::MAX,
        active,
        used: false,
        waits: !active,
        extends: None,
    }
}

/// Somebody empties a rule group by hand. What stood in it comes back, also where somebody else has waited for
/// longer for its room.
#[test]
fn what_was_taken_out_by_hand_comes_back_before_who_waits() {
    let emptied = RuleGroup {
        arn: "grants".to_owned(),
        token: UpdateToken("1".to_owned()),
        content: Content::Rules(rules::no_grants()),
        settings: Settings::default(),
        capacity: 4,
        consumed: 1,
        changed_at: None,
    };
    let waits = grant("waits", 1, false, &["one.example.com", "two.example.com"]);
    let stood = grant("stood", 2, true, &["github.com"]);
    let plan = rules::plan(&[emptied], &[waits.clone(), stood], &BTreeMap::new(), &BTreeMap::new());
    assert_eq!(plan.unplaced.into_keys().collect::<Vec<_>>(), [waits.request_id]);
}

/// An event that nobody can take is delivered twice, some time apart. It is told in the same words.
#[tokio::test(start_paused = true)]
async fn an_event_that_is_refused_twice_is_told_in_the_same_words() {
    clock::set("2026-11-21T12:00:01Z".parse().unwrap());
    let bus = MemoryBus::new();
    let requests = Requests {
        firewall: MemoryFirewall::new(Content::Rules(rules::no_grants())),
        ledger: MemoryLedger::new(),
        bus: bus.clone(),
        rulebook: Rulebook {
            config: Config::parse("[groups]\napprovers = [\"bob\"]").unwrap(),
            policy: Policy::parse(include_str!("../../infra/config/policy.cedar")).unwrap(),
        },
        now: clock::now,
        jitter: || 0.5,
    };
    let nonsense = json!({
        "source": "egress.intake", "detail-type": "Nonsense", "time": "2026-11-21T12:00:00Z", "detail": {},
    });
    for _ in 0..2 {
        requests.handle(nonsense.clone()).await.unwrap();
        clock::pass(std::time::Duration::from_mins(1)).await;
    }
    let mut told = bus.published();
    told.dedup();
    assert_eq!(told.len(), 1, "{told:?}");
}
