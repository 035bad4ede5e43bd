//! Events on the bus become messages that people read, on an SNS topic that mail, chat and tickets subscribe.
//!
//! - [`notice`]: the events that people hear of, read and checked.
//! - [`message`]: what they read, a pure function of the event.
//! - [`plain`]: text from outside, made fit for it.
//! - [`sns`]: the topic.

pub mod message;
pub mod notice;
pub mod plain;
pub mod sns;

use std::future::Future;

use egress::events::EventError;
use lambda_runtime::Diagnostic;
use serde_json::Value;

use crate::message::Message;
use crate::notice::Notice;

/// Where messages go.
pub trait Topic {
    /// Publishes a message to all who have subscribed.
    fn publish(&self, message: &Message) -> impl Future<Output = Result<(), TopicError>> + Send;
}

/// The topic doesn't take a message; with all causes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TopicError(pub String);

/// Why people were not told. Lambda tries again, and then puts the event into the dead-letter queue.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// Not an event that people hear of; or one of a shape that isn't known.
    #[error(transparent)]
    Event(#[from] EventError),
    /// The topic doesn't take it.
    #[error("publishing to the topic failed: {0}")]
    Topic(#[from] TopicError),
}

impl From<NotifyError> for Diagnostic {
    fn from(error: NotifyError) -> Self {
        let error_type = match error {
            NotifyError::Event(_) => "UnknownEvent",
            NotifyError::Topic(_) => "TopicUnavailable",
        };
        Self { error_type: error_type.to_owned(), error_message: error.to_string() }
    }
}

/// Tells people of one event.
pub async fn handle<T: Topic>(topic: &T, event: Value) -> Result<(), NotifyError> {
    let notice = Notice::read(event)?;
    let message = Message::about(&notice);
    topic.publish(&message).await?;
    tracing::info!(detail_type = message.detail_type, event_id = message.event_id, "told");
    Ok(())
}
