//! What is told: of blocked connections, with what would let them pass; and of a grant's first use.

use std::collections::BTreeMap;

use egress::config::Config;
use egress::events::{Finding, GrantUsed, Severity, TrafficBlocked, VERSION};
use egress::request::Request;
use sha2::{Digest, Sha256};

use crate::advice::{Advice, advice};
use crate::groups::Group;
use crate::plan::Owing;
use crate::uses::Use;

/// The most alerts about one owner that come of a batch; more are one, which names others.
const MOST_ALERTS: usize = 20;
/// The most other destinations that an alert names.
const MOST_OTHERS: usize = 20;

/// A group of a batch that has to be told.
#[derive(Debug, Clone)]
pub struct Owed<'a> {
    /// The group.
    pub group: &'a Group<'a>,
    /// What the batch has to tell of it.
    pub owing: Owing,
    /// What raises its severity.
    pub findings: Vec<Finding>,
    /// Whether nobody was blocked there before.
    pub is_new: bool,
}

/// The events about what a batch owes: one for each group, and one for all of an owner who has very many.
pub fn alerts(owed: Vec<Owed<'_>>, requests: &[Request], config: &Config) -> Vec<TrafficBlocked> {
    let mut by_owner: BTreeMap<(&str, i64), Vec<Owed<'_>>> = BTreeMap::new();
    for one in owed {
        let key = (&*one.group.key.owner, one.group.key.start.as_second());
        by_owner.entry(key).or_default().push(one);
    }
    let mut events = Vec::new();
    for owed in by_owner.into_values() {
        if owed.len() > MOST_ALERTS {
            events.extend(together(&owed, requests, config));
        } else {
            events.extend(owed.iter().map(|one| traffic_blocked(one, requests, config)));
        }
    }
    events.sort_by(|a, b| (a.first_seen, &a.event_id).cmp(&(b.first_seen, &b.event_id)));
    events
}

/// The event about one group.
fn traffic_blocked(owed: &Owed<'_>, requests: &[Request], config: &Config) -> TrafficBlocked {
    let Owed { group, owing, findings, is_new } = owed;
    let (first, counts) = (&group.first, &group.counts);
    let Advice { suggestion, notes } = advice(first, counts.first_seen, requests, config);
    let others = counts.hosts.iter().map(|host| &host.host).filter(|host| ***host != *first.destination);
    TrafficBlocked {
        version: VERSION,
        event_id: event_id(group, if owing.tells { "" } else { "raised" }),
        owner: group.owner.clone(),
        domain: group.key.domain.to_string(),
        destination: first.destination.to_string(),
        others: others.take(MOST_OTHERS).cloned().collect(),
        destination_count: counts.host_count,
        source: first.source.to_string(),
        protocol: first.protocol.to_string(),
        port: first.port,
        count: counts.connections,
        first_seen: counts.first_seen,
        last_seen: counts.last_seen,
        window_seconds: config.alerts.window.as_secs(),
        repeat_seconds: config.alerts.repeat.as_secs(),
        firewall: first.firewall.to_string(),
        availability_zone: first.availability_zone.to_string(),
        signature: first.signature.to_string(),
        is_new: *is_new,
        severity: severity(findings),
        findings: findings.clone(),
        suggestion,
        notes,
    }
}

/// One event about an owner's groups, of which there are very many.
fn together(owed: &[Owed<'_>], requests: &[Request], config: &Config) -> Option<TrafficBlocked> {
    let (first, rest) = owed.split_first()?;
    let mut findings = first.findings.clone();
    for finding in rest.iter().flat_map(|one| &one.findings) {
        if findings.iter().all(|known| known.rule != finding.rule) {
            findings.push(finding.clone());
        }
    }
    let mut event = traffic_blocked(&Owed { findings, ..first.clone() }, requests, config);
    // What a batch has told so, another may tell again as raised.
    event.event_id = event_id(first.group, if first.owing.tells { "together" } else { "raised together" });
    for Owed { group, is_new, .. } in rest {
        event.count = event.count.saturating_add(group.counts.connections);
        event.destination_count = event.destination_count.saturating_add(group.counts.host_count);
        event.last_seen = event.last_seen.max(group.counts.last_seen);
        event.is_new |= is_new;
        event.others.push(group.first.destination.to_string());
    }
    event.others.truncate(MOST_OTHERS);
    (event.suggestion, event.notes) = (None, vec![
        "So many are told together: ask why with each that is needed, and find out what on that machine asks for the others.".to_owned(),
    ]);
    Some(event)
}

/// How much it matters.
pub fn severity(findings: &[Finding]) -> Severity {
    if findings.is_empty() { Severity::Normal } else { Severity::Raised }
}

/// The event about a grant's first use. Its id is the same for every delivery.
pub fn grant_used(used: &Use) -> GrantUsed {
    GrantUsed {
        version: VERSION,
        event_id: format!("first-use:{}", used.grant),
        request_id: used.grant.clone(),
        at: used.first.at,
        host: used.first.host.clone(),
        source: used.first.source.to_string(),
    }
}

/// The same for every delivery: of owner, domain and window.
fn event_id(group: &Group<'_>, kind: &str) -> String {
    let key = &group.key;
    stable_id("blocked", &[&key.owner, &key.domain, &key.start.to_string(), kind])
}

/// An id that is the same whenever its parts are.
pub fn stable_id(what: &str, parts: &[&str]) -> String {
    let digest = hex::encode(Sha256::digest(parts.join("\n").as_bytes()));
    format!("{what}-{}", digest.get(..24).unwrap_or(&digest))
}
