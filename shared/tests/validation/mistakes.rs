//! How each kind of mistake is told.

use egress::validation::{File, Mistake, validate};

use crate::{ASKING, CEDAR, SMALLEST, TOML, check, mistakes};

/// The mistakes of something behind the smallest configuration, whose two lines don't count.
fn wrong(more: &str) -> String {
    let found = mistakes(&format!("{SMALLEST}{more}"));
    let line = |mistake: &Mistake| {
        let line = mistake.line().map_or("-".to_owned(), |line| line.saturating_sub(2).to_string());
        format!("{line} {}", mistake.reason())
    };
    found.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_is_no_toml_is_one_mistake() {
    let texts = [
        "a = ",
        "[risk",
        "a = \"x",
        "[groups]",
        "[risk]\ndays = [1\n[alerts]",
        "a = \"\\q\"",
        "a = 1979-13-01",
    ];
    let told: Vec<String> = texts.iter().map(|text| format!("{text}\n→ {}", wrong(text))).collect();
    insta::assert_snapshot!(told.join("\n\n"), @r#"
    a = 
    → 1 string values must be quoted, expected literal string

    [risk
    → 1 unclosed table, expected `]`

    a = "x
    → 1 invalid basic string, expected `"`

    [groups]
    → 1 duplicate key

    [risk]
    days = [1
    [alerts]
    → 3 missing comma between array elements, expected `,`

    a = "\q"
    → 1 missing escaped value, expected `b`, `e`, `f`, `n`, `r`, `\`, `"`, `x`, `u`, `U`

    a = 1979-13-01
    → 1 invalid date, expected month between 01 and 12
    "#);
}

#[test]
fn what_is_no_field_or_of_another_type_is_told_with_the_rest() {
    insta::assert_snapshot!(wrong(r#"
[durtions]
pending = "3d"
[durations]
default = "8 hourz"
pending = 3
remindr = "2h"
[risk]
days = "7"
anybody_can_upload = [
  ".x.org",
  "10.0.0.1",
  7,
]
[presets.pypi]
domains = ["pypi.org"]
[routes]
a.to = "post"
a.tells = ["alerts"]
b = { to = { slack = 3 }, tells = [] }
[routes.c]
to = { slack = "C0", teams = "19:x" }
tells = ["alrts"]
[identities]
"bob@example.com" = 3
[slack]
api = "http://slack.com/"
[adapters.github]
ticket = 3
[adapters.jira]
ticket = "$.a"
[adapters.jira.transitions.endd]
url = "https://a.example/"
body = "{}"
[[alerts]]
window = "15m"
"#), @r#"
    2 durtions: unknown field `durtions`, expected one of `groups`, `identities`, `durations`, `denied_domains`, `presets`, `risk`, `alerts`, `routes`, `slack`, `teams`, `adapters`
    5 durations.default: "8 hourz" is no duration such as 90m, 8h or 7d: unknown time unit "hourz", supported units: ns, us/µs, ms, sec, min, hours, days, weeks, months, years (and few variations)
    6 durations.pending: invalid type: integer `3`, expected a string
    7 durations.remindr: unknown field `remindr`, expected one of `default`, `pending`, `reminder`
    9 risk.days: invalid type: string "7", expected u32
    12 risk.anybody_can_upload: 10.0.0.1 is an IP address: only names can be allowed, since the firewall decides by name
    13 risk.anybody_can_upload: invalid type: integer `7`, expected a string
    15 presets.pypi: missing field `description`
    18 routes.a.to: unknown variant `post`, expected one of `slack`, `teams`, `mail`, `amazon_q`
    20 routes.b.to.slack: invalid type: integer `3`, expected a string
    22 routes.c.to: wanted exactly 1 element, more than 1 element
    23 routes.c.tells: unknown variant `alrts`, expected one of `requests`, `reminders`, `alerts`, `digests`, `drift`, `refused`, `answers`
    25 identities."bob@example.com": invalid type: integer `3`, expected a map
    27 slack.api: "http://slack.com/" is not https://, a host, and a path that ends in /
    29 adapters.github.ticket: a JSONPath is a text; several are a list of texts
    32 adapters.jira.transitions.endd: unknown variant `endd`, expected one of `pending`, `approved`, `active`, `ended`, `denied`, `lapsed`, `withdrawn`, `refused`
    35 alerts: invalid type: map, expected a string
    "#);
}

#[test]
fn what_can_t_be_meant_is_told_with_the_rest() {
    insta::assert_snapshot!(wrong(r##"
security = ["bob", " "]
[durations]
default = "4000d"
pending = "10s"
[alerts]
window = "2d"
[risk]
days = 15
[identities]
" " = {}
bob = { slack = "U1", desk = "7" }
"Bob" = { slack = "" }
carol.slack = "U1"
[routes.a]
to = { slack = "#general" }
tells = []
[routes.b]
to = { teams = "19:x@thread.tacv2" }
tells = ["reminders"]
[presets.none]
description = "nothing"
domains = []
[presets."two words"]
description = "some"
domains = [
  "pypi.org",
  "co.uk",
  ".windows.net",
]
[adapters.Desk]
ticket = "$.a"
[adapters.mail]
ticket = "$.a"
"##), @r#"
    2 groups.security: somebody in it has no name
    4 durations.default: it is under a minute, or over ten years
    5 durations.pending: it is under a minute, or over ten years
    7 alerts.window: it is under a minute, or over an hour
    9 risk.days: 15 is not from 1 to 14
    11 identities." ": somebody has no name
    12 identities.bob.desk: there are slack, teams, and the names of adapters
    12 identities.bob: the same person is there twice, in other letters
    13 identities.Bob.slack: it is empty
    14 identities.carol.slack: it is somebody else's, too
    16 routes.a.to: it is no channel's id
    17 routes.a.tells: it is empty
    20 routes.b.tells: a chat that is reminded of requests has to be told "requests", too
    23 presets.none.domains: it is empty
    28 presets."two words".domains: co.uk is a public suffix: anybody can have a name below it, so ask for the one name that is needed, such as example.co.uk
    29 presets."two words".domains: .windows.net would open servicebus.windows.net too, a public suffix below which anybody can have a name: ask for the hosts that are needed, one by one
    31 adapters.Desk: a name is of a-z, 0-9 and -, at most 40, and none of slack, teams, webhook, mail, answer
    33 adapters.mail: a name is of a-z, 0-9 and -, at most 40, and none of slack, teams, webhook, mail, answer
    "#);
    let denied =
        "denied_domains = [\".evil.org\"]\npresets.p = { description = \"\", domains = [\"a.evil.org\"] }\n";
    insta::assert_snapshot!(mistakes(&format!("{denied}{SMALLEST}")), @"egress.toml line 2: presets.p.domains: a.evil.org would let .evil.org pass, which is on the deny list");
    insta::assert_snapshot!(mistakes(""), @"egress.toml: groups.approvers: it is missing or empty: somebody has to decide");
    insta::assert_snapshot!(mistakes("[groups]\nsecurity = [\"bob\"]"), @"egress.toml line 1: groups.approvers: it is missing or empty: somebody has to decide");
}

#[test]
fn what_would_keep_a_function_from_starting_is_told_before() {
    insta::assert_snapshot!(wrong(r#"
[adapters.a]
proof = { key = { header = "x api key" } }
ticket = ["$.number", "number"]
id = []
[adapters.a.request]
when = { "$.a[" = ["b"] }
requester = "user"
domains = { path = "$.", section = "Domains" }
justification = "$.b"
[adapters.a.answer]
url = "https://a.example/{{ tickets }}"
body = '{"body": "{{ text }}"}'
[adapters.a.transitions.ended]
url = "https://{{ ticket }}/"
headers = { authorization = "me", accept = "application/json" }
body = '{"body": {{ text }'
[adapters.b]
ticket = "$.a"
answer.url = "https://b.example/"
answer.body = '{{ txt }}'
"#), @r#"
    3 adapters.a.proof: "x api key" is no header's name
    4 adapters.a.ticket: "number" is no JSONPath: at position 0, parser error
    5 adapters.a.id: it is empty
    7 adapters.a.request.when: "$.a[" is no JSONPath: at position 3, parser error
    8 adapters.a.request.requester: "user" is no JSONPath: at position 0, parser error
    9 adapters.a.request.domains: "$." is no JSONPath: at position 2, in dot member name, must start with lowercase alpha or '_'
    12 adapters.a.answer.url: undefined value (in url answer:1)
    13 adapters.a.answer.body: the body is not JSON: expected `,` or `}` at line 1 column 12
    15 adapters.a.transitions.ended.url: "https://" is not https://, a host, and a path that ends in /
    16 adapters.a.transitions.ended.headers: the header "authorization" can't be set here
    17 adapters.a.transitions.ended.body: syntax error: unexpected `}`, expected end of variable block (in body transitions.ended:1)
    21 adapters.b.answer.body: undefined value (in body answer:1)
    "#);
}

#[test]
fn both_files_are_told_of_at_once_and_what_needs_both() {
    let toml = format!("{SMALLEST}[risk]\ndays = 0\n");
    let cedar = format!("{ASKING}{}", ASKING.replace("\"ask", "\"requst").replace("Request", "Requst"));
    insta::assert_snapshot!(check(&toml, &cedar).unwrap_err(), @r#"
    egress.toml line 4: risk.days: 0 is not from 1 to 14
    policy.cedar line 2: for policy `requst`, unrecognized action `Egress::Action::"Requst"` (did you mean `Egress::Action::"Request"`?)
    "#);
    let cedar = format!(
        "{ASKING}// Groups\n{}",
        r#"@id("b") permit (principal in Egress::Group::"aprovers", action == Egress::Action::"Approve", resource);"#
    );
    insta::assert_snapshot!(check(&toml, &cedar).unwrap_err(), @r#"
    egress.toml line 4: risk.days: 0 is not from 1 to 14
    policy.cedar line 3: it speaks of the group "aprovers", which egress.toml doesn't have
    "#);
    // Whether a group is missing isn't known where the groups can't be read.
    insta::assert_snapshot!(check("groups = 3", &cedar).unwrap_err(), @"egress.toml line 1: groups: invalid type: integer `3`, expected a map");
    insta::assert_snapshot!(check("[groups", "permit").unwrap_err(), @r"
    egress.toml line 1: unclosed table, expected `]`
    policy.cedar line 1: unexpected end of input
    ");
}

#[test]
fn what_would_follow_from_another_mistake_only_is_not_told() {
    insta::assert_snapshot!(wrong(r#"
[identities]
bob = { desk = "7" }
[adapters.desk]
[presets.p]
description = "x"
domains = ["a b"]
[routes.a]
to = { slack = "C0" }
tells = ["reminders"]
[routes.b]
to = { slack = "C0" }
tells = ["requests", "everything"]
"#), @r"
    4 adapters.desk: missing field `ticket`
    7 presets.p.domains: a\u{20}b is not the name of a host: letters, digits and inner hyphens only, or their international form (RFC 5891)
    13 routes.b.tells: unknown variant `everything`, expected one of `requests`, `reminders`, `alerts`, `digests`, `drift`, `refused`, `answers`
    ");
}

#[test]
fn what_is_no_text_or_too_large_is_not_read() {
    let told = |toml: &[u8], cedar: &[u8]| validate(toml, cedar).unwrap_err().to_string();
    let latin_1 = [SMALLEST.as_bytes(), b"# caf\xe9"].concat();
    insta::assert_snapshot!(told(&latin_1, b"\xff"), @r"
    egress.toml line 3: it is not text in UTF-8
    policy.cedar line 1: it is not text in UTF-8
    ");
    let (toml, cedar) = (" ".repeat(File::EgressToml.largest()), " ".repeat(File::PolicyCedar.largest()));
    insta::assert_snapshot!(told(format!("{toml} ").as_bytes(), format!("{cedar} ").as_bytes()), @r"
    egress.toml: it is larger than 300000 bytes
    policy.cedar: it is larger than 100000 bytes
    ");
    assert!(check(&toml, &cedar).unwrap_err().iter().all(|mistake| !mistake.reason().contains("larger")));
}

#[test]
fn what_does_not_fit_is_counted() {
    let route = |n: usize| format!("[routes.r{n}]\nto = \"mail\"\ntells = []\n");
    let routes: String = (0..200).map(route).collect();
    let found = mistakes(&format!("{SMALLEST}{routes}"));
    let text = found.to_string();
    assert!(text.len() <= 3_000 && found.iter().count() == 200, "{text}");
    let lines: Vec<&str> = text.lines().collect();
    insta::assert_snapshot!([lines[0], lines[lines.len() - 2], lines[lines.len() - 1]].join("\n"), @r"
    egress.toml line 5: routes.r0.tells: it is empty
    egress.toml line 173: routes.r56.tells: it is empty
    … and 143 more
    ");
}

#[test]
fn what_hides_is_shown() {
    insta::assert_snapshot!(wrong("[presets.\"a\u{202e}b\\n\\u001bc\"]\ndescription = \"x\"\ndomains = []"), @r#"3 presets."a<U+202E>b <U+001B>c".domains: it is empty"#);
    insta::assert_snapshot!(wrong("\"x\\n\\u001b[31m\" = 3"), @r#"1 groups."x <U+001B>[31m": invalid type: integer `3`, expected a sequence"#);
}

#[test]
fn the_shipped_files_with_a_slip_each() {
    let toml = TOML.replace("tickets = [\"DESK-\"]", "tickts = [\"DESK-\"]");
    let cedar = CEDAR.replace("resource.risk >= 2 }", "resource.risks >= 2 }");
    insta::assert_snapshot!(check(&toml, &cedar).unwrap_err(), @r"
    egress.toml line 201: adapters.desk.tickts: unknown field `tickts`, expected one of `proof`, `tickets`, `ticket`, `id`, `people`, `ourselves`, `request`, `states`, `comments`, `answer`, `transitions`
    policy.cedar line 104: for policy `glass_not_at_high_risk`, attribute `risks` on entity type `Egress::Request` not found (did you mean `risk`?)
    ");
}
