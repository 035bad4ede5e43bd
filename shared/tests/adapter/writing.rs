//! What ticket systems are sent.

use egress::adapter::settings::Settings;
use egress::adapter::writing::{Call, Facts, Writer};
use egress::request::StateName;
use proptest::prelude::*;

use crate::{settings, shipped};

fn facts(ticket: &str, text: &str) -> Facts {
    Facts {
        ticket: ticket.to_owned(),
        request_id: "req-0123456789ab".to_owned(),
        state: "active".to_owned(),
        headline: "Open".to_owned(),
        text: text.to_owned(),
        by: String::new(),
        comment: String::new(),
        ends_at: String::new(),
        event_id: "req-0123456789ab.3".to_owned(),
    }
}

fn answer(settings: &Settings, facts: &Facts) -> Call {
    Writer::new("x", settings).unwrap().answer(facts).unwrap().unwrap()
}

#[test]
fn a_notice_is_a_comment_on_the_ticket() {
    let call = answer(&shipped("github"), &facts("example/studio-egress#7", "It is \"open\".\nUntil noon."));
    assert_eq!(call.url, "https://api.github.com/repos/example/studio-egress/issues/7/comments");
    assert_eq!(call.body, serde_json::json!({"body": "```text\nIt is \"open\".\nUntil noon.\n```"}));
}

#[test]
fn a_state_is_a_transition_where_the_adapter_has_one() {
    let writer = Writer::new("jira", &shipped("jira")).unwrap();
    let facts = facts("EGRESS-7", "");
    let call = writer.transition(StateName::Active, &facts).unwrap().unwrap();
    assert_eq!(call.url, "https://example.atlassian.net/rest/api/2/issue/EGRESS-7/transitions");
    assert_eq!(call.body["transition"]["id"], "31");
    assert_eq!(writer.transition(StateName::Denied, &facts).unwrap(), None);
}

#[test]
fn a_template_that_could_lead_elsewhere_or_has_no_json_is_refused_before_it_is_used() {
    let refused = |url: &str, body: &str| {
        let table = format!("ticket = \"$.a\"\n[answer]\nurl = {url:?}\nbody = {body:?}");
        Writer::new("x", &settings(&table)).unwrap_err().to_string()
    };
    for (url, body, part, problem) in [
        ("https://{{ ticket }}/x", "{}", "url", "is not https://, a host, and a path"),
        ("https://a.example{{ ticket }}/x", "{}", "url", "is not https://, a host, and a path"),
        ("http://a.example/{{ ticket }}", "{}", "url", "is not https://, a host, and a path"),
        ("https://a.example/{{ tickets }}", "{}", "url", "undefined value"),
        ("https://a.example/{{ ticket }}", "{\"body\": {{ txt }}}", "body", "undefined value"),
        ("https://a.example/{{ ticket }}", "{\"body\": \"{{ text }}\"}", "body", "the body is not JSON"),
        ("https://a.example/{{ ticket ", "{}", "url", "syntax error"),
        ("https://a.example/{{ parts[9] }}", "{}", "url", "undefined value"),
    ] {
        let error = refused(url, body);
        let field = format!("adapters.x.answer: {part}: ");
        assert!(error.starts_with(&field) && error.contains(problem), "{url} {body}: {error}");
    }
    let table = "ticket = \"$.a\"\n[answer]\nurl = \"https://a.example/x\"\nbody = \"{}\"\nheaders = { authorization = \"me\" }";
    let error = Writer::new("x", &settings(table)).unwrap_err().to_string();
    assert!(error.contains("the header \"authorization\" can't be set here"), "{error}");
}

#[test]
fn all_mistakes_of_a_table_are_named() {
    let table = "ticket = \"$.a\"\n[answer]\nurl = \"https://a.example/{{ x\"\nbody = \"{{\"\nheaders = { host = \"me\" }\n[transitions.ended]\nurl = \"https://a.example/\"\nbody = \"{{ x }}\"";
    let named = Writer::mistakes("x", &settings(table)).into_iter().map(|mistake| mistake.field);
    let all = ["answer.headers", "answer.url", "answer.body", "transitions.ended.body"];
    assert_eq!(named.collect::<Vec<_>>(), all);
}

#[test]
fn a_template_that_would_go_on_for_ever_is_refused() {
    let body = "{% for a in range(9999) %}".repeat(9) + &"{% endfor %}".repeat(9);
    let table = format!("ticket = \"$.a\"\n[answer]\nurl = \"https://a.example/\"\nbody = \"{body}\"");
    let error = Writer::new("x", &settings(&table)).unwrap_err().to_string();
    assert!(error.contains("ran out of fuel"), "{error}");
}

#[test]
fn a_ticket_s_name_that_climbs_is_refused() {
    let writer = Writer::new("jira", &shipped("jira")).unwrap();
    for ticket in ["..", ".", "EGRESS-1/../../x", "EGRESS-1#.."] {
        assert!(writer.answer(&facts(ticket, "")).unwrap_err().to_string().contains("leads elsewhere"));
    }
}

proptest! {
    #[test]
    fn fuzz_whatever_stands_in_a_notice_the_call_has_the_template_s_shape(ticket in ".{1,60}", text in ".{0,300}") {
        for name in ["github", "jira", "servicenow", "desk"] {
            let settings = shipped(name);
            let facts = facts(&format!("{ticket}#{ticket}/{ticket}"), &text);
            let Ok(call) = Writer::new(name, &settings).unwrap().answer(&facts) else { continue };
            let call = call.unwrap();
            let shape = &settings.answer.as_ref().unwrap().url;
            let slashes = |url: &str| url.matches('/').count();
            prop_assert_eq!(slashes(&call.url), slashes(shape), "{}", call.url);
            let (host, expected) = (call.url.split('/').nth(2), shape.split('/').nth(2));
            prop_assert_eq!(host, expected);
            let texts: Vec<&str> = call.body.as_object().unwrap().values().filter_map(|value| value.as_str()).collect();
            prop_assert!(texts.iter().any(|sent| sent.contains(text.as_str())));
        }
    }
}
