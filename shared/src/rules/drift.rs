//! What somebody changed by hand, as far as it can be told.

use std::collections::BTreeSet;

use super::Open;
use super::suricata::{ReadBack, is_around_our_rules, pattern_of_our_rule};
use crate::domain::DomainPattern;

/// Domains of each kind that are told, at most.
const MOST_DOMAINS: usize = 50;
/// Domains that the sentence names, at most.
const MOST_NAMED: usize = 5;
/// Lines that are told, at most.
const MOST_LINES: usize = 10;
/// How much of a line is told, in characters before they are escaped.
const LONGEST_LINE: usize = 300;

/// What somebody changed by hand in a rule group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Drift {
    /// One sentence.
    pub found: String,
    /// The domains that were let pass and that nobody is granted, at most fifty.
    pub added: Vec<String>,
    /// The granted domains that were missing, at most fifty.
    pub missing: Vec<String>,
    /// The lines that aren't ours, at most ten, each cut to 300 characters; what isn't printable ASCII is
    /// escaped.
    pub lines: Vec<String>,
}

impl Drift {
    /// In a text that is all ours, and isn't as it was written. So many patterns have their place there, of
    /// all that is `granted`; `gone` stood once, in this group or another, and stands nowhere now.
    pub(super) fn of_rules(
        text: &str,
        before: &ReadBack,
        put: usize,
        granted: &Open,
        gone: &BTreeSet<&DomainPattern>,
    ) -> Self {
        let mut added: BTreeSet<DomainPattern> = before.sids.keys().cloned().collect();
        let mut lines = Vec::new();
        for line in text.lines() {
            if let Some(pattern) = pattern_of_our_rule(line) {
                added.insert(pattern);
            } else if !is_around_our_rules(line) && lines.len() < MOST_LINES {
                lines.push(shown(line));
            }
        }
        added.retain(|pattern| !granted.contains_key(pattern));
        let found = format!(
            "the rules were changed by hand: {} domains were found in them, {put} have their place there",
            before.sids.len(),
        );
        Self { found, added: names(&added), missing: names(gone.iter().copied()), lines }
    }

    /// In a list that others use too.
    pub(super) fn of_list(mut missing: Vec<String>) -> Self {
        let named = missing.iter().take(MOST_NAMED).cloned().collect::<Vec<_>>().join(", ");
        let more = match missing.len().saturating_sub(MOST_NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        missing.truncate(MOST_DOMAINS);
        let found = format!("entries of ours were missing from the list: {named}{more}");
        Self { found, missing, ..Self::default() }
    }
}

fn names<'a>(patterns: impl IntoIterator<Item = &'a DomainPattern>) -> Vec<String> {
    patterns.into_iter().take(MOST_DOMAINS).map(ToString::to_string).collect()
}

/// A line that somebody wrote, for people: nothing in it moves a cursor or looks like another letter.
fn shown(line: &str) -> String {
    let mut shown = String::new();
    for letter in line.chars().take(LONGEST_LINE) {
        if letter == ' ' || letter.is_ascii_graphic() {
            shown.push(letter);
        } else {
            shown.extend(letter.escape_default());
        }
    }
    shown
}
