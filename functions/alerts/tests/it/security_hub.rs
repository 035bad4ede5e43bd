//! Alerts as findings of Security Hub.

use std::collections::HashSet;

use alerts::AlertsError;
use alerts::asff::{Product, finding};
use egress::events::{Severity, TrafficBlocked};
use egress::owner::Owner;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::harness::{Function, blocked, delivery, function, now, numbered, told};
use crate::hub::{Hub, client};

const AT: &str = "2026-05-14T09:16:00.5+0000";

/// A function whose alerts become findings: those that are raised, or all.
fn function_of(hub: &Hub, which: &str) -> Function {
    Function { security_hub: hub.client(which), jitter: || 0.0, ..function() }
}

/// A connection to each of these hosts, in a batch of this name.
async fn batch(function: &Function, name: &str, hosts: &[&str]) -> Result<(), AlertsError> {
    let lines = (0..).zip(hosts).map(|(flow, host)| blocked("10.2.3.10", host, AT, flow));
    function.handle(delivery(&numbered(name, lines)), now()).await.map(drop)
}

#[tokio::test]
async fn what_is_raised_becomes_a_finding() {
    let hub = Hub::start().await;
    let function = function_of(&hub, "Raised");
    batch(&function, "a", &["pypi.org", "mallory.github.io"]).await.unwrap();
    assert_eq!(told(&function).len(), 2);
    let calls = hub.heard();
    let [call] = calls.as_slice() else { panic!("{calls:?}") };
    assert!(call.head.starts_with("POST /findings/import HTTP/1.1"), "{}", call.head);
    assert!(call.head.contains("/eu-west-1/securityhub/aws4_request"), "{}", call.head);
    assert!(call.head.contains("content-type: application/json"), "{}", call.head);
    insta::assert_json_snapshot!(call.body);
    batch(&function, "b", &["example.org"]).await.unwrap();
    assert!(hub.heard().is_empty(), "nothing is raised");
}

#[tokio::test]
async fn all_alerts_are_findings_where_an_operator_wants_that() {
    let hub = Hub::start().await;
    let function = function_of(&hub, "All");
    batch(&function, "a", &["pypi.org", "mallory.github.io"]).await.unwrap();
    let calls = hub.heard();
    let severities =
        calls[0].findings().iter().map(|finding| &finding["FindingProviderFields"]["Severity"]["Label"]);
    assert_eq!(severities.collect::<HashSet<_>>(), HashSet::from([&json!("LOW"), &json!("MEDIUM")]));
}

#[tokio::test]
async fn a_call_has_a_hundred_findings_at_most() {
    let hub = Hub::start().await;
    let function = function_of(&hub, "All");
    let lines = (1..=120).map(|host| blocked(&format!("10.2.3.{host}"), "pypi.org", AT, host));
    function.handle(delivery(&numbered("a", lines)), now()).await.unwrap();
    let counts: Vec<usize> = hub.heard().iter().map(|call| call.findings().len()).collect();
    assert_eq!(counts, [100, 20]);
}

#[tokio::test]
async fn a_throttled_call_is_made_again() {
    let hub = Hub::start().await;
    let function = function_of(&hub, "Raised");
    let throttled = (429, json!({"Code": "LimitExceededException", "Message": "Too many."}));
    hub.will([throttled.clone(), throttled]);
    batch(&function, "a", &["mallory.github.io"]).await.unwrap();
    assert_eq!(hub.heard().len(), 3);
}

#[tokio::test]
async fn an_alert_is_told_whatever_becomes_of_its_finding_and_the_finding_is_imported_later() {
    let hub = Hub::start().await;
    let function = function_of(&hub, "Raised");
    hub.will([(500, json!({})), (500, json!({})), (500, json!({}))]);
    let error = batch(&function, "a", &["mallory.github.io"]).await.unwrap_err();
    assert!(matches!(error, AlertsError::Findings(_)), "{error}");
    assert_eq!(told(&function).len(), 1);
    let first = hub.heard().pop().unwrap().body;

    batch(&function, "a", &["mallory.github.io"]).await.unwrap();
    assert_eq!(hub.heard()[0].body, first);
    let told = told(&function);
    assert_eq!(told[0], told[1], "channels know what they have told by its id");

    batch(&function, "a", &["mallory.github.io"]).await.unwrap();
    assert!(hub.heard().is_empty(), "all is done");
}

#[tokio::test]
async fn what_security_hub_refuses_is_named() {
    let hub = Hub::start().await;
    let function = function_of(&hub, "Raised");
    let failed =
        json!({"Id": "studio-egress/studio/x", "ErrorCode": "InvalidInput", "ErrorMessage": "no Title"});
    hub.will([(200, json!({"FailedCount": 1, "SuccessCount": 0, "FailedFindings": [failed]}))]);
    let refused = batch(&function, "a", &["mallory.github.io"]).await.unwrap_err().to_string();
    let error = json!({"Code": "InvalidAccessException", "Message": "The account isn't subscribed."});
    hub.will([(401, error)]);
    let off = batch(&function, "b", &["eve.github.io"]).await.unwrap_err().to_string();
    hub.will([(200, json!("what?"))]);
    let unreadable = batch(&function, "c", &["eve.gitlab.io"]).await.unwrap_err().to_string();
    insta::assert_snapshot!([refused, off, unreadable].join("\n"));
}

#[test]
fn a_wrong_setting_is_named() {
    let error = |which, product| client("http://127.0.0.1:9", which, product).unwrap_err().to_string();
    insta::assert_snapshot!([error("raised", ""), error("All", "arn:aws:securityhub:eu-west-1")].join("\n"));
    assert!(client("http://127.0.0.1:9", "Off", "").unwrap().is_none());
}

proptest! {
    #[test]
    fn a_finding_keeps_the_limits_of_its_format(
        domain in any::<String>(), text in "\\PC{0,3000}", source in any::<std::net::IpAddr>(),
        others in prop::collection::vec("[a-z]{200}", 0..20),
    ) {
        let alert = alert(&domain, &text, &source.to_string(), others);
        let product: Product =
            "arn:aws-cn:securityhub:cn-north-1:123456789012:product/123456789012/default".parse().unwrap();
        let finding = finding(&alert, &product, "studio");
        let length = |at: &str| finding.pointer(at).and_then(Value::as_str).map_or(0, |text| text.chars().count());
        for (at, most) in [
            ("/Title", 256), ("/Description", 1024), ("/Remediation/Recommendation/Text", 512), ("/Id", 512),
            ("/GeneratorId", 512), ("/Resources/0/Id", 512), ("/Network/Protocol", 16),
            ("/Network/DestinationDomain", 128),
        ] {
            prop_assert!(length(at) <= most, "{at}: {}", length(at));
        }
        for at in ["/Title", "/Description", "/Remediation/Recommendation/Text", "/Resources/0/Id"] {
            prop_assert!(length(at) > 0, "{at}");
        }
        for (at, most) in [("/ProductFields", 2048), ("/Resources/0/Details/Other", 1023)] {
            for (name, text) in finding.pointer(at).unwrap().as_object().unwrap() {
                prop_assert!((1..=most).contains(&text.as_str().unwrap().chars().count()), "{name}");
            }
        }
        prop_assert!(finding.to_string().len() < 240 * 1024);
    }
}

fn alert(domain: &str, text: &str, source: &str, others: Vec<String>) -> TrafficBlocked {
    let at = now();
    TrafficBlocked {
        version: 1,
        event_id: "blocked-0123456789abcdef01234567".to_owned(),
        owner: Owner::Interface { id: "eni-1".to_owned(), description: text.chars().take(255).collect() },
        domain: domain.to_owned(),
        destination: domain.to_owned(),
        others,
        destination_count: 21,
        source: source.to_owned(),
        protocol: text.chars().take(40).collect(),
        port: None,
        count: u64::MAX,
        first_seen: at,
        last_seen: at,
        window_seconds: 600,
        repeat_seconds: 3600,
        firewall: text.to_owned(),
        availability_zone: String::new(),
        signature: text.to_owned(),
        is_new: true,
        severity: Severity::Normal,
        findings: Vec::new(),
        suggestion: None,
        notes: vec![text.to_owned()],
    }
}
