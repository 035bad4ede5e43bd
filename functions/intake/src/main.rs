//! Wires the function: the environment into types, clients, run. It is deployed twice: at a URL, and, where
//! `PARTNER_ADAPTER` is set, behind a partner's bus.

use std::convert::Infallible;
use std::env;

use anyhow::Context as _;
use egress::aws::{EventBridgeBus, sdk_config};
use egress::config::Config;
use intake::partner::{Partner, PartnerError};
use intake::secrets::SecretsManager;
use intake::{Intake, Keys};
use jiff::Timestamp;
use lambda_http::{LambdaEvent, Request, lambda_runtime, service_fn, tracing};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    tracing::init_default_subscriber();
    let config = Config::from_env()?;
    let sdk = sdk_config().await;
    let bus = EventBridgeBus::new(aws_sdk_eventbridge::Client::new(&sdk), needed("EVENT_BUS_NAME")?);
    if let Some(adapter) = given("PARTNER_ADAPTER") {
        return hear(&Partner::new(bus, config, &adapter)?).await;
    }
    let client = aws_sdk_secretsmanager::Client::new(&sdk);
    let secret = |arn: String| SecretsManager::new(client.clone(), arn);
    let keys = Keys {
        webhook: secret(needed("WEBHOOK_SECRET_ARN")?),
        slack: given("SLACK_SECRET_ARN").map(secret),
        slack_token: given("SLACK_TOKEN_SECRET_ARN").map(secret),
        teams: given("TEAMS_SECRET_ARN").map(secret),
        tickets: given("TICKET_SECRETS_ARN").map(secret),
    };
    let intake = &Intake::new(bus, keys, config)?;
    let handle =
        |request: Request| async { Ok::<_, Infallible>(intake.handle(request, Timestamp::now()).await) };
    lambda_http::run(service_fn(handle)).await
}

async fn hear(partner: &Partner<EventBridgeBus>) -> Result<(), lambda_http::Error> {
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| async move {
        partner.handle(event.payload, Timestamp::now()).await.inspect_err(|error: &PartnerError| {
            tracing::error!(%error, "an event had no effect");
        })
    }))
    .await
}

/// A variable that is set, and not to nothing.
fn given(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn needed(name: &str) -> anyhow::Result<String> {
    given(name).with_context(|| format!("{name} is not set: the template sets it"))
}
