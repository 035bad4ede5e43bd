//! Wires the function: the environment into types, clients, run.

use std::convert::Infallible;
use std::env;

use anyhow::Context as _;
use egress::aws::{EventBridgeBus, sdk_config};
use egress::config::Config;
use intake::Intake;
use intake::secrets::SecretsManager;
use jiff::Timestamp;
use lambda_http::{Request, service_fn, tracing};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    tracing::init_default_subscriber();
    let config = sdk_config().await;
    let bus = EventBridgeBus::new(aws_sdk_eventbridge::Client::new(&config), set("EVENT_BUS_NAME")?);
    let client = aws_sdk_secretsmanager::Client::new(&config);
    let secret = |arn: String| SecretsManager::new(client.clone(), arn);
    let intake = Intake::new(bus, secret(set("WEBHOOK_SECRET_ARN")?));
    let intake = match env::var("SLACK_SECRET_ARN").ok().filter(|arn| !arn.is_empty()) {
        Some(arn) => intake.with_slack(secret(arn), Config::from_env()?),
        None => intake,
    };
    let intake = &intake;
    let handle =
        |request: Request| async { Ok::<_, Infallible>(intake.handle(request, Timestamp::now()).await) };
    lambda_http::run(service_fn(handle)).await
}

fn set(name: &str) -> anyhow::Result<String> {
    env::var(name).with_context(|| format!("{name} is not set: the template sets it"))
}
