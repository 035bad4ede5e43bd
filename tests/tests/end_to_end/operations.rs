//! What operators find in the logs, once everything has happened: each line has a shape, and each saved query finds lines
//! and names fields that are there.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, ensure};
use egress::request::RequestId;
use serde_json::{Value, json};
use tests::stage::{Deployed, Stage};

/// Lambda's own line about an invocation, which the local AWS writes otherwise
/// (<https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html#platform-report>).
fn of_lambda() -> Value {
    json!({
        "time": "2026-11-28T12:00:00.000Z", "type": "platform.report",
        "record": {"requestId": "6d68ca91-49c9-448d-89b8-7ca3e6dc66aa", "status": "success", "metrics": {
            "billedDurationMs": 99, "durationMs": 62.3, "initDurationMs": 36.7, "maxMemoryUsedMB": 40,
            "memorySizeMB": 512,
        }},
    })
}

/// What is written when everything has happened.
const METRICS: [&str; 11] = [
    "Requests",
    "TimeToActive",
    "LiveGrants",
    "WaitingGrants",
    "CapacityLeft",
    "Blocked",
    "Alerts",
    "Digests",
    "Suppressed",
    "Unreadable",
    "AlertLag",
];

/// Each line that a function writes is JSON: with its level, what it says, and the invocation that it is of; or figures.
pub(crate) async fn every_line_has_its_shape(deployed: &Deployed) -> anyhow::Result<()> {
    let (mut seen, mut metrics) = (BTreeSet::new(), BTreeSet::new());
    for (group, lines) in deployed.function_logs().await? {
        for line in lines.iter().filter(|line| !is_of_the_local_lambda(line)) {
            let parsed: Value = serde_json::from_str(line).with_context(|| format!("{group}: {line}"))?;
            if let Some(metric) =
                parsed.pointer("/_aws/CloudWatchMetrics/0/Metrics").and_then(Value::as_array)
            {
                metrics.extend(metric.iter().filter_map(|one| one["Name"].as_str().map(ToOwned::to_owned)));
                continue;
            }
            let text = |path: &str| parsed.pointer(path).and_then(Value::as_str);
            ensure!(text("/level").is_some() && text("/fields/message").is_some(), "{group}: {line}");
            // What is said before the first invocation is of none.
            let is_of_a_start = text("/fields/message") == Some("the configuration is read");
            ensure!(is_of_a_start || text("/span/requestId").is_some(), "{group}: {line}");
            seen.insert(group.clone());
        }
    }
    ensure!(seen.len() >= 9, "functions that have said nothing: only {seen:?} have");
    let missing: Vec<_> = METRICS.iter().filter(|name| !metrics.contains(**name)).collect();
    ensure!(missing.is_empty(), "{missing:?} were never written, only {metrics:?}");
    Ok(())
}

fn is_of_the_local_lambda(line: &str) -> bool {
    ["START RequestId", "END RequestId", "REPORT RequestId"].iter().any(|start| line.starts_with(start))
}

/// A saved query, run here as far as its filters go.
struct Query {
    name: String,
    groups: Vec<String>,
    filters: Vec<String>,
    fields: BTreeSet<String>,
}

/// Each saved query finds something, and each field that it names is there.
pub(crate) async fn every_saved_query_finds_something(
    stage: &Stage,
    deployed: &Deployed,
    request: &RequestId,
) -> anyhow::Result<()> {
    let mut logs: BTreeMap<String, Vec<String>> = deployed.function_logs().await?;
    for lines in logs.values_mut() {
        lines.push(of_lambda().to_string());
    }
    logs.insert(deployed.output("AlertLogGroupName")?.to_owned(), deployed.alert_log("-stormy").await?);
    let definitions = stage.aws_answer(&["logs", "describe-query-definitions"]).await?;
    let definitions = definitions["queryDefinitions"].as_array().context("no saved queries")?;
    ensure!(definitions.len() == 10, "{} saved queries", definitions.len());
    let mut wrong = Vec::new();
    for definition in definitions {
        let query = Query::read(definition, request.as_str())?;
        let missing: Vec<_> = query.groups.iter().filter(|group| !logs.contains_key(*group)).collect();
        if !missing.is_empty() {
            wrong.push(format!("{}: there is no log group {missing:?}", query.name));
        }
        let lines = query.groups.iter().filter_map(|group| logs.get(group)).flatten();
        let lines: Vec<(&String, Value)> =
            lines.filter_map(|line| Some((line, serde_json::from_str::<Value>(line).ok()?))).collect();
        let found = lines.iter().filter(|(text, line)| query.filters.iter().all(|it| holds(it, text, line)));
        if found.count() == 0 {
            wrong.push(format!("{} finds nothing", query.name));
        }
        let there = |field: &&String| lines.iter().any(|(_, line)| line.pointer(&pointer(field)).is_some());
        let absent: Vec<_> = query.fields.iter().filter(|field| !there(field)).collect();
        if !absent.is_empty() {
            wrong.push(format!("{} names what no line has: {absent:?}", query.name));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

impl Query {
    fn read(definition: &Value, request: &str) -> anyhow::Result<Self> {
        let text = |name: &str| definition[name].as_str().map(ToOwned::to_owned).context("no text");
        let groups = definition["logGroupNames"].as_array().context("no groups")?;
        let groups = groups.iter().filter_map(|group| group.as_str().map(ToOwned::to_owned)).collect();
        let string = text("queryString")?.replace("req-000000000000", request);
        let filters = string.split('|').filter_map(|stage| stage.trim().strip_prefix("filter "));
        Ok(Self {
            name: text("name")?,
            groups,
            filters: filters.map(ToOwned::to_owned).collect(),
            fields: fields(&string),
        })
    }
}

/// The names with a dot, and those of the two that have none: all that a query reads of a line.
fn fields(query: &str) -> BTreeSet<String> {
    let outside = query.split('"').step_by(2).collect::<String>();
    let outside = outside.split('/').step_by(2).collect::<String>();
    let words = outside.split(|letter: char| !letter.is_ascii_alphanumeric() && !"._@".contains(letter));
    let is_field = |word: &&str| word.contains('.') || ["level", "type"].contains(word);
    words.filter(is_field).filter(|word| !word.starts_with('@')).map(ToOwned::to_owned).collect()
}

fn pointer(field: &str) -> String {
    format!("/{}", field.replace('.', "/"))
}

/// Whether a filter lets a line through: `field = "text"`, `field in ["text", …]`, `field like /text/`.
fn holds(filter: &str, text: &str, line: &Value) -> bool {
    let (field, rest) = filter.split_once(' ').unwrap_or_default();
    let value = match field {
        "@message" => text,
        field => line.pointer(&pointer(field)).and_then(Value::as_str).unwrap_or_default(),
    };
    if let Some(pattern) = rest.strip_prefix("like /") {
        let pattern = pattern.trim_end_matches('/');
        return pattern.strip_prefix('^').map_or(value.contains(pattern), |start| value.starts_with(start));
    }
    rest.split('"').skip(1).step_by(2).any(|one| one == value)
}
