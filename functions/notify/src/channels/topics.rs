//! The topics of SNS: mail, or whatever else subscribes to the stack's topic, and Amazon Q Developer in chat
//! applications.

use std::future::Future;

use jiff::Timestamp;
use serde_json::Value;

use super::misled;
use crate::batch::Teller;
use crate::ledger::{About, Ledger};
use crate::message::Message;
use crate::notice::Notice;
use crate::render::amazon_q;
use crate::routing::Destination;
use crate::undelivered::Undelivered;

/// Where messages are published.
pub trait Topics {
    /// Publishes a message to all who have subscribed to the stack's topic.
    fn mail(&self, message: &Message) -> impl Future<Output = Result<(), TopicError>> + Send;

    /// Publishes a notification of Amazon Q's form.
    fn amazon_q(&self, notification: &Value) -> impl Future<Output = Result<(), TopicError>> + Send;
}

/// A topic doesn't take a message; with all causes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("publishing to the topic failed: {0}")]
pub struct TopicError(pub String);

impl From<TopicError> for Undelivered {
    fn from(error: TopicError) -> Self {
        Self::later(error)
    }
}

/// The topics.
#[derive(Debug)]
pub struct TopicsChannel<L, T> {
    ledger: L,
    topics: T,
}

impl<L: Ledger + Sync, T: Topics + Sync> TopicsChannel<L, T> {
    /// These topics.
    pub fn new(ledger: L, topics: T) -> Self {
        Self { ledger, topics }
    }
}

impl<L: Ledger + Sync, T: Topics + Sync> Teller for TopicsChannel<L, T> {
    async fn tell(&self, to: &Destination, notice: &Notice, now: Timestamp) -> Result<(), Undelivered> {
        let about = About::new(to, notice);
        if self.ledger.look(&about).await?.is_none() {
            return Ok(());
        }
        match to {
            Destination::Mail => self.topics.mail(&Message::about(notice)).await?,
            Destination::AmazonQ => self.topics.amazon_q(&amazon_q::notification(notice)).await?,
            _ => return Err(misled(to)),
        }
        Ok(self.ledger.told(&about, None, now).await?)
    }
}
