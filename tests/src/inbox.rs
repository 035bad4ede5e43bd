//! A person who has subscribed to the stack's topic: a queue behind it, read as messages come.

use std::time::{Duration, Instant};

use anyhow::Context;
use aws_config::SdkConfig;
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::{Value, json};

/// A message as a subscriber has it.
#[derive(Debug, Clone)]
pub struct Message {
    /// Its subject.
    pub subject: String,
    /// Its text.
    pub text: String,
}

/// A queue that is subscribed to a topic.
#[derive(Debug)]
pub struct Inbox {
    sqs: aws_sdk_sqs::Client,
    sns: aws_sdk_sns::Client,
    queue_url: String,
    subscription: String,
    /// Everything that came until now.
    pub messages: Vec<Message>,
}

impl Inbox {
    /// Subscribes a new queue to a topic.
    pub async fn subscribe(config: &SdkConfig, topic: &str, name: &str) -> anyhow::Result<Self> {
        let (sqs, sns) = (aws_sdk_sqs::Client::new(config), aws_sdk_sns::Client::new(config));
        let queue_url =
            sqs.create_queue().queue_name(name).send().await?.queue_url.context("a queue without URL")?;
        let attributes = sqs
            .get_queue_attributes()
            .queue_url(&queue_url)
            .attribute_names(QueueAttributeName::QueueArn)
            .send()
            .await?;
        let arn = attributes
            .attributes
            .unwrap_or_default()
            .remove(&QueueAttributeName::QueueArn)
            .context("a queue without ARN")?;
        // The topic writes to the queue as a service, so the queue has to let it.
        let policy = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage",
            "Resource": arn, "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
        }]});
        let attributes = sqs.set_queue_attributes().queue_url(&queue_url);
        attributes.attributes(QueueAttributeName::Policy, policy.to_string()).send().await?;
        let subscription = sns.subscribe().topic_arn(topic).protocol("sqs").endpoint(arn);
        let subscription = subscription.return_subscription_arn(true).send().await?;
        let subscription = subscription.subscription_arn.context("a subscription without ARN")?;
        Ok(Self { sqs, sns, queue_url, subscription, messages: Vec::new() })
    }

    /// The first message, of those that have come and that come within `limit`, that is so.
    pub async fn find(
        &mut self,
        limit: Duration,
        is_so: impl Fn(&Message) -> bool,
    ) -> anyhow::Result<Message> {
        let (started, mut seen) = (Instant::now(), 0);
        loop {
            if let Some(message) = self.messages.iter().skip(seen).find(|message| is_so(message)) {
                return Ok(message.clone());
            }
            seen = self.messages.len();
            let subjects = || {
                self.messages.iter().map(|message| message.subject.as_str()).collect::<Vec<_>>().join("; ")
            };
            anyhow::ensure!(
                started.elapsed() < limit,
                "no such message in {limit:?}; there were: {}",
                subjects()
            );
            self.receive().await?;
        }
    }

    async fn receive(&mut self) -> anyhow::Result<()> {
        let receive = self
            .sqs
            .receive_message()
            .queue_url(&self.queue_url)
            .max_number_of_messages(10)
            .wait_time_seconds(1);
        for message in receive.send().await?.messages.unwrap_or_default() {
            let body: Value = serde_json::from_str(message.body().unwrap_or_default())?;
            let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            self.messages.push(Message { subject: text("Subject"), text: text("Message") });
            let handle = message.receipt_handle.context("a message without a receipt")?;
            self.sqs.delete_message().queue_url(&self.queue_url).receipt_handle(handle).send().await?;
        }
        Ok(())
    }

    /// Takes subscription and queue away.
    pub async fn close(self) -> anyhow::Result<()> {
        self.sns.unsubscribe().subscription_arn(&self.subscription).send().await?;
        self.sqs.delete_queue().queue_url(&self.queue_url).send().await?;
        Ok(())
    }
}
