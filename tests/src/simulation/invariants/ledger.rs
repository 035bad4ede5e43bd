//! What the ledger holds: histories, rows that agree, and everything that was ever acknowledged.

use std::collections::{BTreeMap, BTreeSet};

use egress::history;
use egress::ledger::HistoryEntry;
use egress::lifecycle::deadline;
use egress::request::{Ending, RequestId, StateName};
use jiff::SignedDuration;

use crate::simulation::record::{LeadsTo, What};
use crate::simulation::story::{Life, Story};

/// Versions have no gaps, seals are whole, the last entry is the state, each entry is what was written then, and
/// no step is taken that there isn't.
pub(super) fn no_transition_without_its_history(story: &Story<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    let end = &story.record.end;
    for life in story.lives.values() {
        let id = life.id;
        let history = end.history.get(id).map(Vec::as_slice).unwrap_or_default();
        let Some(request) = end.requests.get(id) else {
            wrong.push(format!("{id} is gone"));
            continue;
        };
        if let Err(broken) = history::verify(history) {
            wrong.push(format!("the history of {id}: {broken}"));
        }
        if history.len() as u64 != request.version {
            wrong.push(format!("{id} is in version {} and has {} entries", request.version, history.len()));
        }
        let last = history.last();
        if last.map(|entry| (entry.to, &entry.seal)) != Some((request.state, &request.seal)) {
            wrong.push(format!("the last entry of {id} isn't its state"));
        }
        let written: Vec<&HistoryEntry> =
            life.transitions.iter().map(|(_, transition)| &transition.history).collect();
        if written != history.iter().collect::<Vec<_>>() {
            wrong.push(format!("the history of {id} isn't what was written"));
        }
        wrong.extend(steps(id, history));
        wrong.extend(stays_what_it_was(life));
    }
    wrong
}

fn steps(id: &RequestId, history: &[HistoryEntry]) -> Vec<String> {
    use StateName::{Active, Approved, Denied, Ended, Lapsed, Pending, Refused, Withdrawn};
    let is_step = |entry: &HistoryEntry| match (entry.from, entry.to) {
        (None, Pending | Approved | Refused)
        | (Some(Pending), Pending | Approved | Denied | Lapsed | Withdrawn)
        | (Some(Approved), Approved | Active)
        | (Some(Active), Active) => entry.ending.is_none(),
        (Some(Active), Approved) => entry.what == "kept waiting",
        (Some(Approved | Active), Ended) => entry.ending.is_some(),
        _ => false,
    };
    let wrong = history.iter().filter(|entry| !is_step(entry));
    wrong.map(|entry| format!("{id} went from {:?} to {}", entry.from, entry.to)).collect()
}

/// What was asked for never changes.
fn stays_what_it_was(life: &Life<'_>) -> Option<String> {
    let requests = || life.transitions.iter().map(|(_, transition)| &transition.request);
    let asked = |request: &egress::request::Request| {
        (
            request.domains.clone(),
            request.requester.clone(),
            request.duration_seconds,
            request.extends.clone(),
        )
    };
    let first = requests().next().map(asked);
    requests().any(|request| Some(asked(request)) != first).then(|| format!("{} became another one", life.id))
}

/// The rows beside the requests say what the requests say.
pub(super) fn agrees_with_itself(story: &Story<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    let end = &story.record.end;
    let live: BTreeSet<&RequestId> = end.live.iter().map(|grant| &grant.request_id).collect();
    let requests = end.requests.values();
    let should: BTreeSet<&RequestId> =
        requests.clone().filter(|request| request.state.is_live()).map(|request| &request.id).collect();
    if live != should {
        wrong.push(format!("the live grants are {live:?}, and should be {should:?}"));
    }
    for grant in &end.live {
        let Some(request) = end.requests.get(&grant.request_id) else { continue };
        let is = (grant.active, grant.used, grant.waits, &grant.domains, Some(grant.ends_at), &grant.extends);
        let should = (
            request.state == StateName::Active,
            request.first_used_at.is_some(),
            request.waits_for.is_some(),
            &request.domains,
            request.ends_at,
            &request.extends,
        );
        if is != should {
            wrong.push(format!("the live grant of {} isn't what its request says", request.id));
        }
    }
    let deadlines: BTreeMap<&RequestId, _> =
        end.deadlines.iter().map(|deadline| (&deadline.request_id, deadline.at)).collect();
    for request in requests.filter(|request| deadline(request).is_some()) {
        if deadlines.get(&request.id).copied() != deadline(request) {
            wrong.push(format!("{} has lost its deadline", request.id));
        }
    }
    wrong.extend(superseded(story));
    wrong
}

/// A grant is superseded by its extension, which lasts longer; and where both were live at once, by none else.
fn superseded(story: &Story<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    let end = &story.record.end;
    for request in end.requests.values().filter(|request| request.ending == Some(Ending::Superseded)) {
        let by = request.superseded_by.as_ref().and_then(|by| end.requests.get(by));
        let longer = |by: &egress::request::Request| {
            by.extends.as_ref() == Some(&request.id) && by.ends_at >= request.ends_at
        };
        if !by.is_some_and(longer) {
            wrong.push(format!("{} was superseded by what doesn't extend it", request.id));
        }
    }
    let live = end.live.iter().filter(|grant| grant.active);
    for extension in live {
        let original =
            extension.extends.as_ref().and_then(|id| end.live.iter().find(|grant| grant.request_id == *id));
        if original.is_some_and(|original| original.ends_at <= extension.ends_at) {
            wrong.push(format!("{} is active, and what it extends goes on", extension.request_id));
        }
    }
    wrong
}

/// Everything that was on the bus has led to something.
pub(super) fn nothing_acknowledged_is_lost(story: &Story<'_>) -> Vec<String> {
    let mut answered: BTreeSet<&str> = BTreeSet::new();
    let mut refusals: BTreeSet<&str> = BTreeSet::new();
    for fact in &story.record.facts {
        match &fact.what {
            What::Answered(key, _) => _ = answered.insert(key),
            What::Committed(transition) => answered.extend(transition.message_key.as_deref()),
            What::Refused(digest, _) => _ = refusals.insert(digest),
            _ => {}
        }
    }
    let end = &story.record.end;
    let mut wrong = Vec::new();
    // Two of the same words at the same time are one event.
    let mut refused: BTreeSet<&str> = BTreeSet::new();
    for sent in &story.record.sent {
        let is_there = |key: &str| end.requests.contains_key(&RequestId::of_message(key));
        let lost = match &sent.leads_to {
            LeadsTo::Request { key, extension: false } => !is_there(key),
            LeadsTo::Request { key, extension: true } => !is_there(key) && !answered.contains(key.as_str()),
            LeadsTo::Command { key } => !answered.contains(key.as_str()),
            LeadsTo::Use(id) => end
                .requests
                .get(id)
                .is_none_or(|request| request.state.is_live() && request.first_used_at.is_none()),
            LeadsTo::Refusal => {
                refused.insert(&sent.what);
                refused.len() > refusals.len()
            }
        };
        if lost {
            wrong.push(format!("this led to nothing: {}", sent.what));
        }
    }
    wrong
}

/// In the end the clock finds nothing to do, dead letters can be worked off, and nothing waits to be said or cut.
pub(super) fn it_settles(story: &Story<'_>) -> Vec<String> {
    let end = &story.record.end;
    let mut wrong = story.record.unsettled.clone();
    wrong.extend(end.outbox.iter().map(|entry| format!("{} was not published", entry.id)));
    let long_ago = end.now - SignedDuration::from_mins(4);
    let left = end.cuts.iter().filter(|cut| cut.at < long_ago);
    wrong.extend(left.map(|cut| format!("{} still waits to be cut", cut.request_id)));
    let over = end.live.iter().filter(|grant| grant.ends_at <= end.now - SignedDuration::from_mins(2));
    wrong.extend(over.map(|grant| format!("{} is over, and live", grant.request_id)));
    wrong
}
