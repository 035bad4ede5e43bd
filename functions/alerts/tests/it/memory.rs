//! The store in memory: windows with what each batch has counted in them, and what is counted of each grant.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use alerts::batch::BatchId;
use alerts::evidence::{Counted, Evidence, Part};
use alerts::groups::Group;
use alerts::plan::{Claim, Claims, Owing};
use alerts::windows::{Known, StoreError, Windows};
use egress::aws::evidence::{FlowSeen, Used};
use egress::aws::windows::{NOBODY, Window, WindowItem, WindowKey};
use egress::counts::Counts;
use egress::firewall::Flow;
use egress::request::RequestId;
use jiff::Timestamp;

/// The store.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    windows: Mutex<BTreeMap<WindowKey, Window>>,
    apart: Mutex<BTreeMap<(WindowKey, String), Counts>>,
    pub(crate) known: Mutex<Known>,
    used: Mutex<BTreeMap<RequestId, Used>>,
    flows: Mutex<BTreeMap<RequestId, BTreeMap<Flow, Timestamp>>>,
    counted: Mutex<BTreeSet<(String, usize)>>,
    done: Mutex<BTreeSet<String>>,
    pub(crate) fail_done: AtomicBool,
    /// How often something of windows and batches may still be written before it fails.
    pub(crate) writes_left: AtomicUsize,
    /// How many parts of uses may still be counted before it fails.
    pub(crate) parts_left: AtomicUsize,
    /// How often a part was overtaken.
    pub(crate) overtaken: AtomicUsize,
    /// A domain whose windows can't be read whole.
    pub(crate) unreadable: Mutex<Option<String>>,
    /// How many batches have counted in one window's item.
    pub(crate) largest: AtomicUsize,
    /// How often something was written.
    pub(crate) writes: AtomicUsize,
}

impl Memory {
    /// One that never fails.
    pub(crate) fn new() -> Self {
        let forever = || AtomicUsize::new(usize::MAX);
        Self { writes_left: forever(), parts_left: forever(), ..Self::default() }
    }

    /// What all batches together have counted, by owner, domain and window.
    pub(crate) fn counts(&self) -> BTreeMap<String, u64> {
        let keys: Vec<WindowKey> = self.windows.lock().unwrap().keys().cloned().collect();
        let sum = |key: &WindowKey| {
            let all = Counts::sum(self.all(key).unwrap().batches.values()).unwrap();
            (format!("{} {} {}", key.owner, key.domain, key.start), all.connections)
        };
        keys.iter().map(sum).collect()
    }

    /// What is counted of a grant.
    pub(crate) fn used(&self, grant: &str) -> Option<Used> {
        self.used.lock().unwrap().get(&id(grant)).cloned()
    }

    /// How many connections are counted, of all grants.
    pub(crate) fn connections(&self) -> BTreeMap<RequestId, u64> {
        let used = self.used.lock().unwrap();
        used.iter().map(|(grant, used)| (grant.clone(), used.connections)).collect()
    }

    /// The connections that are kept of a grant, as `source → destination:port`.
    pub(crate) fn flows(&self, grant: &str) -> Vec<String> {
        let flows = self.flows.lock().unwrap();
        let shown = |Flow { source, destination, port }: &Flow| format!("{source} → {destination}:{port}");
        flows.get(&id(grant)).into_iter().flat_map(BTreeMap::keys).map(shown).collect()
    }

    fn all(&self, key: &WindowKey) -> Option<Window> {
        let mut window = self.windows.lock().unwrap().get(key).cloned()?;
        let apart = self.apart.lock().unwrap();
        let ours = apart.range((key.clone(), String::new())..).take_while(|((of, _), _)| of == key);
        window.batches.extend(ours.map(|((_, batch), counts)| (batch.clone(), counts.clone())));
        Some(window)
    }

    fn written(&self) {
        self.writes.fetch_add(1, Ordering::SeqCst);
    }
}

fn id(grant: &str) -> RequestId {
    RequestId::try_from(grant.to_owned()).unwrap()
}

fn may(left: &AtomicUsize, what: &'static str) -> Result<(), StoreError> {
    let less = |left: usize| left.checked_sub(1);
    let failed = |_| StoreError { what, cause: "told to fail".to_owned() };
    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).map(drop).map_err(failed)
}

impl Windows for Memory {
    async fn is_done(&self, batch: &BatchId) -> Result<bool, StoreError> {
        Ok(self.done.lock().unwrap().contains(batch.as_str()))
    }

    async fn done(&self, batch: &BatchId, _now: Timestamp) -> Result<(), StoreError> {
        may(&self.writes_left, "marking a batch as done")?;
        if self.fail_done.load(Ordering::SeqCst) {
            return Err(StoreError { what: "marking a batch as done", cause: "told to fail".to_owned() });
        }
        self.written();
        self.done.lock().unwrap().insert(batch.to_string());
        Ok(())
    }

    async fn window(&self, key: &WindowKey) -> Result<Option<Window>, StoreError> {
        let window = self.windows.lock().unwrap().get(key).cloned();
        // Here other invocations get their turn, between the reading and the writing.
        tokio::task::yield_now().await;
        Ok(window)
    }

    async fn count(
        &self,
        group: &Group<'_>,
        batch: &BatchId,
        claims: Claims,
        _now: Timestamp,
    ) -> Result<Owing, StoreError> {
        may(&self.writes_left, "counting what was blocked in a window")?;
        self.written();
        let mut windows = self.windows.lock().unwrap();
        let window = windows.entry(group.key.clone()).or_insert_with(|| Window {
            item: WindowItem {
                domain: group.key.domain.to_string(),
                owner: group.owner.clone(),
                owner_key: group.key.owner.to_string(),
                from: group.key.start,
                until: group.until,
                updates: 0,
                teller: None,
                raiser: None,
                digested: None,
                due: None,
            },
            batches: BTreeMap::new(),
        });
        window.item.updates += 1;
        window.item.due = Some(group.key.due(group.until).0);
        window.batches.insert(batch.to_string(), group.counts.clone());
        self.largest.fetch_max(window.batches.len(), Ordering::SeqCst);
        for (place, claim) in
            [(&mut window.item.teller, claims.tells), (&mut window.item.raiser, claims.raises)]
        {
            match claim {
                Claim::Nothing => {}
                Claim::Ours => drop(place.get_or_insert_with(|| batch.to_string())),
                Claim::Nobody => drop(place.get_or_insert_with(|| NOBODY.to_owned())),
            }
        }
        Ok(Owing::of(window, batch.as_str()))
    }

    async fn count_apart(
        &self,
        group: &Group<'_>,
        batch: &BatchId,
        _now: Timestamp,
    ) -> Result<(), StoreError> {
        may(&self.writes_left, "counting what was blocked in a window")?;
        self.written();
        let key = (group.key.clone(), batch.to_string());
        self.apart.lock().unwrap().insert(key, group.counts.clone());
        Ok(())
    }

    async fn count_late(&self, group: &Group<'_>, batch: &BatchId, now: Timestamp) -> Result<(), StoreError> {
        self.count_apart(group, batch, now).await?;
        may(&self.writes_left, "making a digest due")?;
        let mut windows = self.windows.lock().unwrap();
        let there = windows.get_mut(&group.key).unwrap();
        there.item.updates += 1;
        there.item.due = Some(group.key.due(group.until).0);
        Ok(())
    }

    async fn windows(&self, keys: &[WindowKey]) -> Result<Vec<Window>, StoreError> {
        assert!(keys.len() <= 100, "DynamoDB reads a hundred items at once");
        let windows = self.windows.lock().unwrap();
        Ok(keys.iter().filter_map(|key| windows.get(key).cloned()).collect())
    }

    async fn oldest(&self, domain: &str) -> Result<Option<WindowKey>, StoreError> {
        let windows = self.windows.lock().unwrap();
        let first = WindowKey { domain: domain.into(), start: Timestamp::MIN, owner: "".into() };
        let oldest = windows.range(first..).map(|(key, _)| key).next();
        Ok(oldest.filter(|key| *key.domain == *domain).cloned())
    }

    async fn due(&self, until: Timestamp, most: usize) -> Result<Vec<WindowKey>, StoreError> {
        let windows = self.windows.lock().unwrap();
        let is_due = |window: &&Window| window.item.due.is_some() && window.item.until <= until;
        let mut due: Vec<WindowKey> = windows.values().filter(is_due).map(Window::key).collect();
        due.sort_by_cached_key(|key| (key.start, key.owner.clone(), key.domain.clone()));
        due.truncate(most);
        Ok(due)
    }

    async fn whole(&self, key: &WindowKey) -> Result<Option<Window>, StoreError> {
        if self.unreadable.lock().unwrap().as_ref() == Some(&key.domain.to_string()) {
            return Err(StoreError { what: "reading a window", cause: "told to fail".to_owned() });
        }
        Ok(self.all(key))
    }

    async fn close(&self, window: &Window, digested: u64) -> Result<(), StoreError> {
        may(&self.writes_left, "noting that a digest is told")?;
        let mut windows = self.windows.lock().unwrap();
        let there = windows.get_mut(&window.key()).unwrap();
        if there.item.updates == window.item.updates {
            (there.item.due, there.item.digested) = (None, Some(digested));
        }
        Ok(())
    }

    async fn known(&self, _now: Timestamp) -> Result<Known, StoreError> {
        Ok(self.known.lock().unwrap().clone())
    }
}

impl Evidence for Memory {
    async fn used(&self, grants: &BTreeSet<&RequestId>) -> Result<BTreeMap<RequestId, Used>, StoreError> {
        let used = self.used.lock().unwrap().clone();
        // Here other invocations get their turn, between the reading and the writing.
        tokio::task::yield_now().await;
        Ok(used.into_iter().filter(|(grant, _)| grants.contains(grant)).collect())
    }

    async fn count(&self, part: &Part<'_>, _now: Timestamp) -> Result<Counted, StoreError> {
        may(&self.parts_left, "counting uses of grants")?;
        assert!(part.grants.len() < 100, "DynamoDB takes a hundred items at once");
        let (mut counted, mut used) = (self.counted.lock().unwrap(), self.used.lock().unwrap());
        if counted.contains(&(part.batch.to_string(), part.number)) {
            return Ok(Counted::Before);
        }
        let connections = |grant| used.get(grant).map(|used| used.connections);
        if part.grants.iter().any(|count| connections(&count.grant) != count.before) {
            self.overtaken.fetch_add(1, Ordering::SeqCst);
            return Ok(Counted::Overtaken);
        }
        counted.insert((part.batch.to_string(), part.number));
        used.extend(part.grants.iter().map(|count| (count.grant.clone(), count.after.clone())));
        Ok(Counted::Now)
    }

    async fn keep(&self, grant: &RequestId, flow: &FlowSeen, _now: Timestamp) -> Result<(), StoreError> {
        self.flows.lock().unwrap().entry(grant.clone()).or_default().insert(flow.flow(), flow.last_seen);
        Ok(())
    }
}
