//! What people type, and what becomes of it.

#![cfg(test)]

use egress::config::Config;
use egress::domain::{DomainPattern, counted_under, registrable_domain, suffix_below};
use proptest::prelude::*;

/// One line for each: what was typed, and the pattern or the sentence.
fn table(typed: &[&str]) -> String {
    let line = |text: &&str| match DomainPattern::parse(text) {
        Ok(pattern) => format!("{} → {pattern}", short(text)),
        Err(refusal) => format!("{} ✗ {}", short(text), short(&refusal.to_string())),
    };
    typed.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn short(text: &str) -> String {
    let escaped = text.escape_debug().to_string();
    if escaped.chars().count() <= 200 {
        return escaped;
    }
    format!("{}… ({} bytes)", escaped.chars().take(40).collect::<String>(), text.len())
}

fn label(length: usize) -> String {
    "a".repeat(length)
}

#[test]
fn what_people_type_becomes_a_name() {
    let table = table(&[
        "github.com",
        ".github.com",
        "*.github.com",
        " GitHub.COM ",
        "github.com.",
        "*.github.com.",
        "https://GitHub.com/torvalds/linux?tab=readme#top",
        "http://*.github.com/",
        "HTTPS://github.com",
        "github.com/x",
        "github.com?x",
        "github.com#x",
        "github.com\\x",
        "bücher.de",
        "Bücher.DE",
        "xn--bcher-kva.de",
        "XN--BCHER-KVA.DE",
        "faß.de",
        "日本語.jp",
        "github。com",
        "ｇｉｔｈｕｂ．ｃｏｍ",
        "git\u{ad}hub.com",
        "r3---sn-4g5e6nsz.googlevideo.com",
        "1.example.com",
        "3com.com",
        "x.github.io",
        "a.b.c.s3.amazonaws.com",
        "host.internal",
        "foo.unknown-top-level",
        "www.ck",
        "例.公司.cn",
        "amazonaws.com",
        "sts.us-east-1.amazonaws.com",
        ".dkr.ecr.us-east-1.amazonaws.com",
    ]);
    insta::assert_snapshot!(table);
}

#[test]
fn what_can_t_be_granted_is_refused_in_one_sentence() {
    let long_label = format!("{}.com", label(64));
    let long_name = format!("{0}.{0}.{0}.{0}.com", label(62));
    let long_text = format!("https://github.com/{}", label(3_000));
    let long_after = format!("{}.de", "ü".repeat(60));
    let table = table(&[
        "",
        "   ",
        ".",
        "*.",
        "..",
        "https://",
        "https:///x",
        "//github.com/x",
        "ftp://github.com",
        "ssh://git@github.com/x",
        "git@github.com:x/y.git",
        "https://github.com@evil.org/",
        "github.com:443",
        "https://github.com:8443/x",
        "mailto:a",
        "*",
        "*github.com",
        "git*.com",
        "*.*.github.com",
        "a.*.github.com",
        "1.2.3.4",
        "1.2.3.4.",
        "https://1.2.3.4/",
        "[::1]",
        "::1",
        "https://[2001:db8::1]/",
        "::ffff:1.2.3.4",
        "0x7f.1",
        "0x7f000001",
        "0X7F.0.0.1",
        "0177.0.0.1",
        "2130706433",
        "127.1",
        "example.1",
        "example.0x1f",
        "１.２.３.４",
        "１２７。０。０。１",
        "①.②.③.④",
        "github..com",
        "..github.com",
        "github.com..",
        "github。。com",
        "github.com。",
        "com",
        ".com",
        "*.com",
        "localhost",
        "co.uk",
        ".co.uk",
        "github.io",
        ".s3.amazonaws.com",
        "foo.ck",
        "公司.cn",
        ".xn--55qx5d.cn",
        ".amazonaws.com",
        ".us-east-1.amazonaws.com",
        "*.fastly.net",
        ".run.app",
        ".airflow.amazonaws.com",
        ".møre-og-romsdal.no",
        &long_label,
        &long_name,
        &long_text,
        &long_after,
        "my_host.example.com",
        "-github.com",
        "github-.com",
        "git hub.com",
        "github.com\nevil.org",
        "github.com\0",
        "git\thub.com",
        "github.com\"; sid:1; rev:1;) pass ip any any -> any any (",
        "a|41|.com",
        "a;b.com",
        "a'b.com",
        "xn--a.com",
        "xn--.com",
        "a\u{202e}b.com",
        "％67ithub.com",
        "＊.github.com",
    ]);
    insta::assert_snapshot!(table);
}

#[test]
fn a_homograph_shows_what_it_is() {
    // The first letters are Cyrillic.
    let pattern = DomainPattern::parse("рaypal.com").unwrap();
    assert_eq!(pattern.to_string(), "xn--aypal-uye.com");
    assert_eq!(pattern.to_unicode(), "рaypal.com");
    assert!(!pattern.matches("paypal.com"));
    assert_eq!(DomainPattern::parse(".bücher.de").unwrap().to_unicode(), ".bücher.de");
}

#[test]
fn names_are_as_long_as_dns_allows_and_no_longer() {
    let name = |last: usize| format!("{0}.{0}.{0}.{1}", label(63), label(last));
    assert_eq!(name(61).len(), 253);
    assert!(DomainPattern::parse(&name(61)).is_ok());
    assert!(DomainPattern::parse(&format!(".{}.", name(61))).is_ok());
    assert!(DomainPattern::parse(&name(62)).is_err());
    assert!(DomainPattern::parse(&format!("{}.com", label(63))).is_ok());
    assert!(DomainPattern::parse(&format!("{}.com", label(64))).is_err());
}

#[test]
fn the_deny_list_forbids_what_it_covers_and_may_name_a_suffix() {
    let deny: Vec<DomainPattern> = [".evil.org", "one.example.com", ".ngrok.io", "github.io"]
        .map(|text| DomainPattern::read(text).unwrap())
        .to_vec();
    let refused = |text: &str| DomainPattern::requested(text, &deny).map_err(|refusal| refusal.to_string());
    for denied in ["evil.org", ".evil.org", "a.b.evil.org", "one.example.com", ".example.com", "x.ngrok.io"] {
        assert!(refused(denied).unwrap_err().contains("which is on the deny list"), "{denied}");
    }
    for allowed in ["notevil.org", "evil.org.uk", "example.com", "two.example.com", "x.github.io"] {
        assert!(refused(allowed).is_ok(), "{allowed}");
    }
}

#[test]
fn what_was_granted_stays_readable_when_it_becomes_a_public_suffix() {
    let stored: DomainPattern = serde_json::from_str("\".github.io\"").unwrap();
    assert_eq!(stored.to_string(), ".github.io");
    assert_eq!(serde_json::to_string(&stored).unwrap(), "\".github.io\"");
    for text in ["\"1.2.3.4\"", "\"com\"", "\"a b.com\"", "7"] {
        assert!(serde_json::from_str::<DomainPattern>(text).is_err(), "{text}");
    }
}

#[test]
fn a_pattern_matches_whole_labels_from_the_right() {
    let (one, all) =
        (DomainPattern::parse("github.com").unwrap(), DomainPattern::parse(".github.com").unwrap());
    for (host, by_one, by_all) in [
        ("github.com", true, true),
        ("GitHub.Com", true, true),
        ("api.github.com", false, true),
        ("a.b.github.com", false, true),
        ("notgithub.com", false, false),
        ("github.com.evil.org", false, false),
        ("github.community", false, false),
        ("github.com.", false, false),
        (".github.com", false, true),
        ("com", false, false),
        ("", false, false),
        ("ügithub.com", false, false),
    ] {
        assert_eq!((one.matches(host), all.matches(host)), (by_one, by_all), "{host}");
    }
}

#[test]
fn the_registrable_part_of_a_host_is_found() {
    for (host, part) in [
        ("a.b.github.com", Some("github.com")),
        ("github.com", Some("github.com")),
        ("x.y.github.io", Some("y.github.io")),
        ("files.pythonhosted.org", Some("pythonhosted.org")),
        ("a.co.uk", Some("a.co.uk")),
        ("www.xn--fsq.xn--55qx5d.cn", Some("xn--fsq.xn--55qx5d.cn")),
        ("www.例.公司.cn", Some("例.公司.cn")),
        ("www.github.com.", Some("github.com")),
        ("xn--55qx5d.cn", None),
        ("co.uk", None),
        ("com", None),
        ("10.0.0.1", None),
        ("[::1]", None),
        ("", None),
    ] {
        assert_eq!(registrable_domain(host), part, "{host}");
    }
}

#[test]
fn what_lies_above_public_suffixes_can_be_denied_and_stays_readable() {
    let stored: DomainPattern = serde_json::from_str("\".amazonaws.com\"").unwrap();
    assert_eq!(suffix_below(&stored).as_deref(), Some("s3.amazonaws.com"));
    let config = |more: &str| {
        let text = format!("denied_domains = [\".amazonaws.com\"]\n[groups]\napprovers = [\"bob\"]\n{more}");
        Config::parse(&text).map_err(|error| error.to_string())
    };
    assert!(config("").is_ok());
    let preset = "[presets.blobs]\ndescription = \"x\"\ndomains = [\".windows.net\"]\n";
    assert!(
        config(preset).unwrap_err().contains("presets.blobs.domains: .windows.net would open servicebus.")
    );
}

#[test]
fn connections_are_counted_under_what_somebody_registered() {
    for (host, name) in [
        ("API.GitHub.com", "github.com"),
        ("github.com", "github.com"),
        ("x.y.github.io", "y.github.io"),
        ("github.io", "github.io"),
        ("my_host.example.com", "example.com"),
        ("10.2.3.4", "10.2.3.4"),
        ("198.51.100.3:443", "198.51.100.3"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("", ""),
    ] {
        assert_eq!(counted_under(host), name, "{host}");
    }
    assert_eq!(counted_under(&"ü".repeat(9_999)).chars().count(), 253);
    assert_eq!(counted_under(&format!("{}.com", label(300))).len(), 253);
}

/// Names that look like what people type, more often near the truth than not.
fn typed() -> impl Strategy<Value = String> {
    let label = prop_oneof![
        8 => "[a-zA-Z0-9-]{0,12}",
        1 => "[a-z]{60,66}",
        1 => "\\PC{0,4}",
        1 => Just("xn--bcher-kva".to_owned()),
    ];
    let name = prop::collection::vec(label, 1..6).prop_map(|labels| labels.join("."));
    let before = prop::sample::select(vec!["", "", "", ".", "*.", "https://", "http://*.", " "]);
    let after = prop::sample::select(vec!["", "", "", ".", ":443", "/x", "。", " "]);
    (before, name, after).prop_map(|(before, name, after)| format!("{before}{name}{after}"))
}

/// A few names that often are below each other.
fn near() -> impl Strategy<Value = String> {
    let label = prop::sample::select(vec!["a", "b", "ab", "example"]);
    prop::collection::vec(label, 0..4).prop_map(|labels| {
        let mut name = labels.join(".");
        if !name.is_empty() {
            name.push('.');
        }
        name + "example.com"
    })
}

fn near_pattern() -> impl Strategy<Value = DomainPattern> {
    (near(), any::<bool>()).prop_map(|(name, below)| {
        DomainPattern::parse(&if below { format!(".{name}") } else { name }).unwrap()
    })
}

proptest! {
    #[test]
    fn nothing_that_is_typed_makes_it_panic(text in ".{0,80}") {
        let _ = DomainPattern::parse(&text);
    }

    #[test]
    fn what_is_taken_can_stand_in_a_rule_and_is_read_back(text in typed()) {
        if let Ok(pattern) = DomainPattern::parse(&text) {
            let shown = pattern.to_string();
            prop_assert!(shown.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte)));
            prop_assert!(shown.len() <= 254 && pattern.name().split('.').all(|label| (1..=63).contains(&label.len())));
            prop_assert_eq!(DomainPattern::parse(&shown), Ok(pattern.clone()));
            prop_assert_eq!(DomainPattern::parse(&pattern.to_unicode()), Ok(pattern.clone()), "{}", pattern.to_unicode());
            prop_assert!(pattern.matches(pattern.name()) && pattern.covers(&pattern));
        }
    }

    #[test]
    fn a_refusal_is_one_short_line_without_what_a_terminal_would_act_on(text in "\\PC*|.*|[\\x00-\\x7f]{0,300}") {
        if let Err(refusal) = DomainPattern::parse(&text) {
            let sentence = refusal.to_string();
            prop_assert!(!sentence.chars().any(char::is_control) && sentence.len() < 1_500, "{sentence:?}");
        }
    }

    #[test]
    fn what_a_pattern_matches_is_counted_where_it_is_looked_for(text in typed(), before in "[A-Za-z0-9]{1,9}(\\.[a-z]{1,9}){0,2}") {
        if let Ok(pattern) = DomainPattern::parse(&text) {
            let mut hosts = vec![pattern.name().to_uppercase()];
            hosts.extend(pattern.includes_subdomains().then(|| format!("{before}.{}", pattern.name())));
            for host in hosts.into_iter().filter(|host| pattern.matches(host)) {
                prop_assert_eq!(counted_under(&host), counted_under(pattern.name()), "{} {}", pattern, host);
            }
        }
    }

    #[test]
    fn what_covers_a_pattern_matches_all_that_it_matches(a in near_pattern(), b in near_pattern(), host in near()) {
        if a.covers(&b) && b.matches(&host) {
            prop_assert!(a.matches(&host), "{a} covers {b}, which matches {host}");
        }
        // And only that: what isn't covered matches something else.
        let below = format!("x.{}", b.name());
        let more = (b.matches(b.name()) && !a.matches(b.name())) || (b.matches(&below) && !a.matches(&below));
        prop_assert_eq!(a.covers(&b), !more);
    }
}
