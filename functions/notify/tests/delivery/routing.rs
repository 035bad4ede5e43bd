//! Who is told of what.

use egress::config::Config;
use egress::request::ReplyTo;
use notify::notice::Notice;
use notify::routing::{Destination, destinations, place_of};
use serde_json::{Value, json};

use crate::events::{
    ASKED_BY, answered, awaited, blocked, changed, drift, first_used, glass_broken, not_taken, notice,
    refused, request, waits,
};

const GROUPS: &str = "[groups]\napprovers = [\"bob\"]\n";
const ROUTES: &str = r#"
[routes.approvers]
to = { slack = "C0APPROVE" }
tells = ["requests", "reminders"]
[routes.again]
to = { slack = "C0APPROVE" }
tells = ["reminders", "alerts"]
[routes.operators]
to = { teams = "19:ops@thread.tacv2" }
tells = ["alerts", "drift", "refused"]
[routes.q]
to = "amazon_q"
tells = ["alerts"]
[routes.mail]
to = "mail"
tells = ["answers", "refused"]
"#;
const TICKETS: &str = r#"
[adapters.jira]
ticket = "$.issue.key"
tickets = ["OPS-"]
"#;
const ANSWER: &str = "https://hooks.slack.com/commands/T1/1/x";

fn config(more: &[&str]) -> Config {
    Config::parse(&format!("{GROUPS}{}", more.concat())).unwrap()
}

fn told(event: Value, more: &[&str]) -> String {
    let places = destinations(&notice(event), &config(more));
    places.iter().map(Destination::to_string).collect::<Vec<_>>().join(" ")
}

/// By the routes and the tickets above.
fn routed(event: Value) -> String {
    told(event, &[ROUTES, TICKETS])
}

fn pending(more: Value) -> Value {
    changed(1, None, "pending", more)
}

fn asked(via: &str, to: &str) -> Value {
    json!({"reply_to": {"via": via, "to": to}})
}

#[test]
fn without_routes_the_topic_hears_everything() {
    let done = answered(&json!({"kind": "not_allowed", "reason": "no"}), json!({}));
    for event in [pending(json!({})), awaited(1, json!({})), blocked(), drift(), refused(json!({})), done] {
        assert_eq!(told(event, &[]), "mail");
    }
}

#[test]
fn a_route_hears_what_it_asks_for_and_each_place_hears_it_once() {
    assert_eq!(routed(pending(json!({}))), "slack:C0APPROVE");
    assert_eq!(routed(waits(2)), "slack:C0APPROVE");
    assert_eq!(routed(glass_broken(2)), "slack:C0APPROVE");
    assert_eq!(routed(awaited(1, json!({}))), "slack:C0APPROVE");
    assert_eq!(routed(blocked()), "slack:C0APPROVE teams:19:ops@thread.tacv2 amazon-q");
    assert_eq!(routed(drift()), "teams:19:ops@thread.tacv2");
    assert_eq!(routed(refused(json!({}))), "mail teams:19:ops@thread.tacv2");
}

#[test]
fn whom_a_request_concerns_is_told_where_they_asked() {
    for (via, to, place) in [
        ("slack", "U2CERLKJA", " slack:U2CERLKJA"),
        ("slack", "W2CERLKJA", " slack:W2CERLKJA"),
        ("slack", ANSWER, " slack-answer:b5b687118d2606dca60b46297dfacc27"),
        ("teams", "19:x@thread.tacv2;messageid=1", " teams:19:x@thread.tacv2;messageid=1"),
        ("jira", "OPS-1", " ticket:jira:OPS-1"),
        ("pagerduty", "P1", ""),
    ] {
        let expected = format!("slack:C0APPROVE{place}");
        assert_eq!(routed(pending(asked(via, to))), expected);
        assert_eq!(routed(first_used(3, asked(via, to))), expected);
        // Reminders are for approvers.
        assert_eq!(routed(awaited(1, asked(via, to))), "slack:C0APPROVE");
    }
}

#[test]
fn the_ticket_that_a_request_names_hears_of_it_once() {
    let named = |more| crate::events::with(json!({"ticket": "OPS-1"}), more);
    assert_eq!(routed(pending(named(json!({})))), "slack:C0APPROVE ticket:jira:OPS-1");
    assert_eq!(routed(pending(named(asked("jira", "OPS-1")))), "slack:C0APPROVE ticket:jira:OPS-1");
    let elsewhere = routed(pending(named(asked("slack", "U1"))));
    assert_eq!(elsewhere, "slack:C0APPROVE slack:U1 ticket:jira:OPS-1");
    assert_eq!(routed(pending(json!({"ticket": "SECRET-1"}))), "slack:C0APPROVE", "nobody's ticket");
    assert_eq!(routed(awaited(1, named(json!({})))), "slack:C0APPROVE");
}

#[test]
fn an_answer_goes_to_who_asked_and_to_nobody_whose_request_it_is() {
    let alices = request(json!({"reply_to": {"via": "slack", "to": "UALICE"}, "ticket": "OPS-1"}));
    for answer in [
        json!({"kind": "done", "request": alices}),
        json!({"kind": "status", "request": alices, "history": []}),
        json!({"kind": "not_allowed", "reason": "no"}),
    ] {
        assert_eq!(
            routed(answered(&answer, asked("slack", ANSWER))),
            "mail slack-answer:b5b687118d2606dca60b46297dfacc27"
        );
        assert_eq!(routed(answered(&answer, json!({}))), "mail");
    }
    assert_eq!(routed(not_taken("slack", "U1")), "mail slack:U1");
    assert_eq!(routed(refused(asked("slack", "U1"))), "mail teams:19:ops@thread.tacv2 slack:U1");
}

#[test]
fn who_asked_hears_of_the_request_and_not_also_that_asking_worked() {
    let made = |place: Value, more: Value| {
        let request = request(crate::events::with(place.clone(), more));
        answered(
            &json!({"kind": "done", "request": request}),
            crate::events::with(place, json!({"message_key": ASKED_BY})),
        )
    };
    assert_eq!(routed(made(asked("slack", "UALICE"), json!({}))), "mail");
    assert_eq!(routed(made(asked("jira", "OPS-1"), json!({"ticket": "OPS-1"}))), "mail");
    // Another message about the same request is answered.
    let decided = json!({"kind": "done", "request": request(asked("slack", "UALICE"))});
    assert_eq!(routed(answered(&decided, asked("slack", "UALICE"))), "mail slack:UALICE");
}

#[test]
fn a_place_that_is_none_is_nobodys_and_is_not_named() {
    let config = config(&[TICKETS]);
    let place = |via: &str, to: &str| place_of(&ReplyTo { via: via.to_owned(), to: to.to_owned() }, &config);
    for (via, to) in [
        ("slack", "https://hooks.slack.com.evil.example/x"),
        ("slack", "https://hooks.slack.com@evil.example/x"),
        ("slack", "http://hooks.slack.com/x"),
        ("slack", "C024BE91L"),
        ("slack", "U"),
        ("slack", "Ubob"),
        ("slack", "U1\nC1"),
        ("slack", ""),
        ("teams", "../../x"),
        ("teams", "19:x/../../y@thread.tacv2"),
        ("teams", "https://evil.example/"),
        ("jira", " "),
        ("jira", "OPS-1\nX"),
    ] {
        let error = place(via, to).unwrap_err().to_string();
        assert!(to.len() < 3 || !error.contains(to), "{error}");
    }
    for (via, to) in [("mail", "x@evil.example"), ("servicenow", "RITM1"), ("SLACK", "U1"), ("", "")] {
        assert_eq!(place(via, to), Ok(None));
    }
}

#[test]
fn a_response_url_stands_in_no_log() {
    let place = Destination::SlackAnswer(ANSWER.to_owned());
    assert!(!format!("{place} {place:?}").contains("hooks"));
    let notice: Notice = notice(not_taken("slack", ANSWER));
    assert_eq!(destinations(&notice, &config(&[ROUTES])), [Destination::Mail, place]);
}
