//! The topic on Amazon SNS. No FIFO topic, since those take no subscriptions by mail: readers that must not
//! see a message twice compare its attribute `event_id`.
//!
//! Whoever subscribes hears everything, answers to other people's questions included, unless the subscription
//! has a filter policy. What it can filter by are the message's attributes: `detail_type` and `event_id`, and,
//! where somebody is to be told in another system, that system (`via`) and the place there (`to`).

use aws_sdk_sns::Client;
use aws_sdk_sns::error::BuildError;
use aws_sdk_sns::types::MessageAttributeValue;
use egress::aws::with_causes;

use crate::message::Message;
use crate::{Topic, TopicError};

/// The stack's topic.
#[derive(Debug, Clone)]
pub struct SnsTopic {
    client: Client,
    arn: String,
}

impl SnsTopic {
    /// The topic with this ARN.
    pub fn new(client: Client, arn: String) -> Self {
        Self { client, arn }
    }
}

impl Topic for SnsTopic {
    async fn publish(&self, message: &Message) -> Result<(), TopicError> {
        let mut publish =
            self.client.publish().topic_arn(&self.arn).subject(&message.subject).message(&message.body);
        for (name, value) in message.attributes() {
            publish = publish.message_attributes(name, text(value)?);
        }
        publish.send().await.map_err(|error| TopicError(with_causes(&error)))?;
        Ok(())
    }
}

fn text(value: &str) -> Result<MessageAttributeValue, TopicError> {
    let attribute = MessageAttributeValue::builder().data_type("String").string_value(value);
    attribute.build().map_err(|error: BuildError| TopicError(error.to_string()))
}
