//! The story itself.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use egress::ledger::HistoryEntry;
use egress::request::{RequestId, StateName};
use serde_json::json;

use super::story::{Observed, Story};
use crate::inbox::Message;
use crate::lab::probe::Probe;
use crate::lab::{GIT_REPOSITORY, Observation, Outcome, PYTHON_PACKAGE, Run, STUDIO};
use crate::stage::{Deployed, Stage};

/// How long a message or a connection may take to come.
const LIMIT: Duration = Duration::from_secs(30);

/// What is shown of a client's last line, in characters.
const LONGEST_WORD: usize = 100;

/// What the article's own stack has as outputs.
const OUTPUTS_OF_THE_ARTICLE: [&str; 11] = [
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
    /// What was sent past the lists.
    pub(super) probes: Vec<Observation>,
}

/// Tells the story to its end, or to the first step that goes otherwise.
pub(super) async fn tell(stage: &Stage, story: &mut Story, told: &mut Told) -> anyhow::Result<()> {
    let mut deployed = Box::pin(deploy(stage, story)).await?;
    before_any_request(&deployed, story).await?;
    let request = ask_for_github(&deployed, story, told).await?;
    blocked_pip_raises_an_alert(&mut deployed, story, told).await?;
    ask_for_the_preset(&deployed, story).await?;
    revoke(&deployed, &request, story).await?;
    told.history = deployed.history(&request).await?;
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
            deployed = Some(Deployed::connect(stage, outputs).await?);
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
    deployed: &Deployed,
    story: &mut Story,
    told: &mut Told,
) -> anyhow::Result<RequestId> {
    let mut request = None;
    let body = json!({
        "action": "request", "requester": "alice@example.com", "domains": [".github.com"], "ticket": "ML-17",
        "justification": "The article's own repository, to see how it is built", "duration": "1h",
    });
    story
        .step(
            "ask",
            "Alice asks for .github.com for an hour, by a signed webhook",
            "the request is pending",
            async {
                let id = deployed.send("ticket-ML-17-1", &body).await?;
                let pending = deployed.until(&id, StateName::Pending).await?;
                told.rules[0] = deployed.grants().await?;
                request = Some(id);
                Ok(Observed::new(true, format!("{} is {}", pending.id, pending.state)))
            },
        )
        .await?;
    let id = request.context("the request was taken")?;
    approve_github(deployed, &id, story, told).await?;
    story
        .step("github", &git_clone(), "it works", async {
            let run = clone(deployed).await?;
            Ok(Observed::new(run.succeeded(), in_words(&run)))
        })
        .await?;
    Ok(id)
}

async fn approve_github(
    deployed: &Deployed,
    id: &RequestId,
    story: &mut Story,
    told: &mut Told,
) -> anyhow::Result<()> {
    let body = json!({
        "action": "decide", "request_id": id, "decision": "approve", "approver": "bob@example.com",
        "comment": "read only, fine",
    });
    let expected = "connections pass, the rule group holds it, and the request is active";
    story
        .step("approve", "Bob approves", expected, async {
            let (approved, address) = (Instant::now(), deployed.lab.address("github.com")?);
            deployed.send("ticket-ML-17-2", &body).await?;
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

async fn blocked_pip_raises_an_alert(
    deployed: &mut Deployed,
    story: &mut Story,
    told: &mut Told,
) -> anyhow::Result<()> {
    story
        .step("pip-blocked", &pip_install(), "it is blocked", async {
            let run = deployed.lab.studio().pip_install(PYTHON_PACKAGE).await?;
            Ok(Observed::new(!run.succeeded(), in_words(&run)))
        })
        .await?;
    let expected = "it names the domain, how often, the studio's address, and the preset that would do";
    story
        .step("alert", "An alert comes by the topic", expected, async {
            let alert = deployed.inbox.find(LIMIT, |message| message.subject.contains("pypi.org")).await?;
            let lacks = missing_in(&alert);
            let text =
                if lacks.is_empty() { String::new() } else { format!(" without {}", lacks.join(", ")) };
            let observed = Observed::new(lacks.is_empty(), format!("“{}”{text}", alert.subject));
            told.alert = Some(alert);
            Ok(observed)
        })
        .await
}

/// What the alert about pip has to say, and doesn't.
fn missing_in(alert: &Message) -> Vec<&'static str> {
    let fact = |label: &str| {
        alert.text.lines().find_map(|line| line.strip_prefix(label)).map(str::trim).unwrap_or_default()
    };
    let count = fact("Connections:").split(|c: char| !c.is_ascii_digit()).find_map(|word| word.parse().ok());
    let said = [
        ("the domain", fact("Destination:") == "pypi.org"),
        ("the source", fact("Source:") == STUDIO.to_string()),
        ("how often", count.is_some_and(|count: u64| count >= 1)),
        ("the preset that would do", alert.text.contains("the preset pypi")),
    ];
    said.into_iter().filter(|(_, there)| !there).map(|(what, _)| what).collect()
}

async fn ask_for_the_preset(deployed: &Deployed, story: &mut Story) -> anyhow::Result<()> {
    let body = json!({
        "action": "request", "requester": "alice@example.com", "preset": "pypi",
        "justification": "scikit-learn for the forecast",
    });
    story
        .step(
            "preset",
            "Alice asks for the preset pypi",
            "it is approved at once, and becomes active",
            async {
                let id = deployed.send("ticket-ML-18-1", &body).await?;
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

async fn revoke(deployed: &Deployed, id: &RequestId, story: &mut Story) -> anyhow::Result<()> {
    let body =
        json!({"action": "revoke", "request_id": id, "by": "bob@example.com", "reason": "cloned; done"});
    let expected = "it has ended, and its rules are gone from the rule group";
    story
        .step("revoke", "Bob revokes the grant of .github.com", expected, async {
            deployed.send("ticket-ML-17-3", &body).await?;
            let ended = deployed.until(id, StateName::Ended).await?;
            deployed.without(id.as_str()).await?;
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

/// How a client fared, with the last thing that it said.
fn in_words(run: &Run) -> String {
    let last = run.output.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
    // Of a long line, the end says why.
    let last = match last.char_indices().rev().nth(LONGEST_WORD) {
        Some((cut, _)) => format!("…{}", last.get(cut..).unwrap_or_default()),
        None => last.to_owned(),
    };
    match run.status {
        Some(0) => "it works".to_owned(),
        Some(status) => format!("exit code {status}: {last}"),
        None => format!("no answer, stopped after {:.0} s", run.elapsed.as_secs_f64()),
    }
}

fn probe_in_words(seen: &Observation) -> String {
    let outcome = outcome_in_words(seen.outcome);
    match &seen.verdict {
        Some(verdict) => {
            format!("{}: {outcome}; {} by “{}”", seen.probe, verdict_in_words(seen), verdict.signature)
        }
        None => format!("{}: {outcome}; no verdict was logged", seen.probe),
    }
}

/// What the client saw.
pub(super) fn outcome_in_words(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Answered => "answered",
        Outcome::Reset => "reset at once",
        Outcome::TimedOut => "no answer",
    }
}

/// What the firewall said.
pub(super) fn verdict_in_words(seen: &Observation) -> &'static str {
    match &seen.verdict {
        Some(verdict) if verdict.rejected => "rejected",
        Some(verdict) if verdict.action == "drop" => "dropped",
        Some(_) => "let through",
        None => "none logged",
    }
}
