//! What operators put beside the stack's own rule groups.

use egress::firewall::{PolicyGroup, PolicyRules};
use egress::request::StateName;

use crate::world::{World, group, list, list_of, request, short, text};

/// One line for each: what becomes of `example.com` with these groups before those of the grants, or, where
/// `behind`, before the last word.
fn table(rows: Vec<(&str, bool, PolicyGroup)>) -> String {
    let line = |(what, behind, group): (&str, bool, PolicyGroup)| {
        let world = World::new();
        let world = if behind {
            world.before_the_last_word(vec![group])
        } else {
            world.before_the_grants(vec![group])
        };
        format!("{what}: {}", short(&world.explain("example.com")))
    };
    rows.into_iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn lists_beside_are_judged_by_their_kind_and_types() {
    let of = |kind, types: &[&str]| list_of("own", kind, &["example.com"], types);
    let resolved = ["TLS_SNI", "AWS_ROUTE_53_RESOLVED_DOMAIN"];
    let managed = PolicyRules::Other("it is managed by AWS".to_owned());
    insta::assert_snapshot!(table(vec![
        ("HTTP alone", true, of("ALLOWLIST", &["HTTP_HOST"])),
        ("names and their addresses", true, of("ALLOWLIST", &resolved)),
        ("capitals", true, list("own", "ALLOWLIST", &["Example.com"])),
        ("a whole top-level domain", false, list("own", "REJECTLIST", &[".com"])),
        ("alerts", false, list("own", "ALERTLIST", &["example.com"])),
        ("a kind to come", false, list("own", "MAYBELIST", &["example.com"])),
        ("nobody may read it", false, group("AttackInfrastructure", managed)),
    ]), @r"
    HTTP alone: TLS Blocked (nothing allows it: egress-last-word-x 9900001), HTTP Passes (Pass by own example.com)
    names and their addresses: TLS Unknown (nothing allows it: egress-last-word-x 9900001), HTTP Unknown (nothing allows it: egress-last-word-x 9900002)
    capitals: TLS Passes (Pass by own Example.com), HTTP Unknown (nothing allows it: egress-last-word-x 9900002)
    a whole top-level domain: TLS Blocked (Reject by own .com), HTTP Blocked (Reject by own .com)
    alerts: TLS Blocked (nothing allows it: egress-last-word-x 9900001), HTTP Blocked (nothing allows it: egress-last-word-x 9900002)
    a kind to come: TLS Unknown (nothing allows it: egress-last-word-x 9900001), HTTP Unknown (nothing allows it: egress-last-word-x 9900002)
    nobody may read it: TLS Unknown (nothing allows it: egress-last-word-x 9900001), HTTP Unknown (nothing allows it: egress-last-word-x 9900002)
    ");
}

#[test]
fn rules_beside_are_judged_as_far_as_they_are_understood() {
    let rule = |action: &str, keywords: &str| {
        text("own", &format!("{action} $HOME_NET any -> $EXTERNAL_NET any ({keywords} msg:\"m\"; sid:7;)"))
    };
    let port = |ports: &str| {
        let rule = format!("pass tls any any -> any {ports} (tls.sni; content:\"example.com\"; sid:7;)");
        text("own", &rule)
    };
    let bit = "drop tcp any any -> any any (flowbits:isset,seen; sid:8;)";
    let set = "alert tls any any -> any any (flowbits:set,seen; sid:7;)";
    insta::assert_snapshot!(table(vec![
        ("a prefix", true, rule("pass tls", "tls.sni; content:\"exam\"; startswith;")),
        ("a part in another case", true, rule("pass tls", "tls.sni; content:\"AMPLE\";")),
        ("a part in any case", true, rule("pass tls", "tls.sni; content:\"AMPLE\"; nocase;")),
        ("all names but one", true, rule("drop http", "http.host; content:!\"example.org\";")),
        ("another port", true, port("8443")),
        ("its port among others", true, port("[443,8443]")),
        ("an expression that may drop", false, rule("drop tls", "tls.sni; pcre:\"/x/\";")),
        ("an expression that may pass", false, rule("pass tls", "tls.sni; pcre:\"/x/\";")),
        ("on another name", false, rule("pass tls", "tls.sni; content:\"example.org\"; pcre:\"/x/\";")),
        ("the country", false, rule("pass ip", "geoip:dst,XX;")),
        ("the category", false, rule("pass tls", "aws_domain_category:Health;")),
        ("addresses of theirs", false, text("own", "pass tcp $LAB any -> $EXTERNAL_NET any (sid:7;)")),
        ("a bit that nothing sets", false, text("own", bit)),
        ("a bit that an alert sets", false, text("own", &format!("{set}\n{bit}"))),
        ("a rule for UDP", false, rule("drop udp", "")),
        ("a comment", false, text("own", "# drop tls any any -> any any (sid:7;)")),
        ("no rule", false, text("own", "dorp tls any any -> any any (sid:7;)")),
    ]), @r"
    a prefix: TLS Passes (Pass by own 7), HTTP Blocked (nothing allows it: egress-last-word-x 9900002)
    a part in another case: TLS Blocked (nothing allows it: egress-last-word-x 9900001), HTTP Blocked (nothing allows it: egress-last-word-x 9900002)
    a part in any case: TLS Passes (Pass by own 7), HTTP Blocked (nothing allows it: egress-last-word-x 9900002)
    all names but one: TLS Blocked (nothing allows it: egress-last-word-x 9900001), HTTP Blocked (Drop by own 7)
    another port: TLS Blocked (nothing allows it: egress-last-word-x 9900001), HTTP Blocked (nothing allows it: egress-last-word-x 9900002)
    its port among others: TLS Passes (Pass by own 7), HTTP Blocked (nothing allows it: egress-last-word-x 9900002)
    an expression that may drop: TLS Blocked (nothing allows it: egress-last-word-x 9900001), HTTP Blocked (nothing allows it: egress-last-word-x 9900002)
    an expression that may pass: TLS Unknown (nothing allows it: egress-last-word-x 9900001), HTTP Blocked (nothing allows it: egress-last-word-x 9900002)
    on another name: TLS Blocked (nothing allows it: egress-last-word-x 9900001), HTTP Blocked (nothing allows it: egress-last-word-x 9900002)
    the country: TLS Unknown (nothing allows it: egress-last-word-x 9900001), HTTP Unknown (nothing allows it: egress-last-word-x 9900002)
    the category: TLS Unknown (nothing allows it: egress-last-word-x 9900001), HTTP Blocked (nothing allows it: egress-last-word-x 9900002)
    addresses of theirs: TLS Unknown (nothing allows it: egress-last-word-x 9900001), HTTP Unknown (nothing allows it: egress-last-word-x 9900002)
    a bit that nothing sets: TLS Blocked (nothing allows it: egress-last-word-x 9900001), HTTP Blocked (nothing allows it: egress-last-word-x 9900002)
    a bit that an alert sets: TLS Blocked (nothing allows it: egress-last-word-x 9900001), HTTP Blocked (nothing allows it: egress-last-word-x 9900002)
    a rule for UDP: TLS Blocked (nothing allows it: egress-last-word-x 9900001), HTTP Blocked (nothing allows it: egress-last-word-x 9900002)
    a comment: TLS Blocked (nothing allows it: egress-last-word-x 9900001), HTTP Blocked (nothing allows it: egress-last-word-x 9900002)
    no rule: TLS Unknown (nothing allows it: egress-last-word-x 9900001), HTTP Unknown (nothing allows it: egress-last-word-x 9900002)
    ");
}

#[test]
fn what_is_unclear_before_a_grant_makes_it_unknown() {
    let rules = "drop tls any any -> any any (msg:\"malware\"; tls.sni; pcre:\"/x/\"; sid:7;)\ndorp";
    let world = World::new()
        .granting(&[("github.com", "a")])
        .with(request("a", StateName::Active, &["github.com"]))
        .before_the_grants(vec![text("own", rules)]);
    insta::assert_snapshot!(world.told("github.com"), @r#"
    github.com may pass or not.
    TLS: if nothing else decides, rule 1000000 ("egress grant github.com") of the rule group egress-grants-x lets it pass, for req-ca978112ca1b.
    HTTP: if nothing else decides, rule 1000001 ("egress grant github.com") of the rule group egress-grants-x lets it pass, for req-ca978112ca1b.
    req-ca978112ca1b of alice@example.com grants github.com until 2026-11-21 12:30 UTC: active.
    Rule 7 ("malware") of the rule group own may block it: its condition pcre can't be judged here.
    The rule group own may let it pass, or block it: it can't be judged here (a line can't be read: dorp).
    → Ask those who keep the rule group own whether it concerns github.com; the firewall's alert log says which rule blocked.
    "#);
}

#[test]
fn what_needs_no_name_decides_before_what_does() {
    let granted = || {
        World::new().granting(&[("github.com", "a")]).with(request("a", StateName::Active, &["github.com"]))
    };
    let with =
        |rule: &str| short(&granted().before_the_last_word(vec![text("own", rule)]).explain("github.com"));
    let table = [
        "drop tcp $HOME_NET any -> $EXTERNAL_NET any (sid:7;)",
        "drop tcp $EXTERNAL_NET any -> $HOME_NET any (sid:7;)",
        "drop tcp $HOME_NET any -> $EXTERNAL_NET any (flow:to_server; sid:7;)",
        "drop tcp $HOME_NET any -> $EXTERNAL_NET any (flow:to_server,established; sid:7;)",
        "drop tcp $HOME_NET any -> $EXTERNAL_NET 22 (sid:7;)",
        "drop tls $HOME_NET any -> $EXTERNAL_NET any (sid:7;)",
        "pass tcp any any -> any any (flow:not_established; sid:7;)",
    ];
    let lines: Vec<String> = table.iter().map(|rule| format!("{rule}\n  {}", with(rule))).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    drop tcp $HOME_NET any -> $EXTERNAL_NET any (sid:7;)
      TLS Blocked (Drop by own 7), HTTP Blocked (Drop by own 7)
    drop tcp $EXTERNAL_NET any -> $HOME_NET any (sid:7;)
      TLS Blocked (Drop by own 7), HTTP Blocked (Drop by own 7)
    drop tcp $HOME_NET any -> $EXTERNAL_NET any (flow:to_server; sid:7;)
      TLS Blocked (Drop by own 7), HTTP Blocked (Drop by own 7)
    drop tcp $HOME_NET any -> $EXTERNAL_NET any (flow:to_server,established; sid:7;)
      TLS Passes (Pass by egress-grants-x 1000000), HTTP Passes (Pass by egress-grants-x 1000001)
    drop tcp $HOME_NET any -> $EXTERNAL_NET 22 (sid:7;)
      TLS Passes (Pass by egress-grants-x 1000000), HTTP Passes (Pass by egress-grants-x 1000001)
    drop tls $HOME_NET any -> $EXTERNAL_NET any (sid:7;)
      TLS Passes (Pass by egress-grants-x 1000000), HTTP Passes (Pass by egress-grants-x 1000001)
    pass tcp any any -> any any (flow:not_established; sid:7;)
      TLS Passes (Pass by egress-grants-x 1000000), HTTP Passes (Pass by egress-grants-x 1000001)
    ");
    // What passes a whole connection at its first packet opens even what is denied by name.
    let open = World::new().before_the_last_word(vec![text("own", "pass tcp any any -> any 443 (sid:7;)")]);
    insta::assert_snapshot!(short(&open.explain("a.evil.example.org")), @"TLS Passes (Pass by own 7), HTTP Blocked (Reject by egress-deny-x .evil.example.org)");
    let notes = granted().before_the_last_word(vec![text(
        "own",
        "drop tcp $HOME_NET any -> $EXTERNAL_NET any (msg:\"no TCP\"; sid:7;)",
    )]);
    insta::assert_snapshot!(notes.explain("github.com").notes.join("\n"), @r#"
    TLS is blocked at its first packets, before the client has given a name: rule 1000000 ("egress grant github.com") of the rule group egress-grants-x never gets to see it.
    HTTP is blocked at its first packets, before the client has given a name: rule 1000001 ("egress grant github.com") of the rule group egress-grants-x never gets to see it.
    It is granted by req-ca978112ca1b, and blocked all the same: rule 7 ("no TCP") of the rule group own decides before grants are looked at.
    "#);
    let notes = granted().before_the_last_word(vec![
        text("own", "drop tls any any -> any any (msg:\"other TLS\"; sid:7;)\ndrop ip any any -> $BAD any (msg:\"bad\"; sid:8;)"),
    ]);
    insta::assert_snapshot!(notes.told("github.com"), @r#"
    github.com passes.
    TLS: rule 1000000 ("egress grant github.com") of the rule group egress-grants-x lets it pass, for req-ca978112ca1b.
    HTTP: rule 1000001 ("egress grant github.com") of the rule group egress-grants-x lets it pass, for req-ca978112ca1b.
    req-ca978112ca1b of alice@example.com grants github.com until 2026-11-21 12:30 UTC: active.
    Rule 8 ("bad") of the rule group own may block it: its condition $BAD can't be judged here. It needs no name, and so decides before any rule that does, wherever it stands.
    A long ClientHello, as post-quantum keys make it, takes two packets: rule 7 ("other TLS") of the rule group own blocks the first of them, in which there is no name yet.
    "#);
}

#[test]
fn the_groups_decide_in_their_order_and_the_rules_in_theirs() {
    let sni = |action: &str, sid: u32| {
        format!("{action} tls any any -> any any (tls.sni; content:\"example.com\"; endswith; sid:{sid};)\n")
    };
    let world = |groups: Vec<PolicyGroup>| World { policy: groups, ..World::new() };
    let (pass, drop) = (list("a", "ALLOWLIST", &["example.com"]), list("b", "DENYLIST", &[".example.com"]));
    let first = |world: World| short(&world.explain("example.com"));
    assert!(first(world(vec![pass.clone(), drop.clone()])).starts_with("TLS Passes (Pass by a example.com)"));
    assert!(first(world(vec![drop, pass])).starts_with("TLS Blocked (Drop by b .example.com)"));
    let rules = sni("alert", 1) + &sni("reject", 2) + &sni("pass", 3);
    assert!(first(world(vec![text("c", &rules)])).starts_with("TLS Blocked (Reject by c 2)"));
}
