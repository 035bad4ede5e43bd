//! A partner's bus of EventBridge: the same as the webhooks of a ticket system, with the bus as the proof, since
//! nobody but the partner can put events there
//! (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-saas.html>).

use egress::adapter::AdapterError;
use egress::bus::{Bus, BusError};
use egress::config::Config;
use jiff::Timestamp;
use lambda_http::lambda_runtime::Diagnostic;
use serde::Deserialize;
use serde_json::Value;

use crate::tickets::Adapter;
use crate::{TOO_LONG, is_too_long};

/// The function of a partner's bus.
#[derive(Debug)]
pub struct Partner<B> {
    bus: B,
    config: Config,
    adapter: Adapter,
}

/// Why the function can't start.
#[derive(Debug, thiserror::Error)]
pub enum PartnerSetupError {
    /// No such table.
    #[error("PARTNER_ADAPTER is {0:?}, which is no adapter of egress.toml")]
    NoAdapter(String),
    /// One that can't be read.
    #[error(transparent)]
    Adapter(#[from] AdapterError),
}

/// Why an event had no effect. Lambda tries again, and then puts it into the dead-letter queue.
#[derive(Debug, thiserror::Error)]
pub enum PartnerError {
    /// Not an event, or one that lacks something.
    #[error("{0}")]
    Malformed(String),
    /// The project's bus doesn't take what it becomes.
    #[error(transparent)]
    Bus(#[from] BusError),
}

impl From<PartnerError> for Diagnostic {
    fn from(error: PartnerError) -> Self {
        let error_type = match error {
            PartnerError::Malformed(_) => "MalformedEvent",
            PartnerError::Bus(_) => "BusUnavailable",
        };
        Self { error_type: error_type.to_owned(), error_message: error.to_string() }
    }
}

/// What an event of any bus has, as far as it is of use.
#[derive(Deserialize)]
struct Event {
    id: String,
    detail: Value,
}

impl<B: Bus> Partner<B> {
    /// The function with its edges, for the adapter of this name.
    pub fn new(bus: B, config: Config, adapter: &str) -> Result<Self, PartnerSetupError> {
        let settings = config.adapters.get(adapter);
        let settings = settings.ok_or_else(|| PartnerSetupError::NoAdapter(adapter.to_owned()))?;
        Ok(Self { bus, adapter: Adapter::new(adapter, settings)?, config })
    }

    /// Puts on the project's bus what an event says, if it says something.
    pub async fn handle(&self, event: Value, now: Timestamp) -> Result<(), PartnerError> {
        let malformed = |error: &dyn std::error::Error| PartnerError::Malformed(error.to_string());
        let Event { id, detail } =
            serde_path_to_error::deserialize(event).map_err(|error| malformed(&error))?;
        let heard = self.adapter.heard(&detail, || id.clone(), &self.config, now);
        let Some(message) = heard.map_err(|error| malformed(&error))? else {
            tracing::info!(id, "an event that concerns no request");
            return Ok(());
        };
        let event = message.event().map_err(|error| malformed(&error))?;
        if is_too_long(&event) {
            return Err(PartnerError::Malformed(TOO_LONG.to_owned()));
        }
        self.bus.publish(&[event]).await?;
        let request_id = message.request_id().map(|id| id.to_string());
        tracing::info!(id, request_id, action = message.action(), "accepted");
        Ok(())
    }
}
