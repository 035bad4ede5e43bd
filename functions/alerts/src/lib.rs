//! The firewall's alert log becomes alerts about blocked traffic, and evidence of what grants let pass: one
//! `TrafficBlocked` for a source and a destination in a window, with what to ask for; one `GrantUsed` for the
//! first use of a grant, and all of its uses counted.
//!
//! - [`batch`]: what CloudWatch Logs delivers, unpacked within bounds.
//! - [`record`]: one line of the log; all shapes that firewalls write.
//! - [`tally`]: the lines of a batch counted, and those that can't be read kept.
//! - [`blocked`]: records become connections, connections become one entry a source, destination and window.
//! - [`uses`]: what grants let pass, one entry a grant.
//! - [`windows`]: who tells about a window; [`evidence`]: how uses are counted once; [`dynamodb`]: where both
//!   stand.
//! - [`alert`]: what is told.

pub mod alert;
pub mod batch;
pub mod blocked;
pub mod dynamodb;
mod eve;
pub mod evidence;
mod lenient;
pub mod record;
pub mod tally;
pub mod uses;
pub mod windows;

use egress::bus::{Bus, BusError, Event};
use egress::config::Config;
use egress::events::source;
use jiff::Timestamp;
use lambda_runtime::Diagnostic;
use serde_json::Value;

use crate::batch::BatchError;
use crate::blocked::Blocked;
use crate::evidence::Evidence;
use crate::tally::Tally;
use crate::uses::Use;
use crate::windows::{StoreError, Windows};

/// The function.
#[derive(Debug)]
pub struct Alerts<S, B> {
    /// How long a window is, the presets, the deny list.
    pub config: Config,
    /// Who tells about which window, and what grants let pass.
    pub store: S,
    /// Where it is told.
    pub bus: B,
    /// Numbers from 0 to 1, for the pauses between attempts.
    pub jitter: fn() -> f64,
}

/// Why a batch was not worked off. Lambda delivers it again, and then puts it into the dead-letter queue.
#[derive(Debug, thiserror::Error)]
pub enum AlertsError {
    /// It can't be read.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// The table doesn't answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The bus doesn't take all events.
    #[error("telling what the firewall logged failed: {0}")]
    Bus(#[from] BusError),
    /// An event is no JSON.
    #[error("an event can't be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl AlertsError {
    fn kind(&self) -> &'static str {
        match self {
            Self::Batch(_) => "UnreadableBatch",
            Self::Store(_) => "StoreUnavailable",
            Self::Bus(_) => "BusUnavailable",
            Self::Json(_) => "EventNotWritten",
        }
    }
}

impl From<AlertsError> for Diagnostic {
    fn from(error: AlertsError) -> Self {
        Self { error_type: error.kind().to_owned(), error_message: error.to_string() }
    }
}

impl<S: Windows + Evidence, B: Bus> Alerts<S, B> {
    /// Works off one delivery of CloudWatch Logs.
    pub async fn handle(&self, event: Value, now: Timestamp) -> Result<(), AlertsError> {
        let text = batch::inflate(event)?;
        let mut tally = Tally::default();
        let batch = batch::read(&text, |line| tally.take(line))?;
        if batch.is_control {
            return Ok(());
        }
        tally.log(&batch);
        let blocked = tally.connections.by_window(self.config.alerts.window);
        let uses = tally.uses.by_grant();
        if (blocked.is_empty() && uses.is_empty()) || self.store.is_done(&batch.id).await? {
            return Ok(());
        }
        let owed = windows::claim_all(&self.store, &batch.id, &blocked, now).await?;
        let first = evidence::count_all(&self.store, &batch.id, &uses, now, self.jitter).await?;
        self.tell(&owed, &first).await?;
        self.store.done(&batch.id, now).await?;
        tracing::info!(
            batch = %batch.id,
            destinations = blocked.len(),
            grants = uses.len(),
            told = owed.len(),
            first_uses = first.len(),
            "batch done"
        );
        Ok(())
    }

    async fn tell(&self, blocked: &[&Blocked], first: &[&Use]) -> Result<(), AlertsError> {
        if blocked.is_empty() && first.is_empty() {
            return Ok(());
        }
        let traffic_blocked = |blocked: &&Blocked| {
            Event::new(source::ALERTS, "TrafficBlocked", &alert::traffic_blocked(blocked, &self.config))
        };
        let grant_used = |first: &&Use| Event::new(source::ALERTS, "GrantUsed", &alert::grant_used(first));
        let events = blocked.iter().map(traffic_blocked).chain(first.iter().map(grant_used));
        let events = events.collect::<Result<Vec<_>, _>>()?;
        Ok(self.bus.publish(&events).await?)
    }
}
