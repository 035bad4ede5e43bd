//! What somebody changed by hand.

use std::collections::BTreeSet;

use egress::firewall::Content;
use egress::rules::{self, Drift};

use crate::harness::{Stage, active, grant, in_turn, text};

/// What is found in the rules of two granted domains after this edit.
fn found(edit: impl Fn(&str) -> String) -> Drift {
    let grants = [active(grant("a", &[".github.com", "pypi.org"]))];
    let mut stage = Stage::rules(&[100]);
    stage.bring_to(&grants);
    stage.set(0, Content::Rules(edit(stage.text_of(0))));
    let plan = stage.plan(&grants);
    let standing: BTreeSet<_> = grants[0].domains.iter().cloned().collect();
    assert_eq!(rules::standing(&plan.groups[0].content), standing);
    plan.groups[0].drift.clone().expect("the edit is seen")
}

fn shown(Drift { found, added, missing, lines }: Drift) -> String {
    format!("{found}\nadded: {added:?}\nmissing: {missing:?}\n{}", lines.join("\n"))
}

#[test]
fn a_hand_edit_of_any_kind_is_seen() {
    let edits: [fn(&str) -> String; 9] = [
        |_| String::new(),
        |_| "pass ip any any -> any any (sid:1; rev:1;)\n".to_owned(),
        |sealed| format!("{sealed}pass ip any any -> any any (sid:1; rev:1;)\n"),
        |sealed| sealed.replace("pypi.org", "evil.org"),
        |sealed| sealed.replacen("pass tls", "drop tls", 1),
        |sealed| sealed.lines().skip(1).collect::<Vec<_>>().join("\n"),
        |sealed| sealed.trim_end().to_owned(),
        |sealed| sealed.replace('\n', "\r\n"),
        |sealed| sealed.replacen("sha256:", "sha256:0", 1),
    ];
    for edit in edits {
        assert!(found(edit).found.starts_with("the rules were changed by hand: "));
    }
}

#[test]
fn what_was_added_and_what_is_missing_is_told() {
    let drift = found(|sealed| sealed.replace("pypi.org", "evil.org"));
    insta::assert_snapshot!(shown(drift), @r#"
    the rules were changed by hand: 2 domains were found in them, 2 have their place there
    added: ["evil.org"]
    missing: ["pypi.org"]
    "#);
}

#[test]
fn a_rule_for_http_alone_is_told_too() {
    let drift = found(|sealed| {
        let http = sealed.lines().find(|line| line.starts_with("pass http")).unwrap();
        format!("{sealed}{}\n", http.replace("github.com", "evil.org"))
    });
    assert_eq!((drift.added, drift.lines), (vec![".evil.org".to_owned()], vec![]));
}

#[test]
fn what_is_a_letter_off_our_rules_is_told_as_it_was_found() {
    let drift = found(|sealed| {
        let tls = sealed.lines().find(|line| line.starts_with("pass tls") && line.contains("pypi")).unwrap();
        [
            sealed,
            // Our rule, but for any server name.
            &tls.replace("content:\"pypi.org\"; ", ""),
            "\n# pass tls as it was\n",
            // What could be read as something else, or do something to a terminal.
            "drop ip any any -> any any (msg:\"\u{1b}[2J\u{202e}p\u{0430}ss\\\"\"; sid:5;)\n",
            "pass tls $HOME_NET any -> $EXTERNAL_NET any (ssl_state:client_hello; tls.sni; content:\"evil.org\"; sid:6;)\n",
        ]
        .concat()
    });
    insta::assert_snapshot!(shown(drift));
}

#[test]
fn of_many_lines_and_long_ones_a_part_is_told() {
    let line = format!("# {}\n", "\u{1f4a3}".repeat(1_000));
    let drift = found(|sealed| format!("{sealed}{}", line.repeat(100)));
    assert_eq!(drift.lines.len(), 10);
    assert!(drift.lines[0].len() <= 300 * 10, "{}", drift.lines[0].len());
}

#[test]
fn what_is_copied_to_a_second_group_is_taken_from_the_later() {
    let grants = in_turn([active(grant("a", &["a.example.com"])), active(grant("b", &["b.example.com"]))]);
    let mut stage = Stage::rules(&[2, 10]);
    stage.bring_to(&grants);
    let before = stage.clone();
    let both = format!("{}{}", stage.text_of(0), stage.text_of(1));
    for place in [0, 1] {
        stage.set(place, Content::Rules(both.clone()));
    }
    let plan = stage.bring_to(&grants);
    assert!(plan.unplaced.is_empty() && plan.groups.iter().all(|group| group.drift.is_some()));
    assert_eq!(stage.shown(), before.shown());
    assert_eq!(plan.groups[1].removed, ["a.example.com"]);
}

#[test]
fn what_is_taken_from_a_group_is_missed_there_wherever_it_comes_back() {
    let (a, b) = (active(grant("a", &["a.example.com"])), active(grant("b", &["b.example.com"])));
    let mut stage = Stage::rules(&[2, 10]);
    stage.bring_to(&in_turn([a, b.clone()]));
    // The first group is empty by now, and somebody takes away what stands in the second.
    stage.bring_to(std::slice::from_ref(&b));
    stage.set(1, Content::Rules("# cleaned up\n".to_owned()));
    let plan = stage.bring_to(&[b]);
    assert_eq!(stage.shown(), "group-1: b.example.com\ngroup-2: ");
    assert_eq!(plan.groups[0].drift, None);
    let drift = plan.groups[1].drift.as_ref().unwrap();
    assert_eq!(
        (&drift.missing[..], &drift.lines[..]),
        (&["b.example.com".to_owned()][..], &["# cleaned up".to_owned()][..])
    );
}

#[test]
fn a_grant_that_never_stood_is_not_missing() {
    let mut stage = Stage::rules(&[10]);
    stage.set(0, Content::Rules("# cleaned up\n".to_owned()));
    let plan = stage.plan(&[grant("a", &["a.example.com"])]);
    assert!(plan.groups[0].drift.as_ref().unwrap().missing.is_empty());
    assert!(text(&plan.groups[0].content).contains("a.example.com"));
}
