//! Wires the function: the environment into types, clients, run.

use std::convert::Infallible;
use std::env;

use anyhow::Context as _;
use egress::aws::{EventBridgeBus, sdk_config};
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
    let intake = &Intake::new(bus, SecretsManager::new(client, set("WEBHOOK_SECRET_ARN")?));
    let handle =
        |request: Request| async { Ok::<_, Infallible>(intake.handle(request, Timestamp::now()).await) };
    lambda_http::run(service_fn(handle)).await
}

fn set(name: &str) -> anyhow::Result<String> {
    env::var(name).with_context(|| format!("{name} is not set: the template sets it"))
}
