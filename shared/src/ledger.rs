//! The ledger: what was asked, decided, done. A transition is one transaction.

use std::collections::BTreeSet;
use std::future::Future;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::bus::Event;
use crate::request::{LiveGrant, Request, RequestId, StateName};

/// One entry of a request's history: written once, never changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// The request's version that this entry led to.
    pub version: u64,
    /// When.
    pub at: Timestamp,
    /// Who: a person, `policy`, `clock` or `firewall`.
    pub by: String,
    /// The state before; none for a new request.
    pub from: Option<StateName>,
    /// The state after.
    pub to: StateName,
    /// What they said, or why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// An event that waits to be published, written in the transaction that caused it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxEntry {
    /// Its stable id, such as `<request id>.<version>`.
    pub id: String,
    /// When it was written.
    pub at: Timestamp,
    /// The event.
    pub event: Event,
}

/// When something has to be done about a request: it lapses, or its grant expires.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Deadline {
    /// When.
    pub at: Timestamp,
    /// The request.
    pub request_id: RequestId,
}

/// All that one transition writes, at once or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// The request after it. Its version is one more than what was read; 1 means that it must not exist.
    pub request: Request,
    /// What happened.
    pub history: HistoryEntry,
    /// The grant that is live after it; none takes away one that was.
    pub live: Option<LiveGrant>,
    /// The deadline that held before it, which goes.
    pub deadline_before: Option<Timestamp>,
    /// The deadline that holds after it.
    pub deadline: Option<Timestamp>,
    /// What will be published.
    pub outbox: Vec<OutboxEntry>,
    /// The message that caused it. A second transition by the same message is refused.
    pub message_key: Option<String>,
}

/// The entries of a shared domain list that were put there by us.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OwnTargets {
    /// The entries.
    pub targets: BTreeSet<String>,
    /// How often entries were claimed until now.
    pub claims: u64,
}

/// Why the ledger didn't do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// The request has another version by now: read it again, decide again.
    #[error("the request has changed since it was read")]
    Conflict,
    /// This message has done its work before.
    #[error("the message has been acted on already")]
    Duplicate,
    /// An item is not of the form that this code writes.
    #[error("the ledger holds what can't be read: {0}")]
    Corrupt(String),
    /// The store couldn't be reached, was busy, or the role lacks the permission. Trying again may help.
    #[error("the ledger can't be reached: {0}")]
    Unavailable(String),
}

/// The store of requests. Every read is strongly consistent.
pub trait Ledger {
    /// The request as it is now.
    fn load(&self, id: &RequestId) -> impl Future<Output = Result<Option<Request>, LedgerError>> + Send;

    /// Whether a message has done its work before.
    fn acted_on(&self, message_key: &str) -> impl Future<Output = Result<bool, LedgerError>> + Send;

    /// Writes a transition, whole or not at all.
    fn commit(&self, transition: &Transition) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// What happened to a request, in order.
    fn history(&self, id: &RequestId) -> impl Future<Output = Result<Vec<HistoryEntry>, LedgerError>> + Send;

    /// Every grant that the firewall should let pass. One that can't be read is left out, and so is closed.
    fn live_grants(&self) -> impl Future<Output = Result<Vec<LiveGrant>, LedgerError>> + Send;

    /// The deadlines up to `now`, the oldest first, at most a hundred.
    fn due(&self, now: Timestamp) -> impl Future<Output = Result<Vec<Deadline>, LedgerError>> + Send;

    /// Takes away a deadline about which nothing is left to do.
    fn clear_deadline(&self, deadline: &Deadline) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// What was written up to a time and still waits to be published, the oldest first, at most a hundred.
    fn outbox(&self, until: Timestamp) -> impl Future<Output = Result<Vec<OutboxEntry>, LedgerError>> + Send;

    /// Adds an event that no transition causes.
    fn enqueue(&self, entry: &OutboxEntry) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Takes away what was published.
    fn published(&self, entries: &[OutboxEntry]) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Our entries of a shared domain list.
    fn own_targets(&self) -> impl Future<Output = Result<OwnTargets, LedgerError>> + Send;

    /// Adds entries of a shared domain list to those that are ours, and counts it. Others that are stay so.
    fn claim_targets(
        &self,
        targets: &BTreeSet<String>,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Takes entries of a shared domain list from those that are ours. A conflict when anything was
    /// claimed since `claims` was read: then somebody may be about to put one of them back.
    fn release_targets(
        &self,
        targets: &BTreeSet<String>,
        claims: u64,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;
}
