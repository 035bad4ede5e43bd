//! The dispatcher: an event of the bus is put into the queue of each channel that tells somebody of it.

use egress::config::Config;
use egress::events::EventError;
use futures_util::future::join_all;
use lambda_runtime::Diagnostic;
use serde_json::Value;
use tracing::field::display;

use crate::notice::Notice;
use crate::queue::{Errand, Outgoing, Queues, SendError};
use crate::routing::{Destination, destinations, place_of};

/// Why not everybody is told. Lambda tries again, and then puts the event into the dead-letter queue; who has been
/// handed it before is not told twice.
#[derive(Debug, thiserror::Error)]
pub enum DispatchError {
    /// Not an event that people hear of; or one of a shape that isn't known.
    #[error(transparent)]
    Event(#[from] EventError),
    /// Some queue doesn't take it.
    #[error("{failed} of {all} destinations could not be handed the event, {first} for one: {cause}")]
    Queue {
        /// How many.
        failed: usize,
        /// Of how many.
        all: usize,
        /// The first of them.
        first: Destination,
        /// Why.
        cause: SendError,
    },
}

impl From<DispatchError> for Diagnostic {
    fn from(error: DispatchError) -> Self {
        let error_type = match error {
            DispatchError::Event(_) => "UnknownEvent",
            DispatchError::Queue { .. } => "QueueUnavailable",
        };
        Self { error_type: error_type.to_owned(), error_message: error.to_string() }
    }
}

/// Hands one event to everybody who tells somebody of it. One that fails holds up no other.
pub async fn dispatch<Q: Queues>(queues: &Q, config: &Config, event: Value) -> Result<(), DispatchError> {
    let notice = Notice::read(event.clone())?;
    let (event_id, detail_type) = (notice.event_id(), notice.detail_type());
    let request_id = notice.request().map(|request| display(&request.id));
    if let Some(Err(error)) = notice.reply_to().map(|reply_to| place_of(reply_to, config)) {
        tracing::warn!(%error, request_id, %event_id, detail_type, "where somebody wants to be answered is no such place");
    }
    let destinations = destinations(&notice, config);
    if destinations.is_empty() {
        tracing::info!(request_id, %event_id, detail_type, "nobody is told");
    }
    let sends = destinations.iter().map(|destination| hand(queues, &notice, destination, &event));
    let results = join_all(sends).await;
    let mut failures = Vec::new();
    for (destination, result) in destinations.iter().zip(results) {
        match result {
            Ok(()) => {
                tracing::info!(%destination, request_id, %event_id, detail_type, "handed to its channel");
            }
            Err(error @ SendError::NotSetUp { .. }) => {
                tracing::warn!(%error, %destination, request_id, %event_id, detail_type, "nobody is told there");
            }
            Err(error) => failures.push((destination, error)),
        }
    }
    let (failed, all) = (failures.len(), destinations.len());
    match failures.into_iter().next() {
        None => Ok(()),
        Some((first, cause)) => Err(DispatchError::Queue { failed, all, first: first.clone(), cause }),
    }
}

async fn hand<Q: Queues>(
    queues: &Q,
    notice: &Notice,
    destination: &Destination,
    event: &Value,
) -> Result<(), SendError> {
    let errand = Errand { destination: destination.clone(), event: event.clone() };
    queues.send(&Outgoing::new(notice, &errand)?).await
}
