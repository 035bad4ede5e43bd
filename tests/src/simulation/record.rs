//! What happened in a run, in order: every effect on an edge, who caused it, and when. The invariants are
//! judged from this alone, after the run.

use std::collections::BTreeMap;
use std::time::Duration;

use egress::bus::Event;
use egress::firewall::{Content, Flow};
use egress::ledger::{Cut, Deadline, HistoryEntry, OutboxEntry, Transition};
use egress::request::{LiveGrant, Request, RequestId};
use jiff::Timestamp;

/// Everything that happened in one run.
#[derive(Debug, Default)]
pub struct Record {
    /// The run's seed.
    pub seed: u64,
    /// Whether the operator's policies let everybody decide about everything.
    pub generous: bool,
    /// How long it takes until every availability zone works with what was written.
    pub sync_delay: Duration,
    /// Units of capacity of each rule group.
    pub capacity: u64,
    /// What was in the rule groups at the beginning, with their ARNs, in their order.
    pub groups: Vec<(String, Content)>,
    /// The effects, in the order in which they happened.
    pub facts: Vec<Fact>,
    /// The invocations, by their numbers.
    pub invocations: Vec<Invoked>,
    /// What was put on the bus for `requests`.
    pub sent: Vec<Sent>,
    /// What the ledger held in the end.
    pub end: End,
    /// How often each thing went wrong.
    pub faults: BTreeMap<&'static str, u64>,
    /// How many calls of edges were made.
    pub steps: u64,
    /// How many invocations died.
    pub crashes: u64,
    /// What the run itself has to complain about: its last ticks, its dead letters.
    pub unsettled: Vec<String>,
    /// One line a step, for people.
    pub trace: Vec<String>,
}

/// One effect.
#[derive(Debug)]
pub struct Fact {
    /// When, since the beginning of the run.
    pub at: Duration,
    /// The invocation that caused it; none for what people and the world do.
    pub by: Option<usize>,
    /// What it was.
    pub what: What,
}

/// What happened.
#[derive(Debug)]
pub enum What {
    /// The invocation has begun.
    Began,
    /// The rule groups were read, all at once.
    ReadGroups,
    /// A rule group has new content, by an invocation or by hand.
    Wrote {
        /// Its ARN.
        group: String,
        /// What it holds now.
        content: Content,
    },
    /// It was asked whether the firewall is in sync with certain versions.
    LookedInSync,
    /// Connections were cut.
    Flushed(Vec<Flow>),
    /// A transition was written.
    Committed(Box<Transition>),
    /// An answer to the message of this key was written, or what no message causes.
    Answered(String, OutboxEntry),
    /// A refusal was kept, of this digest.
    Refused(String, OutboxEntry),
    /// Entries of a shared list were claimed.
    Claimed(String, Vec<String>),
    /// Entries of a shared list were released.
    Released(String, Vec<String>),
    /// Events were taken by the bus.
    Published(Vec<Event>),
    /// The firewall's log has this connection of a grant.
    Logged(RequestId, Flow),
    /// The invocation has come to its end.
    Ended,
}

/// One invocation.
#[derive(Debug)]
pub struct Invoked {
    /// What for, in a few words.
    pub what: String,
    /// Whether it was the minute tick.
    pub tick: bool,
    /// Whether anything was made to go wrong in it.
    pub faulted: bool,
    /// What came of it; nothing while it runs.
    pub came: Option<Came>,
    /// The earliest and the latest time that it was told when it asked for it.
    pub clock: Option<(Timestamp, Timestamp)>,
}

/// What came of an invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    /// It was worked off.
    Done,
    /// It answered with an error.
    Failed,
    /// It died.
    Died,
}

/// Something that was put on the bus for `requests`: it must not be lost any more.
#[derive(Debug)]
pub struct Sent {
    /// What it must have led to in the end.
    pub leads_to: LeadsTo,
    /// What it was, in a few words.
    pub what: String,
}

/// What an event must have led to in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeadsTo {
    /// A request, or for an extension an answer that says why not.
    Request {
        /// The message's key.
        key: String,
        /// Whether it asks for more time.
        extension: bool,
    },
    /// A transition, or an answer.
    Command {
        /// The message's key.
        key: String,
    },
    /// A use that the request knows of, if its grant was live when it came and until the end.
    Use(RequestId),
    /// A refusal.
    Refusal,
}

/// What the ledger held in the end.
#[derive(Debug, Default)]
pub struct End {
    /// The time.
    pub now: Timestamp,
    /// Every request that was ever written, as it is.
    pub requests: BTreeMap<RequestId, Request>,
    /// The history of each.
    pub history: BTreeMap<RequestId, Vec<HistoryEntry>>,
    /// The live grants.
    pub live: Vec<LiveGrant>,
    /// The deadlines.
    pub deadlines: Vec<Deadline>,
    /// What waits to be published.
    pub outbox: Vec<OutboxEntry>,
    /// What waits to be cut.
    pub cuts: Vec<Cut>,
}

impl Record {
    /// The digest of all that happened: equal for equal runs.
    pub fn digest(&self) -> String {
        use sha2::{Digest, Sha256};
        let mut digest = Sha256::new();
        for line in &self.trace {
            digest.update(line);
            digest.update("\n");
        }
        hex::encode(digest.finalize())
    }
}
