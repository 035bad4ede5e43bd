//! Several rule groups: which pattern stands where.

use egress::request::LiveGrant;
use egress::rules::{self, no_grants};

use crate::harness::{Stage, grant, grant_of, in_turn, sids, strings, unplaced};

/// Grants of one domain each.
fn singles(names: &[&str]) -> Vec<LiveGrant> {
    in_turn(names.iter().map(|name| grant(name, &[&format!("{name}.example.com")])))
}

#[test]
fn groups_are_filled_in_their_order() {
    let mut stage = Stage::rules(&[4, 3, 100]);
    stage.bring_to(&singles(&["a", "b", "c", "d", "e"]));
    // Of three units two make a pattern.
    insta::assert_snapshot!(stage.shown(), @r"
    group-1: a.example.com b.example.com
    group-2: c.example.com
    group-3: d.example.com e.example.com
    ");
}

#[test]
fn what_is_placed_is_not_moved() {
    let mut stage = Stage::rules(&[4, 4]);
    stage.bring_to(&singles(&["a", "b", "c"]));
    let before = sids(stage.text_of(1));
    // The first group gets room, which is for what is new.
    stage.bring_to(&singles(&["c", "d"]));
    insta::assert_snapshot!(stage.shown(), @r"
    group-1: d.example.com
    group-2: c.example.com
    ");
    assert_eq!(sids(stage.text_of(1)), before);
    // A group of which everything has gone keeps one rule.
    stage.bring_to(&singles(&["d"]));
    assert_eq!(stage.text_of(1), no_grants());
}

#[test]
fn a_grant_is_placed_whole_over_two_groups_or_not_at_all() {
    let mut stage = Stage::rules(&[4, 4]);
    let stands = singles(&["a"]);
    stage.bring_to(&stands);
    let large = |count: usize| {
        let names: Vec<String> = (1..=count).map(|n| format!("{n}.example.org")).collect();
        grant("large", &names.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let fits: Vec<_> = stands.iter().cloned().chain([large(3)]).collect();
    let mut with = stage.clone();
    assert!(with.bring_to(&fits).unplaced.is_empty());
    insta::assert_snapshot!(with.shown(), @r"
    group-1: 1.example.org a.example.com
    group-2: 2.example.org 3.example.org
    ");
    let too_large: Vec<_> = stands.iter().cloned().chain([large(4)]).collect();
    let plan = stage.bring_to(&too_large);
    insta::assert_snapshot!(stage.shown(), @r"
    group-1: a.example.com
    group-2: 
    ");
    insta::assert_snapshot!(unplaced(&plan).join("\n"), @"its rules need 8 units of capacity, and 6 are left in the grants groups: 2 are missing. End grants that aren't needed, deploy with a larger GrantCapacity, or add a rule group to the grants groups");
}

#[test]
fn units_that_make_no_whole_pattern_are_not_left() {
    let plan = Stage::rules(&[3, 3]).plan(&[grant("a", &["a.org", "b.org", "c.org"])]);
    assert!(unplaced(&plan)[0].contains("need 6 units of capacity, and 4 are left"), "{plan:?}");
}

#[test]
fn who_was_approved_first_is_placed_first_and_holds_nobody_up() {
    let grants = in_turn([
        grant("first", &["1.example.com"]),
        grant("large", &["2.example.com", "3.example.com", "4.example.com"]),
        grant("small", &["5.example.com"]),
        grant("last", &["6.example.com"]),
    ]);
    for rotation in 0..grants.len() {
        let mut shuffled = grants.clone();
        shuffled.rotate_left(rotation);
        let mut stage = Stage::rules(&[4]);
        let plan = stage.bring_to(&shuffled);
        assert_eq!(stage.shown(), "group-1: 1.example.com 5.example.com");
        assert_eq!(plan.unplaced.len(), 2);
        // What stands isn't taken away for whom was approved before.
        let (large, rest): (Vec<_>, Vec<_>) = shuffled.into_iter().partition(|grant| grant.domains.len() > 1);
        assert_eq!(stage.bring_to(&rest).unplaced.len(), 1);
        assert_eq!(stage.bring_to(&[large, rest].concat()).unplaced.len(), 2);
        assert_eq!(stage.shown(), "group-1: 1.example.com 5.example.com");
    }
}

#[test]
fn one_pattern_of_several_grants_takes_one_place() {
    let grants = in_turn([
        grant("a", &["pypi.org", "pypi.org"]),
        grant("b", &["pypi.org"]),
        grant("c", &["pypi.org", "files.pythonhosted.org"]),
    ]);
    let mut stage = Stage::rules(&[4]);
    assert!(stage.bring_to(&grants).unplaced.is_empty());
    assert_eq!(sids(stage.text_of(0)).len(), 2);
}

#[test]
fn half_of_a_plan_is_finished_as_it_was_begun() {
    let grants = singles(&["a", "b", "c", "d"]);
    let mut whole = Stage::rules(&[4, 4]);
    whole.bring_to(&grants);
    for (first, second) in [(true, false), (false, true)] {
        // Who wrote it died between two groups.
        let mut half = Stage::rules(&[4, 4]);
        for (place, written) in [first, second].into_iter().enumerate() {
            if written {
                half.set(place, whole.groups[place].content.clone());
            }
        }
        assert!(half.bring_to(&grants).unplaced.is_empty());
        assert_eq!(half.shown(), whole.shown());
    }
}

#[test]
fn a_group_that_takes_nothing_new_is_passed_over() {
    let mut stage = Stage::rules(&[100, 2]).close(0, "AWS says that it is full");
    let plan = stage.bring_to(&singles(&["a", "b"]));
    insta::assert_snapshot!(stage.shown(), @r"
    group-1: 
    group-2: a.example.com
    ");
    assert_eq!(unplaced(&plan), ["AWS says that it is full"]);
    // What stands in it stays, and what ends is closed.
    let mut stage = Stage::rules(&[100]);
    stage.bring_to(&singles(&["a", "b"]));
    let mut stage = stage.close(0, "AWS says that it is full");
    stage.bring_to(&singles(&["b", "c"]));
    assert_eq!(stage.shown(), "group-1: b.example.com");
}

#[test]
fn groups_of_both_shapes_stand_beside_each_other() {
    let mut stage = Stage::rules(&[2, 100]);
    stage.make_list(1, strings(&["theirs.example.org"]), strings(&[]));
    let grants = singles(&["a", "b"]);
    let plan = stage.bring_to(&grants);
    insta::assert_snapshot!(stage.shown(), @r"
    group-1: a.example.com
    group-2: b.example.com theirs.example.org
    ");
    assert_eq!(plan.groups[1].own_targets, strings(&["b.example.com"]));
    stage.bring_to(&[]);
    insta::assert_snapshot!(stage.shown(), @r"
    group-1: 
    group-2: theirs.example.org
    ");
}

#[test]
fn room_is_what_is_left_once_all_that_is_granted_stands() {
    let mut stage = Stage::rules(&[4, 5]);
    let (stands, waits) = (singles(&["a"]), singles(&["a", "b"]));
    stage.bring_to(&stands);
    let patterns = |names: &[&str]| grant("new", names).domains;
    let room = |live: &[LiveGrant], names| rules::room(&stage.groups, live, &patterns(names));
    assert_eq!(room(&stands, &["new.org", ".new.org", "new.org", "a.example.com"]), (4, 6));
    assert_eq!(room(&waits, &["new.org", "b.example.com"]), (2, 4));
    assert_eq!(room(&[], &[]), (0, 8));
}

#[test]
fn the_room_of_a_list_is_an_estimate_without_the_ledger() {
    let mut stage = Stage::list(&["theirs.example.org", "a.example.com"], &["a.example.com"]);
    stage.groups[0].capacity = 20;
    let live = singles(&["a"]);
    let new = grant("new", &["new.org", "a.example.com", "theirs.example.org"]).domains;
    assert_eq!(rules::room(&stage.groups, &live, &new), (2, 14));
}

#[test]
fn ten_thousand_grants_are_placed_at_once() {
    // Each step that compared all with all would take minutes here.
    let pattern = |n: usize| format!("host-{n}.example.com").parse().unwrap();
    let of =
        |patterns: usize| in_turn((0..10_000).map(|n| grant_of(&n.to_string(), &[pattern(n % patterns)])));
    for (patterns, groups) in [(2_000, 1), (10_000, 4)] {
        let grants = of(patterns);
        let mut stage = Stage::rules(&vec![30_000; groups]);
        let plan = stage.bring_to(&grants);
        assert!(plan.unplaced.is_empty(), "{:?}", plan.unplaced.values().next());
        let standing: usize = (0..groups).map(|place| sids(stage.text_of(place)).len()).sum();
        assert_eq!(standing, patterns);
        let again = stage.plan(&grants);
        assert!(again.groups.iter().all(|group| group.added.is_empty() && group.removed.is_empty()));
    }
}
