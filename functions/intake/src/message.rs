//! What people say to the function that decides, as the event of the bus that it becomes; and what is told to those
//! whose words could not be taken.

use egress::bus::Event;
use egress::events::{
    AlertsSilenced, CommandNotTaken, DomainRequested, EventError, ExtensionRequested, GrantRevoked, Question,
    QuestionAsked, RequestDecided, RequestWithdrawn, TicketClosed, no_silence, source,
};
use egress::request::RequestId;

/// The shortest grant, in seconds.
const SHORTEST: u64 = 60;

/// A duration as people write it, `90m` or `8h`, in seconds; or why it is none.
pub(crate) fn seconds(text: &str) -> Result<u64, String> {
    let duration = humantime::parse_duration(text)
        .map_err(|error| format!("{error}; write a duration as 90m, 8h or 7d"))?;
    if duration.as_secs() < SHORTEST {
        return Err("a grant lasts at least a minute".to_owned());
    }
    Ok(duration.as_secs())
}

/// For how long alerts rest, as people write it, in seconds; 0 ends a silence.
pub(crate) fn silence_seconds(text: &str) -> Result<u64, String> {
    let duration = humantime::parse_duration(text)
        .map_err(|error| format!("{error}; write a duration as 8h or 7d, and 0 to end a silence"))?;
    // Less than a second is not nothing.
    let seconds = if duration.is_zero() { 0 } else { duration.as_secs().max(1) };
    no_silence(seconds).map_or(Ok(seconds), |problem| Err(format!("it {problem}")))
}

/// What somebody says, whichever way it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Somebody asks for domains.
    Request(DomainRequested),
    /// Somebody asks for more time.
    Extend(ExtensionRequested),
    /// An approver has decided.
    Decide(RequestDecided),
    /// Somebody ends a grant.
    Revoke(GrantRevoked),
    /// The requester takes a pending request back.
    Withdraw(RequestWithdrawn),
    /// A ticket was closed.
    Close(TicketClosed),
    /// Somebody wants alerts to rest.
    Silence(AlertsSilenced),
    /// Somebody wants to know something.
    Ask(QuestionAsked),
    /// Somebody has said what can't be taken. It goes to them, and to nobody who decides.
    NotTaken(CommandNotTaken),
}

/// What stands before a message's key in the id of the event that says that it was not taken.
pub(crate) const NOT_TAKEN: &str = "not-taken.";

impl Message {
    /// Whether the function that it is meant for would take it.
    pub fn check(&self) -> Result<(), EventError> {
        match self {
            Self::Request(detail) => detail.check(),
            Self::Extend(detail) => detail.check(),
            Self::Decide(detail) => detail.check(),
            Self::Revoke(detail) => detail.check(),
            Self::Withdraw(detail) => detail.check(),
            Self::Close(detail) => detail.check(),
            Self::Silence(detail) => detail.check(),
            Self::Ask(detail) => detail.check(),
            Self::NotTaken(_) => Ok(()),
        }
    }

    /// The event that it becomes.
    pub fn event(&self) -> Result<Event, serde_json::Error> {
        Ok(match self {
            Self::Request(detail) => Event::new(source::INTAKE, "DomainRequested", detail)?,
            Self::Extend(detail) => Event::new(source::INTAKE, "ExtensionRequested", detail)?,
            Self::Decide(detail) => Event::new(source::INTAKE, "RequestDecided", detail)?,
            Self::Revoke(detail) => Event::new(source::INTAKE, "GrantRevoked", detail)?,
            Self::Withdraw(detail) => Event::new(source::INTAKE, "RequestWithdrawn", detail)?,
            Self::Close(detail) => Event::new(source::INTAKE, "TicketClosed", detail)?,
            Self::Silence(detail) => Event::new(source::INTAKE, "AlertsSilenced", detail)?,
            Self::Ask(detail) => Event::new(source::INTAKE, "QuestionAsked", detail)?,
            Self::NotTaken(detail) => Event::new(source::INTAKE, "CommandNotTaken", detail)?,
        })
    }

    /// The key by which the answer to it names it.
    pub fn key(&self) -> &str {
        match self {
            Self::Request(detail) => &detail.message_key,
            Self::Extend(detail) => &detail.message_key,
            Self::Decide(detail) => &detail.message_key,
            Self::Revoke(detail) => &detail.message_key,
            Self::Withdraw(detail) => &detail.message_key,
            Self::Close(detail) => &detail.message_key,
            Self::Silence(detail) => &detail.message_key,
            Self::Ask(detail) => &detail.message_key,
            Self::NotTaken(detail) => {
                let rest = detail.event_id.strip_prefix(NOT_TAKEN).and_then(|rest| rest.split_once('.'));
                rest.map_or(&detail.event_id, |(_, key)| key)
            }
        }
    }

    /// The request that it is about, if it is about one: for a new one, and for an extension, the id that it
    /// will have.
    pub fn request_id(&self) -> Option<RequestId> {
        match self {
            Self::Request(_) | Self::Extend(_) => Some(RequestId::of_message(self.key())),
            Self::Decide(detail) => Some(detail.request_id.clone()),
            Self::Revoke(detail) => Some(detail.request_id.clone()),
            Self::Withdraw(detail) => Some(detail.request_id.clone()),
            Self::Close(detail) => Some(detail.request_id.clone()),
            Self::NotTaken(_) | Self::Silence(_) => None,
            Self::Ask(detail) => match &detail.question {
                Question::Status { request_id } => Some(request_id.clone()),
                Question::Why { .. } | Question::List { .. } => None,
            },
        }
    }

    /// The action, as the webhook calls it, for the log.
    pub fn action(&self) -> &'static str {
        match self {
            Self::Request(_) => "request",
            Self::Extend(_) => "extend",
            Self::Decide(_) => "decide",
            Self::Revoke(_) => "revoke",
            Self::Withdraw(_) => "withdraw",
            Self::Close(_) => "close",
            Self::Silence(_) => "silence",
            Self::NotTaken(_) => "not taken",
            Self::Ask(detail) => match detail.question {
                Question::Why { .. } => "why",
                Question::List { .. } => "list",
                Question::Status { .. } => "status",
            },
        }
    }
}
