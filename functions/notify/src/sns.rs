//! The topic on Amazon SNS. No FIFO topic, since those take no subscriptions by mail: readers that must not
//! see a message twice compare its attribute `event_id`.

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
        let publish =
            self.client.publish().topic_arn(&self.arn).subject(&message.subject).message(&message.body);
        let publish = publish
            .message_attributes("event_id", text(&message.event_id)?)
            .message_attributes("detail_type", text(message.detail_type)?);
        publish.send().await.map_err(|error| TopicError(with_causes(&error)))?;
        Ok(())
    }
}

fn text(value: &str) -> Result<MessageAttributeValue, TopicError> {
    let attribute = MessageAttributeValue::builder().data_type("String").string_value(value);
    attribute.build().map_err(|error: BuildError| TopicError(error.to_string()))
}
