//! The ledger in memory: the same conditions for a transaction as on `DynamoDB`, every read of what is
//! there now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use egress::ledger::{Deadline, HistoryEntry, Ledger, LedgerError, OutboxEntry, OwnTargets, Transition};
use egress::request::{LiveGrant, Request, RequestId};
use jiff::Timestamp;

use super::{Call, Fault, Faults, lock};

/// The most rows of a page.
const PAGE: usize = 100;

/// The store of requests.
#[derive(Debug, Clone, Default)]
pub struct MemoryLedger {
    state: Arc<Mutex<State>>,
    faults: Faults,
}

/// Times in keys are microseconds, as on `DynamoDB`.
#[derive(Debug, Default)]
struct State {
    requests: BTreeMap<RequestId, Request>,
    history: BTreeMap<(RequestId, u64), HistoryEntry>,
    live: BTreeMap<RequestId, LiveGrant>,
    deadlines: BTreeMap<(i64, RequestId), Deadline>,
    outbox: BTreeMap<(i64, String), OutboxEntry>,
    messages: BTreeSet<String>,
    own_targets: OwnTargets,
    corrupt: BTreeSet<RequestId>,
}

impl MemoryLedger {
    /// An empty ledger.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same ledger, with these faults.
    #[must_use]
    pub fn with(&self, faults: &Faults) -> Self {
        Self { state: Arc::clone(&self.state), faults: faults.clone() }
    }

    /// Makes a request's state unreadable, as if somebody had edited its item.
    pub fn corrupt(&self, id: &RequestId) {
        lock(&self.state).corrupt.insert(id.clone());
    }

    /// The request as it is, without a call.
    pub fn request(&self, id: &RequestId) -> Option<Request> {
        lock(&self.state).requests.get(id).cloned()
    }

    /// All requests, without a call.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.state).requests.values().cloned().collect()
    }

    /// A request's history, without a call.
    pub fn history_of(&self, id: &RequestId) -> Vec<HistoryEntry> {
        lock(&self.state).history_of(id)
    }

    /// The live grants, without a call.
    pub fn live(&self) -> Vec<LiveGrant> {
        lock(&self.state).live.values().cloned().collect()
    }

    /// All deadlines, without a call.
    pub fn deadlines(&self) -> Vec<Deadline> {
        lock(&self.state).deadlines.values().cloned().collect()
    }

    /// What waits to be published, without a call.
    pub fn unpublished(&self) -> Vec<OutboxEntry> {
        lock(&self.state).outbox.values().cloned().collect()
    }

    /// Our entries in a shared domain list, without a call.
    pub fn targets(&self) -> BTreeSet<String> {
        lock(&self.state).own_targets.targets.clone()
    }

    async fn call<T>(
        &self,
        call: Call,
        effect: impl FnOnce(&mut State) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        self.faults.call(call, LedgerError::Unavailable, || effect(&mut lock(&self.state))).await
    }
}

impl Ledger for MemoryLedger {
    async fn load(&self, id: &RequestId) -> Result<Option<Request>, LedgerError> {
        let load = |state: &mut State| {
            if state.corrupt.contains(id) {
                return Err(LedgerError::Corrupt(format!("{id} was made unreadable")));
            }
            Ok(state.requests.get(id).cloned())
        };
        self.call(Call::Load, load).await
    }

    async fn acted_on(&self, message_key: &str) -> Result<bool, LedgerError> {
        self.call(Call::ActedOn, |state| Ok(state.messages.contains(message_key))).await
    }

    async fn commit(&self, transition: &Transition) -> Result<(), LedgerError> {
        let fault = self.faults.begin(Call::Commit).await;
        if matches!(fault, Some(Fault::Contended)) {
            return Err(LedgerError::Conflict);
        }
        self.faults.apply(fault, LedgerError::Unavailable, || lock(&self.state).commit(transition)).await
    }

    async fn history(&self, id: &RequestId) -> Result<Vec<HistoryEntry>, LedgerError> {
        self.call(Call::History, |state| Ok(state.history_of(id))).await
    }

    async fn live_grants(&self) -> Result<Vec<LiveGrant>, LedgerError> {
        self.call(Call::LiveGrants, |state| Ok(state.live.values().cloned().collect())).await
    }

    async fn due(&self, now: Timestamp) -> Result<Vec<Deadline>, LedgerError> {
        let until = now.as_microsecond();
        let due = |state: &mut State| {
            let due = state.deadlines.iter().take_while(|((at, _), _)| *at <= until);
            Ok(due.map(|(_, deadline)| deadline.clone()).take(PAGE).collect())
        };
        self.call(Call::Due, due).await
    }

    async fn clear_deadline(&self, deadline: &Deadline) -> Result<(), LedgerError> {
        let key = (deadline.at.as_microsecond(), deadline.request_id.clone());
        let clear = |state: &mut State| {
            state.deadlines.remove(&key);
            Ok(())
        };
        self.call(Call::ClearDeadline, clear).await
    }

    async fn outbox(&self, until: Timestamp) -> Result<Vec<OutboxEntry>, LedgerError> {
        let until = until.as_microsecond();
        let outbox = |state: &mut State| {
            let left = state.outbox.iter().take_while(|((at, _), _)| *at <= until);
            Ok(left.map(|(_, entry)| entry.clone()).take(PAGE).collect())
        };
        self.call(Call::Outbox, outbox).await
    }

    async fn enqueue(&self, entry: &OutboxEntry) -> Result<(), LedgerError> {
        let enqueue = |state: &mut State| {
            state.outbox.insert((entry.at.as_microsecond(), entry.id.clone()), entry.clone());
            Ok(())
        };
        self.call(Call::Enqueue, enqueue).await
    }

    async fn published(&self, entries: &[OutboxEntry]) -> Result<(), LedgerError> {
        let publish = |state: &mut State| {
            let keys: Vec<_> =
                entries.iter().map(|entry| (entry.at.as_microsecond(), entry.id.clone())).collect();
            if keys.iter().collect::<BTreeSet<_>>().len() < keys.len() {
                let message = "Transaction request cannot include multiple operations on one item";
                return Err(LedgerError::Unavailable(message.to_owned()));
            }
            for key in &keys {
                state.outbox.remove(key);
            }
            Ok(())
        };
        self.call(Call::Published, publish).await
    }

    async fn own_targets(&self) -> Result<OwnTargets, LedgerError> {
        self.call(Call::OwnTargets, |state| Ok(state.own_targets.clone())).await
    }

    async fn claim_targets(&self, targets: &BTreeSet<String>) -> Result<(), LedgerError> {
        let claim = |state: &mut State| {
            state.own_targets.targets.extend(targets.iter().cloned());
            state.own_targets.claims += 1;
            Ok(())
        };
        self.call(Call::ClaimTargets, claim).await
    }

    async fn release_targets(&self, targets: &BTreeSet<String>, claims: u64) -> Result<(), LedgerError> {
        let release = |state: &mut State| {
            if state.own_targets.claims != claims {
                return Err(LedgerError::Conflict);
            }
            state.own_targets.targets.retain(|target| !targets.contains(target));
            Ok(())
        };
        self.call(Call::ReleaseTargets, release).await
    }
}

impl State {
    fn history_of(&self, id: &RequestId) -> Vec<HistoryEntry> {
        self.history.range((id.clone(), 0)..=(id.clone(), u64::MAX)).map(|(_, entry)| entry.clone()).collect()
    }

    /// All conditions first, then all writes.
    fn commit(&mut self, transition: &Transition) -> Result<(), LedgerError> {
        let Transition { request, history, .. } = transition;
        let id = &request.id;
        if transition.message_key.as_ref().is_some_and(|key| self.messages.contains(key)) {
            return Err(LedgerError::Duplicate);
        }
        let version = self.requests.get(id).map_or(0, |stored| stored.version);
        if version + 1 != request.version || self.history.contains_key(&(id.clone(), history.version)) {
            return Err(LedgerError::Conflict);
        }
        self.requests.insert(id.clone(), request.clone());
        self.history.insert((id.clone(), history.version), history.clone());
        match &transition.live {
            Some(grant) => self.live.insert(id.clone(), grant.clone()),
            None => self.live.remove(id),
        };
        if let Some(before) = transition.deadline_before {
            self.deadlines.remove(&(before.as_microsecond(), id.clone()));
        }
        if let Some(at) = transition.deadline {
            self.deadlines.insert((at.as_microsecond(), id.clone()), Deadline { at, request_id: id.clone() });
        }
        for entry in &transition.outbox {
            self.outbox.insert((entry.at.as_microsecond(), entry.id.clone()), entry.clone());
        }
        self.messages.extend(transition.message_key.clone());
        Ok(())
    }
}
