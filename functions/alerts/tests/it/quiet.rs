//! When nothing is told, what there is to do, and why a grant didn't help.

use std::collections::BTreeMap;

use alerts::windows::Known;
use egress::config::Config;
use egress::events::{DomainRequested, VERSION};
use egress::ledger::Silence;
use egress::lifecycle::{self, Rulebook};
use egress::policy::Policy;
use egress::request::{Approval, Request, StateName};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::harness::{Function, blocked, delivery, digests, function, now, numbered, tick, told};

const AT: &str = "2026-05-14T09:16:00.5+0000";

/// Carol's request for a domain.
fn request(domain: &str, state: StateName) -> Request {
    let config = Config::parse(include_str!("../../../../infra/config/egress.toml")).unwrap();
    let policy = Policy::parse(include_str!("../../../../infra/config/policy.cedar")).unwrap();
    let rulebook = Rulebook { config, policy };
    let asked = DomainRequested {
        version: VERSION,
        message_key: "webhook:1".to_owned(),
        requester: "carol@example.com".to_owned(),
        domains: vec!["example.org".to_owned()],
        preset: None,
        justification: "packages".to_owned(),
        ticket: None,
        duration_seconds: None,
        break_glass: None,
        reply_to: None,
    };
    let (asked_at, domain) = (at("09:00:00"), domain.parse().unwrap());
    let mut request = lifecycle::draft(&asked, &rulebook, asked_at).open(asked_at).unwrap().request;
    assert_eq!(request.state, StateName::Pending);
    request.domains = vec![domain];
    if state != StateName::Pending {
        request.state = state;
        request.approved_at = Some(at("09:05:00"));
        request.approvals =
            vec![Approval { by: "bob@example.com".to_owned(), at: at("09:05:00"), comment: None }];
    }
    request
}

fn at(time: &str) -> Timestamp {
    format!("2026-05-14T{time}Z").parse().unwrap()
}

fn silence(domain: &str, owner: Option<&str>, until: Timestamp) -> Silence {
    let owner = owner.map(str::to_owned);
    Silence { domain: domain.to_owned(), owner, until, by: "bob@example.com".to_owned(), at: at("09:00:00") }
}

/// What keeps alerts quiet from now on.
fn knows(function: &Function, requests: &[Request], silences: &[Silence]) {
    *function.store.known.lock().unwrap() =
        Known { requests: requests.to_vec(), silences: silences.to_vec() };
}

async fn alice_is_blocked_at(function: &Function, batch: &str, host: &str) {
    let lines = [blocked("10.2.3.10", host, AT, 1)];
    function.handle(delivery(&numbered(batch, lines)), now()).await.unwrap();
}

async fn the_window_ends(function: &Function) {
    function.handle(tick(), at("09:40:00")).await.unwrap();
}

#[tokio::test]
async fn a_silence_keeps_alerts_and_digests_quiet_and_counts_go_on() {
    let function = function();
    knows(&function, &[], &[silence("pypi.org", Some("profile/d-1/alice"), at("10:00:00"))]);
    for batch in ["a", "b"] {
        alice_is_blocked_at(&function, batch, "pypi.org").await;
    }
    the_window_ends(&function).await;
    assert_eq!((told(&function).len(), digests(&function).len()), (0, 0));
    assert_eq!(function.store.counts().into_values().collect::<Vec<_>>(), [2]);
}

#[tokio::test]
async fn a_silence_is_for_one_domain_and_one_owner_or_everybody() {
    for (silenced, told_of) in [
        (silence("pypi.org", None, at("10:00:00")), 0),
        (silence("pypi.org", Some("profile/d-1/bob"), at("10:00:00")), 1),
        (silence("github.com", None, at("10:00:00")), 1),
        (silence("pypi.org", None, now()), 1),
    ] {
        let function = self::function();
        knows(&function, &[], std::slice::from_ref(&silenced));
        alice_is_blocked_at(&function, "a", "files.pypi.org").await;
        assert_eq!(told(&function).len(), told_of, "{silenced:?}");
    }
}

#[tokio::test]
async fn when_a_silence_ends_the_next_connection_is_told_in_the_same_window() {
    let function = function();
    knows(&function, &[], &[silence("pypi.org", None, at("10:00:00"))]);
    alice_is_blocked_at(&function, "a", "pypi.org").await;
    knows(&function, &[], &[]);
    alice_is_blocked_at(&function, "b", "pypi.org").await;
    alice_is_blocked_at(&function, "c", "pypi.org").await;
    assert_eq!(told(&function).len(), 1);
    the_window_ends(&function).await;
    let digests = digests(&function);
    assert_eq!(digests.iter().map(|it| (it.connections, it.suppressed)).collect::<Vec<_>>(), [(3, 2)]);
}

#[tokio::test]
async fn a_pending_request_keeps_alerts_quiet_and_a_denial_lifts_that() {
    let function = function();
    knows(&function, &[request("pypi.org", StateName::Pending)], &[]);
    alice_is_blocked_at(&function, "a", "pypi.org").await;
    assert!(told(&function).is_empty());
    // It asks for that host alone.
    alice_is_blocked_at(&function, "b", "files.pypi.org").await;
    assert_eq!(told(&function).len(), 1);

    let function = self::function();
    knows(&function, &[request("pypi.org", StateName::Pending)], &[]);
    alice_is_blocked_at(&function, "a", "pypi.org").await;
    // Denied: it is no longer among those that are pending or live.
    knows(&function, &[], &[]);
    alice_is_blocked_at(&function, "b", "pypi.org").await;
    assert_eq!(told(&function).len(), 1);
}

#[tokio::test]
async fn a_pending_request_does_not_hide_what_matters() {
    let function = function();
    knows(&function, &[request(".evil.com", StateName::Pending)], &[]);
    let tunnel = (0..60).map(|flow| blocked("10.2.3.10", &format!("{flow:08x}.evil.com"), AT, flow));
    function.handle(delivery(&numbered("a", tunnel)), now()).await.unwrap();
    assert_eq!(told(&function).len(), 1);
}

#[tokio::test]
async fn a_pending_request_does_not_hide_what_matters_in_sum() {
    let function = function();
    knows(&function, &[request(".evil.com", StateName::Pending)], &[]);
    for drop in 0..60 {
        alice_is_blocked_at(&function, &format!("drop-{drop}"), &format!("{drop:08x}.evil.com")).await;
    }
    assert!(told(&function).is_empty());
    the_window_ends(&function).await;
    assert_eq!(digests(&function).iter().map(|it| it.host_count).collect::<Vec<_>>(), [60]);
}

#[tokio::test]
async fn a_pending_request_does_not_hide_hosts_that_are_not_named() {
    let function = function();
    knows(&function, &[request(".x.evil.com", StateName::Pending)], &[]);
    let asked = (0..80).map(|flow| blocked("10.2.3.10", &format!("{}.x.evil.com", flow / 2), AT, flow));
    let lines = asked.chain([blocked("10.2.3.10", "another.evil.com", AT, 99)]);
    function.handle(delivery(&numbered("a", lines)), now()).await.unwrap();
    assert_eq!(told(&function).len(), 1);
}

#[tokio::test]
async fn what_was_kept_quiet_by_a_request_that_is_denied_is_in_the_digest() {
    let function = function();
    knows(&function, &[request("pypi.org", StateName::Pending)], &[]);
    alice_is_blocked_at(&function, "a", "pypi.org").await;
    knows(&function, &[], &[]);
    the_window_ends(&function).await;
    assert_eq!(
        digests(&function).iter().map(|it| (it.connections, it.suppressed)).collect::<Vec<_>>(),
        [(1, 1)]
    );
}

/// The advice about a record that differs in some fields from one of TLS to pypi.org.
async fn advice(requests: &[Request], event: Value) -> String {
    let function = function();
    knows(&function, requests, &[]);
    let mut record: Value = serde_json::from_str(&blocked("10.2.3.10", "pypi.org", AT, 1)).unwrap();
    for (field, value) in event.as_object().unwrap() {
        record["event"][field] = value.clone();
    }
    function.handle(delivery(&numbered("a", [record.to_string()])), now()).await.unwrap();
    let told = told(&function);
    let suggestion = told[0].suggestion.as_ref().map(|it| format!("[ask for {}]", it.pattern));
    suggestion.into_iter().chain(told[0].notes.clone()).collect::<Vec<_>>().join("\n  ")
}

#[tokio::test]
async fn each_alert_says_what_to_do() {
    let live = |domain: &str| request(domain, StateName::Active);
    let rule = |signature: &str| json!({"action": "blocked", "signature": signature});
    let quic =
        json!({"proto": "UDP", "app_proto": "failed", "tls": null, "alert": rule("egress guard: QUIC")});
    let cases = BTreeMap::from([
        ("1 nobody has asked", advice(&[], json!({})).await),
        (
            "2 asked already, for another host, too",
            advice(&[request("pypi.org", StateName::Pending)], json!({"tls": {"sni": "x.pypi.org"}})).await,
        ),
        (
            "3 granted, by a rule above it",
            advice(&[live("pypi.org")], json!({"alert": rule("egress guard: deny list")})).await,
        ),
        (
            "4 granted, by another rule",
            advice(&[live("pypi.org")], json!({"alert": rule("matching TLS denylisted FQDNs")})).await,
        ),
        (
            "5 granted, and not in force yet",
            advice(&[request("pypi.org", StateName::Approved)], json!({})).await,
        ),
        ("6 granted since", advice(&[live("pypi.org")], json!({"timestamp": "2026-05-14T09:04:00Z"})).await),
        (
            "7 granted, with a dot at the end",
            advice(&[live("pypi.org")], json!({"tls": {"sni": "pypi.org."}})).await,
        ),
        (
            "8 granted, by QUIC with a name",
            advice(&[live("pypi.org")], json!({"app_proto": "quic", "quic": {"sni": "pypi.org"}})).await,
        ),
        (
            "9 the host above is granted",
            advice(&[live("pypi.org")], json!({"tls": {"sni": "files.pypi.org"}})).await,
        ),
        ("A QUIC", advice(&[live("pypi.org")], quic).await),
        ("B an address", advice(&[], json!({"tls": {"sni": "198.51.100.1"}})).await),
        ("C SSH", advice(&[], json!({"app_proto": "ssh", "tls": null})).await),
        ("D denied for good", advice(&[], json!({"tls": {"sni": "x.denied.org"}})).await),
    ]);
    let text: Vec<String> = cases.iter().map(|(case, advice)| format!("{case}:\n  {advice}")).collect();
    insta::assert_snapshot!(text.join("\n"));
}

#[tokio::test]
async fn silences_that_are_made_from_an_alert_cover_it() {
    let function = function();
    for (batch, host) in [("a", "files.pypi.org"), ("b", "198.51.100.7"), ("c", "localhost")] {
        alice_is_blocked_at(&function, batch, host).await;
    }
    for alert in told(&function) {
        let owner = alert.owner.key(alert.source.parse().unwrap());
        let silence = silence(&alert.domain, Some(&owner), now() + SignedDuration::from_hours(1));
        assert!(silence.covers(&alert.domain, &owner, now()));
        let again = self::function();
        knows(&again, &[], &[silence]);
        alice_is_blocked_at(&again, "a", alert.destination.trim_end_matches(":443")).await;
        assert!(told(&again).is_empty(), "{}", alert.destination);
    }
}
