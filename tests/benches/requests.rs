//! The function that decides as a whole process, with 10,000 live grants in the local AWS: how long it takes to
//! its first poll, and what a tick takes of time and memory.

#![expect(clippy::unwrap_used, reason = "a benchmark that can't be set up has nothing to measure")]

use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use aws_sdk_networkfirewall::types::{RuleGroup, RuleGroupType, RuleOrder, RulesSource, StatefulRuleOptions};
use egress::aws::DynamoLedger;
use egress::events::{DomainRequested, VERSION};
use egress::ledger::{Ledger, Transition};
use egress::lifecycle::{self, Rulebook};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tests::local_aws::LocalAws;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

const GRANTS: usize = 10_000;
const DOMAINS: usize = 2_000;
const TICKS: usize = 3;
/// The function's budget, in kB.
const MOST_MEMORY: u64 = 64 * 1024;
const TICK: &str = r#"{"source":"aws.events","detail-type":"Scheduled Event","detail":{}}"#;

/// What the function does at its runtime API.
#[derive(Debug)]
enum Seen {
    Polled,
    Answered(bool),
}

#[tokio::main]
async fn main() {
    let aws = LocalAws::start().await.unwrap();
    let group = rule_group(&aws).await;
    fill(&aws).await;
    let (ticks, polls) = mpsc::channel(1);
    let (says, mut seen) = mpsc::unbounded_channel();
    let api = runtime_api(polls, says).await;
    let started = Instant::now();
    let mut function = start(&aws, &group, &api);
    assert!(matches!(seen.recv().await, Some(Seen::Polled)));
    println!("start to the first poll: {} ms", started.elapsed().as_millis());
    let mut before = cpu(&function);
    for tick in 1..=TICKS {
        let began = Instant::now();
        ticks.send(()).await.unwrap();
        assert!(matches!(seen.recv().await, Some(Seen::Answered(true))), "the tick failed");
        let (now, took) = (cpu(&function), began.elapsed().as_millis());
        println!("tick {tick}: {} ms of CPU, {took} ms in all", now.saturating_sub(before).as_millis());
        before = now;
        assert!(matches!(seen.recv().await, Some(Seen::Polled)));
    }
    let memory = status(&function, "VmHWM:");
    println!("memory at most: {memory} kB of {MOST_MEMORY}");
    function.kill().unwrap();
    function.wait().unwrap();
    assert!(memory < MOST_MEMORY);
}

async fn rule_group(aws: &LocalAws) -> String {
    let client = aws_sdk_networkfirewall::Client::new(&aws.sdk_config());
    let options = StatefulRuleOptions::builder().rule_order(RuleOrder::StrictOrder).build();
    let source = RulesSource::builder().rules_string(egress::rules::no_grants()).build();
    let group = RuleGroup::builder().rules_source(source).stateful_rule_options(options).build();
    let request = client.create_rule_group().rule_group_name("grants").r#type(RuleGroupType::Stateful);
    let answer = request.capacity(30_000).rule_group(group).send().await.unwrap();
    answer.rule_group_response.unwrap().rule_group_arn
}

/// A table with all grants, each by its own request.
async fn fill(aws: &LocalAws) {
    let client = aws_sdk_dynamodb::Client::new(&aws.sdk_config());
    let mut table = client.create_table().table_name("ledger").billing_mode(BillingMode::PayPerRequest);
    for (name, kind) in [("pk", KeyType::Hash), ("sk", KeyType::Range)] {
        let attribute = AttributeDefinition::builder().attribute_name(name);
        table = table
            .attribute_definitions(attribute.attribute_type(ScalarAttributeType::S).build().unwrap())
            .key_schema(KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap());
    }
    table.send().await.unwrap();
    let ledger = DynamoLedger::new(client, "ledger".to_owned());
    let (rulebook, now) = (rulebook(), Timestamp::now());
    let mut writing = JoinSet::new();
    for place in 0..GRANTS {
        let (ledger, transition) = (ledger.clone(), granted(place, &rulebook, now));
        writing.spawn(async move { ledger.commit(&transition).await.unwrap() });
        if writing.len() >= 16 {
            writing.join_next().await.unwrap().unwrap();
        }
    }
    writing.join_all().await;
}

fn rulebook() -> Rulebook {
    Rulebook {
        config: egress::config::Config::parse(include_str!("../../infra/config/egress.toml")).unwrap(),
        policy: egress::policy::Policy::parse(include_str!("../../infra/config/policy.cedar")).unwrap(),
    }
}

/// A request for a preset, which is approved at once, with another domain; nothing of it waits to be told.
fn granted(place: usize, rulebook: &Rulebook, now: Timestamp) -> Transition {
    let asked = DomainRequested {
        version: VERSION,
        message_key: format!("bench:{place}"),
        requester: format!("person-{}@example.com", place % 500),
        domains: Vec::new(),
        preset: Some("pypi".to_owned()),
        justification: "the benchmark".to_owned(),
        ticket: None,
        duration_seconds: None,
        break_glass: None,
        reply_to: None,
    };
    let mut transition = lifecycle::draft(&asked, rulebook, now).open(now).unwrap();
    let domain = format!("host-{}.department.example.com", place % DOMAINS).parse().unwrap();
    transition.request.domains = vec![domain];
    transition.outbox.clear();
    let live = transition.live.as_mut().unwrap();
    live.domains.clone_from(&transition.request.domains);
    live.active = true;
    transition
}

/// Lambda's runtime API, as far as a function needs it
/// (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>); its host and port.
async fn runtime_api(ticks: mpsc::Receiver<()>, says: mpsc::UnboundedSender<Seen>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let ticks = Arc::new(Mutex::new(ticks));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (ticks, says) = (Arc::clone(&ticks), says.clone());
            let service = service_fn(move |request| answer(request, Arc::clone(&ticks), says.clone()));
            let connection = hyper::server::conn::http1::Builder::new();
            tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
        }
    });
    address
}

async fn answer(
    request: Request<Incoming>,
    ticks: Arc<Mutex<mpsc::Receiver<()>>>,
    says: mpsc::UnboundedSender<Seen>,
) -> Result<Response<Full<Bytes>>, hyper::http::Error> {
    if request.method() == Method::POST {
        says.send(Seen::Answered(request.uri().path().ends_with("/response"))).unwrap();
        return Response::builder().status(202).body(Full::default());
    }
    says.send(Seen::Polled).unwrap();
    ticks.lock().await.recv().await;
    let deadline = Timestamp::now().as_millisecond() + 300_000;
    Response::builder()
        .header("lambda-runtime-aws-request-id", "00000000-0000-4000-8000-000000000001")
        .header("lambda-runtime-deadline-ms", deadline)
        .header(
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:us-east-1:000000000000:function:requests",
        )
        .body(Full::from(TICK))
}

/// The function, as this profile has built it.
fn start(aws: &LocalAws, group: &str, api: &str) -> Child {
    let mut binary: PathBuf = std::env::current_exe().unwrap();
    binary.pop();
    binary.pop();
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/config/");
    Command::new(binary.join("requests"))
        .envs(aws.environment())
        .env("AWS_LAMBDA_RUNTIME_API", api)
        .env("AWS_LAMBDA_FUNCTION_NAME", "requests")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
        .env("EVENT_BUS_NAME", "bus")
        .env("TABLE_NAME", "ledger")
        .env("PROJECT_NAME", "bench")
        .env("GRANT_RULE_GROUP_ARNS", group)
        .env("FIREWALL_ARN", "arn:aws:network-firewall:us-east-1:000000000000:firewall/none")
        .env("LAMBDA_TASK_ROOT", config)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap()
}

/// A line of the process's status, in kB.
fn status(function: &Child, line: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", function.id())).unwrap();
    let value = status.lines().find_map(|status| status.strip_prefix(line)).unwrap();
    value.trim().trim_end_matches(" kB").parse().unwrap()
}

/// The CPU time that the process has taken: hundredths of a second (`proc_pid_stat(5)`, fields 14 and 15).
fn cpu(function: &Child) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", function.id())).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields.iter().skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum();
    Duration::from_millis(10 * ticks)
}
