//! One rule group while its content is planned: what stands in it, what gets a place in it, and its room.

use std::collections::{BTreeMap, BTreeSet};

use super::list::{self, Entries};
use super::suricata::{self, LONGEST_RULES, ReadBack, Spellings, UNITS_OF_A_PATTERN};
use super::{GroupPlan, Open, OpenFor, Put, Refusal};
use crate::domain::DomainPattern;
use crate::firewall::{Content, RuleGroup};
use crate::request::RequestId;

/// One rule group.
pub(super) struct Shelf<'a> {
    group: &'a RuleGroup,
    /// What it doesn't take of what is new.
    refusal: Option<&'a Refusal>,
    shape: Shape<'a>,
    /// What has a place here.
    put: Put<'a>,
    /// How many units of capacity that takes, with what others have here.
    units: u64,
}

enum Shape<'a> {
    Rules {
        text: &'a str,
        before: ReadBack,
        /// How many bytes of rules what has a place here takes, at most.
        most_bytes: usize,
        /// The same with one request named for each pattern, as it is written when there are too many.
        fewest_bytes: usize,
    },
    List {
        targets: &'a BTreeSet<String>,
        own: Option<&'a BTreeSet<String>>,
        theirs: Entries<'a>,
        ours: Entries<'a>,
        /// The names of what has a place here, each with how many patterns have it: with and without a dot.
        names: BTreeMap<&'a str, u32>,
    },
}

impl<'a> Shelf<'a> {
    /// `own` are our entries of a shared list.
    pub(super) fn new(
        group: &'a RuleGroup,
        own: Option<&'a BTreeSet<String>>,
        refusal: Option<&'a Refusal>,
        spellings: &Spellings<'_>,
    ) -> Self {
        let (shape, units) = match &group.content {
            Content::Rules(text) => {
                let before = ReadBack::of(text, spellings);
                let (most_bytes, fewest_bytes) = (suricata::HEADER, suricata::HEADER);
                (Shape::Rules { text, before, most_bytes, fewest_bytes }, 0)
            }
            Content::DomainList(targets) => {
                let (ours, theirs) = list::sorted(targets, own);
                // All that AWS counts, but what goes if nothing is placed.
                let going = units_of_a_target(group) * u64::try_from(ours.len()).unwrap_or(u64::MAX);
                let units = group.consumed.saturating_sub(going);
                (Shape::List { targets, own, theirs, ours, names: BTreeMap::new() }, units)
            }
        };
        Self { group, refusal, shape, put: Put::new(), units }
    }

    /// Whether the pattern stands here.
    pub(super) fn has(&self, pattern: &DomainPattern) -> bool {
        match &self.shape {
            Shape::Rules { before, .. } => before.sids.contains_key(pattern),
            Shape::List { .. } => self.entry(pattern) == Some(pattern),
        }
    }

    /// Whether the pattern passes here as the wider of two that differ by their dot: in a list only one can stand.
    pub(super) fn has_wider(&self, pattern: &DomainPattern) -> bool {
        self.entry(pattern).is_some_and(|entry| entry != pattern && entry.covers(pattern))
    }

    /// The entry of a list that has the pattern's name.
    fn entry(&self, pattern: &DomainPattern) -> Option<&DomainPattern> {
        match &self.shape {
            Shape::Rules { .. } => None,
            Shape::List { theirs, ours, .. } => {
                theirs.get(pattern.name()).or_else(|| ours.get(pattern.name()))
            }
        }
    }

    /// Whether there is room for a pattern that stands here, as we would write it.
    pub(super) fn can_keep(&self, pattern: &DomainPattern) -> bool {
        let in_bytes = match &self.shape {
            Shape::Rules { fewest_bytes, .. } => {
                fewest_bytes + suricata::most_bytes(pattern, 1) <= LONGEST_RULES
            }
            Shape::List { .. } => true,
        };
        in_bytes && self.units_anew(pattern) <= self.units_left()
    }

    /// Whether there is room for a pattern of a grant that doesn't stand here.
    pub(super) fn has_room_for(
        &self,
        grant: &RequestId,
        pattern: &DomainPattern,
        open_for: &OpenFor,
    ) -> bool {
        let in_bytes = match &self.shape {
            Shape::Rules { most_bytes, .. } => {
                most_bytes + suricata::most_bytes(pattern, open_for.requests.len()) <= LONGEST_RULES
            }
            Shape::List { .. } => true,
        };
        self.refuses(grant).is_none()
            && in_bytes
            && self.stands_in_its_way(pattern).is_none()
            && self.units_anew(pattern) <= self.units_left()
    }

    /// What others have in a list beside which the pattern can't stand.
    pub(super) fn stands_in_its_way(&self, pattern: &DomainPattern) -> Option<&DomainPattern> {
        match &self.shape {
            Shape::Rules { .. } => None,
            Shape::List { theirs, .. } => theirs.get(pattern.name()).filter(|other| !other.covers(pattern)),
        }
    }

    /// Whether it takes no room to let the pattern pass here.
    pub(super) fn has_for_nothing(&self, pattern: &DomainPattern) -> bool {
        self.units_anew(pattern) == 0 && self.stands_in_its_way(pattern).is_none()
    }

    /// Why it doesn't take a grant that is new.
    pub(super) fn refuses(&self, grant: &RequestId) -> Option<&'a str> {
        self.refusal.and_then(|refusal| refusal.of(grant))
    }

    /// Whether the pattern has a place here.
    pub(super) fn has_put(&self, pattern: &DomainPattern) -> bool {
        self.put.contains_key(pattern)
    }

    /// Gives the pattern a place.
    pub(super) fn put(&mut self, pattern: &'a DomainPattern, open_for: &'a OpenFor) {
        self.units += self.units_anew(pattern);
        match &mut self.shape {
            Shape::Rules { most_bytes, fewest_bytes, .. } => {
                *most_bytes += suricata::most_bytes(pattern, open_for.requests.len());
                *fewest_bytes += suricata::most_bytes(pattern, 1);
            }
            Shape::List { names, .. } => *names.entry(pattern.name()).or_default() += 1,
        }
        self.put.insert(pattern, open_for);
    }

    /// Takes back what [`Shelf::put`] did for this pattern, if anything.
    pub(super) fn take_away(&mut self, pattern: &DomainPattern) {
        let Some(open_for) = self.put.remove(pattern) else { return };
        match &mut self.shape {
            Shape::Rules { most_bytes, fewest_bytes, .. } => {
                *most_bytes -= suricata::most_bytes(pattern, open_for.requests.len());
                *fewest_bytes -= suricata::most_bytes(pattern, 1);
            }
            Shape::List { names, .. } => {
                if let Some(count) = names.get_mut(pattern.name()) {
                    *count -= 1;
                }
            }
        }
        self.units -= self.units_anew(pattern);
    }

    /// How many units of capacity nothing takes.
    pub(super) fn units_left(&self) -> u64 {
        self.group.capacity.saturating_sub(self.units)
    }

    /// What one more pattern takes; at least one unit.
    pub(super) fn units_of_a_pattern(&self) -> u64 {
        match self.shape {
            Shape::Rules { .. } => UNITS_OF_A_PATTERN,
            Shape::List { .. } => units_of_a_target(self.group),
        }
    }

    /// What this pattern would take beside what has a place here.
    fn units_anew(&self, pattern: &DomainPattern) -> u64 {
        match &self.shape {
            Shape::List { theirs, names, .. }
                if theirs.contains_key(pattern.name())
                    || names.get(pattern.name()).is_some_and(|count| *count > 0) =>
            {
                0
            }
            _ => self.units_of_a_pattern(),
        }
    }

    /// The whole content. `granted` is all that is granted, wherever it has its place, and `gone` what of it
    /// stood once and stands nowhere now.
    pub(super) fn plan(self, granted: &Open, gone: &BTreeSet<&DomainPattern>) -> GroupPlan {
        match self.shape {
            Shape::Rules { text, before, .. } => suricata::plan(text, &before, &self.put, granted, gone),
            Shape::List { targets, own, theirs, .. } => list::plan(targets, own, &theirs, &self.put, gone),
        }
    }
}

/// What one more entry of a domain list takes: one unit for each type that is compared (AWS's best practices
/// for Network Firewall, <https://github.com/aws/aws-security-services-best-practices>).
fn units_of_a_target(group: &RuleGroup) -> u64 {
    u64::try_from(group.settings.target_types.len().max(1)).unwrap_or(u64::MAX)
}
