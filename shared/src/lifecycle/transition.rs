//! All that is written when a request takes a step: its history, its live grant, its deadline, its events.

use jiff::Timestamp;

use super::NotAllowed;
use crate::bus::Event;
use crate::events::{
    Answer, CommandAnswered, DecisionAwaited, GlassBroken, GrantFirstUsed, GrantWaits, RequestStateChanged,
    VERSION, source,
};
use crate::history;
use crate::ledger::{HistoryEntry, OutboxEntry, Transition};
use crate::request::{Ending, LiveGrant, ReplyTo, Request, StateName};

/// A request after a command, who caused it, and what is told.
pub(super) struct Step {
    request: Request,
    by: String,
    what: &'static str,
    comment: Option<String>,
    /// Whether it is told as a change of its state.
    changed: bool,
    also: Option<Also>,
}

/// What is told beside, or instead of, a change of state.
pub(super) enum Also {
    DecisionAwaited { approvers: Vec<String> },
    GlassBroken { approvers: Vec<String> },
    Waits { stood: bool },
    FirstUsed { at: Timestamp, host: String, source: String },
}

impl Step {
    pub(super) fn to(request: Request) -> Self {
        Self { request, by: String::new(), what: "", comment: None, changed: true, also: None }
    }

    /// Who did what.
    pub(super) fn by(self, by: &str, what: &'static str, comment: Option<String>) -> Self {
        Self { by: by.to_owned(), what, comment, ..self }
    }

    /// What is told, too.
    pub(super) fn also(self, also: Also) -> Self {
        Self { also: Some(also), ..self }
    }

    /// What is told instead: it says all that there is to say of the step.
    pub(super) fn instead(self, also: Also) -> Self {
        Self { also: Some(also), changed: false, ..self }
    }
}

/// All that is written when a request takes this step from what it was before.
pub(super) fn transition(
    before: Option<&Request>,
    step: Step,
    now: Timestamp,
) -> Result<Transition, NotAllowed> {
    let Step { mut request, by, what, comment, changed, also } = step;
    let from = before.map(|request| request.state);
    let mut entry = HistoryEntry {
        version: request.version,
        at: now,
        by,
        what: what.to_owned(),
        from,
        to: request.state,
        ending: request.ending,
        comment,
        seal: String::new(),
    };
    entry.seal = history::seal(before.map_or("", |request| &request.seal), &entry)?;
    request.seal.clone_from(&entry.seal);
    let mut outbox = Vec::new();
    if changed {
        outbox.push(state_changed(&request, &entry)?);
    }
    if let Some(also) = also {
        outbox.push(also.told(&request, now, changed)?);
    }
    Ok(Transition {
        live: live_grant(&request),
        cut: from.is_some_and(StateName::is_live) && is_cut(&request),
        deadline_before: before.and_then(deadline),
        deadline: deadline(&request),
        history: entry,
        outbox,
        message_key: None,
        request,
    })
}

fn state_changed(request: &Request, entry: &HistoryEntry) -> Result<OutboxEntry, NotAllowed> {
    let event = RequestStateChanged {
        version: VERSION,
        event_id: event_id(request),
        from: entry.from,
        to: entry.to,
        ending: entry.ending,
        at: entry.at,
        by: entry.by.clone(),
        comment: entry.comment.clone(),
        request: request.clone(),
    };
    outbox_entry(event.event_id.clone(), entry.at, "RequestStateChanged", &event)
}

impl Also {
    /// The event; beside a change of state it has an id of its own.
    fn told(self, request: &Request, at: Timestamp, beside: bool) -> Result<OutboxEntry, NotAllowed> {
        let version = VERSION;
        let event_id = if beside { format!("{}.more", event_id(request)) } else { event_id(request) };
        let request = request.clone();
        let id = event_id.clone();
        match self {
            Self::DecisionAwaited { approvers } => {
                let event = DecisionAwaited { version, event_id, at, approvers, request };
                outbox_entry(id, at, "DecisionAwaited", &event)
            }
            Self::GlassBroken { approvers } => {
                let event = GlassBroken { version, event_id, at, approvers, request };
                outbox_entry(id, at, "GlassBroken", &event)
            }
            Self::Waits { stood } => {
                let reason = request.waits_for.clone().unwrap_or_default();
                let event = GrantWaits { version, event_id, at, reason, stood, request };
                outbox_entry(id, at, "GrantWaits", &event)
            }
            Self::FirstUsed { at: used_at, host, source } => {
                let event = GrantFirstUsed { version, event_id, at: used_at, host, source, request };
                outbox_entry(id, at, "GrantFirstUsed", &event)
            }
        }
    }
}

/// Who gave a command, or asked a question, and where they are to be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// The message's key.
    pub message_key: String,
    /// Who.
    pub by: String,
    /// Where.
    pub reply_to: Option<ReplyTo>,
}

/// The answer to a message, as it is told.
pub fn answer(author: &Author, answer: Answer, now: Timestamp) -> Result<OutboxEntry, NotAllowed> {
    let event = CommandAnswered {
        version: VERSION,
        event_id: format!("answer.{}", author.message_key),
        at: now,
        message_key: author.message_key.clone(),
        by: author.by.clone(),
        reply_to: author.reply_to.clone(),
        answer,
    };
    outbox_entry(event.event_id.clone(), now, "CommandAnswered", &event)
}

fn outbox_entry<T: serde::Serialize>(
    id: String,
    at: Timestamp,
    detail_type: &str,
    detail: &T,
) -> Result<OutboxEntry, NotAllowed> {
    Ok(OutboxEntry { id, at, event: Event::new(source::REQUESTS, detail_type, detail)? })
}

fn event_id(request: &Request) -> String {
    format!("{}.{}", request.id, request.version)
}

/// The grant of a request that is live.
fn live_grant(request: &Request) -> Option<LiveGrant> {
    let ends_at = request.ends_at.filter(|_| request.state.is_live())?;
    Some(LiveGrant {
        request_id: request.id.clone(),
        requester: request.requester.clone(),
        domains: request.domains.clone(),
        approved_at: request.approved_at?,
        ends_at,
        active: request.state == StateName::Active,
        used: request.first_used_at.is_some(),
        waits: request.waits_for.is_some(),
        extends: request.extends.clone(),
    })
}

/// Whether what the grant has let through is to be cut: not where its extension lets it pass.
fn is_cut(request: &Request) -> bool {
    request.state == StateName::Ended && request.ending != Some(Ending::Superseded)
}

/// When something has to be done about a request.
pub fn deadline(request: &Request) -> Option<Timestamp> {
    match request.state {
        StateName::Pending => {
            Some(request.remind_at.map_or(request.lapses_at, |at| at.min(request.lapses_at)))
        }
        state if state.is_live() => request.ends_at,
        _ => None,
    }
}
