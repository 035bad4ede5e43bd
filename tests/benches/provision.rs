//! The custom resources' function as a whole process: how long it takes to its first poll, beside a Python function
//! that imports boto3, in the same run; and what requests take of memory, the policies' validation among them.

#![expect(clippy::unwrap_used, reason = "a benchmark that can't be set up has nothing to measure")]

use std::process::Command;

use serde_json::{Value, json};
use tests::function::{Function, built, median, starts};
use tests::local_aws::{ACCOUNT, LocalAws, REGION};

const STARTS: usize = 15;
const REQUESTS: u32 = 50;
/// The function's budget of memory, in kB.
const MOST_MEMORY: u64 = 96 * 1024;
/// A Python function's start may be so many times ours, at least.
const LEAST_RATIO: f64 = 10.0;

const CONFIG: &str = include_str!("../../infra/config/egress.toml");
const POLICY: &str = include_str!("../../infra/config/policy.cedar");

#[tokio::main]
async fn main() {
    let aws = LocalAws::start().await.unwrap();
    let (ours, theirs) = starts(STARTS, || provision(&aws), &aws).await.unwrap();
    let ratio = theirs.as_secs_f64() / ours.as_secs_f64();
    println!(
        "start to the first poll, median of {STARTS}: {ours:.1?}; a Python function with boto3: {theirs:.1?}, {ratio:.0} times"
    );

    aws_command(&aws, &["s3", "mb", "s3://artefacts"]);
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("egress.toml", CONFIG), ("policy.cedar", POLICY)] {
        let file = folder.path().join(name).display().to_string();
        std::fs::write(&file, text).unwrap();
        aws_command(&aws, &["s3", "cp", &file, &format!("s3://artefacts/{name}")]);
    }
    let mut function = Function::start(provision(&aws)).await.unwrap();
    let config = json!({"Bucket": "artefacts", "ConfigKey": "egress.toml", "PolicyKey": "policy.cedar"});
    let mut took = Vec::new();
    for request in 0..REQUESTS {
        let event = event(&aws, request, "Custom::EgressConfig", &config);
        took.push(function.handle(event).await.unwrap().1);
    }
    println!("a configuration validated when warm, of {REQUESTS}: {:.1?} in all (median)", median(took));
    for request in 0..REQUESTS {
        let group = json!({"RuleGroupName": format!("group-{request}"), "Capacity": "100"});
        function.handle(event(&aws, request, "Custom::GrantRuleGroup", &group)).await.unwrap();
    }
    let memory = function.memory().unwrap();
    println!("memory at most, after {} requests: {memory} kB of {MOST_MEMORY}", 2 * REQUESTS);
    assert!(ratio >= LEAST_RATIO && memory < MOST_MEMORY);
}

fn provision(aws: &LocalAws) -> Command {
    let mut command = Command::new(built("provision").unwrap());
    command.envs(aws.environment());
    command
}

fn aws_command(aws: &LocalAws, arguments: &[&str]) {
    let done = aws.command("aws").args(arguments).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// A Create whose answer goes into the bucket, too.
fn event(aws: &LocalAws, request: u32, resource: &str, properties: &Value) -> Value {
    json!({
        "RequestType": "Create", "RequestId": format!("request-{request}"), "LogicalResourceId": "Bench",
        "ResponseURL": format!("{}/artefacts/answer-{request}", aws.endpoint()), "ResourceType": resource,
        "StackId": format!("arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/bench/1"),
        "ResourceProperties": properties,
    })
}
