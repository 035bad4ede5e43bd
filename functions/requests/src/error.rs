//! Why an event could not be worked off.

use egress::bus::BusError;
use egress::events::EventError;
use egress::firewall::FirewallError;
use egress::ledger::LedgerError;
use egress::lifecycle::NotAllowed;
use egress::reconcile::ReconcileError;
use egress::request::RequestId;
use lambda_runtime::Diagnostic;

/// Why an event could not be worked off. Lambda delivers it again, and keeps it in the dead-letter queue
/// when that doesn't help.
#[derive(Debug, thiserror::Error)]
pub enum RequestsError {
    /// It is not an event of ours, or not in its form.
    #[error(transparent)]
    Event(#[from] EventError),
    /// It is about a request that isn't there.
    #[error("there is no request {0}")]
    NoSuchRequest(RequestId),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The bus.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// The firewall, while it was brought to what the ledger says.
    #[error(transparent)]
    Reconcile(#[from] ReconcileError),
    /// The firewall, while it was asked whether it is in sync.
    #[error(transparent)]
    Firewall(#[from] FirewallError),
    /// A transition that can't be written down.
    #[error(transparent)]
    Transition(#[from] NotAllowed),
    /// An event that can't be written down.
    #[error("an event could not be written: {0}")]
    Json(#[from] serde_json::Error),
}

impl RequestsError {
    /// The error's kind, as it stands in Lambda's `errorType`.
    fn kind(&self) -> &'static str {
        match self {
            Self::Event(_) => "Event",
            Self::NoSuchRequest(_) => "NoSuchRequest",
            Self::Ledger(_) => "Ledger",
            Self::Bus(_) => "Bus",
            Self::Reconcile(_) => "Reconcile",
            Self::Firewall(_) => "Firewall",
            Self::Transition(_) | Self::Json(_) => "Defect",
        }
    }
}

impl From<RequestsError> for Diagnostic {
    fn from(error: RequestsError) -> Self {
        Self { error_type: error.kind().to_owned(), error_message: error.to_string() }
    }
}
