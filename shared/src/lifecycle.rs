//! What each command does to a request: pure functions from what is, the command and the time to a
//! [`Transition`], or to the reason why not.
//!
//! `pending → approved → active → ended (expired | revoked)`; `pending → denied | lapsed | withdrawn`;
//! `refused` at once where a rule forbids it.

use jiff::{SignedDuration, Timestamp};

use crate::bus::Event;
use crate::config::Config;
use crate::domain::{DomainPattern, PatternError};
use crate::events::{self, DomainRequested, RequestStateChanged};
use crate::ledger::{HistoryEntry, OutboxEntry, Transition};
use crate::request::{Approval, Ending, LiveGrant, RefusedDomain, Request, RequestId, StateName};

/// Who causes what no person does.
mod actor {
    pub(super) const POLICY: &str = "policy";
    pub(super) const CLOCK: &str = "clock";
    pub(super) const FIREWALL: &str = "firewall";
}

/// What can be done to a request that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// An approver says yes.
    Approve {
        /// Who.
        by: String,
        /// Why.
        comment: Option<String>,
    },
    /// An approver says no.
    Deny {
        /// Who.
        by: String,
        /// Why.
        comment: Option<String>,
    },
    /// The requester takes the request back.
    Withdraw {
        /// Who.
        by: String,
    },
    /// An approver, or the requester, ends the grant.
    Revoke {
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// Its rules are in sync in every availability zone.
    InSync,
    /// A deadline has passed.
    Due,
}

impl Command {
    /// What a request is after it, as a sentence has it.
    fn participle(&self) -> &'static str {
        match self {
            Self::Approve { .. } => "approved",
            Self::Deny { .. } => "denied",
            Self::Withdraw { .. } => "withdrawn",
            Self::Revoke { .. } => "revoked",
            Self::InSync => "activated",
            Self::Due => "ended",
        }
    }
}

/// Why a command does nothing. Each is a sentence for the person who gave it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAllowed {
    /// The request is in a state in which this can't be done.
    #[error("{id} is {state}: it can't be {command} any more, or not yet")]
    State {
        /// The request.
        id: RequestId,
        /// What it is in.
        state: StateName,
        /// What was to be done.
        command: &'static str,
    },
    /// Only approvers of the configuration may do this.
    #[error("{by} is not an approver: {id} can't be {command} by them")]
    NotAnApprover {
        /// Who.
        by: String,
        /// The request.
        id: RequestId,
        /// What was to be done.
        command: &'static str,
    },
    /// Nobody decides about an own request.
    #[error("{by} has asked for {id}: somebody else has to decide about it")]
    OwnRequest {
        /// Who.
        by: String,
        /// The request.
        id: RequestId,
    },
    /// An approval counts once for each person.
    #[error("{by} has approved {id} already: another person has to")]
    ApprovedAlready {
        /// Who.
        by: String,
        /// The request.
        id: RequestId,
    },
    /// The time for a decision is over, and the clock hasn't said so yet.
    #[error("{id} has lapsed: nobody decided in time, so it has to be asked for again")]
    TooLate {
        /// The request.
        id: RequestId,
    },
    /// The operator has put one of its domains on the deny list since it was asked for.
    #[error("{id} can't be approved any more: {reason}")]
    Denied {
        /// The request.
        id: RequestId,
        /// Which domain, and which entry.
        reason: PatternError,
    },
    /// Only the requester may do this.
    #[error("{by} has not asked for {id}: only the requester can withdraw it")]
    NotTheRequester {
        /// Who.
        by: String,
        /// The request.
        id: RequestId,
    },
    /// The deadline lies in the future, or there is none.
    #[error("{id} has no deadline that has passed")]
    NotDue {
        /// The request.
        id: RequestId,
    },
    /// An event could not be written as JSON.
    #[error("the event could not be written: {0}")]
    Event(String),
}

/// A new request: refused, waiting for an approver, or approved at once because presets cover it.
pub fn open(asked: &DomainRequested, config: &Config, now: Timestamp) -> Result<Transition, NotAllowed> {
    let id = RequestId::of_message(&asked.message_key);
    let (domains, refused_domains, problem) = judge_domains(asked, config);
    let duration = asked.duration_seconds.unwrap_or(config.durations.default.as_secs());
    let problem = problem.or_else(|| {
        let longest = config.durations.longest;
        (duration > longest.as_secs())
            .then(|| format!("a grant lasts at most {}", humantime::format_duration(longest)))
    });
    let covered = domains.iter().all(|pattern| config.is_preset(pattern));
    let (state, by, comment) = match problem {
        Some(problem) => (StateName::Refused, actor::POLICY, Some(problem)),
        None if covered => {
            (StateName::Approved, actor::POLICY, Some("presets cover every domain of it".to_owned()))
        }
        None => (StateName::Pending, asked.requester.as_str(), None),
    };
    let request = Request {
        id,
        version: 1,
        state,
        ending: None,
        requester: asked.requester.clone(),
        domains,
        refused_domains,
        preset: asked.preset.clone(),
        justification: asked.justification.clone(),
        ticket: asked.ticket.clone(),
        duration_seconds: duration,
        requested_at: now,
        lapses_at: after(now, config.durations.pending.as_secs()),
        approvals: Vec::new(),
        ends_at: (state == StateName::Approved).then(|| after(now, duration)),
    };
    let mut transition = transition(None, request, by, comment, now)?;
    transition.message_key = Some(asked.message_key.clone());
    Ok(transition)
}

/// What a command does to a request.
pub fn apply(
    request: &Request,
    command: &Command,
    config: &Config,
    now: Timestamp,
) -> Result<Transition, NotAllowed> {
    use StateName::{Active, Approved, Pending};
    let mut next = Request { version: request.version + 1, ..request.clone() };
    let (by, comment) = match (request.state, command) {
        (Pending, Command::Approve { by, comment }) => {
            may_decide(request, by, command, config)?;
            may_still_be_granted(request, config, now)?;
            if request.approvals.iter().any(|approval| same_person(&approval.by, by)) {
                return Err(NotAllowed::ApprovedAlready { by: by.clone(), id: request.id.clone() });
            }
            next.approvals.push(Approval { by: by.clone(), at: now });
            if next.approvals.len() >= config.approval.needed {
                next.state = Approved;
                next.ends_at = Some(after(now, request.duration_seconds));
            }
            (by.as_str(), comment.clone())
        }
        (Pending, Command::Deny { by, comment }) => {
            may_decide(request, by, command, config)?;
            next.state = StateName::Denied;
            (by.as_str(), comment.clone())
        }
        (Pending, Command::Withdraw { by }) => {
            if !same_person(by, &request.requester) {
                return Err(NotAllowed::NotTheRequester { by: by.clone(), id: request.id.clone() });
            }
            next.state = StateName::Withdrawn;
            (by.as_str(), None)
        }
        (Pending, Command::Due) if request.lapses_at <= now => {
            next.state = StateName::Lapsed;
            (actor::CLOCK, Some("nobody decided in time".to_owned()))
        }
        (Approved, Command::InSync) => {
            next.state = Active;
            (actor::FIREWALL, None)
        }
        (Approved | Active, Command::Revoke { by, reason }) => {
            // To close is no privilege: the requester may, too.
            if !same_person(by, &request.requester) {
                is_approver(request, by, command, config)?;
            }
            next.state = StateName::Ended;
            next.ending = Some(Ending::Revoked);
            (by.as_str(), Some(reason.clone()))
        }
        (Approved | Active, Command::Due) if request.ends_at.is_some_and(|ends_at| ends_at <= now) => {
            next.state = StateName::Ended;
            next.ending = Some(Ending::Expired);
            (actor::CLOCK, None)
        }
        (Pending | Approved | Active, Command::Due) => {
            return Err(NotAllowed::NotDue { id: request.id.clone() });
        }
        (state, command) => {
            return Err(NotAllowed::State { id: request.id.clone(), state, command: command.participle() });
        }
    };
    transition(Some(request), next, by, comment, now)
}

/// The domains that are meant, those that can't be granted, and why the request can't be taken.
fn judge_domains(
    asked: &DomainRequested,
    config: &Config,
) -> (Vec<DomainPattern>, Vec<RefusedDomain>, Option<String>) {
    if let Some(name) = &asked.preset {
        let Some(preset) = config.presets.get(name) else {
            let known = config.presets.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            let problem = format!("there is no preset of that name; there are: {known}");
            return (Vec::new(), Vec::new(), Some(problem));
        };
        return (preset.domains.clone(), Vec::new(), None);
    }
    let (mut domains, mut refused) = (Vec::new(), Vec::new());
    for text in &asked.domains {
        match DomainPattern::requested(text, &config.denied_domains) {
            Ok(pattern) if domains.contains(&pattern) => {}
            Ok(pattern) => domains.push(pattern),
            Err(reason) => {
                let text = text.chars().take(253).collect();
                refused.push(RefusedDomain { text, reason: reason.to_string() });
            }
        }
    }
    let reasons: Vec<&str> = refused.iter().map(|domain| domain.reason.as_str()).collect();
    let problem = match reasons.as_slice() {
        [] if domains.is_empty() => Some("no domain is asked for".to_owned()),
        [] => None,
        reasons => Some(reasons.join("; ")),
    };
    (domains, refused, problem)
}

fn is_approver(request: &Request, by: &str, command: &Command, config: &Config) -> Result<(), NotAllowed> {
    if config.approval.approvers.iter().any(|approver| same_person(approver, by)) {
        return Ok(());
    }
    Err(NotAllowed::NotAnApprover {
        by: by.to_owned(),
        id: request.id.clone(),
        command: command.participle(),
    })
}

fn may_decide(request: &Request, by: &str, command: &Command, config: &Config) -> Result<(), NotAllowed> {
    is_approver(request, by, command, config)?;
    if same_person(by, &request.requester) {
        return Err(NotAllowed::OwnRequest { by: by.to_owned(), id: request.id.clone() });
    }
    Ok(())
}

/// What was true when it was asked may not be any more: nobody decided in time, or the operator has denied
/// a domain since.
fn may_still_be_granted(request: &Request, config: &Config, now: Timestamp) -> Result<(), NotAllowed> {
    if request.lapses_at <= now {
        return Err(NotAllowed::TooLate { id: request.id.clone() });
    }
    let denied =
        request.domains.iter().find_map(|pattern| pattern.check_against(&config.denied_domains).err());
    match denied {
        Some(reason) => Err(NotAllowed::Denied { id: request.id.clone(), reason }),
        None => Ok(()),
    }
}

/// Mail addresses and ids come in whatever case a chat or a directory has them. Nobody becomes another
/// person by it, and so approves an own request, or counts twice.
fn same_person(one: &str, other: &str) -> bool {
    one.trim().to_lowercase() == other.trim().to_lowercase()
}

/// All that is written when `request` takes the place of what was before.
fn transition(
    before: Option<&Request>,
    request: Request,
    by: &str,
    comment: Option<String>,
    now: Timestamp,
) -> Result<Transition, NotAllowed> {
    let from = before.map(|request| request.state);
    let event = RequestStateChanged {
        version: events::VERSION,
        event_id: format!("{}.{}", request.id, request.version),
        from,
        to: request.state,
        ending: request.ending,
        at: now,
        by: by.to_owned(),
        comment: comment.clone(),
        request: request.clone(),
    };
    let event_id = event.event_id.clone();
    let event = Event::new(events::source::REQUESTS, "RequestStateChanged", &event)
        .map_err(|cause| NotAllowed::Event(cause.to_string()))?;
    Ok(Transition {
        history: HistoryEntry {
            version: request.version,
            at: now,
            by: by.to_owned(),
            from,
            to: request.state,
            comment,
        },
        live: live_grant(&request),
        deadline_before: before.and_then(deadline),
        deadline: deadline(&request),
        outbox: vec![OutboxEntry { id: event_id, at: now, event }],
        message_key: None,
        request,
    })
}

/// The grant of a request that is live.
fn live_grant(request: &Request) -> Option<LiveGrant> {
    let ends_at = request.ends_at.filter(|_| request.state.is_live())?;
    Some(LiveGrant {
        request_id: request.id.clone(),
        domains: request.domains.clone(),
        ends_at,
        active: request.state == StateName::Active,
    })
}

/// When something has to be done about a request.
pub fn deadline(request: &Request) -> Option<Timestamp> {
    match request.state {
        StateName::Pending => Some(request.lapses_at),
        state if state.is_live() => request.ends_at,
        _ => None,
    }
}

/// `seconds` after `start`, at most the end of time.
fn after(start: Timestamp, seconds: u64) -> Timestamp {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    start.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}
