//! Requests for domains: each event is decided by the rules of `egress`, written to the ledger in one
//! transaction, and then the firewall is brought to what the ledger says.
//!
//! Every step may be the last before a crash: what is written stays, the next delivery of the event
//! changes nothing twice, and the minute tick finishes what was begun.
//!
//! - [`handle`](Requests::handle): one event, from its reading to its answer.
//! - `commands`: what people, alerts and the firewall do to a request; `questions`: what people ask.
//! - `effect`: what a request would change, for those who decide.
//! - `settle`: the firewall is brought to the ledger; grants become active.
//! - `close`: a ticket was closed, and so its request is over.
//! - `extensions`: what takes another grant's place; `cut`: what ended grants have let through.
//! - `silence`: alerts rest.
//! - `tick`: what is due, and what others left behind.

mod close;
mod commands;
mod cut;
mod effect;
mod error;
mod extensions;
pub mod metrics;
mod questions;
mod refuse;
mod settle;
mod silence;
mod tick;
mod work;

use egress::bus::Bus;
use egress::events::{Decision, Incoming, Sender};
use egress::firewall::Firewall;
use egress::ledger::Ledger;
use egress::lifecycle::{Author, Command, Rulebook};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

pub use error::RequestsError;
pub use work::{Figures, Gauges, Outcome};

use work::{Work, all};

/// A command about a request that isn't there may have overtaken that request. When it is delivered again
/// after this time, it has not.
const OVERTAKEN: SignedDuration = SignedDuration::from_secs(90);

/// The function: its edges, what the operator decided, and where time and chance come from.
#[derive(Debug)]
pub struct Requests<F, L, B> {
    /// The firewall's grants groups.
    pub firewall: F,
    /// The store.
    pub ledger: L,
    /// The stack's bus.
    pub bus: B,
    /// The configuration and the policies.
    pub rulebook: Rulebook,
    /// The time.
    pub now: fn() -> Timestamp,
    /// Numbers from 0 to 1, for the pauses between attempts.
    pub jitter: fn() -> f64,
}

/// Whether the firewall has to be looked at after a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Firewalled {
    /// It is as it should be.
    Untouched,
    /// What it should let pass has changed, or nobody knows whether the last change came to its end.
    Concerned,
}

impl<F: Firewall, L: Ledger, B: Bus> Requests<F, L, B> {
    /// Works off one event of the bus or the clock. An error means that it should be delivered again.
    pub async fn handle(&self, event: Value) -> Result<Outcome, RequestsError> {
        self.handle_and_count(event).await.0
    }

    /// The same, with its figures: what failed has done something, too.
    pub async fn handle_and_count(&self, event: Value) -> (Result<Outcome, RequestsError>, Figures) {
        let mut work = Work::default();
        let done = self.work_through(event, &mut work).await;
        let figures = Figures { gauges: work.outcome.gauges, ..work.figures };
        (done.map(|()| work.outcome), figures)
    }

    async fn work_through(&self, event: Value, work: &mut Work) -> Result<(), RequestsError> {
        // Each in a box of its own: all in one future are large, and too deep for the compiler.
        let done = match Incoming::read(event.clone()) {
            Ok(Incoming::Tick) => return Box::pin(self.tick(work)).await,
            Ok(incoming) => Box::pin(self.act(incoming, &event, work)).await?,
            Err(error) => self.refuse(&event, &error.to_string(), error.field(), work).await?,
        };
        let settled = match done {
            Firewalled::Concerned => Box::pin(self.settle((self.now)(), work)).await,
            Firewalled::Untouched => Ok(()),
        };
        let published = self.publish(work).await;
        all([settled, published])
    }

    async fn act(
        &self,
        incoming: Incoming,
        event: &Value,
        work: &mut Work,
    ) -> Result<Firewalled, RequestsError> {
        let author = author(event);
        let now = (self.now)();
        let sent = egress::events::sent_at(event, now);
        let overtaking = sent.is_some_and(|sent| now.duration_since(sent) < OVERTAKEN);
        let (request_id, command) = match incoming {
            Incoming::Tick => return Ok(Firewalled::Concerned),
            Incoming::DomainRequested(asked) => return self.open(&asked, &author, work).await,
            Incoming::ExtensionRequested(asked) => {
                return self.extend(&asked, &author, overtaking, work).await;
            }
            Incoming::QuestionAsked(asked) => {
                self.answer_question(&asked.question, &author, work).await?;
                return Ok(Firewalled::Untouched);
            }
            Incoming::AlertsSilenced(asked) => return self.silence(&asked, &author, work).await,
            Incoming::GrantUsed(used) => {
                let command = Command::Use { at: used.at, host: used.host, source: used.source };
                if self.system_command(&used.request_id, &command, work).await?.is_none() {
                    let reason = format!("request_id: there is no request {}", used.request_id);
                    return self.refuse(event, &reason, Some("request_id".to_owned()), work).await;
                }
                return Ok(Firewalled::Untouched);
            }
            Incoming::RequestDecided(decided) => {
                let (by, comment) = (decided.approver, decided.comment);
                let command = match decided.decision {
                    Decision::Approve => Command::Approve { by, comment },
                    Decision::Deny => Command::Deny { by, comment },
                };
                (decided.request_id, command)
            }
            Incoming::GrantRevoked(revoked) => {
                (revoked.request_id, Command::Revoke { by: revoked.by, reason: revoked.reason })
            }
            Incoming::TicketClosed(closed) => {
                return self.close(&closed, &author, overtaking, work).await;
            }
            Incoming::RequestWithdrawn(withdrawn) => {
                (withdrawn.request_id, Command::Withdraw { by: withdrawn.by })
            }
        };
        self.command(&request_id, &command, &author, overtaking, work).await
    }
}

/// Who gave the command, or asked the question. What was read of the event is there.
fn author(event: &Value) -> Author {
    let Sender { message_key, by, reply_to } = Sender::of(event);
    Author { message_key: message_key.unwrap_or_default(), by: by.unwrap_or_default(), reply_to }
}
