//! Wires the function: the environment into types, clients, run.

use alerts::dead_letters::SqsDeadLetters;
use alerts::dynamodb::DynamoStore;
use alerts::owners::{Ec2Owners, Place};
use alerts::security_hub::SecurityHub;
use alerts::{Alerts, AlertsError};
use anyhow::Context;
use aws_config::SdkConfig;
use egress::aws::ec2::Ec2;
use egress::aws::signed::Signed;
use egress::aws::{EventBridgeBus, S3, sdk_config};
use egress::config::Config;
use jiff::Timestamp;
use lambda_runtime::{LambdaEvent, service_fn, tracing};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    tracing::init_default_subscriber();
    let project = &variable("PROJECT_NAME")?;
    let alerts = &wire(project).await?;
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| async move {
        let now = Timestamp::now();
        let handled = alerts.handle(event.payload, now).await.inspect_err(|error: &AlertsError| {
            tracing::error!(%error, "the event was not worked off");
        });
        handled.map(|figures| figures.lines(project, now).iter().for_each(|line| println!("{line}")))
    }))
    .await
}

type Wired = Alerts<DynamoStore, EventBridgeBus, Ec2Owners<Ec2, DynamoStore>, SqsDeadLetters, S3>;

async fn wire(project: &str) -> anyhow::Result<Wired> {
    let config = Config::from_env()?;
    let table = variable("TABLE_NAME")?;
    let bus = variable("EVENT_BUS_NAME")?;
    let place = Place::new(&variable("VPC_ID")?, &variable("FIREWALL_PLACEMENT")?)?;
    let sdk = sdk_config().await;
    let signed = Signed::new(&sdk);
    let store = DynamoStore::new(aws_sdk_dynamodb::Client::new(&sdk), table);
    Ok(Alerts {
        config,
        bus: EventBridgeBus::new(aws_sdk_eventbridge::Client::new(&sdk), bus),
        owners: Ec2Owners::new(place, Ec2::new(signed.clone()), store.clone(), fastrand::f64),
        files: S3::new(signed),
        store,
        dead_letters: SqsDeadLetters::new(aws_sdk_sqs::Client::new(&sdk), variable("DEAD_LETTER_QUEUE_URL")?),
        security_hub: security_hub(&sdk, project)?,
        jitter: fastrand::f64,
    })
}

fn security_hub(sdk: &SdkConfig, project: &str) -> anyhow::Result<Option<SecurityHub>> {
    let (which, product) = (variable("SECURITY_HUB")?, variable("SECURITY_HUB_PRODUCT_ARN")?);
    Ok(SecurityHub::new(Signed::new(sdk), &which, &product, project)?)
}

fn variable(name: &'static str) -> anyhow::Result<String> {
    std::env::var(name).with_context(|| format!("the environment variable {name} must be set"))
}
