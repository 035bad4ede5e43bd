//! What became of the firewall's rules.

use egress::events::{AllowListChanged, DriftFound};

use super::letter::Letter;
use super::{second, some_of};
use crate::plain;

/// Domains of each kind that are listed: requests of 20 domains fit.
const MOST_DOMAINS: usize = 40;
/// Foreign lines that are shown: as many as are told.
const MOST_LINES: usize = 10;

pub(super) fn changed(changed: &AllowListChanged) -> Letter {
    let (added, removed) = (changed.added_count, changed.removed_count);
    let counts = format!("{added} added, {removed} removed");
    Letter::new(
        format!("Allow list changed: {counts}"),
        format!("The firewall has new rules for granted domains: {counts}."),
    )
    .facts("Added", some_of(&changed.added, MOST_DOMAINS))
    .facts("Removed", some_of(&changed.removed, MOST_DOMAINS))
    .fact("Rule group", name(&changed.rule_group))
}

pub(super) fn drift(found: &DriftFound) -> Letter {
    let letter = Letter::new(
        "Changed by hand: the firewall's granted domains".to_owned(),
        "Somebody changed the firewall's rules for granted domains by hand. They are put right within a minute."
            .to_owned(),
    );
    letter
        .facts("Found", plain::lines(&found.found))
        .facts("Not granted", some_of(&found.added, MOST_DOMAINS))
        .facts("Missing", some_of(&found.missing, MOST_DOMAINS))
        .facts("Other lines", some_of(&found.lines, MOST_LINES))
        .fact_if("Last changed", found.changed_at.map(second))
        .fact("Rule group", name(&found.rule_group))
        .next("Find out who it was: CloudTrail has the calls of UpdateRuleGroup, with the rule group's name.")
        .next("What should be open is asked for, not written into that rule group: it is always put right.")
}

/// The name of a rule group: the last part of its ARN.
fn name(rule_group: &str) -> String {
    let name = rule_group.rsplit('/').find(|part| !part.is_empty());
    plain::name(name.unwrap_or(rule_group))
}
