//! What grants let pass: counted once, told once, and kept to be cut.

use std::sync::atomic::Ordering;

use futures_util::future::join_all;

use crate::harness::{blocked, delivery, first_uses, function, now, numbered, passed, told};

const GRANT: &str = "req-0123456789ab";
const OTHER: &str = "req-ba9876543210";

/// So many seconds after a quarter past nine.
fn at(second: u32) -> String {
    format!("2026-05-14T09:15:{second:02}.25+0000")
}

#[tokio::test]
async fn the_uses_of_a_grant_are_counted_and_the_first_is_told() {
    let function = function();
    let lines = [
        passed(&[GRANT], "10.2.3.11", "api.github.com", &at(9), 1),
        passed(&[GRANT, OTHER], "10.2.3.10", "github.com", &at(3), 2),
        passed(&[GRANT], "10.2.3.10", "github.com", &at(20), 3),
    ];
    function.handle(delivery(&numbered("a", lines)), now()).await.unwrap();
    insta::assert_debug_snapshot!(function.store.used(GRANT), @r#"
    Some(
        Used {
            first_used_at: 2026-05-14T09:15:03.25Z,
            last_used_at: 2026-05-14T09:15:20.25Z,
            connections: 3,
            first_batch: "6be401dc2d3d1ca005731a1d35f070b0",
        },
    )
    "#);
    insta::assert_json_snapshot!(first_uses(&function), @r#"
    [
      {
        "version": 1,
        "event_id": "first-use:req-0123456789ab",
        "request_id": "req-0123456789ab",
        "at": "2026-05-14T09:15:03.25Z",
        "host": "github.com",
        "source": "10.2.3.10"
      },
      {
        "version": 1,
        "event_id": "first-use:req-ba9876543210",
        "request_id": "req-ba9876543210",
        "at": "2026-05-14T09:15:03.25Z",
        "host": "github.com",
        "source": "10.2.3.10"
      }
    ]
    "#);
}

#[tokio::test]
async fn a_batch_that_comes_twice_is_counted_and_told_once() {
    let function = function();
    let batch = delivery(&numbered("a", [passed(&[GRANT], "10.2.3.10", "github.com", &at(3), 1)]));
    function.handle(batch.clone(), now()).await.unwrap();
    function.handle(batch, now()).await.unwrap();
    assert_eq!(function.store.used(GRANT).unwrap().connections, 1);
    assert_eq!(first_uses(&function).len(), 1);
}

#[tokio::test]
async fn batches_come_in_any_order() {
    let function = function();
    for (batch, second) in [("b", 30), ("a", 10), ("c", 50)] {
        let line = passed(&[GRANT], "10.2.3.10", "github.com", &at(second), u64::from(second));
        function.handle(delivery(&numbered(batch, [line])), now()).await.unwrap();
    }
    let used = function.store.used(GRANT).unwrap();
    assert_eq!(used.connections, 3);
    assert_eq!(used.first_used_at.to_string(), "2026-05-14T09:15:10.25Z");
    assert_eq!(used.last_used_at.to_string(), "2026-05-14T09:15:50.25Z");
    assert_eq!(first_uses(&function).len(), 1);
}

#[tokio::test]
async fn a_first_use_that_was_counted_and_not_told_is_told_by_the_next_delivery() {
    let function = function();
    let batch = delivery(&numbered("a", [passed(&[GRANT], "10.2.3.10", "github.com", &at(3), 1)]));
    function.bus.fail.store(true, Ordering::SeqCst);
    function.handle(batch.clone(), now()).await.unwrap_err();
    function.bus.fail.store(false, Ordering::SeqCst);
    // Another batch comes in between: it is not the first, and tells nothing.
    let other = numbered("b", [passed(&[GRANT], "10.2.3.10", "github.com", &at(2), 2)]);
    function.handle(delivery(&other), now()).await.unwrap();
    assert_eq!(first_uses(&function), []);

    function.handle(batch.clone(), now()).await.unwrap();
    function.handle(batch, now()).await.unwrap();
    assert_eq!(first_uses(&function).len(), 1);
    assert_eq!(function.store.used(GRANT).unwrap().connections, 2);
}

#[tokio::test]
async fn a_first_use_that_is_told_twice_has_the_same_id() {
    let function = function();
    let batch = delivery(&numbered("a", [passed(&[GRANT], "10.2.3.10", "github.com", &at(3), 1)]));
    function.store.fail_done.store(true, Ordering::SeqCst);
    function.handle(batch.clone(), now()).await.unwrap_err();
    function.store.fail_done.store(false, Ordering::SeqCst);
    function.handle(batch, now()).await.unwrap();
    let told = first_uses(&function);
    assert_eq!(told.len(), 2);
    assert_eq!(told[0], told[1]);
    assert_eq!(function.store.used(GRANT).unwrap().connections, 1);
}

#[tokio::test(start_paused = true)]
async fn batches_at_once_lose_nothing() {
    let function = function();
    let batch = |batch: u64| {
        let line = |flow| passed(&[GRANT, OTHER], "10.2.3.10", "github.com", &at(3), 100 * batch + flow);
        let lines = numbered(&batch.to_string(), (0..=batch).map(line));
        function.handle(delivery(&lines), now())
    };
    for outcome in join_all((0..8).map(batch)).await {
        outcome.unwrap();
    }
    assert_eq!(function.store.used(GRANT).unwrap().connections, 36);
    assert_eq!(function.store.used(OTHER).unwrap().connections, 36);
    assert_eq!(first_uses(&function).len(), 2);
    assert!(function.store.overtaken.load(Ordering::SeqCst) > 0, "they did not meet");
}

#[tokio::test(start_paused = true)]
async fn two_deliveries_of_a_batch_at_once_count_once() {
    let function = function();
    let batch = delivery(&numbered("a", [passed(&[GRANT], "10.2.3.10", "github.com", &at(3), 1)]));
    let both = tokio::join!(function.handle(batch.clone(), now()), function.handle(batch, now()));
    both.0.unwrap();
    both.1.unwrap();
    assert_eq!(function.store.used(GRANT).unwrap().connections, 1);
    assert!(!first_uses(&function).is_empty());
}

#[tokio::test]
async fn a_batch_of_hundreds_of_grants_that_is_cut_short_is_finished_by_the_next_delivery() {
    let function = function();
    let grants: Vec<String> = (0..200).map(|grant| format!("req-{grant:012}")).collect();
    let grants: Vec<&str> = grants.iter().map(String::as_str).collect();
    let batch = delivery(&numbered("a", [passed(&grants, "10.2.3.10", "github.com", &at(3), 1)]));
    function.store.parts_left.store(2, Ordering::SeqCst);
    function.handle(batch.clone(), now()).await.unwrap_err();
    assert_eq!(function.store.connections().len(), 180);

    function.store.parts_left.store(usize::MAX, Ordering::SeqCst);
    function.handle(batch, now()).await.unwrap();
    let connections = function.store.connections();
    assert_eq!(connections.len(), 200);
    assert!(connections.values().all(|connections| *connections == 1), "{connections:?}");
    assert_eq!(first_uses(&function).len(), 200);
}

#[tokio::test]
async fn a_connection_counts_once_however_many_requests_go_over_it() {
    let function = function();
    let lines = (1..=12).map(|second| passed(&[GRANT], "10.2.3.10", "github.com", &at(second), 7));
    function.handle(delivery(&numbered("a", lines)), now()).await.unwrap();
    assert_eq!(function.store.used(GRANT).unwrap().connections, 1);
    assert_eq!(function.store.flows(GRANT), ["10.2.3.10 → 198.51.100.1:443"]);
}

#[tokio::test]
async fn of_a_grants_connections_the_last_fifty_are_kept() {
    let function = function();
    // The earlier, the higher the address.
    let lines = (1..=59).map(|second| {
        passed(&[GRANT], &format!("10.2.3.{}", 100 - second), "github.com", &at(second), u64::from(second))
    });
    function.handle(delivery(&numbered("a", lines)), now()).await.unwrap();
    let flows = function.store.flows(GRANT);
    assert_eq!(flows.len(), 50);
    assert_eq!(flows[0], "10.2.3.41 → 198.51.100.1:443");
    assert_eq!(flows[49], "10.2.3.90 → 198.51.100.1:443");
    assert_eq!(function.store.used(GRANT).unwrap().connections, 59);
}

#[tokio::test]
async fn what_is_blocked_or_of_no_request_is_no_use() {
    let function = function();
    let dropped_by_a_guard = passed(&[GRANT], "10.2.3.10", "github.com", &at(1), 1)
        .replace(r#""action":"pass""#, r#""action":"drop""#);
    let lines = [
        dropped_by_a_guard,
        passed(&["grant-of-somebody-else", "req-0123"], "10.2.3.10", "github.com", &at(1), 2),
        passed(&[], "10.2.3.10", "github.com", &at(1), 3),
        blocked("10.2.3.10", "pypi.org", &at(1), 4),
    ];
    function.handle(delivery(&numbered("a", lines)), now()).await.unwrap();
    assert!(function.store.connections().is_empty());
    assert_eq!(first_uses(&function), []);
    assert_eq!(told(&function).len(), 2);
}
