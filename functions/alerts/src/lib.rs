//! The firewall's alert log becomes alerts about blocked traffic, and evidence of what grants let pass: one
//! `TrafficBlocked` for what an owner is blocked at of a registrable domain, a `BlockedDigest` at the end of each window,
//! one `GrantUsed` for the first use of a grant, and all of its uses counted.
//!
//! - [`batch`]: what CloudWatch Logs delivers, unpacked within bounds; [`mod@s3`]: what stands in a bucket.
//! - [`record`]: one line of the log; all shapes that firewalls write.
//! - [`tally`]: the lines of a batch counted, and those that can't be read kept.
//! - [`blocked`]: records become connections; [`owners`]: whose they are; [`groups`]: what is told together.
//! - [`plan`]: where they are counted, and who tells; [`quiet`]: when nobody does.
//! - [`findings`]: what raises an alert; [`advice`]: what to do; [`alert`] and [`digest`]: what is told.
//! - [`security_hub`] and [`asff`]: alerts as findings, where an operator wants that.
//! - [`uses`]: what grants let pass, one entry a grant.
//! - [`windows`] and [`evidence`]: what is counted once, however often it comes; [`dynamodb`]: where it stands.
//! - [`figures`]: what came of it, for those who operate it.

pub mod advice;
pub mod alert;
pub mod asff;
pub mod batch;
pub mod blocked;
pub mod dead_letters;
pub mod digest;
pub mod dynamodb;
mod eve;
pub mod evidence;
pub mod figures;
pub mod findings;
pub mod groups;
mod json;
pub mod owners;
pub mod plan;
pub mod quiet;
pub mod record;
pub mod s3;
pub mod security_hub;
pub mod tally;
mod telling;
mod tick;
pub mod unreadable;
pub mod uses;
pub mod windows;

use egress::bus::{Bus, BusError, Event};
use egress::config::Config;
use egress::events::source;
use jiff::Timestamp;
use lambda_runtime::Diagnostic;
use serde_json::Value;

use crate::batch::{Batch, BatchError};
use crate::dead_letters::{DeadLetters, DeadLettersError};
use crate::evidence::Evidence;
use crate::figures::Figures;
use crate::owners::Owners;
use crate::s3::{FileError, Files, NoObject, ObjectRef, Pieces};
use crate::security_hub::{ImportError, SecurityHub};
use crate::tally::Tally;
use crate::uses::{FirstUse, Use};
use crate::windows::{StoreError, Windows};

/// The function.
#[derive(Debug)]
pub struct Alerts<S, B, O, D, F> {
    /// How long a window is, what raises an alert, the presets, the deny list.
    pub config: Config,
    /// What was blocked, and what grants let pass.
    pub store: S,
    /// Where it is told.
    pub bus: B,
    /// Whose addresses are.
    pub owners: O,
    /// Where files of the log are.
    pub files: F,
    /// Where what can't be read is kept.
    pub dead_letters: D,
    /// Where alerts are findings, too; none where they are not.
    pub security_hub: Option<SecurityHub>,
    /// Numbers from 0 to 1, for the pauses between attempts.
    pub jitter: fn() -> f64,
}

/// Why a batch was not worked off. Lambda delivers it again, and then puts it into the dead-letter queue.
#[derive(Debug, thiserror::Error)]
pub enum AlertsError {
    /// It can't be read.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// An event of S3's is broken.
    #[error(transparent)]
    NoObject(#[from] NoObject),
    /// A file of the log can't be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// Lines that can't be read are not kept.
    #[error(transparent)]
    DeadLetters(#[from] DeadLettersError),
    /// The table doesn't answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The bus doesn't take all events.
    #[error("telling what the firewall logged failed: {0}")]
    Bus(#[from] BusError),
    /// Alerts are told, and Security Hub doesn't take all of their findings.
    #[error("importing findings into Security Hub failed: {0}")]
    Findings(#[from] ImportError),
    /// An event is no JSON.
    #[error("an event can't be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl AlertsError {
    fn kind(&self) -> &'static str {
        match self {
            Self::Batch(_) => "UnreadableBatch",
            Self::NoObject(_) => "UnreadableEvent",
            Self::File(_) => "UnreadableFile",
            Self::DeadLetters(_) => "LinesNotKept",
            Self::Store(_) => "StoreUnavailable",
            Self::Bus(_) => "BusUnavailable",
            Self::Findings(_) => "FindingsNotImported",
            Self::Json(_) => "EventNotWritten",
        }
    }
}

impl From<AlertsError> for Diagnostic {
    fn from(error: AlertsError) -> Self {
        Self { error_type: error.kind().to_owned(), error_message: error.to_string() }
    }
}

impl<S: Windows + Evidence, B: Bus, O: Owners, D: DeadLetters, F: Files> Alerts<S, B, O, D, F> {
    /// Works off one event: a delivery of CloudWatch Logs, new files in a bucket, or the clock.
    pub async fn handle(&self, event: Value, now: Timestamp) -> Result<Figures, AlertsError> {
        if event.get("source").and_then(Value::as_str) == Some(source::CLOCK) {
            return Box::pin(self.tick(now)).await;
        }
        if let Some(objects) = s3::objects(&event)? {
            return Box::pin(self.read_files(&objects, now)).await;
        }
        let (batch, tally) = Tally::read(event)?;
        if batch.is_control {
            return Ok(Figures::default());
        }
        Box::pin(self.work_off(&batch, tally, now)).await
    }

    /// Works off files of the log, each in pieces.
    async fn read_files(&self, objects: &[ObjectRef], now: Timestamp) -> Result<Figures, AlertsError> {
        let mut figures = Figures::default();
        for object in objects {
            let mut pieces = Pieces::open(&self.files, object).await?;
            while let Some((batch, tally)) = pieces.next().await? {
                figures.add(self.work_off(&batch, tally, now).await?);
            }
        }
        Ok(figures)
    }

    /// Works off the lines of a batch, or of a piece of a file.
    async fn work_off(&self, batch: &Batch, tally: Tally, now: Timestamp) -> Result<Figures, AlertsError> {
        tally.log(batch);
        if let Some(letter) = tally.unreadable.letter(batch) {
            self.dead_letters.keep(&letter).await?;
        }
        let mut figures = Figures { unreadable: tally.unreadable.count(), ..Figures::default() };
        let uses = tally.uses.by_grant();
        if (tally.connections.is_empty() && uses.is_empty()) || self.store.is_done(&batch.id).await? {
            return Ok(figures);
        }
        let owners = self.owners.owners(&tally.connections.sources(), now).await?;
        let alerts = self.count(&batch.id, &tally.connections, &owners, now, &mut figures).await?;
        let first = evidence::count_all(&self.store, &batch.id, &uses, now, self.jitter).await?;
        for Use { grant, first: FirstUse { host, source, .. }, .. } in &first {
            tracing::info!(batch = %batch.id, request_id = %grant, host, %source, "first use of a grant");
        }
        let blocked = |alert| Event::new(source::ALERTS, "TrafficBlocked", alert);
        let grant_used = |first: &&Use| Event::new(source::ALERTS, "GrantUsed", &alert::grant_used(first));
        let events = alerts.iter().map(blocked).chain(first.iter().map(grant_used));
        let events: Vec<Event> = events.collect::<Result<_, _>>()?;
        if !events.is_empty() {
            self.bus.publish(&events).await?;
        }
        if let Some(security_hub) = &self.security_hub {
            security_hub.import(&alerts, self.jitter).await?;
        }
        self.store.done(&batch.id, now).await?;
        tracing::info!(
            batch = %batch.id,
            alerts = figures.alerts,
            grants = uses.len(),
            first_uses = first.len(),
            "batch done"
        );
        Ok(figures)
    }
}
