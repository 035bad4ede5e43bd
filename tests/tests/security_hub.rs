//! Alerts as findings, held against AWS's own model of Security Hub.

#![cfg(test)]

use alerts::security_hub::{ImportError, SecurityHub};
use egress::aws::signed::Signed;
use egress::events::TrafficBlocked;
use serde_json::{Value, json};
use tests::local_aws::{ACCOUNT, LocalAws, REGION};

fn product(account: &str) -> String {
    format!("arn:aws:securityhub:{REGION}:{account}:product/{account}/default")
}

/// An alert with all that one can have.
fn alert() -> TrafficBlocked {
    serde_json::from_value(json!({
        "version": 1, "event_id": "blocked-0123456789abcdef01234567",
        "owner": {"kind": "user_profile", "domain": "d-1", "name": "alice"},
        "domain": "198.51.100.7", "destination": "198.51.100.7:443", "others": ["mallory.github.io"],
        "destination_count": 2, "source": "10.2.3.10", "protocol": "tls", "port": 443, "count": 12,
        "first_seen": "2026-05-14T09:16:00.5Z", "last_seen": "2026-05-14T09:17:00Z", "window_seconds": 600,
        "repeat_seconds": 3600, "firewall": "demo", "availability_zone": "use1-az1", "signature": "egress guard: x",
        "is_new": true, "severity": "raised",
        "findings": [
            {"rule": "many_names", "text": "Many."}, {"rule": "shared_hosting", "text": "Shared."},
            {"rule": "bare_address", "text": "Bare."},
        ],
        "suggestion": {"pattern": "mallory.github.io", "preset": "pages"}, "notes": ["A note."],
    }))
    .unwrap()
}

#[tokio::test]
async fn a_finding_is_what_security_hub_takes() {
    let aws = LocalAws::start().await.unwrap();
    let hub = |account: &str| {
        let signed = Signed::new(&aws.sdk_config());
        SecurityHub::new(signed, "Raised", &product(account), "studio").unwrap().unwrap()
    };
    hub(ACCOUNT).import(&[alert()], || 0.0).await.unwrap();
    let answer = aws.command("aws").args(["securityhub", "get-findings"]).output().unwrap();
    let answer: Value = serde_json::from_slice(&answer.stdout).unwrap();
    assert_eq!(answer["Findings"][0]["Id"], "studio-egress/studio/blocked-0123456789abcdef01234567");

    let refused = hub("999999999999").import(&[alert()], || 0.0).await.unwrap_err();
    assert!(matches!(refused, ImportError::Refused { count: 1, .. }), "{refused}");
}
