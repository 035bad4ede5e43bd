//! What could not be taken: an event, for who operates this and who sent it; and what somebody said, for them.

use egress::events::{CommandNotTaken, EventRefused};

use super::letter::Letter;
use super::second;
use crate::plain;

pub(super) fn refused(refused: &EventRefused) -> Letter {
    let detail_type = match plain::name(&refused.detail_type) {
        text if text.is_empty() => "without a type".to_owned(),
        text => text,
    };
    let from = refused.by.as_deref().map(plain::name);
    let sender = from.as_ref().map_or_else(String::new, |by| format!(", sent for {by},"));
    Letter::new(
        format!("Refused event: {detail_type}: {}", plain::line(&refused.reason)),
        format!("An event {detail_type}{sender} can't be taken as it is. Nothing has come of it."),
    )
    .facts("Why not", plain::lines(&refused.reason))
    .fact_if("Field", refused.field.as_deref().map(plain::name))
    .fact_if("Sent for", from)
    .fact("Refused", second(refused.at))
    .fact("Kept as", plain::name(&refused.event_id.replacen('.', "#", 1)))
    .next("An operator finds it in the ledger under that key, and puts right what sends such events.")
    .next("Who sent it sends anew what was meant: this event isn't tried again.")
}

/// What somebody said could not be taken.
pub(super) fn not_taken(not_taken: &CommandNotTaken) -> Letter {
    let reason = plain::lines(&not_taken.reason);
    Letter::new(
        format!("Not taken: {}", reason.first().map(String::as_str).unwrap_or_default()),
        "That was not taken, and nothing has changed.".to_owned(),
    )
    .facts("Why not", reason)
    .fact("Said by", plain::name(&not_taken.by))
    .fact("Answered", second(not_taken.at))
}
