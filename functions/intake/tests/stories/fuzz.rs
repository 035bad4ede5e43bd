//! Whatever is sent by whoever is proved: nothing panics, and whatever is taken can be acted on. `PROPTEST_CASES` makes
//! the run longer.

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use crate::harness::{Edges, NOW, SLACK, config, form, request, sample, send, slack, teams, ticket};
use crate::slack::{pressed, typed};
use crate::tickets::SAMPLES;

/// Sends it, and lets whoever takes what comes of it read that.
fn heard(request: lambda_http::Request) -> u16 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let edges = Edges::default();
    let (status, _) = runtime.block_on(edges.send(request));
    let events = edges.events();
    assert!(events.len() <= 1 && (status < 300 || events.is_empty()));
    status
}

/// One change of a body: at a place, to something else.
#[derive(Debug, Clone)]
struct Change {
    at: Index,
    to: Value,
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,80}",
        "/(approve|deny|request|extend|why|help|egress)( req-0123456789ab)?( .{0,40})?( because .{0,40})?",
        "(### (Domains|Why|For how long)\n.{0,30}\n){1,4}",
        "[a-z0-9.*:/@-]{1,40}",
        Just("x".repeat(3_000)),
        Just(String::new()),
    ]
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ]
}

fn anything() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(4, 40, 5, |inner| {
        let name = prop_oneof![
            "[a-z_]{1,8}",
            "(action|issue|body|user|fields|ticket|kind|comment|id|key|type|state|values)"
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..5)
                .prop_map(|fields| fields.into_iter().collect::<Value>()),
        ]
    })
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let change = (any::<Index>(), prop_oneof![3 => leaf(), 1 => anything()]);
    prop::collection::vec(change.prop_map(|(at, to)| Change { at, to }), 1..4)
}

/// The JSON pointers of all that is in a value.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(at, value)| (at.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    for (name, value) in inner {
        let at = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
        pointers(value, &at, found);
        found.push(at);
    }
}

fn changed(name: &str, changes: Vec<Change>) -> Value {
    let mut body = sample(name);
    for Change { at, to } in changes {
        let mut found = Vec::new();
        pointers(&body, "", &mut found);
        if !found.is_empty() {
            *body.pointer_mut(&found[at.index(found.len())]).unwrap() = to;
        }
    }
    body
}

/// The bodies of ticket systems, with one that asks for nothing.
fn tickets() -> Vec<&'static str> {
    SAMPLES.into_iter().chain(["github_ping"]).collect()
}

proptest! {
    #[test]
    fn fuzz_a_real_body_of_a_ticket_system_changed_anywhere(name in prop::sample::select(tickets()), changes in changes()) {
        let (adapter, _) = name.split_once('_').unwrap();
        let status = heard(ticket(adapter, &changed(name, changes).to_string()));
        prop_assert!([200, 202, 400].contains(&status), "{status}");
    }

    #[test]
    fn fuzz_any_json_to_any_adapter(body in anything(), adapter in prop::sample::select(&["github", "jira", "servicenow", "desk"][..])) {
        let status = heard(ticket(adapter, &body.to_string()));
        prop_assert!([200, 202, 400].contains(&status), "{status}");
    }

    #[test]
    fn fuzz_any_comment(text in text(), by in any::<bool>()) {
        let mut body = sample("github_issue_comment_created");
        body["comment"]["body"] = json!(text);
        if by {
            body["comment"]["user"]["id"] = json!(text);
        }
        heard(ticket("github", &body.to_string()));
    }

    #[test]
    fn fuzz_any_text_in_teams(text in text(), mention in "(<at>.{0,12}</at>(&nbsp;)?)?") {
        let mut body = sample("teams_message");
        body["text"] = json!(format!("{mention}{text}"));
        prop_assert_eq!(heard(teams(&body)), 200);
    }

    #[test]
    fn fuzz_a_real_message_of_teams_changed_anywhere(changes in changes()) {
        let status = heard(teams(&changed("teams_message", changes)));
        prop_assert!([200, 400, 401].contains(&status), "{status}");
    }

    #[test]
    fn fuzz_any_form_of_slack(body in "[a-z_=&%+0-9{}\":]{0,200}", payload in ".{0,200}", json in anything()) {
        for body in [body, form(&[("payload", &payload)]), form(&[("payload", &json.to_string())])] {
            let status = heard(slack(SLACK, &body));
            prop_assert!([200, 400].contains(&status), "{status}");
        }
    }

    #[test]
    fn fuzz_a_real_payload_of_slack_changed_anywhere(
        name in prop::sample::select(&["slack_block_actions", "slack_view_submission"][..]), changes in changes(),
    ) {
        let status = heard(slack(SLACK, &form(&[("payload", &changed(name, changes).to_string())])));
        prop_assert!([200, 400].contains(&status), "{status}");
    }

    #[test]
    fn fuzz_whatever_is_typed_or_filled_in_slack(
        text in "(request|extend|why|revoke|status|list|approve)? ?(req-0123456789ab|\\PC{0,40}) (for 7d )?(because .{0,300})?",
        user in "(U0B0B|U2CERLKJA|[A-Z0-9]{1,12})",
        fields in prop::collection::vec(prop::option::of(text()), 4),
    ) {
        heard(slack(SLACK, &typed(&user, &text)));
        heard(slack(SLACK, &pressed(&user, "egress.deny", &text)));
        let mut payload = sample("slack_view_submission");
        for (block, value) in ["domains", "duration", "ticket", "because"].into_iter().zip(fields) {
            payload["view"]["state"]["values"][block][block]["value"] = json!(value);
        }
        prop_assert_eq!(heard(slack(SLACK, &form(&[("payload", &payload.to_string())]))), 200);
    }

    #[test]
    fn fuzz_any_body_to_any_way(path in "/(webhook|slack|teams|tickets/(github|desk|x)|[a-z/]{0,12})", body in ".{0,60}", header in "[ -~]{0,40}") {
        let headers = ["x-egress-signature", "x-slack-signature", "authorization", "x-hub-signature-256"];
        let headers: Vec<_> = headers.into_iter().map(|name| (name, header.clone())).collect();
        for media_type in [crate::harness::JSON, crate::harness::FORM] {
            prop_assert!(heard(request(&path, media_type, &headers, &body)) >= 400);
        }
    }

    #[test]
    fn fuzz_whatever_a_button_offers_the_dialog_shows(
        domains in prop::collection::vec(text(), 0..30), duration in prop::option::of(text()), because in prop::option::of(text()),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let ask = egress::slack::Ask { domains, preset: None, duration, ticket: None, because };
        let press = pressed("U2CERLKJA", egress::slack::REQUEST, &serde_json::to_string(&ask).unwrap());
        runtime.block_on(async {
            let edges = Edges::default();
            let api = crate::slack_api::SlackApi::start(crate::slack_api::Mood::Well).await;
            let keys = intake::Keys { slack_token: Some(edges.secret(crate::slack_api::TOKEN)), ..edges.keys() };
            let config = config(&format!("[slack]\napi = \"{}\"", api.url));
            let intake = intake::Intake::new(&edges, keys, config).unwrap();
            assert_eq!(send(&intake, slack(SLACK, &press), NOW).await, (200, String::new()));
            crate::slack_api::check(&api.opened()["view"]);
        });
    }

    #[test]
    fn fuzz_any_event_of_a_partner(detail in anything(), changes in changes(), any in anything()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let edges = Edges::default();
        let partner = intake::partner::Partner::new(&edges, config(""), "desk").unwrap();
        let now = Timestamp::from_second(NOW).unwrap();
        for event in [json!({"id": "x", "detail": detail}), json!({"id": "y", "detail": changed("desk_created", changes)}), any] {
            // An error is an answer, too.
            let _ = runtime.block_on(partner.handle(event, now));
        }
        edges.events();
    }
}
