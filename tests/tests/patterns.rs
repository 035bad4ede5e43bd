//! `DomainPattern::matches` held against Suricata's own verdict on the rules as they are rendered: TLS
//! and HTTP to random names, hostile spellings among them.

#![cfg(test)]

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use egress::domain::DomainPattern;
use egress::request::RequestId;
use tests::granted::rules_for;
use tests::lab::{Engine, Lab, Observation, Outcome, Policy, Probe, RuleGroup};
use tests::memory::Chance;

const SEED: u64 = 20_261_121;
const PATTERNS: usize = 300;
const HOSTS: usize = 250;
const SERVER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);

/// How a host is named, and which spellings Suricata reads in that place. What it doesn't read is blocked.
type Way = (fn(&str, Ipv4Addr) -> Probe, fn(&str) -> bool);
const WAYS: [Way; 3] = [
    // A longer name in a `ClientHello` is ignored; no name can be as long (RFC 1035).
    (Probe::tls_to, |host| host.len() <= 255),
    (Probe::http_to, |_| true),
    // With a port, the Host header is compared in the case that it has.
    (
        |host, server| Probe::http_to(&format!("{host}:8080"), server),
        |host| !host.contains(|c: char| c.is_ascii_uppercase()),
    ),
];

#[tokio::test]
async fn suricata_and_we_agree_on_every_pattern_and_host() {
    let mut chance = Chance::new(SEED);
    let patterns = patterns(&mut chance);
    let hosts = hosts(&patterns, &mut chance);
    let lab = Lab::start(Engine::Offline).await.unwrap();
    lab.load(&policy(&patterns)).await.unwrap();

    let mut pairs = 0;
    for (probe, is_read) in WAYS {
        let probes: Vec<Probe> = hosts.iter().map(|host| probe(host, SERVER)).collect();
        let observations = lab.probes(&probes).await.unwrap();
        let verdicts: Vec<String> = observations.iter().map(verdict).collect();
        let expected: Vec<String> = hosts.iter().map(|host| expected(&patterns, host, is_read)).collect();
        let differences: Vec<String> = (observations.iter().zip(&verdicts).zip(&expected))
            .filter(|((_, verdict), expected)| verdict != expected)
            .map(|((seen, verdict), expected)| {
                format!("{}: Suricata says {verdict}, we say {expected}", seen.probe)
            })
            .collect();
        assert!(differences.is_empty(), "seed {SEED}:\n{}", differences.join("\n"));
        let passed = expected.iter().filter(|outcome| *outcome != BLOCKED).count();
        assert!(passed > HOSTS / 5 && passed < HOSTS * 4 / 5, "{passed} of {HOSTS} pass: not a fair test");
        // Suricata names the first rule that matches: it and all before it are judged.
        pairs += expected.iter().map(|outcome| judged(&patterns, outcome)).sum::<usize>();
    }
    assert!(pairs > 50_000, "only {pairs} pairs of a pattern and a host were judged");
}

const BLOCKED: &str = "blocked";

/// The firewall's word on a connection: the first pattern whose rule lets it pass.
fn verdict(seen: &Observation) -> String {
    let signature = seen.verdict.as_ref().map(|verdict| verdict.signature.as_str()).unwrap_or_default();
    match (seen.outcome == Outcome::Answered, signature.strip_prefix("egress grant ")) {
        (true, Some(pattern)) => pattern.to_owned(),
        (true, None) => format!("passed without a grant ({signature})"),
        (false, None) => BLOCKED.to_owned(),
        (false, Some(pattern)) => format!("blocked in spite of {pattern}"),
    }
}

fn expected(patterns: &BTreeSet<DomainPattern>, host: &str, is_read: fn(&str) -> bool) -> String {
    let first = patterns.iter().find(|pattern| is_read(host) && pattern.matches(host));
    first.map_or_else(|| BLOCKED.to_owned(), ToString::to_string)
}

fn judged(patterns: &BTreeSet<DomainPattern>, outcome: &str) -> usize {
    patterns
        .iter()
        .position(|pattern| pattern.to_string() == outcome)
        .map_or(patterns.len(), |place| place + 1)
}

fn policy(patterns: &BTreeSet<DomainPattern>) -> Policy {
    let text = rules_for(RequestId::of_message("patterns"), patterns.iter().cloned().collect()).unwrap();
    let default = ["aws:drop_established_app_layer_to_server", "aws:alert_established_app_layer_to_server"];
    Policy {
        default_actions: default.map(str::to_owned).to_vec(),
        groups: vec![RuleGroup::rules("grants", &text)],
        ..Policy::default()
    }
}

/// Random patterns, many of them near each other.
fn patterns(chance: &mut Chance) -> BTreeSet<DomainPattern> {
    let mut patterns = BTreeSet::new();
    while patterns.len() < PATTERNS {
        let labels: Vec<String> = (0..=chance.below(3)).map(|_| label(chance)).collect();
        let top = chance
            .pick(&["com", "org", "de", "co.uk", "example.com", "internal", "xn--p1ai"])
            .copied()
            .unwrap_or("com");
        let dot = if chance.percent(50) { "." } else { "" };
        patterns.extend(DomainPattern::parse(&format!("{dot}{}.{top}", labels.join("."))));
    }
    patterns
}

fn label(chance: &mut Chance) -> String {
    if chance.percent(5) {
        return "a".repeat(63);
    }
    let length = 1 + chance.below(5);
    (0..length).map(|_| char::from(*chance.pick(b"abcdefghij0123456789").unwrap_or(&b'a'))).collect()
}

/// Hosts around the patterns: themselves, below them, and what somebody would try to slip past them.
fn hosts(patterns: &BTreeSet<DomainPattern>, chance: &mut Chance) -> Vec<String> {
    let patterns: Vec<&DomainPattern> = patterns.iter().collect();
    let mut host = || {
        let name = chance.pick(&patterns).map(|pattern| pattern.name().to_owned()).unwrap_or_default();
        spelling(&name, chance)
    };
    (0..HOSTS).map(|_| host()).collect()
}

fn spelling(name: &str, chance: &mut Chance) -> String {
    let below = label(chance);
    let host = match chance.below(17) {
        0..=3 => name.to_owned(),
        4..=6 => format!("{below}.{name}"),
        7 => format!("{below}.{}.{name}", label(chance)),
        8 => format!("not{name}"),
        9 => format!("{name}.evil.org"),
        10 => format!("{name}{below}"),
        11 => format!(".{name}"),
        12 => format!("{below}..{name}"),
        13 => format!("{}{name}", format!("{below}.").repeat(50)),
        14 => format!("{name}."),
        15 => name.split_once('.').map_or(name, |(_, parent)| parent).to_owned(),
        _ => format!("{below}-{name}"),
    };
    if chance.percent(30) { odd_case(&host, chance) } else { host }
}

fn odd_case(host: &str, chance: &mut Chance) -> String {
    host.chars().map(|c| if chance.percent(50) { c.to_ascii_uppercase() } else { c }).collect()
}
