//! Grants as rules, and the rules read back.

#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};

use egress::domain::DomainPattern;
use egress::firewall::Content;
use egress::request::{LiveGrant, RequestId};
use egress::rules::{self, Plan, ReadBack, no_grants};
use jiff::Timestamp;
use proptest::prelude::*;

fn grant(message: &str, domains: &[&str]) -> LiveGrant {
    LiveGrant {
        request_id: RequestId::of_message(message),
        domains: domains.iter().map(|text| DomainPattern::parse(text).unwrap()).collect(),
        ends_at: Timestamp::MAX,
        active: true,
    }
}

fn text(content: &Content) -> &str {
    match content {
        Content::Rules(text) => text,
        Content::DomainList(targets) => panic!("a domain list: {targets:?}"),
    }
}

fn plan(before: &str, grants: &[LiveGrant]) -> Plan {
    rules::plan(&Content::Rules(before.to_owned()), &rules::open(grants), &BTreeSet::new())
}

fn written(before: &str, grants: &[LiveGrant]) -> String {
    text(&plan(before, grants).content).to_owned()
}

fn list_plan(current: &[&str], own: &[&str], grants: &[LiveGrant]) -> Plan {
    let set = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
    rules::plan(&Content::DomainList(set(current)), &rules::open(grants), &set(own))
}

#[test]
fn grants_are_rules_that_a_person_can_read() {
    let grants = [grant("a", &[".github.com", "bücher.de"]), grant("b", &["pypi.org", ".github.com"])];
    insta::assert_snapshot!(written(&no_grants(), &grants));
}

#[test]
fn without_grants_one_rule_for_a_name_that_nobody_has() {
    insta::assert_snapshot!(no_grants());
    assert_eq!(written(&no_grants(), &[]), no_grants());
}

#[test]
fn what_is_written_is_left_alone() {
    let grants = [grant("a", &[".github.com"])];
    let once = written(&no_grants(), &grants);
    let again = plan(&once, &grants);
    assert_eq!(text(&again.content), once);
    assert_eq!((again.added, again.removed, again.drift), (Vec::new(), Vec::new(), None));
}

#[test]
fn a_hand_edit_of_any_kind_is_seen() {
    let grants = [grant("a", &[".github.com", "pypi.org"])];
    let sealed = written(&no_grants(), &grants);
    let edits = [
        String::new(),
        "pass ip any any -> any any (sid:1; rev:1;)\n".to_owned(),
        format!("{sealed}pass ip any any -> any any (sid:1; rev:1;)\n"),
        sealed.replace("pypi.org", "evil.org"),
        sealed.replacen("pass tls", "drop tls", 1),
        sealed.lines().skip(1).collect::<Vec<_>>().join("\n"),
        sealed.trim_end().to_owned(),
        sealed.replace('\n', "\r\n"),
        sealed.replacen("sha256:", "sha256:0", 1),
    ];
    for edited in edits {
        let plan = plan(&edited, &grants);
        assert!(plan.drift.is_some(), "{edited}");
        let patterns: Vec<_> = ReadBack::of(text(&plan.content)).sids.into_keys().collect();
        assert_eq!(
            patterns,
            grants[0].domains.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>()
        );
    }
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
    let sids = ReadBack::of(&written(&edited, &grants)).sids;
    assert_eq!(sids.into_values().collect::<Vec<_>>(), [1_000_000, 1_000_002, 1_000_004]);
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
fn a_shared_list_has_ours_beside_theirs() {
    let grants =
        [grant("a", &["github.com", ".github.com", "pypi.org", ".kaggle.com", ".intranet.example.com"])];
    let plan =
        list_plan(&[".kaggle.com", "intranet.example.com", "Weird Entry"], &["gone.example.com"], &grants);
    insta::assert_snapshot!(shown(&plan));
}

#[test]
fn in_a_shared_list_only_what_was_there_can_be_missing() {
    let mut waiting = grant("a", &["new.example.com"]);
    waiting.active = false;
    let claimed = list_plan(&[".kaggle.com"], &["new.example.com"], &[waiting]);
    assert_eq!(claimed.drift, None);
    let removed = list_plan(&[".kaggle.com"], &["new.example.com"], &[grant("a", &["new.example.com"])]);
    assert_eq!(removed.drift.as_deref(), Some("entries of ours were missing from the list: new.example.com"));
}

fn shown(plan: &Plan) -> String {
    let Content::DomainList(targets) = &plan.content else { panic!("not a list") };
    format!(
        "list: {targets:?}\nadded: {:?}\nremoved: {:?}\nours: {:?}\ndrift: {:?}\nunplaced: {:?}",
        plan.added,
        plan.removed,
        plan.own_targets,
        plan.drift,
        plan.unplaced.values()
    )
}

fn patterns() -> impl Strategy<Value = Vec<DomainPattern>> {
    let pattern =
        ("[a-z0-9]{1,6}", prop::sample::select(vec!["com", "org", "de", "example.com"]), any::<bool>());
    let pattern = pattern.prop_filter_map("a public suffix", |(name, below, dot)| {
        DomainPattern::parse(&format!("{}{name}.{below}", if dot { "." } else { "" })).ok()
    });
    prop::collection::vec(pattern, 0..12)
}

fn grants_of(patterns: &[DomainPattern]) -> Vec<LiveGrant> {
    let grant = |(place, pattern): (usize, &DomainPattern)| LiveGrant {
        request_id: RequestId::of_message(&place.to_string()),
        domains: vec![pattern.clone()],
        ends_at: Timestamp::MAX,
        active: place % 2 == 0,
    };
    patterns.iter().enumerate().map(grant).collect()
}

/// Every sid in a text, in order.
fn sids(text: &str) -> Vec<u32> {
    let rules = text.lines().filter(|line| !line.starts_with('#'));
    rules
        .map(|rule| rule.rsplit_once("sid:").unwrap().1.split_once(';').unwrap().0.parse().unwrap())
        .collect()
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(patterns in patterns()) {
        let text = written(&no_grants(), &grants_of(&patterns));
        let back = ReadBack::of(&text);
        prop_assert!(back.sealed && text.is_ascii());
        prop_assert_eq!(back.sids.keys().cloned().collect::<BTreeSet<_>>(), patterns.iter().cloned().collect());
        prop_assert_eq!(rules::standing(&Content::Rules(text.clone())), patterns.iter().cloned().collect());
        // Two rules a pattern, each of the one form; nothing of a pattern stands outside its quotes.
        for rule in text.lines().filter(|line| !line.starts_with('#')) {
            prop_assert_eq!((rule.matches('"').count(), rule.matches('(').count(), rule.matches(')').count()), (4, 1, 1), "{}", rule);
        }
    }

    #[test]
    fn sids_are_unique_and_stay_with_their_pattern(steps in prop::collection::vec(patterns(), 1..8)) {
        let (mut text, mut before) = (no_grants(), BTreeMap::new());
        for patterns in steps {
            text = written(&text, &grants_of(&patterns));
            let all = sids(&text);
            prop_assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
            let now = ReadBack::of(&text).sids;
            for (pattern, sid) in &now {
                prop_assert!(before.get(pattern).is_none_or(|was| was == sid));
            }
            before = now;
        }
    }

    #[test]
    fn any_text_is_read_without_a_panic(text in "\\PC*|(pass tls .{0,40}\n){0,5}|pass tls \\(msg:\"egress grant [a-z.]{0,9}\"; sid:[0-9]{0,12};") {
        let _ = ReadBack::of(&text);
        let _ = plan(&text, &[grant("a", &["github.com"])]);
    }

    #[test]
    fn a_shared_list_never_has_what_aws_calls_duplicates_and_theirs_are_never_touched(
        theirs in patterns(), before in patterns(), after in patterns(),
    ) {
        // Theirs as AWS would take them.
        let mut names = BTreeSet::new();
        let theirs: BTreeSet<String> = theirs.iter().filter(|entry| names.insert(entry.name().to_owned())).map(ToString::to_string).collect();
        let first = rules::plan(&Content::DomainList(theirs.clone()), &rules::open(&grants_of(&before)), &BTreeSet::new());
        let second = rules::plan(&first.content, &rules::open(&grants_of(&after)), &first.own_targets);
        let Content::DomainList(list) = &second.content else { panic!("not a list") };
        prop_assert!(theirs.is_subset(list));
        prop_assert!(!list.is_empty(), "AWS is not known to take an empty list");
        prop_assert_eq!(&(&theirs | &second.own_targets), list);
        let names: BTreeSet<&str> = list.iter().map(|entry| entry.trim_start_matches('.')).collect();
        prop_assert_eq!(names.len(), list.len());
        let open = rules::standing(&second.content);
        for pattern in &after {
            let covered = open.iter().any(|entry| entry.covers(pattern));
            prop_assert_ne!(covered, second.unplaced.contains_key(pattern), "{}", pattern);
        }
        let third = rules::plan(&second.content, &rules::Open::new(), &second.own_targets);
        let inert = BTreeSet::from(["nothing-is-granted.invalid".to_owned()]);
        prop_assert_eq!(third.content, Content::DomainList(if theirs.is_empty() { inert } else { theirs }));
    }
}
