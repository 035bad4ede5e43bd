//! A record, read as what the invariants speak of: the life of each grant, and the versions of each rule group.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use egress::domain::DomainPattern;
use egress::firewall::Content;
use egress::ledger::Transition;
use egress::request::{Ending, RequestId, StateName};
use jiff::Timestamp;

use super::record::{Fact, Invoked, Record, What};

/// What stands in a group that nobody is granted anything in.
pub(super) const INERT: &str = "nothing-is-granted.invalid";

/// A record, read.
#[derive(Debug)]
pub(super) struct Story<'a> {
    pub(super) record: &'a Record,
    /// The life of every request that was written.
    pub(super) lives: BTreeMap<&'a RequestId, Life<'a>>,
    /// The rule groups, in their order.
    pub(super) groups: Vec<Group<'a>>,
}

/// The life of a request and of its grant. Places are those of facts.
#[derive(Debug)]
pub(super) struct Life<'a> {
    pub(super) id: &'a RequestId,
    pub(super) domains: &'a [DomainPattern],
    /// What was written of it, in order.
    pub(super) transitions: Vec<(usize, &'a Transition)>,
    /// Where its grant began.
    pub(super) began: Option<usize>,
    /// Where its grant ended in the ledger, and how.
    pub(super) ended: Option<(usize, Ending)>,
    /// When its grant ends by the clock.
    pub(super) ends_at: Timestamp,
}

/// A rule group.
#[derive(Debug)]
pub(super) struct Group<'a> {
    pub(super) arn: &'a str,
    pub(super) is_list: bool,
    /// What it held, from the beginning.
    pub(super) versions: Vec<Version>,
}

/// What a rule group held for some time.
#[derive(Debug)]
pub(super) struct Version {
    /// The place of the fact that it came by; 0 in the beginning.
    pub(super) place: usize,
    /// When it came.
    pub(super) at: Duration,
    /// The invocation that wrote it; none for the first, and for what people write.
    pub(super) by: Option<usize>,
    /// Its entries: of a list as they stand there, of rules their patterns; each with its rules.
    pub(super) entries: BTreeMap<String, Vec<Rule>>,
    /// Rules that aren't of our form.
    pub(super) foreign: usize,
}

/// A rule of our form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) is_tls: bool,
    pub(super) sid: u32,
    /// The requests that its metadata names.
    pub(super) ids: BTreeSet<String>,
}

impl<'a> Story<'a> {
    pub(super) fn read(record: &'a Record) -> Self {
        let mut groups: Vec<Group<'a>> = record.groups.iter().map(Group::first).collect();
        let mut lives: BTreeMap<&'a RequestId, Life<'a>> = BTreeMap::new();
        for (place, fact) in record.facts.iter().enumerate() {
            match &fact.what {
                What::Wrote { group, content } => {
                    if let Some(group) = groups.iter_mut().find(|known| known.arn == group) {
                        group.versions.push(Version::of(content, place, fact));
                    }
                }
                What::Committed(transition) => {
                    let life = lives.entry(&transition.request.id).or_insert_with(|| Life::of(transition));
                    life.goes_on(place, transition);
                }
                _ => {}
            }
        }
        Self { record, lives, groups }
    }

    /// The facts of a kind, with their places.
    pub(super) fn facts<T>(
        &self,
        which: impl Fn(&'a What) -> Option<T>,
    ) -> impl Iterator<Item = (usize, &'a Fact, T)> {
        let facts = self.record.facts.iter().enumerate();
        facts.filter_map(move |(place, fact)| Some((place, fact, which(&fact.what)?)))
    }

    pub(super) fn invocation(&self, by: usize) -> Option<&'a Invoked> {
        self.record.invocations.get(by)
    }

    /// Where an invocation last read the rule groups, before a place.
    pub(super) fn read_before(&self, by: usize, place: usize) -> Option<usize> {
        let before = self.record.facts.iter().enumerate().take(place);
        let reads = before.filter(|(_, fact)| fact.by == Some(by) && matches!(fact.what, What::ReadGroups));
        reads.map(|(place, _)| place).next_back()
    }

    /// The place of what happened so long before what happened at a place.
    pub(super) fn place_before(&self, place: usize, time: Duration) -> usize {
        let facts = &self.record.facts;
        let since = facts.get(place).map_or(Duration::ZERO, |fact| fact.at.saturating_sub(time));
        facts.partition_point(|fact| fact.at < since)
    }

    /// The entries of a shared list that are claimed at a place.
    pub(super) fn own_at(&self, group: &str, place: usize) -> BTreeSet<&'a str> {
        let mut own = BTreeSet::new();
        for fact in self.record.facts.iter().take(place) {
            match &fact.what {
                What::Claimed(of, targets) if of == group => own.extend(targets.iter().map(String::as_str)),
                What::Released(of, targets) if of == group => {
                    own.retain(|target| !targets.iter().any(|released| released == target));
                }
                _ => {}
            }
        }
        own
    }

    /// The grants that an entry of a group serves.
    pub(super) fn served<'s>(&'s self, entry: &str, group: &Group<'_>) -> Vec<&'s Life<'a>> {
        let entry = Entry::read(entry, group.is_list);
        self.lives.values().filter(|life| life.domains.iter().any(|domain| entry.serves(domain))).collect()
    }

    /// Whether a pattern is served by what these versions of the groups hold: with TLS and with HTTP.
    pub(super) fn is_served(versions: &[(&Group<'_>, &Version)], domain: &DomainPattern) -> bool {
        versions.iter().any(|(group, version)| {
            if !group.is_list {
                return version.has_both_rules(domain);
            }
            version.entries.keys().any(|entry| Entry::read(entry, true).serves(domain))
        })
    }

    /// Whether a pattern stands in one of these versions by itself. In a list that is an entry of its name, which
    /// is as wide or wider; what is wider by more than the dot may go while this stays.
    pub(super) fn stands(versions: &[(&Group<'_>, &Version)], domain: &DomainPattern) -> bool {
        versions.iter().any(|(group, version)| {
            if !group.is_list {
                return version.has_both_rules(domain);
            }
            let dotted = format!(".{}", domain.name());
            version.entries.contains_key(&domain.to_string()) || version.entries.contains_key(&dotted)
        })
    }

    /// What stands in each group at a place.
    pub(super) fn standing(&self, place: usize) -> Vec<(&Group<'a>, &Version)> {
        self.groups.iter().filter_map(|group| Some((group, group.at(place)?))).collect()
    }

    /// What the availability zones may work with at a place: the last version that all of them have, and all
    /// that came since.
    pub(super) fn in_effect<'s>(&'s self, group: &'s Group<'a>, place: usize) -> Vec<&'s Version> {
        let Some(now) = self.record.facts.get(place).map(|fact| fact.at) else { return Vec::new() };
        let come: Vec<&Version> = group.versions.iter().filter(|version| version.place <= place).collect();
        let everywhere =
            |version: &&Version| version.place == 0 || version.at + self.record.sync_delay <= now;
        let last = come.iter().rposition(everywhere).unwrap_or(0);
        come.into_iter().skip(last).collect()
    }
}

impl<'a> Life<'a> {
    fn of(transition: &'a Transition) -> Self {
        let request = &transition.request;
        Self {
            id: &request.id,
            domains: &request.domains,
            transitions: Vec::new(),
            began: None,
            ended: None,
            ends_at: Timestamp::MAX,
        }
    }

    fn goes_on(&mut self, place: usize, transition: &'a Transition) {
        self.transitions.push((place, transition));
        let request = &transition.request;
        if request.state.is_live() && self.began.is_none() {
            self.began = Some(place);
            self.ends_at = request.ends_at.unwrap_or(Timestamp::MAX);
        }
        if let (StateName::Ended, Some(ending), None) = (request.state, request.ending, self.ended) {
            self.ended = Some((place, ending));
        }
    }

    /// Whether the grant is live at a place, by the ledger.
    pub(super) fn is_live(&self, place: usize) -> bool {
        self.began.is_some_and(|began| began <= place) && self.ended.is_none_or(|(ended, _)| ended > place)
    }

    /// Whether the grant had begun and not ended in the ledger at some place from one to another.
    pub(super) fn lives_within(&self, from: usize, to: usize) -> bool {
        self.began.is_some_and(|began| began <= to) && self.ended.is_none_or(|(ended, _)| ended > from)
    }
}

impl<'a> Group<'a> {
    fn first((arn, content): &'a (String, Content)) -> Self {
        let (entries, foreign) = entries(content);
        let first = Version { place: 0, at: Duration::ZERO, by: None, entries, foreign };
        Self { arn, is_list: matches!(content, Content::DomainList(_)), versions: vec![first] }
    }

    /// What it holds at a place.
    pub(super) fn at(&self, place: usize) -> Option<&Version> {
        self.versions.iter().rev().find(|version| version.place <= place)
    }

    /// Each version that we wrote, with the one before it.
    pub(super) fn writes(&self) -> impl Iterator<Item = (usize, &Version, &Version)> {
        let pairs = self.versions.iter().zip(self.versions.iter().skip(1));
        pairs.filter_map(|(before, after)| Some((after.by?, before, after)))
    }

    /// The entries that stand at a place and are there by us. In a shared list those are what we put there;
    /// where people have put something, too, it is theirs.
    pub(super) fn ours_at(&self, place: usize) -> BTreeSet<&str> {
        let mut ours = BTreeSet::new();
        let mut before: Option<&Version> = None;
        for version in self.versions.iter().take_while(|version| version.place <= place) {
            let stood = |entry: &str| before.is_some_and(|before| before.entries.contains_key(entry));
            ours.retain(|entry: &&str| version.entries.contains_key(*entry));
            if version.by.is_some() || !self.is_list {
                ours.extend(version.entries.keys().map(String::as_str).filter(|entry| !stood(entry)));
            }
            before = Some(version);
        }
        ours.remove(INERT);
        ours
    }

    /// What it holds in the end.
    pub(super) fn last(&self) -> Option<&Version> {
        self.versions.last()
    }
}

impl Version {
    fn has_both_rules(&self, domain: &DomainPattern) -> bool {
        let rules = self.entries.get(&domain.to_string());
        rules
            .is_some_and(|rules| [true, false].iter().all(|tls| rules.iter().any(|rule| rule.is_tls == *tls)))
    }

    fn of(content: &Content, place: usize, fact: &Fact) -> Self {
        let (entries, foreign) = entries(content);
        Self { place, at: fact.at, by: fact.by, entries, foreign }
    }
}

/// An entry of a group, as what it lets pass.
struct Entry {
    pattern: Option<DomainPattern>,
    is_list: bool,
}

impl Entry {
    fn read(text: &str, is_list: bool) -> Self {
        Self { pattern: DomainPattern::read(text).ok(), is_list }
    }

    /// Whether what it lets pass is all of what a grant is for. In rules each pattern has its own.
    fn serves(&self, domain: &DomainPattern) -> bool {
        self.pattern.as_ref().is_some_and(|entry| entry == domain || (self.is_list && entry.covers(domain)))
    }
}

/// The entries of a content with their sids, and how many rules there are that aren't ours.
fn entries(content: &Content) -> (BTreeMap<String, Vec<Rule>>, usize) {
    let (mut entries, mut foreign) = (BTreeMap::<String, Vec<Rule>>::new(), 0);
    match content {
        Content::DomainList(targets) => {
            entries.extend(targets.iter().map(|target| (target.clone(), Vec::new())));
        }
        Content::Rules(text) => {
            for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
                match rule(line) {
                    Some((pattern, rule)) => entries.entry(pattern).or_default().push(rule),
                    None => foreign += 1,
                }
            }
        }
    }
    (entries, foreign)
}

/// The pattern and the marks of a rule of ours.
fn rule(line: &str) -> Option<(String, Rule)> {
    let starts = [("pass tls $HOME_NET ", true), ("pass http $HOME_NET ", false)];
    let (start, is_tls) = starts.iter().find(|(start, _)| line.starts_with(start))?;
    let (_, rest) = line.strip_prefix(start)?.split_once("content:\"")?;
    let (pattern, rest) = rest.split_once('"')?;
    let (between, rest) = rest.split_once("; sid:")?;
    let (sid, _) = rest.split_once(';')?;
    let ids = between.split_once("; metadata:").and_then(|(_, rest)| rest.split_once(';'));
    let ids = ids.map_or("", |(ids, _)| ids).split(", ").filter_map(|entry| entry.strip_prefix("grant "));
    let ids = ids.map(str::to_owned).collect();
    Some((pattern.to_owned(), Rule { is_tls: *is_tls, sid: sid.parse().ok()?, ids }))
}
