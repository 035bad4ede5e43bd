//! Transitions as the rules make them, without the rules: a ledger doesn't know any.

use egress::bus::Event;
use egress::domain::DomainPattern;
use egress::history;
use egress::ledger::{HistoryEntry, OutboxEntry, Transition};
use egress::lifecycle;
use egress::request::{Ending, LiveGrant, Request, RequestId, StateName};
use egress::risk::Assessment;
use jiff::{Timestamp, ToSpan};
use serde_json::json;

pub(crate) fn noon() -> Timestamp {
    "2026-05-14T12:00:00Z".parse().unwrap()
}

/// A request that waits for its approver, asked so many minutes after noon.
pub(crate) fn asked(key: &str, minutes: i64) -> Transition {
    let now = noon() + minutes.minutes();
    let request = Request {
        id: RequestId::of_message(key),
        version: 1,
        state: StateName::Pending,
        ending: None,
        requester: "alice".to_owned(),
        domains: domains(),
        refused_domains: Vec::new(),
        preset: None,
        justification: "„schön“ \u{1F600}, \"quoted\"".to_owned(),
        ticket: None,
        break_glass: None,
        duration_seconds: 3_600,
        requested_at: now,
        lapses_at: now + 72.hours(),
        reminders: 0,
        remind_at: None,
        approvals_needed: 1,
        approvals: Vec::new(),
        approved_at: None,
        ends_at: None,
        extends: None,
        extensions: 0,
        superseded_by: None,
        waits_for: None,
        first_used_at: None,
        assessment: Assessment::default(),
        reply_to: None,
        seal: String::new(),
    };
    Transition { message_key: Some(key.to_owned()), ..transition(None, request, "alice", "asked", now) }
}

/// Its grant begins, an hour after noon.
pub(crate) fn approved(before: &Request, by: &str, key: &str) -> Transition {
    let now = noon() + 1.hour();
    let request = Request {
        state: StateName::Approved,
        approved_at: Some(now),
        ends_at: Some(now + 1.hour()),
        ..before.clone()
    };
    Transition { message_key: Some(key.to_owned()), ..transition(Some(before), request, by, "approved", now) }
}

/// Its grant ends, and its connections are to be cut.
pub(crate) fn revoked(before: &Request) -> Transition {
    let request = Request { state: StateName::Ended, ending: Some(Ending::Revoked), ..before.clone() };
    let revoked = transition(Some(before), request, "bob", "revoked", noon() + 90.minutes());
    Transition { cut: true, ..revoked }
}

/// What is told.
pub(crate) fn told(id: &str, at: Timestamp) -> OutboxEntry {
    let event = Event::new("egress.requests", "CommandAnswered", &json!({"event_id": id})).unwrap();
    OutboxEntry { id: id.to_owned(), at, event }
}

fn transition(before: Option<&Request>, request: Request, by: &str, what: &str, at: Timestamp) -> Transition {
    let mut request = Request { version: before.map_or(1, |before| before.version + 1), ..request };
    let mut entry = HistoryEntry {
        version: request.version,
        at,
        by: by.to_owned(),
        what: what.to_owned(),
        from: before.map(|before| before.state),
        to: request.state,
        ending: request.ending,
        comment: None,
        seal: String::new(),
    };
    entry.seal = history::seal(before.map_or("", |before| &before.seal), &entry).unwrap();
    request.seal.clone_from(&entry.seal);
    Transition {
        live: live(&request),
        cut: false,
        deadline_before: before.and_then(lifecycle::deadline),
        deadline: lifecycle::deadline(&request),
        history: entry,
        outbox: vec![told(&format!("{}.{}", request.id, request.version), at)],
        message_key: None,
        request,
    }
}

fn live(request: &Request) -> Option<LiveGrant> {
    request.state.is_live().then(|| LiveGrant {
        request_id: request.id.clone(),
        requester: request.requester.clone(),
        domains: request.domains.clone(),
        approved_at: request.approved_at.unwrap(),
        ends_at: request.ends_at.unwrap(),
        active: false,
        used: false,
        waits: false,
        extends: None,
    })
}

fn domains() -> Vec<DomainPattern> {
    [".github.com", "pypi.org"].into_iter().map(|domain| DomainPattern::parse(domain).unwrap()).collect()
}
