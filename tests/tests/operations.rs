//! What operators look at: the dashboard and the alarms are held against the metrics that the functions write, by their
//! own code, and against those that AWS documents.

#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};

use alerts::figures::Reason;
use anyhow::{Context as _, Result, ensure};
use egress::request::StateName;
use jiff::Timestamp;
use requests::{Figures, Gauges};
use serde_json::Value;
use tests::local_aws::LocalAws;

/// A metric: its namespace, its name, and the names of its dimensions.
type Metric = (String, String, Vec<String>);

/// <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html>,
/// <https://docs.aws.amazon.com/lambda/latest/dg/urls-monitoring.html>,
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html>
const OF_AWS: [(&str, &str, &[&str]); 7] = [
    ("AWS/Lambda", "Errors", &["FunctionName"]),
    ("AWS/Lambda", "Errors", &["FunctionName", "Resource"]),
    ("AWS/Lambda", "Invocations", &["FunctionName", "Resource"]),
    ("AWS/Lambda", "Throttles", &["FunctionName"]),
    ("AWS/Lambda", "Url5xxCount", &["FunctionName"]),
    ("AWS/SQS", "ApproximateAgeOfOldestMessage", &["QueueName"]),
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible", &["QueueName"]),
];
/// <https://docs.aws.amazon.com/network-firewall/latest/developerguide/monitoring-cloudwatch.html>
const OF_THE_FIREWALL: [&str; 3] = ["PassedPackets", "DroppedPackets", "RejectedPackets"];

const STATES: [StateName; 8] = [
    StateName::Pending,
    StateName::Approved,
    StateName::Active,
    StateName::Ended,
    StateName::Denied,
    StateName::Lapsed,
    StateName::Withdrawn,
    StateName::Refused,
];
const REASONS: [Reason; 4] = [Reason::NameNotAllowed, Reason::Guard, Reason::NoName, Reason::OtherProtocol];

/// What the functions write when they have everything to tell.
fn written() -> Vec<Value> {
    let figures = Figures {
        gauges: Some(Gauges { live_grants: 1, waiting_grants: 1, capacity_left: 1 }),
        reached: STATES.map(|state| (state, 1)).into(),
        milliseconds_to_active: vec![1],
    };
    let blocked = alerts::figures::Figures {
        blocked: REASONS.map(|reason| (reason, 1)).into(),
        lag_milliseconds: Some(1),
        ..alerts::figures::Figures::default()
    };
    let mut lines = requests::metrics::lines(&figures, "studio", Timestamp::UNIX_EPOCH);
    lines.extend(blocked.lines("studio", Timestamp::UNIX_EPOCH));
    lines
}

/// The metrics in lines of the log, as CloudWatch reads them; and what values their dimensions have.
fn metrics(lines: &[Value]) -> (BTreeSet<Metric>, BTreeMap<String, BTreeSet<String>>) {
    let (mut metrics, mut values) = (BTreeSet::new(), BTreeMap::new());
    for line in lines {
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        let dimensions = texts(&directive["Dimensions"][0]);
        for dimension in &dimensions {
            let value = line[dimension.as_str()].as_str().unwrap().to_owned();
            values.entry(dimension.clone()).or_insert_with(BTreeSet::new).insert(value);
        }
        for metric in directive["Metrics"].as_array().unwrap() {
            let (space, name) = (directive["Namespace"].as_str().unwrap(), metric["Name"].as_str().unwrap());
            assert!(!line[name].is_null(), "{name} has no value in {line}");
            metrics.insert((space.to_owned(), name.to_owned(), dimensions.clone()));
        }
    }
    (metrics, values)
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

fn of_aws() -> impl Iterator<Item = Metric> {
    OF_AWS.into_iter().map(|(space, name, dimensions)| {
        (space.to_owned(), name.to_owned(), dimensions.iter().map(ToString::to_string).collect())
    })
}

/// The dashboard, as CloudWatch has it.
async fn dashboard(log_group: &str) -> Result<Value> {
    let aws = LocalAws::start().await?;
    let template = concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/dashboard.yaml");
    let parameters = [
        "ProjectName=studio".to_owned(),
        "FirewallArn=arn:aws:network-firewall:us-east-1:000000000000:firewall/wall".to_owned(),
        format!("AlertLogGroupName={log_group}"),
    ];
    let mut deploy = aws.command("aws");
    deploy.args(["cloudformation", "deploy", "--stack-name", "page", "--template-file", template]);
    deploy.arg("--parameter-overrides").args(parameters);
    ensure!(deploy.output()?.status.success(), "not deployed");
    let get = ["cloudwatch", "get-dashboard", "--dashboard-name", "studio-egress", "--output", "json"];
    let answer: Value = serde_json::from_slice(&aws.command("aws").args(get).output()?.stdout)?;
    Ok(serde_json::from_str(answer["DashboardBody"].as_str().context("no body")?)?)
}

#[tokio::test]
async fn the_dashboard_shows_what_is_written() -> Result<()> {
    // Given what the functions write, and what AWS does,
    let (ours, values) = metrics(&written());
    let known: BTreeSet<Metric> = ours.iter().cloned().chain(of_aws()).collect();
    let page = dashboard("/aws/vendedlogs/alert").await?;
    let widgets = page["widgets"].as_array().context("no widgets")?;
    let shown = widgets.iter().filter_map(|widget| widget["properties"]["metrics"].as_array()).flatten();
    let mut found = BTreeSet::new();
    for metric in shown {
        let parts: Vec<&str> = metric.as_array().unwrap().iter().filter_map(Value::as_str).collect();
        // then each search is for a metric of the firewall's,
        let Some((head, dimensions)) = parts.split_at_checked(2).filter(|(head, _)| head.len() == 2) else {
            let search = metric[0]["expression"].as_str().with_context(|| metric.to_string())?;
            let name = search.split("MetricName=\"").nth(1).and_then(|rest| rest.split('"').next());
            ensure!(name.is_some_and(|name| OF_THE_FIREWALL.contains(&name)), "{search}");
            ensure!(search.contains("AWS/NetworkFirewall") && search.contains("\"wall\""), "{search}");
            continue;
        };
        // each metric is one that is written,
        let names = dimensions.iter().step_by(2).map(ToString::to_string).collect();
        let metric = (head[0].to_owned(), head[1].to_owned(), names);
        ensure!(known.contains(&metric), "nobody writes {metric:?}");
        // with a value that there is,
        for pair in dimensions.chunks(2).filter(|_| metric.0 == "StudioEgress") {
            ensure!(values[pair[0]].contains(pair[1]), "{metric:?} has never the {pair:?}");
        }
        found.insert(metric);
    }
    // and none of ours is missing.
    let missing: Vec<_> = ours.difference(&found).collect();
    ensure!(missing.is_empty(), "not on the dashboard: {missing:?}");
    Ok(())
}

#[tokio::test]
async fn the_dashboard_is_tidy_with_a_log_group_and_without() -> Result<()> {
    for (log_group, tables) in [("/aws/vendedlogs/alert", 3), ("", 2)] {
        let page = dashboard(log_group).await?;
        let widgets = page["widgets"].as_array().context("no widgets")?;
        let logs = widgets.iter().filter(|widget| widget["type"] == "log");
        assert_eq!(logs.count(), tables);
        let mut taken = BTreeSet::new();
        for widget in widgets {
            let side = |name: &str| widget[name].as_u64().unwrap();
            for (x, y) in (0..side("width")).flat_map(|x| (0..side("height")).map(move |y| (x, y))) {
                let place = (side("x") + x, side("y") + y);
                ensure!(place.0 < 24 && taken.insert(place), "{place:?} is taken twice, or outside");
            }
        }
    }
    Ok(())
}

/// An alarm of a template, as text.
struct Alarm {
    name: String,
    text: String,
}

impl Alarm {
    fn all() -> Result<Vec<Self>> {
        let mut alarms = Vec::new();
        for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../infra"))? {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != "yaml") {
                continue;
            }
            let text = std::fs::read_to_string(&path)?;
            for part in text.split("    Type: AWS::CloudWatch::Alarm\n").skip(1) {
                let indented = |line: &&str| line.is_empty() || line.starts_with("    ");
                let text = part.lines().take_while(indented).collect::<Vec<_>>().join(
                    "
",
                );
                let name = field(&text, "AlarmName")?.replace("!Sub '${ProjectName}-", "").replace('\'', "");
                alarms.push(Self { name, text });
            }
        }
        Ok(alarms)
    }

    fn metric(&self) -> Result<Metric> {
        let dimensions = self.text.lines().filter_map(|line| line.trim().strip_prefix("- Name: "));
        let dimensions = dimensions.map(ToOwned::to_owned).collect();
        Ok((field(&self.text, "Namespace")?, field(&self.text, "MetricName")?, dimensions))
    }

    fn description(&self) -> Result<String> {
        let (_, text) = self.text.split_once("AlarmDescription: !Sub >-\n").context("no description")?;
        let lines = text.lines().take_while(|line| line.starts_with("        "));
        Ok(lines.map(str::trim).collect::<Vec<_>>().join(" "))
    }
}

fn field(text: &str, name: &str) -> Result<String> {
    let value = text.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(": "));
    value.map(ToOwned::to_owned).with_context(|| format!("no {name} in {text}"))
}

#[test]
fn every_alarm_goes_off_by_what_is_written_and_says_what_to_do() -> Result<()> {
    let (ours, _) = metrics(&written());
    let known: BTreeSet<Metric> = ours.into_iter().chain(of_aws()).collect();
    let mut descriptions = BTreeMap::new();
    for alarm in Alarm::all()? {
        let metric = alarm.metric()?;
        ensure!(known.contains(&metric), "{}: nobody writes {metric:?}", alarm.name);
        ensure!(!field(&alarm.text, "TreatMissingData")?.is_empty(), "{}", alarm.name);
        let (_, actions) = alarm.text.split_once("AlarmActions:\n").context("nobody is told")?;
        ensure!(actions.trim_start().starts_with("- !Ref Topic"), "{} is not told on the topic", alarm.name);
        let described = alarm.description()?;
        descriptions.insert(alarm.name, described);
    }
    insta::assert_json_snapshot!(descriptions);
    Ok(())
}

#[tokio::test]
async fn every_alarm_that_is_always_there_is_on_the_dashboard() -> Result<()> {
    let page = dashboard("").await?;
    let widgets = page["widgets"].as_array().context("no widgets")?;
    let listed = widgets.iter().filter_map(|widget| widget["properties"]["alarms"].as_array()).flatten();
    let listed: BTreeSet<String> = listed
        .filter_map(|arn| arn.as_str()?.rsplit_once(":alarm:studio-").map(|(_, name)| name.to_owned()))
        .collect();
    let there: BTreeSet<String> = Alarm::all()?.into_iter().map(|alarm| alarm.name).collect();
    // A partner's bus and the channels are there where they are set up; the topics' always is.
    let always = |name: &String| *name != "intake-partner-dead-letters";
    let channel = "notify-${Channel}-dead-letters";
    let name = |name: String| if name == channel { "notify-topics-dead-letters".to_owned() } else { name };
    let wanted: BTreeSet<String> = there.into_iter().filter(always).map(name).collect();
    assert_eq!(listed, wanted);
    Ok(())
}
