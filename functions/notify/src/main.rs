//! Wires the functions: the environment into types, clients, run. Without `CHANNEL` it is the dispatcher.

use std::convert::Infallible;
use std::env;

use anyhow::Context;
use aws_config::SdkConfig;
use egress::aws::sdk_config;
use egress::config::Config;
use jiff::Timestamp;
use lambda_runtime::{Error, LambdaEvent, service_fn, tracing};
use notify::batch::{Batch, Teller, work_off};
use notify::channels::slack::SlackChannel;
use notify::channels::teams::TeamsChannel;
use notify::channels::tickets::TicketsChannel;
use notify::channels::topics::TopicsChannel;
use notify::dispatch::{DispatchError, dispatch};
use notify::dynamodb::DynamoLedger;
use notify::routing::Channel;
use notify::secrets::SecretsManager;
use notify::sns::SnsTopics;
use notify::sqs::{SqsInbox, SqsQueues};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let config = Config::from_env()?;
    let sdk = &sdk_config().await;
    let Some(channel) = env::var("CHANNEL").ok().filter(|channel| !channel.is_empty()) else {
        return hand_out(sdk, &config).await;
    };
    let ledger = DynamoLedger::new(aws_sdk_dynamodb::Client::new(sdk), variable("TABLE_NAME")?);
    let secret = || {
        let client = aws_sdk_secretsmanager::Client::new(sdk);
        anyhow::Ok(SecretsManager::new(client, variable("SECRET_ARN")?))
    };
    match channel.parse()? {
        Channel::Slack => tell(sdk, SlackChannel::new(config, ledger, secret()?)).await,
        Channel::Teams => tell(sdk, TeamsChannel::new(config, ledger, secret()?)).await,
        Channel::Tickets => tell(sdk, TicketsChannel::new(&config, ledger, secret()?)?).await,
        Channel::Topics => {
            let client = aws_sdk_sns::Client::new(sdk);
            let topics = SnsTopics::new(client, variable("TOPIC_ARN")?, variable("CHAT_TOPIC_ARN")?);
            tell(sdk, TopicsChannel::new(ledger, topics)).await
        }
    }
}

/// The dispatcher.
async fn hand_out(sdk: &SdkConfig, config: &Config) -> Result<(), Error> {
    let queues = &SqsQueues::new(aws_sdk_sqs::Client::new(sdk), |name| env::var(name).ok());
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| async move {
        dispatch(queues, config, event.payload).await.inspect_err(|error: &DispatchError| {
            tracing::error!(%error, "not everybody is told of the event");
        })
    }))
    .await
}

/// A channel.
async fn tell<T: Teller>(sdk: &SdkConfig, teller: T) -> Result<(), Error> {
    let client = aws_sdk_sqs::Client::new(sdk);
    let inbox = &SqsInbox::new(client, variable("QUEUE_URL")?, variable("DEAD_LETTER_QUEUE_URL")?);
    let teller = &teller;
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Batch>| async move {
        Ok::<_, Infallible>(work_off(teller, inbox, &event.payload, Timestamp::now()).await)
    }))
    .await
}

fn variable(name: &'static str) -> anyhow::Result<String> {
    env::var(name).with_context(|| format!("the environment variable {name} must be set"))
}
