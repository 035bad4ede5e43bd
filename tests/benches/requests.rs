//! The function that decides as a whole process, with 10,000 live grants in the local AWS: how long it takes to
//! its first poll, and what a tick takes of time and memory.

#![expect(clippy::unwrap_used, reason = "a benchmark that can't be set up has nothing to measure")]

use std::process::Command;

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use aws_sdk_networkfirewall::types::{RuleGroup, RuleGroupType, RuleOrder, RulesSource, StatefulRuleOptions};
use egress::aws::DynamoLedger;
use egress::events::{DomainRequested, VERSION};
use egress::ledger::{Ledger, Transition};
use egress::lifecycle::{self, Rulebook};
use jiff::Timestamp;
use serde_json::json;
use tests::function::{Function, built};
use tests::local_aws::LocalAws;
use tokio::task::JoinSet;

const GRANTS: usize = 10_000;
const DOMAINS: usize = 2_000;
const TICKS: usize = 3;
/// The function's budget, in kB.
const MOST_MEMORY: u64 = 64 * 1024;

#[tokio::main]
async fn main() {
    let aws = LocalAws::start().await.unwrap();
    let group = rule_group(&aws).await;
    fill(&aws).await;
    let mut function = Function::start(requests(&aws, &group)).await.unwrap();
    println!("start to the first poll: {} ms", function.start.as_millis());
    let mut before = function.cpu().unwrap();
    for tick in 1..=TICKS {
        let event = json!({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}});
        let (_, took) = function.handle(event).await.unwrap();
        let now = function.cpu().unwrap();
        let cpu = now.saturating_sub(before).as_millis();
        println!("tick {tick}: {cpu} ms of CPU, {} ms in all", took.as_millis());
        before = now;
    }
    let memory = function.memory().unwrap();
    println!("memory at most: {memory} kB of {MOST_MEMORY}");
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

/// The function, as this profile has built it.
fn requests(aws: &LocalAws, group: &str) -> Command {
    let mut command = Command::new(built("requests").unwrap());
    command
        .envs(aws.environment())
        .env("EVENT_BUS_NAME", "bus")
        .env("TABLE_NAME", "ledger")
        .env("PROJECT_NAME", "bench")
        .env("GRANT_RULE_GROUP_ARNS", group)
        .env("FIREWALL_ARN", "arn:aws:network-firewall:us-east-1:000000000000:firewall/none")
        .env("LAMBDA_TASK_ROOT", concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/config/"));
    command
}
