//! What is told on the bus: what became of requests and of the firewall, and what was blocked.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::explain::Explanation;
use crate::ledger::{Evidence, HistoryEntry, Silence};
use crate::owner::Owner;
use crate::request::{Ending, ReplyTo, Request, RequestId, StateName};

/// The most patterns of each kind that a change of the allow list names.
const MOST_PATTERNS: usize = 100;

/// A request has come into a state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestStateChanged {
    /// Always [`super::VERSION`].
    pub version: u32,
    /// The same for every delivery of this event: `<request id>.<version of the request>`.
    pub event_id: String,
    /// The state before; none for a new request.
    pub from: Option<StateName>,
    /// The state now.
    pub to: StateName,
    /// How it ended, when it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending: Option<Ending>,
    /// When.
    pub at: Timestamp,
    /// Who caused it: a person, `policy`, `clock` or `firewall`.
    pub by: String,
    /// What they said, or why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The request as it is now.
    pub request: Request,
}

/// A grants group of the firewall has new content, accepted by AWS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllowListChanged {
    /// Always [`super::VERSION`].
    pub version: u32,
    /// The rule group.
    pub rule_group: String,
    /// The update token that the new content got.
    pub update_token: String,
    /// The patterns that are new in it, at most a hundred.
    pub added: Vec<String>,
    /// How many those are in all.
    pub added_count: usize,
    /// The patterns that are gone from it, at most a hundred.
    pub removed: Vec<String>,
    /// How many those are in all.
    pub removed_count: usize,
}

impl AllowListChanged {
    /// From the whole change: an event of the bus has room for some of thousands of names only. What keeps a list
    /// from being empty is nobody's domain.
    pub fn of(rule_group: &str, update_token: &str, added: &[String], removed: &[String]) -> Self {
        let domains = |all: &[String]| -> Vec<String> {
            all.iter().filter(|target| *target != crate::rules::INERT_TARGET).cloned().collect()
        };
        let (mut added, mut removed) = (domains(added), domains(removed));
        let (added_count, removed_count) = (added.len(), removed.len());
        added.truncate(MOST_PATTERNS);
        removed.truncate(MOST_PATTERNS);
        let (rule_group, update_token) = (rule_group.to_owned(), update_token.to_owned());
        Self { version: super::VERSION, rule_group, update_token, added, added_count, removed, removed_count }
    }
}

/// Somebody changed a grants group by hand; it has been put right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriftFound {
    /// Always [`super::VERSION`].
    pub version: u32,
    /// The rule group.
    pub rule_group: String,
    /// The update token of what was found.
    pub update_token: String,
    /// When the rule group was last changed before it was looked at, as AWS says; by whom, CloudTrail knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_at: Option<Timestamp>,
    /// What was found, one sentence.
    pub found: String,
    /// The domains that were let pass and that nobody is granted, at most fifty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<String>,
    /// The granted domains that were missing, at most fifty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// The lines that aren't of our form, as they were found, cut to 300 characters; at most ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
}

/// The approvers are reminded of a request that nobody has decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionAwaited {
    /// Always [`super::VERSION`].
    pub version: u32,
    /// The same for every delivery of this event: `<request id>.<version of the request>`.
    pub event_id: String,
    /// When.
    pub at: Timestamp,
    /// Who is asked to decide.
    pub approvers: Vec<String>,
    /// The request; `reminders` says how often they were reminded.
    pub request: Request,
}

/// Somebody broke the glass: domains are open without anybody's yes. Every approver hears of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GlassBroken {
    /// Always [`super::VERSION`].
    pub version: u32,
    /// The same for every delivery of this event.
    pub event_id: String,
    /// When.
    pub at: Timestamp,
    /// All approvers.
    pub approvers: Vec<String>,
    /// The request; `break_glass` has the reason.
    pub request: Request,
}

/// A grant is approved, and its rules don't fit into the firewall. Told once, until they do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantWaits {
    /// Always [`super::VERSION`].
    pub version: u32,
    /// The same for every delivery of this event: `<request id>.<version of the request>`.
    pub event_id: String,
    /// When.
    pub at: Timestamp,
    /// Why, how much is missing, and what to do: sentences.
    pub reason: String,
    /// Whether it was active: a rule group was changed by hand, or replaced, and nothing is left of its room. Its
    /// request is approved again, and not active until it stands whole.
    #[serde(default)]
    pub stood: bool,
    /// The request.
    pub request: Request,
}

/// A grant has let something pass for the first time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantFirstUsed {
    /// Always [`super::VERSION`].
    pub version: u32,
    /// The same for every delivery of this event: `<request id>.<version of the request>`.
    pub event_id: String,
    /// When it let it pass.
    pub at: Timestamp,
    /// To which host.
    pub host: String,
    /// From which address.
    pub source: String,
    /// The request.
    pub request: Request,
}

/// What came of a command or a question, for who gave it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandAnswered {
    /// Always [`super::VERSION`].
    pub version: u32,
    /// The same for every delivery of this event: `answer.<message key>`.
    pub event_id: String,
    /// When.
    pub at: Timestamp,
    /// The message that is answered.
    pub message_key: String,
    /// Who gave it.
    pub by: String,
    /// Where they are to be answered; none where they gave no address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<ReplyTo>,
    /// The answer.
    pub answer: Answer,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Answer {
    /// It is done.
    Done {
        /// The request after it.
        request: Box<Request>,
        /// What was said of it, or why a new one was refused.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        comment: Option<String>,
    },
    /// It is not allowed.
    NotAllowed {
        /// The request, where it is about one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request_id: Option<RequestId>,
        /// Why not: a sentence.
        reason: String,
    },
    /// Why a host is blocked, or passes.
    Why(Box<Explanation>),
    /// Requests.
    List {
        /// At most fifty.
        requests: Vec<RequestSummary>,
        /// How many more there are.
        more: usize,
    },
    /// What became of a request.
    Status {
        /// The request.
        request: Box<Request>,
        /// What happened to it.
        history: Vec<HistoryEntry>,
        /// What its grant let pass; none where no use was logged.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        evidence: Option<Evidence>,
    },
    /// Alerts rest, or are told again.
    Silenced {
        /// The silence; one that ends when it was made ends those before it.
        silence: Silence,
    },
}

/// A request in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestSummary {
    /// Its id.
    pub id: RequestId,
    /// What it is in.
    pub state: StateName,
    /// Who asked.
    pub requester: String,
    /// What for.
    pub domains: Vec<String>,
    /// When it lapses, where it is pending; when its grant ends, where it is live.
    pub until: Timestamp,
    /// Since when its grant is there and unused, in a list of those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unused_since: Option<Timestamp>,
}

/// An event could not be taken. It is kept in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRefused {
    /// Always [`super::VERSION`].
    pub version: u32,
    /// The same for every delivery of this event: `refused.<digest of what was refused>`.
    pub event_id: String,
    /// When.
    pub at: Timestamp,
    /// Its `detail-type`, cut to 128 characters; empty where it has none.
    pub detail_type: String,
    /// Why, with the field's name: a sentence.
    pub reason: String,
    /// The field that is wrong, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Who sent it, as far as that could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Where they are to be answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<ReplyTo>,
}

/// Connections were blocked: the first of a group of them, which is what one owner asks of one registrable domain.
/// Those that follow are counted, and told in a [`BlockedDigest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrafficBlocked {
    /// Always [`super::VERSION`].
    pub version: u32,
    /// The same for every delivery of this event: derived from owner, domain and window.
    pub event_id: String,
    /// Whose connection it was.
    pub owner: Owner,
    /// What connections are grouped by, and silenced by: what somebody registered of the name
    /// (`files.pythonhosted.org` → `pythonhosted.org`), or the address where no name was asked for.
    pub domain: String,
    /// The name that the client asked for, or the address and port where it named none.
    pub destination: String,
    /// Where else the connections of this alert went, at most twenty; there are others where one owner asks for
    /// many names at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<String>,
    /// How many destinations those are in all, the first included.
    pub destination_count: u64,
    /// The address that the firewall saw the first connection come from.
    pub source: String,
    /// `tls`, `http`, `ssh`, … where the firewall could tell; else `tcp`, `udp`, `icmp`, lower case.
    pub protocol: String,
    /// The port of the destination; none for ICMP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// How many connections there were when this was told: at least so many were blocked.
    pub count: u64,
    /// The first of them.
    pub first_seen: Timestamp,
    /// The last of them.
    pub last_seen: Timestamp,
    /// After how many seconds a digest sums up what came after it.
    pub window_seconds: u64,
    /// For how many seconds nothing else of this group is told at once. Windows and this stand on the clock.
    pub repeat_seconds: u64,
    /// The firewall's name.
    pub firewall: String,
    /// Where its endpoint stands.
    pub availability_zone: String,
    /// The message of the rule that blocked.
    pub signature: String,
    /// Whether nobody of this stack was blocked there in the last two weeks.
    pub is_new: bool,
    /// How much it matters.
    pub severity: Severity,
    /// Why it matters more than others: each by a rule of the configuration.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// What to ask for; none where no name can be allowed (an address, another protocol), and where it is granted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<Suggestion>,
    /// What else there is to know and to do, such as why it is blocked although it is granted: sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// How much something matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Somebody lacks a domain.
    Normal,
    /// It may be more than that: somebody should look.
    Raised,
}

/// Why something matters more than other things.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The rule that says so, by its name under `alerts.raise` in `egress.toml`.
    pub rule: FindingRule,
    /// What was found: a sentence.
    pub text: String,
}

/// The rules that raise an alert's severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingRule {
    /// One owner asks for many distinct names in a short time: data may leave in them, or something looks for a way
    /// out.
    ManyNames,
    /// The name lies below a suffix where anybody can have one.
    SharedHosting,
    /// The client went to an address and gave no name.
    BareAddress,
}

/// What one owner was blocked at of one registrable domain in a window, summed up at its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockedDigest {
    /// Always [`super::VERSION`].
    pub version: u32,
    /// The same for every delivery of this event: derived from owner, domain, window and count. What is logged too late
    /// makes another digest of the same window, with all in it.
    pub event_id: String,
    /// Whose connections they were.
    pub owner: Owner,
    /// What somebody registered, or the address where no name was asked for.
    pub domain: String,
    /// The addresses that the firewall saw the connections come from, at most ten.
    pub sources: Vec<String>,
    /// When the window began.
    pub from: Timestamp,
    /// When it ended.
    pub until: Timestamp,
    /// How many connections were blocked in it.
    pub connections: u64,
    /// How many of them no alert has told.
    pub suppressed: u64,
    /// The hosts, at most twenty, the most often blocked first.
    pub hosts: Vec<HostCount>,
    /// How many hosts there were in all; where there are very many, at least so many.
    pub host_count: u64,
    /// How much it matters.
    pub severity: Severity,
    /// Why it matters more than others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}

/// How often a host was blocked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostCount {
    /// The name, or the address and port.
    pub host: String,
    /// How many connections.
    pub connections: u64,
}

/// What somebody said to intake could not be taken; for who said it, where they said it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandNotTaken {
    /// Always [`super::VERSION`].
    pub version: u32,
    /// The same for every delivery of this event: `not-taken.<digest of the reason>.<message key>`.
    pub event_id: String,
    /// When.
    pub at: Timestamp,
    /// Who said it: a person, or an id of the system that they said it in.
    pub by: String,
    /// Why not, and what to do: sentences, one a line.
    pub reason: String,
    /// Where they are answered.
    pub reply_to: ReplyTo,
}

/// What would let a blocked connection pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suggestion {
    /// The narrowest pattern that would do.
    pub pattern: String,
    /// A preset of the configuration that holds it, and is approved at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<String>,
}
