//! What the function does with what CloudWatch Logs delivers.

use std::sync::atomic::Ordering;

use crate::harness::{blocked, delivery, enveloped, function, now, numbered, packed, told};
use serde_json::json;

const AT: &str = "2026-05-14T09:16:00.5+0000";

#[tokio::test]
async fn many_blocked_connections_are_one_alert() {
    let function = function();
    let lines = (0..12).map(|flow| blocked("10.2.3.10", "pypi.org", AT, flow));
    function.handle(delivery(&numbered("a", lines)), now()).await.unwrap();
    insta::assert_json_snapshot!(told(&function));
}

#[tokio::test]
async fn a_window_is_told_once_and_counted_whole() {
    let function = function();
    for batch in ["a", "b", "c"] {
        let lines = (0..4).map(|flow| blocked("10.2.3.10", "pypi.org", AT, flow));
        function.handle(delivery(&numbered(batch, lines)), now()).await.unwrap();
    }
    assert_eq!(told(&function).len(), 1);
    assert_eq!(function.store.counts().into_values().collect::<Vec<_>>(), [12]);
}

#[tokio::test]
async fn another_source_destination_or_window_is_another_alert() {
    let function = function();
    let lines = [
        blocked("10.2.3.10", "pypi.org", AT, 1),
        blocked("10.2.3.11", "pypi.org", AT, 2),
        blocked("10.2.3.10", "github.com", AT, 3),
        blocked("10.2.3.10", "pypi.org", "2026-05-14T09:31:00.0+0000", 4),
    ];
    function.handle(delivery(&numbered("a", lines)), now()).await.unwrap();
    let told = told(&function);
    assert_eq!(told.len(), 4);
    assert_eq!(told.iter().map(|alert| &alert.event_id).collect::<std::collections::BTreeSet<_>>().len(), 4);
}

#[tokio::test]
async fn a_batch_that_is_delivered_twice_counts_and_tells_once() {
    let function = function();
    let batch = delivery(&numbered("a", [blocked("10.2.3.10", "pypi.org", AT, 1)]));
    function.handle(batch.clone(), now()).await.unwrap();
    function.handle(batch, now()).await.unwrap();
    assert_eq!(told(&function).len(), 1);
    assert_eq!(function.store.counts().into_values().sum::<u64>(), 1);
}

#[tokio::test]
async fn what_was_claimed_and_not_told_is_told_by_the_next_delivery() {
    let function = function();
    let batch = delivery(&numbered("a", [blocked("10.2.3.10", "pypi.org", AT, 1)]));
    function.bus.fail.store(true, Ordering::SeqCst);
    let error = function.handle(batch.clone(), now()).await.unwrap_err();
    assert_eq!(error.to_string(), "telling what the firewall logged failed: publishing failed: told to fail");
    function.bus.fail.store(false, Ordering::SeqCst);
    function.handle(batch, now()).await.unwrap();
    assert_eq!(told(&function).len(), 1);
    assert_eq!(function.store.counts().into_values().sum::<u64>(), 1);
}

#[tokio::test]
async fn what_is_told_twice_has_the_same_id() {
    let function = function();
    let batch = delivery(&numbered("a", [blocked("10.2.3.10", "pypi.org", AT, 1)]));
    function.store.fail_done.store(true, Ordering::SeqCst);
    function.handle(batch.clone(), now()).await.unwrap_err();
    function.store.fail_done.store(false, Ordering::SeqCst);
    function.handle(batch, now()).await.unwrap();
    let told = told(&function);
    assert_eq!(told.len(), 2);
    assert_eq!(told[0], told[1]);
}

#[tokio::test]
async fn a_line_that_cannot_be_read_does_not_hold_up_its_neighbours() {
    let function = function();
    let lines =
        ["not JSON".to_owned(), "[]".to_owned(), blocked("10.2.3.10", "pypi.org", AT, 1), "{}".to_owned()];
    function.handle(delivery(&numbered("a", lines)), now()).await.unwrap();
    assert_eq!(told(&function).len(), 1);
}

#[tokio::test]
async fn cloudwatch_asking_whether_anybody_is_here_is_no_batch() {
    let function = function();
    let control = json!({
        "messageType": "CONTROL_MESSAGE", "owner": "CloudwatchLogs", "logGroup": "", "logStream": "",
        "subscriptionFilters": [],
        "logEvents": [{"id": "", "timestamp": 1, "message": "CWL CONTROL MESSAGE: Checking health of destination."}]
    });
    function.handle(enveloped(&control), now()).await.unwrap();
    assert!(told(&function).is_empty());
}

#[tokio::test]
async fn a_batch_in_several_gzip_members_is_read_whole() {
    let function = function();
    let record = blocked("10.2.3.10", "pypi.org", AT, 1);
    let envelope =
        json!({"messageType": "DATA_MESSAGE", "logEvents": [{"id": "1", "timestamp": 1, "message": record}]})
            .to_string();
    let (start, end) = envelope.as_bytes().split_at(100);
    function.handle(packed(&[start, end]), now()).await.unwrap();
    assert_eq!(told(&function).len(), 1);
}

#[tokio::test]
async fn what_is_not_a_batch_is_refused_with_the_reason() {
    let function = function();
    let bomb = vec![b' '; alerts::batch::LONGEST_TEXT + 1];
    let mut reasons = Vec::new();
    for event in [
        json!({"source": "aws.events"}),
        json!({"awslogs": {"data": "%"}}),
        json!({"awslogs": {"data": "AAAA"}}),
        packed(&[b"[1]"]),
        packed(&[b"{\"messageType\":\"DATA_MESSAGE\"}"]),
        packed(&[b"{\"messageType\":\"NEWS\",\"logEvents\":[]}"]),
        packed(&[&bomb]),
    ] {
        reasons.push(function.handle(event, now()).await.unwrap_err().to_string());
    }
    insta::assert_snapshot!(reasons.join("\n"));
}
