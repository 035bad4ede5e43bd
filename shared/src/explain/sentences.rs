//! An [`Explanation`] as people read it.

use jiff::Timestamp;

use super::shown::{NAME, SENTENCE, shown};
use super::{Action, DecidedBy, Explanation, Judgement, LastBlocked, MatchingGrant, PendingRequest, Verdict};
use crate::domain::DomainPattern;

/// The most sentences of one kind: an explanation of ours has fewer.
const MOST: usize = 40;

/// The explanation in sentences, the answer first. Each is one line, and nothing in it hides or turns the reading
/// direction, whoever made the explanation; to escape what a chat or a page takes for markup is theirs who show it.
pub fn sentences(explanation: &Explanation) -> Vec<String> {
    let host = named(&explanation.host);
    let mut sentences = Vec::new();
    sentences.extend(explanation.not_a_name.as_deref().map(with_stop));
    sentences.extend(verdict(&host, explanation));
    sentences.extend(deciders(explanation));
    sentences.extend(explanation.grants.iter().take(MOST).map(grant));
    sentences.extend(explanation.pending.iter().take(MOST).map(pending));
    if !explanation.presets.is_empty() {
        let presets: Vec<String> =
            explanation.presets.iter().take(MOST).map(|name| shown(name, NAME)).collect();
        sentences.push(format!("It is in the preset {}.", presets.join(", ")));
    }
    sentences.extend(
        explanation.denied.as_ref().map(|entry| format!("{entry} is on the deny list: it is never granted.")),
    );
    sentences.extend(explanation.last_blocked.as_ref().map(last_blocked));
    sentences.extend(explanation.notes.iter().take(MOST).cloned());
    sentences.extend(explanation.what_to_do.iter().take(MOST).map(|step| format!("→ {step}")));
    sentences.into_iter().map(|sentence| shown(&sentence, 2 * SENTENCE)).collect()
}

/// The host, and how a person reads it where that is something else.
fn named(host: &str) -> String {
    let host = shown(host, NAME);
    match DomainPattern::read(&host).map(|pattern| pattern.to_unicode()) {
        Ok(reads) if reads != host => format!("{host} ({})", shown(&reads, NAME)),
        _ => host,
    }
}

/// A reason of one clause as a sentence.
fn with_stop(reason: &str) -> String {
    let reason = shown(reason, SENTENCE);
    if reason.ends_with('.') { reason } else { format!("{reason}.") }
}

fn verdict(host: &str, explanation: &Explanation) -> Option<String> {
    let word = |verdict| match verdict {
        Verdict::Passes => "passes",
        Verdict::Blocked => "is blocked",
        Verdict::Unknown => "may pass or not",
    };
    let (tls, http) = (&explanation.tls, &explanation.http);
    if tls.decided_by.is_none() && http.decided_by.is_none() {
        return None;
    }
    if tls.verdict == http.verdict {
        return Some(format!("{host} {}.", word(tls.verdict)));
    }
    Some(format!("{host}: TLS {}, HTTP {}.", word(tls.verdict), word(http.verdict)))
}

fn deciders(explanation: &Explanation) -> Vec<String> {
    let (tls, http) = (&explanation.tls, &explanation.http);
    if tls == http {
        return decision("TLS and HTTP", tls).into_iter().collect();
    }
    [decision("TLS", tls), decision("HTTP", http)].into_iter().flatten().collect()
}

fn decision(protocol: &str, judgement: &Judgement) -> Option<String> {
    let by = judgement.decided_by.as_ref()?;
    let does = |action: &Action| match action {
        Action::Pass => "lets it pass",
        Action::Drop => "drops it",
        Action::Reject => "rejects it",
    };
    let decided = match by {
        DecidedBy::Rule { action, requests, .. } if !requests.is_empty() => {
            let ids: Vec<&str> = requests.iter().take(MOST).map(crate::request::RequestId::as_str).collect();
            format!("{} {}, for {}", decider(by), does(action), ids.join(", "))
        }
        DecidedBy::Rule { action, .. } | DecidedBy::Entry { action, .. } => {
            format!("{} {}", decider(by), does(action))
        }
        DecidedBy::NothingAllows { action, .. } => {
            format!("nothing allows it, so {} {}", decider(by), does(action))
        }
        DecidedBy::DefaultAction => format!("nothing allows it, so {} drops it", decider(by)),
    };
    if judgement.verdict == Verdict::Unknown {
        return Some(format!("{protocol}: if nothing else decides, {decided}."));
    }
    Some(format!("{protocol}: {decided}."))
}

/// What decides, within a sentence.
pub(super) fn decider(by: &DecidedBy) -> String {
    match by {
        DecidedBy::Rule { group, sid, message, .. }
        | DecidedBy::NothingAllows { group, sid, message, .. } => {
            format!("rule {sid} (\"{}\") of the rule group {}", shown(message, NAME), shown(group, NAME))
        }
        DecidedBy::Entry { group, list, entry, .. } => {
            format!("the entry {} of the {} {}", shown(entry, NAME), shown(list, NAME), shown(group, NAME))
        }
        DecidedBy::DefaultAction => "the policy's default action".to_owned(),
    }
}

fn grant(grant: &MatchingGrant) -> String {
    let MatchingGrant { id, requester, state, domain, ends_at, .. } = grant;
    let until = ends_at.map_or_else(String::new, |ends_at| format!(" until {}", minute(ends_at)));
    format!("{id} of {} grants {domain}{until}: {state}.", shown(requester, NAME))
}

fn pending(request: &PendingRequest) -> String {
    let PendingRequest { id, requester, domain, lapses_at, approvals, approvals_needed } = request;
    let (requester, until) = (shown(requester, NAME), minute(*lapses_at));
    format!(
        "{id} of {requester} asks for {domain}: pending until {until}, {approvals} of {approvals_needed} have said yes."
    )
}

fn last_blocked(last: &LastBlocked) -> String {
    let times = match last.connections {
        1 => "one connection".to_owned(),
        connections => format!("{connections} connections"),
    };
    let from =
        [("owner", "s", &last.owners, last.owner_count), ("address", "es", &last.sources, last.source_count)];
    let from: Vec<String> =
        from.into_iter().filter_map(|(noun, s, some, all)| some_of(noun, s, some, all)).collect();
    let (at, message) = (minute(last.at), shown(&last.message, NAME));
    format!(
        "Lately {times} to it were blocked, the last at {at} (\"{message}\"), from {}.",
        from.join(", and from ")
    )
}

/// The first few of so many, or how many there are, where none is named.
fn some_of(noun: &str, plural: &str, some: &[String], all: usize) -> Option<String> {
    let some: Vec<String> = some.iter().take(MOST).map(|one| shown(one, NAME)).collect();
    let more = all.saturating_sub(some.len());
    let counted = |count: usize| format!("{noun}{}", if count == 1 { "" } else { plural });
    match (some.is_empty(), more) {
        (true, 0) => None,
        (true, all) => Some(format!("{all} {}", counted(all))),
        (false, 0) => Some(some.join(", ")),
        (false, more) => Some(format!("{} and {more} more {}", some.join(", "), counted(more))),
    }
}

/// A time, to the minute.
pub(super) fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}
