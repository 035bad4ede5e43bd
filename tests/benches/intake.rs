//! The function that takes webhooks as a whole process: how long it takes to its first poll, beside a Python function
//! that imports boto3, in the same run; and what a webhook takes of time and memory once it is warm.

#![expect(clippy::unwrap_used, reason = "a benchmark that can't be set up has nothing to measure")]

use std::process::Command;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::Sha256;
use tests::function::{Function, built, median, starts};
use tests::local_aws::LocalAws;

const STARTS: usize = 15;
const WEBHOOKS: u32 = 300;
/// The function's budgets: of its own time for a webhook, and of memory in kB.
const MOST_TIME: Duration = Duration::from_millis(50);
const MOST_MEMORY: u64 = 64 * 1024;
/// A Python function's start may be so many times ours, at least.
const LEAST_RATIO: f64 = 10.0;

#[tokio::main]
async fn main() {
    let aws = LocalAws::start().await.unwrap();
    let secret = secret(&aws).await;
    let (ours, theirs) = starts(STARTS, || intake(&aws, &secret), &aws).await.unwrap();
    let ratio = theirs.as_secs_f64() / ours.as_secs_f64();
    println!(
        "start to the first poll, median of {STARTS}: {ours:.1?}; a Python function with boto3: {theirs:.1?}, {ratio:.0} times"
    );

    let mut function = Function::start(intake(&aws, &secret)).await.unwrap();
    function.handle(webhook(0)).await.unwrap();
    let before = function.cpu().unwrap();
    let mut took = Vec::new();
    for delivery in 1..=WEBHOOKS {
        let (answer, time) = function.handle(webhook(delivery)).await.unwrap();
        assert_eq!(answer.get("statusCode"), Some(&json!(202)), "{answer}");
        took.push(time);
    }
    let cpu = function.cpu().unwrap().saturating_sub(before) / WEBHOOKS;
    let memory = function.memory().unwrap();
    println!(
        "a webhook when warm, of {WEBHOOKS}: {cpu:.1?} of CPU, {:.1?} in all with the local bus (median)",
        median(took)
    );
    println!("memory at most: {memory} kB of {MOST_MEMORY}");
    assert!(ratio >= LEAST_RATIO && cpu < MOST_TIME && memory < MOST_MEMORY);
}

/// The secret of the webhooks; its ARN.
async fn secret(aws: &LocalAws) -> String {
    let client = aws_sdk_secretsmanager::Client::new(&aws.sdk_config());
    client.create_secret().name("webhook").secret_string("a secret").send().await.unwrap().arn.unwrap()
}

fn intake(aws: &LocalAws, secret: &str) -> Command {
    let mut command = Command::new(built("intake").unwrap());
    command
        .envs(aws.environment())
        .env("EVENT_BUS_NAME", "default")
        .env("WEBHOOK_SECRET_ARN", secret)
        .env("LAMBDA_TASK_ROOT", concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/config/"));
    command
}

/// A signed webhook, as a function URL hands it on.
fn webhook(delivery: u32) -> Value {
    let body = json!({
        "action": "request", "requester": "alice@example.com", "domains": [format!("host-{delivery}.example.com")],
        "justification": "the benchmark",
    });
    let (body, time) = (body.to_string(), Timestamp::now().as_second());
    let mut mac = Hmac::<Sha256>::new_from_slice(b"a secret").unwrap();
    mac.update(format!("{time}.bench-{delivery}.{body}").as_bytes());
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": "/webhook", "rawQueryString": "",
        "headers": {
            "content-type": "application/json", "host": "x.lambda-url.us-east-1.on.aws",
            "x-egress-timestamp": time.to_string(), "x-egress-delivery": format!("bench-{delivery}"),
            "x-egress-signature": format!("v1={}", hex::encode(mac.finalize().into_bytes())),
        },
        "requestContext": {
            "accountId": "anonymous", "apiId": "x", "domainName": "x.lambda-url.us-east-1.on.aws", "domainPrefix": "x",
            "http": {"method": "POST", "path": "/webhook", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "bench"},
            "requestId": "1", "routeKey": "$default", "stage": "$default", "time": "28/Nov/2026:07:00:00 +0000", "timeEpoch": 0,
        },
        "body": body, "isBase64Encoded": false,
    })
}
