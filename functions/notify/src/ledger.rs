//! What has been told where, so that nobody is told twice, and one message about a request can be brought up to
//! date.

use std::future::Future;

use egress::request::RequestId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::notice::Notice;
use crate::routing::{Destination, life_of};

/// Which notice, at which destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// The destination's name.
    pub destination: String,
    /// The event's id.
    pub event_id: String,
    /// The request of whose life it tells.
    pub request: Option<RequestId>,
}

impl About {
    /// A notice at a destination.
    pub fn new(destination: &Destination, notice: &Notice) -> Self {
        Self {
            destination: destination.to_string(),
            event_id: notice.event_id().into_owned(),
            request: life_of(notice).map(|request| request.id.clone()),
        }
    }
}

/// What is known before a notice is told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// Whether the first of two steps was done before.
    pub begun: bool,
    /// The message about the request at this destination.
    pub posted: Option<Posted>,
}

/// Where a message stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spot {
    /// The conversation: a channel of Slack's, a thread in Teams.
    pub conversation: String,
    /// The message's id there: Slack's `ts`, an activity's id in Teams.
    pub message: String,
}

/// The one message about a request at a destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posted {
    /// Where it stands.
    #[serde(flatten)]
    pub spot: Spot,
    /// The version of the request that it shows.
    pub version: u64,
}

/// The ledger. What one destination is told of one request, one function tells at a time.
pub trait Ledger {
    /// What is known before a notice is told; nothing where it was told before.
    fn look(&self, about: &About) -> impl Future<Output = Result<Option<Known>, LedgerError>> + Send;

    /// Notes that the first of two steps is done.
    fn begun(&self, about: &About, now: Timestamp) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Notes that it was told, and what the message about its request shows since.
    fn told(
        &self,
        about: &About,
        posted: Option<&Posted>,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;
}

/// The ledger can't be read or written, with all causes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} failed: {cause}")]
pub struct LedgerError {
    /// What was tried.
    pub what: &'static str,
    /// Why it failed.
    pub cause: String,
}
