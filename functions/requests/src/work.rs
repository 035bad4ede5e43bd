//! What one invocation has done, and has still to say.

use std::collections::BTreeMap;

use egress::bus::{Bus, BusError, Event};
use egress::firewall::Firewall;
use egress::ledger::{Ledger, OutboxEntry, Transition};
use egress::reconcile::Reconciled;
use egress::request::{Request, StateName};
use jiff::Timestamp;

use crate::{Firewalled, Requests, RequestsError};

/// What one event led to, for the log and for the answer to a direct invocation.
#[derive(Debug, Default, serde::Serialize)]
pub struct Outcome {
    /// The transitions that were written, as `req-… pending`.
    pub transitions: Vec<String>,
    /// What was not allowed, in the rule's own words.
    pub not_allowed: Vec<String>,
    /// Why the event was not taken.
    pub refused: Option<String>,
    /// What is granted and can't stand in the rule groups, and why.
    pub unplaced: Vec<String>,
    /// The requests whose open connections were cut.
    pub cut: Vec<String>,
    /// Whether a rule group of the firewall was written.
    pub rule_group_changed: bool,
    /// How things stand, where the firewall was looked at.
    pub gauges: Option<Gauges>,
}

/// How things stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Gauges {
    /// Grants that the firewall should let pass.
    pub live_grants: usize,
    /// Those of them that don't fit into it.
    pub waiting_grants: usize,
    /// Rules, or entries of a domain list, that its grants groups have room for.
    pub capacity_left: u64,
}

/// What came of an invocation, in figures; of one that failed, too.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Figures {
    /// How things stand, where the firewall was looked at.
    pub gauges: Option<Gauges>,
    /// How many requests came into each state.
    pub reached: BTreeMap<StateName, u64>,
    /// Of each grant that became active, the milliseconds from its approval on: until every availability zone was
    /// in sync. What became active again after a hand edit counts from its approval, too.
    pub milliseconds_to_active: Vec<u64>,
}

impl Figures {
    /// A request came into its state then.
    fn add(&mut self, request: &Request, at: Timestamp) {
        *self.reached.entry(request.state).or_default() += 1;
        if let (StateName::Active, Some(approved_at)) = (request.state, request.approved_at) {
            let took = u64::try_from(at.duration_since(approved_at).as_millis()).unwrap_or(0);
            self.milliseconds_to_active.push(took);
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Work {
    pub(crate) outcome: Outcome,
    pub(crate) figures: Figures,
    pub(crate) unpublished: Vec<OutboxEntry>,
    /// Whether a grant has ended, whose connections are to be cut.
    pub(crate) cuts: bool,
    /// Whether an extension has become active, which takes another grant's place.
    pub(crate) extended: bool,
    /// What stood in the firewall when it was last brought to the ledger.
    pub(crate) reconciled: Option<Reconciled>,
}

impl Work {
    /// What others left behind; not again what this invocation wrote and could not publish yet.
    pub(crate) fn add_unpublished(&mut self, entries: Vec<OutboxEntry>) {
        for entry in entries {
            if !self.unpublished.iter().any(|known| known.id == entry.id) {
                self.unpublished.push(entry);
            }
        }
    }

    /// A transition was written.
    pub(crate) fn done(&mut self, transition: Transition) -> Firewalled {
        let Transition { request, history, outbox, cut, .. } = transition;
        tracing::info!(request_id = %request.id, what = history.what, from = history.from.map(tracing::field::display), to = %history.to, by = history.by, "transition");
        self.outcome.transitions.push(format!("{} {}", request.id, request.state));
        if history.from != Some(request.state) {
            self.figures.add(&request, history.at);
        }
        self.unpublished.extend(outbox);
        self.cuts |= cut;
        let was_live = history.from.is_some_and(StateName::is_live);
        if was_live == request.state.is_live() { Firewalled::Untouched } else { Firewalled::Concerned }
    }
}

impl<F: Firewall, L: Ledger, B: Bus> Requests<F, L, B> {
    /// Publishes what this invocation has written, and what others left behind.
    pub(crate) async fn publish(&self, work: &mut Work) -> Result<(), RequestsError> {
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

/// The first error; the others stand in the log.
pub(crate) fn all<const N: usize>(results: [Result<(), RequestsError>; N]) -> Result<(), RequestsError> {
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
