//! The queues on Amazon SQS.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_sqs::Client;
use egress::aws::with_causes;

use crate::batch::{Inbox, InboxError, Record};
use crate::queue::{Outgoing, Queues, SendError};
use crate::routing::Channel;

/// The queues of the channels that are set up.
#[derive(Debug, Clone)]
pub struct SqsQueues {
    client: Client,
    urls: BTreeMap<Channel, String>,
}

impl SqsQueues {
    /// The queues whose URLs these variables hold. One that is empty or isn't there is that of a channel that is not
    /// set up.
    pub fn new(client: Client, variable: impl Fn(&'static str) -> Option<String>) -> Self {
        let channels = [Channel::Slack, Channel::Teams, Channel::Tickets, Channel::Topics];
        let url = |channel| Some((channel, variable(name(channel)).filter(|url| !url.is_empty())?));
        Self { client, urls: channels.into_iter().filter_map(url).collect() }
    }
}

/// The variable that holds the URL of a channel's queue.
fn name(channel: Channel) -> &'static str {
    match channel {
        Channel::Slack => "SLACK_QUEUE_URL",
        Channel::Teams => "TEAMS_QUEUE_URL",
        Channel::Tickets => "TICKETS_QUEUE_URL",
        Channel::Topics => "TOPICS_QUEUE_URL",
    }
}

impl Queues for SqsQueues {
    async fn send(&self, message: &Outgoing) -> Result<(), SendError> {
        let Outgoing { channel, body, group, id } = message;
        let not_set_up = || SendError::NotSetUp { channel: *channel, variable: name(*channel) };
        let url = self.urls.get(channel).ok_or_else(not_set_up)?;
        let send = self.client.send_message().queue_url(url).message_body(body);
        let answer = send.message_group_id(group).message_deduplication_id(id).send().await;
        answer.map(drop).map_err(|error| SendError::Failed(with_causes(&error)))
    }
}

/// A channel's own queue, and its dead letters.
#[derive(Debug, Clone)]
pub struct SqsInbox {
    client: Client,
    queue: String,
    dead_letters: String,
}

impl SqsInbox {
    /// The queues with these URLs.
    pub fn new(client: Client, queue: String, dead_letters: String) -> Self {
        Self { client, queue, dead_letters }
    }
}

impl Inbox for SqsInbox {
    async fn postpone(&self, record: &Record, pause: Duration) -> Result<(), InboxError> {
        let seconds = i32::try_from(pause.as_secs()).unwrap_or(i32::MAX);
        let change = self.client.change_message_visibility().queue_url(&self.queue);
        let change = change.receipt_handle(&record.receipt_handle).visibility_timeout(seconds);
        change.send().await.map(drop).map_err(|error| InboxError(with_causes(&error)))
    }

    async fn give_up(&self, record: &Record) -> Result<(), InboxError> {
        let send = self.client.send_message().queue_url(&self.dead_letters).message_body(&record.body);
        // The message's own id: when it is sent again from there, and can't be told again, it has another.
        let send = send
            .message_group_id(&record.attributes.message_group_id)
            .message_deduplication_id(&record.message_id);
        send.send().await.map(drop).map_err(|error| InboxError(with_causes(&error)))
    }
}
