//! The ledger in memory: the same conditions for a transaction as on `DynamoDB`, every read of what is
//! there now.

mod state;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use egress::domain::counted_under;
use egress::firewall::Flow;
use egress::ledger::{
    BlockedCount, Cut, Deadline, Evidence, HistoryEntry, Ledger, LedgerError, OutboxEntry, OwnTargets,
    RefusedEvent, Silence, Transition,
};
use egress::request::{LiveGrant, Request, RequestId};
use jiff::Timestamp;

use self::state::State;
use super::{Call, Fault, Faults, lock};

/// The most rows of a page.
const PAGE: usize = 100;

/// The store of requests.
#[derive(Debug, Clone, Default)]
pub struct MemoryLedger {
    state: Arc<Mutex<State>>,
    faults: Faults,
}

/// What tests look at and put in, without a call.
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

    /// A live grant whose request nobody looks at.
    pub fn put_live(&self, grant: LiveGrant) {
        lock(&self.state).live.insert(grant.request_id.clone(), grant);
    }

    /// The firewall has logged that a grant let a connection pass.
    pub fn use_grant(&self, id: &RequestId, flow: Flow, at: Timestamp) {
        lock(&self.state).used(id, flow, at);
    }

    /// The firewall has blocked connections.
    pub fn block(&self, count: BlockedCount) {
        lock(&self.state).blocked.entry(counted_under(&count.host)).or_default().push(count);
    }

    /// The request as it is.
    pub fn request(&self, id: &RequestId) -> Option<Request> {
        lock(&self.state).requests.get(id).cloned()
    }

    /// All requests.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.state).requests.values().cloned().collect()
    }

    /// A request's history.
    pub fn history_of(&self, id: &RequestId) -> Vec<HistoryEntry> {
        lock(&self.state).history_of(id)
    }

    /// The live grants.
    pub fn live(&self) -> Vec<LiveGrant> {
        lock(&self.state).live.values().cloned().collect()
    }

    /// All deadlines.
    pub fn deadlines(&self) -> Vec<Deadline> {
        lock(&self.state).deadlines.values().cloned().collect()
    }

    /// The grants whose connections are still to be cut.
    pub fn to_cut(&self) -> Vec<Cut> {
        lock(&self.state).cuts.values().cloned().collect()
    }

    /// The events that could not be taken.
    pub fn refused(&self) -> Vec<RefusedEvent> {
        lock(&self.state).refused.values().cloned().collect()
    }

    /// All silences, also those that have ended.
    pub fn silenced(&self) -> Vec<Silence> {
        lock(&self.state).silences.values().cloned().collect()
    }

    /// What waits to be published.
    pub fn unpublished(&self) -> Vec<OutboxEntry> {
        lock(&self.state).outbox.values().cloned().collect()
    }

    /// Our entries in a shared domain list.
    pub fn targets(&self, rule_group: &str) -> BTreeSet<String> {
        lock(&self.state).own_targets.get(rule_group).map(|own| own.targets.clone()).unwrap_or_default()
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

    async fn commit(&self, transition: &Transition) -> Result<(), LedgerError> {
        let fault = self.faults.begin(Call::Commit).await;
        if matches!(fault, Some(Fault::Contended)) {
            return Err(LedgerError::Conflict);
        }
        self.faults.apply(fault, LedgerError::Unavailable, || lock(&self.state).commit(transition)).await
    }

    async fn answer(&self, message_key: &str, outbox: &OutboxEntry) -> Result<(), LedgerError> {
        self.call(Call::Answer, |state| state.answer(message_key, outbox)).await
    }

    async fn refuse(&self, refused: &RefusedEvent, outbox: &OutboxEntry) -> Result<(), LedgerError> {
        let refuse = |state: &mut State| {
            if !state.refused.contains_key(&refused.id) {
                state.refused.insert(refused.id.clone(), refused.clone());
                state.enqueue(outbox);
            }
            Ok(())
        };
        self.call(Call::Refuse, refuse).await
    }

    async fn silence(
        &self,
        silence: &Silence,
        message_key: &str,
        outbox: &OutboxEntry,
    ) -> Result<(), LedgerError> {
        let make = |state: &mut State| {
            state.answer(message_key, outbox)?;
            let key = (silence.domain.clone(), silence.owner.clone());
            state.silences.insert(key, silence.clone());
            Ok(())
        };
        self.call(Call::Silence, make).await
    }

    async fn silences(&self, now: Timestamp) -> Result<Vec<Silence>, LedgerError> {
        let not_ended = |state: &mut State| {
            Ok(state.silences.values().filter(|silence| now < silence.until).cloned().collect())
        };
        self.call(Call::Silences, not_ended).await
    }

    async fn history(&self, id: &RequestId) -> Result<Vec<HistoryEntry>, LedgerError> {
        self.call(Call::History, |state| Ok(state.history_of(id))).await
    }

    async fn live_grants(&self) -> Result<Vec<LiveGrant>, LedgerError> {
        self.call(Call::LiveGrants, |state| Ok(state.live.values().cloned().collect())).await
    }

    async fn open_requests(&self) -> Result<Vec<Request>, LedgerError> {
        self.call(Call::OpenRequests, |state| Ok(state.open_requests())).await
    }

    async fn due(&self, now: Timestamp, after: Option<&Deadline>) -> Result<Vec<Deadline>, LedgerError> {
        let after = after.map(|deadline| (deadline.at.as_microsecond(), deadline.request_id.clone()));
        let due = |state: &mut State| {
            let due = state.deadlines.iter().take_while(|((at, _), _)| *at <= now.as_microsecond());
            let due = due.filter(|(key, _)| after.as_ref().is_none_or(|after| *key > after));
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

    async fn cuts(&self) -> Result<Vec<Cut>, LedgerError> {
        self.call(Call::Cuts, |state| Ok(state.cuts.values().take(PAGE).cloned().collect())).await
    }

    async fn cut_done(&self, cut: &Cut) -> Result<(), LedgerError> {
        let done = |state: &mut State| {
            state.cuts.remove(&cut.request_id);
            Ok(())
        };
        self.call(Call::CutDone, done).await
    }

    async fn outbox(&self, until: Timestamp) -> Result<Vec<OutboxEntry>, LedgerError> {
        let until = until.as_microsecond();
        let outbox = |state: &mut State| {
            let left = state.outbox.iter().take_while(|((at, _), _)| *at <= until);
            Ok(left.map(|(_, entry)| entry.clone()).take(PAGE).collect())
        };
        self.call(Call::Outbox, outbox).await
    }

    async fn published(&self, entries: &[OutboxEntry]) -> Result<(), LedgerError> {
        self.call(Call::Published, |state| state.published(entries)).await
    }

    async fn own_targets(&self, rule_group: &str) -> Result<OwnTargets, LedgerError> {
        let own = |state: &mut State| Ok(state.own_targets.get(rule_group).cloned().unwrap_or_default());
        self.call(Call::OwnTargets, own).await
    }

    async fn claim_targets(&self, rule_group: &str, targets: &BTreeSet<String>) -> Result<(), LedgerError> {
        let claim = |state: &mut State| {
            let own = state.own_targets.entry(rule_group.to_owned()).or_default();
            own.targets.extend(targets.iter().cloned());
            own.claims += 1;
            Ok(())
        };
        self.call(Call::ClaimTargets, claim).await
    }

    async fn release_targets(
        &self,
        rule_group: &str,
        targets: &BTreeSet<String>,
        claims: u64,
    ) -> Result<(), LedgerError> {
        let release = |state: &mut State| match state.own_targets.get_mut(rule_group) {
            Some(own) if own.claims == claims => {
                own.targets.retain(|target| !targets.contains(target));
                Ok(())
            }
            _ => Err(LedgerError::Conflict),
        };
        self.call(Call::ReleaseTargets, release).await
    }

    async fn evidence(&self, ids: &[RequestId]) -> Result<BTreeMap<RequestId, Evidence>, LedgerError> {
        let evidence = |state: &mut State| {
            let of_one = |id: &RequestId| Some((id.clone(), state.evidence.get(id)?.clone()));
            Ok(ids.iter().filter_map(of_one).collect())
        };
        self.call(Call::Evidence, evidence).await
    }

    async fn flows(&self, id: &RequestId) -> Result<Vec<Flow>, LedgerError> {
        let flows = |state: &mut State| {
            Ok(state.flows.get(id).into_iter().flatten().map(|(flow, _)| flow.clone()).collect())
        };
        self.call(Call::Flows, flows).await
    }

    async fn blocked(&self, domain: &str, since: Timestamp) -> Result<Vec<BlockedCount>, LedgerError> {
        let blocked = |state: &mut State| {
            let all = state.blocked.get(&counted_under(domain)).into_iter().flatten();
            let mut counts: Vec<_> = all.filter(|count| count.last_seen >= since).cloned().collect();
            counts.sort_by_key(|count| Reverse(count.last_seen));
            Ok(counts)
        };
        self.call(Call::Blocked, blocked).await
    }
}
