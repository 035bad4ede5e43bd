//! Grants as Suricata rules. The whole text is ours: a header that seals it, then for each pattern a
//! comment for people, a rule for TLS and a rule for HTTP.
//!
//! The match is that of Network Firewall's own domain lists
//! (<https://docs.aws.amazon.com/network-firewall/latest/developerguide/suricata-examples.html>), with
//! `alert`, so that a use is logged, and the requests in `metadata`.
//!
//! A pattern's sids are kept as long as it stands in the group: they are read back from the text that
//! is replaced, and a new pattern gets the lowest pair that is free.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::{Open, Plan};
use crate::domain::DomainPattern;
use crate::firewall::Content;
use crate::request::RequestId;

/// The first sid of ours; a pattern has an even one for TLS and the next for HTTP.
const FIRST_SID: u32 = 1_000_000;
/// No sid of ours is as high: a rule group has at most 30,000 rules (Network Firewall's quota).
const END_OF_SIDS: u32 = FIRST_SID + 2 * 30_000;
/// The requests that a rule's metadata names at most: Network Firewall takes rules of up to 8,192
/// characters (its quota), and 300 ids stay well below.
const MOST_IDS: usize = 300;
/// How the header begins, before the digest of all that stands below it.
const SEAL: &str =
    "# Studio Egress grants. Written by its functions: what is changed here by hand is put right. sha256:";
/// What a rule group without a grant holds. Whether AWS takes one without any rule is not documented,
/// so it has one for a name that nobody can have (RFC 6761, 6.4).
const INERT: &str = "pass tls $HOME_NET any -> $EXTERNAL_NET any (ssl_state:client_hello; tls.sni; content:\"nothing-is-granted.invalid\"; startswith; nocase; endswith; msg:\"egress: nothing is granted\"; flow:to_server, established; sid:999999; rev:1;)\n";

/// What was read back from a text: each pattern with its first sid, and whether the seal is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadBack {
    /// The patterns that the rules let pass.
    pub sids: BTreeMap<DomainPattern, u32>,
    /// Whether the text is as it was written.
    pub sealed: bool,
}

/// The text of a rule group without any grant: what a new one begins with.
pub fn no_grants() -> String {
    seal(INERT)
}

pub(super) fn plan(current: &str, open: &Open) -> Plan {
    let before = ReadBack::of(current);
    let after = assign(&before.sids, open);
    let text = render(open, &after);
    let drift = (!before.sealed).then(|| {
        let patterns = before.sids.len();
        format!(
            "the rules were changed by hand: {patterns} domains were found in them, {} are granted",
            open.len()
        )
    });
    Plan {
        content: Content::Rules(text),
        added: after
            .keys()
            .filter(|pattern| !before.sids.contains_key(pattern))
            .map(ToString::to_string)
            .collect(),
        removed: before
            .sids
            .keys()
            .filter(|pattern| !after.contains_key(pattern))
            .map(ToString::to_string)
            .collect(),
        drift,
        own_targets: BTreeSet::new(),
        unplaced: BTreeMap::new(),
    }
}

/// Each open pattern's first sid: the one that it has, else the lowest that is free.
fn assign(before: &BTreeMap<DomainPattern, u32>, open: &Open) -> BTreeMap<DomainPattern, u32> {
    let mut sids = BTreeMap::new();
    let mut taken = BTreeSet::new();
    for pattern in open.keys() {
        if let Some(&sid) = before.get(pattern)
            && taken.insert(sid)
        {
            sids.insert(pattern.clone(), sid);
        }
    }
    let free = (FIRST_SID..).step_by(2).filter(|sid| !taken.contains(sid));
    let new: Vec<_> = open.keys().filter(|pattern| !sids.contains_key(pattern)).cloned().collect();
    sids.extend(new.into_iter().zip(free));
    sids
}

fn render(open: &Open, sids: &BTreeMap<DomainPattern, u32>) -> String {
    let mut text = String::with_capacity(512 * open.len());
    for (pattern, open_for) in open {
        if let Some(&sid) = sids.get(pattern) {
            write_pattern(&mut text, pattern, &open_for.requests, sid);
        }
    }
    seal(if text.is_empty() { INERT } else { &text })
}

/// A comment and the two rules of one pattern.
fn write_pattern(text: &mut String, pattern: &DomainPattern, requests: &BTreeSet<RequestId>, sid: u32) {
    let ids = |separator: &str, before: &str| {
        let named = requests.iter().take(MOST_IDS).map(|id| format!("{before}{id}"));
        named.collect::<Vec<_>>().join(separator)
    };
    let metadata = ids(", ", "grant ");
    // The same conditions as a domain list's: `dotprefix` puts a dot before the name that is compared, so
    // `.github.com` matches `github.com` and `www.github.com` and not `notgithub.com`.
    let (prefix, start) =
        if pattern.includes_subdomains() { ("dotprefix; ", "") } else { ("", "startswith; ") };
    // Writing into a String can't fail.
    let _ = writeln!(text, "# {pattern} for {}", ids(" ", ""));
    let _ = writeln!(
        text,
        "pass tls $HOME_NET any -> $EXTERNAL_NET any (ssl_state:client_hello; tls.sni; {prefix}content:\"{pattern}\"; {start}nocase; endswith; alert; msg:\"egress grant {pattern}\"; metadata:{metadata}; flow:to_server, established; sid:{sid}; rev:1;)"
    );
    let _ = writeln!(
        text,
        "pass http $HOME_NET any -> $EXTERNAL_NET any (http.host; {prefix}content:\"{pattern}\"; {start}endswith; alert; msg:\"egress grant {pattern}\"; metadata:{metadata}; flow:to_server, established; sid:{}; rev:1;)",
        sid + 1
    );
}

/// The text under its header.
fn seal(body: &str) -> String {
    format!("{SEAL}{}\n{body}", hex::encode(Sha256::digest(body.as_bytes())))
}

impl ReadBack {
    /// Reads a text back. Rules that aren't of our form are not counted, and the seal shows them.
    pub fn of(text: &str) -> Self {
        let sealed = text
            .strip_prefix(SEAL)
            .and_then(|rest| rest.split_once('\n'))
            .is_some_and(|(digest, body)| digest == hex::encode(Sha256::digest(body.as_bytes())));
        let sids = text.lines().filter_map(pattern_of_rule).collect();
        Self { sids, sealed }
    }
}

/// The pattern and first sid of a line that is a TLS rule of ours.
fn pattern_of_rule(line: &str) -> Option<(DomainPattern, u32)> {
    let options = line.strip_prefix("pass tls ")?;
    let (_, after) = options.split_once("msg:\"egress grant ")?;
    let (name, after) = after.split_once('"')?;
    let (_, after) = after.split_once("; sid:")?;
    let (sid, _) = after.split_once(';')?;
    let pattern = DomainPattern::read(name).ok().filter(|pattern| pattern.to_string() == name)?;
    let sid = sid.parse().ok().filter(|sid| (FIRST_SID..END_OF_SIDS).contains(sid) && sid % 2 == 0)?;
    Some((pattern, sid))
}
