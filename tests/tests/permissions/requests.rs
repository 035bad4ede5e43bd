//! `requests`: from a decision to the firewall, and what people ask.

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
    let opened = async |trial: &Trial<'_>, run: String| trial.invoke(&asks(&run)).await;
    trial.logs_nothing_without(&["Log logs:CreateLogStream", "Log logs:PutLogEvents"], opened).await?;
    trial
        .without(
            &[
                "ReadItems dynamodb:GetItem",
                "ReadPartitions dynamodb:Query",
                "Write dynamodb:PutItem",
                "Finish dynamodb:DeleteItem",
                "Grants network-firewall:UpdateRuleGroup",
                "RuleGroups network-firewall:DescribeRuleGroup",
                "Firewall network-firewall:DescribeFirewall",
                "Publish events:PutEvents",
            ],
            opened,
        )
        .await?;
    let unused = async |trial: &Trial<'_>, run: String| {
        trial.invoke(&question(&run, &json!({"kind": "list", "which": "unused"}))).await
    };
    let why = async |trial: &Trial<'_>, run: String| {
        trial.invoke(&question(&run, &json!({"kind": "why", "host": "github.com"}))).await
    };
    trial
        .without(
            &[
                "ReadManyItems dynamodb:BatchGetItem",
                "Firewall network-firewall:DescribeLoggingConfiguration",
            ],
            unused,
        )
        .await?;
    trial.without(&["Policy network-firewall:DescribeFirewallPolicy"], why).await?;
    let cut = async |trial: &Trial<'_>, run: String| {
        trial.invoke(&asks(&run)).await?;
        let id = RequestId::of_message(&run);
        // More connections than one operation takes.
        let lines: Vec<String> = (100..122).map(|host| used(&id, host)).collect();
        alerts.invoke(&crate::alerts::delivery(&run, &lines)?).await?;
        let detail = json!({"version": 1, "message_key": format!("{run}-end"), "request_id": id, "by": "bob@example.com", "reason": "a story"});
        trial.invoke(&event("GrantRevoked", &detail)).await
    };
    trial
        .without(
            &["Firewall network-firewall:StartFlowFlush", "Firewall network-firewall:DescribeFlowOperation"],
            cut,
        )
        .await?;
    trial.sends_no_dead_letters_without("DeadLetters sqs:SendMessage").await?;
    // Beside somebody else's firewall the group is their list.
    becomes_a_list(stage, deployed.output("GrantRuleGroupArn")?).await?;
    trial.without(&["OwnTargets dynamodb:UpdateItem"], opened).await
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
fn used(id: &RequestId, host: u8) -> String {
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
