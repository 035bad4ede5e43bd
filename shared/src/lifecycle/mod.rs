//! What each command does to a request: pure functions from what is, the command and the time to a
//! [`Transition`], or to the reason why not.
//!
//! `pending → approved → active → ended (expired | revoked | superseded)`; `pending → denied | lapsed |
//! withdrawn`; `refused` at once where a rule forbids it. An extension is a request of its own; once it is
//! active, it takes the place of the grant that it extends.
//!
//! Who may do what is the policy's to say, with one exception that no policy can lift: nobody decides about
//! an own request, and nobody counts twice.

mod draft;
mod not_allowed;
mod transition;

use jiff::{SignedDuration, Timestamp};

use crate::config::{Config, ConfigError, same_spelling};
use crate::ledger::Transition;
use crate::policy::{Action, Policy, PolicyError, Verdict};
use crate::request::{Approval, Ending, Request, RequestId, StateName};

pub use draft::{Draft, draft, draft_extension};
pub use not_allowed::NotAllowed;
pub use transition::{Author, answer, deadline};

use transition::{Also, Step, transition};

/// Who causes what no person does.
mod actor {
    pub(super) const POLICY: &str = "policy";
    pub(super) const CLOCK: &str = "clock";
    pub(super) const FIREWALL: &str = "firewall";
}

/// What the operator decides: `egress.toml` and `policy.cedar`.
#[derive(Debug, Clone)]
pub struct Rulebook {
    /// Groups, presets, durations, lists.
    pub config: Config,
    /// Who may do what.
    pub policy: Policy,
}

/// Why what the operator decides can't be used.
#[derive(Debug, thiserror::Error)]
pub enum RulebookError {
    /// `egress.toml`.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// `policy.cedar`, or both together.
    #[error(transparent)]
    Policy(#[from] PolicyError),
}

impl Rulebook {
    /// Reads both from where the function lies, and holds them against each other.
    pub fn from_env() -> Result<Self, RulebookError> {
        let (config, policy) = (Config::from_env()?, Policy::from_env()?);
        policy.check(&config)?;
        Ok(Self { config, policy })
    }
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
    /// Somebody ends the grant.
    Revoke {
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// Its extension is active, and takes its place.
    Supersede {
        /// The extension.
        by: RequestId,
        /// When that ends.
        until: Timestamp,
    },
    /// Its rules are in sync in every availability zone.
    InSync,
    /// Its rules don't fit into the firewall.
    Wait {
        /// Why, how much is missing, and what to do: sentences.
        reason: String,
        /// Whether it was active when that was found. Who has become active since stands by now.
        stood: bool,
    },
    /// What it should extend was revoked before it could take its place.
    EndWith {
        /// The request that was revoked.
        original: RequestId,
    },
    /// The firewall has logged a use of it.
    Use {
        /// When.
        at: Timestamp,
        /// To which host.
        host: String,
        /// From which address.
        source: String,
    },
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
            Self::Revoke { .. } | Self::EndWith { .. } => "revoked",
            Self::Supersede { .. } => "superseded",
            Self::InSync => "activated",
            Self::Wait { .. } => "kept waiting",
            Self::Use { .. } => "used",
            Self::Due => "ended",
        }
    }
}

/// What a command does to a request.
pub fn apply(
    request: &Request,
    command: &Command,
    rulebook: &Rulebook,
    now: Timestamp,
) -> Result<Transition, NotAllowed> {
    use StateName::{Active, Approved, Pending};
    let next = Request { version: request.version + 1, ..request.clone() };
    let step = match (request.state, command) {
        (Pending, Command::Approve { by, comment }) => {
            approve(next, command, Said { by, comment: comment.clone() }, rulebook, now)?
        }
        (Pending, Command::Deny { by, comment }) => {
            not_own(request, by)?;
            permitted(request, by, command, Action::Deny, rulebook)?;
            closed(next, StateName::Denied).by(by, "denied", comment.clone())
        }
        (Pending, Command::Withdraw { by }) => {
            permitted(request, by, command, Action::Withdraw, rulebook)?;
            closed(next, StateName::Withdrawn).by(by, "withdrawn", None)
        }
        (Pending, Command::Due) => due_while_pending(next, rulebook, now)?,
        (Approved | Active, Command::Revoke { by, reason }) => {
            permitted(request, by, command, Action::Revoke, rulebook)?;
            ended(next, Ending::Revoked).by(by, "revoked", Some(reason.clone()))
        }
        (Approved | Active, Command::Supersede { by, until }) => superseded(next, by, *until)?,
        (Approved | Active, Command::Due) => {
            if request.ends_at.is_none_or(|ends_at| ends_at > now) {
                return Err(NotAllowed::NotDue { id: request.id.clone() });
            }
            ended(next, Ending::Expired).by(actor::CLOCK, "expired", None)
        }
        (Approved, Command::InSync) => Step::to(Request { state: Active, waits_for: None, ..next }).by(
            actor::FIREWALL,
            "activated",
            None,
        ),
        (Approved | Active, Command::Wait { reason, stood }) => kept_waiting(next, reason, *stood)?,
        (Approved | Active, Command::EndWith { original }) => {
            let comment = format!("what it extended, {original}, was revoked");
            ended(next, Ending::Revoked).by(actor::FIREWALL, "revoked", Some(comment))
        }
        (Approved | Active, Command::Use { at, host, source }) => {
            let also = Also::FirstUsed { at: *at, host: host.clone(), source: source.clone() };
            used(next, *at, also)?
        }
        (state, command) => {
            let (id, command) = (request.id.clone(), command.participle());
            if let Some(by) = request.superseded_by.clone() {
                return Err(NotAllowed::Superseded { id, by, command });
            }
            return Err(NotAllowed::State { id, state, command });
        }
    };
    transition(Some(request), step, now)
}

/// Who said what.
struct Said<'a> {
    by: &'a str,
    comment: Option<String>,
}

/// One more yes; with the last one that is needed, the grant.
fn approve(
    mut next: Request,
    command: &Command,
    said: Said<'_>,
    rulebook: &Rulebook,
    now: Timestamp,
) -> Result<Step, NotAllowed> {
    not_own(&next, said.by)?;
    may_still_be_granted(&next, rulebook, now)?;
    if next.approvals.iter().any(|approval| same_person(&approval.by, said.by)) {
        return Err(NotAllowed::ApprovedAlready { by: said.by.to_owned(), id: next.id });
    }
    permitted(&next, said.by, command, Action::Approve, rulebook)?;
    // Who said yes and may not any more doesn't count any more.
    let earlier = std::mem::take(&mut next.approvals);
    let (asked, approve) = (next.clone(), Action::Approve);
    let still_may = |approval: &Approval| permitted(&asked, &approval.by, command, approve, rulebook).is_ok();
    next.approvals = earlier.into_iter().filter(still_may).collect();
    let Some(needed) = rulebook.policy.approvals_needed(&next, &rulebook.config) else {
        return Err(NotAllowed::NeverEnough { id: next.id });
    };
    next.approvals_needed = needed;
    next.approvals.push(Approval { by: said.by.to_owned(), at: now, comment: said.comment.clone() });
    if next.approvals.len() >= needed {
        grant(&mut next, now);
    }
    Ok(Step::to(next).by(said.by, "approved", said.comment))
}

/// The grant begins.
fn grant(request: &mut Request, now: Timestamp) {
    request.state = StateName::Approved;
    request.remind_at = None;
    request.approved_at = Some(now);
    request.ends_at = Some(after(now, request.duration_seconds));
}

/// Nobody decides about it any more.
fn closed(next: Request, state: StateName) -> Step {
    Step::to(Request { state, remind_at: None, ..next })
}

/// The grant is over.
fn ended(next: Request, ending: Ending) -> Step {
    Step::to(Request { state: StateName::Ended, ending: Some(ending), waits_for: None, ..next })
}

fn superseded(next: Request, by: &RequestId, until: Timestamp) -> Result<Step, NotAllowed> {
    if let Some(ends_at) = next.ends_at.filter(|ends_at| *ends_at > until) {
        return Err(NotAllowed::LastsLonger { id: next.id, until: ends_at });
    }
    let comment = format!("extended by {by} until {until}");
    let step = ended(Request { superseded_by: Some(by.clone()), ..next }, Ending::Superseded);
    Ok(step.by(actor::FIREWALL, "superseded", Some(comment)))
}

/// Told once as long as it waits. What hands have taken out, and filled its room, is not active any more.
fn kept_waiting(next: Request, reason: &str, stood: bool) -> Result<Step, NotAllowed> {
    if next.waits_for.is_some() || (next.state == StateName::Active && !stood) {
        return Err(NotAllowed::NothingNew { id: next.id, command: "kept waiting" });
    }
    let also = Also::Waits { stood };
    let next = Request { state: StateName::Approved, waits_for: Some(reason.to_owned()), ..next };
    Ok(Step::to(next).by(actor::FIREWALL, "kept waiting", Some(reason.to_owned())).instead(also))
}

fn used(next: Request, at: Timestamp, also: Also) -> Result<Step, NotAllowed> {
    if next.first_used_at.is_some() {
        return Err(NotAllowed::NothingNew { id: next.id, command: "used" });
    }
    let next = Request { first_used_at: Some(at), ..next };
    Ok(Step::to(next).by(actor::FIREWALL, "used", None).instead(also))
}

/// It lapses, or the approvers are reminded of it.
fn due_while_pending(mut next: Request, rulebook: &Rulebook, now: Timestamp) -> Result<Step, NotAllowed> {
    if next.lapses_at <= now {
        let comment = Some("nobody decided in time".to_owned());
        return Ok(closed(next, StateName::Lapsed).by(actor::CLOCK, "lapsed", comment));
    }
    if next.remind_at.is_none_or(|remind_at| remind_at > now) {
        return Err(NotAllowed::NotDue { id: next.id });
    }
    // Reminders that nobody could send are not sent all at once.
    while next.remind_at.is_some_and(|remind_at| remind_at <= now) {
        next.reminders += 1;
        next.remind_at = remind_at(&next, &rulebook.config);
    }
    let approvers = rulebook.policy.approvers_of(&next, &rulebook.config);
    Ok(Step::to(next).by(actor::CLOCK, "reminded", None).instead(Also::DecisionAwaited { approvers }))
}

/// When the approvers are reminded next: each time after twice as long as before, and not once it has lapsed.
fn remind_at(request: &Request, config: &Config) -> Option<Timestamp> {
    let waits = 2_u64.saturating_pow(request.reminders + 1) - 1;
    let seconds = config.durations.reminder.as_secs().saturating_mul(waits);
    Some(after(request.requested_at, seconds)).filter(|remind_at| *remind_at < request.lapses_at)
}

/// Nobody decides about an own request, whatever the policy says.
fn not_own(request: &Request, by: &str) -> Result<(), NotAllowed> {
    if same_person(by, &request.requester) {
        return Err(NotAllowed::OwnRequest { by: by.to_owned(), id: request.id.clone() });
    }
    Ok(())
}

/// Whether the policy lets somebody do it.
fn permitted(
    request: &Request,
    by: &str,
    command: &Command,
    action: Action,
    rulebook: &Rulebook,
) -> Result<(), NotAllowed> {
    let (id, by, command) = (request.id.clone(), by.to_owned(), command.participle());
    match rulebook.policy.decide(&by, action, request, request.approvals.len(), &rulebook.config) {
        Verdict::Permitted => Ok(()),
        Verdict::Forbidden(reason) => Err(NotAllowed::Forbidden { by, id, command, reason }),
        Verdict::NotPermitted => Err(NotAllowed::NotPermitted { by, id, command }),
    }
}

/// What was true when it was asked may not be any more: nobody decided in time, or the operator has denied
/// a domain since.
fn may_still_be_granted(request: &Request, rulebook: &Rulebook, now: Timestamp) -> Result<(), NotAllowed> {
    if request.lapses_at <= now {
        return Err(NotAllowed::TooLate { id: request.id.clone() });
    }
    let denied_domains = &rulebook.config.denied_domains;
    let denied = request.domains.iter().find_map(|pattern| pattern.check_against(denied_domains).err());
    match denied {
        Some(reason) => Err(NotAllowed::Denied { id: request.id.clone(), reason }),
        None => Ok(()),
    }
}

fn same_person(one: &str, other: &str) -> bool {
    same_spelling(one) == same_spelling(other)
}

/// `seconds` after `start`, at most the end of time.
fn after(start: Timestamp, seconds: u64) -> Timestamp {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    start.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}
