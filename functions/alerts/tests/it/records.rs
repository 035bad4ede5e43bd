//! The reader on real records, and on anything at all.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::IpAddr;
use std::time::Duration;

use crate::harness;
use alerts::advice::advice;
use alerts::batch::LogEvent;
use alerts::groups::Group;
use alerts::record::{Alert, Fate, Record};
use alerts::tally::Tally;
use egress::owner::Owner;
use proptest::prelude::*;

const WINDOW: Duration = Duration::from_mins(15);

/// One line for each record: what the reader makes of it.
fn summary(lines: &str) -> String {
    let mut text = String::new();
    for line in lines.lines() {
        match Record::read(line.as_bytes()).unwrap() {
            Record::Other => writeln!(text, "not about a rule").unwrap(),
            Record::Alert(alert) => {
                let Alert { fate, protocol, source, signature, grants, at, .. } = &*alert;
                let destination = alert.destination();
                write!(text, "{} {fate:?} {protocol} {source} → {destination}", at.unwrap()).unwrap();
                writeln!(text, " {signature:?} grants={grants:?}").unwrap();
            }
        }
    }
    text
}

fn tally<'a>(lines: impl IntoIterator<Item = &'a str>) -> Tally {
    let mut tally = Tally::default();
    for line in lines {
        tally.take(&LogEvent::new("1".into(), 0, line.as_bytes()));
    }
    tally
}

fn groups(tally: &Tally) -> Vec<Group<'_>> {
    static NOBODYS: BTreeMap<IpAddr, Owner> = BTreeMap::new();
    tally.connections.groups(&NOBODYS, WINDOW)
}

#[test]
fn every_sample_of_network_firewall_is_read() {
    insta::assert_snapshot!(summary(include_str!("../samples.jsonl")));
}

#[test]
fn every_sample_of_suricata_is_read() {
    insta::assert_snapshot!(summary(include_str!("../suricata.jsonl")));
}

#[test]
fn the_records_of_one_connection_say_together_what_was_blocked() {
    let tally = tally(include_str!("../suricata.jsonl").lines());
    let groups = groups(&tally);
    let line = |group: &Group<'_>| {
        format!("{} × {} {:?}", group.counts.connections, group.first.destination, group.first.signature)
    };
    insta::assert_snapshot!(groups.iter().map(line).collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_batch_is_read_whole_wherever_the_pieces_end_in_which_it_is_inflated() {
    // Three megabytes, with a log event in it that is longer than a piece.
    let line = |flow: u64| {
        let name = format!("{}.example.com", "x".repeat(usize::try_from(flow % 61).unwrap() + 1));
        harness::blocked("10.2.3.10", &name, "2026-05-14T09:16:00Z", flow)
    };
    let lines = (0..5_000).map(|flow| if flow == 2_500 { "?".repeat(700_000) } else { line(flow) });
    let (_, tally) = Tally::read(harness::delivery(&harness::numbered("a", lines))).unwrap();
    assert_eq!((tally.lines, tally.blocked, tally.unreadable.count()), (5_000, 4_999, 1));
    let groups = groups(&tally);
    let hosts: Vec<u64> = groups.iter().map(|group| group.counts.host_count).collect();
    assert_eq!(hosts, [61], "each name, whole");
}

#[test]
fn only_what_a_request_would_let_pass_is_suggested() {
    let config = harness::function().config;
    let suggestion = |name: &str| {
        let line = harness::blocked("10.2.3.10", name, "2026-05-14T09:16:00Z", 1);
        let tally = tally([line.as_str()]);
        let group = groups(&tally).remove(0);
        let advice = advice(&group.first, group.counts.first_seen, &[], &config);
        advice.suggestion.map(|found| (found.pattern, found.preset.unwrap_or_default()))
    };
    let some = |pattern: &str, preset: &str| Some((pattern.to_owned(), preset.to_owned()));
    assert_eq!(suggestion("PyPI.org"), some("pypi.org", "pypi"));
    assert_eq!(suggestion("api.github.com"), some("api.github.com", ""));
    for never in
        ["pypi.org.", "x.denied.org", "localhost", "co.uk", "a_b.example.com", "198.51.100.7", "é.org"]
    {
        assert_eq!(suggestion(never), None, "{never}");
    }
}

#[test]
fn a_name_is_taken_without_its_port_and_no_address_is_a_name() {
    let destination = |name: &str| {
        let line = harness::blocked("10.2.3.10", name, "2026-05-14T09:16:00Z", 1);
        let Record::Alert(alert) = Record::read(line.as_bytes()).unwrap() else { unreachable!("an alert") };
        alert.destination().into_owned()
    };
    assert_eq!(destination("PyPI.org:443"), "pypi.org");
    assert_eq!(destination("a#b\n\u{202e}c"), r"a\u{23}b\u{a}\u{202e}c");
    assert_eq!(destination(&"x".repeat(1_000)).len(), 253);
    for address in
        ["203.0.113.9", "203.0.113.9:443", "[2001:db8::1]:443", "[2001:db8::1]", "2001:db8::1", "", "-"]
    {
        assert_eq!(destination(address), "198.51.100.1:443", "{address:?}");
    }
}

#[test]
fn the_verdict_decides_and_the_rule_only_without_one() {
    let fate = |verdict: &str, action: &str| {
        let line = format!(
            r#"{{"event":{{"src_ip":"10.0.0.1","dest_ip":"192.0.2.1","proto":"TCP","alert":{{"action":"{action}","signature_id":4}}{verdict}}}}}"#
        );
        let Record::Alert(alert) = Record::read(line.as_bytes()).unwrap() else { unreachable!("an alert") };
        alert.fate
    };
    assert_eq!(fate(r#","verdict":{"action":"drop"}"#, "allowed"), Fate::Blocked);
    assert_eq!(fate(r#","verdict":{"action":"reject"}"#, "allowed"), Fate::Blocked);
    assert_eq!(fate(r#","verdict":{"action":"pass"}"#, "blocked"), Fate::Passed);
    assert_eq!(fate(r#","verdict":{"action":"alert"}"#, "allowed"), Fate::Passed);
    assert_eq!(fate("", "blocked"), Fate::Blocked);
    assert_eq!(fate("", "allowed"), Fate::Passed);
    assert_eq!(fate(r#","verdict":null"#, "blocked"), Fate::Blocked);
}

#[test]
fn a_packet_from_the_server_is_put_down_to_the_client() {
    let line = r#"{"event":{"event_type":"alert","direction":"to_client","src_ip":"192.0.2.1","src_port":443,"dest_ip":"10.0.0.1","dest_port":40000,"proto":"TCP","alert":{"action":"blocked"}}}"#;
    let Record::Alert(alert) = Record::read(line.as_bytes()).unwrap() else { unreachable!("an alert") };
    assert_eq!((alert.source.to_string().as_str(), &*alert.destination()), ("10.0.0.1", "192.0.2.1:443"));
}

fn a_record() -> impl Strategy<Value = String> {
    let names = prop::sample::select(&["pypi.org", "github.com", "kaggle.com"][..]);
    let grants = prop::collection::btree_set(0_u8..4, 0..3);
    (1_u8..4, names, 0_i64..3_600, any::<u64>(), grants).prop_map(|(host, name, second, flow, grants)| {
        let at = jiff::Timestamp::from_second(1_778_750_000 + second).unwrap().to_string();
        let source = format!("10.2.3.{host}");
        let grants: Vec<String> = grants.into_iter().map(|grant| format!("req-{grant:012}")).collect();
        let grants: Vec<&str> = grants.iter().map(String::as_str).collect();
        if grants.is_empty() {
            harness::blocked(&source, name, &at, flow)
        } else {
            harness::passed(&grants, &source, name, &at, flow)
        }
    })
}

proptest! {
    #[test]
    fn however_lines_are_cut_into_batches_the_counts_are_the_same(
        lines in prop::collection::vec(a_record(), 1..40),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        again in any::<prop::sample::Index>(),
    ) {
        // Without rest: which alert rests for another depends on which comes first.
        let whole = harness::function_with("[alerts]\nrepeat = \"15m\"");
        let pieces = harness::function_with("[alerts]\nrepeat = \"15m\"");
        let numbered = harness::numbered("line", lines);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(numbered.len())).collect();
        cuts.extend([0, numbered.len()]);
        cuts.sort_unstable();
        cuts.dedup();
        let mut batches: Vec<_> = cuts.windows(2).map(|cut| harness::delivery(&numbered[cut[0]..cut[1]])).collect();
        batches.push(batches[again.index(batches.len())].clone());
        batches.reverse();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            whole.handle(harness::delivery(&numbered), harness::now()).await.unwrap();
            for batch in batches {
                pieces.handle(batch, harness::now()).await.unwrap();
            }
        });
        prop_assert_eq!(whole.store.counts(), pieces.store.counts());
        prop_assert_eq!(harness::told(&whole).len(), harness::told(&pieces).len());
        prop_assert_eq!(whole.store.connections(), pieces.store.connections());
        prop_assert_eq!(harness::first_uses(&whole).len(), harness::first_uses(&pieces).len());
    }
}
