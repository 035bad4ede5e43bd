//! What was blocked, whose it was, and what to do about it: ask for it, look at it, or let it rest.

use std::net::{IpAddr, SocketAddr};

use egress::domain::group_of;
use egress::events::{Finding, Severity, Suggestion, TrafficBlocked};
use egress::owner::Owner;
use egress::slack::{AlertGroup, Ask};
use egress::text::visible;

use super::act::Act;
use super::letter::Letter;
use super::{length, second, some_of};
use crate::plain;

/// Destinations that are listed beside the first: as many as an alert has.
const MOST_OTHERS: usize = 20;
/// Findings that are listed: there are three rules.
const MOST_FINDINGS: usize = 10;
/// Notes that are told, and the longest, in characters: more crowds out what to do, and fits into no card of Teams'.
const MOST_NOTES: usize = 4;
const LONGEST_NOTE: usize = 400;
/// The longest owner that a command can name, in characters.
const LONGEST_OWNER: usize = 200;
pub(super) fn blocked(blocked: &TrafficBlocked) -> Letter {
    let (destination, source) = (plain::name(&blocked.destination), plain::name(&blocked.source));
    let port = blocked.port.map_or_else(String::new, |port| format!(", port {port}"));
    let signature = Some(plain::name(&blocked.signature)).filter(|text| !text.is_empty());
    let letter = Letter::new(
        headline(blocked.severity, "Blocked", &to(blocked), &blocked.owner, &source),
        sentence(blocked),
    )
    .facts("Why to look", findings(&blocked.findings))
    .fact("Destination", destination)
    .facts("Others", others(blocked))
    .fact_if("Belongs to", registered(blocked))
    .fact("Protocol", format!("{}{port}", plain::name(&blocked.protocol)))
    .fact("Owner", owner(&blocked.owner))
    .fact("Source", source)
    .fact("Since", second(blocked.first_seen))
    .fact("Last", second(blocked.last_seen))
    .fact("Connections", format!("{} when this was told", blocked.count))
    .fact_if(
        "New",
        blocked.is_new.then(|| "nobody of this stack was blocked there in the last two weeks".to_owned()),
    )
    .fact_if("Rule", signature)
    .fact(
        "Firewall",
        format!("{} in {}", plain::name(&blocked.firewall), plain::name(&blocked.availability_zone)),
    )
    .fact("Repeats", repeats(blocked));
    let notes = blocked.notes.iter().map(|note| visible(note.trim(), LONGEST_NOTE));
    let letter = notes.filter(|note| !note.is_empty()).take(MOST_NOTES).fold(letter, Letter::next);
    let letter = match &blocked.suggestion {
        Some(suggestion) => how_to_ask(letter, suggestion),
        None => why_not(blocked).into_iter().fold(letter, Letter::next),
    };
    how_to_silence(letter, group(&blocked.owner, Some(&blocked.source), &blocked.domain))
}

/// What is blocked, and whose it is; where somebody should look, that first.
pub(super) fn headline(severity: Severity, verb: &str, what: &str, owner: &Owner, source: &str) -> String {
    let verb = match severity {
        Severity::Normal => verb.to_owned(),
        Severity::Raised => format!("Look: {}", verb.to_lowercase()),
    };
    match (owner, owner.whose()) {
        // Who it is of many, the address may tell.
        (Owner::Studio { .. }, Some(whose)) => {
            format!("{verb}: {what} from {source} ({})", plain::name(&whose))
        }
        (_, Some(whose)) => format!("{verb}: {what} for {}", plain::name(&whose)),
        (_, None) => format!("{verb}: {what} from {source} (whose it is isn't known)"),
    }
}

/// Where the connections went.
fn to(blocked: &TrafficBlocked) -> String {
    let destination = plain::name(&blocked.destination);
    match blocked.destination_count.saturating_sub(1) {
        0 => destination,
        1 => format!("{destination} and another one"),
        more => format!("{destination} and {more} others"),
    }
}

fn sentence(blocked: &TrafficBlocked) -> String {
    let connections = match blocked.count {
        1 => "a connection".to_owned(),
        count => format!("at least {count} connections"),
    };
    let from = from(&blocked.owner, &plain::name(&blocked.source));
    format!("The firewall blocked {connections} {from} to {}.", to(blocked))
}

/// Whose connections, and from where.
pub(super) fn from(owner: &Owner, source: &str) -> String {
    match owner {
        Owner::Unknown { reason } => format!("from {source} (whose it is isn't known: {})", clause(reason)),
        owner => format!("of {}, from {source},", plain::name(&owner.whose().unwrap_or_default())),
    }
}

/// Who it is, as a fact.
pub(super) fn owner(owner: &Owner) -> String {
    match owner {
        Owner::Unknown { reason } => format!("not known: {}", clause(reason)),
        owner => plain::name(&owner.to_string()),
    }
}

/// A sentence inside of another one.
fn clause(sentence: &str) -> String {
    plain::name(sentence.trim().trim_end_matches('.'))
}

/// Why somebody should look, each a line of its own.
pub(super) fn findings(findings: &[Finding]) -> Vec<String> {
    findings.iter().take(MOST_FINDINGS).map(|finding| plain::name(&finding.text)).collect()
}

fn others(blocked: &TrafficBlocked) -> Vec<String> {
    let mut others = some_of(&blocked.others, MOST_OTHERS);
    if blocked.destination_count > blocked.others.len() as u64 + 1 {
        others.push(format!("{} in all", blocked.destination_count));
    }
    others
}

/// What somebody registered of the name, where that isn't the name itself.
fn registered(blocked: &TrafficBlocked) -> Option<String> {
    let is_name = blocked.domain.parse::<IpAddr>().is_err() && blocked.domain != blocked.destination;
    is_name.then(|| plain::name(&blocked.domain))
}

fn repeats(blocked: &TrafficBlocked) -> String {
    let (repeat, window) = (length(blocked.repeat_seconds), length(blocked.window_seconds));
    format!("not again within {repeat}; what follows is counted, and summed up after {window}")
}

fn how_to_ask(letter: Letter, suggestion: &Suggestion) -> Letter {
    let words = match &suggestion.preset {
        Some(preset) => {
            format!("If it is needed, ask for the preset {}, which is approved at once:", plain::name(preset))
        }
        None => {
            format!("If it is needed, ask for {}; an approver decides:", plain::name(&suggestion.pattern))
        }
    };
    letter
        .act(words, Act::Ask(asked(suggestion)))
        .next("If it is not, find out what on that machine asks for it.")
}

/// What to ask for: the preset, where there is one.
pub(crate) fn asked(suggestion: &Suggestion) -> Ask {
    let preset = suggestion.preset.clone();
    let domains = if preset.is_some() { Vec::new() } else { vec![suggestion.pattern.clone()] };
    Ask { domains, preset, ..Ask::default() }
}

/// Why there is nothing to ask for; where a note says why it is blocked, that says it.
fn why_not(blocked: &TrafficBlocked) -> Option<String> {
    let is_address =
        blocked.destination.parse::<SocketAddr>().is_ok() || blocked.destination.parse::<IpAddr>().is_ok();
    let words = if !["tls", "http", "http2"].contains(&blocked.protocol.as_str()) {
        "It can't be asked for: the firewall allows by name, and only TLS and HTTP carry one."
    } else if is_address {
        "It can't be asked for by address: let the client ask for the server by its name."
    } else if blocked.destination.ends_with('.') {
        "The client writes the name with a dot at its end, which no rule matches: leave the dot out."
    } else if blocked.notes.is_empty() {
        "It can't be asked for: it is not a name that can be granted, or one that is never allowed."
    } else {
        return None;
    };
    Some(words.to_owned())
}

pub(super) fn how_to_silence(letter: Letter, group: Option<AlertGroup>) -> Letter {
    let words = "If nobody has to hear of it for a day, an approver, or who is on call, silences it:";
    group.into_iter().fold(letter, |letter, group| letter.act(words, Act::Silence(group)))
}

/// What is silenced with an alert; nothing where it can't be said in the words of every channel.
pub(crate) fn group(owner: &Owner, source: Option<&String>, domain: &str) -> Option<AlertGroup> {
    let sayable =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-./:".contains(&byte));
    let owner = owner.key(source?.parse().ok()?);
    let is_group = group_of(domain).as_deref() == Ok(domain);
    (is_group && sayable(domain) && sayable(&owner) && owner.len() <= LONGEST_OWNER)
        .then(|| AlertGroup { domain: domain.to_owned(), owner: Some(owner) })
}
