//! Wires the function: the environment into types, clients, run.

use anyhow::Context;
use egress::aws::{DynamoLedger, EventBridgeBus, NetworkFirewall, sdk_config};
use egress::lifecycle::Rulebook;
use jiff::Timestamp;
use lambda_runtime::{LambdaEvent, run, service_fn, tracing};
use requests::{Outcome, Requests, RequestsError, metrics};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    tracing::init_default_subscriber();
    let env = |name: &str| std::env::var(name).with_context(|| format!("the environment lacks {name}"));
    let (bus, table, project) = (env("EVENT_BUS_NAME")?, env("TABLE_NAME")?, env("PROJECT_NAME")?);
    let (groups, firewall) = (env("GRANT_RULE_GROUP_ARNS")?, env("FIREWALL_ARN")?);
    let groups: Vec<String> = groups.split(',').map(|arn| arn.trim().to_owned()).collect();
    let sdk = sdk_config().await;
    let requests = Requests {
        firewall: NetworkFirewall::new(aws_sdk_networkfirewall::Client::new(&sdk), groups, firewall),
        ledger: DynamoLedger::new(aws_sdk_dynamodb::Client::new(&sdk), table),
        bus: EventBridgeBus::new(aws_sdk_eventbridge::Client::new(&sdk), bus),
        rulebook: Rulebook::from_env()?,
        now: Timestamp::now,
        jitter: fastrand::f64,
    };
    let (requests, project) = (&requests, project.as_str());
    run(service_fn(move |event: LambdaEvent<Value>| async move {
        let (handled, figures): (Result<Outcome, RequestsError>, _) =
            requests.handle_and_count(event.payload).await;
        for line in metrics::lines(&figures, project, Timestamp::now()) {
            println!("{line}");
        }
        handled.inspect_err(|error| tracing::error!(%error, "the event was not worked off"))
    }))
    .await
}
