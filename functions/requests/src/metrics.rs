//! The figures of an invocation, as lines of the log in CloudWatch's embedded metric format: CloudWatch reads from the
//! log of the function itself that they are metrics.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::{Figures, Gauges};

/// So many values a metric has in one line, at most.
const MOST_VALUES: usize = 100;

/// The lines: how things stand, how many requests came into each state, and how long grants took to be active.
pub fn lines(figures: &Figures, project: &str, now: Timestamp) -> Vec<Value> {
    let project = ("Project", project);
    let gauges = figures.gauges.map(|Gauges { live_grants, waiting_grants, capacity_left }| {
        let gauges = [
            ("LiveGrants", "Count", json!(live_grants)),
            ("WaitingGrants", "Count", json!(waiting_grants)),
            ("CapacityLeft", "Count", json!(capacity_left)),
        ];
        line(&[project], &gauges, now)
    });
    let states = figures.reached.iter().map(|(state, count)| {
        line(&[project, ("State", &state.to_string())], &[("Requests", "Count", json!(count))], now)
    });
    let times = figures.milliseconds_to_active.chunks(MOST_VALUES);
    let times = times.map(|times| line(&[project], &[("TimeToActive", "Milliseconds", json!(times))], now));
    gauges.into_iter().chain(states).chain(times).collect()
}

fn line(dimensions: &[(&str, &str)], metrics: &[(&str, &str, Value)], now: Timestamp) -> Value {
    let names: Vec<&str> = dimensions.iter().map(|(name, _)| *name).collect();
    let units: Vec<Value> =
        metrics.iter().map(|(name, unit, _)| json!({"Name": name, "Unit": unit})).collect();
    let metric = json!({"Namespace": "StudioEgress", "Dimensions": [names], "Metrics": units});
    let header = json!({"Timestamp": now.as_millisecond(), "CloudWatchMetrics": [metric]});
    let mut line = Map::from_iter([("_aws".to_owned(), header)]);
    line.extend(dimensions.iter().map(|(name, value)| ((*name).to_owned(), json!(value))));
    line.extend(metrics.iter().map(|(name, _, value)| ((*name).to_owned(), value.clone())));
    Value::Object(line)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use egress::request::StateName;

    use super::*;

    #[test]
    fn they_are_lines_that_cloudwatch_reads() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let figures = Figures {
            gauges: Some(Gauges { live_grants: 12, waiting_grants: 1, capacity_left: 40 }),
            reached: BTreeMap::from([(StateName::Pending, 2), (StateName::Active, 1)]),
            milliseconds_to_active: vec![2_500],
        };
        let lines: Vec<String> = lines(&figures, "studio", now).iter().map(Value::to_string).collect();
        insta::assert_snapshot!(lines.join("\n"));
        let nothing = super::lines(&Figures::default(), "studio", now);
        assert!(nothing.is_empty(), "{nothing:?}");
    }

    #[test]
    fn a_line_has_as_many_values_as_cloudwatch_takes() {
        let figures = Figures { milliseconds_to_active: (0..201).collect(), ..Figures::default() };
        let lines = lines(&figures, "studio", Timestamp::UNIX_EPOCH);
        let values = |line: &Value| line["TimeToActive"].as_array().unwrap().len();
        assert_eq!(lines.iter().map(values).collect::<Vec<_>>(), [100, 100, 1]);
    }
}
