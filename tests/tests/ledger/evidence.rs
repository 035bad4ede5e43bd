//! What `alerts` writes of the firewall's log is what the ledger reads.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::LazyLock;

use alerts::batch::BatchId;
use alerts::dynamodb::DynamoStore;
use alerts::evidence::count_all;
use alerts::groups::{First, Group};
use alerts::plan::{Claim, Claims};
use alerts::uses::{FirstUse, Use};
use alerts::windows::{Known, Windows};
use aws_sdk_dynamodb::types::AttributeValue;
use egress::aws::evidence::FlowSeen;
use egress::aws::windows::WindowKey;
use egress::counts::{Counts, HostSeen};
use egress::domain::counted_under;
use egress::firewall::Flow;
use egress::ledger::{BlockedCount, Evidence, Ledger};
use egress::owner::Owner;
use egress::request::RequestId;
use futures_util::future::try_join_all;
use jiff::{Timestamp, ToSpan};
use tests::memory::MemoryLedger;

use crate::samples::noon;
use crate::table::Table;

/// What the firewall logs, into one ledger or the other.
trait Log {
    async fn passed(&self, id: &RequestId, flow: Flow, at: Timestamp) -> anyhow::Result<()>;
    async fn blocked(&self, count: BlockedCount) -> anyhow::Result<()>;
}

impl Log for MemoryLedger {
    async fn passed(&self, id: &RequestId, flow: Flow, at: Timestamp) -> anyhow::Result<()> {
        self.use_grant(id, flow, at);
        Ok(())
    }

    async fn blocked(&self, count: BlockedCount) -> anyhow::Result<()> {
        self.block(count);
        Ok(())
    }
}

impl Log for DynamoStore {
    async fn passed(&self, id: &RequestId, flow: Flow, at: Timestamp) -> anyhow::Result<()> {
        let batch = batch(&format!("{id} {flow:?} {at}"));
        count_all(self, &batch, &[used(id, &flow, at)], noon(), || 0.5).await?;
        Ok(())
    }

    async fn blocked(&self, count: BlockedCount) -> anyhow::Result<()> {
        let batch = batch(&format!("{count:?}"));
        let group = group(&count, count.last_seen - 10.minutes());
        self.count(&group, &batch, Claims::default(), noon()).await?;
        Ok(())
    }
}

fn batch(id: &str) -> BatchId {
    BatchId::of([id])
}

fn flow(host: u8) -> Flow {
    Flow { source: IpAddr::from([10, 2, 3, host]), destination: IpAddr::from([198, 51, 100, 1]), port: 443 }
}

fn used(id: &RequestId, flow: &Flow, at: Timestamp) -> Use {
    Use {
        grant: id.clone(),
        connections: 1,
        first: FirstUse { at, host: "github.com".to_owned(), source: flow.source },
        last_at: at,
        flows: vec![FlowSeen::new(flow, at)],
    }
}

/// Alice's connections, in the window that begins then.
fn group(count: &BlockedCount, begun: Timestamp) -> Group<'_> {
    static ALICE: LazyLock<Owner> =
        LazyLock::new(|| Owner::UserProfile { domain: "d-1".to_owned(), name: "alice".to_owned() });
    let source: IpAddr = count.source.parse().unwrap();
    let host = HostSeen {
        host: count.host.clone(),
        connections: count.connections,
        last_seen: count.last_seen,
        signature: count.signature.clone(),
        source,
    };
    Group {
        key: WindowKey {
            domain: counted_under(&count.host).into(),
            start: begun,
            owner: ALICE.key(source).into(),
        },
        owner: &ALICE,
        until: begun + 15.minutes(),
        counts: Counts {
            connections: count.connections,
            first_seen: begun,
            last_seen: count.last_seen,
            hosts: vec![host],
            host_count: 1,
            sources: BTreeSet::from([source]),
        },
        first: First {
            source,
            destination: &count.host,
            is_named: true,
            port: Some(443),
            protocol: "tls",
            signature: &count.signature,
            firewall: "demo",
            availability_zone: "eu-west-1a",
        },
    }
}

fn blocked(host: &str, connections: u64, last_seen: Timestamp) -> BlockedCount {
    BlockedCount {
        host: host.to_owned(),
        source: "10.2.3.10".to_owned(),
        connections,
        last_seen,
        signature: "egress last word: TLS".to_owned(),
        owner: Some("user profile alice in d-1".to_owned()),
    }
}

#[tokio::test]
async fn in_memory() -> anyhow::Result<()> {
    let ledger = MemoryLedger::new();
    is_read_as_it_was_logged(&ledger, &ledger).await
}

#[tokio::test]
async fn on_dynamodb() -> anyhow::Result<()> {
    let table = Table::start().await?;
    is_read_as_it_was_logged(&table.ledger(), &store(&table)).await
}

fn store(table: &Table) -> DynamoStore {
    DynamoStore::new(table.client.clone(), Table::name())
}

async fn is_read_as_it_was_logged<L: Ledger, G: Log>(ledger: &L, log: &G) -> anyhow::Result<()> {
    uses_are_summed_up(ledger, log).await?;
    connections_come_the_last_first(ledger, log).await?;
    what_was_blocked_is_found_by_its_registrable_domain(ledger, log).await
}

async fn uses_are_summed_up<L: Ledger, G: Log>(ledger: &L, log: &G) -> anyhow::Result<()> {
    let [grant, other, unused] = ["used-1", "used-2", "used-3"].map(RequestId::of_message);
    for minute in [5, 1, 9] {
        log.passed(&grant, flow(10), noon() + minute.minutes()).await?;
    }
    log.passed(&other, flow(10), noon()).await?;
    // More than `DynamoDB` reads at once, and one twice.
    let mut ids: Vec<RequestId> = (0..110).map(|n| RequestId::of_message(&format!("unused-{n}"))).collect();
    ids.extend([grant.clone(), other.clone(), unused, grant.clone()]);
    let evidence = |first: i64, last: i64, connections| Evidence {
        first_used_at: noon() + first.minutes(),
        last_used_at: noon() + last.minutes(),
        connections,
    };
    let expected = BTreeMap::from([(grant, evidence(1, 9, 3)), (other, evidence(0, 0, 1))]);
    assert_eq!(ledger.evidence(&ids).await?, expected);
    assert_eq!(ledger.evidence(&[]).await?, BTreeMap::new());
    Ok(())
}

async fn connections_come_the_last_first<L: Ledger, G: Log>(ledger: &L, log: &G) -> anyhow::Result<()> {
    let grant = RequestId::of_message("flows-1");
    for (host, minute) in [(10, 1), (11, 7), (12, 5), (10, 6)] {
        log.passed(&grant, flow(host), noon() + i64::from(minute).minutes()).await?;
    }
    let mut flows = ledger.flows(&grant).await?;
    flows.sort();
    assert_eq!(flows, [flow(10), flow(11), flow(12)]);
    assert_eq!(ledger.flows(&RequestId::of_message("flows-2")).await?, []);
    Ok(())
}

async fn what_was_blocked_is_found_by_its_registrable_domain<L: Ledger, G: Log>(
    ledger: &L,
    log: &G,
) -> anyhow::Result<()> {
    let counts = [
        blocked("api.github.com", 3, noon() - 1.minute()),
        blocked("github.com", 5, noon() - 30.hours()),
        blocked("gist.github.com", 7, noon() - 31.hours()),
    ];
    for count in [&counts[1], &counts[0], &counts[2], &blocked("x.github.io", 1, noon())] {
        log.blocked(count.clone()).await?;
    }
    log.blocked(blocked("198.51.100.7:22", 2, noon())).await?;
    assert_eq!(ledger.blocked("github.com", noon() - 48.hours()).await?, counts);
    // Its window began before that.
    assert_eq!(ledger.blocked("github.com", noon() - 30.hours()).await?, counts[..2]);
    assert_eq!(ledger.blocked("github.com", noon() - 1.hour()).await?, counts[..1]);
    let address = ledger.blocked("198.51.100.7", noon() - 1.hour()).await?;
    assert_eq!(address, [blocked("198.51.100.7:22", 2, noon())]);
    assert_eq!(ledger.blocked("pypi.org", Timestamp::UNIX_EPOCH).await?, []);
    Ok(())
}

#[tokio::test]
async fn on_dynamodb_a_batch_counts_once_and_batches_at_once_lose_nothing() -> anyhow::Result<()> {
    let table = Table::start().await?;
    let store = store(&table);
    let grants: Vec<RequestId> = (0..100).map(|n| RequestId::of_message(&format!("grant-{n}"))).collect();
    let uses: Vec<Use> = grants.iter().map(|grant| used(grant, &flow(10), noon())).collect();
    let batches = ["a", "b", "c", "d"].map(batch);
    let count = |batch| count_all(&store, batch, &uses, noon(), || 0.5);
    let [a, b, c, d] = &batches;
    let (a, b, c, d, again) = tokio::join!(count(a), count(b), count(c), count(d), count(a));
    let first: usize = [a?, b?, c?, d?].iter().map(Vec::len).sum();
    assert_eq!(first, 100, "each first use is owed by one batch");

    // Another delivery owes what the batch owed, and counts nothing.
    let again_later = count(&batches[0]).await?;
    assert_eq!(again?, again_later);
    let evidence = table.ledger().evidence(&grants).await?;
    assert_eq!(evidence.len(), 100);
    assert!(evidence.values().all(|evidence| evidence.connections == 4), "{evidence:?}");
    Ok(())
}

const OURS: Claims = Claims { tells: Claim::Ours, raises: Claim::Nothing };

#[tokio::test]
async fn on_dynamodb_the_first_batch_of_a_window_tells_and_each_counts_once() -> anyhow::Result<()> {
    let table = Table::start().await?;
    let store = store(&table);
    let count = blocked("api.github.com", 3, noon() + 1.minute());
    let group = group(&count, noon());
    let batches: Vec<BatchId> = (0..20).map(|n| batch(&format!("batch-{n}"))).collect();
    // All at once, and each twice.
    let counts = batches.iter().chain(&batches).map(|batch| store.count(&group, batch, OURS, noon()));
    let owing = try_join_all(counts).await?;
    let tellers: BTreeSet<usize> =
        (0..40).filter(|place| owing[*place].tells).map(|place| place % 20).collect();
    assert_eq!(tellers.len(), 1, "one batch tells, at both of its deliveries");
    let apart = batch("apart");
    for _ in 0..2 {
        store.count_apart(&group, &apart, noon()).await?;
    }

    let window = store.whole(&group.key).await?.unwrap();
    assert_eq!(Counts::sum(window.batches.values()).unwrap().connections, 21 * 3);
    assert_eq!(store.window(&group.key).await?.unwrap().batches.len(), 20);
    let read = table.ledger().blocked("github.com", noon()).await?;
    assert_eq!(read.iter().map(|count| count.connections).collect::<Vec<_>>(), [63]);
    assert_eq!(store.oldest("github.com").await?, Some(group.key.clone()));
    assert_eq!(store.windows(std::slice::from_ref(&group.key)).await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn on_dynamodb_a_window_is_due_until_its_digest_is_told_and_again_when_something_came_late()
-> anyhow::Result<()> {
    let table = Table::start().await?;
    let store = store(&table);
    let counts = ["a.example.com", "b.example.org", "c.example.net", "198.51.100.7:443"]
        .map(|host| blocked(host, 3, noon() + 1.minute()));
    let groups = counts.each_ref().map(|count| group(count, noon()));
    for group in &groups {
        store.count(group, &batch("first"), OURS, noon()).await?;
        store.count_apart(group, &batch("second"), noon()).await?;
    }
    let mut keys: Vec<WindowKey> = groups.iter().map(|group| group.key.clone()).collect();
    keys.sort();
    let due = async |minutes: i64| {
        let mut due = store.due(noon() + minutes.minutes(), 100).await?;
        due.sort();
        anyhow::Ok(due)
    };
    assert_eq!(due(14).await?, []);
    assert_eq!(due(15).await?, keys);
    assert_eq!(store.due(noon() + 1.hour(), 3).await?, keys[..3], "from all partitions of the index");

    let read = store.whole(&keys[0]).await?.unwrap();
    store.count(&groups[3], &batch("late"), Claims::default(), noon()).await?;
    assert_eq!(groups[3].key, keys[0]);
    store.close(&read, 6).await?;
    assert_eq!(due(15).await?, keys, "what was counted since it was read is not lost");
    for key in &keys {
        let window = store.whole(key).await?.unwrap();
        store.close(&window, 6).await?;
    }
    assert_eq!(due(15).await?, []);
    assert_eq!(store.whole(&keys[0]).await?.unwrap().item.digested, Some(6));
    store.count_late(&groups[3], &batch("later"), noon()).await?;
    assert_eq!(due(15).await?, keys[..1]);
    let window = store.whole(&keys[0]).await?.unwrap();
    assert_eq!((window.batches.len(), store.window(&keys[0]).await?.unwrap().batches.len()), (4, 2));
    Ok(())
}

#[tokio::test]
async fn on_dynamodb_what_explains_alerts_is_read() -> anyhow::Result<()> {
    let table = Table::start().await?;
    assert_eq!(store(&table).known(noon()).await?, Known::default());
    Ok(())
}

#[tokio::test]
async fn the_items_that_two_batches_write() -> anyhow::Result<()> {
    let table = Table::start().await?;
    let store = store(&table);
    let (first, second) = (batch("first"), batch("second"));
    let grant = RequestId::of_message("grant");
    let count = blocked("api.github.com", 3, noon() + 1.minute());
    let group = group(&count, noon());
    store.count(&group, &first, OURS, noon()).await?;
    store.count_apart(&group, &second, noon()).await?;
    for batch in [&first, &second] {
        count_all(&store, batch, &[used(&grant, &flow(10), noon())], noon(), || 0.5).await?;
        store.done(batch, noon()).await?;
    }
    let items = table.items().await?.iter().map(shown).collect::<Vec<_>>().join("\n");
    let items = items.replace(first.as_str(), "<first>").replace(second.as_str(), "<second>");
    insta::assert_snapshot!(items);
    Ok(())
}

/// One line an item.
fn shown(item: &HashMap<String, AttributeValue>) -> String {
    let mut names: Vec<&String> = item.keys().filter(|name| !["pk", "sk"].contains(&name.as_str())).collect();
    names.sort();
    let attributes: Vec<String> =
        names.into_iter().map(|name| format!("{name}={}", text(&item[name]))).collect();
    format!("{} | {} | {}", text(&item["pk"]), text(&item["sk"]), attributes.join(", "))
}

fn text(value: &AttributeValue) -> String {
    match value {
        AttributeValue::S(text) | AttributeValue::N(text) => text.clone(),
        AttributeValue::L(values) => format!("[{}]", values.iter().map(text).collect::<Vec<_>>().join(", ")),
        AttributeValue::M(values) => {
            let values: BTreeMap<_, _> = values.iter().map(|(name, value)| (name, text(value))).collect();
            let values = values.iter().map(|(name, value)| format!("{name}: {value}"));
            format!("{{{}}}", values.collect::<Vec<_>>().join(", "))
        }
        other => format!("{other:?}"),
    }
}
