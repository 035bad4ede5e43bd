//! What the function does with what CloudWatch Logs delivers, and at the end of a window.

use std::sync::atomic::Ordering;

use crate::harness::{
    Function, blocked, delivery, digests, enveloped, function, function_with, now, numbered, packed, profile,
    tick, told,
};
use egress::events::{FindingRule, Severity, TrafficBlocked};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

const AT: &str = "2026-05-14T09:16:00.5+0000";

/// So many connections to a name, one after the other, in a batch of this name.
async fn batch(function: &Function, name: &str, count: u64, host: &str, at: &str) {
    let lines = (0..count).map(|flow| blocked("10.2.3.10", host, at, flow));
    function.handle(delivery(&numbered(name, lines)), now()).await.unwrap();
}

/// The clock strikes, so many minutes after half past nine, when the window has ended in which all happens.
async fn strikes(function: &Function, minutes: i64) {
    let end: Timestamp = "2026-05-14T09:30:00Z".parse().unwrap();
    function.handle(tick(), end + SignedDuration::from_mins(minutes)).await.unwrap();
}

fn names(told: &[TrafficBlocked]) -> Vec<&str> {
    told.iter().map(|alert| alert.destination.as_str()).collect()
}

#[tokio::test]
async fn many_blocked_connections_are_one_alert_that_says_whose_they_are() {
    let function = function();
    batch(&function, "a", 12, "pypi.org", AT).await;
    insta::assert_json_snapshot!(told(&function));
}

#[tokio::test]
async fn a_window_is_told_at_once_and_summed_up_at_its_end() {
    let function = function();
    batch(&function, "a", 4, "pypi.org", AT).await;
    batch(&function, "b", 4, "files.pypi.org", AT).await;
    batch(&function, "c", 1, "pypi.org", "2026-05-14T09:20:00Z").await;
    strikes(&function, 1).await;
    assert!(digests(&function).is_empty());
    strikes(&function, 2).await;
    strikes(&function, 3).await;
    assert_eq!(told(&function).len(), 1);
    insta::assert_json_snapshot!(digests(&function));
}

#[tokio::test]
async fn what_an_alert_has_told_whole_is_not_summed_up() {
    let function = function();
    batch(&function, "a", 1, "pypi.org", AT).await;
    strikes(&function, 2).await;
    assert_eq!((told(&function).len(), digests(&function).len()), (1, 0));
}

#[tokio::test]
async fn what_is_logged_late_makes_another_digest_with_all_in_it() {
    let function = function();
    batch(&function, "a", 3, "pypi.org", AT).await;
    strikes(&function, 2).await;
    let lines = [blocked("10.2.3.10", "pypi.org", AT, 99)];
    function.handle(delivery(&numbered("late", lines)), now() + SignedDuration::from_mins(30)).await.unwrap();
    strikes(&function, 20).await;
    strikes(&function, 21).await;
    let counts: Vec<_> = digests(&function).iter().map(|it| (it.connections, it.suppressed)).collect();
    assert_eq!(counts, [(3, 2), (4, 3)]);
    assert_ne!(digests(&function)[0].event_id, digests(&function)[1].event_id);
}

#[tokio::test]
async fn more_batches_than_an_item_holds_are_counted_all_the_same() {
    let function = function();
    for name in 0..40 {
        batch(&function, &format!("batch-{name}"), 3, "pypi.org", AT).await;
    }
    strikes(&function, 2).await;
    assert_eq!(digests(&function)[0].connections, 120);
    assert_eq!(function.store.counts().into_values().collect::<Vec<_>>(), [120]);
}

#[tokio::test]
async fn a_day_of_late_batches_makes_no_item_larger_and_is_summed_up() {
    let function = function();
    for name in 0..40 {
        let lines = [blocked("10.2.3.10", "pypi.org", AT, name)];
        let late = now() + SignedDuration::from_hours(1);
        function.handle(delivery(&numbered(&format!("late-{name}"), lines)), late).await.unwrap();
        strikes(&function, 60).await;
    }
    let last = digests(&function).pop().unwrap();
    assert_eq!((last.connections, last.suppressed), (40, 39));
    assert_eq!(function.store.largest.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn each_owner_s_digests_are_one_however_many_other_owners_have_digests() {
    let function = function();
    let owners = (1..=60).map(|owner| format!("10.2.3.{owner}"));
    let lines = owners.flat_map(|owner| {
        let twice = (0..50_u64).map(|number| (number, format!("example-{}.org", number % 25)));
        twice.map(move |(flow, name)| blocked(&owner, &name, AT, flow)).collect::<Vec<_>>()
    });
    function.handle(delivery(&numbered("a", lines)), now()).await.unwrap();
    strikes(&function, 2).await;
    let digests = digests(&function);
    assert_eq!(digests.iter().map(|it| it.connections).sum::<u64>(), 60 * 50);
    // The windows of one of them are read partly with those before, and partly with those behind them.
    assert!(digests.len() <= 61, "{}", digests.len());
}

#[tokio::test]
async fn another_owner_domain_or_rest_is_another_alert() {
    let function = function();
    let lines = [
        blocked("10.2.3.10", "pypi.org", AT, 1),
        blocked("10.2.3.11", "pypi.org", AT, 2),
        blocked("10.2.3.10", "github.com", AT, 3),
        // The next window, in which the alert still rests.
        blocked("10.2.3.10", "pypi.org", "2026-05-14T09:31:00.0+0000", 4),
        // After four hours that stand on the clock.
        blocked("10.2.3.10", "pypi.org", "2026-05-14T12:00:00.0+0000", 5),
    ];
    function.handle(delivery(&numbered("a", lines)), now()).await.unwrap();
    let told = told(&function);
    assert_eq!(names(&told), ["github.com", "pypi.org", "pypi.org", "pypi.org"]);
    assert_eq!(told.iter().map(|alert| &alert.event_id).collect::<std::collections::BTreeSet<_>>().len(), 4);
    strikes(&function, 24 * 60).await;
    // What no alert tells is in a digest, if it is one connection alone.
    let digests = digests(&function);
    assert_eq!(digests.iter().map(|it| (it.connections, it.suppressed)).collect::<Vec<_>>(), [(1, 1)]);
}

#[tokio::test]
async fn two_addresses_of_one_owner_are_told_together() {
    let function = function();
    function.owners.0.lock().unwrap().insert("10.2.3.20".parse().unwrap(), profile("alice"));
    let lines = ["10.2.3.10", "10.2.3.20"].map(|source| blocked(source, "pypi.org", AT, 1));
    function.handle(delivery(&numbered("a", lines)), now()).await.unwrap();
    strikes(&function, 2).await;
    assert_eq!(told(&function)[0].count, 2);
    assert_eq!(digests(&function)[0].sources, ["10.2.3.10", "10.2.3.20"]);
}

#[tokio::test]
async fn who_is_unknown_is_said_to_be() {
    let function = function();
    let lines = [blocked("10.2.3.99", "pypi.org", AT, 1)];
    function.handle(delivery(&numbered("a", lines)), now()).await.unwrap();
    insta::assert_json_snapshot!(told(&function)[0].owner, @r#"
    {
      "kind": "unknown",
      "reason": "Nobody has this address."
    }
    "#);
}

#[tokio::test]
async fn a_domain_is_new_when_nobody_was_blocked_there_before() {
    let function = function();
    batch(&function, "a", 1, "pypi.org", AT).await;
    function.owners.0.lock().unwrap().insert("10.2.3.20".parse().unwrap(), profile("bob"));
    let lines = [blocked("10.2.3.20", "pypi.org", "2026-05-14T09:31:00Z", 1)];
    function.handle(delivery(&numbered("b", lines)), now()).await.unwrap();
    assert_eq!(told(&function).iter().map(|alert| alert.is_new).collect::<Vec<_>>(), [true, false]);
}

#[tokio::test]
async fn rules_raise_the_severity_and_can_be_switched_off() {
    async fn of(more: &str, hosts: &[&str]) -> Vec<FindingRule> {
        let function = function_with(more);
        let lines = hosts.iter().zip(0..).map(|(host, flow)| blocked("10.2.3.10", host, AT, flow));
        function.handle(delivery(&numbered("a", lines)), now()).await.unwrap();
        let told = told(&function);
        let found =
            told.iter().flat_map(|alert| &alert.findings).map(|finding| finding.rule).collect::<Vec<_>>();
        let raised = if found.is_empty() { Severity::Normal } else { Severity::Raised };
        assert_eq!(told[0].severity, raised);
        found
    }
    assert_eq!(of("", &["pypi.org"]).await, []);
    assert_eq!(of("", &["x.github.io"]).await, [FindingRule::SharedHosting]);
    assert_eq!(of("[alerts.raise]\nshared_hosting = false", &["x.github.io"]).await, []);
    assert_eq!(of("", &["198.51.100.7"]).await, [FindingRule::BareAddress]);
    assert_eq!(of("[alerts.raise]\nbare_address = false", &["198.51.100.7"]).await, []);
    let tunnel: Vec<String> = (0..50).map(|number| format!("{number:08x}.evil.example.com")).collect();
    let tunnel: Vec<&str> = tunnel.iter().map(String::as_str).collect();
    assert_eq!(of("", &tunnel).await, [FindingRule::ManyNames]);
    assert_eq!(of("[alerts.raise]\nmany_names = 51", &tunnel).await, []);
    assert_eq!(of("[alerts.raise]\nmany_names = 0", &tunnel).await, []);
}

#[tokio::test]
async fn what_turns_out_to_matter_later_is_told_again_as_raised() {
    let function = function();
    batch(&function, "a", 1, "www.evil.com", AT).await;
    let tunnel = (0..60).map(|flow| blocked("10.2.3.10", &format!("{flow:08x}.evil.com"), AT, flow));
    function.handle(delivery(&numbered("b", tunnel)), now()).await.unwrap();
    batch(&function, "c", 1, "www.evil.com", AT).await;
    let told = told(&function);
    let severities: Vec<_> = told.iter().map(|alert| (alert.severity, alert.destination_count)).collect();
    assert_eq!(severities, [(Severity::Normal, 1), (Severity::Raised, 60)]);
    assert_ne!(told[0].event_id, told[1].event_id);
}

#[tokio::test]
async fn very_many_domains_of_one_owner_are_one_alert_and_one_digest() {
    let function = function();
    let lines = (0..600).map(|flow| blocked("10.2.3.10", &format!("{:03}.com", flow / 2), AT, flow));
    function.handle(delivery(&numbered("a", lines)), now()).await.unwrap();
    strikes(&function, 2).await;
    let (told, digests) = (told(&function), digests(&function));
    assert_eq!((told.len(), digests.len()), (1, 1));
    assert_eq!((told[0].count, told[0].destination_count, told[0].severity), (600, 300, Severity::Raised));
    assert_eq!((digests[0].connections, digests[0].domain.as_str()), (600, "300 domains"));
    assert_eq!(digests[0].suppressed, 300);
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
async fn a_digest_that_could_not_be_told_is_told_by_the_next_tick() {
    let function = function();
    batch(&function, "a", 3, "pypi.org", AT).await;
    function.bus.fail.store(true, Ordering::SeqCst);
    function.handle(tick(), now() + SignedDuration::from_hours(1)).await.unwrap_err();
    function.bus.fail.store(false, Ordering::SeqCst);
    strikes(&function, 60).await;
    assert_eq!(digests(&function).len(), 1);
}

#[tokio::test]
async fn a_window_that_cannot_be_read_does_not_hold_up_the_others_and_is_said() {
    let function = function();
    for host in ["github.com", "pypi.org", "x.com"] {
        batch(&function, host, 3, host, AT).await;
    }
    *function.store.unreadable.lock().unwrap() = Some("pypi.org".to_owned());
    let later = now() + SignedDuration::from_hours(1);
    let error = function.handle(tick(), later).await.unwrap_err();
    assert_eq!(error.to_string(), "reading a window failed: told to fail");
    function.handle(tick(), later).await.unwrap_err();
    let domains = || digests(&function).into_iter().map(|it| it.domain).collect::<Vec<_>>();
    assert_eq!(domains(), ["github.com", "x.com"]);
    *function.store.unreadable.lock().unwrap() = None;
    function.handle(tick(), later).await.unwrap();
    assert_eq!(domains(), ["github.com", "x.com", "pypi.org"]);
}

#[tokio::test]
async fn messages_about_very_many_domains_are_not_taken_for_one_another() {
    let function = function_with("[alerts.raise]\nmany_names = 50");
    let many = |name: &str, domains: u64| {
        let lines = (0..domains).map(|flow| blocked("10.2.3.10", &format!("{flow:04}.com"), AT, flow));
        delivery(&numbered(name, lines))
    };
    // Twice as many as a tick reads at once; and of those that were told, others make them matter.
    for (name, domains) in [("few", 25), ("many", 2_000)] {
        function.handle(many(name, domains), now()).await.unwrap();
    }
    strikes(&function, 2).await;
    let told: std::collections::BTreeSet<_> = told(&function).into_iter().map(|it| it.event_id).collect();
    assert_eq!(told.len(), 2);
    let digests = digests(&function);
    let connections: Vec<_> = digests.iter().map(|it| it.connections).collect();
    assert_eq!(connections, [50]);

    let again = self::function();
    for name in ["a", "b"] {
        again.handle(many(name, 2_000), now()).await.unwrap();
    }
    strikes(&again, 2).await;
    let digests = self::digests(&again);
    let connections: Vec<_> = digests.iter().map(|it| it.connections).collect();
    assert_eq!(connections, [2_000, 2_000]);
    assert_ne!(digests[0].event_id, digests[1].event_id);
}

#[tokio::test]
async fn what_only_a_raised_alert_has_told_is_told() {
    let function = function();
    batch(&function, "a", 1, "www.evil.com", "2026-05-14T09:01:00Z").await;
    let tunnel = (0..60).map(|flow| blocked("10.2.3.10", &format!("{flow:08x}.evil.com"), AT, flow));
    function.handle(delivery(&numbered("b", tunnel)), now()).await.unwrap();
    strikes(&function, 2).await;
    assert_eq!(told(&function).len(), 2);
    assert_eq!(
        digests(&function).iter().map(|it| (it.connections, it.suppressed)).collect::<Vec<_>>(),
        [(60, 59)]
    );
}

#[tokio::test]
async fn what_claims_to_be_from_another_time_is_counted_when_it_was_logged() {
    let function = function();
    let lines = [("1969-12-31T12:00:00Z", 1), ("-000001-01-01T00:00:00Z", 2), ("9999-12-30T00:00:00Z", 3)]
        .map(|(at, flow)| blocked("10.2.3.10", "pypi.org", at, flow));
    function.handle(delivery(&numbered("a", lines)), now()).await.unwrap();
    let counts: Vec<_> = function.store.counts().into_iter().collect();
    assert_eq!(counts, [("profile/d-1/alice pypi.org 2026-05-14T09:15:00Z".to_owned(), 3)]);
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
async fn a_batch_makes_one_write_for_each_owner_and_domain_and_one_for_itself() {
    let function = function();
    let lines = (0..1_000).map(|flow| {
        let host =
            ["pypi.org", "files.pypi.org", "github.com", "x.example.com"][usize::try_from(flow % 4).unwrap()];
        blocked(["10.2.3.10", "10.2.3.11"][usize::try_from(flow / 4 % 2).unwrap()], host, AT, flow)
    });
    let batch = delivery(&numbered("a", lines));
    function.handle(batch, now()).await.unwrap();
    assert_eq!(function.store.writes.load(Ordering::SeqCst), 2 * 3 + 1);
}

#[tokio::test]
async fn a_line_that_cannot_be_read_does_not_hold_up_its_neighbours() {
    let function = function();
    let lines =
        ["not JSON".to_owned(), "[]".to_owned(), blocked("10.2.3.10", "pypi.org", AT, 1), "{}".to_owned()];
    let figures = function.handle(delivery(&numbered("a", lines)), now()).await.unwrap();
    assert_eq!((told(&function).len(), figures.unreadable), (1, 3));
    let letters = function.dead_letters.0.lock().unwrap();
    let kept: Vec<&str> = letters[0]["unreadable"]["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["line"].as_str().unwrap())
        .collect();
    assert_eq!((letters.len(), kept), (1, vec!["not JSON", "[]", "{}"]));
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
        json!({"source": "aws.ec2"}),
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
