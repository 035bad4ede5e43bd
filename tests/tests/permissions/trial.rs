//! A function without one of its permissions: what it then says.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use aws_sdk_cloudwatchlogs::types::FilteredLogEvent;
use egress::aws::signed::{Call, Method, Protocol, Service, Signed};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use tests::local_aws::LocalAws;
use tests::stage::{Stage, kill};

const IAM: Service = Service { host: "iam", signing_name: "iam", protocol: Protocol::Query };
const LAMBDA: Service = Service { host: "lambda", signing_name: "lambda", protocol: Protocol::Json };
const S3: Service = Service { host: "s3", signing_name: "s3", protocol: Protocol::S3 };
/// What others have caused while something was missing may be logged when nothing is missing any more.
const TRIES: usize = 3;
/// What no line says where nothing is missing.
const BAD: [&str; 2] = ["ot authorized to perform", "errorType"];
/// How long a refusal may take to be in the log of a function that is still at it, and of one that has answered.
const LIMIT: Duration = Duration::from_mins(1);
const SOON: Duration = Duration::from_secs(5);
/// How many seconds a custom resource gets when nothing is missing.
const LONG: u32 = 60;
/// The same where something is, which takes half of them for a permission to spread: at first, and at most.
const PATIENCE: [u32; 4] = [5, 10, 20, 40];
const LOOK: Duration = Duration::from_millis(10);
/// What the client says that waits no longer for an answer.
const LATE: &str = "nothing came back";
/// Where the parts of a statement stand.
const RESOURCES: &str = "/Resource";
const PARTITIONS: &str = "/Condition/ForAllValues:StringLike/dynamodb:LeadingKeys";
/// The policy that stands for the one from which something was taken.
const REDUCED: &str = "without-one-permission";

/// One permission of a role: one action of one statement; and one resource where the statement names several, or one
/// partition of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Permission {
    /// The statement.
    pub(crate) sid: String,
    /// The action.
    pub(crate) action: String,
    /// The resource, or the partition, where there are several.
    pub(crate) part: Option<String>,
}

/// What happened without a permission.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    /// The function, without the project.
    pub(crate) function: String,
    /// What was taken from its role.
    pub(crate) permission: Permission,
    /// What was said then.
    pub(crate) said: String,
}

/// The policies of a function's role, as they are deployed.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Role {
    #[serde(rename = "role")]
    name: String,
    inline: BTreeMap<String, Value>,
    managed: BTreeMap<String, Value>,
}

/// A function from which permissions are taken.
pub(crate) struct Trial<'a> {
    stage: &'a Stage,
    signed: Signed,
    logs: aws_sdk_cloudwatchlogs::Client,
    /// The function's name, with the project.
    name: String,
    function: String,
    role: Role,
    /// What was shown until now.
    pub(crate) shown: Vec<Shown>,
    runs: usize,
    /// How many seconds a custom resource gets.
    pub(crate) patience: u32,
}

/// The roles of all functions, by the functions' names.
pub(crate) async fn roles(aws: &LocalAws) -> anyhow::Result<BTreeMap<String, Role>> {
    let mut python = tokio::process::Command::from(aws.command("python"));
    let output = python.args(["-m", "local_aws.permissions"]).output().await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

impl Role {
    /// All permissions of the role.
    pub(crate) fn permissions(&self) -> Vec<Permission> {
        let documents = self.inline.values().chain(self.managed.values());
        documents.flat_map(statements).flat_map(|statement| permissions(&statement)).collect()
    }

    /// The policy that gives a permission, and whether it is a managed one.
    fn policy_with(&self, wanted: &Permission) -> anyhow::Result<(&str, bool)> {
        let has = |document: &Value| statements(document).iter().any(|one| permissions(one).contains(wanted));
        let inline =
            self.inline.iter().find(|(_, document)| has(document)).map(|(name, _)| (name.as_str(), false));
        let managed =
            self.managed.iter().find(|(_, document)| has(document)).map(|(arn, _)| (arn.as_str(), true));
        inline.or(managed).with_context(|| format!("no policy of {} has {wanted}", self.name))
    }
}

impl<'a> Trial<'a> {
    /// A function of the deployed stack, named without the project.
    pub(crate) fn of(
        stage: &'a Stage,
        project: &str,
        function: &str,
        roles: &BTreeMap<String, Role>,
    ) -> anyhow::Result<Self> {
        let name = format!("{project}-{function}");
        let config = stage.aws.sdk_config();
        Ok(Self {
            stage,
            signed: Signed::new(&config),
            logs: aws_sdk_cloudwatchlogs::Client::new(&config),
            role: roles.get(&name).with_context(|| format!("there is no function {name}"))?.clone(),
            name,
            function: function.to_owned(),
            shown: Vec::new(),
            runs: 0,
            patience: LONG,
        })
    }

    /// Invokes the function with an event, and waits for its answer.
    pub(crate) async fn invoke(&self, event: &Value) -> anyhow::Result<String> {
        let path = format!("/2015-03-31/functions/{}/invocations", self.name);
        let call =
            Call { method: Method::POST, path: &path, headers: &[], body: event.to_string().into_bytes() };
        Ok(String::from_utf8_lossy(&self.signed.send(LAMBDA, call).await?).into_owned())
    }

    /// Invokes it, and waits for nothing.
    pub(crate) async fn invoke_later(&self, event: &Value) -> anyhow::Result<()> {
        let path = format!("/2015-03-31/functions/{}/invocations", self.name);
        let (headers, body) = ([("x-amz-invocation-type", "Event")], event.to_string().into_bytes());
        self.signed.send(LAMBDA, Call { method: Method::POST, path: &path, headers: &headers, body }).await?;
        Ok(())
    }

    /// The lines of its log with this text.
    pub(crate) async fn has_said(&self, text: &str) -> anyhow::Result<Vec<String>> {
        let mut lines = self.logged(Timestamp::UNIX_EPOCH).await?;
        lines.retain(|line| line.contains(text));
        Ok(lines)
    }

    /// How long an invocation may take, in seconds.
    pub(crate) async fn set_timeout(&self, seconds: u32) -> anyhow::Result<()> {
        let path = format!("/2015-03-31/functions/{}/configuration", self.name);
        self.lambda(Method::PUT, &path, &json!({"Timeout": seconds})).await.map(drop)
    }

    /// Puts an object into a bucket.
    pub(crate) async fn put_object(&self, bucket: &str, key: &str, body: Vec<u8>) -> anyhow::Result<()> {
        let path = format!("/{bucket}/{key}");
        self.signed.send(S3, Call { method: Method::PUT, path: &path, headers: &[], body }).await?;
        Ok(())
    }

    /// Where failed events go is set anew, which Lambda refuses where the role may not write there.
    pub(crate) async fn sends_no_dead_letters_without(&mut self, taken: &str) -> anyhow::Result<()> {
        let set = async |trial: &Self, _: String| {
            let path = format!("/2019-09-25/functions/{}/event-invoke-config", trial.name);
            let path = format!("{path}?Qualifier=%24LATEST");
            let config = trial.lambda(Method::GET, &path, &Value::Null).await?;
            let config = json!({"DestinationConfig": config["DestinationConfig"]});
            Ok(trial.lambda(Method::PUT, &path, &config).await?.to_string())
        };
        self.without(&[taken], set).await
    }

    /// The queue is connected with the function anew, which Lambda refuses where the role may not read it.
    pub(crate) async fn reads_no_queue_without(&mut self, taken: &[&str]) -> anyhow::Result<()> {
        let mappings = "/2015-03-31/event-source-mappings/";
        let listed =
            self.lambda(Method::GET, &format!("{mappings}?FunctionName={}", self.name), &Value::Null).await?;
        let [mapping] = &list(&listed["EventSourceMappings"])[..] else { anyhow::bail!("{listed}") };
        let settings = json!({
            "FunctionName": self.name, "EventSourceArn": mapping["EventSourceArn"], "BatchSize": 1,
            "FunctionResponseTypes": mapping["FunctionResponseTypes"],
        });
        let old = mapping["UUID"].as_str().context("a mapping's id")?;
        self.lambda(Method::DELETE, &format!("{mappings}{old}"), &Value::Null).await?;
        let connect = async |trial: &Self, _: String| {
            Ok(trial.lambda(Method::POST, mappings, &settings).await?.to_string())
        };
        self.without(taken, connect).await
    }

    async fn lambda(&self, method: Method, path: &str, body: &Value) -> anyhow::Result<Value> {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let headers = [("content-type", "application/json")];
        let answer = self.signed.send(LAMBDA, Call { method, path, headers: &headers, body }).await?;
        Ok(serde_json::from_slice(&answer).unwrap_or_default())
    }

    /// Takes each of these permissions in turn (`Sid action`, or `Sid action part` for one of its parts) and looks for its
    /// refusal in what the function answers or logs; then sees that with all of them nothing is refused. The story gets
    /// a text of its own for each time, and answers what was answered.
    pub(crate) async fn without(
        &mut self,
        taken: &[&str],
        story: impl AsyncFn(&Self, String) -> anyhow::Result<String>,
    ) -> anyhow::Result<()> {
        let all = taken.iter().map(|named| self.find(named)).collect::<anyhow::Result<Vec<_>>>()?.concat();
        for permission in all {
            let said = self.run_without(&permission, &story).await?;
            println!("{:16} {permission}\n    {}", self.function, said.trim());
            self.shown.push(Shown { function: self.function.clone(), permission, said });
        }
        let mut said = Vec::new();
        for _ in 0..TRIES {
            self.runs += 1;
            self.begin_anew().await?;
            let since = Timestamp::now();
            let answer = story(self, format!("{}-{}", self.function, self.runs)).await;
            let answer = answer.with_context(|| format!("{} with all permissions", self.function))?;
            said = [vec![answer], self.logged(since).await?].concat();
            if !said.iter().any(|line| BAD.iter().any(|word| line.contains(word))) {
                return Ok(());
            }
        }
        anyhow::bail!("{} with all permissions: {said:#?}", self.function)
    }

    /// The same for what Lambda does in the name of the role: without one of these permissions the log stays empty.
    pub(crate) async fn logs_nothing_without(
        &mut self,
        taken: &[&str],
        story: impl AsyncFn(&Self, String) -> anyhow::Result<String>,
    ) -> anyhow::Result<()> {
        let all = taken.iter().map(|named| self.find(named)).collect::<anyhow::Result<Vec<_>>>()?.concat();
        for permission in all {
            self.reduce(&permission).await?;
            let lines = self.lines_of(&story).await?;
            self.restore(&permission).await?;
            ensure!(lines.is_empty(), "{} logs without {permission}: {lines:#?}", self.function);
            let said = "the invocation leaves no line in the log".to_owned();
            self.shown.push(Shown { function: self.function.clone(), permission, said });
        }
        ensure!(!self.lines_of(&story).await?.is_empty(), "{} logs nothing", self.function);
        Ok(())
    }

    /// Ends the function's processes: the next invocation begins anew.
    async fn begin_anew(&self) -> anyhow::Result<()> {
        // One that ends is still there for a moment.
        while kill(self.stage, &self.name)? > 0 {
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    async fn lines_of(
        &mut self,
        story: &impl AsyncFn(&Self, String) -> anyhow::Result<String>,
    ) -> anyhow::Result<Vec<String>> {
        self.runs += 1;
        let since = Timestamp::now();
        story(self, format!("{}-{}", self.function, self.runs)).await?;
        self.logged(since).await
    }

    async fn run_without(
        &mut self,
        permission: &Permission,
        story: &impl AsyncFn(&Self, String) -> anyhow::Result<String>,
    ) -> anyhow::Result<String> {
        self.reduce(permission).await?;
        let mut refused = Err(Vec::new());
        for patience in PATIENCE {
            self.patience = patience;
            refused = self.refused(permission, story).await?;
            // On a busy machine it may not have come so far; or it was ended as it began, with those before it.
            let early = ["time is up", "bootstrap exited during init"];
            let late =
                |said: &Vec<String>| said.iter().any(|line| early.iter().any(|word| line.contains(word)));
            if !refused.as_ref().is_err_and(late) {
                break;
            }
        }
        self.patience = LONG;
        self.restore(permission).await?;
        refused.map_err(|said| anyhow::anyhow!("{} does without {permission}: {said:#?}", self.function))
    }

    /// What refuses the permission's action while a story goes on; or all that was said.
    async fn refused(
        &mut self,
        permission: &Permission,
        story: &impl AsyncFn(&Self, String) -> anyhow::Result<String>,
    ) -> anyhow::Result<Result<String, Vec<String>>> {
        self.runs += 1;
        // What a process remembers it need not ask for.
        self.begin_anew().await?;
        let since = Timestamp::now();
        // It may well fail: what for is looked at.
        let answer = match story(self, format!("{}-{}", self.function, self.runs)).await {
            Ok(answer) => answer,
            Err(error) => format!("{error:#}"),
        };
        let started = Instant::now();
        loop {
            let said = [vec![answer.clone()], self.logged(since).await?].concat();
            if let Some(line) = said.iter().rev().find(|line| refuses(line, &permission.action)) {
                return Ok(Ok(line.clone()));
            }
            let limit = if answer.contains(LATE) { LIMIT } else { SOON };
            if started.elapsed() > limit {
                return Ok(Err(said));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// What the function has logged since.
    async fn logged(&self, since: Timestamp) -> anyhow::Result<Vec<String>> {
        let lines = self.logs.filter_log_events().log_group_name(format!("/aws/lambda/{}", self.name));
        let answer = lines.start_time(since.as_millisecond()).send().await?;
        Ok(answer.events().iter().filter_map(FilteredLogEvent::message).map(str::to_owned).collect())
    }

    /// The permissions of this name: all parts of a statement's action, or one.
    fn find(&self, named: &str) -> anyhow::Result<Vec<Permission>> {
        let mut words = named.splitn(3, ' ');
        let (sid, action, part) = (words.next(), words.next(), words.next());
        let mut found = self.role.permissions();
        found.retain(|permission| {
            let is_part = |part| permission.part.as_ref().is_some_and(|own| self.is_called(own, part));
            Some(permission.sid.as_str()) == sid
                && Some(permission.action.as_str()) == action
                && part.is_none_or(is_part)
        });
        ensure!(!found.is_empty(), "{} has no permission {named}", self.function);
        ensure!(part.is_none() || found.len() == 1, "{} has several permissions {named}", self.function);
        Ok(found)
    }

    /// Whether a resource ends so, where `*` stands for the project's name; of a secret, before what Secrets Manager adds.
    fn is_called(&self, resource: &str, part: &str) -> bool {
        let (project, _) = self.name.split_at(self.name.len() - self.function.len() - 1);
        let resource = resource.replace(project, "*");
        let secret =
            resource.rsplit_once('-').filter(|_| resource.contains(":secret:")).map(|(name, _)| name);
        resource == part || secret.unwrap_or(&resource).ends_with(part)
    }

    /// Takes a permission from the role.
    async fn reduce(&self, permission: &Permission) -> anyhow::Result<()> {
        let (policy, managed) = self.role.policy_with(permission)?;
        let document = if managed { &self.role.managed[policy] } else { &self.role.inline[policy] };
        let reduced = without(document, permission);
        let name = if managed { REDUCED } else { policy };
        if managed {
            self.iam("DetachRolePolicy", &[("PolicyArn", policy)]).await?;
        }
        match reduced {
            Some(reduced) => {
                let document = reduced.to_string();
                self.iam("PutRolePolicy", &[("PolicyName", name), ("PolicyDocument", &document)]).await
            }
            None if managed => Ok(()),
            None => self.iam("DeleteRolePolicy", &[("PolicyName", name)]).await,
        }
    }

    /// Gives it back.
    async fn restore(&self, permission: &Permission) -> anyhow::Result<()> {
        let (policy, managed) = self.role.policy_with(permission)?;
        if managed {
            self.iam("AttachRolePolicy", &[("PolicyArn", policy)]).await?;
            if without(&self.role.managed[policy], permission).is_some() {
                self.iam("DeleteRolePolicy", &[("PolicyName", REDUCED)]).await?;
            }
            return Ok(());
        }
        let document = self.role.inline[policy].to_string();
        self.iam("PutRolePolicy", &[("PolicyName", policy), ("PolicyDocument", &document)]).await
    }

    async fn iam(&self, action: &str, parameters: &[(&str, &str)]) -> anyhow::Result<()> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs([("Action", action), ("Version", "2010-05-08"), ("RoleName", &self.role.name)]);
        let form = form.extend_pairs(parameters).finish();
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        self.signed
            .post(IAM, &headers, form)
            .await
            .with_context(|| format!("{action} on {}", self.role.name))?;
        Ok(())
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sid, action, part } = self;
        write!(formatter, "{sid} {action}")?;
        part.as_ref().map_or(Ok(()), |part| write!(formatter, " {part}"))
    }
}

/// Whether a line says that an action was refused, by whoever refuses it: SQS writes its actions in small letters, and
/// Lambda says it of the role.
fn refuses(line: &str, action: &str) -> bool {
    let (line, action) = (line.to_lowercase(), action.to_lowercase());
    let name = action.split_once(':').map_or(action.as_str(), |(_, name)| name);
    line.contains(&format!("not authorized to perform: {action} "))
        || line.contains(&format!("does not have permissions to call {name} on"))
}

fn statements(document: &Value) -> Vec<Value> {
    list(&document["Statement"])
}

fn permissions(statement: &Value) -> Vec<Permission> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let parts = match parts(statement) {
        Some((_, parts)) => parts.iter().map(text).collect(),
        None => vec![None],
    };
    let sid = text(&statement["Sid"]).unwrap_or_default();
    let of = |action: String| {
        let permission = |part: &Option<String>| Permission {
            sid: sid.clone(),
            action: action.clone(),
            part: part.clone(),
        };
        parts.iter().map(permission).collect::<Vec<_>>()
    };
    list(&statement["Action"]).iter().filter_map(text).flat_map(of).collect()
}

/// The parts of what a statement speaks of, where there are several, and where in it they stand.
fn parts(statement: &Value) -> Option<(&'static str, Vec<Value>)> {
    let all =
        [RESOURCES, PARTITIONS].map(|place| (place, list(statement.pointer(place).unwrap_or(&Value::Null))));
    all.into_iter().find(|(_, parts)| parts.len() > 1)
}

/// The document without a permission; none where nothing else is in it.
fn without(document: &Value, taken: &Permission) -> Option<Value> {
    let mut kept = Vec::new();
    for statement in statements(document) {
        if !permissions(&statement).contains(taken) {
            kept.push(statement);
            continue;
        }
        if let Some((place, mut others)) = parts(&statement) {
            others.retain(|part| part.as_str() != taken.part.as_deref());
            let mut rest = statement.clone();
            (rest["Sid"], rest["Action"]) = (json!(format!("{}Rest", taken.sid)), json!(taken.action));
            if let Some(parts) = rest.pointer_mut(place) {
                *parts = json!(others);
            }
            kept.push(rest);
        }
        let mut actions = list(&statement["Action"]);
        actions.retain(|action| *action != taken.action);
        if !actions.is_empty() {
            let mut others = statement;
            others["Action"] = json!(actions);
            kept.push(others);
        }
    }
    (!kept.is_empty()).then(|| json!({"Version": document["Version"], "Statement": kept}))
}

/// One or many.
fn list(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(values) => values.clone(),
        Value::Null => Vec::new(),
        value => vec![value.clone()],
    }
}
