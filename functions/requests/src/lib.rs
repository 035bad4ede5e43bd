//! Requests for domains: each event is decided by the rules of `egress`, written to the ledger in one
//! transaction, and then the firewall is brought to what the ledger says.
//!
//! Every step may be the last before a crash: what is written stays, the next delivery of the event
//! changes nothing twice, and the minute tick finishes what was begun.

mod error;

use std::time::Duration;

use egress::bus::{Bus, BusError, Event};
use egress::config::Config;
use egress::events::{Decision, DomainRequested, Intake};
use egress::firewall::Firewall;
use egress::ledger::{Deadline, Ledger, LedgerError, OutboxEntry, Transition};
use egress::lifecycle::{self, Command, NotAllowed};
use egress::reconcile::{Reconciled, reconcile, wait_in_sync};
use egress::request::RequestId;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

pub use error::RequestsError;

/// How often a command is decided again because the request has changed in between.
const MOST_DECISIONS: u32 = 8;
/// How long an invocation waits for every availability zone to be in sync. What takes longer is finished
/// by the tick.
const SYNC_LIMIT: Duration = Duration::from_secs(20);
/// Events that are older than this were left by an invocation that didn't come to its end.
const LEFT_BEHIND: SignedDuration = SignedDuration::from_secs(60);

/// The function: its edges, what the operator decided, and where time and chance come from.
#[derive(Debug)]
pub struct Requests<F, L, B> {
    /// The firewall's grants group.
    pub firewall: F,
    /// The store.
    pub ledger: L,
    /// The stack's bus.
    pub bus: B,
    /// The configuration.
    pub config: Config,
    /// The time.
    pub now: fn() -> Timestamp,
    /// Numbers from 0 to 1, for the pauses between attempts.
    pub jitter: fn() -> f64,
}

/// What one event led to, for the log and for the answer to a direct invocation.
#[derive(Debug, Default, serde::Serialize)]
pub struct Outcome {
    /// The transitions that were written, as `req-… pending`.
    pub transitions: Vec<String>,
    /// What was not allowed, in the rule's own words.
    pub not_allowed: Vec<String>,
    /// What is granted and can't stand in the rule group, and why.
    pub unplaced: Vec<String>,
    /// Whether the firewall's rule group was written.
    pub rule_group_changed: bool,
}

impl<F: Firewall, L: Ledger, B: Bus> Requests<F, L, B> {
    /// Works off one event of the bus or the clock. An error means that it should be delivered again.
    pub async fn handle(&self, event: Value) -> Result<Outcome, RequestsError> {
        let mut work = Work::default();
        let settles = match Intake::read(event)? {
            Intake::DomainRequested(asked) => self.open(&asked, &mut work).await?,
            Intake::RequestDecided(decided) => {
                let (by, comment) = (decided.approver, decided.comment);
                let command = match decided.decision {
                    Decision::Approve => Command::Approve { by, comment },
                    Decision::Deny => Command::Deny { by, comment },
                };
                self.command(&decided.request_id, &command, Some(decided.message_key), &mut work).await?
            }
            Intake::GrantRevoked(revoked) => {
                let command = Command::Revoke { by: revoked.by, reason: revoked.reason };
                self.command(&revoked.request_id, &command, Some(revoked.message_key), &mut work).await?
            }
            Intake::RequestWithdrawn(withdrawn) => {
                let command = Command::Withdraw { by: withdrawn.by };
                self.command(&withdrawn.request_id, &command, Some(withdrawn.message_key), &mut work).await?
            }
            Intake::Tick => return self.tick(work).await,
        };
        let settled = if settles { self.settle((self.now)(), &mut work).await } else { Ok(()) };
        let published = self.publish(&mut work).await;
        all([settled, published])?;
        Ok(work.outcome)
    }

    /// Closes what has come to its end, writes that down, and finishes what others left behind. Nothing that
    /// fails here holds up the rest; the firewall comes first, which needs no transition for what the clock
    /// has ended.
    async fn tick(&self, mut work: Work) -> Result<Outcome, RequestsError> {
        let now = (self.now)();
        let settled = self.settle(now, &mut work).await;
        let ended = self.work_off_deadlines(now, &mut work).await;
        let left = self.ledger.outbox(now - LEFT_BEHIND).await;
        let left = left.map(|entries| work.add_unpublished(entries)).map_err(RequestsError::from);
        let published = self.publish(&mut work).await;
        all([settled, ended, left, published])?;
        Ok(work.outcome)
    }

    /// A new request. Answers whether the firewall has to be looked at.
    async fn open(&self, asked: &DomainRequested, work: &mut Work) -> Result<bool, RequestsError> {
        let transition = lifecycle::open(asked, &self.config, (self.now)())?;
        for _ in 0..MOST_DECISIONS {
            match self.ledger.commit(&transition).await {
                Ok(()) => return Ok(work.done(transition)),
                Err(LedgerError::Duplicate) => return Ok(repeated(&transition.request.id)),
                // Another delivery of the same message is at it, and may still fail; or it was done long
                // ago. What is there tells.
                Err(LedgerError::Conflict) => {
                    if self.ledger.load(&transition.request.id).await?.is_some() {
                        return Ok(repeated(&transition.request.id));
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(LedgerError::Conflict.into())
    }

    /// Reads, decides and writes until nobody has written in between. Answers whether the firewall has to
    /// be looked at. What isn't allowed is an answer, not an error: another delivery would not change it.
    async fn command(
        &self,
        id: &RequestId,
        command: &Command,
        message_key: Option<String>,
        work: &mut Work,
    ) -> Result<bool, RequestsError> {
        for _ in 0..MOST_DECISIONS {
            let Some(request) = self.ledger.load(id).await? else {
                return Err(RequestsError::NoSuchRequest(id.clone()));
            };
            let mut transition = match lifecycle::apply(&request, command, &self.config, (self.now)()) {
                Ok(transition) => transition,
                Err(NotAllowed::Event(cause)) => return Err(NotAllowed::Event(cause).into()),
                Err(refusal) => return self.not_allowed(&refusal, id, message_key.as_deref(), work).await,
            };
            transition.message_key.clone_from(&message_key);
            match self.ledger.commit(&transition).await {
                Ok(()) => return Ok(work.done(transition)),
                Err(LedgerError::Duplicate) => return Ok(repeated(id)),
                Err(LedgerError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(LedgerError::Conflict.into())
    }

    /// A refusal, unless it comes of what this very message has done before. It is none that the clock or
    /// the firewall come too late.
    async fn not_allowed(
        &self,
        refusal: &NotAllowed,
        id: &RequestId,
        message_key: Option<&str>,
        work: &mut Work,
    ) -> Result<bool, RequestsError> {
        let Some(message_key) = message_key else { return Ok(false) };
        if self.ledger.acted_on(message_key).await? {
            return Ok(repeated(id));
        }
        tracing::warn!(%refusal, "not allowed");
        work.outcome.not_allowed.push(refusal.to_string());
        Ok(false)
    }

    /// Ends what has come to its end. One request that can't be ended doesn't keep the others.
    async fn work_off_deadlines(&self, now: Timestamp, work: &mut Work) -> Result<(), RequestsError> {
        let mut failed = Ok(());
        loop {
            let (due, mut worked_off) = (self.ledger.due(now).await?, 0);
            for deadline in &due {
                match self.work_off(deadline, work).await {
                    Ok(done) => worked_off += u32::from(done),
                    Err(error) => {
                        tracing::error!(%error, request_id = %deadline.request_id, "a deadline was not worked off");
                        failed = failed.and(Err(error));
                    }
                }
            }
            if worked_off == 0 {
                return failed;
            }
        }
    }

    /// Answers whether there was something to do.
    async fn work_off(&self, deadline: &Deadline, work: &mut Work) -> Result<bool, RequestsError> {
        let Deadline { at, request_id } = deadline;
        let before = work.outcome.transitions.len();
        self.command(request_id, &Command::Due, None, work).await?;
        if work.outcome.transitions.len() > before {
            return Ok(true);
        }
        let request = self.ledger.load(request_id).await?;
        if request.as_ref().and_then(lifecycle::deadline) == Some(*at) {
            // It holds, and lies ahead: the clock was set back after the deadlines were read.
            return Ok(false);
        }
        // It was ended or decided otherwise, and its deadline was left behind.
        self.ledger.clear_deadline(deadline).await?;
        Ok(true)
    }

    /// Brings the firewall to what the ledger says, and says `active` of what is in sync everywhere.
    async fn settle(&self, now: Timestamp, work: &mut Work) -> Result<(), RequestsError> {
        let mut reconciled = reconcile(&self.firewall, &self.ledger, now, self.jitter).await?;
        for (domain, reason) in &reconciled.unplaced {
            tracing::error!(%domain, reason, "a granted domain can't stand in the rule group");
            work.outcome.unplaced.push(format!("{domain}: {reason}"));
        }
        work.outcome.rule_group_changed = !reconciled.told.is_empty();
        work.add_unpublished(std::mem::take(&mut reconciled.told));
        // What has happened is told before the wait.
        let published = self.publish(work).await;
        let activated = self.activate(&reconciled, work).await;
        all([published, activated])
    }

    async fn activate(&self, reconciled: &Reconciled, work: &mut Work) -> Result<(), RequestsError> {
        if reconciled.waiting().next().is_none() {
            return Ok(());
        }
        if !wait_in_sync(&self.firewall, &reconciled.token, SYNC_LIMIT).await? {
            tracing::warn!("the firewall is not in sync yet: the next tick looks again");
            return Ok(());
        }
        let mut failed = Ok(());
        for grant in reconciled.waiting() {
            if let Err(error) = self.command(&grant.request_id, &Command::InSync, None, work).await {
                tracing::error!(%error, request_id = %grant.request_id, "a grant in sync was not made active");
                failed = failed.and(Err(error));
            }
        }
        failed
    }

    /// Publishes what this invocation has written, and what others left behind.
    async fn publish(&self, work: &mut Work) -> Result<(), RequestsError> {
        let entries = std::mem::take(&mut work.unpublished);
        if entries.is_empty() {
            return Ok(());
        }
        let events: Vec<Event> = entries.iter().map(|entry| entry.event.clone()).collect();
        let answer = self.bus.publish(&events).await;
        let told: Vec<OutboxEntry> = match &answer {
            Ok(()) => entries,
            Err(BusError::Partly { failed, .. }) => {
                let told = entries.into_iter().enumerate().filter(|(place, _)| !failed.contains(place));
                told.map(|(_, entry)| entry).collect()
            }
            Err(BusError::Unavailable(_)) => Vec::new(),
        };
        if !told.is_empty() {
            self.ledger.published(&told).await?;
        }
        Ok(answer?)
    }
}

/// What one invocation has done, and has still to say.
#[derive(Debug, Default)]
struct Work {
    outcome: Outcome,
    unpublished: Vec<OutboxEntry>,
}

impl Work {
    /// What others left behind; not again what this invocation wrote and could not publish yet.
    fn add_unpublished(&mut self, entries: Vec<OutboxEntry>) {
        for entry in entries {
            if !self.unpublished.iter().any(|known| known.id == entry.id) {
                self.unpublished.push(entry);
            }
        }
    }

    /// A transition was written. Answers whether it concerns the firewall.
    fn done(&mut self, transition: Transition) -> bool {
        let Transition { request, history, outbox, .. } = transition;
        tracing::info!(request_id = %request.id, from = ?history.from, to = %history.to, by = history.by, "transition");
        self.outcome.transitions.push(format!("{} {}", request.id, request.state));
        self.unpublished.extend(outbox);
        let was_live = history.from.is_some_and(egress::request::StateName::is_live);
        was_live != request.state.is_live()
    }
}

/// The message had done its work before; whether that came to its end nobody knows, so the firewall is
/// looked at.
fn repeated(id: &RequestId) -> bool {
    tracing::info!(request_id = %id, "the message has been acted on already");
    true
}

/// The first error; the others stand in the log.
fn all<const N: usize>(results: [Result<(), RequestsError>; N]) -> Result<(), RequestsError> {
    let mut first = Ok(());
    for error in results.into_iter().filter_map(Result::err) {
        if first.is_ok() {
            first = Err(error);
        } else {
            tracing::error!(%error, "another error of the same event");
        }
    }
    first
}
