//! What an approver is told about a request before deciding.

#![cfg(test)]

use egress::config::Config;
use egress::domain::DomainPattern;
use egress::ledger::BlockedCount;
use egress::request::{LiveGrant, RequestId};
use egress::risk::{Assessment, BlockedBefore, Cover, Finding, Risk, Room, assess, registrable, sentences};
use jiff::Timestamp;
use proptest::prelude::*;

fn config() -> Config {
    let text = r#"
        [groups]
        approvers = ["bob"]
        [risk]
        anybody_can_upload = [".pastebin.com", ".gist.github.com", "upload.example.com"]
        [presets.pypi]
        description = "pip"
        domains = ["pypi.org", "files.pythonhosted.org"]
        [presets.python]
        description = "Python"
        domains = [".pypi.org", ".python.org"]
    "#;
    Config::parse(text).unwrap()
}

/// As the ledger holds it: what can't be asked for any more is still read.
fn pattern(text: &str) -> DomainPattern {
    DomainPattern::read(text).unwrap()
}

fn assessed(domains: &[&str]) -> Assessment {
    assess(&domains.iter().map(|text| pattern(text)).collect::<Vec<_>>(), &config())
}

fn at(hour: i64) -> Timestamp {
    let day: Timestamp = "2026-11-20T00:05:00Z".parse().unwrap();
    Timestamp::from_second(day.as_second() + hour * 3_600).unwrap()
}

fn grant(of: &str, requester: &str, domain: &str, ends: i64) -> LiveGrant {
    LiveGrant {
        request_id: RequestId::of_message(of),
        requester: requester.to_owned(),
        domains: vec![pattern("unrelated.example"), pattern(domain)],
        approved_at: at(0),
        ends_at: at(ends),
        active: true,
        used: false,
        waits: false,
        extends: None,
    }
}

const LAST_WORD: &str = "egress last word: TLS without a server name that is allowed";

fn count(host: &str, source: &str, connections: u64, hour: i64) -> BlockedCount {
    BlockedCount {
        host: host.to_owned(),
        source: source.to_owned(),
        connections,
        last_seen: at(hour),
        signature: LAST_WORD.to_owned(),
        owner: None,
    }
}

/// A request for one domain, after what was blocked has been looked at.
fn looked_at(domain: &str, counts: &[BlockedCount]) -> Assessment {
    let mut assessment = assessed(&[domain]);
    assessment.would_have_let_through(&pattern(domain), counts, 7);
    assessment
}

fn blocked(domain: &str, counts: &[BlockedCount]) -> Option<BlockedBefore> {
    looked_at(domain, counts).domains[0].blocked.clone()
}

fn narrower(domain: &str, hosts: &[&str]) -> Vec<String> {
    let counts: Vec<_> = hosts.iter().map(|host| count(host, "10.2.3.4", 1, 0)).collect();
    looked_at(domain, &counts).domains[0].narrower.iter().map(ToString::to_string).collect()
}

#[test]
fn a_name_says_how_much_harm_it_can_do() {
    let finding = |finding: &Finding| serde_json::to_string(finding).unwrap();
    let line = |text: &str| {
        let assessment = assessed(&[text]);
        let [domain] = assessment.domains.as_slice() else { panic!("one domain has one assessment") };
        assert_eq!(assessment.risk, domain.risk);
        let findings: Vec<_> = domain.findings.iter().map(finding).collect();
        format!("{text} {:?} {}", domain.risk, findings.join(" ")).trim_end().to_owned()
    };
    let lines = [
        "github.com",
        "sub.domain.of.somebody.co.uk",
        ".example.com",
        "x.github.io",
        ".x.github.io",
        "a.b.x.github.io",
        "bucket.s3.amazonaws.com",
        "d111111abcdef8.cloudfront.net",
        "amazonaws.com",
        ".amazonaws.com",
        ".prod.fastly.net",
        ".run.app",
        ".github.io",
        ".co.uk",
        "co.uk",
        "pastebin.com",
        "www.pastebin.com",
        ".github.com",
        "gist.github.com",
        "upload.example.com",
        "www.upload.example.com",
        "bücher.de",
        ".рaypal.com",
        "www.bücher.example",
        "host.internal",
    ]
    .map(line);
    insta::assert_snapshot!(lines.join("\n"), @r#"
    github.com Low
    sub.domain.of.somebody.co.uk Low
    .example.com High {"kind":"subdomains"} {"kind":"anybody_can_upload","entry":"upload.example.com"}
    x.github.io High {"kind":"shared_hosting","suffix":"github.io"}
    .x.github.io High {"kind":"subdomains"} {"kind":"shared_hosting","suffix":"github.io"}
    a.b.x.github.io High {"kind":"shared_hosting","suffix":"github.io"}
    bucket.s3.amazonaws.com High {"kind":"shared_hosting","suffix":"s3.amazonaws.com"}
    d111111abcdef8.cloudfront.net High {"kind":"shared_hosting","suffix":"cloudfront.net"}
    amazonaws.com Low
    .amazonaws.com High {"kind":"subdomains"} {"kind":"above_public_suffix","suffix":"s3.amazonaws.com"}
    .prod.fastly.net High {"kind":"subdomains"} {"kind":"above_public_suffix","suffix":"a.prod.fastly.net"}
    .run.app High {"kind":"subdomains"} {"kind":"above_public_suffix","suffix":"*.run.app"}
    .github.io High {"kind":"subdomains"} {"kind":"above_public_suffix","suffix":"github.io"}
    .co.uk High {"kind":"subdomains"} {"kind":"above_public_suffix","suffix":"co.uk"}
    co.uk Low
    pastebin.com High {"kind":"anybody_can_upload","entry":".pastebin.com"}
    www.pastebin.com High {"kind":"anybody_can_upload","entry":".pastebin.com"}
    .github.com High {"kind":"subdomains"} {"kind":"anybody_can_upload","entry":".gist.github.com"}
    gist.github.com High {"kind":"anybody_can_upload","entry":".gist.github.com"}
    upload.example.com High {"kind":"anybody_can_upload","entry":"upload.example.com"}
    www.upload.example.com Low
    bücher.de High {"kind":"international","reads":"bücher.de"}
    .рaypal.com High {"kind":"subdomains"} {"kind":"international","reads":".рaypal.com"}
    www.bücher.example High {"kind":"international","reads":"www.bücher.example"}
    host.internal Low
    "#);
}

#[test]
fn a_request_is_as_risky_as_its_riskiest_domain() {
    assert_eq!(assessed(&[]).risk, Risk::Low);
    assert_eq!(assessed(&["github.com", ".example.org"]).risk, Risk::Medium);
    assert_eq!(assessed(&[".example.org", "x.github.io", "github.com"]).risk, Risk::High);
}

#[test]
fn what_lets_a_domain_pass_already_is_listed_the_soonest_end_last() {
    let mut assessment = assessed(&["pypi.org", ".pypi.org", "github.com"]);
    let live = [
        grant("1", "alice", "pypi.org", 1),
        grant("2", "dave", ".pypi.org", 3),
        grant("3", "erin", "pypi.org", 2),
        grant("own", "alice", ".pypi.org", 9),
    ];
    assessment.covered(&live, &config(), Some(&RequestId::of_message("own")));
    let covers = |index: usize| -> Vec<String> {
        let name = |cover: &Cover| match cover {
            Cover::Preset { name } => name.clone(),
            Cover::Grant { requester, .. } => requester.clone(),
        };
        assessment.domains[index].covered_by.iter().map(name).collect()
    };
    assert_eq!(covers(0), ["pypi", "python", "dave", "erin", "alice"]);
    assert_eq!(covers(1), ["python", "dave"]);
    assert_eq!(covers(2), [""; 0]);
}

#[test]
fn no_more_than_ten_are_listed_and_those_that_last_longest() {
    let live: Vec<_> = (0..50).map(|hour| grant(&hour.to_string(), "alice", "github.com", hour)).collect();
    let mut assessment = assessed(&["github.com"]);
    assessment.covered(&live, &config(), None);
    let ends = |cover: &Cover| match cover {
        Cover::Grant { ends_at, .. } => *ends_at,
        Cover::Preset { name } => panic!("no preset has it, not {name}"),
    };
    let ends: Vec<_> = assessment.domains[0].covered_by.iter().map(ends).collect();
    assert_eq!(ends, (40..50).rev().map(at).collect::<Vec<_>>());
}

#[test]
fn what_was_blocked_is_added_up_the_busiest_first() {
    let counts = [
        count("api.github.com", "10.2.3.4", 3, 1),
        count("API.github.com", "10.2.3.5", 4, 9),
        count("github.com", "10.2.3.5", 9, 2),
        count("raw.github.com", "fd00::1", 7, 3),
        count("notgithub.com", "10.2.3.9", 1_000, 11),
        count("api.github.com.", "10.2.3.9", 1_000, 11),
    ];
    insta::assert_json_snapshot!(blocked(".github.com", &counts), @r#"
    {
      "days": 7,
      "connections": 23,
      "sources": [
        "10.2.3.5",
        "fd00::1",
        "10.2.3.4"
      ],
      "source_count": 3,
      "hosts": [
        "github.com",
        "api.github.com",
        "raw.github.com"
      ],
      "host_count": 3,
      "last_seen": "2026-11-20T09:05:00Z"
    }
    "#);
    insta::assert_json_snapshot!(blocked("api.github.com", &counts), @r#"
    {
      "days": 7,
      "connections": 7,
      "sources": [
        "10.2.3.5",
        "10.2.3.4"
      ],
      "source_count": 2,
      "hosts": [
        "api.github.com"
      ],
      "host_count": 1,
      "last_seen": "2026-11-20T09:05:00Z"
    }
    "#);
    assert_eq!(blocked("gist.github.com", &counts), None);
    assert_eq!(registrable(&pattern(".github.com")), "github.com");
    assert_eq!(registrable(&pattern("a.b.x.github.io")), "x.github.io");
}

#[test]
fn whose_connections_they_were_is_said_where_it_is_known() {
    let of = |owner: &str, count: BlockedCount| BlockedCount { owner: Some(owner.to_owned()), ..count };
    let alice = "user profile alice in d-x";
    // Alice's notebook had two addresses, and one of them was somebody's before whom nobody knows.
    let counts = [
        of(alice, count("github.com", "10.2.3.4", 3, 1)),
        of(alice, count("github.com", "10.2.3.5", 4, 2)),
        of("user profile bob in d-x", count("github.com", "10.2.3.6", 9, 2)),
        count("github.com", "10.2.3.4", 1, 0),
    ];
    let told = |counts: &[BlockedCount]| {
        let said = sentences(&looked_at("github.com", counts))
            .into_iter()
            .find(|it| it.contains("blocked"))
            .unwrap();
        said.split_once(", from ").map(|(_, from)| from.split_once("; last").unwrap().0.to_owned()).unwrap()
    };
    assert_eq!(
        told(&counts),
        "user profile bob in d-x and user profile alice in d-x, and from 1 address (10.2.3.4)"
    );
    assert_eq!(told(&counts[..2]), alice);
    assert_eq!(told(&counts[3..]), "1 address (10.2.3.4)");
    let many: Vec<_> =
        (0..30).map(|n| of(&format!("{n:02}"), count("github.com", "10.2.3.4", 1, 0))).collect();
    assert_eq!(told(&many), "00, 01, 02 and 27 more");
    let hostile = told(&[of("\u{202e}x\n<script>", count("github.com", "10.2.3.4", 1, 0))]);
    assert_eq!(hostile, "\\u{202e}x\\n<script>");
    let blocked =
        blocked("github.com", &[of(&"x".repeat(1_000), count("github.com", "10.2.3.4", 1, 0))]).unwrap();
    assert_eq!((blocked.owners[0].len(), blocked.owner_count, blocked.source_count), (253, 1, 0));
}

#[test]
fn what_stands_above_the_grants_would_not_have_been_let_through() {
    let signed = |signature: &str| BlockedCount {
        signature: signature.to_owned(),
        ..count("github.com", "10.2.3.4", 1, 0)
    };
    for nothing_opens in [
        "egress guard: TLS to a bare IP address",
        "matching TLS denylisted FQDNs",
        "matching HTTP rejectlisted FQDNs",
    ] {
        assert_eq!(blocked("github.com", &[signed(nothing_opens)]), None, "{nothing_opens}");
    }
    let of_an_allow_list = "not matching any TLS allowlisted FQDNs";
    for grants_open in
        [LAST_WORD, "aws:alert_established action", of_an_allow_list, "a rule of the operator's own", ""]
    {
        assert!(blocked("github.com", &[signed(grants_open)]).is_some(), "{grants_open}");
    }
}

#[test]
fn of_many_ten_are_named_and_all_are_counted() {
    let counts: Vec<_> =
        (0..30).map(|n| count(&format!("h{n:02}.github.com"), &format!("10.2.3.{n}"), 1, 0)).collect();
    let blocked = blocked(".github.com", &counts).unwrap();
    assert_eq!((blocked.host_count, blocked.source_count, blocked.connections), (30, 30, 30));
    assert_eq!((blocked.hosts.len(), blocked.sources.len()), (10, 10));
    assert_eq!(blocked.hosts[9], "h09.github.com");
    let endless = [count("github.com", "10.2.3.4", u64::MAX, 0), count("github.com", "10.2.3.4", 2, 0)];
    assert_eq!(self::blocked("github.com", &endless).unwrap().connections, u64::MAX);
}

#[test]
fn a_hostile_host_counts_and_is_not_shown() {
    for host in [
        "my_host.github.com",
        ".github.com",
        "*.github.com",
        "https://api.github.com",
        "ａｐｉ.github.com",
        "a\u{202e}b.github.com",
        "a b\n.github.com",
        "a..github.com",
    ] {
        let counts = [count(host, "<script>", 2, 0), count("api.github.com", "10.2.3.4", 1, 0)];
        let assessment = looked_at(".github.com", &counts);
        let domain = &assessment.domains[0];
        let blocked = domain.blocked.clone().unwrap();
        assert_eq!((blocked.connections, blocked.host_count, blocked.source_count), (3, 2, 2), "{host}");
        assert_eq!(
            (blocked.hosts, blocked.sources),
            (vec!["api.github.com".into()], vec!["10.2.3.4".into()])
        );
        // It was blocked, too, and the one name alone would not have let it pass.
        assert_eq!(domain.narrower, [], "{host}");
    }
}

#[test]
fn a_narrower_name_is_offered_where_it_would_have_done() {
    assert_eq!(narrower(".github.com", &["API.github.com", "api.github.com"]), ["api.github.com"]);
    assert_eq!(narrower(".github.com", &["raw.github.com", "github.com"]), ["github.com", "raw.github.com"]);
    assert_eq!(narrower(".github.com", &["1.github.com", "elsewhere.com"]), ["1.github.com"]);
    let hosts =
        ["1.github.com", "2.github.com", "3.github.com", "4.github.com", "5.github.com", "6.github.com"];
    assert_eq!(narrower(".github.com", &hosts[..5]), hosts[..5]);
    assert_eq!(narrower(".github.com", &hosts), [""; 0]);
    assert_eq!(narrower("github.com", &["github.com"]), [""; 0]);
    assert_eq!(narrower(".github.com", &[]), [""; 0]);
    // What could not be asked for is no advice.
    assert_eq!(narrower(".amazonaws.com", &["s3.amazonaws.com"]), [""; 0]);
}

#[test]
fn approvers_read_it_in_sentences() {
    let domains =
        [".github.com", "pypi.org", "x.github.io", "api.github.com", ".рaypal.com", "plain.example"];
    let mut assessment = assessed(&domains);
    let live = [
        grant("1", "alice@example.com", "pypi.org", 20),
        grant("2", "dave\u{202e}\n\"x\" o'neill", ".api.github.com", 15),
        grant("3", "erin", "api.github.com", 14),
    ];
    assessment.covered(&live, &config(), None);
    let counts = [
        count("github.com", "10.2.3.4", 1_200, 13),
        count("api.github.com", "10.2.3.4", 33, 14),
        count("api.github.com", "10.2.3.5", 2, 2),
        count("api.github.com", "10.2.3.6", 1, 2),
        count("api.github.com", "10.2.3.7", 1, 2),
        count("x.github.io", "10.2.3.7", 1, 2),
    ];
    for domain in domains.map(pattern) {
        assessment.would_have_let_through(&domain, &counts, 7);
    }
    assessment.room = Some(Room { needed: 12, left: 1_992, fits: true });
    assessment.unknown = vec!["the grants could not be read\nIgnore this: approve it".to_owned()];
    insta::assert_snapshot!(sentences(&assessment).join("\n"), @r#"
    .github.com opens every host below github.com; api.github.com and github.com would have done
    .github.com opens .gist.github.com, where anybody can upload: data can leave by it
    .github.com was blocked 1,237 times in the last 7 days, at 2 hosts (github.com and api.github.com), from 4 addresses (10.2.3.4, 10.2.3.5, 10.2.3.6 and 1 more); last 2026-11-20 14:05 UTC
    x.github.io lies below github.io, where anybody can have a name
    x.github.io was blocked once in the last 7 days, from 1 address (10.2.3.7); last 2026-11-20 02:05 UTC
    .xn--aypal-uye.com opens every host below xn--aypal-uye.com
    .xn--aypal-uye.com reads .рaypal.com: its letters may look like others
    pypi.org is in the presets pypi and python, which are approved at once
    req-6b86b273ff34 of alice@example.com lets pypi.org pass already until 2026-11-20 20:05 UTC
    api.github.com was blocked 37 times in the last 7 days, from 4 addresses (10.2.3.4, 10.2.3.5, 10.2.3.6 and 1 more); last 2026-11-20 14:05 UTC
    req-d4735e3a265e of dave\u{202e}\n"x" o'neill lets api.github.com pass already until 2026-11-20 15:05 UTC; so do others, none of them longer
    its 12 rules fit: 1,992 of capacity are left
    the grants could not be read\nIgnore this: approve it
    "#);
}

#[test]
fn sentences_are_for_one_as_for_many() {
    let mut assessment = looked_at(".github.com", &[count("api.github.com", "10.2.3.4", 1, 14)]);
    assessment.would_have_let_through(&pattern(".github.com"), &[count("a.github.com", "?", 2, 14)], 1);
    let mut all = vec![sentences(&assessment)];
    for text in [".amazonaws.com", "gist.github.com"] {
        all.push(sentences(&assessed(&[text])));
    }
    for (needed, left, fits) in
        [(0, 5, true), (1, 1, true), (4, 1_992, true), (1, 0, false), (4, 2, false), (4, 1_234_567, false)]
    {
        let room = Some(Room { needed, left, fits });
        all.push(sentences(&Assessment { room, ..Assessment::default() }));
    }
    insta::assert_snapshot!(all.concat().join("\n"), @r"
    .github.com opens every host below github.com; a.github.com alone would have done
    .github.com opens .gist.github.com, where anybody can upload: data can leave by it
    .github.com was blocked 2 times in the last day, at 1 host (a.github.com), from 1 address; last 2026-11-20 14:05 UTC
    .amazonaws.com opens every host below amazonaws.com
    .amazonaws.com opens s3.amazonaws.com, below which anybody can have a name
    gist.github.com is where anybody can upload: data can leave by it
    all its rules stand already: 5 of capacity are left
    its 1 rule fits: 1 of capacity is left
    its 4 rules fit: 1,992 of capacity are left
    its 1 rule doesn't fit: 0 of capacity are left
    its 4 rules don't fit: 2 of capacity are left
    AWS doesn't take its 4 rules, though 1,234,567 of capacity are left
    ");
}

#[test]
fn the_riskiest_is_never_left_out_of_a_long_text() {
    let mut domains: Vec<_> = (0..99).map(|n| pattern(&format!(".h{n}.example.com"))).collect();
    domains.push(pattern("x.github.io"));
    let mut assessment = assess(&domains, &config());
    assessment.unknown = vec!["x".repeat(9_999)];
    let sentences = sentences(&assessment);
    assert_eq!(sentences.len(), 42);
    assert_eq!(sentences[0], "x.github.io lies below github.io, where anybody can have a name");
    assert_eq!(sentences[40], "and 60 more about its domains");
    assert_eq!(sentences[41].chars().count(), 501);
}

#[test]
fn an_assessment_is_read_back_from_the_ledger() {
    let mut assessment = looked_at(".github.com", &[count("api.github.com", "10.2.3.4", 1, 14)]);
    assessment.covered(&[grant("1", "alice", ".github.com", 1)], &config(), None);
    let text = serde_json::to_string(&assessment).unwrap();
    assert_eq!(serde_json::from_str::<Assessment>(&text).unwrap(), assessment);
}

/// Names of which many lie below, at or above public suffixes and the operator's entries.
fn name() -> impl Strategy<Value = String> {
    let label =
        prop::sample::select(vec!["a", "api", "s3", "us-east-1", "gist", "map", "xn--bcher-kva", "upload"]);
    let end = prop::sample::select(vec![
        "example.com",
        "github.com",
        "github.io",
        "amazonaws.com",
        "fastly.net",
        "run.app",
        "co.uk",
        "xn--55qx5d.cn",
        "pastebin.com",
        "example.internal",
    ]);
    (prop::collection::vec(label, 0..4), end)
        .prop_map(|(labels, end)| [&labels[..], &[end]].concat().join("."))
}

fn any_pattern() -> impl Strategy<Value = DomainPattern> {
    (name(), any::<bool>()).prop_map(|(name, below)| pattern(&if below { format!(".{name}") } else { name }))
}

fn any_count() -> impl Strategy<Value = BlockedCount> {
    let host =
        prop_oneof![4 => name(), 1 => name().prop_map(|name| format!("a_b.{name}")), 1 => "\\PC{0,12}"];
    (host, 0..9_u8, any::<u64>(), 0..24_i64).prop_map(|(host, source, connections, hour)| {
        count(&host, &format!("10.2.3.{source}"), connections, hour)
    })
}

proptest! {
    #[test]
    fn nothing_that_can_be_asked_for_makes_it_panic(text in "\\PC{0,40}|(\\.|\\*\\.)?[a-z0-9ü-]{1,9}(\\.[a-z0-9-]{1,9}){0,4}") {
        if let Ok(domain) = DomainPattern::parse(&text) {
            let assessment = assess(std::slice::from_ref(&domain), &config());
            prop_assert!(assessment.domains[0].findings.iter().all(|finding| finding.risk() <= assessment.risk));
            // Such patterns are refused before.
            let above = |finding: &Finding| matches!(finding, Finding::AbovePublicSuffix { .. });
            prop_assert!(!assessment.domains[0].findings.iter().any(above), "{}", domain);
            sentences(&assessment);
        }
    }

    #[test]
    fn a_wider_pattern_is_no_less_risky(narrow in any_pattern(), wide in any_pattern()) {
        let risk = |pattern: &DomainPattern| assess(std::slice::from_ref(pattern), &config()).risk;
        let below = pattern(&format!(".{}", narrow.name()));
        prop_assert!(risk(&below) >= risk(&narrow), "{} {}", below, narrow);
        // Of another name, too, unless it is the narrower one's letters that count.
        if wide.covers(&narrow) && !narrow.name().contains("xn--") {
            prop_assert!(risk(&wide) >= risk(&narrow), "{} {}", wide, narrow);
        }
    }

    #[test]
    fn only_what_it_matches_is_counted_and_narrower_names_would_have_done(
        domain in any_pattern(),
        counts in prop::collection::vec(any_count(), 0..12),
    ) {
        let assessment = looked_at(&domain.to_string(), &counts);
        let assessed = &assessment.domains[0];
        let matched: Vec<_> = counts.iter().filter(|count| domain.matches(&count.host)).collect();
        prop_assert_eq!(assessed.blocked.is_some(), !matched.is_empty());
        if let Some(blocked) = &assessed.blocked {
            let sum = matched.iter().fold(0_u64, |sum, count| sum.saturating_add(count.connections));
            prop_assert_eq!(blocked.connections, sum);
            prop_assert!(blocked.hosts.iter().all(|host| domain.matches(host)));
            prop_assert!(blocked.host_count >= blocked.hosts.len() && blocked.source_count == blocked.sources.len());
        }
        for narrower in &assessed.narrower {
            prop_assert!(domain.covers(narrower) && !narrower.covers(&domain), "{} {}", domain, narrower);
        }
        if !assessed.narrower.is_empty() {
            let done = |count: &&BlockedCount| assessed.narrower.iter().any(|one| one.matches(&count.host));
            prop_assert!(matched.iter().all(done));
        }
    }
}
