//! Wires the function: the environment into types, clients, run.

use anyhow::Context;
use egress::aws::{DynamoLedger, EventBridgeBus, NetworkFirewall, sdk_config};
use egress::config::Config;
use jiff::Timestamp;
use lambda_runtime::{LambdaEvent, run, service_fn, tracing};
use requests::{Requests, RequestsError};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    tracing::init_default_subscriber();
    let env = |name: &str| std::env::var(name).with_context(|| format!("the environment lacks {name}"));
    let (bus, table) = (env("EVENT_BUS_NAME")?, env("TABLE_NAME")?);
    let (rule_group, firewall) = (env("GRANT_RULE_GROUP_ARN")?, env("FIREWALL_ARN")?);
    let sdk = sdk_config().await;
    let requests = Requests {
        firewall: NetworkFirewall::new(aws_sdk_networkfirewall::Client::new(&sdk), rule_group, firewall),
        ledger: DynamoLedger::new(aws_sdk_dynamodb::Client::new(&sdk), table),
        bus: EventBridgeBus::new(aws_sdk_eventbridge::Client::new(&sdk), bus),
        config: Config::from_env()?,
        now: Timestamp::now,
        jitter: fastrand::f64,
    };
    let requests = &requests;
    run(service_fn(move |event: LambdaEvent<Value>| async move {
        requests.handle(event.payload).await.inspect_err(|error: &RequestsError| {
            tracing::error!(%error, request_id = event.context.request_id, "the event was not worked off");
        })
    }))
    .await
}
