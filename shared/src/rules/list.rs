//! Grants as entries of a domain list that others use too: ours come and go, theirs are left alone.
//!
//! Network Firewall takes `.example.com` and `example.com` for duplicates and refuses the whole list, so
//! of the two only the wider stands in it. Where others have the narrower one, ours can't be placed.

use std::collections::{BTreeMap, BTreeSet};

use super::drift::Drift;
use super::{GroupPlan, Put};
use crate::domain::DomainPattern;
use crate::firewall::Content;

/// What keeps a list from being empty, which Network Firewall is not known to take: a name that nobody can
/// have (RFC 6761, 6.4).
pub const INERT: &str = "nothing-is-granted.invalid";

/// Entries of a list that are patterns, by the name without its dot.
pub(super) type Entries<'a> = BTreeMap<&'a str, DomainPattern>;

/// An entry as the pattern that it is; none where it isn't spelled as one. `Example.com` is another entry than
/// `example.com` for Network Firewall, and lets no HTTP pass, whose hosts Suricata compares in lower case.
pub(super) fn pattern(target: &str) -> Option<DomainPattern> {
    DomainPattern::read(target).ok().filter(|pattern| pattern.to_string() == target)
}

/// Our entries, and those of others. What stands there and was not put there by us belongs to others, also where
/// it says what a grant says: it stays when the grant ends.
pub(super) fn sorted<'a>(
    current: &'a BTreeSet<String>,
    own: Option<&BTreeSet<String>>,
) -> (Entries<'a>, Entries<'a>) {
    let is_own = |target: &String| own.is_some_and(|own| own.contains(target));
    let (ours, theirs): (Vec<_>, Vec<_>) = current.iter().partition(|target| is_own(target));
    let entries = |targets: Vec<&'a String>| {
        let entry = |target: &'a String| Some((target.strip_prefix('.').unwrap_or(target), pattern(target)?));
        targets.into_iter().filter_map(entry).collect()
    };
    (entries(ours), entries(theirs))
}

/// The whole content for what has its place here. `gone` are the patterns that stood once and stand nowhere.
pub(super) fn plan(
    current: &BTreeSet<String>,
    own: Option<&BTreeSet<String>>,
    theirs: &Entries<'_>,
    put: &Put<'_>,
    gone: &BTreeSet<&DomainPattern>,
) -> GroupPlan {
    let is_own = |target: &String| own.is_some_and(|own| own.contains(target));
    let others: BTreeSet<String> = current.iter().filter(|target| !is_own(target)).cloned().collect();
    let mut wanted = wanted(put, theirs);
    if wanted.is_empty() && others.is_empty() {
        wanted.insert(INERT.to_owned());
    }
    let after: BTreeSet<String> = others.union(&wanted).cloned().collect();
    // An entry of ours that no active grant needs may be on its way in: claimed, and not yet written.
    let missing: Vec<String> = gone.iter().map(ToString::to_string).filter(is_own).collect();
    GroupPlan {
        added: after.difference(current).cloned().collect(),
        removed: current.difference(&after).cloned().collect(),
        drift: (!missing.is_empty()).then(|| Drift::of_list(missing)),
        content: Content::DomainList(after),
        own_targets: wanted,
    }
}

/// The entries that are needed beside what others have: of two that differ by their dot, the wider.
fn wanted(put: &Put<'_>, theirs: &Entries<'_>) -> BTreeSet<String> {
    let mut wanted: BTreeMap<&str, &DomainPattern> = BTreeMap::new();
    for &pattern in put.keys() {
        if theirs.contains_key(pattern.name()) {
            continue;
        }
        let kept = wanted.entry(pattern.name()).or_insert(pattern);
        if pattern.covers(kept) {
            *kept = pattern;
        }
    }
    wanted.into_values().map(ToString::to_string).collect()
}
