//! The story itself.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use egress::ledger::HistoryEntry;
use egress::request::{RequestId, StateName};
use egress::slack::{APPROVE, REQUEST};

use super::chat::Channel;
use super::story::{Observed, Story};
use super::words::{in_words, probe_in_words};
use crate::channels::Seen;
use crate::channels::slack::{Message as Posted, Workspace};
use crate::inbox::Message;
use crate::lab::probe::Probe;
use crate::lab::{GIT_REPOSITORY, Observation, Outcome, PYTHON_PACKAGE, Run, STUDIO};
use crate::stage::{Deployed, SLACK_CHANNEL, Stage};

/// How long a message or a connection may take to come.
const LIMIT: Duration = Duration::from_secs(30);

/// Alice and Bob in Slack.
const ALICE: &str = "U0ALICE";
const BOB: &str = "U0B0B";

/// What the article's own stack has as outputs.
pub const OUTPUTS_OF_THE_ARTICLE: [&str; 11] = [
    "VPCId",
    "S3VPCEndpointId",
    "SageMakerStudioSubnetId",
    "SageMakerStudioSecurityGroupId",
    "SageMakerExecutionRoleArn",
    "KMSKeyEBSArn",
    "KMSKeyS3bucketsArn",
    "SageMakerS3bucketData",
    "SageMakerS3bucketModels",
    "SageMakerStudioDomainId",
    "UserProfileName",
];

/// What the report shows beside the steps.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// From the approver's webhook until a connection passed.
    pub(super) approval_to_first_pass: Option<Duration>,
    /// The grants' rules before the approval, and after it.
    pub(super) rules: [String; 2],
    /// What happened to the request for `.github.com`.
    pub(super) history: Vec<HistoryEntry>,
    /// The alert about pip.
    pub(super) alert: Option<Message>,
    /// What stood in Slack while the request for `.github.com` waited, and at the end.
    pub(super) waiting: Vec<Channel>,
    pub(super) channels: Vec<Channel>,
    /// What was sent past the lists.
    pub(super) probes: Vec<Observation>,
}

/// Tells the story to its end, or to the first step that goes otherwise.
pub(super) async fn tell(stage: &Stage, story: &mut Story, told: &mut Told) -> anyhow::Result<()> {
    let mut deployed = Box::pin(deploy(stage, story)).await?;
    before_any_request(&deployed, story).await?;
    let request = ask_for_github(stage, &deployed, story, told).await?;
    let alert = blocked_pip_raises_an_alert(stage, &mut deployed, story, told).await?;
    ask_for_the_preset(stage, &deployed, &alert, story).await?;
    revoke(stage, &deployed, &request, story).await?;
    told.history = deployed.history(&request).await?;
    told.channels = in_slack(stage);
    nothing_else_passes(&deployed, story, told).await?;
    Box::pin(delete(stage, deployed, story)).await
}

async fn deploy(stage: &Stage, story: &mut Story) -> anyhow::Result<Deployed> {
    let mut deployed = None;
    let expected = "the stack is complete, with the article's outputs";
    story
        .step("deploy", "make deploy: the templates, unchanged, onto the local AWS", expected, async {
            let outputs = stage.deploy().await?;
            let missing: Vec<&str> =
                OUTPUTS_OF_THE_ARTICLE.into_iter().filter(|name| !outputs.contains_key(*name)).collect();
            ensure!(missing.is_empty(), "outputs are missing: {}", missing.join(", "));
            let text = format!("{} resources, {} outputs", stage.resources().await?.len(), outputs.len());
            let connected = Box::pin(Deployed::connect(stage, outputs)).await?;
            stage.opens_a_notebook(&connected).await?;
            deployed = Some(connected);
            Ok(Observed::new(true, text))
        })
        .await?;
    deployed.context("the stack was deployed")
}

async fn before_any_request(deployed: &Deployed, story: &mut Story) -> anyhow::Result<()> {
    story
        .step("kaggle", "In the studio: wget https://kaggle.com", "it answers", async {
            let run = deployed.lab.studio().wget("https://kaggle.com").await?;
            Ok(Observed::new(run.succeeded(), in_words(&run)))
        })
        .await?;
    story.step("github-blocked", &git_clone(), "it is blocked", clone_is_blocked(deployed)).await
}

async fn ask_for_github(
    stage: &Stage,
    deployed: &Deployed,
    story: &mut Story,
    told: &mut Told,
) -> anyhow::Result<RequestId> {
    let mut request = None;
    let said = "request .github.com for 1h because the article's own repository, to see how it is built";
    story
        .step(
            "ask",
            &format!("Alice types in Slack: /egress {said}"),
            "the request is pending, and approvers see it with buttons",
            async {
                deployed.slack.types(ALICE, said, "demo-1").await?;
                let id = RequestId::of_message("slack:demo-1");
                let pending = deployed.until(&id, StateName::Pending).await?;
                let buttons =
                    in_channel(stage, &id, |message| !message.buttons().is_empty()).await?.buttons();
                told.rules[0] = deployed.grants().await?;
                told.waiting = in_slack(stage);
                request = Some(id);
                let buttons: Vec<&str> = buttons.iter().map(|button| button.text.as_str()).collect();
                let text =
                    format!("{} is {}; on the message: {}", pending.id, pending.state, buttons.join(", "));
                Ok(Observed::new(true, text))
            },
        )
        .await?;
    let id = request.context("the request was taken")?;
    approve_github(stage, deployed, &id, story, told).await?;
    story
        .step("github", &git_clone(), "it works", async {
            let run = clone(deployed).await?;
            Ok(Observed::new(run.succeeded(), in_words(&run)))
        })
        .await?;
    Ok(id)
}

async fn approve_github(
    stage: &Stage,
    deployed: &Deployed,
    id: &RequestId,
    story: &mut Story,
    told: &mut Told,
) -> anyhow::Result<()> {
    let expected =
        "connections pass, the rule group holds it, the request is active, and the buttons are gone";
    story
        .step("approve", "Bob presses Approve, with the comment: read only, fine", expected, async {
            let (approved, address) = (Instant::now(), deployed.lab.address("github.com")?);
            deployed.slack.presses_with(BOB, APPROVE, id.as_str(), "read only, fine", "demo-2").await?;
            let probe = Probe::tls_to("github.com", address);
            while deployed.lab.probe(&probe).await?.outcome != Outcome::Answered {
                ensure!(approved.elapsed() < LIMIT, "no connection passed within {LIMIT:?}");
            }
            let passed = approved.elapsed();
            let active = deployed.until(id, StateName::Active).await?;
            let rules = deployed.grants().await?;
            let held = rules.contains("\".github.com\"") && rules.contains(id.as_str());
            told.approval_to_first_pass = Some(passed);
            told.rules[1] = rules;
            let ends_at = active.ends_at.context("an active request has an end")?;
            in_channel(stage, id, |message| message.edits > 0 && message.buttons().is_empty()).await?;
            let text = format!(
                "the first connection passed after {:.2} s; {id} is {}, until {ends_at:.0}; the rule group {} .github.com",
                passed.as_secs_f64(),
                active.state,
                if held { "holds" } else { "does not hold" },
            );
            Ok(Observed::new(held, text))
        })
        .await
}

/// Answers the message of the alert in Slack.
async fn blocked_pip_raises_an_alert(
    stage: &Stage,
    deployed: &mut Deployed,
    story: &mut Story,
    told: &mut Told,
) -> anyhow::Result<Posted> {
    story
        .step("pip-blocked", &pip_install(), "it is blocked", async {
            let run = deployed.lab.studio().pip_install(PYTHON_PACKAGE).await?;
            Ok(Observed::new(!run.succeeded(), in_words(&run)))
        })
        .await?;
    let expected = "it names the user profile, the domain, how often, the studio's address, and a preset";
    let mut posted = None;
    story
        .step("alert", "An alert comes, by mail and in Slack", expected, async {
            let alert = deployed.inbox.find(LIMIT, |message| message.subject.contains("pypi.org")).await?;
            let lacks = missing_in(&alert);
            let text =
                if lacks.is_empty() { String::new() } else { format!(" without {}", lacks.join(", ")) };
            let has_button = |message: &Posted| {
                message.shown().contains("pypi.org")
                    && message.buttons().iter().any(|button| button.action_id == REQUEST)
            };
            posted = Some(stage.channels.slack.find(LIMIT, has_button).await?);
            let observed = Observed::new(lacks.is_empty(), format!("“{}”{text}", alert.subject));
            told.alert = Some(alert);
            Ok(observed)
        })
        .await?;
    posted.context("the alert was posted")
}

/// What the alert about pip has to say, and doesn't.
fn missing_in(alert: &Message) -> Vec<&'static str> {
    let fact = |label: &str| {
        alert.text.lines().find_map(|line| line.strip_prefix(label)).map(str::trim).unwrap_or_default()
    };
    let count = fact("Connections:").split(|c: char| !c.is_ascii_digit()).find_map(|word| word.parse().ok());
    let said = [
        ("the user profile", fact("Owner:").starts_with("user profile alice in d-")),
        ("the domain", fact("Destination:") == "pypi.org"),
        ("the source", fact("Source:") == STUDIO.to_string()),
        ("how often", count.is_some_and(|count: u64| count >= 1)),
        ("the preset that would do", alert.text.contains("the preset pypi")),
    ];
    said.into_iter().filter(|(_, there)| !there).map(|(what, _)| what).collect()
}

async fn ask_for_the_preset(
    stage: &Stage,
    deployed: &Deployed,
    alert: &Posted,
    story: &mut Story,
) -> anyhow::Result<()> {
    story
        .step(
            "preset",
            "Alice presses the alert's button, and sends the dialog, in which the preset pypi is filled in",
            "it is approved at once, and becomes active",
            async {
                let id = send_the_dialog(stage, deployed, alert).await?;
                let active = deployed.until(&id, StateName::Active).await?;
                deployed.in_force().await?;
                let entries = deployed.history(&id).await?;
                let first = entries.first().context("a request has a history")?;
                let at_once = first.to == StateName::Approved && first.by == "policy";
                Ok(Observed::new(
                    at_once,
                    format!("{id} was {} by {}, and is {}", first.to, first.by, active.state),
                ))
            },
        )
        .await?;
    story
        .step("pip", &pip_install(), "it works", async {
            let run = deployed.lab.studio().pip_install(PYTHON_PACKAGE).await?;
            Ok(Observed::new(run.succeeded(), in_words(&run)))
        })
        .await
}

/// What the alert's button opens is sent with a reason; the id of the request that it is.
async fn send_the_dialog(stage: &Stage, deployed: &Deployed, alert: &Posted) -> anyhow::Result<RequestId> {
    let buttons = alert.buttons();
    let button =
        buttons.iter().find(|button| button.action_id == REQUEST).context("the alert has a button")?;
    deployed.slack.presses(ALICE, REQUEST, &button.value, "demo-3").await?;
    let opened =
        |seen: &Seen<Workspace>| seen.now.views.iter().find(|view| view.trigger_id == "demo-3").cloned();
    let view = stage.channels.slack.until(LIMIT, opened).await?;
    let answer =
        deployed.slack.submits(ALICE, &view, &[("because", "scikit-learn for the forecast")]).await?;
    ensure!(answer.body.is_null(), "the dialog was answered with {}", answer.body);
    Ok(RequestId::of_message(&format!("slack:{}", view.id)))
}

/// What people see in Slack now.
fn in_slack(stage: &Stage) -> Vec<Channel> {
    stage.channels.slack.look(|seen| {
        vec![
            Channel::of(&seen.now, SLACK_CHANNEL, "#egress, where approvers and operators read"),
            Channel::of(&seen.now, ALICE, "Alice's conversation with the app"),
        ]
    })
}

/// The message about a request in the approvers' channel, once it is so.
async fn in_channel(
    stage: &Stage,
    id: &RequestId,
    is_so: impl Fn(&Posted) -> bool,
) -> anyhow::Result<Posted> {
    let about = |message: &Posted| message.thread.is_none() && message.shown().contains(id.as_str());
    let is_it = |message: &Posted| message.channel == SLACK_CHANNEL && about(message) && is_so(message);
    stage.channels.slack.find(LIMIT, is_it).await
}

async fn revoke(stage: &Stage, deployed: &Deployed, id: &RequestId, story: &mut Story) -> anyhow::Result<()> {
    let said = format!("revoke {id} because cloned; done");
    let expected = "it has ended, its rules are gone from the rule group, and its message says so";
    story
        .step("revoke", &format!("Bob types in Slack: /egress {said}"), expected, async {
            deployed.slack.types(BOB, &said, "demo-4").await?;
            let ended = deployed.until(id, StateName::Ended).await?;
            deployed.without(id.as_str()).await?;
            in_channel(stage, id, |message| message.shown().to_lowercase().contains("revoked")).await?;
            Ok(Observed::new(true, format!("{id} is {}, and not in the rule group", ended.state)))
        })
        .await?;
    story.step("github-again", &git_clone(), "it is blocked again", clone_is_blocked(deployed)).await
}

async fn nothing_else_passes(deployed: &Deployed, story: &mut Story, told: &mut Told) -> anyhow::Result<()> {
    let expected = "each is blocked, with a verdict of the firewall";
    story
        .step(
            "everything-else",
            "What the article says is dropped, and its own stack lets pass",
            expected,
            async {
                let probes = Probe::forbidden(deployed.lab.address("kaggle.com")?);
                let seen = deployed.lab.probes(&probes).await?;
                let lines: Vec<String> = seen.iter().map(probe_in_words).collect();
                let blocked = |one: &Observation| one.outcome != Outcome::Answered && one.verdict.is_some();
                let ok = seen.iter().all(blocked);
                told.probes = seen;
                Ok(Observed::new(ok, lines.join("\n")))
            },
        )
        .await
}

async fn delete(stage: &Stage, deployed: Deployed, story: &mut Story) -> anyhow::Result<()> {
    let expected = "nothing is left in the account";
    story
        .step(
            "delete",
            "make delete",
            expected,
            Box::pin(async {
                deployed.leave().await?;
                stage.delete().await?;
                let left = stage.resources().await?;
                let names: Vec<String> = left.iter().map(|one| format!("{} {}", one.kind, one.id)).collect();
                let text = if names.is_empty() { "nothing is left".to_owned() } else { names.join("\n") };
                Ok(Observed::new(names.is_empty(), text))
            }),
        )
        .await
}

fn git_clone() -> String {
    format!("In the studio: git clone https://github.com/{GIT_REPOSITORY}.git")
}

fn pip_install() -> String {
    format!("In the studio: pip install -U {PYTHON_PACKAGE}")
}

async fn clone(deployed: &Deployed) -> anyhow::Result<Run> {
    deployed.lab.studio().git_clone(&format!("https://github.com/{GIT_REPOSITORY}.git")).await
}

async fn clone_is_blocked(deployed: &Deployed) -> anyhow::Result<Observed> {
    let run = clone(deployed).await?;
    Ok(Observed::new(!run.succeeded(), in_words(&run)))
}
