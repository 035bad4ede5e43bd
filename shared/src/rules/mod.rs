//! Live grants as the content of a rule group, and that content read back.
//!
//! Nothing from outside reaches a rule but as a checked pattern, a request's id, or a number.

mod list;
mod suricata;

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::DomainPattern;
use crate::firewall::Content;
use crate::request::{LiveGrant, RequestId};

pub use suricata::{ReadBack, no_grants};

/// What is to be open: each pattern once.
pub type Open = BTreeMap<DomainPattern, OpenFor>;

/// What a pattern is open for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OpenFor {
    /// The requests.
    pub requests: BTreeSet<RequestId>,
    /// Whether one of them is active, so that the pattern is known to have stood in the rule group.
    pub active: bool,
}

/// What reconcile has to do about a rule group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The whole content that the rule group should have.
    pub content: Content,
    /// The patterns that are not in it yet.
    pub added: Vec<String>,
    /// The patterns that are still in it.
    pub removed: Vec<String>,
    /// What somebody changed by hand, in a sentence.
    pub drift: Option<String>,
    /// In a shared domain list, the entries that are ours after it.
    pub own_targets: BTreeSet<String>,
    /// What can't stand in the rule group as it is, and why. The rest is not held up by it.
    pub unplaced: BTreeMap<DomainPattern, String>,
}

/// The patterns of all live grants.
pub fn open(grants: &[LiveGrant]) -> Open {
    let mut open = Open::new();
    for grant in grants {
        for pattern in &grant.domains {
            let open_for: &mut OpenFor = open.entry(pattern.clone()).or_default();
            open_for.requests.insert(grant.request_id.clone());
            open_for.active |= grant.active;
        }
    }
    open
}

/// The patterns that stand in a rule group, whose ever they are.
pub fn standing(current: &Content) -> BTreeSet<DomainPattern> {
    match current {
        Content::Rules(text) => ReadBack::of(text).sids.into_keys().collect(),
        Content::DomainList(targets) => {
            targets.iter().filter_map(|target| DomainPattern::read(target).ok()).collect()
        }
    }
}

/// From what the rule group holds and what should be open to the whole content that it should have.
/// `own_targets` are the entries of a shared domain list that were put there by us; without a list they
/// mean nothing.
pub fn plan(current: &Content, open: &Open, own_targets: &BTreeSet<String>) -> Plan {
    match current {
        Content::Rules(text) => suricata::plan(text, open),
        Content::DomainList(targets) => list::plan(targets, open, own_targets),
    }
}
