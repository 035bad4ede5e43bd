//! Why a host is blocked, or passes: the stack's own rules, grants, and what operators put beside them.

#![cfg(test)]

mod hostile;
mod operators;
mod world;

use egress::explain::{Verdict, sentences};
use egress::request::StateName;

use world::{World, at, request};

#[test]
fn nothing_allows_it_and_the_last_word_says_so() {
    let world = World::new().blocked("github.com", "10.2.3.4", -5).blocked("api.github.com", "10.2.3.4", -4);
    insta::assert_snapshot!(world.told("github.com"), @r#"
    github.com is blocked.
    TLS: nothing allows it, so rule 9900001 ("egress last word: TLS without a server name that is allowed") of the rule group egress-last-word-x rejects it.
    HTTP: nothing allows it, so rule 9900002 ("egress last word: HTTP without a host name that is allowed") of the rule group egress-last-word-x rejects it.
    Lately 3 connections to it were blocked, the last at 2026-11-21 11:55 UTC ("egress last word: TLS without a server name that is allowed"), from 10.2.3.4.
    Of the same domain, there was also blocked: api.github.com.
    → Ask for github.com: that is the narrowest that lets it pass.
    "#);
}

#[test]
fn the_list_of_the_template_allows_it() {
    insta::assert_snapshot!(World::new().told("https://www.Kaggle.com./competitions?x"), @r"
    www.kaggle.com passes.
    TLS and HTTP: the entry .kaggle.com of the ALLOWLIST domain-allow-sagemaker-x lets it pass.
    It is in the preset kaggle.
    ");
}

#[test]
fn a_grant_allows_it() {
    let world = World::new()
        .granting(&[("pypi.org", "a"), (".github.com", "b")])
        .with(request("a", StateName::Active, &["pypi.org"]))
        .with(request("b", StateName::Active, &["github.com", ".github.com"]));
    insta::assert_snapshot!(world.told("api.github.com"), @r#"
    api.github.com passes.
    TLS: rule 1000002 ("egress grant .github.com") of the rule group egress-grants-x lets it pass, for req-3e23e8160039.
    HTTP: rule 1000003 ("egress grant .github.com") of the rule group egress-grants-x lets it pass, for req-3e23e8160039.
    req-3e23e8160039 of alice@example.com grants .github.com until 2026-11-21 12:30 UTC: active.
    "#);
}

#[test]
fn granted_and_not_in_force_yet() {
    let world = World::new().with(request("a", StateName::Approved, &["github.com"]));
    insta::assert_snapshot!(world.told("github.com"), @r#"
    github.com is blocked.
    TLS: nothing allows it, so rule 9900001 ("egress last word: TLS without a server name that is allowed") of the rule group egress-last-word-x rejects it.
    HTTP: nothing allows it, so rule 9900002 ("egress last word: HTTP without a host name that is allowed") of the rule group egress-last-word-x rejects it.
    req-ca978112ca1b of alice@example.com grants github.com until 2026-11-21 12:30 UTC: approved.
    req-ca978112ca1b is approved, and not in force yet: its rules are not in sync in every availability zone.
    → Wait until req-ca978112ca1b is in force; who asked for it is told.
    "#);
    let mut waits = request("a", StateName::Approved, &["github.com"]);
    waits.waits_for = Some("the rule group is full: 2 units are missing.".to_owned());
    insta::assert_snapshot!(World::new().with(waits).told("github.com"), @r#"
    github.com is blocked.
    TLS: nothing allows it, so rule 9900001 ("egress last word: TLS without a server name that is allowed") of the rule group egress-last-word-x rejects it.
    HTTP: nothing allows it, so rule 9900002 ("egress last word: HTTP without a host name that is allowed") of the rule group egress-last-word-x rejects it.
    req-ca978112ca1b of alice@example.com grants github.com until 2026-11-21 12:30 UTC: approved.
    req-ca978112ca1b is approved, and its rules are not in the firewall: the rule group is full: 2 units are missing.
    → Wait until req-ca978112ca1b is in force; who asked for it is told.
    "#);
}

#[test]
fn whose_connections_were_blocked_is_said_where_it_is_known() {
    let said = |world: &World| {
        let told = world.told("github.com");
        let line = told.lines().find(|line| line.starts_with("Lately")).unwrap();
        line.rsplit_once(", from ")
            .map_or_else(String::new, |_| line.split_once("\"), from ").unwrap().1.to_owned())
    };
    let world = World::new()
        .blocked("github.com", "10.2.3.4", -5)
        .of("user profile alice in d-x")
        .blocked("github.com", "10.2.3.9", -4)
        .of("user profile alice in d-x")
        .blocked("github.com", "10.2.3.4", -9);
    assert_eq!(said(&world), "user profile alice in d-x, and from 10.2.3.4.");
    let hidden = |world: World| {
        let mut explanation = world.explain("github.com");
        let last = explanation.last_blocked.as_mut().unwrap();
        last.owners.clear();
        last.sources.clear();
        egress::explain::sentences(&explanation).into_iter().find(|line| line.starts_with("Lately")).unwrap()
    };
    assert!(hidden(world).ends_with(", from 1 owner, and from 1 address."));
    let two = World::new().blocked("github.com", "10.2.3.4", -5).blocked("github.com", "10.2.3.5", -5);
    assert!(hidden(two).ends_with(", from 2 addresses."));
}

#[test]
fn granted_active_and_blocked_lately() {
    let world = World::new()
        .granting(&[("github.com", "a")])
        .with(request("a", StateName::Active, &["github.com"]))
        .blocked("github.com", "10.2.3.4", -5)
        .blocked("GitHub.com", "10.2.3.5", -6)
        .blocked("objects.github.com", "10.2.3.5", -6);
    insta::assert_snapshot!(world.told("github.com"), @r#"
    github.com passes.
    TLS: rule 1000000 ("egress grant github.com") of the rule group egress-grants-x lets it pass, for req-ca978112ca1b.
    HTTP: rule 1000001 ("egress grant github.com") of the rule group egress-grants-x lets it pass, for req-ca978112ca1b.
    req-ca978112ca1b of alice@example.com grants github.com until 2026-11-21 12:30 UTC: active.
    Lately 6 connections to it were blocked, the last at 2026-11-21 11:55 UTC ("egress last word: TLS without a server name that is allowed"), from 10.2.3.4, 10.2.3.5.
    A connection that was begun before its rule was in force stays blocked: begin a new one.
    The firewall compares the name that the client writes into the SNI or the Host header: where a redirect or a mirror leads to another host, that one has to pass too.
    A client that begins with QUIC (UDP port 443) is blocked by rule 9000001 ("egress guard: QUIC (UDP port 443) to the outside") of the rule group egress-guard-x whatever the name: it has to use TLS over TCP.
    Of the same domain, there was also blocked: objects.github.com.
    "#);
    let before = World { blocked: Vec::new(), ..world }.blocked("github.com", "10.2.3.4", -40);
    insta::assert_snapshot!(before.explain("github.com").notes.join("\n"), @"It was last blocked before it was granted (2026-11-21 11:30 UTC).");
}

#[test]
fn a_grant_whose_rules_are_gone() {
    let world = World::new().with(request("a", StateName::Active, &["github.com"]));
    insta::assert_snapshot!(world.told("github.com"), @r#"
    github.com is blocked.
    TLS: nothing allows it, so rule 9900001 ("egress last word: TLS without a server name that is allowed") of the rule group egress-last-word-x rejects it.
    HTTP: nothing allows it, so rule 9900002 ("egress last word: HTTP without a host name that is allowed") of the rule group egress-last-word-x rejects it.
    req-ca978112ca1b of alice@example.com grants github.com until 2026-11-21 12:30 UTC: active.
    It is granted by req-ca978112ca1b, and no rule for it was found where grants stand: that is put right within a minute.
    → Wait until req-ca978112ca1b is in force; who asked for it is told.
    "#);
    let mut over = request("a", StateName::Active, &["github.com"]);
    over.ends_at = Some(at(0));
    let world = World::new().granting(&[("github.com", "a")]).with(over);
    insta::assert_snapshot!(world.explain("github.com").notes.join("\n"), @"The time of req-ca978112ca1b is over: it is closed within a minute.");
}

#[test]
fn a_request_for_it_is_pending() {
    let world = World::new().with(request("a", StateName::Pending, &[".github.com"]));
    insta::assert_snapshot!(world.told("www.github.com"), @r#"
    www.github.com is blocked.
    TLS: nothing allows it, so rule 9900001 ("egress last word: TLS without a server name that is allowed") of the rule group egress-last-word-x rejects it.
    HTTP: nothing allows it, so rule 9900002 ("egress last word: HTTP without a host name that is allowed") of the rule group egress-last-word-x rejects it.
    req-ca978112ca1b of alice@example.com asks for .github.com: pending until 2026-11-24 12:00 UTC, 1 of 2 have said yes.
    → Wait until req-ca978112ca1b is approved (1 of 2 have said yes); it lapses at 2026-11-24 12:00 UTC.
    "#);
}

#[test]
fn a_preset_holds_it() {
    insta::assert_snapshot!(World::new().told("pypi.org"), @r#"
    pypi.org is blocked.
    TLS: nothing allows it, so rule 9900001 ("egress last word: TLS without a server name that is allowed") of the rule group egress-last-word-x rejects it.
    HTTP: nothing allows it, so rule 9900002 ("egress last word: HTTP without a host name that is allowed") of the rule group egress-last-word-x rejects it.
    It is in the preset pypi.
    → Ask for the preset pypi: it holds pypi.org, and presets are approved at once.
    "#);
}

#[test]
fn the_firewall_denies_it_and_no_grant_opens_it() {
    let world = World::new().granting(&[("a.evil.example.org", "a")]).with(request(
        "a",
        StateName::Active,
        &["a.evil.example.org"],
    ));
    insta::assert_snapshot!(world.told("a.evil.example.org"), @r"
    a.evil.example.org is blocked.
    TLS and HTTP: the entry .evil.example.org of the REJECTLIST egress-deny-x rejects it.
    req-ca978112ca1b of alice@example.com grants a.evil.example.org until 2026-11-21 12:30 UTC: active.
    It is granted by req-ca978112ca1b, and blocked all the same: the entry .evil.example.org of the REJECTLIST egress-deny-x decides before grants are looked at.
    → No grant opens it: talk to those who keep the rule group egress-deny-x.
    ");
}

#[test]
fn the_deny_list_of_requests_has_it() {
    insta::assert_snapshot!(World::new().told("x.ngrok.io"), @r#"
    x.ngrok.io is blocked.
    TLS: nothing allows it, so rule 9900001 ("egress last word: TLS without a server name that is allowed") of the rule group egress-last-word-x rejects it.
    HTTP: nothing allows it, so rule 9900002 ("egress last word: HTTP without a host name that is allowed") of the rule group egress-last-word-x rejects it.
    .ngrok.io is on the deny list: it is never granted.
    → Talk to those who keep denied_domains in egress.toml: as long as .ngrok.io is among them, nobody can ask for it.
    "#);
}

#[test]
fn a_host_below_an_exact_grant_is_another_host() {
    let world =
        World::new().granting(&[("github.com", "a")]).with(request("a", StateName::Active, &["github.com"]));
    insta::assert_snapshot!(world.told("api.github.com"), @r#"
    api.github.com is blocked.
    TLS: nothing allows it, so rule 9900001 ("egress last word: TLS without a server name that is allowed") of the rule group egress-last-word-x rejects it.
    HTTP: nothing allows it, so rule 9900002 ("egress last word: HTTP without a host name that is allowed") of the rule group egress-last-word-x rejects it.
    req-ca978112ca1b grants github.com, which is that host alone: api.github.com is another one.
    → Ask for api.github.com: that is the narrowest that lets it pass.
    "#);
}

#[test]
fn an_address_is_no_name() {
    insta::assert_snapshot!(World::new().told("https://198.51.100.7/x"), @r#"
    198.51.100.7 is an IP address: only names can be allowed, since the firewall decides by name.
    198.51.100.7 is blocked.
    TLS: nothing allows it, so rule 9900001 ("egress last word: TLS without a server name that is allowed") of the rule group egress-last-word-x rejects it.
    HTTP: rule 9000022 ("egress guard: HTTP to a bare IP address") of the rule group egress-guard-x rejects it.
    → Let the client ask for the server by its name, and ask about that.
    "#);
    insta::assert_snapshot!(World::new().told("[2001:DB8::1]"), @r#"
    [2001:DB8::1] is an IP address: only names can be allowed, since the firewall decides by name.
    [2001:DB8::1] is blocked.
    TLS: nothing allows it, so rule 9900001 ("egress last word: TLS without a server name that is allowed") of the rule group egress-last-word-x rejects it.
    HTTP: rule 9000023 ("egress guard: HTTP to a bare IP address") of the rule group egress-guard-x rejects it.
    → Let the client ask for the server by its name, and ask about that.
    "#);
}

#[test]
fn what_is_no_host_is_said_in_a_sentence() {
    for (typed, expected) in [
        ("", "the domain is empty: give a name such as github.com or .github.com."),
        (
            "github.com:443",
            "leave out the port: a domain is allowed on every port on which it speaks TLS or HTTP.",
        ),
        ("localhost", "localhost is a single label: give a whole name such as github.com."),
    ] {
        let explanation = World::new().explain(typed);
        assert_eq!(
            (explanation.tls.verdict, explanation.tls.decided_by),
            (Verdict::Unknown, None),
            "{typed}"
        );
        assert_eq!(sentences(&World::new().explain(typed))[0], expected);
    }
}

#[test]
fn an_international_name_is_read_both_ways() {
    let world = World::new().granting(&[(".xn--bcher-kva.de", "a")]);
    insta::assert_snapshot!(world.told("www.BÜCHER.de"), @r#"
    www.xn--bcher-kva.de (www.bücher.de) passes.
    TLS: rule 1000000 ("egress grant .xn--bcher-kva.de") of the rule group egress-grants-x lets it pass, for req-ca978112ca1b.
    HTTP: rule 1000001 ("egress grant .xn--bcher-kva.de") of the rule group egress-grants-x lets it pass, for req-ca978112ca1b.
    "#);
}

#[test]
fn a_public_suffix_can_t_be_asked_for() {
    let steps = World::new().explain("github.io").what_to_do;
    insta::assert_snapshot!(steps.join("\n"), @"It can't be asked for: github.io is a public suffix: anybody can have a name below it, so ask for the one name that is needed, such as example.github.io.");
}

#[test]
fn without_a_last_word_the_default_action_decides() {
    let mut world = World::new();
    world.policy.truncate(2);
    insta::assert_snapshot!(world.told("github.com"), @r"
    github.com is blocked.
    TLS and HTTP: nothing allows it, so the policy's default action drops it.
    No rule group that holds grants is in the firewall's policy: no grant has an effect.
    ");
}
