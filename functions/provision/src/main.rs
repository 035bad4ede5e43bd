//! Wires the function: the environment into types, clients, run.

use std::env;

use anyhow::Context as _;
use lambda_runtime::{LambdaEvent, service_fn, tracing::subscriber};
use provision::{Endpoint, Provision, log_filter};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    log();
    let config = egress::aws::sdk_config().await;
    config.region().context("AWS_REGION is not set: Lambda sets it")?;
    let provision = &Provision::new(&config, endpoint()?);
    lambda_runtime::run(service_fn(|event: LambdaEvent<_>| provision.handle(event))).await
}

/// What may be answered beside CloudFormation's own bucket: `RESPONSE_ENDPOINT`, else where the SDK is
/// told that all of AWS is.
fn endpoint() -> anyhow::Result<Option<Endpoint>> {
    let set = |name| env::var(name).ok().filter(|value| !value.is_empty()).map(|value| (name, value));
    let Some((name, value)) = set("RESPONSE_ENDPOINT").or_else(|| set("AWS_ENDPOINT_URL")) else {
        return Ok(None);
    };
    Ok(Some(value.parse().with_context(|| format!("{name} can't be used"))?))
}

/// Lines of JSON, of the same shape as those of the other functions.
fn log() {
    let filter =
        subscriber::EnvFilter::new(log_filter(&env::var("AWS_LAMBDA_LOG_LEVEL").unwrap_or_default()));
    subscriber::fmt().json().with_target(false).without_time().with_env_filter(filter).init();
}
