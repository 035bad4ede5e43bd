//! Live grants as the content of rule groups, and that content read back.
//!
//! Nothing from outside reaches a rule but as a checked pattern, a request's id, or a number.
//!
//! There may be several rule groups, each of one of two shapes: Suricata text, all of it ours, or a domain
//! list that others use too. They are filled in their order, and what is placed is not moved: a pattern that
//! stands and is granted keeps its place, a new one gets one in the first group that has room. What a grant
//! needs beside what stands is placed whole or not at all; who was approved first is placed first, but for what
//! stood already and was taken out by hand, and who can't be placed holds nobody up.

mod drift;
mod list;
mod placing;
mod shelf;
mod suricata;

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::DomainPattern;
use crate::firewall::{Content, RuleGroup};
use crate::ledger::OwnTargets;
use crate::request::{LiveGrant, RequestId};

pub use drift::Drift;
pub use list::INERT as INERT_TARGET;
pub use suricata::{LONGEST_RULES, no_grants};

use shelf::Shelf;
use suricata::{ReadBack, Spellings};

/// What is to be open: each pattern once.
type Open = BTreeMap<DomainPattern, OpenFor>;

/// What has its place in one rule group, of all that is to be open.
type Put<'a> = BTreeMap<&'a DomainPattern, &'a OpenFor>;

/// What a pattern is open for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct OpenFor {
    /// The requests.
    requests: BTreeSet<RequestId>,
    /// Whether one of them is active, so that the pattern is known to have stood in a rule group.
    active: bool,
}

/// What a rule group doesn't take of what is new, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// These grants.
    Grants(BTreeMap<RequestId, String>),
    /// Whatever it is.
    Everything(String),
}

impl Refusal {
    /// Why it doesn't take a grant.
    fn of(&self, grant: &RequestId) -> Option<&str> {
        match self {
            Self::Grants(grants) => grants.get(grant).map(String::as_str),
            Self::Everything(reason) => Some(reason),
        }
    }
}

/// What reconcile has to do about all rule groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Each group, in their order.
    pub groups: Vec<GroupPlan>,
    /// The grants that can't stand whole, and why, with what to do. The rest is not held up by them.
    pub unplaced: BTreeMap<RequestId, String>,
    /// How many units of capacity are left for whole patterns, once all that is placed stands.
    pub units_left: u64,
}

/// What reconcile has to do about one rule group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupPlan {
    /// The whole content that it should have.
    pub content: Content,
    /// The patterns that are not in it yet.
    pub added: Vec<String>,
    /// The patterns that are still in it.
    pub removed: Vec<String>,
    /// What somebody changed by hand.
    pub drift: Option<Drift>,
    /// In a shared domain list, the entries that are ours after it.
    pub own_targets: BTreeSet<String>,
}

/// From what the rule groups hold and what should be open to the whole content that they should have.
/// `own` are, by ARN, the entries of shared domain lists that were put there by us. `refused` is, by ARN, what
/// groups don't take.
pub fn plan(
    groups: &[RuleGroup],
    live: &[LiveGrant],
    own: &BTreeMap<String, OwnTargets>,
    refused: &BTreeMap<String, Refusal>,
) -> Plan {
    let open = open(live);
    let spellings = suricata::spellings(&open);
    let mut shelves: Vec<Shelf<'_>> = groups
        .iter()
        .map(|group| {
            let own = own.get(&group.arn).map(|own| &own.targets);
            Shelf::new(group, own, refused.get(&group.arn), &spellings)
        })
        .collect();
    let gone = placing::put_what_stands(&mut shelves, &open);
    let unplaced = placing::place_the_rest(&mut shelves, live, &open);
    let (_, units_left) = placing::units(0, &shelves);
    let groups = shelves.into_iter().map(|shelf| shelf.plan(&open, &gone)).collect();
    Plan { groups, unplaced, units_left }
}

/// How many units of capacity a request for these patterns would take anew, and how many are left once all
/// that is granted has its place. An estimate: what others have in a domain list isn't told from what is ours.
pub fn room(groups: &[RuleGroup], live: &[LiveGrant], domains: &[DomainPattern]) -> (u64, u64) {
    let open = open(live);
    let mut spellings = suricata::spellings(&open);
    spellings.extend(domains.iter().map(|pattern| (pattern.to_string(), pattern)));
    let mut shelves: Vec<Shelf<'_>> =
        groups.iter().map(|group| Shelf::new(group, None, None, &spellings)).collect();
    placing::put_what_stands(&mut shelves, &open);
    placing::place_the_rest(&mut shelves, live, &open);
    let mut new: BTreeSet<&DomainPattern> = domains.iter().collect();
    new.retain(|pattern| {
        !shelves.iter().any(|shelf| shelf.has_put(pattern) || shelf.has_for_nothing(pattern))
    });
    placing::units(new.len(), &shelves)
}

/// The patterns that stand in a rule group, whose ever they are. An entry of a domain list that isn't spelled
/// as a pattern is none: in upper case it matches the names of HTTP hosts never.
pub fn standing(current: &Content) -> BTreeSet<DomainPattern> {
    match current {
        Content::Rules(text) => ReadBack::of(text, &Spellings::new()).sids.into_keys().collect(),
        Content::DomainList(targets) => targets.iter().filter_map(|target| list::pattern(target)).collect(),
    }
}

/// The patterns of all live grants.
fn open(grants: &[LiveGrant]) -> Open {
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
