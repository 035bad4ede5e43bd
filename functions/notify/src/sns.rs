//! The topics on Amazon SNS. No FIFO topics, since those take no subscriptions by mail: readers that must not see a
//! message twice compare its attribute `event_id`.
//!
//! Whoever subscribes hears everything that is routed there, answers to other people's questions included, unless the
//! subscription has a filter policy. What it can filter by are the message's attributes: `detail_type` and `event_id`,
//! and, where somebody is to be told in another system, that system (`via`) and the place there (`to`).

use aws_sdk_sns::Client;
use aws_sdk_sns::error::BuildError;
use aws_sdk_sns::types::MessageAttributeValue;
use egress::aws::with_causes;
use serde_json::Value;

use crate::channels::topics::{TopicError, Topics};
use crate::message::Message;

/// The stack's topics.
#[derive(Debug, Clone)]
pub struct SnsTopics {
    client: Client,
    mail: String,
    amazon_q: String,
}

impl SnsTopics {
    /// The topics with these ARNs: for mail, and for Amazon Q Developer in chat applications.
    pub fn new(client: Client, mail: String, amazon_q: String) -> Self {
        Self { client, mail, amazon_q }
    }
}

impl Topics for SnsTopics {
    async fn mail(&self, message: &Message) -> Result<(), TopicError> {
        let mut publish =
            self.client.publish().topic_arn(&self.mail).subject(&message.subject).message(&message.body);
        for (name, value) in message.attributes() {
            publish = publish.message_attributes(name, text(value)?);
        }
        publish.send().await.map(drop).map_err(|error| TopicError(with_causes(&error)))
    }

    async fn amazon_q(&self, notification: &Value) -> Result<(), TopicError> {
        let publish = self.client.publish().topic_arn(&self.amazon_q).message(notification.to_string());
        publish.send().await.map(drop).map_err(|error| TopicError(with_causes(&error)))
    }
}

fn text(value: &str) -> Result<MessageAttributeValue, TopicError> {
    let attribute = MessageAttributeValue::builder().data_type("String").string_value(value);
    attribute.build().map_err(|error: BuildError| TopicError(error.to_string()))
}
