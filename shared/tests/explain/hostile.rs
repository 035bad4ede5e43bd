//! Text from outside, however long and wrong; and names at random.

use egress::domain::DomainPattern;
use egress::explain::{DecidedBy, Explanation, Verdict, sentences};
use egress::firewall::PolicyRules;
use egress::request::{RequestId, StateName};
use proptest::prelude::*;

use crate::world::{World, grants, request, short, text};

#[test]
fn a_group_as_large_as_it_may_be_is_read_in_one_pass() {
    let rule = |n: usize, keywords: &str| {
        format!(
            "pass tls any any -> any any (tls.sni; content:\"host-{n:05}.example.com\"; {keywords}endswith; sid:{n};)\n"
        )
    };
    let many: String = (0..20_000).map(|n| rule(n, "startswith; nocase; ")).collect();
    let world = |text: &str| World { policy: vec![self::text("a", text)], ..World::new() };
    assert!(
        short(&world(&many).explain("host-19999.example.com")).starts_with("TLS Passes (Pass by a 19999)")
    );
    let end = rule(7, "");
    for filler in
        ["\\;", "\\\n", "[", "(", "\n", "\"", "a:", ";", "|", "pass tls any any -> any any (sid:1;)\\\n"]
    {
        let hostile = filler.repeat(200_000 / filler.len());
        for text in [
            hostile.clone(),
            format!("{hostile}\n{end}"),
            format!("drop tls {hostile} any any (content:\"{hostile}\";)"),
        ] {
            let explanation = world(&text).explain("host-00007.example.com");
            assert!(explanation.notes.len() < 10, "{filler}");
        }
    }
}

#[test]
fn what_others_wrote_is_bounded_and_visible_however_much_it_is() {
    // The longest of the characters, one that turns the reading direction, and lines of their own.
    let long = |start: &str| format!("{start}\n\u{202e}{}", "😀".repeat(5_000));
    let mut world = World::new();
    for n in 0..40 {
        let rule = format!(
            "drop tls any any -> any any (msg:\"{}\"; tls.sni; pcre:\"/{n}/\"; sid:{n};)",
            long("m").replace('\n', " ")
        );
        world.policy.insert(0, text(&long("g"), &rule));
        for state in [StateName::Approved, StateName::Pending] {
            let mut request = request(&n.to_string(), state, &["github.com"]);
            request.requester = long("alice");
            request.waits_for = Some(long("room"));
            world.requests.push(request);
        }
        world = world.blocked("github.com", &long(&n.to_string()), -5).blocked(
            &long(&n.to_string()),
            "10.2.3.4",
            -6,
        );
    }
    world.blocked[0].signature = long("s");
    let explanation = world.explain("github.com");
    let json = serde_json::to_string(&explanation).unwrap();
    assert!(json.len() < 128 * 1024, "{} bytes", json.len());
    assert_eq!(serde_json::from_str::<Explanation>(&json).unwrap(), explanation);
    let sentences = sentences(&explanation);
    assert!(sentences.len() <= 60 && sentences.iter().all(|one| is_plain(one)));
    assert!(sentences.iter().any(|one| one.contains("alice <U+202E>😀")), "{sentences:#?}");

    // Somebody else's event is shown with the same care.
    let forged = Explanation { host: long("h"), notes: vec![long("n"); 500], ..explanation };
    let told = egress::explain::sentences(&forged);
    assert!(told.len() < 80 && told.iter().all(|one| is_plain(one)));
}

fn is_plain(sentence: &str) -> bool {
    sentence.chars().count() <= 1_201 && !sentence.chars().any(|c| c.is_control() || c == '\u{202e}')
}

/// Pieces of rules, well-formed and not, in any order.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "pass ",
        "drop ",
        "reject ",
        "alert ",
        "tls ",
        "http ",
        "tcp ",
        "ip ",
        "any ",
        "$HOME_NET ",
        "-> ",
        "<> ",
        "443 ",
        "[80,!443] ",
        "1024: ",
        "(",
        ")",
        ";",
        ":",
        "\"",
        "!",
        "|",
        "|0d 0a|",
        "\\",
        "\n",
        "\\\n",
        "tls.sni; ",
        "http.host; ",
        "dotprefix; ",
        "content:\"",
        "content:!\"example.com\"; ",
        "nocase; ",
        "startswith; ",
        "endswith; ",
        "pcre:\"/x/\"; ",
        "flow:to_server,established; ",
        "flowbits:set,a; ",
        "flowbits:isset,a|b; ",
        "stream_size:client,<,",
        "dsize:>",
        "bsize:",
        "sid:1; ",
        "msg:\"m\"; ",
        "metadata:grant req-0123456789ab; ",
        "http_host; ",
        "ssl_state:!client_hello; ",
        "#",
        "ü",
        "\u{202e}",
    ]);
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

/// A rule whose header is right, so that its keywords are looked at.
fn rules() -> impl Strategy<Value = String> {
    let rule =
        (prop::sample::select(vec!["pass tls", "drop http", "reject tcp", "drop ip", "alert tls"]), pieces());
    let rule = rule.prop_map(|(start, pieces)| {
        format!("{start} $HOME_NET any -> $EXTERNAL_NET any ({}sid:7;)", pieces.replace(['\n', '(', ')'], ""))
    });
    prop::collection::vec(prop_oneof![3 => rule, 1 => pieces(), 1 => any::<String>()], 0..6)
        .prop_map(|lines| lines.join("\n"))
}

/// A few names that often are below each other.
fn near() -> impl Strategy<Value = String> {
    let label = prop::sample::select(vec!["a", "b", "ab", "example"]);
    prop::collection::vec(label, 0..4)
        .prop_map(|labels| labels.into_iter().chain(["example.com"]).collect::<Vec<_>>().join("."))
}

fn near_pattern() -> impl Strategy<Value = DomainPattern> {
    (near(), any::<bool>()).prop_map(|(name, below)| {
        DomainPattern::parse(&if below { format!(".{name}") } else { name }).unwrap()
    })
}

proptest! {
    #[test]
    fn whatever_the_rules_are_there_is_an_answer(rules in rules(), host in ".{0,40}|[a-z.]{1,20}") {
        let world = World { policy: vec![text("a", &rules)], ..World::new() };
        for host in ["example.com", "198.51.100.7", &host] {
            let explanation = world.explain(host);
            for sentence in sentences(&explanation) {
                prop_assert!(is_plain(&sentence), "{sentence:?}");
            }
            // An unknown verdict always says why.
            let unknown = [&explanation.tls, &explanation.http].iter().any(|one| one.verdict == Verdict::Unknown);
            prop_assert!(!unknown || !explanation.notes.is_empty() || explanation.not_a_name.is_some());
        }
    }

    #[test]
    fn lists_and_grants_let_pass_what_their_patterns_match(
        allowed in prop::collection::vec(near_pattern(), 0..6),
        granted in prop::collection::vec(near_pattern(), 0..6),
        denied in prop::collection::vec(near_pattern(), 0..2),
        host in near(),
    ) {
        let texts = |patterns: &[DomainPattern]| patterns.iter().map(ToString::to_string).collect::<Vec<_>>();
        let (allowed_texts, granted_texts, denied_texts) = (texts(&allowed), texts(&granted), texts(&denied));
        let borrowed = |texts: &'_ [String]| texts.iter().map(String::as_str).map(str::to_owned).collect::<Vec<_>>();
        let mut world = World::new();
        let entries = |kind: &str, targets: &[String]| PolicyRules::DomainList {
            kind: kind.to_owned(),
            targets: borrowed(targets),
            target_types: vec!["TLS_SNI".to_owned(), "HTTP_HOST".to_owned()],
        };
        world.policy[1].rules = entries("DENYLIST", &denied_texts);
        world.policy[3].rules = entries("ALLOWLIST", &allowed_texts);
        let pairs: Vec<(&str, &str)> = granted_texts.iter().map(|text| (text.as_str(), text.as_str())).collect();
        world.policy[2].rules = PolicyRules::Text(grants(&pairs));

        let any = |patterns: &[DomainPattern]| patterns.iter().any(|pattern| pattern.matches(&host));
        let expected = if any(&denied) || !(any(&allowed) || any(&granted)) { Verdict::Blocked } else { Verdict::Passes };
        let explanation = world.explain(&host.to_uppercase());
        prop_assert_eq!((explanation.tls.verdict, explanation.http.verdict), (expected, expected));
        // And it is the first that matches which is named.
        if let (Some(DecidedBy::Rule { requests, .. }), Verdict::Passes) = (&explanation.tls.decided_by, expected) {
            let first = granted.iter().find(|pattern| pattern.matches(&host)).map(ToString::to_string);
            prop_assert_eq!(requests.first().cloned(), first.map(|text| RequestId::of_message(&text)));
        }
    }
}
