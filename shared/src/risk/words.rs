//! What people read of an assessment: one sentence for each thing that an approver should know.

use std::cmp::Reverse;

use jiff::Timestamp;

use super::{Assessment, BlockedBefore, Cover, DomainAssessment, Finding, Room};
use crate::domain::DomainPattern;

/// The most sentences about domains: a request for a preset may have a hundred of them.
const MOST_SENTENCES: usize = 40;
/// The most hosts, owners, addresses or presets that a sentence names.
const MOST_NAMED: usize = 3;
/// The longest name of anything, in characters.
const LONGEST_NAME: usize = 253;
/// The longest sentence of somebody else, in characters.
const LONGEST_SENTENCE: usize = 500;

/// The sentences, without a full stop. Those about the riskiest domains come first, since no more than forty are
/// given; then whether there is room, and what isn't known. Nothing from outside is in them but on one line,
/// bounded, and with everything escaped that can't be seen.
pub fn sentences(assessment: &Assessment) -> Vec<String> {
    let mut domains: Vec<_> = assessment.domains.iter().collect();
    domains.sort_by_key(|assessed| Reverse(assessed.risk));
    let mut sentences: Vec<_> = domains.into_iter().flat_map(about).collect();
    if let Some(more) = sentences.len().checked_sub(MOST_SENTENCES).filter(|more| *more > 0) {
        sentences.truncate(MOST_SENTENCES);
        sentences.push(format!("and {more} more about its domains"));
    }
    sentences.extend(assessment.room.as_ref().map(room));
    sentences.extend(assessment.unknown.iter().map(|sentence| plain(sentence, LONGEST_SENTENCE)));
    sentences
}

/// All about one domain.
fn about(assessed: &DomainAssessment) -> Vec<String> {
    let DomainAssessment { domain, findings, narrower, covered_by, blocked, .. } = assessed;
    let mut sentences: Vec<_> = findings.iter().map(|finding| found(domain, finding, narrower)).collect();
    sentences.extend(blocked.as_ref().map(|blocked| blocked_before(domain, blocked)));
    sentences.extend(presets(domain, covered_by));
    sentences.extend(grants(domain, covered_by));
    sentences
}

fn found(domain: &DomainPattern, finding: &Finding, narrower: &[DomainPattern]) -> String {
    match finding {
        Finding::Subdomains => {
            format!("{domain} opens every host below {}{}", domain.name(), would_have_done(narrower))
        }
        Finding::SharedHosting { suffix } => {
            format!("{domain} lies below {}, where anybody can have a name", name(suffix))
        }
        Finding::AbovePublicSuffix { suffix } => {
            format!("{domain} opens {}, below which anybody can have a name", name(suffix))
        }
        Finding::AnybodyCanUpload { entry } if entry.covers(domain) => {
            format!("{domain} is where anybody can upload: data can leave by it")
        }
        Finding::AnybodyCanUpload { entry } => {
            format!("{domain} opens {entry}, where anybody can upload: data can leave by it")
        }
        Finding::International { reads } => {
            format!("{domain} reads {}: its letters may look like others", name(reads))
        }
    }
}

fn would_have_done(narrower: &[DomainPattern]) -> String {
    let names: Vec<_> = narrower.iter().map(ToString::to_string).collect();
    match names.as_slice() {
        [] => String::new(),
        [one] => format!("; {one} alone would have done"),
        all => format!("; {} would have done", listed(all, all.len())),
    }
}

fn blocked_before(domain: &DomainPattern, blocked: &BlockedBefore) -> String {
    let hosts = if domain.includes_subdomains() {
        format!(", at {}", some_of("host", &blocked.hosts, blocked.host_count))
    } else {
        String::new()
    };
    format!(
        "{domain} was blocked {} in the last {}{hosts}, from {}; last {}",
        if blocked.connections == 1 { "once".to_owned() } else { counted(blocked.connections, "time") },
        if blocked.days == 1 { "day".to_owned() } else { counted(u64::from(blocked.days), "day") },
        from(blocked),
        minute(blocked.last_seen),
    )
}

/// Whose connections they were, and from which addresses those came that are nobody's.
fn from(blocked: &BlockedBefore) -> String {
    let BlockedBefore { owners, owner_count, sources, source_count, .. } = blocked;
    let owned = (*owner_count > 0).then(|| match owners.as_slice() {
        [] => counted(*owner_count as u64, "owner"),
        owners => first_of(owners, *owner_count),
    });
    let addresses =
        (*source_count > 0 || owned.is_none()).then(|| some_of("address", sources, *source_count));
    owned.into_iter().chain(addresses).collect::<Vec<_>>().join(", and from ")
}

fn presets(domain: &DomainPattern, covers: &[Cover]) -> Option<String> {
    let names = covers.iter().filter_map(|cover| match cover {
        Cover::Preset { name } => Some(name.clone()),
        Cover::Grant { .. } => None,
    });
    let names: Vec<_> = names.collect();
    match names.len() {
        0 => None,
        1 => Some(format!("{domain} is in the preset {}, which is approved at once", first_of(&names, 1))),
        all => {
            Some(format!("{domain} is in the presets {}, which are approved at once", first_of(&names, all)))
        }
    }
}

/// Of the grants, the one that lasts longest, which comes first.
fn grants(domain: &DomainPattern, covers: &[Cover]) -> Option<String> {
    let mut grants = covers.iter().filter_map(|cover| match cover {
        Cover::Grant { request_id, requester, ends_at } => Some((request_id, name(requester), *ends_at)),
        Cover::Preset { .. } => None,
    });
    let (id, requester, ends_at) = grants.next()?;
    let others = if grants.next().is_some() { "; so do others, none of them longer" } else { "" };
    Some(format!("{id} of {requester} lets {domain} pass already until {}{others}", minute(ends_at)))
}

fn room(room: &Room) -> String {
    let Room { needed, left, fits } = *room;
    let (rules, one) = (counted(needed, "rule"), needed == 1);
    let left = format!("{} of capacity {} left", thousands(left), if left == 1 { "is" } else { "are" });
    match fits {
        _ if needed == 0 => format!("all its rules stand already: {left}"),
        true => format!("its {rules} {}: {left}", if one { "fits" } else { "fit" }),
        false if needed <= room.left => format!("AWS doesn't take its {rules}, though {left}"),
        false => format!("its {rules} {}: {left}", if one { "doesn't fit" } else { "don't fit" }),
    }
}

/// How many there are, and the first few of them.
fn some_of(noun: &str, known: &[String], all: usize) -> String {
    let count = counted(all as u64, noun);
    if known.is_empty() { count } else { format!("{count} ({})", first_of(known, all)) }
}

/// The first few of so many.
fn first_of(known: &[String], all: usize) -> String {
    let named: Vec<_> = known.iter().take(MOST_NAMED).map(|text| name(text)).collect();
    listed(&named, all)
}

/// As `a, b and c`, or `a, b, c and 4 more` where there are more than those.
fn listed(named: &[String], all: usize) -> String {
    match (named, all.saturating_sub(named.len())) {
        ([one], 0) => one.clone(),
        ([before @ .., last], 0) => format!("{} and {last}", before.join(", ")),
        (named, more) => format!("{} and {} more", named.join(", "), thousands(more as u64)),
    }
}

/// As `1 rule`, `1,992 addresses`.
fn counted(count: u64, noun: &str) -> String {
    let plural = match count {
        1 => "",
        _ if noun.ends_with('s') => "es",
        _ => "s",
    };
    format!("{} {noun}{plural}", thousands(count))
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let comma = |at: usize| at > 0 && (digits.len() - at).is_multiple_of(3);
    digits
        .chars()
        .enumerate()
        .flat_map(|(at, digit)| comma(at).then_some(',').into_iter().chain([digit]))
        .collect()
}

/// A time to the minute; UTC, since readers sit anywhere.
fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

fn name(text: &str) -> String {
    plain(text, LONGEST_NAME)
}

/// Text from outside: at most so many characters, and what can't be seen, turns the reading direction or
/// begins a line as its escape.
fn plain(text: &str, longest: usize) -> String {
    let text: String = match text.char_indices().nth(longest) {
        None => text.to_owned(),
        Some((end, _)) => text.get(..end).unwrap_or_default().chars().chain(['…']).collect(),
    };
    // A quote does no harm in a sentence.
    text.escape_debug().to_string().replace("\\'", "'").replace("\\\"", "\"")
}
