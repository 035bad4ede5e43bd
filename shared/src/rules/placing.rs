//! Which pattern gets its place in which rule group.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::shelf::Shelf;
use super::suricata::{self, LONGEST_RULES};
use super::{Open, OpenFor};
use crate::domain::DomainPattern;
use crate::request::{LiveGrant, RequestId};

/// What is to be open and stands already keeps its place. Answers the patterns that stood once, since a grant of
/// them is active, and stand nowhere now.
pub(super) fn put_what_stands<'a>(shelves: &mut [Shelf<'a>], open: &'a Open) -> BTreeSet<&'a DomainPattern> {
    let (mut gone, mut with_choice) = (BTreeSet::new(), Vec::new());
    for (pattern, open_for) in open {
        let mut places = places_where(shelves, |shelf| shelf.has(pattern));
        if places.is_empty() {
            places = places_where(shelves, |shelf| shelf.has_wider(pattern));
        }
        match places.as_slice() {
            [] if open_for.active => _ = gone.insert(pattern),
            [] => {}
            [place] => put(shelves, &[*place], pattern, open_for),
            _ => with_choice.push((pattern, open_for, places)),
        }
    }
    // Only a hand makes two places of a pattern. It keeps the first in which nothing else needs the room.
    for (pattern, open_for, places) in with_choice {
        put(shelves, &places, pattern, open_for);
    }
    gone
}

fn places_where<'a>(shelves: &[Shelf<'a>], is_one: impl Fn(&Shelf<'a>) -> bool) -> Vec<usize> {
    shelves.iter().enumerate().filter(|(_, shelf)| is_one(shelf)).map(|(place, _)| place).collect()
}

/// Puts a pattern where it stands. A hand can fill a group with more than there is room for as we write it.
fn put<'a>(shelves: &mut [Shelf<'a>], places: &[usize], pattern: &'a DomainPattern, open_for: &'a OpenFor) {
    for place in places {
        if let Some(shelf) = shelves.get_mut(*place)
            && shelf.can_keep(pattern)
        {
            return shelf.put(pattern, open_for);
        }
    }
}

/// Places the grants in their turn: first those that stood once, so that what a hand took out comes back whoever
/// has waited for its room; then who was approved first. Answers those that can't be, and why.
pub(super) fn place_the_rest<'a>(
    shelves: &mut [Shelf<'a>],
    live: &[LiveGrant],
    open: &'a Open,
) -> BTreeMap<RequestId, String> {
    let mut in_turn: Vec<&LiveGrant> = live.iter().collect();
    in_turn.sort_by_key(|grant| (!grant.active, grant.approved_at, &grant.request_id));
    loop {
        let (mut waiting, mut unplaced) = (Vec::new(), BTreeMap::new());
        for &grant in &in_turn {
            if let Err(reason) = place(grant, open, shelves) {
                waiting.push(grant);
                unplaced.insert(grant.request_id.clone(), reason);
            }
        }
        // Who is placed later can be of use to who waits: where they share a pattern, less is needed.
        if waiting.is_empty() || waiting.len() == in_turn.len() {
            return unplaced;
        }
        in_turn = waiting;
    }
}

/// Finds places for all patterns of a grant that have none, or for none of them.
fn place<'a>(grant: &LiveGrant, open: &'a Open, shelves: &mut [Shelf<'a>]) -> Result<(), String> {
    let new: BTreeMap<_, _> = grant
        .domains
        .iter()
        .filter(|pattern| !shelves.iter().any(|shelf| shelf.has_put(pattern)))
        .filter_map(|pattern| open.get_key_value(pattern))
        .collect();
    let mut new: Vec<(&DomainPattern, &OpenFor)> = new.into_iter().collect();
    // First what fits into fewer places.
    let obstacles =
        |pattern| shelves.iter().filter(|shelf| shelf.stands_in_its_way(pattern).is_some()).count();
    new.sort_by_cached_key(|(pattern, open_for)| {
        Reverse((obstacles(pattern), suricata::most_bytes(pattern, open_for.requests.len())))
    });
    for (done, &(pattern, open_for)) in new.iter().enumerate() {
        if let Some(shelf) =
            shelves.iter_mut().find(|shelf| shelf.has_room_for(&grant.request_id, pattern, open_for))
        {
            shelf.put(pattern, open_for);
            continue;
        }
        for shelf in shelves.iter_mut() {
            new.iter().take(done).for_each(|(placed, _)| shelf.take_away(placed));
        }
        return Err(why_not(&grant.request_id, pattern, new.len(), shelves));
    }
    Ok(())
}

/// Why a grant that needs places for so many patterns can't get one for this pattern, and what to do.
fn why_not(grant: &RequestId, pattern: &DomainPattern, patterns: usize, shelves: &[Shelf<'_>]) -> String {
    if let Some(other) = shelves.iter().find_map(|shelf| shelf.stands_in_its_way(pattern)) {
        return format!(
            "{pattern} can't stand in the domain list beside {other}, which others have put there: change that entry to {pattern}"
        );
    }
    if let Some(reason) = shelves.iter().find_map(|shelf| shelf.refuses(grant)) {
        return reason.to_owned();
    }
    let (needed, left) = units(patterns, shelves);
    let what = match needed.checked_sub(left) {
        Some(missing @ 1..) => format!(
            "its rules need {needed} units of capacity, and {left} are left in the grants groups: {missing} are missing"
        ),
        _ => format!(
            "its rules need room for {patterns} domains, and the text of the grants groups is full ({LONGEST_RULES} bytes each)"
        ),
    };
    format!(
        "{what}. End grants that aren't needed, deploy with a larger GrantCapacity, or add a rule group to the grants groups"
    )
}

/// How many units of capacity so many patterns take in the first group, and how many of that kind are left in
/// all groups for whole patterns.
pub(super) fn units(patterns: usize, shelves: &[Shelf<'_>]) -> (u64, u64) {
    let each = shelves.first().map_or(1, Shelf::units_of_a_pattern);
    let places: u64 = shelves.iter().map(|shelf| shelf.units_left() / shelf.units_of_a_pattern()).sum();
    (each * u64::try_from(patterns).unwrap_or(u64::MAX), each * places)
}
