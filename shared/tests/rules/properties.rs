//! What holds for all grants and all rule groups.

use std::collections::{BTreeMap, BTreeSet};

use egress::domain::DomainPattern;
use egress::firewall::{Content, RuleGroup};
use egress::request::{LiveGrant, RequestId};
use egress::rules::{self, Plan, no_grants};
use proptest::prelude::*;

use crate::harness::{Stage, active, consumed, grant, grant_of, in_turn, sids, text, written};

fn pattern() -> impl Strategy<Value = DomainPattern> {
    let parts =
        ("[a-z0-9]{1,6}", prop::sample::select(vec!["com", "org", "de", "example.com"]), any::<bool>());
    parts.prop_filter_map("a public suffix", |(name, below, dot)| {
        DomainPattern::parse(&format!("{}{name}.{below}", if dot { "." } else { "" })).ok()
    })
}

/// One of a few, so that grants meet.
fn common_pattern() -> impl Strategy<Value = DomainPattern> {
    (0..9, any::<bool>())
        .prop_map(|(name, dot)| format!("{}{name}.example.com", if dot { "." } else { "" }).parse().unwrap())
}

fn grants() -> impl Strategy<Value = Vec<LiveGrant>> {
    let grant = (0..20, prop::collection::vec(common_pattern(), 1..5), any::<bool>());
    prop::collection::vec(grant, 0..8).prop_map(|grants| {
        // A request's domains never change.
        let grants: BTreeMap<i32, _> =
            grants.into_iter().map(|(id, domains, is)| (id, (domains, is))).collect();
        in_turn(grants.into_iter().map(|(id, (domains, is_active))| {
            let grant = grant_of(&format!("{id}{domains:?}"), &domains);
            if is_active { active(grant) } else { grant }
        }))
    })
}

/// One to three groups of either shape; in a list, what others have in it.
fn stage() -> impl Strategy<Value = Stage> {
    let group = (0..24u64, prop::option::of(prop::collection::vec(common_pattern(), 0..5)));
    prop::collection::vec(group, 1..4).prop_map(|groups| {
        let capacities: Vec<u64> = groups.iter().map(|(room, _)| room + 1).collect();
        let mut stage = Stage::rules(&capacities);
        for (place, (room, theirs)) in groups.into_iter().enumerate() {
            if let Some(theirs) = theirs {
                // As AWS takes them.
                let mut names = BTreeSet::new();
                let theirs = theirs.iter().filter(|entry| names.insert(entry.name().to_owned()));
                stage.make_list(place, theirs.map(ToString::to_string).collect(), BTreeSet::new());
                // A list that is empty gets an entry that nobody has.
                stage.groups[place].capacity = stage.groups[place].consumed + 2 + room;
            }
        }
        stage
    })
}

/// The patterns that stand in a group that is all ours.
fn ours(group: &RuleGroup) -> BTreeSet<DomainPattern> {
    match &group.content {
        Content::Rules(_) => rules::standing(&group.content),
        Content::DomainList(_) => BTreeSet::new(),
    }
}

/// Whether a group lets the pattern pass: a list by an entry of the same name.
fn lets_pass(group: &RuleGroup, pattern: &DomainPattern) -> bool {
    let standing = rules::standing(&group.content);
    match &group.content {
        Content::Rules(_) => standing.contains(pattern),
        Content::DomainList(_) => {
            standing.iter().any(|entry| entry.name() == pattern.name() && entry.covers(pattern))
        }
    }
}

/// The grants as they are once what was written is in sync.
fn activated(live: &[LiveGrant], plan: &Plan) -> Vec<LiveGrant> {
    let is_placed = |grant: &LiveGrant| !plan.unplaced.contains_key(&grant.request_id);
    live.iter().map(|grant| LiveGrant { active: is_placed(grant), ..grant.clone() }).collect()
}

fn check_contents(before: &Stage, after: &Stage, live: &[LiveGrant]) {
    let granted: BTreeSet<&DomainPattern> = live.iter().flat_map(|grant| &grant.domains).collect();
    let mut seen = BTreeSet::new();
    for (was, is) in before.groups.iter().zip(&after.groups) {
        assert!(consumed(&is.content, &is.settings) <= is.capacity, "it takes more than {}", is.capacity);
        for pattern in ours(is) {
            assert!(granted.contains(&pattern), "{pattern} is nobody's");
            assert!(seen.insert(pattern.clone()), "{pattern} stands twice");
        }
        let (Content::DomainList(was), Content::DomainList(list)) = (&was.content, &is.content) else {
            let text = text(&is.content);
            let all: Vec<&str> =
                text.lines().filter_map(|line| line.rsplit_once("sid:")).map(|(_, sid)| sid).collect();
            assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
            continue;
        };
        let names: BTreeSet<&str> = list.iter().map(|entry| entry.trim_start_matches('.')).collect();
        assert_eq!(names.len(), list.len(), "AWS calls these duplicates: {list:?}");
        assert!(!list.is_empty(), "AWS is not known to take an empty list");
        let theirs = was - &before.own[&is.arn].targets;
        assert_eq!(&(&theirs | &after.own[&is.arn].targets), list, "theirs are left alone");
    }
}

fn check_grants(before: &Stage, after: &Stage, live: &[LiveGrant], plan: &Plan) {
    let passes = |stage: &Stage, pattern| stage.groups.iter().any(|group| lets_pass(group, pattern));
    let is_placed = |grant: &&LiveGrant| !plan.unplaced.contains_key(&grant.request_id);
    let placed: BTreeSet<_> = live.iter().filter(is_placed).flat_map(|grant| &grant.domains).collect();
    for grant in live {
        for pattern in &grant.domains {
            let (stood, stands) = (passes(before, pattern), passes(after, pattern));
            assert!(stands || !is_placed(&grant), "{pattern} of a placed grant doesn't pass");
            assert!(stands || !stood, "{pattern} stood and is granted");
            // In a list it may pass by the wider entry of another grant.
            let by_itself = after.groups.iter().any(|group| ours(group).contains(pattern));
            assert!(placed.contains(pattern) || stood || !by_itself, "{pattern} of an unplaced grant is new");
        }
    }
}

proptest! {
    #[test]
    fn whatever_is_granted_in_whatever_groups(mut stage in stage(), steps in prop::collection::vec(grants(), 1..6)) {
        for live in steps {
            let before = stage.clone();
            let plan = stage.bring_to(&live);
            check_contents(&before, &stage, &live);
            check_grants(&before, &stage, &live, &plan);
            // Planning again changes nothing.
            let again = stage.plan(&activated(&live, &plan));
            prop_assert_eq!(&again.unplaced.keys().collect::<Vec<_>>(), &plan.unplaced.keys().collect::<Vec<_>>());
            for (group, again) in stage.groups.iter().zip(&again.groups) {
                prop_assert_eq!(&again.content, &group.content);
                prop_assert!(again.added.is_empty() && again.removed.is_empty() && again.drift.is_none());
            }
        }
    }

    #[test]
    fn whatever_a_hand_copies_from_group_to_group(
        mut stage in stage(), live in grants(), copies in prop::collection::vec((0..3usize, 0..3usize), 1..4),
    ) {
        let first = stage.bring_to(&live);
        let live = activated(&live, &first);
        for (from, to) in copies {
            let (Some(from), Some(to)) = (stage.groups.get(from), stage.groups.get(to)) else { continue };
            if let (Content::Rules(one), Content::Rules(other)) = (&from.content, &to.content) {
                let (both, to) = (format!("{other}{one}"), stage.groups.iter().position(|group| group == to));
                stage.set(to.unwrap(), Content::Rules(both));
            }
        }
        let edited = stage.clone();
        let plan = stage.bring_to(&live);
        check_contents(&edited, &stage, &live);
        check_grants(&edited, &stage, &live, &plan);
        prop_assert_eq!(plan.unplaced.keys().collect::<Vec<_>>(), first.unplaced.keys().collect::<Vec<_>>());
        prop_assert!(plan.groups.iter().all(|group| group.drift.as_ref().is_none_or(|drift| drift.missing.is_empty())));
    }

    #[test]
    fn in_any_order_the_grants_are_told_the_same_plan_is_made(stage in stage(), mut live in grants(), by in 0..8usize) {
        let plan = stage.plan(&live);
        let middle = by.min(live.len());
        live.rotate_left(middle);
        prop_assert_eq!(stage.plan(&live), plan);
    }

    #[test]
    fn what_is_written_is_read_back(patterns in prop::collection::vec(pattern(), 0..12)) {
        let text = written(&no_grants(), &[grant_of("a", &patterns)]);
        prop_assert!(text.is_ascii());
        let expected: BTreeSet<DomainPattern> = patterns.into_iter().collect();
        prop_assert_eq!(rules::standing(&Content::Rules(text.clone())), expected);
        // Two rules a pattern, each of the one form; nothing of a pattern stands outside its quotes.
        for rule in text.lines().filter(|line| !line.starts_with('#')) {
            prop_assert_eq!((rule.matches('"').count(), rule.matches('(').count(), rule.matches(')').count()), (4, 1, 1), "{}", rule);
        }
    }

    #[test]
    fn sids_are_unique_and_stay_with_their_pattern(steps in prop::collection::vec(prop::collection::vec(pattern(), 0..12), 1..8)) {
        let (mut text, mut before) = (no_grants(), BTreeMap::new());
        for patterns in steps {
            text = written(&text, &[grant_of("a", &patterns)]);
            let now = sids(&text);
            prop_assert_eq!(now.values().collect::<BTreeSet<_>>().len(), now.len());
            for (pattern, sid) in &now {
                prop_assert!(before.get(pattern).is_none_or(|was| was == sid));
            }
            before = now;
        }
    }

    #[test]
    fn any_text_is_read_without_a_panic(text in "\\PC*|(pass tls .{0,40}\n){0,5}|pass (tls|http) \\(msg:\"egress grant [a-z.]{0,9}\"; (metadata:.{0,9}; flow:x)?; sid:[0-9]{0,12};|# [a-z.]{0,9} for .{0,20}") {
        let live = [active(grant("a", &["github.com"]))];
        let plan = Stage::text(&text).plan(&live);
        let expected = live[0].domains.iter().cloned().collect::<BTreeSet<_>>();
        prop_assert_eq!(rules::standing(&plan.groups[0].content), expected);
    }
}

proptest! {
    // Each case writes megabytes.
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn no_text_is_longer_than_aws_takes(patterns in 60..180usize, crowd in 1..320usize, stands in 0..180usize) {
        let name = |n: usize| format!("{n:03}.{0}.{0}.{0}.example.com", "a".repeat(61)).parse().unwrap();
        let patterns: Vec<DomainPattern> = (0..patterns).map(name).collect();
        let mut stage = Stage::rules(&[30_000, 200]);
        stage.bring_to(&[grant_of("first", &patterns[..stands.min(patterns.len())])]);
        let stood = stage.groups.iter().map(|group| ours(group).len()).sum::<usize>();
        let live = in_turn((0..crowd).map(|n| grant_of(&n.to_string(), &patterns[n % 3..])));
        let plan = stage.bring_to(&live);
        let standing: BTreeSet<DomainPattern> = stage.groups.iter().flat_map(ours).collect();
        prop_assert!(stage.groups.iter().all(|group| text(&group.content).len() <= rules::LONGEST_RULES));
        prop_assert!(standing.len() + 3 >= stood);
        let whole: BTreeSet<RequestId> = live.iter()
            .filter(|grant| grant.domains.iter().all(|pattern| standing.contains(pattern)))
            .map(|grant| grant.request_id.clone())
            .collect();
        prop_assert!(live.iter().all(|grant| whole.contains(&grant.request_id) != plan.unplaced.contains_key(&grant.request_id)));
        let again = stage.plan(&live);
        prop_assert!(again.groups.iter().zip(&stage.groups).all(|(again, group)| again.content == group.content));
    }
}
