//! A domain list that others use too.

use egress::firewall::Content;
use egress::rules::{self, Plan};

use crate::harness::{Stage, active, grant, in_turn, strings, unplaced};

fn shown(plan: &Plan) -> String {
    let group = &plan.groups[0];
    let Content::DomainList(targets) = &group.content else { panic!("not a list") };
    format!(
        "list: {targets:?}\nadded: {:?}\nremoved: {:?}\nours: {:?}\ndrift: {:?}\nunplaced: {:?}",
        group.added,
        group.removed,
        group.own_targets,
        group.drift,
        unplaced(plan),
    )
}

#[test]
fn a_shared_list_has_ours_beside_theirs() {
    let grants = [
        grant("a", &["github.com", ".github.com", "pypi.org", ".kaggle.com"]),
        grant("b", &[".intranet.example.com", "beside-it.example.com"]),
    ];
    let stage = Stage::list(
        &[".kaggle.com", "intranet.example.com", "Weird Entry", "gone.example.com"],
        &["gone.example.com"],
    );
    insta::assert_snapshot!(shown(&stage.plan(&grants)));
}

#[test]
fn what_others_spell_in_upper_case_lets_nothing_of_ours_pass() {
    let stage = Stage::list(&["Pypi.org"], &[]);
    let plan = stage.plan(&[grant("a", &["pypi.org"])]);
    assert_eq!(plan.groups[0].content, Content::DomainList(strings(&["Pypi.org", "pypi.org"])));
    assert!(rules::standing(&stage.groups[0].content).is_empty());
}

#[test]
fn of_two_that_differ_by_their_dot_only_the_wider_stands() {
    let (host, all) = (grant("a", &["github.com"]), grant("b", &[".github.com"]));
    let mut stage = Stage::list(&["theirs.example.com"], &[]);
    // There is room for one entry.
    stage.groups[0].capacity = stage.groups[0].consumed + 2;
    for (live, stands) in [
        (vec![host.clone()], "github.com"),
        (vec![host.clone(), all], ".github.com"),
        (vec![host], "github.com"),
    ] {
        assert!(stage.bring_to(&live).unplaced.is_empty());
        assert_eq!(stage.groups[0].content, Content::DomainList(strings(&[stands, "theirs.example.com"])));
    }
}

#[test]
fn where_others_have_the_narrower_a_grant_waits_or_stands_elsewhere() {
    let grants = [grant("a", &[".github.com", "pypi.org"])];
    let mut stage = Stage::rules(&[100, 100]);
    stage.make_list(0, strings(&["github.com"]), strings(&[]));
    insta::assert_snapshot!({ let mut stage = stage.clone(); stage.bring_to(&grants); stage.shown() }, @r"
    group-1: github.com pypi.org
    group-2: .github.com
    ");
    stage.groups.pop();
    let plan = stage.plan(&grants);
    assert!(plan.groups[0].added.is_empty(), "{plan:?}");
    insta::assert_snapshot!(unplaced(&plan).join("\n"), @".github.com can't stand in the domain list beside github.com, which others have put there: change that entry to .github.com");
}

#[test]
fn the_room_of_a_list_is_what_aws_counts_without_what_goes() {
    // Five targets of two types and one unit for HTTP.
    let mut stage = Stage::list(
        &["a.example.org", "b.example.org", "c.example.org", "one.example.com", "two.example.com"],
        &["one.example.com", "two.example.com"],
    );
    assert_eq!(stage.groups[0].consumed, 11);
    stage.groups[0].capacity = 11;
    // One of ours goes, one stays, and so there is room for one.
    let live = |names: &[&str]| in_turn(names.iter().map(|name| grant(name, &[name])));
    let plan = stage.plan(&live(&["one.example.com", "three.example.com", "four.example.com"]));
    assert_eq!(plan.groups[0].own_targets, strings(&["one.example.com", "three.example.com"]));
    insta::assert_snapshot!(unplaced(&plan).join("\n"), @"its rules need 2 units of capacity, and 0 are left in the grants groups: 2 are missing. End grants that aren't needed, deploy with a larger GrantCapacity, or add a rule group to the grants groups");
    // With one type there is one unit for each target.
    stage.groups[0].settings.target_types.pop();
    stage.groups[0].consumed = 5;
    stage.groups[0].capacity = 6;
    let plan = stage.plan(&live(&["one.example.com", "three.example.com", "four.example.com"]));
    assert!(plan.unplaced.is_empty(), "{plan:?}");
}

#[test]
fn in_a_shared_list_only_what_was_there_can_be_missing() {
    let plan = |grant| Stage::list(&[".kaggle.com"], &["new.example.com"]).plan(&[grant]);
    let claimed = plan(grant("a", &["new.example.com"]));
    assert_eq!(claimed.groups[0].drift, None);
    let removed = plan(active(grant("a", &["new.example.com"])));
    let drift = removed.groups[0].drift.as_ref().unwrap();
    assert_eq!(drift.found, "entries of ours were missing from the list: new.example.com");
    assert_eq!(drift.missing, ["new.example.com"]);
}

#[test]
fn many_missing_entries_are_counted() {
    let names: Vec<String> = (1..=60).map(|n| format!("{n:02}.example.com")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let plan = Stage::list(&[".kaggle.com"], &names).plan(&[active(grant("a", &names))]);
    let drift = plan.groups[0].drift.as_ref().unwrap();
    assert_eq!(drift.missing.len(), 50);
    insta::assert_snapshot!(drift.found, @"entries of ours were missing from the list: 01.example.com, 02.example.com, 03.example.com, 04.example.com, 05.example.com and 55 more");
}
