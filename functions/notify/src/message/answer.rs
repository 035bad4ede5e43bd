//! The answer to a command or a question, for who gave it.

use egress::events::{Answer, CommandAnswered, RequestSummary};
use egress::explain::{self, Explanation};
use egress::ledger::{Evidence, HistoryEntry, Silence};
use egress::owner::whose_key;
use egress::request::{Request, RequestId, StateName};

use super::letter::Letter;
use super::{about, counted, minute, some_of};
use crate::plain;

/// Sentences of an explanation.
const MOST_SENTENCES: usize = 40;
/// Entries of a history: the last ones.
const MOST_ENTRIES: usize = 40;

pub(super) fn answered(answered: &CommandAnswered) -> Letter {
    let by = plain::name(&answered.by);
    let letter = match &answered.answer {
        Answer::Done { request, comment } => {
            done(request).facts("Comment", comment.as_deref().map(plain::lines).unwrap_or_default())
        }
        Answer::NotAllowed { request_id, reason } => not_allowed(request_id.as_ref(), reason),
        Answer::Why(explanation) => why(&by, explanation),
        Answer::List { requests, more } => list(&by, requests, *more),
        Answer::Status { request, history, evidence } => status(request, history, evidence.as_ref()),
        Answer::Silenced { silence } => silenced(silence),
    };
    letter
        .fact("Answer to", by)
        .fact("Message", plain::name(&answered.message_key))
        .fact("Answered", minute(answered.at))
}

fn done(request: &Request) -> Letter {
    let letter = Letter::new(
        format!("{} is {}: {}", request.id, request.state, about::short(request)),
        about::stands(request),
    );
    standing(about::domains(letter, request), request).fact("Request", request.id.to_string())
}

/// What is the same in all answers about a request as it is now.
fn standing(letter: Letter, request: &Request) -> Letter {
    let pending = request.state == StateName::Pending;
    let letter =
        letter.fact("State", state(request)).fact_if("Decide by", pending.then(|| minute(request.lapses_at)));
    about::approvals(letter, request)
        .facts("Missing", request.waits_for.as_deref().map(plain::lines).unwrap_or_default())
        .fact_if("Ends", request.ends_at.filter(|_| request.state.is_live()).map(minute))
        .fact_if("Extended by", request.superseded_by.as_ref().map(ToString::to_string))
}

fn state(request: &Request) -> String {
    use egress::request::Ending::{Expired, Revoked, Superseded};
    let ending = match request.ending {
        None => "",
        Some(Expired) => ", expired",
        Some(Revoked) => ", revoked",
        Some(Superseded) => ", extended",
    };
    format!("{}{ending}", request.state)
}

fn not_allowed(request_id: Option<&RequestId>, reason: &str) -> Letter {
    Letter::new(
        format!("Not done: {}", plain::line(reason)),
        "This was not done, and nothing has changed.".to_owned(),
    )
    .facts("Why not", plain::lines(reason))
    .fact_if("Request", request_id.map(ToString::to_string))
}

fn why(by: &str, explanation: &Explanation) -> Letter {
    let host = plain::name(&explanation.host);
    Letter::new(format!("Why: {host}"), format!("{by} asked what becomes of connections to {host}."))
        .facts("Found", some_of(&explain::sentences(explanation), MOST_SENTENCES))
}

fn list(by: &str, requests: &[RequestSummary], more: usize) -> Letter {
    let count = counted((requests.len() + more) as u64, "request");
    let mut lines: Vec<String> = requests.iter().flat_map(listed).collect();
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    Letter::new(format!("List: {count}"), format!("{by} asked for a list: {count}.")).facts("Requests", lines)
}

fn listed(request: &RequestSummary) -> [String; 2] {
    let RequestSummary { id, state, requester, domains, until, unused_since } = request;
    let ends = if *state == StateName::Pending { "lapses" } else { "ends" };
    let unused = unused_since.map_or_else(String::new, |at| format!(", unused since {}", minute(at)));
    let domains: Vec<String> = domains.iter().map(|domain| plain::name(domain)).collect();
    [
        format!("{id} {state}, {ends} {}{unused}, {}", minute(*until), plain::name(requester)),
        format!("  {}", domains.join(", ")),
    ]
}

fn status(request: &Request, history: &[HistoryEntry], evidence: Option<&Evidence>) -> Letter {
    let letter = Letter::new(
        format!("{} is {}: {}", request.id, request.state, about::short(request)),
        about::stands(request),
    );
    let letter = standing(about::risk(about::asked(letter, request), request), request);
    let was_live = request.approved_at.is_some();
    letter
        .fact_if("Used", was_live.then(|| used(evidence)))
        .facts("History", happened(history))
        .fact("Request", request.id.to_string())
}

/// Alerts rest; or are told again, where the silence was over when it was made.
fn silenced(silence: &Silence) -> Letter {
    let domain = plain::name(&silence.domain);
    let owner = silence.owner.as_deref().map(|key| plain::name(&whose_key(key)));
    let of = owner.as_ref().map_or_else(String::new, |owner| format!(" for {owner}"));
    let letter = if silence.until <= silence.at {
        let letter = Letter::new(
            format!("Told again: {domain}{of}"),
            format!("Alerts about {domain}{of} are told again."),
        );
        let stays = "Where alerts for one owner rest, they go on to: that is ended for the owner.";
        if owner.is_none() { letter.next(stays) } else { letter }
    } else {
        let until = minute(silence.until);
        let sentence = format!(
            "Alerts about {domain}{of} rest until {until}; what is blocked goes on being blocked, and counted."
        );
        Letter::new(format!("Silenced: {domain}{of} until {until}"), sentence)
    };
    letter
        .fact("Domain", domain)
        .fact("Owner", owner.unwrap_or_else(|| "everybody".to_owned()))
        .fact("Until", minute(silence.until))
        .fact("Silenced by", plain::name(&silence.by))
}

fn used(evidence: Option<&Evidence>) -> String {
    let Some(Evidence { first_used_at, last_used_at, connections }) = evidence else {
        return "no use was logged".to_owned();
    };
    let connections =
        if *connections == 1 { "1 connection".to_owned() } else { format!("{connections} connections") };
    format!("{connections}, the first {}, the last {}", minute(*first_used_at), minute(*last_used_at))
}

fn happened(history: &[HistoryEntry]) -> Vec<String> {
    let before = history.len().saturating_sub(MOST_ENTRIES);
    let first = (before > 0).then(|| format!("… {before} before"));
    let entries = history.iter().skip(before).flat_map(|entry| {
        let line = format!("{} {} by {}", minute(entry.at), plain::name(&entry.what), plain::name(&entry.by));
        std::iter::once(line)
            .chain(entry.comment.as_deref().map(|comment| format!("  {}", plain::name(comment))))
    });
    first.into_iter().chain(entries).collect()
}
