//! What came of an invocation, in figures.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::groups::Group;

/// Why a connection was blocked, as far as that can be told of its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The name is on no allow list, or on the deny list.
    NameNotAllowed,
    /// A rule of the guard: QUIC, SSH, addresses in place of names, …
    Guard,
    /// TLS or HTTP without a name.
    NoName,
    /// Neither TLS nor HTTP.
    OtherProtocol,
}

impl Reason {
    /// Why the connections of a group were blocked.
    pub fn of(group: &Group<'_>) -> Self {
        let first = &group.first;
        if first.signature.starts_with("egress guard:") {
            Self::Guard
        } else if !["tls", "http", "http2"].contains(&first.protocol) {
            Self::OtherProtocol
        } else if first.is_named {
            Self::NameNotAllowed
        } else {
            Self::NoName
        }
    }

    /// Its name, as a metric's dimension has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::NameNotAllowed => "NameNotAllowed",
            Self::Guard => "Guard",
            Self::NoName => "NoName",
            Self::OtherProtocol => "OtherProtocol",
        }
    }
}

/// The figures of an invocation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Figures {
    /// Blocked connections, by why. A batch that is delivered again counts here again.
    pub blocked: BTreeMap<Reason, u64>,
    /// Lines of the log that can't be read.
    pub unreadable: u64,
    /// Alerts that were told.
    pub alerts: u64,
    /// Digests that were told.
    pub digests: u64,
    /// Connections that no alert told, of windows that are over.
    pub suppressed: u64,
    /// The longest time from a connection that an alert tells of to that alert, in milliseconds.
    pub lag_milliseconds: Option<u64>,
}

impl Figures {
    /// As lines of the log in CloudWatch's embedded metric format: CloudWatch reads from the log of the function itself
    /// that they are metrics. One line for all, and one for each reason for which something was blocked.
    /// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>
    pub fn lines(&self, project: &str, now: Timestamp) -> Vec<Value> {
        let counts = [
            ("Unreadable", self.unreadable),
            ("Alerts", self.alerts),
            ("Digests", self.digests),
            ("Suppressed", self.suppressed),
        ];
        let mut metrics: Vec<(&str, &str, u64)> =
            counts.into_iter().map(|(name, count)| (name, "Count", count)).collect();
        metrics.extend(self.lag_milliseconds.map(|lag| ("AlertLag", "Milliseconds", lag)));
        let mut lines = vec![line(&[("Project", project)], &metrics, now)];
        lines.extend(self.blocked.iter().map(|(reason, count)| {
            line(&[("Project", project), ("Reason", reason.name())], &[("Blocked", "Count", *count)], now)
        }));
        lines
    }

    /// Adds blocked connections.
    pub fn add_blocked(&mut self, groups: &[Group<'_>]) {
        for group in groups {
            *self.blocked.entry(Reason::of(group)).or_default() += group.counts.connections;
        }
    }

    /// Adds an alert about what was first seen then.
    pub fn add_alert(&mut self, first_seen: Timestamp, now: Timestamp) {
        self.alerts += 1;
        let lag = u64::try_from(now.duration_since(first_seen).as_millis()).unwrap_or(0);
        self.lag_milliseconds = self.lag_milliseconds.max(Some(lag));
    }

    /// Adds digests, and how many connections of the windows that are over no alert told.
    pub fn add_digests(&mut self, suppressed: u64, digests: usize) {
        self.suppressed += suppressed;
        self.digests += u64::try_from(digests).unwrap_or(u64::MAX);
    }

    /// Adds what another piece of the log came to.
    pub fn add(&mut self, other: Self) {
        for (reason, count) in other.blocked {
            *self.blocked.entry(reason).or_default() += count;
        }
        self.unreadable += other.unreadable;
        self.alerts += other.alerts;
        self.digests += other.digests;
        self.suppressed += other.suppressed;
        self.lag_milliseconds = self.lag_milliseconds.max(other.lag_milliseconds);
    }
}

fn line(dimensions: &[(&str, &str)], metrics: &[(&str, &str, u64)], now: Timestamp) -> Value {
    let names: Vec<&str> = dimensions.iter().map(|(name, _)| *name).collect();
    let units: Vec<Value> =
        metrics.iter().map(|(name, unit, _)| json!({"Name": name, "Unit": unit})).collect();
    let mut line = Map::from_iter([(
        "_aws".to_owned(),
        json!({
            "Timestamp": now.as_millisecond(),
            "CloudWatchMetrics": [{"Namespace": "StudioEgress", "Dimensions": [names], "Metrics": units}],
        }),
    )]);
    line.extend(dimensions.iter().map(|(name, value)| ((*name).to_owned(), json!(value))));
    line.extend(metrics.iter().map(|(name, _, value)| ((*name).to_owned(), json!(value))));
    Value::Object(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_lines_that_cloudwatch_reads() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let mut figures = Figures { unreadable: 2, ..Figures::default() };
        figures.blocked = BTreeMap::from([(Reason::Guard, 3), (Reason::NameNotAllowed, 4)]);
        figures.add_alert("2026-11-21T11:59:58.5Z".parse().unwrap(), now);
        let lines: Vec<String> = figures.lines("studio", now).iter().map(Value::to_string).collect();
        insta::assert_snapshot!(lines.join("\n"));
    }
}
