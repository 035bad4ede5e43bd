//! Wires the function: the environment into types, clients, run.

use anyhow::Context;
use egress::aws::sdk_config;
use lambda_runtime::{LambdaEvent, service_fn, tracing};
use notify::NotifyError;
use notify::sns::SnsTopic;
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    tracing::init_default_subscriber();
    let arn = std::env::var("TOPIC_ARN").context("the environment variable TOPIC_ARN must be set")?;
    let topic = &SnsTopic::new(aws_sdk_sns::Client::new(&sdk_config().await), arn);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| async move {
        notify::handle(topic, event.payload).await.inspect_err(|error: &NotifyError| {
            tracing::error!(%error, request_id = event.context.request_id, "people were not told of the event");
        })
    }))
    .await
}
