//! Grants as Suricata rules. The whole text is ours: a header that seals it, then for each pattern a
//! comment for people, a rule for TLS and a rule for HTTP.
//!
//! The match is that of Network Firewall's own domain lists
//! (<https://docs.aws.amazon.com/network-firewall/latest/developerguide/suricata-examples.html>), with
//! `alert`, so that a use is logged, and the requests in `metadata`.
//!
//! A pattern's sids are kept as long as it stands in the group: they are read back from the text that
//! is replaced, and a new pattern gets the lowest pair that is free.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sha2::{Digest, Sha256};

use super::drift::Drift;
use super::{GroupPlan, Open, Put};
use crate::domain::DomainPattern;
use crate::firewall::Content;
use crate::request::RequestId;

/// The longest text of rules that a rule group takes, in bytes
/// (<https://docs.aws.amazon.com/network-firewall/latest/developerguide/quotas.html>).
pub const LONGEST_RULES: usize = 2_000_000;
/// What a pattern takes of a rule group's capacity: its two rules.
pub(super) const UNITS_OF_A_PATTERN: u64 = 2;
/// More than the header has, in bytes.
pub(super) const HEADER: usize = 256;

/// The first sid of ours; a pattern has an even one for TLS and the next for HTTP.
const FIRST_SID: u32 = 1_000_000;
/// No sid of ours is as high: a rule group has at most 30,000 rules (Network Firewall's quota).
const END_OF_SIDS: u32 = FIRST_SID + 2 * 30_000;
/// The requests that a rule's metadata names at most: Network Firewall takes rules of up to 8,192
/// characters (its quota), and 300 ids stay well below.
const MOST_IDS: usize = 300;
/// What a request's id takes in a comment and two rules: ` req-0123456789ab` and twice
/// `, grant req-0123456789ab`, in bytes.
const BYTES_OF_AN_ID: usize = 17 + 2 * 24;
/// What a pattern's comment and two rules take without ids and the pattern itself, at most, in bytes.
const BYTES_OF_A_PATTERN: usize = 400;
/// How the header begins, before the digest of all that stands below it.
const SEAL: &str =
    "# Studio Egress grants. Written by its functions: what is changed here by hand is put right. sha256:";
/// What a rule group without a grant holds. Whether AWS takes one without any rule is not documented,
/// so it has one for a name that nobody can have (RFC 6761, 6.4).
const INERT: &str = "pass tls $HOME_NET any -> $EXTERNAL_NET any (ssl_state:client_hello; tls.sni; content:\"nothing-is-granted.invalid\"; startswith; nocase; endswith; msg:\"egress: nothing is granted\"; flow:to_server, established; sid:999999; rev:1;)\n";

/// The text of a rule group without any grant: what a new one begins with.
pub fn no_grants() -> String {
    seal(INERT)
}

/// The whole text for what has its place here, of all that is `granted`; `gone` is what of that stood once and
/// stands nowhere now.
pub(super) fn plan(
    current: &str,
    before: &ReadBack,
    put: &Put<'_>,
    granted: &Open,
    gone: &BTreeSet<&DomainPattern>,
) -> GroupPlan {
    let after = assign(&before.sids, put);
    let drift = (!before.sealed).then(|| Drift::of_rules(current, before, put.len(), granted, gone));
    let added = after.keys().filter(|pattern| !before.sids.contains_key(pattern));
    let removed = before.sids.keys().filter(|pattern| !after.contains_key(pattern));
    GroupPlan {
        added: added.map(ToString::to_string).collect(),
        removed: removed.map(ToString::to_string).collect(),
        content: Content::Rules(render(put, &after)),
        drift,
        own_targets: BTreeSet::new(),
    }
}

/// How many bytes a pattern's rules take at most, when so many requests ask for it.
pub(super) fn most_bytes(pattern: &DomainPattern, requests: usize) -> usize {
    BYTES_OF_A_PATTERN + 5 * (pattern.name().len() + 1) + BYTES_OF_AN_ID * requests.min(MOST_IDS)
}

/// Each pattern's first sid: the one that it has, else the lowest that is free.
fn assign<'a>(before: &BTreeMap<DomainPattern, u32>, put: &Put<'a>) -> BTreeMap<&'a DomainPattern, u32> {
    let mut sids = BTreeMap::new();
    let mut taken = BTreeSet::new();
    for &pattern in put.keys() {
        if let Some(&sid) = before.get(pattern)
            && taken.insert(sid)
        {
            sids.insert(pattern, sid);
        }
    }
    let free = (FIRST_SID..).step_by(2).filter(|sid| !taken.contains(sid));
    let new: Vec<&DomainPattern> =
        put.keys().copied().filter(|pattern| !sids.contains_key(pattern)).collect();
    sids.extend(new.into_iter().zip(free));
    sids
}

/// The text, with all the ids that it may name; with fewer where it would be too long. A pattern that stands
/// isn't taken away because many ask for it.
fn render(put: &Put<'_>, sids: &BTreeMap<&DomainPattern, u32>) -> String {
    let mut most_ids = MOST_IDS;
    loop {
        let mut text = String::with_capacity(512 * put.len());
        for (pattern, open_for) in put {
            if let Some(&sid) = sids.get(pattern) {
                write_pattern(&mut text, pattern, open_for.requests.iter().take(most_ids), sid);
            }
        }
        if text.len() + HEADER <= LONGEST_RULES || most_ids <= 1 {
            return seal(if text.is_empty() { INERT } else { &text });
        }
        most_ids /= 4;
    }
}

/// A comment and the two rules of one pattern.
fn write_pattern<'a>(
    text: &mut String,
    pattern: &DomainPattern,
    requests: impl Iterator<Item = &'a RequestId>,
    sid: u32,
) {
    let (mut comment, mut metadata) = (format!("# {pattern} for"), String::new());
    for id in requests {
        comment.extend([" ", id.as_str()]);
        metadata.extend([if metadata.is_empty() { "grant " } else { ", grant " }, id.as_str()]);
    }
    text.extend([comment.as_str(), "\n"]);
    for (protocol, sid) in [(Protocol::Tls, sid), (Protocol::Http, sid + 1)] {
        text.extend([rule(protocol, pattern, &metadata, sid).as_str(), "\n"]);
    }
}

/// What a rule of ours reads the name from.
#[derive(Clone, Copy)]
enum Protocol {
    Tls,
    Http,
}

/// One rule of a pattern, with the same conditions as a domain list's: `dotprefix` puts a dot before the name
/// that is compared, so `.github.com` matches `github.com` and `www.github.com` and not `notgithub.com`.
fn rule(protocol: Protocol, pattern: &DomainPattern, metadata: &str, sid: u32) -> String {
    let (protocol, buffer, nocase) = match protocol {
        Protocol::Tls => ("tls", "ssl_state:client_hello; tls.sni; ", "nocase; "),
        Protocol::Http => ("http", "http.host; ", ""),
    };
    let (prefix, start) =
        if pattern.includes_subdomains() { ("dotprefix; ", "") } else { ("", "startswith; ") };
    format!(
        "pass {protocol} $HOME_NET any -> $EXTERNAL_NET any ({buffer}{prefix}content:\"{pattern}\"; {start}{nocase}endswith; alert; msg:\"egress grant {pattern}\"; metadata:{metadata}; flow:to_server, established; sid:{sid}; rev:1;)"
    )
}

/// The text under its header.
fn seal(body: &str) -> String {
    format!("{SEAL}{}\n{body}", hex::encode(Sha256::digest(body.as_bytes())))
}

/// The patterns that are likely to be found in a text, by how they are spelled: they need no second look.
pub(super) type Spellings<'a> = HashMap<String, &'a DomainPattern>;

/// The spellings of what is to be open.
pub(super) fn spellings(open: &Open) -> Spellings<'_> {
    open.keys().map(|pattern| (pattern.to_string(), pattern)).collect()
}

/// What was read back from a text: each pattern with its first sid, and whether the seal is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ReadBack {
    /// The patterns that the rules let pass.
    pub(super) sids: BTreeMap<DomainPattern, u32>,
    /// Whether the text is as it was written.
    pub(super) sealed: bool,
}

impl ReadBack {
    /// Reads a text back. A rule counts by its protocol, message and sid, so that what another version of this
    /// code wrote counts too; what is otherwise not of our form is shown by the seal.
    pub(super) fn of(text: &str, spellings: &Spellings<'_>) -> Self {
        let sealed = text
            .strip_prefix(SEAL)
            .and_then(|rest| rest.split_once('\n'))
            .is_some_and(|(digest, body)| digest == hex::encode(Sha256::digest(body.as_bytes())));
        let sids = text.lines().filter_map(|line| pattern_of_rule(line, spellings)).collect();
        Self { sids, sealed }
    }
}

/// The pattern and first sid of a line that is a TLS rule of ours.
fn pattern_of_rule(line: &str, spellings: &Spellings<'_>) -> Option<(DomainPattern, u32)> {
    let Marks { protocol: Protocol::Tls, name, sid, .. } = marks(line)? else { return None };
    let pattern = match spellings.get(name) {
        Some(pattern) => (*pattern).clone(),
        None => spelled(name)?,
    };
    Some((pattern, sid)).filter(|(_, sid)| sid % 2 == 0)
}

/// The pattern of a line that is, letter for letter, a rule of ours.
pub(super) fn pattern_of_our_rule(line: &str) -> Option<DomainPattern> {
    let Marks { protocol, name, metadata, sid } = marks(line)?;
    let pattern = spelled(name)?;
    let ids = metadata.split(", ").all(|entry| entry.strip_prefix("grant ").is_some_and(is_id));
    (ids && rule(protocol, &pattern, metadata, sid) == line).then_some(pattern)
}

/// Whether a line is, letter for letter, one that stands around our rules. Of the header only the form counts:
/// its digest is wrong after any change.
pub(super) fn is_around_our_rules(line: &str) -> bool {
    let hexadecimal =
        |digest: &str| digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    let comment = |line: &str| {
        let (name, ids) = line.strip_prefix("# ")?.split_once(" for ")?;
        spelled(name)?;
        Some(ids.split(' ').all(is_id))
    };
    line.trim().is_empty()
        || line == INERT.trim_end()
        || line.strip_prefix(SEAL).is_some_and(hexadecimal)
        || comment(line).unwrap_or_default()
}

/// What tells a rule of ours from others.
struct Marks<'a> {
    protocol: Protocol,
    name: &'a str,
    metadata: &'a str,
    sid: u32,
}

/// The marks of a line that seems to be a rule of ours.
fn marks(line: &str) -> Option<Marks<'_>> {
    let (protocol, options) = match line.strip_prefix("pass tls ") {
        Some(options) => (Protocol::Tls, options),
        None => (Protocol::Http, line.strip_prefix("pass http ")?),
    };
    let (_, after) = options.split_once("msg:\"egress grant ")?;
    let (name, after) = after.split_once('"')?;
    let (between, after) = after.split_once("; sid:")?;
    let metadata = between.strip_prefix("; metadata:").and_then(|rest| rest.split_once("; flow:"));
    let (sid, _) = after.split_once(';')?;
    let sid = sid.parse().ok().filter(|sid| (FIRST_SID..END_OF_SIDS).contains(sid))?;
    Some(Marks { protocol, name, metadata: metadata.unwrap_or_default().0, sid })
}

/// The pattern that is spelled like this.
fn spelled(name: &str) -> Option<DomainPattern> {
    DomainPattern::read(name).ok().filter(|pattern| pattern.to_string() == name)
}

fn is_id(text: &str) -> bool {
    RequestId::try_from(text.to_owned()).is_ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_pattern_takes_more_bytes_than_was_estimated(
            name in "(\\.)?[a-z]{1,63}(\\.[a-z]{1,63}){0,2}\\.com", requests in 1..400usize, sid in 0..30_000u32,
        ) {
            let pattern = DomainPattern::read(&name).unwrap();
            let ids: BTreeSet<RequestId> =
                (0..requests).map(|n| RequestId::of_message(&n.to_string())).collect();
            let mut text = String::new();
            write_pattern(&mut text, &pattern, ids.iter().take(MOST_IDS), FIRST_SID + 2 * sid);
            let most = most_bytes(&pattern, requests);
            // And not so many less that room would be wasted.
            prop_assert!((most - 20..=most).contains(&text.len()), "{} of {most}", text.len());
        }
    }

    #[test]
    fn the_header_takes_no_more_bytes_than_was_estimated() {
        let bytes = seal("").len();
        assert!(bytes <= HEADER, "{bytes}");
    }
}
