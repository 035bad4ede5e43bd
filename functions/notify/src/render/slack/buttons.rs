//! Buttons: to decide, or to take it back, as long as a request waits; to ask for what there is to ask for; and to let
//! alerts rest.

use egress::events::TrafficBlocked;
use egress::request::{Ending, Request, StateName};
use egress::slack::{APPROVE, AlertGroup, Ask, COMMENT, DENY, REQUEST, SILENCE, WITHDRAW};
use serde_json::{Value, json};

use super::blocks::{actions, button, confirm, input};
use crate::message::blocked::{asked, group};
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
        (Notice::TrafficBlocked(it), _) => under_an_alert(it),
        (Notice::BlockedDigest(it), _) => {
            row([group(&it.owner, it.sources.first(), &it.domain).and_then(|group| silence(&group))])
        }
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
    row([button])
}

/// Those of them that there are, side by side.
fn row<const N: usize>(buttons: [Option<Value>; N]) -> Vec<Value> {
    let buttons: Vec<Value> = buttons.into_iter().flatten().collect();
    if buttons.is_empty() { Vec::new() } else { vec![actions(&buttons)] }
}

fn under_an_alert(blocked: &TrafficBlocked) -> Vec<Value> {
    let suggestion = blocked.suggestion.as_ref().map(asked);
    let ask = suggestion.and_then(|ask| {
        asking(if ask.preset.is_some() { "Request this preset" } else { "Request this domain" }, &ask)
    });
    let group = group(&blocked.owner, Some(&blocked.source), &blocked.domain);
    row([ask, group.and_then(|group| silence(&group))])
}

/// Lets alerts rest, when who presses it is sure.
fn silence(group: &AlertGroup) -> Option<Value> {
    let sure = confirm(
        "Silence these alerts?",
        "Nobody hears for a day of what this owner is blocked at of this domain. It stays blocked, and is counted.",
        "Silence",
    );
    Some(button(SILENCE, "Silence for a day", &group.value()?, json!({"confirm": sure})))
}

/// Opens the dialog, filled in; nothing where there is more to fill in than a button holds.
fn asking(text: &str, ask: &Ask) -> Option<Value> {
    // A long reason is better written once more than no button had.
    let short = || Ask { because: None, ..ask.clone() }.value();
    Some(button(REQUEST, text, &ask.value().or_else(short)?, json!({"style": "primary"})))
}
