//! Grants as entries of a domain list that others use too: ours come and go, theirs are left alone.
//!
//! Network Firewall takes `.example.com` and `example.com` for duplicates and refuses the whole list, so
//! of the two only the wider stands in it. Where others have the narrower one, ours can't be placed.

use std::collections::{BTreeMap, BTreeSet};

use super::{Open, Plan};
use crate::domain::DomainPattern;
use crate::firewall::Content;

/// What keeps a list from being empty, which Network Firewall is not known to take: a name that nobody can
/// have (RFC 6761, 6.4).
const INERT: &str = "nothing-is-granted.invalid";

pub(super) fn plan(current: &BTreeSet<String>, open: &Open, own: &BTreeSet<String>) -> Plan {
    // What stands there and was not put there by us belongs to others, also where it says what a grant
    // says: it stays when the grant ends.
    let others: BTreeSet<String> = current.difference(own).cloned().collect();
    let (mut wanted, unplaced) = place(open, &others);
    if wanted.is_empty() && others.is_empty() {
        wanted.insert(INERT.to_owned());
    }
    let after: BTreeSet<String> = others.union(&wanted).cloned().collect();
    // An entry of ours that no active grant needs may be on its way in: claimed, and not yet written.
    let missing: Vec<String> = open
        .iter()
        .filter(|(_, open_for)| open_for.active)
        .map(|(pattern, _)| pattern.to_string())
        .filter(|target| wanted.contains(target) && own.contains(target) && !current.contains(target))
        .collect();
    Plan {
        added: after.difference(current).cloned().collect(),
        removed: current.difference(&after).cloned().collect(),
        drift: (!missing.is_empty())
            .then(|| format!("entries of ours were missing from the list: {}", missing.join(", "))),
        content: Content::DomainList(after),
        own_targets: wanted,
        unplaced,
    }
}

/// The entries that are needed beside what others have, and what can't stand beside it.
fn place(open: &Open, others: &BTreeSet<String>) -> (BTreeSet<String>, BTreeMap<DomainPattern, String>) {
    let theirs: BTreeMap<String, DomainPattern> = others
        .iter()
        .filter_map(|target| DomainPattern::read(target).ok())
        .map(|pattern| (pattern.name().to_owned(), pattern))
        .collect();
    let mut wanted: BTreeMap<&str, &DomainPattern> = BTreeMap::new();
    let mut unplaced = BTreeMap::new();
    for pattern in open.keys() {
        match theirs.get(pattern.name()) {
            Some(other) if other.covers(pattern) => {}
            Some(other) => {
                let reason = format!(
                    "{pattern} can't stand in the domain list beside {other}, which others have put there: change that entry to {pattern}"
                );
                unplaced.insert(pattern.clone(), reason);
            }
            None => {
                let kept = wanted.entry(pattern.name()).or_insert(pattern);
                if pattern.covers(kept) {
                    *kept = pattern;
                }
            }
        }
    }
    (wanted.into_values().map(ToString::to_string).collect(), unplaced)
}
