//! What else there is to hear of a grant: it needed nobody's yes, it has no room, it is used.

use egress::events::{GlassBroken, GrantFirstUsed, GrantWaits};

use super::about::{self, asker, short, until};
use super::act::Act;
use super::letter::Letter;
use super::{minute, second};
use crate::plain;

pub(super) fn glass_broken(broken: &GlassBroken) -> Letter {
    let request = &broken.request;
    let (what, asker) = (short(request), asker(request));
    let letter = Letter::new(
        about::subject(&format!("GLASS BROKEN by {asker}"), request),
        format!(
            "{asker} broke the glass: {what} is being opened without anybody's yes{}. Look at it now.",
            until(request)
        ),
    );
    let otherwise =
        "If it is right, nothing: it ends by itself. If it is not, an approver ends it at once with";
    about::risk(about::asked(letter, request), request)
        .fact_if("Ends", request.ends_at.map(minute))
        .fact("Broken", second(broken.at))
        .facts("Approvers", about::people(&broken.approvers))
        .fact("Request", request.id.to_string())
        .act(otherwise, Act::Revoke(request.id.clone()))
}

pub(super) fn waits(waits: &GrantWaits) -> Letter {
    let request = &waits.request;
    let (what, asker) = (short(request), asker(request));
    let sentence = if waits.stood {
        format!(
            "The grant of {what} to {asker} doesn't fit into the firewall any more: it was open, and is not now, at least in part."
        )
    } else {
        format!(
            "The grant of {what} to {asker} doesn't fit into the firewall: it is approved, and stays blocked."
        )
    };
    let letter = Letter::new(format!("No room: {what} ({})", request.id), sentence);
    about::asked(letter, request)
        .facts("Missing", plain::lines(&waits.reason))
        .fact_if("Ends", request.ends_at.map(minute))
        .fact("Request", request.id.to_string())
        .next("An operator makes room, as it says under Missing. It is opened within a minute of that, and another message says so.")
        .next("Until then its time runs all the same.")
}

pub(super) fn first_used(used: &GrantFirstUsed) -> Letter {
    let request = &used.request;
    let (what, asker) = (short(request), asker(request));
    let (host, source) = (plain::name(&used.host), plain::name(&used.source));
    let letter = Letter::new(
        format!("First use: {what} ({})", request.id),
        format!("It works: the firewall let {source} through to {host}, by the grant of {what} to {asker}."),
    )
    .fact("Used", second(used.at))
    .fact("Host", host)
    .fact("Source", source);
    let otherwise = "Nothing, if that was meant. If it was not, who asked or an approver ends it with";
    about::domains(letter, request)
        .fact_if("Ends", request.ends_at.map(minute))
        .fact("Request", request.id.to_string())
        .act(otherwise, Act::Revoke(request.id.clone()))
}
