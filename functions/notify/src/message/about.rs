//! What any message says about a request, and what can be done to it.

use egress::domain::DomainPattern;
use egress::request::{Ending, RefusedDomain, Request, RequestId, StateName};
use egress::risk::{self, Risk};

use super::act::Act;
use super::letter::Letter;
use super::{length, minute};
use crate::plain;

/// Domains that are listed: as many as a request may have.
const MOST_DOMAINS: usize = 20;
/// People who are listed.
const MOST_PEOPLE: usize = 20;

/// What was asked for, in a few words.
pub(super) fn short(request: &Request) -> String {
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

/// Who asked.
pub(super) fn asker(request: &Request) -> String {
    plain::name(&request.requester)
}

/// ` until …`, where its end is known.
pub(super) fn until(request: &Request) -> String {
    request.ends_at.map_or_else(String::new, |end| format!(" until {}", minute(end)))
}

/// The subject of a message about a request; a high risk is named in it.
pub(super) fn subject(headline: &str, request: &Request) -> String {
    let high = if request.assessment.risk == Risk::High { ", high risk" } else { "" };
    format!("{headline}{high}: {} ({})", short(request), request.id)
}

/// What a request is in, as a sentence.
pub(super) fn stands(request: &Request) -> String {
    let (what, asker, until) = (short(request), asker(request), until(request));
    let said = format!("{asker} asked for {what}");
    match (request.state, request.ending) {
        (StateName::Pending, _) => {
            format!("{said}; it waits for an approver until {}.", minute(request.lapses_at))
        }
        (StateName::Approved, _) if request.waits_for.is_some() => {
            format!("{said}; it is approved{until}, and doesn't fit into the firewall yet.")
        }
        (StateName::Approved, _) => {
            format!("{said}; it is approved{until}, and the firewall is being changed.")
        }
        (StateName::Active, _) => format!("The firewall lets {what} pass{until}, as {asker} asked."),
        (StateName::Ended, ending) => ended(request, ending),
        (StateName::Denied, _) => format!("{said}; it was denied."),
        (StateName::Lapsed, _) => format!("{said}; nobody decided in time."),
        (StateName::Withdrawn, _) => format!("{said}, and took it back."),
        (StateName::Refused, _) => format!("{said}, which can't be granted."),
    }
}

/// How a grant came to its end, as a sentence that doesn't say by whom.
pub(super) fn ended(request: &Request, ending: Option<Ending>) -> String {
    let (what, asker) = (short(request), asker(request));
    match (ending, &request.superseded_by) {
        (Some(Ending::Revoked), _) => format!("The grant of {what} to {asker} was revoked."),
        (Some(Ending::Superseded), Some(id)) => {
            format!("The grant of {what} to {asker} goes on as {id}, which extends it.")
        }
        (Some(Ending::Superseded), None) => {
            format!("A newer grant took the place of the grant of {what} to {asker}.")
        }
        (Some(Ending::Expired) | None, _) => {
            format!("The grant of {what} to {asker} is over: its time has come.")
        }
    }
}

/// What was asked, by whom, why.
pub(super) fn asked(letter: Letter, request: &Request) -> Letter {
    let extends = request.extends.as_ref().map(|id| match request.extensions {
        0 | 1 => id.to_string(),
        place => format!("{id} (extension number {place})"),
    });
    domains(letter, request)
        .fact_if("Preset", request.preset.as_deref().map(plain::name))
        .fact("Asked by", format!("{}, {}", asker(request), minute(request.requested_at)))
        .facts("Why", plain::lines(&request.justification))
        .facts("Break glass", request.break_glass.as_deref().map(plain::lines).unwrap_or_default())
        .fact_if("Ticket", request.ticket.as_deref().map(plain::name))
        .fact_if("Extends", extends)
        .fact_if("For", request.ends_at.is_none().then(|| length(request.duration_seconds)))
}

/// What was asked for, and what of it can't be granted.
pub(super) fn domains(letter: Letter, request: &Request) -> Letter {
    let refused = request.refused_domains.iter().take(MOST_DOMAINS).flat_map(refused).collect();
    letter.facts("Domains", listed(&request.domains)).facts("Not possible", refused)
}

/// How risky it is, and what it would change.
pub(super) fn risk(letter: Letter, request: &Request) -> Letter {
    let risk = match request.assessment.risk {
        Risk::Low => "low",
        Risk::Medium => "medium",
        Risk::High => "high",
    };
    let sentences = risk::sentences(&request.assessment);
    let lines = std::iter::once(risk.to_owned()).chain(sentences.iter().map(|text| plain::line(text)));
    letter.facts("Risk", lines.collect())
}

/// Who said yes, and how many have to.
pub(super) fn approvals(letter: Letter, request: &Request) -> Letter {
    let (approvals, needed) = (&request.approvals, request.approvals_needed);
    let people = approvals.iter().take(MOST_PEOPLE);
    let people = people.map(|yes| {
        let said = yes.comment.as_deref().map(|comment| format!(": {}", plain::name(comment)));
        format!("{}, {}{}", plain::name(&yes.by), minute(yes.at), said.unwrap_or_default())
    });
    letter
        .fact_if("Approvals", (needed > 1).then(|| format!("{} of {needed}", approvals.len())))
        .facts("Approved by", people.collect())
}

/// People, one a line.
pub(super) fn people(people: &[String]) -> Vec<String> {
    super::some_of(people, MOST_PEOPLE)
}

/// How to decide.
pub(super) fn decide(letter: Letter, id: &RequestId) -> Letter {
    letter.act("An approver other than who asked sends one of", Act::Decide(id.clone()))
}

/// Each domain as it stands in the rule; beside it how it is read, where that differs.
fn listed(domains: &[DomainPattern]) -> Vec<String> {
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
