//! Least privilege, shown: on a deployed stack each permission of each function's role is taken in turn, and what the
//! function then says is the proof that it is needed. What nothing fails without is not in the templates.
//!
//! `target/permissions.json` has the table afterwards. What is shown is that the local AWS refuses: its IAM evaluates
//! policies with conditions, and asks for what AWS's references say that a call needs.

#![cfg(test)]

mod alerts;
mod intake;
mod ledger;
mod notify;
mod provision;
mod requests;
mod table;
mod trial;

use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tests::lab::Engine;
use tests::local_aws::Options;
use tests::stage::{Deployed, SLACK_CHANNEL, Stage, TEAMS_CHANNEL};

use trial::{Shown, Trial, roles};

/// So long that no tick comes in between.
const MINUTE: Duration = Duration::from_hours(1);
/// How long the local services take for what takes its time.
const DELAY: Duration = Duration::from_millis(200);

#[tokio::test(flavor = "multi_thread")]
async fn without_one_of_its_permissions_a_function_says_which() -> anyhow::Result<()> {
    // Given a stack in which nothing that has a condition is left out,
    let options = Options { delay: DELAY, minute: MINUTE, enforce_iam: true };
    let stage = Stage::set_with(Engine::Offline, options).await?;
    let outputs = stage.deploy_with(&[("SECURITY_HUB_FINDINGS", "All")]).await?;
    let deployed = Deployed::connect(&stage, outputs).await?;
    stage.opens_a_notebook(&deployed).await?;
    alerts::reads_a_bucket(&stage).await?;
    alerts::somebody_waits(&deployed).await?;
    let project = deployed.output("EventBusName")?.strip_prefix("egress-").context("a project")?.to_owned();
    let roles = roles(&stage.aws).await?;
    let of = |function: &str| Trial::of(&stage, &project, function, &roles);

    // when each permission is taken in turn, then each is missed.
    let firewall = async {
        let (mut alerts, mut requests) = (of("alerts")?, of("requests")?);
        alerts::does_nothing_without(&mut alerts).await?;
        requests::does_nothing_without(&mut requests, &alerts, &stage, &deployed).await?;
        anyhow::Ok([alerts.shown, requests.shown].concat())
    };
    let people = async {
        let (mut intake, mut partner) = (of("intake")?, of("intake-partner")?);
        intake::does_nothing_without(&mut intake, &deployed).await?;
        intake::hears_no_partner_without(&mut partner).await?;
        let mut dispatcher = of("notify")?;
        notify::hands_out_nothing_without(&mut dispatcher).await?;
        let mut shown = [intake.shown, partner.shown, dispatcher.shown].concat();
        for (channel, destinations, own) in channels() {
            let mut trial = of(&format!("notify-{channel}"))?;
            notify::tells_nothing_without(&mut trial, &destinations, own).await?;
            shown.append(&mut trial.shown);
        }
        anyhow::Ok(shown)
    };
    let resources = async {
        let mut trial = of("provision")?;
        provision::does_nothing_without(&mut trial, &stage, &deployed, &project).await?;
        anyhow::Ok(trial.shown)
    };
    let (firewall, people, resources) = tokio::try_join!(firewall, people, resources)?;
    let shown: Vec<Shown> = [firewall, people, resources].concat();

    // And none is left over, in the roles or in the templates.
    table::keep(&shown)?;
    table::nothing_is_left_over(&stage, &project, &roles, &shown).await
}

/// Each channel, where it tells, and what it needs that others don't.
fn channels() -> [(&'static str, Vec<Value>, &'static [&'static str]); 4] {
    let secret = &["Secret secretsmanager:GetSecretValue"];
    let topics = &[
        "Tell sns:Publish :egress-*",
        "Tell sns:Publish :egress-*-chat",
        "Seal kms:Decrypt",
        "Seal kms:GenerateDataKey",
    ];
    let ticket = json!({"ticket": {"adapter": "github", "ticket": "example/studio-egress#9"}});
    [
        ("slack", vec![json!({"slack_channel": SLACK_CHANNEL})], secret),
        ("teams", vec![json!({"teams": TEAMS_CHANNEL})], secret),
        ("tickets", vec![ticket], secret),
        ("topics", vec![json!("mail"), json!("amazon_q")], topics),
    ]
}

/// Runs AWS's own command; what it says.
async fn aws(stage: &Stage, arguments: &[&str]) -> anyhow::Result<String> {
    let mut command = tokio::process::Command::from(stage.aws.command("aws"));
    let output = command.args(arguments).kill_on_drop(true).output().await?;
    ensure!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

/// The stack that has both of these parameters, and fewest others.
async fn stack_with(stage: &Stage, one: &str, other: &str) -> anyhow::Result<Value> {
    let stacks: Value = serde_json::from_str(&aws(stage, &["cloudformation", "describe-stacks"]).await?)?;
    let parameters = |stack: &Value| stack["Parameters"].as_array().cloned().unwrap_or_default();
    let has = |stack: &Value, name: &str| parameters(stack).iter().any(|one| one["ParameterKey"] == name);
    let stacks = stacks["Stacks"].as_array().cloned().unwrap_or_default();
    let found = stacks.into_iter().filter(|stack| has(stack, one) && has(stack, other));
    found
        .min_by_key(|stack| parameters(stack).len())
        .with_context(|| format!("no stack has {one} and {other}"))
}
