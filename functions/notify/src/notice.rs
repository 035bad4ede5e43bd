//! The events that people hear of.

use std::borrow::Cow;

use egress::config::Subject;
use egress::events::{
    AllowListChanged, Answer, BlockedDigest, CommandAnswered, CommandNotTaken, DecisionAwaited, DriftFound,
    Envelope, EventError, EventRefused, GlassBroken, GrantFirstUsed, GrantWaits, RequestStateChanged,
    TrafficBlocked, read_detail, source,
};
use egress::request::{ReplyTo, Request};
use jiff::Timestamp;
use serde_json::Value;

/// Something that people hear of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A request has come into a state.
    RequestStateChanged(Box<RequestStateChanged>),
    /// The approvers are reminded of a request.
    DecisionAwaited(Box<DecisionAwaited>),
    /// Domains are open without anybody's yes.
    GlassBroken(Box<GlassBroken>),
    /// A grant doesn't fit into the firewall.
    GrantWaits(Box<GrantWaits>),
    /// A grant has let something pass for the first time.
    GrantFirstUsed(Box<GrantFirstUsed>),
    /// A command or a question is answered.
    CommandAnswered(Box<CommandAnswered>),
    /// What somebody said could not be taken.
    CommandNotTaken(Box<CommandNotTaken>),
    /// An event could not be taken.
    EventRefused(Box<EventRefused>),
    /// The firewall lets other domains pass than before.
    AllowListChanged(Box<AllowListChanged>),
    /// Somebody changed the firewall by hand.
    DriftFound(Box<DriftFound>),
    /// Connections were blocked.
    TrafficBlocked(Box<TrafficBlocked>),
    /// What was blocked in a window, summed up.
    BlockedDigest(Box<BlockedDigest>),
}

impl Notice {
    /// Reads an event of the bus. The rule that brings events here (`infra/notify.yaml`) names the same types.
    pub fn read(event: Value) -> Result<Self, EventError> {
        let Envelope { source, detail_type, detail } =
            serde_json::from_value(event).map_err(EventError::Envelope)?;
        match (source.as_str(), detail_type.as_str()) {
            (source::REQUESTS, "RequestStateChanged") => {
                read_detail(&detail_type, detail).map(Self::RequestStateChanged)
            }
            (source::REQUESTS, "DecisionAwaited") => {
                read_detail(&detail_type, detail).map(Self::DecisionAwaited)
            }
            (source::REQUESTS, "GlassBroken") => read_detail(&detail_type, detail).map(Self::GlassBroken),
            (source::REQUESTS, "GrantWaits") => read_detail(&detail_type, detail).map(Self::GrantWaits),
            (source::REQUESTS, "GrantFirstUsed") => {
                read_detail(&detail_type, detail).map(Self::GrantFirstUsed)
            }
            (source::REQUESTS, "CommandAnswered") => {
                read_detail(&detail_type, detail).map(Self::CommandAnswered)
            }
            (source::INTAKE, "CommandNotTaken") => {
                read_detail(&detail_type, detail).map(Self::CommandNotTaken)
            }
            (source::REQUESTS, "EventRefused") => read_detail(&detail_type, detail).map(Self::EventRefused),
            (source::REQUESTS, "AllowListChanged") => {
                read_detail(&detail_type, detail).map(Self::AllowListChanged)
            }
            (source::REQUESTS, "DriftFound") => read_detail(&detail_type, detail).map(Self::DriftFound),
            (source::ALERTS, "TrafficBlocked") => read_detail(&detail_type, detail).map(Self::TrafficBlocked),
            (source::ALERTS, "BlockedDigest") => read_detail(&detail_type, detail).map(Self::BlockedDigest),
            _ => Err(EventError::Unknown { source_name: source, detail_type }),
        }
    }

    /// The event's `detail-type`.
    pub fn detail_type(&self) -> &'static str {
        match self {
            Self::RequestStateChanged(_) => "RequestStateChanged",
            Self::DecisionAwaited(_) => "DecisionAwaited",
            Self::GlassBroken(_) => "GlassBroken",
            Self::GrantWaits(_) => "GrantWaits",
            Self::GrantFirstUsed(_) => "GrantFirstUsed",
            Self::CommandAnswered(_) => "CommandAnswered",
            Self::CommandNotTaken(_) => "CommandNotTaken",
            Self::EventRefused(_) => "EventRefused",
            Self::AllowListChanged(_) => "AllowListChanged",
            Self::DriftFound(_) => "DriftFound",
            Self::TrafficBlocked(_) => "TrafficBlocked",
            Self::BlockedDigest(_) => "BlockedDigest",
        }
    }

    /// The same for every delivery of the event.
    pub fn event_id(&self) -> Cow<'_, str> {
        match self {
            Self::RequestStateChanged(it) => Cow::Borrowed(&it.event_id),
            Self::DecisionAwaited(it) => Cow::Borrowed(&it.event_id),
            Self::GlassBroken(it) => Cow::Borrowed(&it.event_id),
            Self::GrantWaits(it) => Cow::Borrowed(&it.event_id),
            Self::GrantFirstUsed(it) => Cow::Borrowed(&it.event_id),
            Self::CommandAnswered(it) => Cow::Borrowed(&it.event_id),
            Self::CommandNotTaken(it) => Cow::Borrowed(&it.event_id),
            Self::EventRefused(it) => Cow::Borrowed(&it.event_id),
            Self::AllowListChanged(it) => Cow::Owned(format!("allow-list-changed.{}", it.update_token)),
            Self::DriftFound(it) => Cow::Owned(format!("drift-found.{}", it.update_token)),
            Self::TrafficBlocked(it) => Cow::Borrowed(&it.event_id),
            Self::BlockedDigest(it) => Cow::Borrowed(&it.event_id),
        }
    }

    /// When it happened; where nobody says that, nothing.
    pub fn at(&self) -> Option<Timestamp> {
        match self {
            Self::RequestStateChanged(it) => Some(it.at),
            Self::DecisionAwaited(it) => Some(it.at),
            Self::GlassBroken(it) => Some(it.at),
            Self::GrantWaits(it) => Some(it.at),
            Self::GrantFirstUsed(it) => Some(it.at),
            Self::CommandAnswered(it) => Some(it.at),
            Self::CommandNotTaken(it) => Some(it.at),
            Self::EventRefused(it) => Some(it.at),
            Self::AllowListChanged(_) => None,
            Self::DriftFound(it) => it.changed_at,
            Self::TrafficBlocked(it) => Some(it.last_seen),
            Self::BlockedDigest(it) => Some(it.until),
        }
    }

    /// Where the person is to be told whom it concerns: who gave the command, else who made the request.
    pub fn reply_to(&self) -> Option<&ReplyTo> {
        match self {
            Self::RequestStateChanged(it) => it.request.reply_to.as_ref(),
            Self::GrantWaits(it) => it.request.reply_to.as_ref(),
            Self::GrantFirstUsed(it) => it.request.reply_to.as_ref(),
            Self::CommandAnswered(it) => it.reply_to.as_ref(),
            Self::CommandNotTaken(it) => Some(&it.reply_to),
            Self::EventRefused(it) => it.reply_to.as_ref(),
            // Those are for approvers and operators.
            Self::DecisionAwaited(_)
            | Self::GlassBroken(_)
            | Self::AllowListChanged(_)
            | Self::DriftFound(_)
            | Self::TrafficBlocked(_)
            | Self::BlockedDigest(_) => None,
        }
    }

    /// The request that it is about; of answers, the one that is answered about.
    pub fn request(&self) -> Option<&Request> {
        match self {
            Self::RequestStateChanged(it) => Some(&it.request),
            Self::DecisionAwaited(it) => Some(&it.request),
            Self::GlassBroken(it) => Some(&it.request),
            Self::GrantWaits(it) => Some(&it.request),
            Self::GrantFirstUsed(it) => Some(&it.request),
            Self::CommandAnswered(it) => match &it.answer {
                Answer::Done { request, .. } | Answer::Status { request, .. } => Some(request),
                Answer::NotAllowed { .. }
                | Answer::Why(_)
                | Answer::List { .. }
                | Answer::Silenced { .. } => None,
            },
            Self::CommandNotTaken(_)
            | Self::EventRefused(_)
            | Self::AllowListChanged(_)
            | Self::DriftFound(_)
            | Self::TrafficBlocked(_)
            | Self::BlockedDigest(_) => None,
        }
    }

    /// What routes call it.
    pub fn subject(&self) -> Subject {
        match self {
            Self::RequestStateChanged(_)
            | Self::GlassBroken(_)
            | Self::GrantWaits(_)
            | Self::GrantFirstUsed(_) => Subject::Requests,
            Self::DecisionAwaited(_) => Subject::Reminders,
            Self::TrafficBlocked(_) => Subject::Alerts,
            Self::BlockedDigest(_) => Subject::Digests,
            Self::DriftFound(_) | Self::AllowListChanged(_) => Subject::Drift,
            Self::EventRefused(_) => Subject::Refused,
            Self::CommandAnswered(_) | Self::CommandNotTaken(_) => Subject::Answers,
        }
    }
}
