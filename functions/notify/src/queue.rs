//! What the dispatcher hands to a channel: one message for each destination of an event.

use std::future::Future;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::notice::Notice;
use crate::routing::{Channel, Destination, digest, life_of};

/// The largest message that SQS takes, in bytes
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>).
pub const LARGEST: usize = 1_048_576;

/// The body of a message: an event, and where it is to be told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Errand {
    /// Where.
    pub destination: Destination,
    /// The event, as EventBridge delivers it.
    pub event: Value,
}

/// A message as it is put into a FIFO queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Whose queue.
    pub channel: Channel,
    /// The body, an [`Errand`].
    pub body: String,
    /// What it comes after, one by one: what the same destination is told of the same request. What is about no
    /// request comes after nothing, so that nothing waits for it.
    pub group: String,
    /// The same when it is sent again: SQS takes it once in five minutes, and the function that tries again is called
    /// within three. After that, the ledger of the channel knows it.
    pub id: String,
}

impl Outgoing {
    /// The message that tells a notice there.
    pub fn new(notice: &Notice, errand: &Errand) -> Result<Self, SendError> {
        let Errand { destination, .. } = errand;
        let body = serde_json::to_string(errand).map_err(|error| SendError::Failed(error.to_string()))?;
        if body.len() > LARGEST {
            return Err(SendError::TooLarge(body.len()));
        }
        let id = digest(&format!("{destination}\n{}", notice.event_id()));
        let group = match life_of(notice) {
            Some(request) => format!("{}.{}", request.id, digest(&destination.to_string())),
            None => id.clone(),
        };
        Ok(Self { channel: destination.channel(), body, group, id })
    }
}

/// The queues of the channels.
pub trait Queues {
    /// Puts a message into its channel's queue.
    fn send(&self, message: &Outgoing) -> impl Future<Output = Result<(), SendError>> + Send;
}

/// Why a message isn't in its queue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The channel has no queue. Trying again would change nothing.
    #[error(
        "{channel:?} is not set up: {variable} is empty, which the template fills in where it has its secret"
    )]
    NotSetUp {
        /// The channel.
        channel: Channel,
        /// The variable that names its queue.
        variable: &'static str,
    },
    /// No queue takes it.
    #[error("it has {0} bytes, and SQS takes {LARGEST}")]
    TooLarge(usize),
    /// The queue doesn't take it now; with all causes.
    #[error("{0}")]
    Failed(String),
}
