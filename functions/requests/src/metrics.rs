//! How things stand, as a line of the log in CloudWatch's embedded metric format.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::Gauges;

/// The line. CloudWatch reads from the log of the function itself that it is a metric.
pub fn line(gauges: Gauges, project: &str, now: Timestamp) -> Value {
    json!({
        "_aws": {
            "Timestamp": now.as_millisecond(),
            "CloudWatchMetrics": [{
                "Namespace": "StudioEgress",
                "Dimensions": [["Project"]],
                "Metrics": [
                    {"Name": "LiveGrants", "Unit": "Count"},
                    {"Name": "WaitingGrants", "Unit": "Count"},
                ],
            }],
        },
        "Project": project,
        "LiveGrants": gauges.live_grants,
        "WaitingGrants": gauges.waiting_grants,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_one_line_that_cloudwatch_reads() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let line = line(Gauges { live_grants: 12, waiting_grants: 1 }, "studio", now);
        let gauges = ["LiveGrants", "WaitingGrants"].map(|name| line[name].as_u64());
        assert_eq!((gauges, &line["Project"]), ([Some(12), Some(1)], &json!("studio")));
        assert_eq!(line["_aws"]["Timestamp"], json!(now.as_millisecond()));
        let metrics = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(metrics["Dimensions"], json!([["Project"]]));
        assert!(!line.to_string().contains('\n'));
    }
}
