//! What became of a request, for who asked and who decides.

use egress::domain::DomainPattern;
use egress::events::RequestStateChanged;
use egress::request::{Ending, RefusedDomain, Request, StateName};

use super::{Letter, Message, WEBHOOK, length, minute};
use crate::plain;

/// Domains that are listed: as many as a request may have.
const MOST_DOMAINS: usize = 20;

pub(super) fn message(changed: &RequestStateChanged) -> Message {
    let request = &changed.request;
    let letter = facts(Letter::new(sentence(changed)), changed);
    Message {
        subject: plain::subject(&format!("{}: {} ({})", headline(changed), short(request), request.id)),
        body: next(letter, changed).text(),
        event_id: plain::name(&changed.event_id),
        detail_type: "RequestStateChanged",
    }
}

/// The first words of the subject.
fn headline(changed: &RequestStateChanged) -> &'static str {
    match (changed.to, changed.ending) {
        (StateName::Pending, _) => "To decide",
        (StateName::Approved, _) => "Approved",
        (StateName::Active, _) => "Open",
        (StateName::Ended, Some(Ending::Revoked)) => "Revoked",
        (StateName::Ended, Some(Ending::Superseded)) => "Replaced",
        (StateName::Ended, _) => "Expired",
        (StateName::Denied, _) => "Denied",
        (StateName::Lapsed, _) => "Lapsed",
        (StateName::Withdrawn, _) => "Withdrawn",
        (StateName::Refused, _) => "Refused",
    }
}

/// What happened.
fn sentence(changed: &RequestStateChanged) -> String {
    let what = short(&changed.request);
    let by = plain::name(&changed.by);
    let asker = plain::name(&changed.request.requester);
    let until = changed.request.ends_at.map_or_else(String::new, |end| format!(" until {}", minute(end)));
    match (changed.to, changed.ending) {
        (StateName::Pending, _) => format!("{asker} asks for {what}. An approver decides."),
        (StateName::Approved, _) if changed.by == "policy" => {
            format!("By rule, {what} is approved for {asker}{until}. The firewall is being changed.")
        }
        (StateName::Approved, _) => {
            format!("{by} approved {what} for {asker}{until}. The firewall is being changed.")
        }
        (StateName::Active, _) => format!("The firewall lets {what} pass{until}, as {asker} asked."),
        (StateName::Ended, Some(Ending::Revoked)) => format!("{by} revoked the grant of {what} to {asker}."),
        (StateName::Ended, Some(Ending::Superseded)) => {
            format!("A newer grant took the place of the grant of {what} to {asker}.")
        }
        (StateName::Ended, _) => format!("The grant of {what} to {asker} is over: its time has come."),
        (StateName::Denied, _) => format!("{by} denied {what} to {asker}."),
        (StateName::Lapsed, _) => format!("Nobody decided in time about {what}, which {asker} asked for."),
        (StateName::Withdrawn, _) => format!("{by} withdrew the request for {what}."),
        (StateName::Refused, _) => format!("{asker} asked for {what}, which can't be granted."),
    }
}

fn facts(letter: Letter, changed: &RequestStateChanged) -> Letter {
    let request = &changed.request;
    let approvers: Vec<String> = request.approvals.iter().map(|approval| plain::name(&approval.by)).collect();
    let waits = changed.to == StateName::Pending;
    letter
        .facts("Domains", domains(&request.domains))
        .facts("Not possible", request.refused_domains.iter().take(MOST_DOMAINS).flat_map(refused).collect())
        .fact_if("Preset", request.preset.as_deref().map(plain::name))
        .fact("Asked by", format!("{}, {}", plain::name(&request.requester), minute(request.requested_at)))
        .facts("Why", plain::lines(&request.justification))
        .fact_if("Ticket", request.ticket.as_deref().map(plain::name))
        .fact_if("For", request.ends_at.is_none().then(|| length(request.duration_seconds)))
        .fact_if("Decide by", waits.then(|| minute(request.lapses_at)))
        .fact_if("Approved by", (!approvers.is_empty()).then(|| approvers.join(", ")))
        .fact_if("Ends", request.ends_at.filter(|_| changed.to.is_live()).map(minute))
        .fact_if(
            "Changed",
            (!waits).then(|| format!("{} by {}", minute(changed.at), plain::name(&changed.by))),
        )
        .facts("Comment", changed.comment.as_deref().map(plain::lines).unwrap_or_default())
        .fact("Request", request.id.to_string())
}

/// What the reader can do now.
fn next(letter: Letter, changed: &RequestStateChanged) -> Letter {
    let id = &changed.request.id;
    match changed.to {
        StateName::Pending => letter
            .next("An approver other than who asked sends one of")
            .next(format!(
                r#"  {{"action":"decide","request_id":"{id}","decision":"approve","approver":"<you>","comment":"<why>"}}"#
            ))
            .next(format!(
                r#"  {{"action":"decide","request_id":"{id}","decision":"deny","approver":"<you>","comment":"<why>"}}"#
            ))
            .next(format!("to {WEBHOOK}.")),
        StateName::Approved => letter.next("Nothing: another message comes when every part of the firewall has it."),
        StateName::Active => letter
            .next("Try again what was blocked. When it is no longer needed, an approver ends it before its time with")
            .next(format!(r#"  {{"action":"revoke","request_id":"{id}","by":"<you>","reason":"<why>"}}"#))
            .next(format!("to {WEBHOOK}.")),
        StateName::Ended if changed.ending == Some(Ending::Superseded) => letter.next("Nothing: the newer grant holds."),
        StateName::Ended | StateName::Lapsed => letter.next("Ask again if it is still needed."),
        StateName::Denied => letter.next("Talk to who denied it, or ask again with what they miss."),
        StateName::Refused => letter.next("Ask again for what is possible."),
        StateName::Withdrawn => letter,
    }
}

/// What was asked for, in a few words.
fn short(request: &Request) -> String {
    let asked = request.domains.iter().map(ToString::to_string);
    let mut asked = asked.chain(request.refused_domains.iter().map(|refused| plain::name(&refused.text)));
    let count = request.domains.len() + request.refused_domains.len();
    let first = asked.next().unwrap_or_else(|| "nothing".to_owned());
    match (&request.preset, count) {
        (Some(preset), _) => format!("the preset {}", plain::name(preset)),
        (None, 0 | 1) => first,
        (None, 2) => format!("{first} and another domain"),
        (None, more) => format!("{first} and {} other domains", more - 1),
    }
}

/// Each domain as it stands in the rule; beside it how it is read, where that differs.
fn domains(domains: &[DomainPattern]) -> Vec<String> {
    let line = |pattern: &DomainPattern| {
        let (ascii, unicode) = (pattern.to_string(), pattern.to_unicode());
        let scope = if pattern.includes_subdomains() { " and all names below it" } else { "" };
        if ascii == unicode {
            format!("{ascii}{scope}")
        } else {
            format!("{ascii} ({}){scope}", plain::name(&unicode))
        }
    };
    let mut lines: Vec<String> = domains.iter().take(MOST_DOMAINS).map(line).collect();
    if let Some(more) = domains.len().checked_sub(MOST_DOMAINS).filter(|more| *more > 0) {
        lines.push(format!("and {more} more"));
    }
    lines
}

fn refused(refused: &RefusedDomain) -> [String; 2] {
    [plain::name(&refused.text), format!("  {}", plain::name(&refused.reason))]
}
