//! The bus: where events are published.

use std::future::Future;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One event as it is published. The bus's name and the time are the edge's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Who says it: one of [`crate::events::source`].
    pub source: String,
    /// What it is called, e.g. `RequestStateChanged`.
    pub detail_type: String,
    /// What it says.
    pub detail: Value,
}

impl Event {
    /// An event with a detail of one of the types in [`crate::events`].
    pub fn new<T: Serialize>(source: &str, detail_type: &str, detail: &T) -> Result<Self, serde_json::Error> {
        let detail = serde_json::to_value(detail)?;
        Ok(Self { source: source.to_owned(), detail_type: detail_type.to_owned(), detail })
    }
}

/// Why events were not all published. What was not can be published again.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// Nothing was published, or nobody knows.
    #[error("publishing failed: {0}")]
    Unavailable(String),
    /// Some were refused (`PutEvents` answers 200 to that).
    #[error("{} events were not published; the first: {}", failed.len(), reason)]
    Partly {
        /// Their places in what was given.
        failed: Vec<usize>,
        /// What the bus said of the first.
        reason: String,
    },
}

/// The bus. Delivery behind it is at least once.
pub trait Bus {
    /// Publishes events, any number, in order.
    fn publish(&self, events: &[Event]) -> impl Future<Output = Result<(), BusError>> + Send;
}
