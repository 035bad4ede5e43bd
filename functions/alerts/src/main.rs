//! Wires the function: the environment into types, clients, run.

use alerts::dynamodb::DynamoStore;
use alerts::{Alerts, AlertsError};
use anyhow::Context;
use egress::aws::{EventBridgeBus, sdk_config};
use egress::config::Config;
use jiff::Timestamp;
use lambda_runtime::{LambdaEvent, service_fn, tracing};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    tracing::init_default_subscriber();
    let alerts = &wire().await?;
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| async move {
        alerts.handle(event.payload, Timestamp::now()).await.inspect_err(|error: &AlertsError| {
            tracing::error!(%error, request_id = event.context.request_id, "the batch was not worked off");
        })
    }))
    .await
}

async fn wire() -> anyhow::Result<Alerts<DynamoStore, EventBridgeBus>> {
    let config = Config::from_env()?;
    let table = variable("TABLE_NAME")?;
    let bus = variable("EVENT_BUS_NAME")?;
    let sdk = sdk_config().await;
    Ok(Alerts {
        config,
        store: DynamoStore::new(aws_sdk_dynamodb::Client::new(&sdk), table),
        bus: EventBridgeBus::new(aws_sdk_eventbridge::Client::new(&sdk), bus),
        jitter: fastrand::f64,
    })
}

fn variable(name: &'static str) -> anyhow::Result<String> {
    std::env::var(name).with_context(|| format!("the environment variable {name} must be set"))
}
