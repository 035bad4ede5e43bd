//! The ledger: what was asked, decided, done. A transition is one transaction.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::bus::Event;
use crate::firewall::Flow;
use crate::request::{Ending, LiveGrant, Request, RequestId, StateName};

/// One entry of a request's history: written once, never changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// The request's version that this entry led to.
    pub version: u64,
    /// When.
    pub at: Timestamp,
    /// Who: a person, `policy`, `clock` or `firewall`.
    pub by: String,
    /// What was done: `approved`, `reminded`, …
    pub what: String,
    /// The state before; none for a new request.
    pub from: Option<StateName>,
    /// The state after.
    pub to: StateName,
    /// How it ended, when it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending: Option<Ending>,
    /// What they said, or why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// SHA-256, in hexadecimal, over the entry before it and this one: an entry that is changed or taken
    /// away afterwards breaks the row (see [`crate::history`]).
    pub seal: String,
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

/// A grant that has ended, whose open connections are still to be cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// The request that the grant came of.
    pub request_id: RequestId,
    /// When it ended.
    pub at: Timestamp,
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
    /// Whether its grant ends by it, so that its connections have to be cut.
    pub cut: bool,
    /// The deadline that held before it, which goes.
    pub deadline_before: Option<Timestamp>,
    /// The deadline that holds after it.
    pub deadline: Option<Timestamp>,
    /// What will be published.
    pub outbox: Vec<OutboxEntry>,
    /// The message that caused it. A second transition by the same message is refused.
    pub message_key: Option<String>,
}

/// An event that could not be taken, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedEvent {
    /// Its id: the digest of the event, so that another delivery of it is kept once.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// Why, with the field's name.
    pub reason: String,
    /// The event as JSON, cut to 8,000 characters.
    pub event: String,
}

/// The most counts of blocked connections that are read at once.
pub const MOST_BLOCKED: usize = 10_000;

/// The entries of a shared domain list that were put there by us.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OwnTargets {
    /// The entries.
    pub targets: BTreeSet<String>,
    /// How often entries were claimed until now.
    pub claims: u64,
}

/// What a grant let pass, as the firewall logged it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The first time.
    pub first_used_at: Timestamp,
    /// The last time.
    pub last_used_at: Timestamp,
    /// How many connections.
    pub connections: u64,
}

/// Connections that were blocked, in one window, from one source to one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockedCount {
    /// The name that the client asked for.
    pub host: String,
    /// The address that the firewall saw the connections come from.
    pub source: String,
    /// How many.
    pub connections: u64,
    /// The last of them.
    pub last_seen: Timestamp,
    /// The message of the rule that blocked.
    pub signature: String,
    /// Whose connections they were, as people read it; none where nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// Stands for all owners in a silence's key. No owner has this key.
pub const EVERYBODY: &str = "*";

/// Alerts about a domain rest until a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// The registrable domain, or the address, that [`crate::events::TrafficBlocked::domain`] names.
    pub domain: String,
    /// Whose connections, by [`crate::owner::Owner::key`]; everybody's where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// When it ends.
    pub until: Timestamp,
    /// Who made it.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

impl Silence {
    /// Whether nothing is told of an owner's connections to a domain.
    pub fn covers(&self, domain: &str, owner: &str, now: Timestamp) -> bool {
        now < self.until && self.domain == domain && self.owner.as_deref().is_none_or(|one| one == owner)
    }
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

/// The store of requests. Every read is strongly consistent, but those of connections and of what was blocked.
pub trait Ledger {
    /// The request as it is now.
    fn load(&self, id: &RequestId) -> impl Future<Output = Result<Option<Request>, LedgerError>> + Send;

    /// Writes a transition, whole or not at all.
    fn commit(&self, transition: &Transition) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Writes the answer to a message that changes nothing, whole or not at all, and notes that the message
    /// has done its work; [`LedgerError::Duplicate`] when it had before. What no message causes, such as a hand
    /// edit that was found, has its own id for a key.
    fn answer(
        &self,
        message_key: &str,
        outbox: &OutboxEntry,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Keeps an event that could not be taken, with what is told of it; once, however often it comes.
    fn refuse(
        &self,
        refused: &RefusedEvent,
        outbox: &OutboxEntry,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Makes a silence, in place of one for the same domain and owner, with its answer, whole or not at all;
    /// [`LedgerError::Duplicate`] where the message has made it before.
    fn silence(
        &self,
        silence: &Silence,
        message_key: &str,
        outbox: &OutboxEntry,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// The silences that have not ended.
    fn silences(&self, now: Timestamp) -> impl Future<Output = Result<Vec<Silence>, LedgerError>> + Send;

    /// What happened to a request, in order.
    fn history(&self, id: &RequestId) -> impl Future<Output = Result<Vec<HistoryEntry>, LedgerError>> + Send;

    /// Every grant that the firewall should let pass. One that can't be read is left out, and so is closed.
    fn live_grants(&self) -> impl Future<Output = Result<Vec<LiveGrant>, LedgerError>> + Send;

    /// Every request that is pending or live, by its deadline. One that can't be read is left out.
    fn open_requests(&self) -> impl Future<Output = Result<Vec<Request>, LedgerError>> + Send;

    /// The deadlines up to `now`, the oldest first, at most a hundred, behind `after` where that is given.
    fn due(
        &self,
        now: Timestamp,
        after: Option<&Deadline>,
    ) -> impl Future<Output = Result<Vec<Deadline>, LedgerError>> + Send;

    /// Takes away a deadline about which nothing is left to do.
    fn clear_deadline(&self, deadline: &Deadline) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// The grants whose connections are still to be cut, at most a hundred.
    fn cuts(&self) -> impl Future<Output = Result<Vec<Cut>, LedgerError>> + Send;

    /// Takes away a cut that is done.
    fn cut_done(&self, cut: &Cut) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// What was written up to a time and still waits to be published, the oldest first, at most a hundred.
    fn outbox(&self, until: Timestamp) -> impl Future<Output = Result<Vec<OutboxEntry>, LedgerError>> + Send;

    /// Takes away what was published.
    fn published(&self, entries: &[OutboxEntry]) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Our entries of a shared domain list.
    fn own_targets(&self, rule_group: &str) -> impl Future<Output = Result<OwnTargets, LedgerError>> + Send;

    /// Adds entries of a shared domain list to those that are ours, and counts it. Others that are stay so.
    fn claim_targets(
        &self,
        rule_group: &str,
        targets: &BTreeSet<String>,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Takes entries of a shared domain list from those that are ours. A conflict when anything was
    /// claimed since `claims` was read: then somebody may be about to put one of them back.
    fn release_targets(
        &self,
        rule_group: &str,
        targets: &BTreeSet<String>,
        claims: u64,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// What these grants let pass; those of which no use was logged are not in it.
    fn evidence(
        &self,
        ids: &[RequestId],
    ) -> impl Future<Output = Result<BTreeMap<RequestId, Evidence>, LedgerError>> + Send;

    /// The connections that a grant is logged to have let pass.
    fn flows(&self, id: &RequestId) -> impl Future<Output = Result<Vec<Flow>, LedgerError>> + Send;

    /// At most [`MOST_BLOCKED`], the last: where there are so many, there may be more. What was blocked since then
    /// of the hosts of a registrable domain (or of one host that is below none).
    fn blocked(
        &self,
        domain: &str,
        since: Timestamp,
    ) -> impl Future<Output = Result<Vec<BlockedCount>, LedgerError>> + Send;
}
