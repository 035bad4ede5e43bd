//! What became of the firewall's rules.

use egress::events::{AllowListChanged, DriftFound};

use super::{Letter, Message, some_of};
use crate::plain;

/// Domains of each kind that are listed: requests of 20 domains fit.
const MOST_DOMAINS: usize = 40;

pub(super) fn changed(changed: &AllowListChanged) -> Message {
    let (added, removed) = (changed.added.len(), changed.removed.len());
    let counts = format!("{added} added, {removed} removed");
    let letter = Letter::new(format!("The firewall has new rules for granted domains: {counts}."))
        .facts("Added", some_of(&changed.added, MOST_DOMAINS))
        .facts("Removed", some_of(&changed.removed, MOST_DOMAINS));
    Message {
        subject: plain::subject(&format!("Allow list changed: {counts}")),
        body: letter.text(),
        event_id: plain::name(&format!("allow-list-changed.{}", changed.update_token)),
        detail_type: "AllowListChanged",
    }
}

pub(super) fn drift(found: &DriftFound) -> Message {
    let letter = Letter::new(
        "Somebody changed the firewall's rules for granted domains by hand. They have been put right."
            .to_owned(),
    )
    .facts("Found", plain::lines(&found.found))
    .next("Find out who it was: CloudTrail has the calls of UpdateRuleGroup.")
    .next("What should be open is asked for, not written into that rule group: it is always put right.");
    Message {
        subject: "Changed by hand and put right: the firewall's granted domains".to_owned(),
        body: letter.text(),
        event_id: plain::name(&format!("drift-found.{}", found.update_token)),
        detail_type: "DriftFound",
    }
}
