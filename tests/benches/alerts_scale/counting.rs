//! The store in memory, which counts what it would take of DynamoDB: by the sizes of the items as they would stand in
//! the table. How units follow from sizes:
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html>
//! (a read unit for each 4 KB that is read strongly consistent, also where nothing is found; a write unit for each KB
//! of the item, whatever changes of it; the index is written where its keys change).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use alerts::batch::BatchId;
use alerts::evidence::{Counted, Evidence, Part};
use alerts::groups::Group;
use alerts::plan::{Claims, Owing};
use alerts::windows::{Known, StoreError, Windows};
use aws_sdk_dynamodb::types::AttributeValue;
use egress::aws::evidence::{COUNTS_KEPT, FlowSeen, Item, Used, expiring};
use egress::aws::windows::{Window, WindowKey, batch_attribute, counts_attribute, partition};
use egress::request::RequestId;
use jiff::Timestamp;

use crate::cpu;
use crate::memory::Memory;

/// The store.
#[derive(Debug)]
pub(crate) struct Counting {
    pub(crate) memory: Memory,
    pub(crate) taken: Arc<Mutex<Taken>>,
}

/// What was taken of DynamoDB.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// Requests to DynamoDB, and to EC2.
    pub(crate) calls: u64,
    pub(crate) ec2: u64,
    /// Units of each kind of write.
    pub(crate) writes: BTreeMap<&'static str, u64>,
    /// Units of each kind of read.
    pub(crate) reads: BTreeMap<&'static str, u64>,
    /// The largest item of a window, in bytes.
    pub(crate) largest: usize,
    /// The units that are written for the batches that come together, by partition.
    together: HashMap<String, u64>,
    /// The most units that a partition took in a second, of the table and of the index.
    pub(crate) hottest: [u64; 2],
    /// What a tick wrote when it closed windows: two writes for each, in their order.
    closed: Vec<(String, u64)>,
    /// CPU time that the counting took, in nanoseconds.
    pub(crate) own: u64,
}

impl Taken {
    /// Reads so many bytes, strongly consistent.
    pub(crate) fn read(&mut self, kind: &'static str, bytes: usize) {
        *self.reads.entry(kind).or_default() += units_of(bytes, 4_096);
    }

    /// Writes an item of so many bytes; its units.
    pub(crate) fn write(&mut self, kind: &'static str, pk: &str, bytes: usize) -> u64 {
        let taken = units_of(bytes, 1_024);
        *self.writes.entry(kind).or_default() += taken;
        self.largest = self.largest.max(bytes);
        *self.together.entry(pk.to_owned()).or_default() += taken;
        taken
    }

    /// Batches that came together are worked off, in so long a time.
    pub(crate) fn worked_off(&mut self, time: Duration) {
        let milliseconds = u64::try_from(time.as_millis()).unwrap().max(1_000);
        for (pk, units) in self.together.drain() {
            let units = units * 1_000 / milliseconds;
            let hottest = &mut self.hottest[usize::from(pk.starts_with("digest#"))];
            *hottest = units.max(*hottest);
        }
    }

    /// A tick is over, which closes so many windows in a second. The most units that a partition took in one.
    pub(crate) fn closed(&mut self, a_second: usize) -> u64 {
        let closed = std::mem::take(&mut self.closed);
        let most = |second: &[(String, u64)]| {
            let mut partitions: HashMap<&str, u64> = HashMap::new();
            for (pk, units) in second {
                *partitions.entry(pk).or_default() += units;
            }
            partitions.into_values().max()
        };
        closed.chunks(2 * a_second).filter_map(most).max().unwrap_or_default()
    }
}

impl Counting {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self { memory: Memory::new(), taken: Arc::default() }
    }

    /// Counts one request.
    fn count<T>(&self, what: impl FnOnce(&mut Taken) -> T) -> T {
        count(&self.taken, what)
    }
}

/// Counts one request.
pub(crate) fn count<T>(taken: &Mutex<Taken>, what: impl FnOnce(&mut Taken) -> T) -> T {
    let (began, mut taken) = (cpu(), taken.lock().unwrap());
    taken.calls += 1;
    let answer = what(&mut taken);
    taken.own += u64::try_from(cpu().saturating_sub(began).as_nanos()).unwrap();
    answer
}

impl Windows for Counting {
    async fn is_done(&self, batch: &BatchId) -> Result<bool, StoreError> {
        self.count(|taken| taken.read("batches", 1));
        self.memory.is_done(batch).await
    }

    async fn done(&self, batch: &BatchId, now: Timestamp) -> Result<(), StoreError> {
        self.count(|taken| taken.write("batches", &format!("alert#batch#{batch}"), 100));
        self.memory.done(batch, now).await
    }

    async fn window(&self, key: &WindowKey) -> Result<Option<Window>, StoreError> {
        let window = self.memory.window(key).await?;
        self.count(|taken| taken.read("windows", window.as_ref().map_or(1, size)));
        Ok(window)
    }

    async fn count(
        &self,
        group: &Group<'_>,
        batch: &BatchId,
        claims: Claims,
        now: Timestamp,
    ) -> Result<Owing, StoreError> {
        let was_due = self.memory.window(&group.key).await?.is_some_and(|window| window.item.due.is_some());
        let owing = Windows::count(&self.memory, group, batch, claims, now).await?;
        let window = self.memory.window(&group.key).await?.unwrap();
        Counting::count(self, |taken| {
            taken.write("counts in a window", &partition(&group.key.domain), size(&window));
            if !was_due {
                taken.write("index", &group.key.due(group.until).0, 300);
            }
        });
        Ok(owing)
    }

    async fn count_apart(
        &self,
        group: &Group<'_>,
        batch: &BatchId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.count(|taken| {
            let row = expiring(group.key.row(batch.as_str(), &group.counts).unwrap(), now, COUNTS_KEPT);
            taken.write("counts apart", &partition(&group.key.domain), item_size(&row));
        });
        self.memory.count_apart(group, batch, now).await
    }

    async fn count_late(&self, group: &Group<'_>, batch: &BatchId, now: Timestamp) -> Result<(), StoreError> {
        self.count_apart(group, batch, now).await?;
        self.memory.count_late(group, batch, now).await?;
        let window = self.memory.window(&group.key).await?.unwrap();
        Counting::count(self, |taken| {
            taken.write("late counts", &partition(&group.key.domain), size(&window));
            taken.write("index", &group.key.due(group.until).0, 300);
        });
        Ok(())
    }

    async fn windows(&self, keys: &[WindowKey]) -> Result<Vec<Window>, StoreError> {
        let windows = self.memory.windows(keys).await?;
        self.count(|taken| {
            for window in &windows {
                taken.read("windows before", size(window));
            }
            (windows.len()..keys.len()).for_each(|_| taken.read("windows before", 1));
        });
        Ok(windows)
    }

    async fn oldest(&self, domain: &str) -> Result<Option<WindowKey>, StoreError> {
        let oldest = self.memory.oldest(domain).await?;
        let window = match &oldest {
            Some(key) => self.memory.window(key).await?,
            None => None,
        };
        self.count(|taken| taken.read("the oldest of a domain", window.as_ref().map_or(1, size)));
        Ok(oldest)
    }

    async fn due(&self, until: Timestamp, most: usize) -> Result<Vec<WindowKey>, StoreError> {
        let due = self.memory.due(until, most).await?;
        // Half, since the index isn't read strongly consistent.
        self.count(|taken| (0..4).for_each(|_| taken.read("index", due.len() * 300 / 2 / 4 + 1)));
        Ok(due)
    }

    async fn whole(&self, key: &WindowKey) -> Result<Option<Window>, StoreError> {
        let window = self.memory.whole(key).await?;
        self.count(|taken| taken.read("whole windows", window.as_ref().map_or(1, size)));
        Ok(window)
    }

    async fn close(&self, window: &Window, digested: u64) -> Result<(), StoreError> {
        let item = self.memory.window(&window.key()).await?.unwrap();
        self.count(|taken| {
            let (pk, due) = (partition(&window.item.domain), window.item.due.clone().unwrap());
            let units = taken.write("closing", &pk, size(&item));
            let index = taken.write("index", &due, 300);
            // On the simulation's clock a tick takes no time.
            taken.together.clear();
            taken.closed.extend([(pk, units), (due, index)]);
        });
        self.memory.close(window, digested).await
    }

    async fn known(&self, now: Timestamp) -> Result<Known, StoreError> {
        self.count(|taken| (0..2).for_each(|_| taken.read("requests and silences", 1)));
        self.memory.known(now).await
    }
}

/// No grant is used in that hour.
impl Evidence for Counting {
    async fn used(&self, grants: &BTreeSet<&RequestId>) -> Result<BTreeMap<RequestId, Used>, StoreError> {
        Evidence::used(&self.memory, grants).await
    }

    async fn count(&self, part: &Part<'_>, now: Timestamp) -> Result<Counted, StoreError> {
        Evidence::count(&self.memory, part, now).await
    }

    async fn keep(&self, grant: &RequestId, flow: &FlowSeen, now: Timestamp) -> Result<(), StoreError> {
        self.memory.keep(grant, flow, now).await
    }
}

fn units_of(bytes: usize, unit: usize) -> u64 {
    u64::try_from(bytes.div_ceil(unit).max(1)).unwrap()
}

/// The bytes of a window, with all of its batches that are at hand.
fn size(window: &Window) -> usize {
    let mut item: Item = serde_dynamo::to_item(&window.item).unwrap();
    item.extend(window.key().item());
    if window.item.due.is_some() {
        item.insert("due_at".to_owned(), AttributeValue::S(window.key().due(window.item.until).1));
    }
    let batches = window.batches.iter();
    item.extend(batches.map(|(batch, counts)| (batch_attribute(batch), counts_attribute(counts).unwrap())));
    item_size(&expiring(item, window.item.from, COUNTS_KEPT))
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html>
fn item_size(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + value_size(value)).sum()
}

fn value_size(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(number) => number.len().div_ceil(2) + 1,
        AttributeValue::L(values) => 3 + values.iter().map(|value| 1 + value_size(value)).sum::<usize>(),
        AttributeValue::M(values) => 3 + values.len() + item_size(values),
        AttributeValue::Ss(texts) => texts.iter().map(String::len).sum(),
        _ => 1,
    }
}
