//! The world of one run: the edges that all invocations share, the time, and the record of what happens.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use egress::firewall::{Content, Firewall, Flow};
use egress::request::RequestId;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::hands;
use super::record::{Fact, Record, What};
use super::setting::Setting;
use crate::memory::{MemoryFirewall, MemoryLedger, clock, lock};

/// What one run happens in.
#[derive(Debug)]
pub(super) struct World {
    pub(super) setting: Setting,
    pub(super) firewall: MemoryFirewall,
    pub(super) ledger: MemoryLedger,
    began: Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    record: Record,
    calm: bool,
    /// What the groups hold now, how often each was written, and which of it in shared lists is claimed.
    contents: BTreeMap<String, Content>,
    versions: BTreeMap<String, u32>,
    own: BTreeMap<String, BTreeSet<String>>,
    /// What the groups held before, which somebody may put back by hand.
    earlier: Vec<Content>,
    connections: u16,
}

impl World {
    pub(super) async fn new(seed: u64, setting: Setting) -> Arc<Self> {
        clock::set(Timestamp::UNIX_EPOCH + SignedDuration::from_hours(500_000));
        let firewall = MemoryFirewall::with_groups(setting.contents.clone());
        firewall.set_capacity(setting.capacity);
        firewall.set_sync_delay(setting.sync_delay);
        let groups = firewall.read().await.groups;
        let groups: Vec<_> = groups.into_iter().map(|group| (group.arn, group.content)).collect();
        let (sync_delay, capacity) = (setting.sync_delay, setting.capacity);
        let contents = groups.iter().cloned().collect();
        let record = Record { seed, sync_delay, capacity, groups, ..Record::default() };
        let state = State {
            record,
            calm: false,
            contents,
            versions: BTreeMap::new(),
            own: BTreeMap::new(),
            earlier: Vec::new(),
            connections: 0,
        };
        let ledger = MemoryLedger::new();
        Arc::new(Self { setting, firewall, ledger, began: Instant::now(), state: Mutex::new(state) })
    }

    /// How long the run has lasted.
    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Sets all clocks.
    pub(super) fn step(&self, by: SignedDuration) {
        self.count("clock set");
        let now = clock::now();
        clock::set(now.checked_add(by).unwrap_or(now));
        self.line(None, &format!("the clock is set by {by:#}"));
    }

    /// From now on nothing goes wrong any more.
    pub(super) fn calm_down(&self) {
        self.state().calm = true;
        self.line(None, "from now on nothing goes wrong");
    }

    pub(super) fn is_calm(&self) -> bool {
        self.state().calm
    }

    /// Something goes wrong.
    pub(super) fn count(&self, fault: &'static str) {
        *self.state().record.faults.entry(fault).or_default() += 1;
    }

    /// Looks at, and changes, the record.
    pub(super) fn record<T>(&self, change: impl FnOnce(&mut Record) -> T) -> T {
        change(&mut self.state().record)
    }

    /// Writes a line of the trace.
    pub(super) fn line(&self, by: Option<usize>, text: &str) {
        let at = self.elapsed().as_secs_f64();
        let by = by.map(|by| format!("#{by}")).unwrap_or_default();
        self.state().record.trace.push(format!("{at:>9.3} {by:>5} {text}"));
    }

    /// Writes down what has happened.
    pub(super) fn note(&self, by: Option<usize>, what: What) {
        let at = self.elapsed();
        let mut state = self.state();
        match &what {
            What::Wrote { group, content } => {
                *state.versions.entry(group.clone()).or_default() += 1;
                if let Some(before) = state.contents.insert(group.clone(), content.clone()) {
                    state.earlier.push(before);
                }
            }
            What::Claimed(group, targets) => {
                state.own.entry(group.clone()).or_default().extend(targets.iter().cloned());
            }
            What::Released(group, targets) => {
                if let Some(own) = state.own.get_mut(group) {
                    own.retain(|target| !targets.contains(target));
                }
            }
            _ => {}
        }
        state.record.facts.push(Fact { at, by, what });
    }

    /// The version of a group, for the trace.
    pub(super) fn version(&self, group: &str) -> u32 {
        self.state().versions.get(group).copied().unwrap_or_default()
    }

    /// Somebody changes a rule group by hand; `what` says in which way.
    pub(super) fn edit(&self, place: usize, what: u64) {
        let state = self.state();
        let place = place % state.record.groups.len().max(1);
        let Some((group, content)) = state
            .record
            .groups
            .get(place)
            .and_then(|(group, _)| Some((group.clone(), state.contents.get(group)?)))
        else {
            return;
        };
        let others: Vec<Content> = state.earlier.iter().chain(state.contents.values()).cloned().collect();
        let own = state.own.get(&group).cloned().unwrap_or_default();
        let (said, content) = hands::edit(content, &others, &own, what);
        drop(state);
        if !hands::is_taken(&content, self.setting.capacity) {
            return;
        }
        self.count("hand edit");
        self.firewall.edit_group(place, |before| before.clone_from(&content));
        self.note(None, What::Wrote { group: group.clone(), content });
        self.line(None, &format!("by hand: {said} ({group} is {})", self.version(&group)));
    }

    /// The entries of a shared list.
    pub(super) fn targets(&self, group: &str) -> BTreeSet<String> {
        match self.state().contents.get(group) {
            Some(Content::DomainList(targets)) => targets.clone(),
            _ => BTreeSet::new(),
        }
    }

    /// A connection that a request's grant lets pass now; none where no rule names it.
    pub(super) fn connect(&self, id: &RequestId) -> Option<Flow> {
        let mut state = self.state();
        let names = |content: &Content| match content {
            Content::Rules(text) => text.contains(id.as_str()),
            Content::DomainList(_) => false,
        };
        if !state.contents.values().any(names) {
            return None;
        }
        state.connections += 1;
        let [high, low] = state.connections.to_be_bytes();
        Some(Flow { source: [10, 2, high, low].into(), destination: [203, 0, 113, 7].into(), port: 443 })
    }

    /// The record; the run is over.
    pub(super) fn take_record(&self) -> Record {
        std::mem::take(&mut self.state().record)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}
