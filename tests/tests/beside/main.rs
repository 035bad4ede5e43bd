//! The functions beside a firewall that is there already: `existing.yaml` first, then `make deploy TEMPLATE=automation`
//! with its ARNs, a request, and all of it deleted again. The firewall is of the article's kind: its policy is in action
//! order and has one allow list, in which others have entries too.

#![cfg(test)]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use egress::request::{RequestId, StateName};
use serde_json::{Value, json};
use tests::lab::probe::Probe;
use tests::lab::{Engine, Outcome};
use tests::stage::{Deployed, Stage};

const MINUTE: Duration = Duration::from_secs(2);
const LIMIT: Duration = Duration::from_secs(30);
/// The stack that is there, and the log that its operator has made by hand, as the article says.
const EXISTING: &str = "there-already";
const LOG_GROUP: &str = "firewall-alerts";
/// The rule of a group without grants.
const NOTHING: &str = "pass tls $HOME_NET any -> $EXTERNAL_NET any (tls.sni; content:\"nothing-is-granted.invalid\"; sid:999999;)";
const AUTOMATION: [(&str, &str); 2] = [("TEMPLATE", "automation"), ("APP_STACK_NAME", "studio-egress")];

#[tokio::test(flavor = "multi_thread")]
async fn requests_open_a_firewall_that_is_there_already() -> Result<()> {
    // Given somebody's own firewall, with one list and a log,
    let stage = Stage::set(Engine::detect()?, MINUTE).await?;
    let existing = an_existing_stack(&stage).await?;
    let list_before = list(&stage, &existing).await?;

    // when the functions are deployed beside it, grants are entries of the list;
    let mut deployed = beside(&stage, &existing, &existing["AllowListArn"]).await?;
    a_blocked_connection_is_told(&mut deployed).await?;
    a_request_opens_the_list_and_its_end_closes_it(&stage, &deployed, &existing, &list_before).await?;
    nobody_knows_which_grants_are_used(&mut deployed).await?;
    why_a_host_is_blocked_is_answered(&mut deployed).await?;

    // and with a group of their own in the same policy, they are rules, whose use is known.
    deployed.leave().await?;
    let own = a_group_of_their_own(&stage, &existing).await?;
    let deployed = beside(&stage, &existing, &own).await?;
    let live = a_use_is_known(&deployed).await?;

    // The functions don't go before what they have opened is closed;
    let refused = stage.delete_with(&AUTOMATION).await.err().context("it was deleted")?;
    ensure!(format!("{refused:#}").contains(&format!("{live} would stay open in {own}")), "{refused:#}");
    let over = json!({"action": "revoke", "request_id": live, "by": "bob@example.com", "reason": "we go"});
    deployed.send("beside-7", &over).await?;
    deployed.until(&live, StateName::Ended).await?;
    deployed.without("pypi.org").await?;

    // and when they go, and then the other stack, nothing is left of either.
    deployed.leave().await?;
    stage.delete_with(&AUTOMATION).await?;
    assert_eq!(list(&stage, &existing).await?, list_before);
    logging(&stage, &existing, &json!([])).await?;
    stage.aws_command(&["logs", "delete-log-group", "--log-group-name", LOG_GROUP]).await?;
    stage.aws_command(&["cloudformation", "delete-stack", "--stack-name", EXISTING]).await?;
    until_existing(&stage, &json!([])).await?;
    stage.aws_command(&["network-firewall", "delete-rule-group", "--rule-group-arn", &own]).await?;
    let left = stage.resources().await?;
    ensure!(left.is_empty(), "left behind: {left:?}");
    stage.strike().await
}

async fn a_blocked_connection_is_told(deployed: &mut Deployed) -> Result<()> {
    let probe = Probe::tls_to("github.com", deployed.lab.address("github.com")?);
    // The list has no way to tell a client: it waits for its own time-out.
    assert_eq!(deployed.lab.probe(&probe).await?.outcome, Outcome::TimedOut);
    let alert = deployed.inbox.find(LIMIT, |message| message.text.contains("github.com")).await?;
    assert!(alert.text.contains("blocked"), "{}", alert.text);
    Ok(())
}

async fn a_request_opens_the_list_and_its_end_closes_it(
    stage: &Stage,
    deployed: &Deployed,
    existing: &BTreeMap<String, String>,
    before: &Value,
) -> Result<()> {
    let asked = json!({
        "action": "request", "requester": "dora@example.com", "domains": ["github.com"], "justification": "our model",
        "duration": "1h",
    });
    let id = deployed.send("beside-1", &asked).await?;
    deployed.until(&id, StateName::Pending).await?;
    let yes =
        json!({"action": "decide", "request_id": id, "decision": "approve", "approver": "bob@example.com"});
    deployed.send("beside-2", &yes).await?;
    deployed.until(&id, StateName::Active).await?;
    deployed.in_force().await?;

    // The entry stands beside theirs, all else of the group is as it was, and the connection passes.
    let probe = Probe::tls_to("github.com", deployed.lab.address("github.com")?);
    assert_eq!(deployed.lab.probe(&probe).await?.outcome, Outcome::Answered);
    let mut wanted = before.clone();
    wanted["RulesSource"]["RulesSourceList"]["Targets"] =
        json!([".amazonaws.com", ".kaggle.com", "github.com"]);
    assert_eq!(list(stage, existing).await?, wanted);

    let over =
        json!({"action": "revoke", "request_id": id, "by": "bob@example.com", "reason": "it is cloned"});
    deployed.send("beside-3", &over).await?;
    deployed.until(&id, StateName::Ended).await?;
    deployed.without("github.com").await?;
    assert_eq!(list(stage, existing).await?, *before);
    assert_eq!(deployed.lab.probe(&probe).await?.outcome, Outcome::TimedOut);
    Ok(())
}

async fn nobody_knows_which_grants_are_used(deployed: &mut Deployed) -> Result<()> {
    let unused = json!({"action": "list", "by": "bob@example.com", "which": "unused"});
    deployed.webhook.send("beside-4", &unused).await?;
    let said = "domain list, whose rules log nothing: nobody knows which grants are used";
    deployed.inbox.find(LIMIT, |message| message.text.contains(said)).await?;
    Ok(())
}

async fn why_a_host_is_blocked_is_answered(deployed: &mut Deployed) -> Result<()> {
    let why = json!({"action": "why", "by": "dora@example.com", "host": "nothing.example.org"});
    deployed.webhook.send("beside-5", &why).await?;
    let answer = deployed.inbox.find(LIMIT, |message| message.text.contains("nothing.example.org")).await?;
    assert!(answer.text.contains("nothing allows it"), "{}", answer.text);
    Ok(())
}

async fn a_use_is_known(deployed: &Deployed) -> Result<RequestId> {
    let asked = json!({
        "action": "request", "requester": "dora@example.com", "preset": "pypi", "justification": "scikit-learn",
    });
    let id = deployed.send("beside-6", &asked).await?;
    deployed.until(&id, StateName::Active).await?;
    deployed.in_force().await?;
    let probe = Probe::tls_to("pypi.org", deployed.lab.address("pypi.org")?);
    assert_eq!(deployed.lab.probe(&probe).await?.outcome, Outcome::Answered);
    deployed.used(&id).await?;
    Ok(id)
}

/// Deploys the functions beside the stack, with a rule group for the grants.
async fn beside(stage: &Stage, existing: &BTreeMap<String, String>, grants: &str) -> Result<Deployed> {
    let given = [
        ("FIREWALL_ARN", existing["FirewallArn"].as_str()),
        ("GRANT_RULE_GROUP_ARNS", grants),
        ("ALERT_LOG_GROUP_NAME", LOG_GROUP),
        ("VPC_ID", &existing["VPCId"]),
        ("FIREWALL_PLACEMENT", "AfterNATGateway"),
    ];
    let mut outputs = stage.deploy_with(&[&AUTOMATION[..], &given].concat()).await?;
    outputs.insert("FirewallArn".to_owned(), existing["FirewallArn"].clone());
    outputs.insert("GrantRuleGroupArn".to_owned(), grants.to_owned());
    outputs.insert("AlertLogGroupName".to_owned(), LOG_GROUP.to_owned());
    Deployed::connect(stage, outputs).await
}

/// Makes a rule group of Suricata rules, and puts it into the policy as an operator does; its ARN.
async fn a_group_of_their_own(stage: &Stage, existing: &BTreeMap<String, String>) -> Result<String> {
    let create =
        ["network-firewall", "create-rule-group", "--rule-group-name", "egress-grants", "--type", "STATEFUL"];
    let rules = ["--capacity", "200", "--rules", NOTHING, "--query", "RuleGroupResponse.RuleGroupArn"];
    let own: String = serde_json::from_value(stage.aws_answer(&[&create[..], &rules].concat()).await?)?;
    let firewall = &existing["FirewallArn"];
    let arn = [
        "network-firewall",
        "describe-firewall",
        "--firewall-arn",
        firewall,
        "--query",
        "Firewall.FirewallPolicyArn",
    ];
    let arn: String = serde_json::from_value(stage.aws_answer(&arn).await?)?;
    let describe = ["network-firewall", "describe-firewall-policy", "--firewall-policy-arn", &arn];
    let mut answer = stage.aws_answer(&describe).await?;
    let policy = answer.get_mut("FirewallPolicy").context("no policy")?;
    let groups = policy["StatefulRuleGroupReferences"].as_array_mut().context("no groups")?;
    groups.push(json!({"ResourceArn": own}));
    let policy = policy.to_string();
    let token = answer["UpdateToken"].as_str().context("no token")?;
    let update = [
        "network-firewall",
        "update-firewall-policy",
        "--firewall-policy-arn",
        &arn,
        "--update-token",
        token,
    ];
    stage.aws_command(&[&update[..], &["--firewall-policy", &policy]].concat()).await?;
    Ok(own)
}

/// Deploys `existing.yaml`, and switches the log on by hand. The stack's outputs.
async fn an_existing_stack(stage: &Stage) -> Result<BTreeMap<String, String>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/beside/existing.yaml").display().to_string();
    let body = format!("file://{file}");
    let create = ["cloudformation", "create-stack", "--stack-name", EXISTING, "--template-body", &body];
    stage.aws_command(&create).await?;
    until_existing(stage, &json!(["CREATE_COMPLETE"])).await?;
    let query = "Stacks[0].Outputs[].[OutputKey, OutputValue]";
    let describe = ["cloudformation", "describe-stacks", "--stack-name", EXISTING, "--query", query];
    let rows: Vec<(String, String)> = serde_json::from_value(stage.aws_answer(&describe).await?)?;
    let outputs = rows.into_iter().collect();
    stage.aws_command(&["logs", "create-log-group", "--log-group-name", LOG_GROUP]).await?;
    let alerts = json!([{
        "LogType": "ALERT", "LogDestinationType": "CloudWatchLogs", "LogDestination": {"logGroup": LOG_GROUP},
    }]);
    logging(stage, &outputs, &alerts).await?;
    Ok(outputs)
}

/// Waits until the stack has this status; none when it is gone.
async fn until_existing(stage: &Stage, wanted: &Value) -> Result<()> {
    let query = format!("Stacks[?StackName=='{EXISTING}'].StackStatus");
    let started = Instant::now();
    loop {
        let status = stage.aws_answer(&["cloudformation", "describe-stacks", "--query", &query]).await?;
        if status == *wanted {
            return Ok(());
        }
        ensure!(started.elapsed() < LIMIT, "the stack is {status}, and not {wanted}, after {LIMIT:?}");
    }
}

/// Sets the firewall's destinations of logs.
async fn logging(stage: &Stage, existing: &BTreeMap<String, String>, destinations: &Value) -> Result<()> {
    let configuration = json!({"LogDestinationConfigs": destinations}).to_string();
    let arn = &existing["FirewallArn"];
    let update = ["network-firewall", "update-logging-configuration", "--firewall-arn", arn];
    stage.aws_command(&[&update[..], &["--logging-configuration", &configuration]].concat()).await
}

/// The whole rule group with the list, the entries in their order.
async fn list(stage: &Stage, existing: &BTreeMap<String, String>) -> Result<Value> {
    let arn = &existing["AllowListArn"];
    let describe =
        ["network-firewall", "describe-rule-group", "--rule-group-arn", arn, "--query", "RuleGroup"];
    let mut group = stage.aws_answer(&describe).await?;
    let targets = group.pointer_mut("/RulesSource/RulesSourceList/Targets").and_then(Value::as_array_mut);
    targets.context("it is no list")?.sort_by_key(ToString::to_string);
    Ok(group)
}
