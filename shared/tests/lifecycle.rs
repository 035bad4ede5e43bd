//! Every state and every command: what comes of it, or why not.

#![cfg(test)]

use egress::config::Config;
use egress::events::{DomainRequested, RequestStateChanged, VERSION};
use egress::ledger::Transition;
use egress::lifecycle::{self, Command, NotAllowed};
use egress::request::{Ending, Request, StateName};
use jiff::{SignedDuration, Timestamp};

const HOUR: u64 = 3_600;

fn config() -> Config {
    let text = r#"
        denied_domains = [".evil.org"]
        [approval]
        approvers = ["bob", "carol"]
        [presets.pypi]
        description = "Python packages"
        domains = ["pypi.org", ".pythonhosted.org"]
    "#;
    Config::parse(text).unwrap()
}

/// Noon, and so many seconds.
fn at(seconds: i64) -> Timestamp {
    "2026-11-21T12:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(seconds)
}

fn asked(domains: &[&str]) -> DomainRequested {
    DomainRequested {
        version: VERSION,
        message_key: "webhook:1".to_owned(),
        requester: "alice".to_owned(),
        domains: domains.iter().map(ToString::to_string).collect(),
        preset: None,
        justification: "I need it".to_owned(),
        ticket: Some("OPS-1".to_owned()),
        duration_seconds: Some(HOUR),
    }
}

fn opened(asked: &DomainRequested) -> Transition {
    lifecycle::open(asked, &config(), at(0)).unwrap()
}

/// A request in each state, at noon.
fn in_state(state: StateName) -> Request {
    let mut request = opened(&asked(&["github.com"])).request;
    request.state = state;
    if state.is_live() || state == StateName::Ended {
        request.ends_at = Some(at(3_600));
    }
    if state == StateName::Ended {
        request.ending = Some(Ending::Expired);
    }
    request
}

fn shown(outcome: &Result<Transition, NotAllowed>) -> String {
    match outcome {
        Ok(Transition { request, history, live, deadline_before, deadline, outbox, .. }) => {
            let time =
                |time: &Option<Timestamp>| time.map_or_else(|| "none".to_owned(), |time| time.to_string());
            format!(
                "{}{} v{} by {}{}, live: {}, deadline: {} → {}, events: {}",
                request.state,
                request.ending.map(|ending| format!(" ({ending:?})")).unwrap_or_default(),
                request.version,
                history.by,
                history.comment.as_ref().map(|comment| format!(" \"{comment}\"")).unwrap_or_default(),
                live.as_ref().map_or_else(
                    || "no".to_owned(),
                    |live| format!("until {}, active: {}", live.ends_at, live.active)
                ),
                time(deadline_before),
                time(deadline),
                outbox.iter().map(|entry| entry.id.as_str()).collect::<Vec<_>>().join(" "),
            )
        }
        Err(reason) => format!("✗ {reason}"),
    }
}

#[test]
fn every_command_in_every_state() {
    use StateName::{Active, Approved, Denied, Ended, Lapsed, Pending, Refused, Withdrawn};
    let by = |by: &str| by.to_owned();
    let commands = [
        ("approve by bob", Command::Approve { by: by("bob"), comment: Some("fine".to_owned()) }),
        ("approve by alice", Command::Approve { by: by("alice"), comment: None }),
        ("deny by bob", Command::Deny { by: by("bob"), comment: None }),
        ("deny by mallory", Command::Deny { by: by("mallory"), comment: None }),
        ("withdraw by alice", Command::Withdraw { by: by("alice") }),
        ("withdraw by bob", Command::Withdraw { by: by("bob") }),
        ("revoke by bob", Command::Revoke { by: by("bob"), reason: "over".to_owned() }),
        ("revoke by alice", Command::Revoke { by: by("alice"), reason: "over".to_owned() }),
        ("revoke by mallory", Command::Revoke { by: by("mallory"), reason: "over".to_owned() }),
        ("in sync", Command::InSync),
        ("due", Command::Due),
    ];
    let mut table = Vec::new();
    for state in [Pending, Approved, Active, Ended, Denied, Lapsed, Withdrawn, Refused] {
        for (name, command) in &commands {
            let now = lifecycle::apply(&in_state(state), command, &config(), at(60));
            table.push(format!("{state}, {name}: {}", shown(&now)));
        }
        let late = lifecycle::apply(&in_state(state), &Command::Due, &config(), at(4 * 86_400));
        table.push(format!("{state}, due after four days: {}\n", shown(&late)));
    }
    insta::assert_snapshot!(table.join("\n"));
}

#[test]
fn what_becomes_of_a_new_request() {
    let preset =
        |name: &str| DomainRequested { domains: Vec::new(), preset: Some(name.to_owned()), ..asked(&[]) };
    let lasting = |seconds| DomainRequested { duration_seconds: seconds, ..asked(&["github.com"]) };
    let table = [
        ("one domain", asked(&["github.com"])),
        ("covered by a preset", asked(&["pypi.org", "files.pythonhosted.org"])),
        ("partly covered", asked(&["pypi.org", "github.com"])),
        ("wider than the preset", asked(&[".pypi.org"])),
        ("twice the same", asked(&["github.com", "https://GITHUB.com/"])),
        ("one of two refused", asked(&["github.com", "10.0.0.1"])),
        ("denied", asked(&["a.evil.org", ".com"])),
        ("preset", preset("pypi")),
        ("no such preset", preset("npm")),
        ("no duration", lasting(None)),
        ("too long", lasting(Some(31 * 24 * HOUR))),
        ("for ever", lasting(Some(u64::MAX))),
        ("nothing at all", asked(&[])),
    ]
    .map(|(name, asked)| {
        let transition = opened(&asked);
        let domains: Vec<_> = transition.request.domains.iter().map(ToString::to_string).collect();
        format!("{name}: [{}] {}", domains.join(" "), shown(&Ok(transition)))
    });
    insta::assert_snapshot!(table.join("\n"));
}

#[test]
fn a_request_as_it_is_stored_and_told() {
    let transition = opened(&asked(&["*.github.com"]));
    insta::assert_json_snapshot!(transition.outbox[0].event);
    let told: RequestStateChanged =
        serde_json::from_value(transition.outbox[0].event.detail.clone()).unwrap();
    assert_eq!(told.request, transition.request);
    let stored = serde_json::to_value(&transition.request).unwrap();
    assert_eq!(serde_json::from_value::<Request>(stored).unwrap(), transition.request);
}

#[test]
fn the_time_of_a_grant_begins_with_its_approval_and_ends_on_the_dot() {
    let request = opened(&asked(&["github.com"])).request;
    let approve = Command::Approve { by: "bob".to_owned(), comment: None };
    let granted = lifecycle::apply(&request, &approve, &config(), at(600)).unwrap().request;
    assert_eq!(granted.ends_at, Some(at(600 + 3_600)));
    assert!(lifecycle::apply(&granted, &Command::Due, &config(), at(600 + 3_599)).is_err());
    assert!(lifecycle::apply(&granted, &Command::Due, &config(), at(600 + 3_600)).is_ok());
}

#[test]
fn nobody_is_two_people_by_another_spelling() {
    let mut config = config();
    config.approval.needed = 2;
    config.approval.approvers.extend(["Bob".to_owned(), "ALICE ".to_owned()]);
    let approve = |by: &str| Command::Approve { by: by.to_owned(), comment: None };
    let request = opened(&asked(&["github.com"])).request;
    let once = lifecycle::apply(&request, &approve("bob"), &config, at(1)).unwrap().request;
    assert_eq!(once.state, StateName::Pending);
    assert!(matches!(
        lifecycle::apply(&once, &approve("Bob"), &config, at(2)),
        Err(NotAllowed::ApprovedAlready { .. })
    ));
    assert!(matches!(
        lifecycle::apply(&once, &approve("ALICE "), &config, at(2)),
        Err(NotAllowed::OwnRequest { .. })
    ));
    let twice = lifecycle::apply(&once, &approve("carol"), &config, at(2)).unwrap().request;
    assert_eq!((twice.state, twice.approvals.len()), (StateName::Approved, 2));
}

#[test]
fn an_approval_is_held_against_the_clock_and_the_deny_list_of_its_own_time() {
    let pending = in_state(StateName::Pending);
    let approve = Command::Approve { by: "bob".to_owned(), comment: None };
    let lapsed = lifecycle::apply(&pending, &approve, &config(), pending.lapses_at);
    assert_eq!(lapsed, Err(NotAllowed::TooLate { id: pending.id.clone() }));

    let mut stricter = config();
    stricter.denied_domains.push("github.com".parse().unwrap());
    let denied = lifecycle::apply(&pending, &approve, &stricter, at(60)).unwrap_err().to_string();
    assert!(denied.ends_with("github.com would let github.com pass, which is on the deny list"), "{denied}");
}
