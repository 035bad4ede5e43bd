//! What a queue hands to a channel's function, and what becomes of each message.

use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::notice::Notice;
use crate::pause::pause;
use crate::queue::Errand;
use crate::routing::Destination;
use crate::undelivered::Undelivered;

/// Messages as Lambda hands them over; of each, what is used here.
/// <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html#example-standard-queue-message-event>
#[derive(Debug, Clone, Deserialize)]
pub struct Batch {
    /// The messages, those of a group in their order.
    #[serde(rename = "Records")]
    pub records: Vec<Record>,
}

/// A message.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Its id, of this time that it was sent.
    pub message_id: String,
    /// By what the queue knows this time that it was received.
    pub receipt_handle: String,
    /// An [`Errand`].
    pub body: String,
    /// What the queue says of it.
    pub attributes: Attributes,
}

/// What the queue says of a message.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Attributes {
    /// How often it was received, this time counted; a number as a text.
    pub approximate_receive_count: String,
    /// What it comes after, one by one.
    pub message_group_id: String,
}

/// What is answered: the messages that are to come again.
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting>
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchAnswer {
    /// Those messages.
    pub batch_item_failures: Vec<Failure>,
}

/// A message that is to come again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// Its id.
    pub item_identifier: String,
}

/// Tells notices at destinations of one channel.
pub trait Teller {
    /// Tells a notice there, once, however often it is called.
    fn tell(
        &self,
        to: &Destination,
        notice: &Notice,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), Undelivered>> + Send;
}

/// The channel's queue, and the one for what can't be told.
pub trait Inbox {
    /// Hides a message, and with it its group, for so long from now on.
    fn postpone(
        &self,
        record: &Record,
        pause: Duration,
    ) -> impl Future<Output = Result<(), InboxError>> + Send;

    /// Puts a message to the dead letters.
    fn give_up(&self, record: &Record) -> impl Future<Output = Result<(), InboxError>> + Send;
}

/// A queue can't be used, with all causes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InboxError(pub String);

/// Tells what is in a batch. What can't be told now comes again, and what is behind it in its group with it: that is
/// not even tried. What can never be told is put to the dead letters at once, where its alarm goes off, instead of
/// holding up its group for as many tries as the queue has.
pub async fn work_off<T: Teller, I: Inbox>(
    teller: &T,
    inbox: &I,
    batch: &Batch,
    now: Timestamp,
) -> BatchAnswer {
    let mut answer = BatchAnswer::default();
    let mut stuck = BTreeSet::new();
    for record in &batch.records {
        let group = record.attributes.message_group_id.as_str();
        if stuck.contains(group) {
            // It is let go, since a group waits for each of its messages that somebody works on.
            postpone(inbox, record, Duration::ZERO).await;
        } else if is_done(teller, inbox, record, now).await {
            continue;
        }
        stuck.insert(group);
        answer.batch_item_failures.push(Failure { item_identifier: record.message_id.clone() });
    }
    answer
}

/// Whether a message need not come again.
async fn is_done<T: Teller, I: Inbox>(teller: &T, inbox: &I, record: &Record, now: Timestamp) -> bool {
    let (message_id, tries) = (&record.message_id, record.attributes.approximate_receive_count.as_str());
    let (what, request_id, told) = match open(record) {
        Ok((to, notice)) => {
            let what = format!("{} {} at {to}", notice.detail_type(), notice.event_id());
            let request_id = notice.request().map(|request| request.id.to_string());
            (what, request_id, teller.tell(&to, &notice, now).await)
        }
        Err(error) => ("a message that is none of the dispatcher's".to_owned(), None, Err(error)),
    };
    match told {
        Ok(()) => {
            tracing::info!(what, request_id, "told");
            true
        }
        Err(error @ Undelivered::Later { after, .. }) => {
            let pause = pause(tries.parse().unwrap_or(1), after, fastrand::f64());
            tracing::warn!(%error, what, request_id, message_id, tries, ?pause, "not told yet");
            postpone(inbox, record, pause).await;
            false
        }
        Err(error @ Undelivered::Never { .. }) => {
            tracing::error!(%error, what, request_id, message_id, "can't be told: it goes to the dead letters");
            let given_up = inbox.give_up(record).await;
            given_up.inspect_err(|error| tracing::error!(%error, what, "not put to the dead letters")).is_ok()
        }
    }
}

/// What is to be told, and where.
fn open(record: &Record) -> Result<(Destination, Notice), Undelivered> {
    let Errand { destination, event } = serde_json::from_str(&record.body).map_err(Undelivered::never)?;
    Ok((destination, Notice::read(event).map_err(Undelivered::never)?))
}

/// Where it fails, the message comes again when the queue's own time is over.
async fn postpone<I: Inbox>(inbox: &I, record: &Record, pause: Duration) {
    if let Err(error) = inbox.postpone(record, pause).await {
        tracing::warn!(%error, message_id = record.message_id, "how long it waits can't be set");
    }
}
