//! What became of a request, for who asked and who decides.

use egress::config::same_spelling;
use egress::events::{DecisionAwaited, RequestStateChanged};
use egress::request::{Ending, Request, StateName};
use egress::slack::Ask;
use jiff::Timestamp;

use super::about::{self, asker, short, until};
use super::act::Act;
use super::letter::Letter;
use super::{length, minute};
use crate::plain;

/// In seconds.
const MINUTE: u64 = 60;
/// In seconds.
const HOUR: u64 = 60 * MINUTE;
/// In seconds.
const DAY: u64 = 24 * HOUR;
/// The longest that is asked for once more, in bytes of its domains.
const LONGEST_ASKED: usize = 1_000;

pub(super) fn changed(changed: &RequestStateChanged) -> Letter {
    let request = &changed.request;
    let subject = match changed.to {
        // What it risks matters as long as somebody can still keep it from being opened.
        StateName::Pending | StateName::Approved => about::subject(&headline(changed), request),
        _ => format!("{}: {} ({})", headline(changed), short(request), request.id),
    };
    next(facts(Letter::new(subject, sentence(changed)), changed), changed)
}

/// The first words of the subject.
fn headline(changed: &RequestStateChanged) -> String {
    let request = &changed.request;
    let headline = match (changed.to, changed.ending) {
        (StateName::Pending, _) if changed.from == Some(StateName::Pending) => {
            return format!(
                "To decide, {} of {} said yes",
                request.approvals.len(),
                request.approvals_needed
            );
        }
        (StateName::Pending, _) if request.extends.is_some() => "To decide, more time",
        (StateName::Pending, _) => "To decide",
        (StateName::Approved, _) if is_broken(request) => "Glass broken",
        (StateName::Approved, _) => "Approved",
        (StateName::Active, _) => "Open",
        (StateName::Ended, Some(Ending::Revoked)) => "Revoked",
        (StateName::Ended, Some(Ending::Superseded)) => "Extended",
        (StateName::Ended, _) => "Expired",
        (StateName::Denied, _) => "Denied",
        (StateName::Lapsed, _) => "Lapsed",
        (StateName::Withdrawn, _) => "Withdrawn",
        (StateName::Refused, _) => "Refused",
    };
    headline.to_owned()
}

/// Whether it was approved without anybody's yes.
fn is_broken(request: &Request) -> bool {
    request.break_glass.is_some() && request.approvals.is_empty()
}

/// What happened.
fn sentence(changed: &RequestStateChanged) -> String {
    let request = &changed.request;
    let (what, asker, until) = (short(request), asker(request), until(request));
    let by = plain::name(&changed.by);
    match (changed.to, changed.ending) {
        (StateName::Pending, _) if changed.from == Some(StateName::Pending) => {
            format!("{by} approved {what} for {asker}. {}", another_yes(request))
        }
        (StateName::Pending, _) => {
            let more = if request.extends.is_some() { "more time for " } else { "" };
            let who = match request.approvals_needed {
                0 | 1 => "An approver decides.".to_owned(),
                needed => format!("{needed} approvers have to say yes."),
            };
            format!("{asker} asks for {more}{what}. {who}")
        }
        (StateName::Approved, _) if is_broken(request) => {
            format!(
                "{asker} broke the glass: {what} is approved without anybody's yes{until}. The firewall is being changed."
            )
        }
        (StateName::Approved, _) if changed.by == "policy" => {
            format!("By rule, {what} is approved for {asker}{until}. The firewall is being changed.")
        }
        (StateName::Approved, _) => {
            format!("{by} approved {what} for {asker}{until}. The firewall is being changed.")
        }
        (StateName::Ended, Some(Ending::Revoked)) => format!("{by} revoked the grant of {what} to {asker}."),
        (StateName::Ended, ending) => about::ended(request, ending),
        (StateName::Denied, _) => format!("{by} denied {what} to {asker}."),
        (StateName::Withdrawn, _) => format!("{by} withdrew the request for {what}."),
        (StateName::Active | StateName::Lapsed | StateName::Refused, _) => {
            about::stands(&Request { state: changed.to, ..request.clone() })
        }
    }
}

/// How many have to say yes, too.
fn another_yes(request: &Request) -> String {
    let (approvals, needed) = (request.approvals.len(), request.approvals_needed);
    match needed.saturating_sub(approvals) {
        0 | 1 => format!("That is {approvals} of {needed}: somebody else has to say yes, too."),
        more => format!("That is {approvals} of {needed}: {more} others have to say yes, too."),
    }
}

fn facts(letter: Letter, changed: &RequestStateChanged) -> Letter {
    let request = &changed.request;
    let waits = changed.to == StateName::Pending;
    let letter = about::asked(letter, request);
    let letter = if waits { about::risk(letter, request) } else { letter };
    about::approvals(letter.fact_if("Decide by", waits.then(|| minute(request.lapses_at))), request)
        .fact_if("Ends", request.ends_at.filter(|_| changed.to.is_live()).map(minute))
        .fact_if("Extended by", request.superseded_by.as_ref().map(ToString::to_string))
        .fact_if(
            "Changed",
            (!waits).then(|| format!("{} by {}", minute(changed.at), plain::name(&changed.by))),
        )
        .facts("Comment", changed.comment.as_deref().map(plain::lines).unwrap_or_default())
        .fact("Request", request.id.to_string())
}

/// What the reader can do now.
fn next(letter: Letter, changed: &RequestStateChanged) -> Letter {
    let request = &changed.request;
    match changed.to {
        StateName::Pending => about::decide(letter, &request.id)
            .act("Who asked takes it back with", Act::Withdraw(request.id.clone())),
        StateName::Approved => {
            letter.next("Nothing: another message comes when every part of the firewall has it.")
        }
        StateName::Active => open(letter, request),
        StateName::Ended if changed.ending == Some(Ending::Superseded) => {
            letter.next("Nothing: the extension holds.")
        }
        StateName::Ended | StateName::Lapsed => letter.next("Ask again if it is still needed."),
        StateName::Denied => letter.next("Talk to who denied it, or ask again with what they miss."),
        StateName::Refused => ask_again(letter, request),
        StateName::Withdrawn => letter,
    }
}

fn ask_again(letter: Letter, request: &Request) -> Letter {
    let words = if !request.refused_domains.is_empty() {
        "Ask again for what is possible"
    } else if request.break_glass.is_some() {
        "Ask again without break_glass, and an approver decides, where one may"
    } else {
        return letter.next("Ask again for what is possible.");
    };
    match again(request) {
        Some(ask) => letter.act(format!("{words}:"), Act::Ask(ask)),
        None => letter.next(format!("{words}.")),
    }
}

/// The same request once more, without what of it can't be granted; none where nothing is left of it, where it was an
/// extension, and where it is too long to be said in one line.
pub(crate) fn again(request: &Request) -> Option<Ask> {
    let preset = request.preset.clone();
    let domains: Vec<String> = match preset {
        Some(_) => Vec::new(),
        None => request.domains.iter().map(ToString::to_string).collect(),
    };
    let fits = domains.iter().map(String::len).sum::<usize>() <= LONGEST_ASKED;
    let something = preset.is_some() || !domains.is_empty();
    (something && fits && request.extends.is_none()).then(|| Ask {
        domains,
        preset,
        duration: Some(length(request.duration_seconds)),
        ticket: request.ticket.clone(),
        because: Some(request.justification.clone()),
    })
}

fn open(letter: Letter, request: &Request) -> Letter {
    let id = &request.id;
    letter
        .next("Try again what was blocked.")
        .act("If it is needed for longer, ask for more time before it ends with", Act::Extend(id.clone()))
        .act("When it is no longer needed, who asked or an approver ends it with", Act::Revoke(id.clone()))
}

/// How long a request still waits: hours where there are days of it, else minutes.
fn left(request: &Request, now: Timestamp) -> String {
    let left = u64::try_from(request.lapses_at.duration_since(now).as_secs()).unwrap_or_default();
    let unit = if left >= DAY { HOUR } else { MINUTE };
    length(left - left % unit)
}

/// The approvers are reminded.
pub(super) fn awaited(awaited: &DecisionAwaited) -> Letter {
    let request = &awaited.request;
    let (what, asker) = (short(request), asker(request));
    let sentence = if request.approvals.is_empty() {
        format!("Nobody has decided yet about {what}, which {asker} asked for.")
    } else {
        let (approvals, needed) = (request.approvals.len(), request.approvals_needed);
        format!(
            "Not enough people have approved {what} yet, which {asker} asked for: {approvals} of {needed}."
        )
    };
    let has_said =
        |person: &str| request.approvals.iter().any(|yes| same_spelling(&yes.by) == same_spelling(person));
    let people: Vec<String> = awaited.approvers.iter().filter(|one| !has_said(one)).cloned().collect();
    let letter = Letter::new(about::subject("Still to decide", request), sentence);
    let letter = about::risk(about::asked(letter, request), request)
        .fact("Decide by", format!("{}, {} from now", minute(request.lapses_at), left(request, awaited.at)));
    let letter = about::approvals(letter, request)
        .facts("Asked to decide", about::people(&people))
        .fact("Reminders", request.reminders.to_string())
        .fact("Request", request.id.to_string());
    if people.is_empty() {
        return letter.next(
            "Nobody who is named in egress.toml may decide about it by policy.cedar: an operator changes one of the two, or it lapses.",
        );
    }
    about::decide(letter, &request.id)
}
