//! What is told on the bus.

use std::collections::{BTreeMap, BTreeSet};

use egress::bus::Event;
use egress::ledger::OutboxEntry;
use serde_json::Value;

use crate::simulation::record::What;
use crate::simulation::story::Story;

/// Whatever is published was written into the ledger before, word for word; whatever was written there is
/// published; and each change of a request is told as the change that it was.
pub(super) fn has_a_cause_and_is_told(story: &Story<'_>) -> Vec<String> {
    let (mut wrong, mut written, mut told) = (Vec::new(), BTreeMap::<&str, &Event>::new(), BTreeSet::new());
    for fact in &story.record.facts {
        for entry in outbox(&fact.what) {
            if !is_same(written.entry(&entry.id).or_insert(&entry.event), &entry.event) {
                wrong.push(format!("{} was written twice, and not as the same", entry.id));
            }
        }
        if let What::Committed(transition) = &fact.what {
            wrong.extend(is_told_as_it_was(transition));
        }
        let What::Published(events) = &fact.what else { continue };
        for event in events {
            let id = id(event);
            match written.get(id.as_str()) {
                Some(cause) if is_same(cause, event) => {}
                Some(_) => wrong.push(format!("{id} was told otherwise than it was written")),
                None => wrong.push(format!("{id} was told and has no cause")),
            }
            told.insert(id);
        }
    }
    let never = written.keys().filter(|id| !told.contains(**id));
    wrong.extend(never.map(|id| format!("{id} was never told")));
    wrong
}

/// Each change of a request is told, by an event with the id of its version, whatever is left of its outbox.
pub(super) fn every_transition_is_told(story: &Story<'_>) -> Vec<String> {
    let published = story.facts(|what| match what {
        What::Published(events) => Some(events),
        _ => None,
    });
    let told: BTreeSet<String> = published.flat_map(|(_, _, events)| events.iter().map(id)).collect();
    let committed = story.facts(|what| match what {
        What::Committed(transition) => {
            Some(format!("{}.{}", transition.request.id, transition.request.version))
        }
        _ => None,
    });
    let never = committed.filter(|(_, _, id)| !told.contains(id));
    never.map(|(_, _, id)| format!("{id} was never told")).collect()
}

/// A hand edit of rules is told only where there was one; and one that brings rules that aren't ours is, before it
/// is put right. (A list has no seal: there, what one with a fast clock has taken out, one with a slow clock misses.)
pub(super) fn hand_edits_are_told(story: &Story<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    let found = story.facts(|what| match what {
        What::Answered(_, entry) if entry.event.detail_type == "DriftFound" => {
            entry.event.detail.get("rule_group").and_then(Value::as_str)
        }
        _ => None,
    });
    let found: Vec<(usize, &str)> = found.map(|(place, _, group)| (place, group)).collect();
    for group in story.groups.iter().filter(|group| !group.is_list) {
        let mut edits = group.versions.iter().skip(1).filter(|version| version.by.is_none());
        let first = edits.next().map_or(usize::MAX, |version| version.place);
        if found.iter().any(|(place, arn)| *arn == group.arn && *place < first) {
            wrong.push(format!("a hand edit of {} was told, and there was none", group.arn));
        }
        for (by, before, after) in group.writes().filter(|(_, before, _)| before.foreign > 0) {
            let between = before.place..after.place;
            if !found.iter().any(|(place, arn)| *arn == group.arn && between.contains(place)) {
                wrong.push(format!("#{by} put {} right, and nobody is told", group.arn));
            }
        }
    }
    wrong
}

/// Whether two deliveries say the same. A hand edit that two have found is told as each of them has seen it.
fn is_same(one: &Event, other: &Event) -> bool {
    one == other || (one.detail_type == "DriftFound" && other.detail_type == "DriftFound")
}

fn outbox(what: &What) -> &[OutboxEntry] {
    match what {
        What::Committed(transition) => &transition.outbox,
        What::Answered(_, entry) | What::Refused(_, entry) => std::slice::from_ref(entry),
        _ => &[],
    }
}

/// The id of an event, by which its deliveries are the same one.
fn id(event: &Event) -> String {
    let text = |field: &str| event.detail.get(field).and_then(Value::as_str).unwrap_or_default();
    match event.detail_type.as_str() {
        "AllowListChanged" => format!("allow-list-changed.{}", text("update_token")),
        "DriftFound" => format!("drift-found.{}", text("update_token")),
        _ => text("event_id").to_owned(),
    }
}

/// A transition tells of itself, once, with the id of its version.
fn is_told_as_it_was(transition: &egress::ledger::Transition) -> Option<String> {
    let (request, history) = (&transition.request, &transition.history);
    let own = format!("{}.{}", request.id, request.version);
    let event = transition.outbox.iter().find(|entry| entry.id == own).map(|entry| &entry.event);
    let Some(event) = event else { return Some(format!("{own} tells nobody of itself")) };
    let field = |name: &str| event.detail.get(name).cloned().unwrap_or_default();
    let same = field("event_id") == own.as_str()
        && serde_json::to_value(request).is_ok_and(|request| field("request") == request)
        && (event.detail_type != "RequestStateChanged"
            || (field("to") == history.to.to_string().as_str() && field("by") == history.by.as_str()));
    (!same).then(|| format!("{own} is told otherwise than it was"))
}
