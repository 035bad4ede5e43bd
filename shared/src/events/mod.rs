//! Everything that crosses the bus: who may say it (`source`), what it is called (`detail-type`), and
//! what stands in it (`detail`), in version 1.
//!
//! A `detail` is whatever its sender wrote, so what comes from intake is checked here, field by field,
//! before anything else sees it. That the sender is who `source` says is the bus's own permission: only
//! intake's role may put `egress.intake` events on it.

mod checks;
mod incoming;
mod told;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;

pub use incoming::{
    AlertsSilenced, Decision, DomainRequested, ExtensionRequested, GrantRevoked, GrantUsed, Incoming, ListOf,
    Question, QuestionAsked, RequestDecided, RequestWithdrawn, Sender, TicketClosed, no_silence, silence,
};
pub use told::{
    AllowListChanged, Answer, BlockedDigest, CommandAnswered, CommandNotTaken, DecisionAwaited, DriftFound,
    EventRefused, Finding, FindingRule, GlassBroken, GrantFirstUsed, GrantWaits, HostCount,
    RequestStateChanged, RequestSummary, Severity, Suggestion, TrafficBlocked,
};

/// The version of every detail that this code writes, and the only one that it reads.
pub const VERSION: u32 = 1;

/// Who says something on the bus.
pub mod source {
    /// What people asked for and decided, proved by intake.
    pub const INTAKE: &str = "egress.intake";
    /// What became of requests, and of the firewall.
    pub const REQUESTS: &str = "egress.requests";
    /// What was blocked.
    pub const ALERTS: &str = "egress.alerts";
    /// The minute tick: a scheduled rule's event.
    pub const CLOCK: &str = "aws.events";
}

/// An event as EventBridge delivers it to a function; of its envelope only what is used here.
/// <https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html>
#[derive(Debug, Clone, Deserialize)]
pub struct Envelope {
    /// Who sent it.
    pub source: String,
    /// What it is called.
    #[serde(rename = "detail-type")]
    pub detail_type: String,
    /// What it says.
    #[serde(default)]
    pub detail: Value,
}

/// Why an event can't be taken. It names the field, for the log and for whoever sends it again.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// Not one of the events that this function acts on.
    #[error("the event {source_name}/{detail_type} is not one of ours")]
    Unknown {
        /// Its `source`.
        source_name: String,
        /// Its `detail-type`.
        detail_type: String,
    },
    /// Not an event of the bus at all.
    #[error("not an event of the bus: {0}")]
    Envelope(serde_json::Error),
    /// The detail doesn't have the event's fields.
    #[error("the detail of {detail_type} is wrong: {cause}")]
    Detail {
        /// The event's `detail-type`.
        detail_type: String,
        /// What is wrong, with the field's name.
        cause: serde_path_to_error::Error<serde_json::Error>,
    },
    /// A version that this code doesn't know.
    #[error("version {found} of {detail_type} is not known: this is version {VERSION}")]
    Version {
        /// The event's `detail-type`.
        detail_type: String,
        /// The version that it has.
        found: u32,
    },
    /// A field that is there but can't be.
    #[error("{field} {problem}")]
    Field {
        /// The field's name.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

impl EventError {
    /// The field that is wrong, where it is one.
    pub fn field(&self) -> Option<String> {
        match self {
            Self::Unknown { .. } | Self::Envelope(_) => None,
            Self::Version { .. } => Some("version".to_owned()),
            Self::Field { field, .. } => Some((*field).to_owned()),
            Self::Detail { cause, .. } => Some(cause.path().to_string()),
        }
    }
}

/// So far apart clocks of the bus and of a function may be.
const CLOCKS_APART: SignedDuration = SignedDuration::from_hours(1);

/// When the bus took an event; nothing where it doesn't say, or names a time that is to come: then no bus has
/// written it.
pub fn sent_at(event: &Value, now: Timestamp) -> Option<Timestamp> {
    let sent: Timestamp = event.get("time").and_then(Value::as_str)?.parse().ok()?;
    Some(sent).filter(|sent| sent.duration_since(now) <= CLOCKS_APART)
}

/// The detail as its type, after its version, so that a newer version is named as such and not as a
/// field that is missing.
pub fn read_detail<T: for<'de> Deserialize<'de>>(detail_type: &str, detail: Value) -> Result<T, EventError> {
    let found = detail.get("version").and_then(Value::as_u64);
    match found {
        Some(found) if found != u64::from(VERSION) => Err(EventError::Version {
            detail_type: detail_type.to_owned(),
            found: u32::try_from(found).unwrap_or(u32::MAX),
        }),
        _ => serde_path_to_error::deserialize(detail)
            .map_err(|cause| EventError::Detail { detail_type: detail_type.to_owned(), cause }),
    }
}
