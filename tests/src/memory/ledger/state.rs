//! What stands in the ledger in memory, and what a transaction does to it.

use std::collections::{BTreeMap, BTreeSet};

use egress::firewall::Flow;
use egress::ledger::{
    BlockedCount, Cut, Deadline, Evidence, HistoryEntry, LedgerError, OutboxEntry, OwnTargets, RefusedEvent,
    Silence, Transition,
};
use egress::request::{LiveGrant, Request, RequestId, StateName};
use jiff::Timestamp;

/// Times in keys are microseconds, as on `DynamoDB`.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) requests: BTreeMap<RequestId, Request>,
    pub(super) history: BTreeMap<(RequestId, u64), HistoryEntry>,
    pub(super) live: BTreeMap<RequestId, LiveGrant>,
    pub(super) deadlines: BTreeMap<(i64, RequestId), Deadline>,
    pub(super) cuts: BTreeMap<RequestId, Cut>,
    pub(super) outbox: BTreeMap<(i64, String), OutboxEntry>,
    pub(super) messages: BTreeSet<String>,
    pub(super) refused: BTreeMap<String, RefusedEvent>,
    pub(super) silences: BTreeMap<(String, Option<String>), Silence>,
    pub(super) own_targets: BTreeMap<String, OwnTargets>,
    pub(super) evidence: BTreeMap<RequestId, Evidence>,
    pub(super) flows: BTreeMap<RequestId, BTreeMap<Flow, Timestamp>>,
    pub(super) blocked: BTreeMap<String, Vec<BlockedCount>>,
    pub(super) corrupt: BTreeSet<RequestId>,
}

impl State {
    pub(super) fn history_of(&self, id: &RequestId) -> Vec<HistoryEntry> {
        self.history.range((id.clone(), 0)..=(id.clone(), u64::MAX)).map(|(_, entry)| entry.clone()).collect()
    }

    pub(super) fn open_requests(&self) -> Vec<Request> {
        let of_deadline = |deadline: &Deadline| {
            let request = self.requests.get(&deadline.request_id)?;
            let open = request.state == StateName::Pending || request.state.is_live();
            (open && !self.corrupt.contains(&request.id)).then(|| request.clone())
        };
        self.deadlines.values().filter_map(of_deadline).collect()
    }

    pub(super) fn enqueue(&mut self, entry: &OutboxEntry) {
        self.outbox.insert((entry.at.as_microsecond(), entry.id.clone()), entry.clone());
    }

    /// The answer to a message, once.
    pub(super) fn answer(&mut self, message_key: &str, outbox: &OutboxEntry) -> Result<(), LedgerError> {
        if !self.messages.insert(message_key.to_owned()) {
            return Err(LedgerError::Duplicate);
        }
        self.enqueue(outbox);
        Ok(())
    }

    pub(super) fn published(&mut self, entries: &[OutboxEntry]) -> Result<(), LedgerError> {
        let key = |entry: &OutboxEntry| (entry.at.as_microsecond(), entry.id.clone());
        let keys: BTreeSet<_> = entries.iter().map(key).collect();
        if keys.len() < entries.len() {
            let message = "Transaction request cannot include multiple operations on one item";
            return Err(LedgerError::Unavailable(message.to_owned()));
        }
        self.outbox.retain(|key, _| !keys.contains(key));
        Ok(())
    }

    /// One connection that a grant let pass.
    pub(super) fn used(&mut self, id: &RequestId, flow: Flow, at: Timestamp) {
        let unused = Evidence { first_used_at: at, last_used_at: at, connections: 0 };
        let evidence = self.evidence.entry(id.clone()).or_insert(unused);
        evidence.first_used_at = evidence.first_used_at.min(at);
        evidence.last_used_at = evidence.last_used_at.max(at);
        evidence.connections += 1;
        self.flows.entry(id.clone()).or_default().insert(flow, at);
    }

    /// All conditions first, then all writes.
    pub(super) fn commit(&mut self, transition: &Transition) -> Result<(), LedgerError> {
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
        if transition.cut {
            self.cuts.insert(id.clone(), Cut { request_id: id.clone(), at: history.at });
        }
        if let Some(before) = transition.deadline_before {
            self.deadlines.remove(&(before.as_microsecond(), id.clone()));
        }
        if let Some(at) = transition.deadline {
            self.deadlines.insert((at.as_microsecond(), id.clone()), Deadline { at, request_id: id.clone() });
        }
        transition.outbox.iter().for_each(|entry| self.enqueue(entry));
        self.messages.extend(transition.message_key.clone());
        Ok(())
    }
}
