//! Buttons: to decide, or to take it back, as long as a request waits; and to ask for what there is to ask for.

use egress::events::TrafficBlocked;
use egress::request::{Ending, Request, StateName};
use egress::slack::{APPROVE, Ask, COMMENT, DENY, REQUEST, WITHDRAW};
use serde_json::{Value, json};

use super::blocks::{actions, button, confirm, input};
use crate::message::blocked::asked;
use crate::message::request::again;
use crate::notice::Notice;
use crate::render::Reader;

/// The buttons under a message, and the field for a comment above them.
pub(super) fn buttons(notice: &Notice, reader: Reader) -> Vec<Value> {
    match (notice, reader) {
        (Notice::RequestStateChanged(it), Reader::Channel) if it.to == StateName::Pending => {
            decide(&it.request)
        }
        (Notice::RequestStateChanged(it), Reader::Requester) => own(it.to, &it.request),
        (Notice::DecisionAwaited(it), Reader::Channel) => decide(&it.request),
        (Notice::TrafficBlocked(it), _) => ask_for(it),
        _ => Vec::new(),
    }
}

fn decide(request: &Request) -> Vec<Value> {
    let id = request.id.as_str();
    // The same block's id would keep what somebody wrote before the message was edited.
    let block_id = format!("{COMMENT}.{}", request.version);
    let yes = button(APPROVE, "Approve", id, json!({"style": "primary"}));
    let no = button(DENY, "Deny", id, json!({"style": "danger"}));
    vec![input(&block_id, COMMENT, "Comment", "Why, if there is something to say"), actions(&[yes, no])]
}

/// What who asked can do.
fn own(state: StateName, request: &Request) -> Vec<Value> {
    let ask_again = |text| again(request).and_then(|ask| asking(text, &ask));
    let button = match state {
        StateName::Pending => {
            let sure = confirm("Take it back?", "Nobody has to decide about it then.", "Take it back");
            Some(button(WITHDRAW, "Withdraw", request.id.as_str(), json!({"confirm": sure})))
        }
        StateName::Refused if !request.refused_domains.is_empty() => ask_again("Ask for the others"),
        StateName::Refused if request.break_glass.is_some() => ask_again("Ask again"),
        StateName::Denied | StateName::Lapsed => ask_again("Ask again"),
        StateName::Ended if request.ending != Some(Ending::Superseded) => ask_again("Ask again"),
        _ => None,
    };
    button.map(|button| actions(&[button])).into_iter().collect()
}

fn ask_for(blocked: &TrafficBlocked) -> Vec<Value> {
    let suggestion = blocked.suggestion.as_ref().map(asked);
    let button = suggestion.and_then(|ask| {
        asking(if ask.preset.is_some() { "Request this preset" } else { "Request this domain" }, &ask)
    });
    button.map(|button| actions(&[button])).into_iter().collect()
}

/// Opens the dialog, filled in; nothing where there is more to fill in than a button holds.
fn asking(text: &str, ask: &Ask) -> Option<Value> {
    // A long reason is better written once more than no button had.
    let short = || Ask { because: None, ..ask.clone() }.value();
    Some(button(REQUEST, text, &ask.value().or_else(short)?, json!({"style": "primary"})))
}
