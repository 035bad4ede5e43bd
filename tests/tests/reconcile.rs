//! Stories about reconcile at several rule groups: who dies between two of them, who is overtaken, and what AWS
//! refuses in spite of the plan.

#![cfg(test)]

use std::collections::BTreeSet;
use std::time::Duration;

use egress::firewall::Content;
use egress::reconcile::{ReconcileError, Reconciled, reconcile};
use egress::request::{LiveGrant, RequestId};
use egress::rules::{self, no_grants};
use jiff::{SignedDuration, Timestamp};
use tests::memory::{Call, Chance, Fault, Faults, MemoryFirewall, MemoryLedger};

/// A firewall and a ledger, and a clock that counts seconds.
#[derive(Clone)]
struct Stage {
    firewall: MemoryFirewall,
    ledger: MemoryLedger,
}

impl Stage {
    /// Groups that are all ours, each with room for so many domains.
    fn of_groups(rooms: &[u64]) -> Self {
        let firewall = MemoryFirewall::with_groups(vec![Content::Rules(no_grants()); rooms.len()]);
        for (place, room) in rooms.iter().enumerate() {
            firewall.set_capacity_of(place, room * 2);
        }
        Self { firewall, ledger: MemoryLedger::new() }
    }

    /// A grant of hosts below example.com, which ends at this second.
    fn grant(&self, name: &str, hosts: &[&str], ends_at: i64) {
        self.ledger.put_live(LiveGrant {
            request_id: id(name),
            requester: "alice".to_owned(),
            domains: hosts.iter().map(|host| format!("{host}.example.com").parse().unwrap()).collect(),
            approved_at: at(0),
            ends_at: at(ends_at),
            active: false,
            used: false,
            waits: false,
            extends: None,
        });
    }

    async fn reconcile_with(
        &self,
        second: i64,
        faults: &Faults,
    ) -> Option<Result<Reconciled, ReconcileError>> {
        let (firewall, ledger) = (self.firewall.with(faults), self.ledger.with(faults));
        faults.until_crash(reconcile(&firewall, &ledger, at(second), || 0.5)).await
    }

    async fn reconcile(&self, second: i64) -> Reconciled {
        self.reconcile_with(second, &Faults::none()).await.unwrap().unwrap()
    }

    /// The hosts that each group lets pass.
    fn shown(&self) -> String {
        let line = |content: Content| {
            let standing = rules::standing(&content);
            let hosts =
                standing.iter().map(|pattern| pattern.name().trim_end_matches(".example.com").to_owned());
            hosts.collect::<Vec<_>>().join(" ")
        };
        self.firewall.contents().into_iter().map(line).collect::<Vec<_>>().join(" | ")
    }

    fn told(&self) -> Vec<String> {
        self.ledger.unpublished().into_iter().map(|entry| entry.event.detail_type).collect()
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second)
}

fn id(name: &str) -> RequestId {
    RequestId::of_message(name)
}

#[tokio::test(start_paused = true)]
async fn who_dies_between_two_groups_leaves_the_rest_of_the_same_plan() {
    for (fault, between) in [(Fault::CrashBefore, "a b | "), (Fault::CrashAfter, "a b | c")] {
        let stage = Stage::of_groups(&[2, 2]);
        stage.grant("one", &["a", "b", "c"], 100);
        let mut writes = 0;
        let mut fault = Some(fault);
        let faults = Faults::new(Duration::ZERO, move |call| {
            writes += u32::from(call == Call::Write);
            if call == Call::Write && writes == 2 { fault.take() } else { None }
        });
        assert!(stage.reconcile_with(0, &faults).await.is_none());
        assert_eq!(stage.shown(), between);
        let after = stage.reconcile(1).await;
        assert_eq!(stage.shown(), "a b | c");
        assert_eq!(after.waiting().count(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_overtaken_in_another_group_finds_out() {
    // One plans to open in the second group; meanwhile what stood in the first has ended, and somebody has
    // opened the same there.
    let stage = Stage::of_groups(&[1, 2]);
    stage.grant("ends", &["a"], 10);
    stage.reconcile(0).await;
    stage.grant("new", &["b"], 100);
    let other = stage.clone();
    let faults = Faults::script([(
        Call::Write,
        Fault::meanwhile(|| async move {
            other.grant("newer", &["c"], 100);
            other.reconcile(20).await;
        }),
    )]);
    stage.reconcile_with(5, &faults).await.unwrap().unwrap();
    stage.reconcile(20).await;
    let standing = stage.firewall.patterns();
    assert_eq!(standing, BTreeSet::from(["b.example.com", "c.example.com"].map(str::to_owned)));
    let places: usize = stage.firewall.contents().iter().map(|content| rules::standing(content).len()).sum();
    assert_eq!(places, 2, "{}", stage.shown());
}

#[tokio::test(start_paused = true)]
async fn a_group_that_aws_refuses_in_spite_of_the_plan_is_passed_over() {
    let stage = Stage::of_groups(&[10, 10]);
    stage.grant("stands", &["a", "b"], 100);
    stage.grant("ends", &["e"], 5);
    stage.reconcile(0).await;
    // As it is now, the first group takes no byte more.
    let Content::Rules(text) = stage.firewall.content() else { panic!("not rules") };
    stage.firewall.set_longest_text(text.len());
    stage.grant("new", &["c", "d"], 100);
    let after = stage.reconcile(1).await;
    assert_eq!(stage.shown(), "a b e | c d");
    assert!(after.unplaced.is_empty(), "{:?}", after.unplaced);

    // Where no group takes it, it waits, with the words of AWS; what ends is closed all the same.
    stage.grant("large", &["1", "2", "3", "4", "5", "6"], 100);
    let after = stage.reconcile(10).await;
    assert_eq!(stage.shown(), "a b | c d");
    assert!(after.unplaced[&id("large")].contains("RulesString is too long"), "{:?}", after.unplaced);
}

#[tokio::test(start_paused = true)]
async fn a_group_that_can_t_be_written_at_all_keeps_no_other_from_being_closed() {
    let stage = Stage::of_groups(&[4, 2]);
    stage.grant("stands", &["a", "b", "c"], 100);
    stage.grant("ends", &["x", "y"], 5);
    stage.reconcile(0).await;
    assert_eq!(stage.shown(), "a b c x | y");
    // The first group is longer than AWS takes, also without what ends.
    stage.firewall.set_longest_text(no_grants().len());
    let error = stage.reconcile_with(10, &Faults::none()).await.unwrap().unwrap_err();
    assert!(error.to_string().contains("RulesString is too long"), "{error}");
    assert_eq!(stage.shown(), "a b c x | ");
}

#[tokio::test(start_paused = true)]
async fn what_is_found_changed_by_hand_is_told_once_however_often_it_is_tried() {
    let stage = Stage::of_groups(&[4, 4]);
    stage.firewall.edit_group(1, |content| *content = Content::Rules("# tidied up\n".to_owned()));
    let faults = Faults::script([(Call::Write, Fault::Contended), (Call::Write, Fault::Contended)]);
    let after = stage.reconcile_with(0, &faults).await.unwrap().unwrap();
    assert_eq!(stage.told(), ["DriftFound"]);
    assert_eq!(after.told.len(), 1);
    let detail = &after.told[0].event.detail;
    assert_eq!(
        (&detail["rule_group"], &detail["lines"][0]),
        (&stage.firewall.arns()[1].clone().into(), &"# tidied up".into())
    );
}

#[tokio::test(start_paused = true)]
async fn a_crowd_at_several_groups_ends_at_what_is_granted() {
    for seed in 0..200 {
        let mut chance = Chance::new(seed);
        let stage = Stage::of_groups(&[3, 2, 9]);
        stage.firewall.set_capacity_of(1, 5);
        let mut running = tokio::task::JoinSet::new();
        for number in 0..12 {
            let hosts: Vec<String> =
                (0..=chance.below(2)).map(|_| format!("h{}", chance.below(12))).collect();
            let ends_at = [3, 7, 1_000][chance.below(3)];
            let (stage, faults) = (stage.clone(), Faults::seeded(chance.next_number(), 15));
            let start = Duration::from_millis(chance.next_number() % 9_000);
            running.spawn(async move {
                tokio::time::sleep(start).await;
                let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
                stage.grant(&number.to_string(), &hosts, ends_at);
                let second = i64::try_from(start.as_secs()).unwrap();
                let _ = stage.reconcile_with(second, &faults).await;
            });
        }
        running.join_all().await;
        let after = stage.reconcile(10).await;
        let expected: BTreeSet<String> =
            after.live.iter().flat_map(|grant| &grant.domains).map(ToString::to_string).collect();
        assert!(after.unplaced.is_empty(), "seed {seed}: {:?}", after.unplaced);
        assert_eq!(stage.firewall.patterns(), expected, "seed {seed}");
        let places: usize =
            stage.firewall.contents().iter().map(|content| rules::standing(content).len()).sum();
        assert_eq!(places, expected.len(), "seed {seed}: {}", stage.shown());
        let writes = stage.firewall.writes();
        stage.reconcile(11).await;
        assert_eq!(stage.firewall.writes(), writes, "seed {seed}");
    }
}
