//! What `requests` acts on: commands that intake has proved, evidence from alerts, and the clock.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::checks::{check_duration, check_line, check_name, check_reply, check_text, field, longest};
use super::{Envelope, EventError, read_detail, source};
use crate::domain::group_of;
use crate::ledger::Silence;
use crate::request::{ReplyTo, RequestId};

/// Somebody asks for domains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DomainRequested {
    /// Always [`super::VERSION`].
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
    /// Why nobody can be waited for: breaks the glass, where the policy lets the requester.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_glass: Option<String>,
    /// Where the requester is to be answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<ReplyTo>,
}

/// Somebody asks for more time for what is granted to them: a request of its own, for the same domains,
/// whose grant takes the place of the one that is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExtensionRequested {
    /// Always [`super::VERSION`].
    pub version: u32,
    /// What makes this message the same as another delivery of it.
    pub message_key: String,
    /// The request whose grant is to be extended.
    pub request_id: RequestId,
    /// Who asks, as intake proved it.
    pub requester: String,
    /// Why it is needed for longer.
    pub justification: String,
    /// For how long from its approval on, in seconds; as long as the grant that it extends when it isn't
    /// said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<u64>,
    /// Where the requester is to be answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<ReplyTo>,
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
    /// Always [`super::VERSION`].
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
    /// Where the approver is to be answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<ReplyTo>,
}

/// Somebody ends a grant before its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantRevoked {
    /// Always [`super::VERSION`].
    pub version: u32,
    /// What makes this message the same as another delivery of it.
    pub message_key: String,
    /// The request whose grant ends.
    pub request_id: RequestId,
    /// Who, as intake proved it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Where they are to be answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<ReplyTo>,
}

/// The requester takes a pending request back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestWithdrawn {
    /// Always [`super::VERSION`].
    pub version: u32,
    /// What makes this message the same as another delivery of it.
    pub message_key: String,
    /// The request.
    pub request_id: RequestId,
    /// Who, as intake proved it.
    pub by: String,
    /// Where they are to be answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<ReplyTo>,
}

/// The ticket that a request came of was closed: what waits is withdrawn, what is open is revoked, by the rules for
/// who closed it; what has ended stays so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TicketClosed {
    /// Always [`super::VERSION`].
    pub version: u32,
    /// What makes this message the same as another delivery of it.
    pub message_key: String,
    /// The request of the ticket.
    pub request_id: RequestId,
    /// Who closed it, as intake proved it.
    pub by: String,
    /// The state in which the ticket is.
    pub reason: String,
    /// Where they are to be answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<ReplyTo>,
}

/// Somebody wants to know something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuestionAsked {
    /// Always [`super::VERSION`].
    pub version: u32,
    /// What makes this message the same as another delivery of it.
    pub message_key: String,
    /// Who, as intake proved it.
    pub by: String,
    /// What.
    pub question: Question,
    /// Where they are to be answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<ReplyTo>,
}

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Question {
    /// Why a host is blocked, or passes.
    Why {
        /// The host, as it was typed.
        host: String,
    },
    /// Which requests there are.
    List {
        /// Which of them.
        which: ListOf,
    },
    /// What became of a request.
    Status {
        /// The request.
        request_id: RequestId,
    },
}

/// Which requests are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ListOf {
    /// The asker's own, pending or live.
    Mine,
    /// Those that wait for an approver.
    Pending,
    /// Those whose grants are live.
    Live,
    /// The live grants that nobody has used.
    Unused,
}

/// Somebody wants alerts about a domain to rest for a time, or to be told again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertsSilenced {
    /// Always [`super::VERSION`].
    pub version: u32,
    /// What makes this message the same as another delivery of it.
    pub message_key: String,
    /// Who, as intake proved it.
    pub by: String,
    /// The domain as it was typed: a name, a URL, or an address. [`group_of`] it is silenced.
    pub domain: String,
    /// Whose connections, by [`crate::owner::Owner::key`]; everybody's when it isn't said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// For how long, in seconds: a minute to thirty days, or 0 to end it now; a day when it isn't said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<u64>,
    /// Where they are to be answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<ReplyTo>,
}

/// The firewall has logged that a grant let something pass, for the first time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantUsed {
    /// Always [`super::VERSION`].
    pub version: u32,
    /// The same for every delivery of this event: `first-use:<request id>`.
    pub event_id: String,
    /// The request that the grant comes of.
    pub request_id: RequestId,
    /// When.
    pub at: Timestamp,
    /// To which host.
    pub host: String,
    /// From which address.
    pub source: String,
}

/// What `requests` acts on, after all checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// Somebody asks for domains.
    DomainRequested(DomainRequested),
    /// Somebody asks for more time.
    ExtensionRequested(ExtensionRequested),
    /// An approver has decided.
    RequestDecided(RequestDecided),
    /// A grant ends before its time.
    GrantRevoked(GrantRevoked),
    /// The requester takes a pending request back.
    RequestWithdrawn(RequestWithdrawn),
    /// The ticket of a request was closed.
    TicketClosed(TicketClosed),
    /// Somebody wants to know something.
    QuestionAsked(QuestionAsked),
    /// Somebody wants alerts to rest.
    AlertsSilenced(AlertsSilenced),
    /// A grant is used for the first time.
    GrantUsed(GrantUsed),
    /// A minute has passed.
    Tick,
}

/// For how long alerts rest, in seconds. A silence always ends: whoever made it forgets it.
pub mod silence {
    /// Where it isn't said.
    pub const USUAL: u64 = 24 * 3_600;
    /// The shortest, but for 0, which ends one.
    pub const SHORTEST: u64 = 60;
    /// The longest.
    pub const LONGEST: u64 = 30 * 24 * 3_600;
}

impl Incoming {
    /// Reads an event of the bus, or of the clock.
    pub fn read(event: Value) -> Result<Self, EventError> {
        let envelope: Envelope = serde_json::from_value(event).map_err(EventError::Envelope)?;
        let Envelope { source, detail_type, detail } = envelope;
        let read = Detail { detail_type: &detail_type, detail };
        match (source.as_str(), detail_type.as_str()) {
            (source::CLOCK, "Scheduled Event") => Ok(Self::Tick),
            (source::INTAKE, "DomainRequested") => {
                read.checked(DomainRequested::check).map(Self::DomainRequested)
            }
            (source::INTAKE, "ExtensionRequested") => {
                read.checked(ExtensionRequested::check).map(Self::ExtensionRequested)
            }
            (source::INTAKE, "RequestDecided") => {
                read.checked(RequestDecided::check).map(Self::RequestDecided)
            }
            (source::INTAKE, "GrantRevoked") => read.checked(GrantRevoked::check).map(Self::GrantRevoked),
            (source::INTAKE, "RequestWithdrawn") => {
                read.checked(RequestWithdrawn::check).map(Self::RequestWithdrawn)
            }
            (source::INTAKE, "TicketClosed") => read.checked(TicketClosed::check).map(Self::TicketClosed),
            (source::INTAKE, "QuestionAsked") => read.checked(QuestionAsked::check).map(Self::QuestionAsked),
            (source::INTAKE, "AlertsSilenced") => {
                read.checked(AlertsSilenced::check).map(Self::AlertsSilenced)
            }
            (source::ALERTS, "GrantUsed") => read.checked(GrantUsed::check).map(Self::GrantUsed),
            _ => Err(EventError::Unknown { source_name: source, detail_type }),
        }
    }
}

struct Detail<'a> {
    detail_type: &'a str,
    detail: Value,
}

impl Detail<'_> {
    fn checked<T: for<'de> Deserialize<'de>>(
        self,
        check: fn(&T) -> Result<(), EventError>,
    ) -> Result<T, EventError> {
        let detail = read_detail(self.detail_type, self.detail)?;
        check(&detail)?;
        Ok(detail)
    }
}

/// Who sent an event, as far as it can be read, also where the rest of it can't: so that they hear of that.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sender {
    /// The message's key.
    pub message_key: Option<String>,
    /// Who it names as its person.
    pub by: Option<String>,
    /// Where they are to be answered.
    pub reply_to: Option<ReplyTo>,
}

impl Sender {
    /// Reads what can be read of an event.
    pub fn of(event: &Value) -> Self {
        let detail = event.get("detail").unwrap_or(&Value::Null);
        let name = |field: &str| {
            let text = detail.get(field).and_then(Value::as_str)?;
            check_name("", text).is_ok().then(|| text.to_owned())
        };
        let reply_to = detail.get("reply_to").cloned().and_then(|value| serde_json::from_value(value).ok());
        Self {
            message_key: name("message_key"),
            by: ["requester", "approver", "by"].into_iter().find_map(name),
            reply_to: reply_to.filter(|reply_to| check_reply(Some(reply_to)).is_ok()),
        }
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
        self.break_glass.as_deref().map_or(Ok(()), |reason| check_text("break_glass", reason))?;
        if self.domains.is_empty() == self.preset.is_none() {
            return Err(field("domains", "or preset: exactly one of the two must be given"));
        }
        if self.domains.len() > longest::DOMAINS {
            return Err(field("domains", format!("has more than {} entries", longest::DOMAINS)));
        }
        check_duration(self.duration_seconds)?;
        check_reply(self.reply_to.as_ref())
    }
}

impl ExtensionRequested {
    /// Holds every field against its limits.
    pub fn check(&self) -> Result<(), EventError> {
        check_name("message_key", &self.message_key)?;
        check_name("requester", &self.requester)?;
        check_text("justification", &self.justification)?;
        check_duration(self.duration_seconds)?;
        check_reply(self.reply_to.as_ref())
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
            _ => check_reply(self.reply_to.as_ref()),
        }
    }
}

impl TicketClosed {
    /// Holds every field against its limits.
    pub fn check(&self) -> Result<(), EventError> {
        check_name("message_key", &self.message_key)?;
        check_name("by", &self.by)?;
        check_text("reason", &self.reason)?;
        check_reply(self.reply_to.as_ref())
    }
}

impl RequestWithdrawn {
    /// Holds every field against its limits.
    pub fn check(&self) -> Result<(), EventError> {
        check_name("message_key", &self.message_key)?;
        check_name("by", &self.by)?;
        check_reply(self.reply_to.as_ref())
    }
}

impl GrantRevoked {
    /// Holds every field against its limits.
    pub fn check(&self) -> Result<(), EventError> {
        check_name("message_key", &self.message_key)?;
        check_name("by", &self.by)?;
        check_text("reason", &self.reason)?;
        check_reply(self.reply_to.as_ref())
    }
}

impl QuestionAsked {
    /// Holds every field against its limits; a host is judged later.
    pub fn check(&self) -> Result<(), EventError> {
        check_name("message_key", &self.message_key)?;
        check_name("by", &self.by)?;
        if let Question::Why { host } = &self.question {
            check_text("host", host)?;
        }
        check_reply(self.reply_to.as_ref())
    }
}

impl AlertsSilenced {
    /// Holds every field against its limits; the domain has to be one.
    pub fn check(&self) -> Result<(), EventError> {
        check_name("message_key", &self.message_key)?;
        check_name("by", &self.by)?;
        self.owner.as_deref().map_or(Ok(()), |owner| check_line("owner", owner, longest::OWNER))?;
        if self.owner.as_deref() == Some(crate::ledger::EVERYBODY) {
            return Err(field("owner", "is left out where everybody's connections are meant"));
        }
        if let Some(problem) = self.duration_seconds.and_then(no_silence) {
            return Err(field("duration_seconds", problem));
        }
        self.group()?;
        check_reply(self.reply_to.as_ref())
    }

    /// What is silenced.
    fn group(&self) -> Result<String, EventError> {
        group_of(&self.domain).map_err(|error| field("domain", format!("can't be silenced: {error}")))
    }

    /// The silence that it makes now.
    pub fn silence(&self, now: Timestamp) -> Result<Silence, EventError> {
        let seconds = i64::try_from(self.duration_seconds.unwrap_or(silence::USUAL)).unwrap_or(i64::MAX);
        Ok(Silence {
            domain: self.group()?,
            owner: self.owner.clone(),
            until: now.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX),
            by: self.by.clone(),
            at: now,
        })
    }
}

impl GrantUsed {
    /// Holds every field against its limits.
    pub fn check(&self) -> Result<(), EventError> {
        check_name("event_id", &self.event_id)?;
        check_name("host", &self.host)?;
        check_name("source", &self.source)
    }
}

/// Why a silence can't last for so many seconds.
pub fn no_silence(seconds: u64) -> Option<&'static str> {
    let lasts = seconds == 0 || (silence::SHORTEST..=silence::LONGEST).contains(&seconds);
    (!lasts).then_some("is not a minute to 30 days, or 0 to end a silence")
}
