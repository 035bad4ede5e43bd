//! `requests`: from a decision to the firewall, and what people ask.

use anyhow::ensure;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_networkfirewall::types::{
    GeneratedRulesType, RuleGroup, RuleGroupType, RuleOrder, RulesSource, RulesSourceList,
    StatefulRuleOptions, TargetType,
};
use egress::request::RequestId;
use jiff::Timestamp;
use serde_json::{Value, json};
use tests::stage::{Deployed, Stage};

use crate::trial::Trial;

pub(crate) async fn does_nothing_without(
    trial: &mut Trial<'_>,
    alerts: &Trial<'_>,
    stage: &Stage,
    deployed: &Deployed,
) -> anyhow::Result<()> {
    let opened = async |trial: &Trial<'_>, run: String| taken(trial.invoke(&asks(&run)).await?);
    trial.logs_nothing_without(&["Log logs:CreateLogStream", "Log logs:PutLogEvents"], opened).await?;
    trial
        .without(
            &[
                "ReadItems dynamodb:GetItem request#*",
                "ReadPartitions dynamodb:Query live",
                "Write dynamodb:PutItem request#*",
                "Write dynamodb:PutItem message#*",
                "Write dynamodb:PutItem live",
                "Write dynamodb:PutItem deadline",
                "Write dynamodb:PutItem outbox",
                "Finish dynamodb:DeleteItem outbox",
                "Grants network-firewall:UpdateRuleGroup",
                "RuleGroups network-firewall:DescribeRuleGroup",
                "Firewall network-firewall:DescribeFirewall",
                "Publish events:PutEvents",
            ],
            opened,
        )
        .await?;
    answers_nothing_without(trial).await?;
    ends_nothing_without(trial, alerts, deployed, stage).await?;
    trial.sends_no_dead_letters_without("DeadLetters sqs:SendMessage").await?;
    // Beside somebody else's firewall the group is their list.
    becomes_a_list(stage, deployed.output("GrantRuleGroupArn")?).await?;
    trial.without(&["ReadItems dynamodb:GetItem rule-group", "OwnTargets dynamodb:UpdateItem"], opened).await
}

/// What people ask, and what changes no grant.
async fn answers_nothing_without(trial: &mut Trial<'_>) -> anyhow::Result<()> {
    let unused = async |trial: &Trial<'_>, run: String| {
        taken(trial.invoke(&question(&run, &json!({"kind": "list", "which": "unused"}))).await?)
    };
    let logging = "Firewall network-firewall:DescribeLoggingConfiguration";
    trial.without(&["ReadManyItems dynamodb:BatchGetItem", logging], unused).await?;
    let why = async |trial: &Trial<'_>, run: String| {
        taken(trial.invoke(&question(&run, &json!({"kind": "why", "host": "github.com"}))).await?)
    };
    let policy = "Policy network-firewall:DescribeFirewallPolicy";
    let reads = ["ReadPartitions dynamodb:Query blocked#*", "ReadPartitions dynamodb:Query deadline", policy];
    trial.without(&reads, why).await?;
    let status = async |trial: &Trial<'_>, run: String| {
        trial.invoke(&asks(&run)).await?;
        let status = json!({"kind": "status", "request_id": RequestId::of_message(&run)});
        taken(trial.invoke(&question(&format!("{run}-status"), &status)).await?)
    };
    trial.without(&["ReadPartitions dynamodb:Query request#*"], status).await?;
    let silenced = async |trial: &Trial<'_>, run: String| {
        let detail =
            json!({"version": 1, "message_key": run, "by": "bob@example.com", "domain": "noisy.example"});
        taken(trial.invoke(&event("AlertsSilenced", &detail)).await?)
    };
    trial.without(&["Write dynamodb:PutItem silence"], silenced).await?;
    let malformed = async |trial: &Trial<'_>, run: String| {
        trial.invoke(&event("DomainRequested", &json!({"message_key": run}))).await
    };
    trial.without(&["Write dynamodb:PutItem refused#*"], malformed).await
}

/// What ends, and what the clock does.
async fn ends_nothing_without(
    trial: &mut Trial<'_>,
    alerts: &Trial<'_>,
    deployed: &Deployed,
    stage: &Stage,
) -> anyhow::Result<()> {
    let cut = async |trial: &Trial<'_>, run: String| {
        trial.invoke(&asks(&run)).await?;
        let id = RequestId::of_message(&run);
        // More connections than one operation takes.
        let lines: Vec<String> = (100..122).map(|host| used(&id, host)).collect();
        alerts.invoke(&crate::alerts::delivery(&run, &lines)?).await?;
        let detail = json!({
            "version": 1, "message_key": format!("{run}-end"), "request_id": id, "by": "bob@example.com", "reason": "a story",
        });
        taken(trial.invoke(&event("GrantRevoked", &detail)).await?)
    };
    trial
        .without(
            &[
                "Write dynamodb:PutItem cut",
                "Finish dynamodb:DeleteItem live",
                "Finish dynamodb:DeleteItem deadline",
                "ReadPartitions dynamodb:Query use#*",
                "Firewall network-firewall:StartFlowFlush",
                "Firewall network-firewall:DescribeFlowOperation",
            ],
            cut,
        )
        .await?;
    let client = aws_sdk_dynamodb::Client::new(&stage.aws.sdk_config());
    let table = deployed.output("TableName")?;
    let tick = async |trial: &Trial<'_>, run: String| {
        // What ended so long ago that nothing more is logged of it.
        let id = RequestId::of_message(&run).to_string();
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let body = [("request_id", text(&id)), ("at", text("2026-05-14T09:15:00Z"))];
        let body = AttributeValue::M(body.map(|(name, value)| (name.to_owned(), value)).into());
        let put = client.put_item().table_name(table).item("pk", text("cut")).item("sk", text(&id));
        put.item("body", body).send().await?;
        trial.invoke(&json!({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}})).await
    };
    trial
        .without(
            &[
                "ReadPartitions dynamodb:Query outbox",
                "ReadPartitions dynamodb:Query cut",
                "Finish dynamodb:DeleteItem cut",
            ],
            tick,
        )
        .await
}

/// What was answered, unless the event was refused as malformed: then the story is wrong.
fn taken(answer: String) -> anyhow::Result<String> {
    let outcome: Value = serde_json::from_str(&answer).unwrap_or_default();
    ensure!(outcome["refused"].is_null(), "{answer}");
    Ok(answer)
}

fn event(detail_type: &str, detail: &Value) -> Value {
    json!({"source": "egress.intake", "detail-type": detail_type, "detail": detail})
}

/// What a policy approves at once.
fn asks(run: &str) -> Value {
    let detail = json!({
        "version": 1, "message_key": run, "requester": "alice@example.com", "preset": "pypi", "justification": "scikit-learn",
    });
    event("DomainRequested", &detail)
}

fn question(run: &str, question: &Value) -> Value {
    let detail = json!({"version": 1, "message_key": run, "by": "bob@example.com", "question": question});
    event("QuestionAsked", &detail)
}

/// What the firewall logs of a connection that a grant let pass, from a host and to one that nobody else has.
pub(crate) fn used(id: &RequestId, host: u8) -> String {
    let now = Timestamp::now();
    json!({
        "firewall_name": "by-hand", "availability_zone": "us-east-1a", "event_timestamp": now.as_second().to_string(),
        "event": {
            "timestamp": now.strftime("%Y-%m-%dT%H:%M:%S.000000+0000").to_string(), "flow_id": 1,
            "event_type": "alert", "proto": "TCP", "src_ip": format!("10.2.3.{host}"), "src_port": 40_000,
            "dest_ip": format!("203.0.113.{host}"), "dest_port": 443, "app_proto": "tls", "tls": {"sni": "pypi.org"},
            "alert": {"action": "allowed", "signature_id": 1, "signature": "grant", "metadata": {"grant": [id]}},
            "verdict": {"action": "pass"},
        },
    })
    .to_string()
}

async fn becomes_a_list(stage: &Stage, arn: &str) -> anyhow::Result<()> {
    let client = aws_sdk_networkfirewall::Client::new(&stage.aws.sdk_config());
    let group = client.describe_rule_group().rule_group_arn(arn).send().await?;
    let list = RulesSourceList::builder()
        .targets("theirs.example")
        .target_types(TargetType::TlsSni)
        .target_types(TargetType::HttpHost)
        .generated_rules_type(GeneratedRulesType::Allowlist)
        .build()?;
    let rules = RuleGroup::builder()
        .rules_source(RulesSource::builder().rules_source_list(list).build())
        .stateful_rule_options(StatefulRuleOptions::builder().rule_order(RuleOrder::StrictOrder).build());
    let update = client.update_rule_group().rule_group_arn(arn).r#type(RuleGroupType::Stateful);
    update.update_token(group.update_token()).rule_group(rules.build()).send().await?;
    Ok(())
}
