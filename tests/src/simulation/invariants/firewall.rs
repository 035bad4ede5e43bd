//! What stands in the rule groups.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use egress::bus::Event;
use egress::domain::DomainPattern;
use egress::request::StateName;

use crate::simulation::record::What;
use crate::simulation::story::{Group, INERT, Life, Rule, Story, Version};

/// So long an invocation lasts at most.
const LONGEST_INVOCATION: Duration = Duration::from_mins(5);

/// In the end, what stands is what is live; who doesn't fit was told so.
pub(super) fn is_what_the_ledger_says(story: &Story<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    for group in &story.groups {
        let foreign = group.last().map_or(0, |last| last.foreign);
        if foreign > 0 {
            wrong.push(format!("{foreign} rules in {} are nobody's", group.arn));
        }
        for entry in group.ours_at(usize::MAX) {
            if !story.served(entry, group).into_iter().any(|life| is_live(story, life)) {
                wrong.push(format!("{entry} stands in {} and nobody is granted it", group.arn));
            }
        }
        if let Some(last) = group.last().filter(|_| !group.is_list) {
            wrong.extend(rules_that_are_not_whole(story, group, last));
        }
    }
    let standing = story.standing(usize::MAX);
    let live = story.lives.values().filter(|life| is_live(story, life));
    wrong.extend(live.flat_map(|life| is_open_or_was_told(story, life, &standing)));
    wrong
}

/// Rules that aren't one for TLS and one for HTTP with sids of their own, and name whom they are for: to them
/// what passes is ascribed, and by them it is cut.
fn rules_that_are_not_whole(story: &Story<'_>, group: &Group<'_>, version: &Version) -> Vec<String> {
    let mut wrong = Vec::new();
    for (entry, rules) in version.entries.iter().filter(|(entry, _)| *entry != INERT) {
        let lives = story.served(entry, group).into_iter().filter(|life| is_live(story, life));
        let ids: BTreeSet<String> = lives.map(|life| life.id.to_string()).collect();
        if !is_valid(version, rules) || rules.iter().any(|rule| rule.ids != ids) {
            wrong.push(format!("{entry} stands in {} by {rules:?}, and should for {ids:?}", group.arn));
        }
    }
    wrong
}

/// A grant that is live stands whole and is active, or has no room and was told so.
fn is_open_or_was_told(
    story: &Story<'_>,
    life: &Life<'_>,
    standing: &[(&Group<'_>, &Version)],
) -> Vec<String> {
    let mut missing: Vec<_> = life.domains.iter().collect();
    missing.retain(|domain| !Story::stands(standing, domain));
    let mut wrong = Vec::new();
    if missing.is_empty() {
        if !is_in(story, life, StateName::Active) {
            wrong.push(format!("{} stands whole, and is not called active", life.id));
        }
        return wrong;
    }
    if has_room(story, standing, &missing) {
        wrong.push(format!("{} waits although there is room for {missing:?}", life.id));
    }
    if !is_told_to_wait(story, life) {
        wrong.push(format!("{} is live without {missing:?}, and nobody was told", life.id));
    }
    wrong
}

/// Whether a request's grant is live in the end.
fn is_live(story: &Story<'_>, life: &Life<'_>) -> bool {
    story.record.end.requests.get(life.id).is_some_and(|request| request.state.is_live())
}

/// Whether a request is in a state in the end.
fn is_in(story: &Story<'_>, life: &Life<'_>, state: StateName) -> bool {
    story.record.end.requests.get(life.id).is_some_and(|request| request.state == state)
}

/// Whether a grant is known to wait for room, and that was told.
fn is_told_to_wait(story: &Story<'_>, life: &Life<'_>) -> bool {
    let request = story.record.end.requests.get(life.id);
    let waits =
        request.is_some_and(|request| request.state == StateName::Approved && request.waits_for.is_some());
    waits
        && story.record.facts.iter().any(|fact| match &fact.what {
            What::Published(events) => events.iter().any(|event| says_that_it_waits(event, life)),
            _ => false,
        })
}

fn says_that_it_waits(event: &Event, life: &Life<'_>) -> bool {
    let id = event.detail.pointer("/request/id").and_then(serde_json::Value::as_str);
    event.detail_type == "GrantWaits" && id == Some(life.id.as_str())
}

/// Whether these patterns would fit: each takes two units of rules; of a list, too, where none of its name may be
/// there already, and HTTP takes one unit more.
fn has_room(story: &Story<'_>, standing: &[(&Group<'_>, &Version)], missing: &[&DomainPattern]) -> bool {
    let left = |(group, version): &(&Group<'_>, &Version)| {
        let names: BTreeSet<&str> =
            version.entries.keys().map(|entry| entry.trim_start_matches('.')).collect();
        if group.is_list && missing.iter().any(|domain| names.contains(domain.name())) {
            return 0;
        }
        let entries = version.entries.keys().filter(|entry| *entry != INERT).count() as u64;
        story.record.capacity.saturating_sub(2 * entries + u64::from(group.is_list)) / 2
    };
    standing.iter().map(left).sum::<u64>() >= missing.len() as u64
}

/// In a shared list, what people put there stays until people take it away: unless we had, or were about to
/// have, an entry of that name.
pub(super) fn others_are_left_alone(story: &Story<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    for group in story.groups.iter().filter(|group| group.is_list) {
        let mut theirs: BTreeSet<&str> = BTreeSet::new();
        let mut before: Option<&Version> = None;
        for version in &group.versions {
            let held = |entry: &str| before.is_some_and(|before| before.entries.contains_key(entry));
            if version.by.is_none() {
                let own = story.own_at(group.arn, version.place);
                let entries = version.entries.keys().map(String::as_str);
                let new = entries.filter(|entry| !held(entry) && !own.contains(entry));
                theirs.extend(new.filter(|entry| !is_about_to_be_ours(story, entry, version.place)));
                theirs.retain(|entry| version.entries.contains_key(*entry));
            } else {
                let gone = theirs.iter().filter(|entry| !version.entries.contains_key(**entry));
                wrong.extend(
                    gone.map(|entry| format!("we took {entry} out of {}, which is others'", group.arn)),
                );
                theirs.retain(|entry| version.entries.contains_key(*entry));
            }
            before = Some(version);
        }
    }
    wrong
}

/// Whether an invocation that is running may think that an entry of this name is to be put there by us: then it
/// is ours.
fn is_about_to_be_ours(story: &Story<'_>, entry: &str, place: usize) -> bool {
    let bare = entry.trim_start_matches('.');
    let same_name = |life: &&Life<'_>| life.domains.iter().any(|domain| domain.name() == bare);
    let since = story.place_before(place, LONGEST_INVOCATION);
    story.lives.values().filter(same_name).any(|life| life.lives_within(since, place))
}

/// Every entry that a write of ours brings, or that it leaves and that is ours, is of a grant that was live when
/// the writer had read the token, or came to be since.
pub(super) fn nothing_is_opened_that_is_not_granted(story: &Story<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    for group in &story.groups {
        for (by, _, after) in group.writes() {
            let (Some(read), Some(invoked)) = (story.read_before(by, after.place), story.invocation(by))
            else {
                wrong.push(format!("#{by} wrote {} without reading it", group.arn));
                continue;
            };
            let Some((clock, _)) = invoked.clock else { continue };
            for entry in group.ours_at(after.place) {
                let granted = |life: &&Life<'_>| life.lives_within(read, after.place) && life.ends_at > clock;
                if !story.served(entry, group).iter().any(granted) {
                    wrong.push(format!("#{by} wrote {entry} into {}, which nobody was granted", group.arn));
                }
            }
        }
    }
    wrong
}

/// No write of ours takes away what was granted when the writer read the groups and still is: unless it stood
/// in another group, too, or a hand had taken a part of it away.
pub(super) fn nothing_is_closed_that_is_granted(story: &Story<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    for group in &story.groups {
        for (by, before, after) in group.writes() {
            let Some(read) = story.read_before(by, after.place) else { continue };
            let Some((_, clock)) = story.invocation(by).and_then(|invoked| invoked.clock) else { continue };
            let now = story.standing(after.place);
            let goes_on =
                |life: &&Life<'_>| life.is_live(read) && life.is_live(after.place) && life.ends_at > clock;
            let stood = before.entries.iter().filter(|(_, rules)| group.is_list || is_valid(before, rules));
            for (entry, _) in stood.filter(|(entry, _)| !after.entries.contains_key(*entry)) {
                let closes = |life: &&Life<'_>| {
                    let mut domains = life.domains.iter();
                    domains.any(|domain| domain.to_string() == *entry && !Story::is_served(&now, domain))
                };
                let lives = story.served(entry, group).into_iter().filter(goes_on).filter(closes);
                let said = |life: &Life<'_>| {
                    format!("#{by} took {entry} out of {}, granted to {}", group.arn, life.id)
                };
                wrong.extend(lives.map(said));
            }
        }
    }
    wrong
}

/// A pattern's sids stay as long as it stands, no two rules of a group have one, and what stands in one group is
/// not put into another.
pub(super) fn what_stands_keeps_its_place(story: &Story<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    for group in &story.groups {
        for (by, before, after) in group.writes() {
            let mut sids = BTreeSet::new();
            if !after.entries.values().flatten().all(|rule| sids.insert(rule.sid)) {
                wrong.push(format!("#{by} wrote a sid twice into {}", group.arn));
            }
            for (entry, rules) in &after.entries {
                match before.entries.get(entry) {
                    Some(old) if is_valid(before, old) && sids_of(old) != sids_of(rules) => {
                        wrong.push(format!("#{by} changed the sids of {entry} from {old:?} to {rules:?}"));
                    }
                    Some(_) => {}
                    None if entry == INERT => {}
                    None => wrong.extend(moved(story, group, by, entry, after.place)),
                }
            }
        }
    }
    wrong
}

fn sids_of(rules: &[Rule]) -> Vec<u32> {
    rules.iter().map(|rule| rule.sid).collect()
}

/// Whether rules are a pair as we write it, with sids that nobody else has in that version.
fn is_valid(version: &Version, rules: &[Rule]) -> bool {
    let [tls, http] = rules else { return false };
    let mut counts: BTreeMap<u32, u32> = BTreeMap::new();
    for rule in version.entries.values().flatten() {
        *counts.entry(rule.sid).or_default() += 1;
    }
    (tls.is_tls && !http.is_tls)
        && tls.sid % 2 == 0
        && tls.sid >= 1_000_000
        && http.sid == tls.sid + 1
        && [tls, http].iter().all(|rule| counts.get(&rule.sid) == Some(&1))
}

fn moved(story: &Story<'_>, to: &Group<'_>, by: usize, entry: &str, place: usize) -> Option<String> {
    let read = story.read_before(by, place)?;
    let whole = |version: &Version| version.entries.get(entry).is_some_and(|rules| is_valid(version, rules));
    let stood = |group: &&Group<'_>| group.arn != to.arn && group.at(read).is_some_and(whole);
    let from = story.groups.iter().find(stood)?;
    Some(format!("#{by} moved {entry} from {} to {}", from.arn, to.arn))
}
