//! The firewall's alert log becomes alerts about blocked traffic: one `TrafficBlocked` for a source and a
//! destination in a window, with what to ask for.
//!
//! - [`batch`]: what CloudWatch Logs delivers, unpacked within bounds.
//! - [`record`]: one line of the log; all shapes that firewalls write.
//! - [`tally`]: the lines of a batch counted, and those that can't be read kept.
//! - [`blocked`]: records become connections, connections become one entry a source, destination and window.
//! - [`windows`]: who tells about a window, and [`dynamodb`] where that stands.
//! - [`alert`]: what is told.

pub mod alert;
pub mod batch;
pub mod blocked;
pub mod dynamodb;
mod eve;
mod lenient;
pub mod record;
pub mod tally;
pub mod windows;

use egress::bus::{Bus, BusError, Event};
use egress::config::Config;
use egress::events::source;
use jiff::Timestamp;
use lambda_runtime::Diagnostic;
use serde_json::Value;

use crate::batch::BatchError;
use crate::blocked::Blocked;
use crate::tally::Tally;
use crate::windows::{WindowError, Windows};

/// The function.
#[derive(Debug)]
pub struct Alerts<W, B> {
    /// How long a window is, the presets, the deny list.
    pub config: Config,
    /// Who tells about which window.
    pub windows: W,
    /// Where it is told.
    pub bus: B,
}

/// Why a batch was not worked off. Lambda delivers it again, and then puts it into the dead-letter queue.
#[derive(Debug, thiserror::Error)]
pub enum AlertsError {
    /// It can't be read.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// The table doesn't answer.
    #[error(transparent)]
    Windows(#[from] WindowError),
    /// The bus doesn't take all alerts.
    #[error("telling what was blocked failed: {0}")]
    Bus(#[from] BusError),
    /// An event is no JSON.
    #[error("an alert can't be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl AlertsError {
    fn kind(&self) -> &'static str {
        match self {
            Self::Batch(_) => "UnreadableBatch",
            Self::Windows(_) => "WindowsUnavailable",
            Self::Bus(_) => "BusUnavailable",
            Self::Json(_) => "AlertNotWritten",
        }
    }
}

impl From<AlertsError> for Diagnostic {
    fn from(error: AlertsError) -> Self {
        Self { error_type: error.kind().to_owned(), error_message: error.to_string() }
    }
}

impl<W: Windows, B: Bus> Alerts<W, B> {
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
        if blocked.is_empty() || self.windows.is_done(&batch.id).await? {
            return Ok(());
        }
        let owed = windows::claim_all(&self.windows, &batch.id, &blocked, now).await?;
        self.tell(&owed).await?;
        self.windows.done(&batch.id, now).await?;
        tracing::info!(batch = %batch.id, destinations = blocked.len(), told = owed.len(), "batch done");
        Ok(())
    }

    async fn tell(&self, owed: &[&Blocked]) -> Result<(), AlertsError> {
        if owed.is_empty() {
            return Ok(());
        }
        let event = |blocked: &&Blocked| {
            Event::new(source::ALERTS, "TrafficBlocked", &alert::traffic_blocked(blocked, &self.config))
        };
        let events = owed.iter().map(event).collect::<Result<Vec<_>, _>>()?;
        Ok(self.bus.publish(&events).await?)
    }
}
