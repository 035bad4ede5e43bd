//! Reconcile with 10,000 live grants: from the firewall's and the ledger's answers to the accepted write. The
//! edges are those in memory, so what is measured is the work of reconcile itself.

#![expect(clippy::unwrap_used, reason = "a benchmark that can't be set up has nothing to measure")]

use divan::{Bencher, black_box};
use egress::domain::DomainPattern;
use egress::firewall::Content;
use egress::reconcile::reconcile;
use egress::request::{LiveGrant, RequestId};
use jiff::{Timestamp, ToSpan};
use tests::memory::{Call, Faults, MemoryFirewall, MemoryLedger};

const GRANTS: usize = 10_000;

fn main() {
    divan::main();
}

fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn grant(place: usize, domains: usize) -> LiveGrant {
    let host = place % domains;
    let name = format!("host-{host}.department-{}.example.com", host % 17);
    LiveGrant {
        request_id: RequestId::of_message(&format!("bench:{place}")),
        requester: format!("person-{}@example.com", place % 500),
        domains: vec![DomainPattern::parse(&name).unwrap()],
        approved_at: now(),
        ends_at: now() + 8.hours(),
        active: true,
        used: false,
        waits: false,
        extends: None,
    }
}

/// A firewall of so many groups that has all grants but the last, and the ledger with all of them.
fn stage(groups: usize, domains: usize) -> (tokio::runtime::Runtime, MemoryFirewall, MemoryLedger) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (firewall, ledger) = runtime.block_on(async {
        let firewall = MemoryFirewall::with_groups(vec![Content::Rules(egress::rules::no_grants()); groups]);
        let ledger = MemoryLedger::new();
        let mut grants: Vec<LiveGrant> = (0..GRANTS).map(|place| grant(place, domains)).collect();
        let last = grants.pop().unwrap();
        for grant in grants {
            ledger.put_live(grant);
        }
        let before = reconcile(&firewall, &ledger, now(), || 0.5).await.unwrap();
        assert!(before.unplaced.is_empty(), "{:?}", before.unplaced.first_key_value());
        ledger.put_live(LiveGrant { active: false, ..last });
        (firewall, ledger)
    });
    (runtime, firewall, ledger)
}

/// One new grant among all: rendered and written whole. Each run takes it away again outside the measurement.
fn one_more(bencher: Bencher<'_, '_>, groups: usize, domains: usize) {
    let (runtime, firewall, ledger) = stage(groups, domains);
    let before: Vec<Content> = firewall.contents();
    let faults = Faults::none();
    bencher.with_inputs(|| firewall.set_contents(before.clone())).bench_local_values(|()| {
        let reconciled =
            runtime.block_on(reconcile(&firewall.with(&faults), &ledger, now(), || 0.5)).unwrap();
        assert!(reconciled.unplaced.is_empty());
        black_box(reconciled)
    });
    let calls = faults.calls();
    let count = |wanted: Call| calls.iter().filter(|call| **call == wanted).count();
    assert_eq!(count(Call::Write), count(Call::Read), "a read and a write each time");
}

/// 10,000 grants for 2,000 domains, which fit into one rule group's text.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn one_group(bencher: Bencher<'_, '_>) {
    one_more(bencher, 1, 2_000);
}

/// 10,000 grants for as many domains, which need three.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn three_groups(bencher: Bencher<'_, '_>) {
    one_more(bencher, 4, GRANTS);
}

/// Nothing to do, as at nearly every tick.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn nothing_to_do(bencher: Bencher<'_, '_>) {
    let (runtime, firewall, ledger) = stage(1, 2_000);
    runtime.block_on(reconcile(&firewall, &ledger, now(), || 0.5)).unwrap();
    bencher.bench_local(|| runtime.block_on(reconcile(&firewall, &ledger, now(), || 0.5)).unwrap());
}
