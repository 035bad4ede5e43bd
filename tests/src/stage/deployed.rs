//! What a story does and sees on the deployed stack.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use aws_sdk_cloudwatchlogs::types::{FilteredLogEvent, InputLogEvent};
use egress::aws::{DynamoLedger, NetworkFirewall};
use egress::events::{self, DomainRequested};
use egress::firewall::{Content, Firewall, FirewallError, RuleGroup};
use egress::ledger::Ledger;
use egress::request::{Request, RequestId, StateName};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Deployed, LIMIT, LOOK, Stage, kill, secret, systems};
use crate::inbox::Inbox;
use crate::lab::{Lab, Shipper};
use crate::propagation::Propagation;
use crate::senders::Senders;
use crate::slack::Slack;
use crate::webhook::Webhook;

impl Deployed {
    /// Connects everybody with the deployed stack.
    pub async fn connect(stage: &Stage, outputs: BTreeMap<String, String>) -> anyhow::Result<Self> {
        let config = stage.aws.sdk_config();
        let output =
            |name: &str| outputs.get(name).with_context(|| format!("the stack has no output {name}"));
        let firewall_arn = output("FirewallArn")?;
        let firewall = firewall_arn.rsplit('/').next().unwrap_or(firewall_arn);
        let lab = Arc::new(Lab::with_hosts(stage.engine, firewall, &[]).await?);
        let client = aws_sdk_networkfirewall::Client::new(&config);
        let propagation = Propagation::start(client.clone(), firewall, Arc::clone(&lab)).await?;
        let logs = aws_sdk_cloudwatchlogs::Client::new(&config);
        let shipper = Shipper::start(logs.clone(), output("AlertLogGroupName")?, firewall, lab.subscribe());
        let secret = secret(&config, output("WebhookSecretArn")?).await?;
        Ok(Self {
            webhook: Webhook::new(&stage.aws.endpoint(), output("WebhookUrl")?, secret)?,
            slack: Slack::new(
                &stage.aws.endpoint(),
                output("WebhookUrl")?,
                systems::SLACK_SECRET,
                &stage.channels.slack_answers(),
            )?,
            senders: Senders::new(&stage.aws.endpoint(), output("WebhookUrl")?)?,
            inbox: Inbox::subscribe(&config, output("TopicArn")?, "subscriber").await?,
            chat: Inbox::subscribe(&config, output("ChatTopicArn")?, "amazon-q").await?,
            ledger: DynamoLedger::new(aws_sdk_dynamodb::Client::new(&config), output("TableName")?.clone()),
            grants: NetworkFirewall::new(
                client,
                vec![output("GrantRuleGroupArn")?.clone()],
                firewall_arn.clone(),
            ),
            logs,
            outputs,
            lab,
            propagation,
            shipper,
        })
    }

    /// Sends a webhook that must be taken, and answers the request's id.
    pub async fn send(&self, delivery: &str, body: &Value) -> anyhow::Result<RequestId> {
        let answer = self.webhook.send(delivery, body).await?;
        ensure!(answer.status == 202, "intake answered {} {}", answer.status, answer.body);
        let id =
            answer.body.get("request_id").and_then(Value::as_str).context("an answer without request_id")?;
        Ok(RequestId::try_from(id.to_owned())?)
    }

    /// Hands a request to the function that decides, as an operator does with one that was not worked off:
    /// nobody but intake may put it on the bus.
    pub async fn hand_over(&self, stage: &Stage, asked: &DomainRequested) -> anyhow::Result<RequestId> {
        let event =
            json!({"source": events::source::INTAKE, "detail-type": "DomainRequested", "detail": asked});
        stage.invoke(&self.function("requests")?, &event).await?;
        Ok(RequestId::of_message(&asked.message_key))
    }

    /// Updates the stack as a user does, with parameters by the Makefile's names for them, and goes on with
    /// what it has then.
    pub async fn update(&mut self, stage: &Stage, parameters: &[(&str, &str)]) -> anyhow::Result<()> {
        self.outputs = stage.deploy_with(parameters).await?;
        let client = aws_sdk_networkfirewall::Client::new(&stage.aws.sdk_config());
        let (group, firewall) = (self.output("GrantRuleGroupArn")?, self.output("FirewallArn")?);
        self.grants = NetworkFirewall::new(client, vec![group.to_owned()], firewall.to_owned());
        self.in_force().await
    }

    /// Waits until a function has said all these words in one line of its log, which is there once it has
    /// worked off what the line is about.
    pub async fn has_said(&self, function: &str, words: &[&str]) -> anyhow::Result<()> {
        let (group, started) = (format!("/aws/lambda/{}", self.function(function)?), Instant::now());
        loop {
            let lines = self.logs.filter_log_events().log_group_name(&group).send().await?;
            let mut lines = lines.events().iter().filter_map(FilteredLogEvent::message);
            if lines.any(|line| words.iter().all(|word| line.contains(word))) {
                return Ok(());
            }
            ensure!(started.elapsed() < LIMIT, "{function} has not said {words:?} after {LIMIT:?}");
            tokio::time::sleep(LOOK).await;
        }
    }

    /// All that each function has said, by its log group.
    pub async fn function_logs(&self) -> anyhow::Result<BTreeMap<String, Vec<String>>> {
        let groups = self.logs.describe_log_groups().log_group_name_prefix("/aws/lambda/").send().await?;
        let mut logs = BTreeMap::new();
        for group in groups.log_groups().iter().filter_map(|group| group.log_group_name()) {
            logs.insert(group.to_owned(), self.lines(group, "").await?);
        }
        Ok(logs)
    }

    /// What the firewall has logged, as far as a filter pattern lets it through.
    pub async fn alert_log(&self, pattern: &str) -> anyhow::Result<Vec<String>> {
        self.lines(self.output("AlertLogGroupName")?, pattern).await
    }

    /// The first 10,000 lines, which is what the local AWS answers.
    async fn lines(&self, group: &str, pattern: &str) -> anyhow::Result<Vec<String>> {
        let request = self.logs.filter_log_events().log_group_name(group).filter_pattern(pattern);
        let answer = request.send().await?;
        let messages = answer.events().iter().filter_map(FilteredLogEvent::message);
        Ok(messages.flat_map(str::lines).map(ToOwned::to_owned).collect())
    }

    /// Waits until a request is in a state.
    pub async fn until(&self, id: &RequestId, state: StateName) -> anyhow::Result<Request> {
        self.until_within(LIMIT, id, state).await
    }

    /// The same, for a time of one's own.
    pub async fn until_within(
        &self,
        limit: Duration,
        id: &RequestId,
        state: StateName,
    ) -> anyhow::Result<Request> {
        let started = Instant::now();
        loop {
            let request = self.ledger.load(id).await?;
            if let Some(request) = request.as_ref().filter(|request| request.state == state) {
                return Ok(request.clone());
            }
            let now = request.map_or("not there".to_owned(), |request| request.state.to_string());
            ensure!(started.elapsed() < limit, "{id} is {now}, and not {state} after {limit:?}");
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until the ledger has a request, in whatever state.
    pub async fn is_there(&self, id: &RequestId) -> anyhow::Result<()> {
        let started = Instant::now();
        while self.ledger.load(id).await?.is_none() {
            ensure!(started.elapsed() < LIMIT, "{id} is not there after {LIMIT:?}");
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Waits until the lab's Suricata works with what the local Network Firewall has.
    pub async fn in_force(&self) -> anyhow::Result<()> {
        self.propagation.caught_up(LIMIT).await
    }

    /// What happened to a request.
    pub async fn history(&self, id: &RequestId) -> anyhow::Result<Vec<egress::ledger::HistoryEntry>> {
        Ok(self.ledger.history(id).await?)
    }

    /// The text of the grants group.
    pub async fn grants(&self) -> anyhow::Result<String> {
        Ok(match self.grants_group().await?.content {
            Content::Rules(text) => text,
            Content::DomainList(targets) => targets.into_iter().collect::<Vec<_>>().join("\n"),
        })
    }

    /// Waits until the grants group holds this text no longer, and the lab works with that.
    pub async fn without(&self, text: &str) -> anyhow::Result<()> {
        let started = Instant::now();
        while self.grants().await?.contains(text) {
            ensure!(started.elapsed() < LIMIT, "the rule group still holds {text} after {LIMIT:?}");
            tokio::time::sleep(LOOK).await;
        }
        self.in_force().await
    }

    /// Replaces the text of the grants group, as somebody in a console would.
    pub async fn edit_by_hand(&self, text: &str) -> anyhow::Result<()> {
        let group = self.grants_group().await?;
        self.grants.write(&RuleGroup { content: Content::Rules(text.to_owned()), ..group }).await?;
        Ok(())
    }

    /// Writes the grants group with what it holds, as a tool that knows nothing of tokens' worth does: who has
    /// read before has a stale token now. That somebody else was quicker is no error.
    pub async fn write_what_is_read(&self) -> anyhow::Result<()> {
        let group = self.grants_group().await?;
        match self.grants.write(&group).await {
            Ok(_) | Err(FirewallError::StaleToken) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn grants_group(&self) -> anyhow::Result<RuleGroup> {
        self.grants.read().await.all()?.pop().context("there is no grants group")
    }

    /// Waits until a use of the request's grant is known to it.
    pub async fn used(&self, id: &RequestId) -> anyhow::Result<()> {
        let started = Instant::now();
        while self.ledger.load(id).await?.is_none_or(|request| request.first_used_at.is_none()) {
            ensure!(started.elapsed() < LIMIT, "no use of {id} is known after {LIMIT:?}");
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Kills the processes in which a function runs, in the middle of whatever they are at; answers how many
    /// there were.
    pub fn kill(&self, stage: &Stage, function: &str) -> anyhow::Result<usize> {
        kill(stage, &self.function(function)?)
    }

    /// Puts lines into the firewall's alert log.
    pub async fn log(&self, lines: &[String]) -> anyhow::Result<()> {
        let now = Timestamp::now().as_millisecond();
        let event = |line: &String| InputLogEvent::builder().timestamp(now).message(line).build();
        let events = lines.iter().map(event).collect::<Result<Vec<_>, _>>()?;
        let put = self.logs.put_log_events().log_group_name(self.output("AlertLogGroupName")?);
        let stream = format!("by-hand-{now}");
        let make = self.logs.create_log_stream().log_group_name(self.output("AlertLogGroupName")?);
        make.log_stream_name(&stream).send().await?;
        put.log_stream_name(&stream).set_log_events(Some(events)).send().await?;
        Ok(())
    }

    /// The name of one of the stack's functions.
    fn function(&self, name: &str) -> anyhow::Result<String> {
        let bus = self.output("EventBusName")?;
        let project =
            bus.strip_prefix("egress-").with_context(|| format!("{bus} is not named after a project"))?;
        Ok(format!("{project}-{name}"))
    }

    /// An output of the stack.
    pub fn output(&self, name: &str) -> anyhow::Result<&str> {
        self.outputs.get(name).map(String::as_str).with_context(|| format!("the stack has no output {name}"))
    }

    /// Takes the people away, so that nothing but the stack is left to delete.
    pub async fn leave(self) -> anyhow::Result<()> {
        self.propagation.stop().await?;
        self.shipper.stop().await?;
        self.chat.close().await?;
        self.inbox.close().await
    }
}
