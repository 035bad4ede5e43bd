//! Every state and every command: what comes of it, or why not.

#![cfg(test)]

use std::sync::LazyLock;

use egress::config::Config;
use egress::events::{DomainRequested, ExtensionRequested, RequestStateChanged, VERSION};
use egress::history;
use egress::ledger::Transition;
use egress::lifecycle::{self, Command, Draft, NotAllowed, Rulebook};
use egress::policy::Policy;
use egress::request::{Ending, Request, RequestId, StateName};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

const HOUR: u64 = 3_600;
const ALL_STATES: [StateName; 8] = [
    StateName::Pending,
    StateName::Approved,
    StateName::Active,
    StateName::Ended,
    StateName::Denied,
    StateName::Lapsed,
    StateName::Withdrawn,
    StateName::Refused,
];

static RULEBOOK: LazyLock<Rulebook> = LazyLock::new(|| {
    let text = r#"
        denied_domains = [".evil.org"]
        [groups]
        approvers = ["bob", "carol", "Bob", "ALICE "]
        on_call = ["erin"]
        [risk]
        anybody_can_upload = [".pastebin.com"]
        [presets.pypi]
        description = "Python packages"
        domains = ["pypi.org", ".pythonhosted.org"]
    "#;
    Rulebook {
        config: Config::parse(text).unwrap(),
        policy: Policy::parse(include_str!("../../infra/config/policy.cedar")).unwrap(),
    }
});

fn rulebook() -> Rulebook {
    RULEBOOK.clone()
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
        break_glass: None,
        reply_to: None,
    }
}

fn opened(asked: &DomainRequested) -> Transition {
    lifecycle::draft(asked, &rulebook(), at(0)).open(at(0)).unwrap()
}

/// A request in each state, at noon.
fn in_state(state: StateName) -> Request {
    let mut request = opened(&asked(&["github.com"])).request;
    request.state = state;
    if state.is_live() || state == StateName::Ended {
        request.approved_at = Some(at(0));
        request.ends_at = Some(at(3_600));
    }
    if state == StateName::Ended {
        request.ending = Some(Ending::Expired);
    }
    request
}

fn approve(by: &str) -> Command {
    Command::Approve { by: by.to_owned(), comment: None }
}

fn apply(request: &Request, command: &Command, seconds: i64) -> Result<Transition, NotAllowed> {
    lifecycle::apply(request, command, &rulebook(), at(seconds))
}

fn told(transition: &Transition) -> Vec<&str> {
    transition.outbox.iter().map(|entry| entry.event.detail_type.as_str()).collect()
}

fn shown(outcome: &Result<Transition, NotAllowed>) -> String {
    let transition = match outcome {
        Ok(transition) => transition,
        Err(reason) => return format!("✗ {reason}"),
    };
    let Transition { request, history, live, cut, deadline_before, deadline, .. } = transition;
    let time = |time: &Option<Timestamp>| time.map_or_else(|| "none".to_owned(), |time| time.to_string());
    format!(
        "{}{} v{}, {} by {}{}, live: {}{}, deadline: {} → {}, told: {}",
        request.state,
        request.ending.map(|ending| format!(" ({ending:?})")).unwrap_or_default(),
        request.version,
        history.what,
        history.by,
        history.comment.as_ref().map(|comment| format!(" \"{comment}\"")).unwrap_or_default(),
        live.as_ref().map_or_else(
            || "no".to_owned(),
            |live| format!("until {}, active: {}", live.ends_at, live.active)
        ),
        if *cut { ", cut" } else { "" },
        time(deadline_before),
        time(deadline),
        told(transition).join(" "),
    )
}

/// Every kind of command; of those that people give, by several people.
fn commands() -> Vec<(&'static str, Command)> {
    let by = |by: &str| by.to_owned();
    vec![
        ("approve by bob", Command::Approve { by: by("bob"), comment: Some("fine".to_owned()) }),
        ("approve by alice", approve("alice")),
        ("approve by mallory", approve("mallory")),
        ("deny by bob", Command::Deny { by: by("bob"), comment: None }),
        ("deny by alice", Command::Deny { by: by("alice"), comment: None }),
        ("deny by mallory", Command::Deny { by: by("mallory"), comment: None }),
        ("withdraw by alice", Command::Withdraw { by: by("alice") }),
        ("withdraw by bob", Command::Withdraw { by: by("bob") }),
        ("revoke by bob", Command::Revoke { by: by("bob"), reason: "over".to_owned() }),
        ("revoke by alice", Command::Revoke { by: by("alice"), reason: "over".to_owned() }),
        ("revoke by mallory", Command::Revoke { by: by("mallory"), reason: "over".to_owned() }),
        ("supersede", Command::Supersede { by: RequestId::of_message("more"), until: at(7_200) }),
        ("in sync", Command::InSync),
        ("wait", Command::Wait { reason: "2 units are missing".to_owned(), stood: true }),
        ("end with its original", Command::EndWith { original: RequestId::of_message("first") }),
        ("use", Command::Use { at: at(30), host: "github.com".to_owned(), source: "10.2.3.4".to_owned() }),
        ("due", Command::Due),
    ]
}

#[test]
fn every_command_in_every_state() {
    let mut table = Vec::new();
    for state in ALL_STATES {
        for (name, command) in commands() {
            table.push(format!("{state}, {name}: {}", shown(&apply(&in_state(state), &command, 60))));
        }
        let late = apply(&in_state(state), &Command::Due, 4 * 86_400);
        table.push(format!("{state}, due after four days: {}\n", shown(&late)));
    }
    insta::assert_snapshot!(table.join("\n"));
}

#[test]
fn what_becomes_of_a_new_request() {
    let preset =
        |name: &str| DomainRequested { domains: Vec::new(), preset: Some(name.to_owned()), ..asked(&[]) };
    let lasting = |seconds| DomainRequested { duration_seconds: seconds, ..asked(&["github.com"]) };
    let glass = |requester: &str, reason: &str, seconds| DomainRequested {
        requester: requester.to_owned(),
        break_glass: Some(reason.to_owned()),
        ..lasting(Some(seconds))
    };
    let reason = "production is down, and the fix is there";
    let table = [
        ("one domain", asked(&["github.com"])),
        ("all below it", asked(&[".github.com"])),
        ("shared hosting", asked(&["alice.github.io"])),
        ("anybody can upload", asked(&["pastebin.com"])),
        ("covered by a preset", asked(&["pypi.org", "files.pythonhosted.org"])),
        ("partly covered", asked(&["pypi.org", "github.com"])),
        ("wider than the preset", asked(&[".pypi.org"])),
        ("twice the same", asked(&["github.com", "https://GITHUB.com/"])),
        ("one of two refused", asked(&["github.com", "10.0.0.1"])),
        ("denied", asked(&["a.evil.org", ".com"])),
        ("above public suffixes", asked(&[".amazonaws.com"])),
        ("preset", preset("pypi")),
        ("no such preset", preset("npm")),
        ("no duration", lasting(None)),
        ("too long", lasting(Some(31 * 24 * HOUR))),
        ("for ever", lasting(Some(u64::MAX))),
        ("nothing at all", asked(&[])),
        ("glass broken", glass("erin", reason, 1_800)),
        ("glass broken for long", glass("erin", reason, 24 * HOUR)),
        ("glass broken without a reason", glass("erin", "because", 1_800)),
        ("glass broken by somebody", glass("alice", reason, 1_800)),
    ]
    .map(|(name, asked)| {
        let transition = opened(&asked);
        let domains: Vec<_> = transition.request.domains.iter().map(ToString::to_string).collect();
        let needed = transition.request.approvals_needed;
        format!("{name}: [{}] needs {needed}, {}", domains.join(" "), shown(&Ok(transition)))
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
    let granted = apply(&request, &approve("bob"), 600).unwrap().request;
    assert_eq!((granted.approved_at, granted.ends_at), (Some(at(600)), Some(at(600 + 3_600))));
    assert!(apply(&granted, &Command::Due, 600 + 3_599).is_err());
    assert!(apply(&granted, &Command::Due, 600 + 3_600).is_ok());
}

#[test]
fn nobody_is_two_people_by_another_spelling() {
    // Given a risky request, which takes two approvers,
    let request = opened(&asked(&["alice.github.io"])).request;
    assert_eq!(request.approvals_needed, 2);
    let once = apply(&request, &approve("bob"), 1).unwrap().request;
    assert_eq!(once.state, StateName::Pending);
    // then neither the same approver nor the requester is another one by capitals and spaces.
    assert!(matches!(apply(&once, &approve("Bob"), 2), Err(NotAllowed::ApprovedAlready { .. })));
    assert!(matches!(apply(&once, &approve("ALICE "), 2), Err(NotAllowed::OwnRequest { .. })));
    let twice = apply(&once, &approve("carol"), 2).unwrap().request;
    assert_eq!((twice.state, twice.approvals.len()), (StateName::Approved, 2));
}

#[test]
fn an_approval_is_held_against_the_clock_and_the_rules_of_its_own_time() {
    let pending = in_state(StateName::Pending);
    let lapsed = lifecycle::apply(&pending, &approve("bob"), &rulebook(), pending.lapses_at);
    assert_eq!(lapsed, Err(NotAllowed::TooLate { id: pending.id.clone() }));

    let mut stricter = rulebook();
    stricter.config.denied_domains.push("github.com".parse().unwrap());
    let denied = lifecycle::apply(&pending, &approve("bob"), &stricter, at(60)).unwrap_err().to_string();
    assert!(denied.ends_with("github.com would let github.com pass, which is on the deny list"), "{denied}");
}

#[test]
fn whatever_the_policy_says_nobody_decides_about_an_own_request() {
    let everything = "@id(\"everything\") permit(principal, action, resource is Egress::Request);";
    let generous = Rulebook { policy: Policy::parse(everything).unwrap(), ..rulebook() };
    let pending = in_state(StateName::Pending);
    for command in [approve("alice"), Command::Deny { by: "Alice".to_owned(), comment: None }] {
        let refused = lifecycle::apply(&pending, &command, &generous, at(60));
        assert!(matches!(refused, Err(NotAllowed::OwnRequest { .. })), "{refused:?}");
    }
}

#[test]
fn approvers_are_reminded_after_longer_and_longer_times_and_not_after_it_has_lapsed() {
    let mut request = opened(&asked(&["github.com"])).request;
    let mut reminded = Vec::new();
    while let Some(due) = lifecycle::deadline(&request) {
        let transition = lifecycle::apply(&request, &Command::Due, &rulebook(), due).unwrap();
        let hours = due.duration_since(at(0)).as_hours();
        reminded.push(format!("{hours} h: {}", told(&transition).join(" ")));
        request = transition.request;
    }
    let expected = [
        "2 h: DecisionAwaited",
        "6 h: DecisionAwaited",
        "14 h: DecisionAwaited",
        "30 h: DecisionAwaited",
        "62 h: DecisionAwaited",
        "72 h: RequestStateChanged",
    ];
    assert_eq!(reminded, expected);
    assert_eq!((request.state, request.reminders), (StateName::Lapsed, 5));
}

#[test]
fn reminders_that_nobody_could_send_are_sent_once() {
    let request = opened(&asked(&["github.com"])).request;
    let late = apply(&request, &Command::Due, 15 * 3_600).unwrap().request;
    assert_eq!((late.reminders, late.remind_at), (3, Some(at(30 * 3_600))));
}

#[test]
fn a_broken_glass_is_told_beside_the_grant() {
    let asked = DomainRequested {
        requester: "erin".to_owned(),
        break_glass: Some("production is down, and the fix is there".to_owned()),
        duration_seconds: Some(1_800),
        ..asked(&["github.com"])
    };
    let transition = opened(&asked);
    assert_eq!(told(&transition), ["RequestStateChanged", "GlassBroken"]);
    let approvers = &transition.outbox[1].event.detail["approvers"];
    assert_eq!(*approvers, serde_json::json!(["alice", "bob", "carol"]));
    let ids: Vec<&str> = transition.outbox.iter().map(|entry| entry.id.as_str()).collect();
    assert_ne!(ids[0], ids[1]);
}

fn extension(seconds: Option<u64>) -> ExtensionRequested {
    ExtensionRequested {
        version: VERSION,
        message_key: "webhook:more".to_owned(),
        request_id: RequestId::of_message("webhook:1"),
        requester: "alice".to_owned(),
        justification: "not done yet".to_owned(),
        duration_seconds: seconds,
        reply_to: None,
    }
}

fn extended(asked: &ExtensionRequested, original: &Request, seconds: i64) -> Result<Transition, NotAllowed> {
    lifecycle::draft_extension(asked, original, &rulebook(), at(seconds))
        .and_then(|draft: Draft| draft.open(at(seconds)))
}

#[test]
fn an_extension_is_a_request_of_its_own_that_takes_the_place_of_its_grant() {
    let original = in_state(StateName::Active);
    let request = extended(&extension(None), &original, 600).unwrap().request;
    assert_eq!((request.state, request.extensions), (StateName::Pending, 1));
    assert_eq!((&request.domains, request.extends.as_ref()), (&original.domains, Some(&original.id)));

    let granted = apply(&request, &approve("bob"), 1_200).unwrap().request;
    let ends_at = granted.ends_at.unwrap();
    assert_eq!(ends_at, at(1_200 + 3_600));
    let command = Command::Supersede { by: granted.id.clone(), until: ends_at };
    let replaced = apply(&original, &command, 1_300).unwrap();
    assert_eq!(replaced.request.ending, Some(Ending::Superseded));
    assert_eq!(replaced.request.superseded_by, Some(granted.id));
    assert!(replaced.live.is_none() && !replaced.cut, "its connections go on");
}

#[test]
fn an_extension_is_longer_than_what_it_extends_and_asked_by_its_requester_while_it_lives() {
    let original = in_state(StateName::Active);
    let refused = |asked: &ExtensionRequested, state| {
        extended(asked, &Request { state, ..original.clone() }, 600).unwrap_err().to_string()
    };
    let by_mallory = ExtensionRequested { requester: "mallory".to_owned(), ..extension(None) };
    let sentences = [
        refused(&extension(Some(60)), StateName::Active),
        refused(&by_mallory, StateName::Active),
        refused(&extension(None), StateName::Ended),
        refused(&extension(None), StateName::Pending),
    ];
    insta::assert_snapshot!(sentences.join("\n"));
}

#[test]
fn what_an_approver_said_stays_with_the_request() {
    let command = Command::Approve { by: "bob".to_owned(), comment: Some("fine".to_owned()) };
    let approved = apply(&in_state(StateName::Pending), &command, 60).unwrap().request;
    let open = apply(&approved, &Command::InSync, 90).unwrap().request;
    let said = open.approvals.iter().map(|yes| (yes.by.as_str(), yes.comment.as_deref()));
    assert_eq!(said.collect::<Vec<_>>(), [("bob", Some("fine"))]);
}

#[test]
fn what_does_not_fit_is_told_once_and_what_is_used_too() {
    let approved = in_state(StateName::Approved);
    let wait = |reason: &str| Command::Wait { reason: reason.to_owned(), stood: false };
    let waits = apply(&approved, &wait("2 are missing"), 60).unwrap();
    assert_eq!((told(&waits), waits.live.as_ref().unwrap().waits), (vec!["GrantWaits"], true));
    assert!(matches!(apply(&waits.request, &wait("3 are missing"), 61), Err(NotAllowed::NothingNew { .. })));
    let active = apply(&waits.request, &Command::InSync, 70).unwrap();
    assert_eq!((active.request.waits_for.as_ref(), active.live.as_ref().unwrap().waits), (None, false));
    // Who found that it waits, before somebody else found room for it, comes too late.
    assert!(matches!(apply(&active.request, &wait("3 are missing"), 71), Err(NotAllowed::NothingNew { .. })));

    let used = Command::Use { at: at(80), host: "github.com".to_owned(), source: "10.2.3.4".to_owned() };
    let first = apply(&active.request, &used, 90).unwrap();
    assert_eq!((told(&first), first.request.first_used_at), (vec!["GrantFirstUsed"], Some(at(80))));
    assert!(matches!(apply(&first.request, &used, 91), Err(NotAllowed::NothingNew { .. })));
}

/// A history as it comes of these commands.
fn history_of(commands: &[Command]) -> (Request, Vec<egress::ledger::HistoryEntry>) {
    let first = opened(&asked(&["github.com"]));
    let (mut request, mut entries) = (first.request, vec![first.history]);
    for (command, seconds) in commands.iter().zip(1..) {
        if let Ok(transition) = apply(&request, command, seconds) {
            request = transition.request;
            entries.push(transition.history);
        }
    }
    (request, entries)
}

#[test]
fn a_history_shows_what_was_changed_in_it() {
    let (request, history) = history_of(&[approve("bob"), Command::InSync]);
    assert_eq!(history::verify(&history), Ok(()));
    assert_eq!(history.last().unwrap().seal, request.seal);

    let mut changed = history.clone();
    changed[1].by = "carol".to_owned();
    assert_eq!(history::verify(&changed), Err(history::Broken::Changed { version: 2 }));
    let mut shorter = history.clone();
    shorter.remove(1);
    assert_eq!(history::verify(&shorter), Err(history::Broken::Gap { expected: 2 }));
    // What is missing at the end shows against the request's own seal.
    assert_ne!(history[1].seal, request.seal);
}

proptest! {
    /// Whatever is done in whatever order: versions have no gaps, seals hold, nobody approves an own request,
    /// and what is live has an end.
    #[test]
    fn any_row_of_commands_leaves_a_request_in_order(picks in prop::collection::vec(0..16_usize, 0..20)) {
        let commands: Vec<Command> = picks.into_iter().map(|pick| commands().swap_remove(pick).1).collect();
        let (request, history) = history_of(&commands);
        prop_assert_eq!(history::verify(&history), Ok(()));
        prop_assert_eq!(history.len() as u64, request.version);
        prop_assert!(request.approvals.iter().all(|approval| approval.by != "alice"));
        prop_assert_eq!(request.state.is_live(), lifecycle::deadline(&request).is_some() && request.state != StateName::Pending);
        for pair in history.windows(2) {
            prop_assert_eq!(pair[1].from, Some(pair[0].to));
        }
    }
}

#[test]
fn the_yes_of_somebody_who_may_not_say_it_any_more_does_not_count() {
    // Given a risky request, which takes two, and Bob's yes,
    let request = opened(&asked(&["alice.github.io"])).request;
    let once = apply(&request, &approve("bob"), 1).unwrap().request;
    // when Bob leaves the approvers,
    let mut without_bob = rulebook();
    without_bob.config = Config::parse("[groups]\napprovers = [\"carol\", \"dave\"]").unwrap();
    let then =
        |request: &Request, by| lifecycle::apply(request, &approve(by), &without_bob, at(2)).unwrap().request;
    // then two others have to say it.
    let carol = then(&once, "carol");
    assert_eq!((carol.state, carol.approvals.len()), (StateName::Pending, 1));
    assert_eq!(then(&carol, "dave").state, StateName::Approved);
}

#[test]
fn who_wants_to_revoke_what_was_extended_hears_of_the_extension() {
    let command = Command::Supersede { by: RequestId::of_message("more"), until: at(7_200) };
    let superseded = apply(&in_state(StateName::Active), &command, 60).unwrap().request;
    let revoke = Command::Revoke { by: "bob".to_owned(), reason: "over".to_owned() };
    insta::assert_snapshot!(
        apply(&superseded, &revoke, 61).unwrap_err(),
        @"req-07c4ca32f9a3 has ended: req-187897ce0afc extends it. That one can be revoked"
    );
}
