//! However the log is cut into batches, in whatever order they come, however often, and whatever fails meanwhile: what
//! is counted and summed up is the same.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use egress::events::BlockedDigest;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use crate::harness::{Function, blocked, delivery, digests, function_with, profile, tick, told};

/// A connection: whose, where, when.
type Seen = (usize, usize, i64);

const HOSTS: [&str; 6] =
    ["pypi.org", "files.pypi.org", "github.com", "x.github.io", "198.51.100.7", "files.pythonhosted.org"];
const SOURCES: [&str; 4] = ["10.2.3.10", "10.2.3.11", "10.2.3.12", "10.2.3.13"];

fn line(&(source, host, second): &Seen, flow: u64) -> String {
    let at = start() + SignedDuration::from_secs(second);
    blocked(SOURCES[source], HOSTS[host], &at.to_string(), flow)
}

fn start() -> Timestamp {
    "2026-05-14T09:00:00Z".parse().unwrap()
}

/// Alice has two of the addresses. Alerts rest for so long.
fn people(repeat: &str) -> Function {
    let function = function_with(&format!("[alerts]\nrepeat = \"{repeat}\""));
    let mut people = function.owners.0.lock().unwrap();
    people.insert(SOURCES[1].parse().unwrap(), profile("alice"));
    people.insert(SOURCES[2].parse().unwrap(), profile("bob"));
    drop(people);
    function
}

/// The last digest of each owner, domain and window, without its id; and all counts.
fn outcome(function: &Function) -> (BTreeMap<String, BlockedDigest>, BTreeMap<String, u64>) {
    let mut last = BTreeMap::new();
    for digest in digests(function) {
        let owner = digest.owner.key(digest.sources[0].parse().unwrap());
        last.insert(format!("{owner} {} {}", digest.domain, digest.from), digest);
    }
    (last, function.store.counts())
}

/// A log of some people and hosts, in some minutes: the fewer those are, the more batches count in one window.
fn log(most: usize) -> impl Strategy<Value = Vec<Seen>> {
    let seconds = prop::sample::select(&[600_i64, 5_000][..]);
    (1..=SOURCES.len(), 1..=HOSTS.len(), seconds).prop_flat_map(move |(sources, hosts, seconds)| {
        proptest::collection::vec((0..sources, 0..hosts, 0..seconds), 1..most)
    })
}

/// A batch of log events with their numbers, each in its place of the whole log.
fn batch(log: &[Seen], from: usize, to: usize) -> serde_json::Value {
    let lines =
        (from..to).map(|place| (format!("event-{place}"), line(&log[place], u64::try_from(place).unwrap())));
    delivery(&lines.collect::<Vec<_>>())
}

async fn in_one_batch(log: &[Seen], repeat: &str) -> Function {
    let function = people(repeat);
    function.handle(batch(log, 0, log.len()), end()).await.unwrap();
    function.handle(tick(), end() + SignedDuration::from_hours(24)).await.unwrap();
    function
}

fn end() -> Timestamp {
    start() + SignedDuration::from_hours(2)
}

/// What digests say is suppressed is what no alert has told of their windows.
fn is_true(function: &Function) {
    let told = told(function);
    for digest in outcome(function).0.into_values() {
        let is_told = told.iter().any(|alert| {
            let owner = digest.sources.contains(&alert.source) && alert.domain == digest.domain;
            owner && (digest.from..digest.until).contains(&alert.first_seen)
        });
        assert_eq!(digest.suppressed, digest.connections - u64::from(is_told), "{digest:?}");
    }
}

/// The same is counted and summed up. Where alerts rest beyond their window, which of two windows has the alert depends
/// on which comes first; what is suppressed is true of each.
fn is_the_same(function: &Function, whole: &Function, repeat: &str) {
    is_true(function);
    is_true(whole);
    let (mut ours, mut theirs) = (outcome(function), outcome(whole));
    if repeat != "15m" {
        for outcome in [&mut ours, &mut theirs] {
            outcome.0.values_mut().for_each(|digest| digest.suppressed = 0);
            // One connection that an alert has told makes no digest.
            outcome.0.retain(|_, digest| digest.connections > 1);
        }
    }
    let of = |all: &BTreeMap<String, BlockedDigest>, other: &BTreeMap<String, BlockedDigest>| {
        let differs = |(key, digest): &(&String, &BlockedDigest)| other.get(*key) != Some(*digest);
        all.iter().filter(differs).map(|(_, digest)| format!("{digest:?}")).collect::<Vec<_>>()
    };
    assert_eq!(of(&ours.0, &theirs.0), of(&theirs.0, &ours.0));
    assert_eq!(ours.1, theirs.1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn counts_and_digests_are_those_of_the_whole_log(
        log in log(60),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..40),
        // Which batch comes next, after how many writes it fails, whether nothing can be told, and by how much the clock
        // is wrong, in seconds.
        // Whether alerts rest beyond their window: which of them does depends on which comes first.
        repeat in prop::sample::select(&["15m", "4h"][..]),
        deliveries in proptest::collection::vec((any::<prop::sample::Index>(), 0_usize..12, prop::bool::weighted(0.2), -40_000_i64..40_000), 0..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let whole = in_one_batch(&log, repeat).await;
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(log.len())).collect();
            cuts.extend([0, log.len()]);
            cuts.sort_unstable();
            cuts.dedup();
            let batches: Vec<_> = cuts.windows(2).map(|ends| batch(&log, ends[0], ends[1])).collect();
            let function = people(repeat);
            for (which, writes, deaf, wrong) in &deliveries {
                function.store.writes_left.store(*writes, Ordering::SeqCst);
                function.bus.fail.store(*deaf, Ordering::SeqCst);
                let now = end() + SignedDuration::from_secs(*wrong);
                // What fails is delivered again: at the latest below.
                let _ = function.handle(batches[which.index(batches.len())].clone(), now).await;
                let _ = function.handle(tick(), now).await;
            }
            function.store.writes_left.store(usize::MAX, Ordering::SeqCst);
            function.bus.fail.store(false, Ordering::SeqCst);
            for batch in &batches {
                function.handle(batch.clone(), end()).await.unwrap();
            }
            for _ in 0..2 {
                function.handle(tick(), end() + SignedDuration::from_hours(24)).await.unwrap();
            }
            is_the_same(&function, &whole, repeat);
            // Of everything that was blocked, something was told.
            let mut heard: Vec<String> = told(&function).iter().map(|it| it.domain.clone()).collect();
            heard.sort();
            heard.dedup();
            let mut all: Vec<String> = told(&whole).iter().map(|it| it.domain.clone()).collect();
            all.sort();
            all.dedup();
            assert_eq!(heard, all);
        });
    }

    #[test]
    fn invocations_that_run_at_once_count_each_batch_once(
        log in log(40),
        copies in 1_usize..4,
        size in 1_usize..8,
        repeat in prop::sample::select(&["15m", "4h"][..]),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let whole = in_one_batch(&log, repeat).await;
            let function = people(repeat);
            let starts = (0..log.len()).step_by(size);
            let batches: Vec<_> =
                starts.map(|from| batch(&log, from, (from + size).min(log.len()))).collect();
            let all = batches.iter().cycle().take(copies * batches.len());
            let handled = all.map(|batch| function.handle(batch.clone(), start()));
            for done in futures_util::future::join_all(handled).await {
                done.unwrap();
            }
            function.handle(tick(), end() + SignedDuration::from_hours(24)).await.unwrap();
            is_the_same(&function, &whole, repeat);
        });
    }
}
