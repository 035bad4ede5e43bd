//! One group of Suricata rules.

use egress::request::LiveGrant;
use egress::rules::{self, no_grants};

use crate::harness::{Stage, grant, sids, written};

#[test]
fn grants_are_rules_that_a_person_can_read() {
    let grants = [grant("a", &[".github.com", "bücher.de"]), grant("b", &["pypi.org", ".github.com"])];
    insta::assert_snapshot!(written(&no_grants(), &grants));
}

#[test]
fn without_grants_one_rule_for_a_name_that_nobody_has() {
    insta::assert_snapshot!(no_grants());
    assert_eq!(written(&no_grants(), &[]), no_grants());
    let mut stage = Stage::rules(&[10]);
    stage.bring_to(&[grant("a", &["pypi.org"])]);
    assert!(!stage.text_of(0).contains("nothing-is-granted"));
    let plan = stage.bring_to(&[]);
    assert_eq!(stage.text_of(0), no_grants());
    assert_eq!((&plan.groups[0].removed[..], &plan.groups[0].drift), (&["pypi.org".to_owned()][..], &None));
}

#[test]
fn what_is_written_is_left_alone() {
    let grants = [grant("a", &[".github.com"])];
    let mut stage = Stage::rules(&[10]);
    stage.bring_to(&grants);
    let again = &stage.plan(&grants).groups[0];
    assert_eq!(again.content, stage.groups[0].content);
    assert!(again.added.is_empty() && again.removed.is_empty() && again.drift.is_none(), "{again:?}");
}

#[test]
fn a_pattern_keeps_its_sids_while_others_come_and_go() {
    let mut stage = Stage::rules(&[100]);
    let named = |stage: &Stage, name: &str| sids(stage.text_of(0)).get(name).copied();
    stage.bring_to(&[grant("a", &["m.example.com", "n.example.com"])]);
    let before = named(&stage, "n.example.com");
    stage.bring_to(&[grant("b", &["n.example.com", "z.example.com"])]);
    assert_eq!(named(&stage, "n.example.com"), before);
    // The sids of what has gone are given to what comes.
    stage.bring_to(&[grant("b", &["n.example.com", "z.example.com"]), grant("c", &["a.example.com"])]);
    assert_eq!(named(&stage, "n.example.com"), before);
    let all: Vec<u32> = sids(stage.text_of(0)).into_values().collect();
    assert_eq!(all, [1_000_004, 1_000_002, 1_000_000]);
}

#[test]
fn sids_that_somebody_wrote_by_hand_don_t_collide() {
    let grants = [grant("a", &["a.example.com", "b.example.com", "c.example.com"])];
    let rule = |name: &str, sid: u32| {
        format!("pass tls any any -> any any (msg:\"egress grant {name}\"; sid:{sid};)\n")
    };
    let edited = rule("a.example.com", 1_000_000)
        + &rule("b.example.com", 1_000_000)
        + &rule("c.example.com", 4_294_967_294)
        + &rule("d.example.com", 9_000_002)
        + &rule("a.example.com", 7);
    let after = sids(&written(&edited, &grants));
    assert_eq!(after.into_values().collect::<Vec<_>>(), [1_000_000, 1_000_002, 1_000_004]);
}

#[test]
fn a_rule_stays_within_the_longest_that_aws_takes_whatever_is_asked() {
    // <https://docs.aws.amazon.com/network-firewall/latest/developerguide/quotas.html>: 8,192 characters.
    let name = format!(".{0}.{0}.{0}.{1}", "a".repeat(63), "b".repeat(61));
    let grants: Vec<LiveGrant> = (0..1_000).map(|n| grant(&n.to_string(), &[&name])).collect();
    let text = written(&no_grants(), &grants);
    let longest = text.lines().filter(|line| !line.starts_with('#')).map(str::len).max().unwrap();
    assert!(longest <= 8_192, "{longest}");
}

#[test]
fn a_pattern_that_stands_isn_t_taken_away_because_many_ask_for_it() {
    // 1,000 names at the length limit, which many requests ask for, each: with all ids too long a text.
    let names: Vec<String> = (0..1_000).map(|n| format!("{n:03}.example.com")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut stage = Stage::rules(&[30_000]);
    stage.bring_to(&[grant("first", &names)]);
    let crowd: Vec<LiveGrant> =
        std::iter::once("first").chain(NAMES).map(|message| grant(message, &names)).collect();
    let plan = stage.bring_to(&crowd);
    assert!(plan.unplaced.is_empty(), "{:?}", plan.unplaced);
    assert_eq!(sids(stage.text_of(0)).len(), 1_000);
    assert!(stage.text_of(0).len() <= rules::LONGEST_RULES);
    // And what is new waits until there is room for all that is to be said about it.
    let more: Vec<LiveGrant> = crowd.into_iter().chain([grant("new", &["new.example.com"])]).collect();
    assert_eq!(stage.plan(&more).unplaced.len(), 1);
}

/// Forty people.
const NAMES: [&str; 40] = [
    "01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12", "13", "14", "15", "16", "17",
    "18", "19", "20", "21", "22", "23", "24", "25", "26", "27", "28", "29", "30", "31", "32", "33", "34",
    "35", "36", "37", "38", "39", "40",
];

#[test]
fn more_than_our_own_rules_have_room_for_is_put_right_too() {
    // A hand can write shorter rules, and so more of them than would fit as we write them.
    let names: Vec<String> = (0..6_000).map(|n| format!("{n:04}.example.com")).collect();
    let short = |(n, name): (usize, &String)| {
        format!("pass tls any any -> any any (msg:\"egress grant {name}\"; sid:{};)\n", 1_000_000 + 2 * n)
    };
    let edited: String = names.iter().enumerate().map(short).collect();
    let grants: Vec<LiveGrant> = names.iter().map(|name| grant(name, &[name])).collect();
    let mut stage = Stage::text(&edited);
    let plan = stage.bring_to(&grants);
    assert!(stage.text_of(0).len() <= rules::LONGEST_RULES);
    assert_eq!(sids(stage.text_of(0)).len() + plan.unplaced.len(), 6_000);
}
