//! The stack on the local AWS, the lab with its rules, and the people: what stories from end to end play on.

mod command;
mod deployed;
mod studio;
mod systems;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use aws_config::SdkConfig;
use aws_sdk_sqs::types::QueueAttributeName;
use egress::aws::{DynamoLedger, NetworkFirewall};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::channels::Channels;
use crate::inbox::Inbox;
use crate::lab::{Engine, Lab, Shipper};
use crate::local_aws::{Leftover, LocalAws, Options};
use crate::propagation::Propagation;
use crate::senders::Senders;
use crate::slack::Slack;
use crate::webhook::Webhook;
use command::{finish, isolate};

/// How long the local Network Firewall says that it is not in sync after a change: longer than the lab's
/// Suricata takes to load it, so that `active` is said of what passes.
const SYNC_DELAY: Duration = Duration::from_secs(1);
/// How long anything may take that one waits for.
const LIMIT: Duration = Duration::from_secs(30);
/// How often one looks while waiting.
const LOOK: Duration = Duration::from_millis(30);
/// The bucket for code and templates, and the stack.
const BUCKET: &str = "studio-egress-artefacts";
const STACK: &str = "sagemaker-studio-demo";
/// The bus of a partner, on which the desk's events come, too.
const PARTNER_BUS: &str = "aws.partner-desk";
/// The channels in which people hear of everything.
pub const SLACK_CHANNEL: &str = "C0EGRESS";
/// The same in Teams.
pub const TEAMS_CHANNEL: &str = "19:egress@thread.tacv2";
/// The machinery of the story.
#[derive(Debug)]
pub struct Stage {
    /// The local AWS.
    pub aws: LocalAws,
    /// The engine that the lab gets.
    pub engine: Engine,
    /// The APIs of the chats and the ticket systems.
    pub channels: Channels,
    directory: tempfile::TempDir,
    /// The ARNs of what an operator keeps secret, by the Makefile's names for them.
    secrets: Vec<(&'static str, String)>,
}

/// The stage once the stack is deployed.
#[derive(Debug)]
pub struct Deployed {
    /// The stack's outputs.
    pub outputs: BTreeMap<String, String>,
    /// The lab, with the stack's rules.
    pub lab: Arc<Lab>,
    /// The ticket system.
    pub webhook: Webhook,
    /// Slack, whose people are Alice (`U0ALICE`), Dora (`U0D0RA`) and Bob (`U0B0B`).
    pub slack: Slack,
    /// Teams and the ticket systems.
    pub senders: Senders,
    /// Somebody who has subscribed to the topic.
    pub inbox: Inbox,
    /// Amazon Q Developer, as far as it has subscribed to the topic for it.
    pub chat: Inbox,
    ledger: DynamoLedger,
    logs: aws_sdk_cloudwatchlogs::Client,
    grants: NetworkFirewall,
    propagation: Propagation,
    shipper: Shipper,
}

impl Stage {
    /// Starts the local AWS, whose clock ticks each `minute` and which enforces the functions' permissions,
    /// and makes the bucket that a deployment needs.
    pub async fn set(engine: Engine, minute: Duration) -> anyhow::Result<Self> {
        Self::set_with(engine, Options { delay: SYNC_DELAY, minute, enforce_iam: true }).await
    }

    /// The same on a local AWS with options of its own.
    pub async fn set_with(engine: Engine, options: Options) -> anyhow::Result<Self> {
        let aws = LocalAws::with(options).await?;
        let secrets = systems::secrets(&aws).await?;
        let (channels, directory) = (Channels::start().await?, tempfile::tempdir()?);
        let stage = Self { aws, engine, channels, directory, secrets };
        stage.aws_command(&["s3", "mb", &format!("s3://{BUCKET}")]).await?;
        stage.aws_command(&["events", "create-event-bus", "--name", PARTNER_BUS]).await?;
        Ok(stage)
    }

    /// Deploys the stack as a user does, and answers its outputs.
    pub async fn deploy(&self) -> anyhow::Result<BTreeMap<String, String>> {
        self.deploy_with(&[]).await
    }

    /// The same with parameters, by the Makefile's names for them. A stack that is there is updated.
    pub async fn deploy_with(&self, parameters: &[(&str, &str)]) -> anyhow::Result<BTreeMap<String, String>> {
        self.deployment(parameters).await?;
        let text = std::fs::read_to_string(self.outputs()).context("the deployment wrote no outputs")?;
        Ok(serde_json::from_str(&text)?)
    }

    /// The same, and what it says.
    pub async fn deployment(&self, parameters: &[(&str, &str)]) -> anyhow::Result<String> {
        let packaged = self.directory.path().join("packaged.yaml");
        let path = |path: &Path| path.display().to_string();
        // By default the home directories would stay in the account.
        let homes = ("HOME_DIRECTORIES", "Delete".to_owned());
        let mut variables =
            vec![("OUTPUTS_JSON", path(&self.outputs())), ("PACKAGED", path(&packaged)), homes];
        variables.push(("SM_ADDITIONAL_USER_PROFILE_NAMES", studio::USER.to_owned()));
        variables.push(("CONFIG", path(&systems::config(self.directory.path(), &self.channels)?)));
        variables.extend(self.secrets.iter().cloned());
        variables.push(("PARTNER_EVENT_BUS_NAME", PARTNER_BUS.to_owned()));
        variables.push(("PARTNER_ADAPTER", "desk".to_owned()));
        variables.extend(parameters.iter().map(|(name, value)| (*name, (*value).to_owned())));
        self.make("deploy", &variables).await
    }

    /// Has the outputs shown as a user does; what is shown.
    pub async fn shows_outputs(&self) -> anyhow::Result<String> {
        self.make("outputs", &[]).await
    }

    fn outputs(&self) -> PathBuf {
        self.directory.path().join("outputs.json")
    }

    /// Deletes the stack as a user does, and what an operator has made beside it.
    pub async fn delete(&self) -> anyhow::Result<()> {
        self.delete_with(&[]).await?;
        Ok(())
    }

    /// The same with variables of the Makefile; what it says.
    pub async fn delete_with(&self, variables: &[(&str, &str)]) -> anyhow::Result<String> {
        let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let said = self.make("delete", &variables).await?;
        let client = aws_sdk_secretsmanager::Client::new(&self.aws.sdk_config());
        for (_, arn) in &self.secrets {
            let delete = client.delete_secret().secret_id(arn);
            Box::pin(delete.force_delete_without_recovery(true).send()).await?;
        }
        self.aws_command(&["events", "delete-event-bus", "--name", PARTNER_BUS]).await?;
        Ok(said)
    }

    /// Sends again what lies in the dead-letter queues, as an operator does.
    pub async fn redrive(&self) -> anyhow::Result<()> {
        self.make("redrive", &[]).await?;
        Ok(())
    }

    /// Waits until letters lie in the dead-letter queue of a channel's function, or until none do.
    pub async fn dead_letters(&self, function: &str, there_are: bool) -> anyhow::Result<()> {
        let client = aws_sdk_sqs::Client::new(&self.aws.sdk_config());
        let queues = client.list_queues().send().await?;
        let ending = format!("-{function}-dead-letters.fifo");
        let url = queues.queue_urls().iter().find(|url| url.ends_with(&ending)).context("no such queue")?;
        let (started, name) = (Instant::now(), QueueAttributeName::ApproximateNumberOfMessages);
        loop {
            let answer =
                client.get_queue_attributes().queue_url(url).attribute_names(name.clone()).send().await?;
            let found = answer.attributes.unwrap_or_default().remove(&name).unwrap_or_default();
            if (found != "0") == there_are {
                return Ok(());
            }
            ensure!(started.elapsed() < LIMIT, "{found} dead letters after {LIMIT:?}");
            tokio::time::sleep(LOOK).await;
        }
    }

    /// A partner puts an event of the desk's on its bus.
    pub async fn partner_says(&self, detail: &Value) -> anyhow::Result<()> {
        let entries = json!([{
            "Source": "desk.example.com", "DetailType": "desk", "EventBusName": PARTNER_BUS,
            "Detail": detail.to_string(),
        }]);
        self.aws_command(&["events", "put-events", "--entries", &entries.to_string()]).await
    }

    /// What there is in the account beside the bucket of the deployment itself.
    pub async fn resources(&self) -> anyhow::Result<Vec<Leftover>> {
        let all = self.aws.leftovers().await?;
        Ok(all.into_iter().filter(|resource| resource.id != BUCKET).collect())
    }

    /// Ends everything.
    pub async fn strike(self) -> anyhow::Result<()> {
        self.aws_command(&["s3", "rb", "--force", &format!("s3://{BUCKET}")]).await
    }

    /// Somebody uses AWS's own command.
    pub async fn aws_command(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let mut command = Command::from(self.aws.command("aws"));
        command.args(arguments);
        finish(&mut command, &format!("aws {}", arguments.join(" "))).await?;
        Ok(())
    }

    /// The same; what AWS answers.
    pub async fn aws_answer(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let mut command = Command::from(self.aws.command("aws"));
        command.args(arguments).args(["--output", "json"]);
        let said = finish(&mut command, &format!("aws {}", arguments.join(" "))).await?;
        serde_json::from_str(&said).with_context(|| format!("aws {} answered {said}", arguments.join(" ")))
    }

    /// How often the firewall was asked to flush flows.
    pub async fn flushed(&self, outputs: &BTreeMap<String, String>) -> anyhow::Result<usize> {
        let arn = outputs.get("FirewallArn").context("the stack has no output FirewallArn")?;
        let client = aws_sdk_networkfirewall::Client::new(&self.aws.sdk_config());
        let answer = client.list_flow_operations().firewall_arn(arn).send().await?;
        Ok(answer.flow_operations().len())
    }

    /// Invokes a function with an event, and waits until it has worked it off.
    async fn invoke(&self, function: &str, event: &Value) -> anyhow::Result<()> {
        let answer = self.directory.path().join("answer.json");
        let (event, file) = (event.to_string(), answer.display().to_string());
        self.aws_command(&["lambda", "invoke", "--function-name", function, "--payload", &event, &file])
            .await?;
        let answer: Value = serde_json::from_slice(&std::fs::read(&answer)?)?;
        ensure!(answer.get("errorType").is_none(), "{function} answered {answer}");
        Ok(())
    }

    /// One of the Makefile's targets, with the tests' build and the local AWS.
    async fn make(&self, target: &str, variables: &[(&str, String)]) -> anyhow::Result<String> {
        let mut command = Command::new("make");
        command.current_dir(root()?).args(["--no-print-directory", target, "PROFILE=dev"]);
        command.arg(format!("CFN_ARTEFACT_S3_BUCKET={BUCKET}")).arg(format!("APP_STACK_NAME={STACK}"));
        command.args(variables.iter().map(|(name, value)| format!("{name}={value}")));
        isolate(&mut command);
        command.envs(self.aws.environment());
        finish(&mut command, &format!("make {target}")).await
    }
}

/// Kills the processes in which a function of this full name runs; answers how many there were. Its next invocation
/// begins anew.
pub fn kill(stage: &Stage, function: &str) -> anyhow::Result<usize> {
    let name = format!("AWS_LAMBDA_FUNCTION_NAME={function}");
    let endpoint = format!(":{}", stage.aws.port());
    let mut killed = 0;
    for process in std::fs::read_dir("/proc")?.flatten() {
        let Some(id) = process.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let Ok(environment) = std::fs::read(process.path().join("environ")) else { continue };
        let environment = String::from_utf8_lossy(&environment);
        let has = |wanted: &dyn Fn(&str) -> bool| environment.split('\0').any(wanted);
        let ours = has(&|variable| variable == name)
            && has(&|variable| variable.starts_with("AWS_ENDPOINT_URL=") && variable.contains(&endpoint));
        if ours && let Some(id) = rustix::process::Pid::from_raw(id) {
            rustix::process::kill_process(id, rustix::process::Signal::KILL)?;
            killed += 1;
        }
    }
    Ok(killed)
}

async fn secret(config: &SdkConfig, arn: &str) -> anyhow::Result<String> {
    let client = aws_sdk_secretsmanager::Client::new(config);
    let answer = client.get_secret_value().secret_id(arn).send().await.context("the webhook's secret")?;
    answer.secret_string.context("the webhook's secret is not text")
}

/// The checkout.
fn root() -> anyhow::Result<PathBuf> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    Ok(tests.parent().context("the tests lie in the checkout")?.to_owned())
}
