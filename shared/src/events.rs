//! Everything that crosses the bus: who may say it (`source`), what it is called (`detail-type`), and
//! what stands in it (`detail`), in version 1.
//!
//! A `detail` is whatever its sender wrote, so what comes from intake is checked here, field by field,
//! before anything else sees it. That the sender is who `source` says is the bus's own permission: only
//! intake's role may put `egress.intake` events on it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::request::{Ending, Request, RequestId, StateName};

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

/// Somebody asks for domains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DomainRequested {
    /// Always [`VERSION`].
    pub version: u32,
    /// What makes this message the same as another delivery of it, e.g. `webhook:4711`.
    pub message_key: String,
    /// Who asks, as intake proved it: an address or a user's id in the system that asks.
    pub requester: String,
    /// The domains as they were typed; none when a preset is asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<String>,
    /// The name of a preset of the configuration; its domains are meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<String>,
    /// Why it is needed, in the requester's words.
    pub justification: String,
    /// The ticket that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// For how long, in seconds; the configuration's default when it isn't said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<u64>,
}

/// Which way somebody decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// Let it pass.
    Approve,
    /// Don't.
    Deny,
}

/// An approver has decided a pending request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestDecided {
    /// Always [`VERSION`].
    pub version: u32,
    /// What makes this message the same as another delivery of it.
    pub message_key: String,
    /// The request.
    pub request_id: RequestId,
    /// Which way.
    pub decision: Decision,
    /// Who, as intake proved it.
    pub approver: String,
    /// Why, in the approver's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// Somebody ends a grant before its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantRevoked {
    /// Always [`VERSION`].
    pub version: u32,
    /// What makes this message the same as another delivery of it.
    pub message_key: String,
    /// The request whose grant ends.
    pub request_id: RequestId,
    /// Who, as intake proved it.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// The requester takes a pending request back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestWithdrawn {
    /// Always [`VERSION`].
    pub version: u32,
    /// What makes this message the same as another delivery of it.
    pub message_key: String,
    /// The request.
    pub request_id: RequestId,
    /// Who, as intake proved it.
    pub by: String,
}

/// What `requests` acts on, after all checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intake {
    /// Somebody asks for domains.
    DomainRequested(DomainRequested),
    /// An approver has decided.
    RequestDecided(RequestDecided),
    /// A grant ends before its time.
    GrantRevoked(GrantRevoked),
    /// The requester takes a pending request back.
    RequestWithdrawn(RequestWithdrawn),
    /// A minute has passed.
    Tick,
}

/// The longest texts that are taken, in characters.
mod longest {
    /// A person's address or id, a message key, a preset's or a ticket's name.
    pub(super) const NAME: usize = 256;
    /// A justification, a comment, a reason.
    pub(super) const TEXT: usize = 2_000;
    /// Domains in one request: what is reviewed by a person has to fit on a screen.
    pub(super) const DOMAINS: usize = 20;
}

impl Intake {
    /// Reads an event of the bus, or of the clock.
    pub fn read(event: Value) -> Result<Self, EventError> {
        let envelope: Envelope = serde_json::from_value(event).map_err(EventError::Envelope)?;
        let Envelope { source, detail_type, detail } = envelope;
        match (source.as_str(), detail_type.as_str()) {
            (source::CLOCK, "Scheduled Event") => Ok(Self::Tick),
            (source::INTAKE, "DomainRequested") => {
                let requested: DomainRequested = read_detail(&detail_type, detail)?;
                requested.check()?;
                Ok(Self::DomainRequested(requested))
            }
            (source::INTAKE, "RequestDecided") => {
                let decided: RequestDecided = read_detail(&detail_type, detail)?;
                decided.check()?;
                Ok(Self::RequestDecided(decided))
            }
            (source::INTAKE, "GrantRevoked") => {
                let revoked: GrantRevoked = read_detail(&detail_type, detail)?;
                revoked.check()?;
                Ok(Self::GrantRevoked(revoked))
            }
            (source::INTAKE, "RequestWithdrawn") => {
                let withdrawn: RequestWithdrawn = read_detail(&detail_type, detail)?;
                withdrawn.check()?;
                Ok(Self::RequestWithdrawn(withdrawn))
            }
            _ => Err(EventError::Unknown { source_name: source, detail_type }),
        }
    }
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

impl DomainRequested {
    /// Holds every field against its limits; domains themselves are judged later, one by one.
    pub fn check(&self) -> Result<(), EventError> {
        check_name("message_key", &self.message_key)?;
        check_name("requester", &self.requester)?;
        check_text("justification", &self.justification)?;
        self.ticket.as_deref().map_or(Ok(()), |ticket| check_name("ticket", ticket))?;
        self.preset.as_deref().map_or(Ok(()), |preset| check_name("preset", preset))?;
        if self.domains.is_empty() == self.preset.is_none() {
            return Err(field("domains", "or preset: exactly one of the two must be given"));
        }
        if self.domains.len() > longest::DOMAINS {
            return Err(field("domains", format!("has more than {} entries", longest::DOMAINS)));
        }
        if self.duration_seconds == Some(0) {
            return Err(field("duration_seconds", "is 0: leave it out for the usual time"));
        }
        Ok(())
    }
}

impl RequestDecided {
    /// Holds every field against its limits.
    pub fn check(&self) -> Result<(), EventError> {
        check_name("message_key", &self.message_key)?;
        check_name("approver", &self.approver)?;
        match &self.comment {
            Some(comment) if comment.chars().count() > longest::TEXT => {
                Err(field("comment", format!("has more than {} characters", longest::TEXT)))
            }
            _ => Ok(()),
        }
    }
}

impl RequestWithdrawn {
    /// Holds every field against its limits.
    pub fn check(&self) -> Result<(), EventError> {
        check_name("message_key", &self.message_key)?;
        check_name("by", &self.by)
    }
}

impl GrantRevoked {
    /// Holds every field against its limits.
    pub fn check(&self) -> Result<(), EventError> {
        check_name("message_key", &self.message_key)?;
        check_name("by", &self.by)?;
        check_text("reason", &self.reason)
    }
}

/// A name: one line of at most 256 characters without control characters.
fn check_name(name: &'static str, value: &str) -> Result<(), EventError> {
    if value.trim().is_empty() {
        return Err(field(name, "is empty"));
    }
    if value.chars().count() > longest::NAME {
        return Err(field(name, format!("has more than {} characters", longest::NAME)));
    }
    if value.chars().any(char::is_control) {
        return Err(field(name, "has control characters in it"));
    }
    Ok(())
}

/// A text in somebody's own words.
fn check_text(name: &'static str, value: &str) -> Result<(), EventError> {
    if value.trim().is_empty() {
        return Err(field(name, "is empty"));
    }
    if value.chars().count() > longest::TEXT {
        return Err(field(name, format!("has more than {} characters", longest::TEXT)));
    }
    Ok(())
}

fn field(field: &'static str, problem: impl Into<String>) -> EventError {
    EventError::Field { field, problem: problem.into() }
}

/// A request has come into a state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestStateChanged {
    /// Always [`VERSION`].
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

/// The firewall's grants group has new content, accepted by AWS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllowListChanged {
    /// Always [`VERSION`].
    pub version: u32,
    /// The update token that the new content got.
    pub update_token: String,
    /// The patterns that are new in it.
    pub added: Vec<String>,
    /// The patterns that are gone from it.
    pub removed: Vec<String>,
}

/// Somebody changed the grants group by hand; it has been put right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriftFound {
    /// Always [`VERSION`].
    pub version: u32,
    /// The update token of what was found.
    pub update_token: String,
    /// What was found, one sentence.
    pub found: String,
}

/// Connections to one destination from one source were blocked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrafficBlocked {
    /// Always [`VERSION`].
    pub version: u32,
    /// The same for every delivery of this event: derived from source, destination and window.
    pub event_id: String,
    /// The name that the client asked for, or the address and port where it named none.
    pub destination: String,
    /// What somebody registered of that name (`files.pythonhosted.org` → `pythonhosted.org`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registrable_domain: Option<String>,
    /// The address that the firewall saw the connection come from.
    pub source: String,
    /// `tls`, `http`, `ssh`, … where the firewall could tell; else `tcp`, `udp`, `icmp`, lower case.
    pub protocol: String,
    /// The port of the destination; none for ICMP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// How many connections the first batch of the log that met them in this window had: at least so many
    /// were blocked. What later batches count is kept in the table, and no event tells it.
    pub count: u64,
    /// The first of them.
    pub first_seen: Timestamp,
    /// The last of them.
    pub last_seen: Timestamp,
    /// The length of the window in which this event speaks for its source and destination, in seconds.
    /// Windows stand on the clock, so the next event may come soon after, at the beginning of the next.
    pub window_seconds: u64,
    /// The firewall's name.
    pub firewall: String,
    /// Where its endpoint stands.
    pub availability_zone: String,
    /// The message of the rule that blocked.
    pub signature: String,
    /// What to ask for; none where no name can be allowed (an address, another protocol).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<Suggestion>,
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
