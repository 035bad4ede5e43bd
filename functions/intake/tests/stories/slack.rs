//! What becomes of what people type and press in Slack.

use std::sync::Mutex;

use egress::bus::{Bus, BusError, Event};
use egress::config::Config;
use egress::events::Incoming;
use hmac::{Hmac, KeyInit, Mac};
use intake::Intake;
use intake::secrets::{SecretError, SecretSource, Secrets};
use jiff::Timestamp;
use lambda_http::{Body, Request};
use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::Sha256;

const NOW: i64 = 1_767_225_600;
const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
const CONFIG: &str = r#"
denied_domains = [".evil.org"]
[groups]
approvers = ["bob@example.com"]
[identities]
"alice@example.com" = { slack = "U2CERLKJA" }
"bob@example.com" = { slack = "U0B0B" }
"#;
const RESPONSE_URL: &str = "https://hooks.slack.com/commands/T1DC2JH3J/397700885554/96rGlfmibIGlgcZRskXaIFfN";

/// The bus, which can fail, and the secrets: one for each door.
#[derive(Default)]
struct Edges {
    published: Mutex<Vec<Event>>,
    bus_fails: bool,
}

struct Secret(&'static str);

impl Bus for &Edges {
    async fn publish(&self, events: &[Event]) -> Result<(), BusError> {
        if self.bus_fails {
            return Err(BusError::Unavailable("throttled".to_owned()));
        }
        self.published.lock().unwrap().extend_from_slice(events);
        Ok(())
    }
}

impl SecretSource for Secret {
    async fn fetch(&self) -> Result<Secrets, SecretError> {
        Ok(Secrets { current: self.0.into(), previous: None })
    }
}

fn intake(edges: &Edges) -> Intake<&Edges, Secret> {
    let config = Config::parse(CONFIG).unwrap();
    Intake::new(edges, Secret("the webhook's")).with_slack(Secret(SECRET), config)
}

fn form(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// What Slack sends when somebody types `/egress` and this.
fn typed(user_id: &str, text: &str) -> String {
    form(&[
        ("team_id", "T1DC2JH3J"),
        ("user_id", user_id),
        ("user_name", "roadrunner"),
        ("command", "/egress"),
        ("text", text),
        ("response_url", RESPONSE_URL),
        ("trigger_id", "398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"),
    ])
}

/// What Slack sends when somebody presses a button.
fn pressed(user_id: &str, action_id: &str, value: &str) -> String {
    let payload = json!({
        "type": "block_actions", "user": {"id": user_id, "username": "bob"}, "trigger_id": "13345224609.738474920.8088930838d88f008e0",
        "response_url": "https://hooks.slack.com/actions/T1DC2JH3J/1/x",
        "actions": [{"action_id": action_id, "block_id": "b", "type": "button", "value": value}],
    });
    form(&[("payload", &payload.to_string())])
}

fn signed(secret: &str, body: &str) -> Request {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("v0:{NOW}:{body}").as_bytes());
    let (mut parts, body) = Request::new(Body::Text(body.to_owned())).into_parts();
    parts.method = "POST".parse().unwrap();
    parts.uri = "https://x.lambda-url.eu-west-1.on.aws/slack".parse().unwrap();
    for (name, value) in [
        ("content-type", "application/x-www-form-urlencoded".to_owned()),
        ("x-slack-request-timestamp", NOW.to_string()),
        ("x-slack-signature", format!("v0={}", hex::encode(mac.finalize().into_bytes()))),
    ] {
        parts.headers.insert(name, value.parse().unwrap());
    }
    Request::from_parts(parts, body)
}

async fn send(edges: &Edges, request: Request) -> (u16, String) {
    let response = intake(edges).handle(request, Timestamp::from_second(NOW).unwrap()).await;
    (response.status().as_u16(), String::from_utf8(response.body().to_vec()).unwrap())
}

/// What who has typed it reads.
async fn says(edges: &Edges, body: &str) -> String {
    let (status, body) = send(edges, signed(SECRET, body)).await;
    let answer: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, answer["response_type"].as_str()), (200, Some("ephemeral")));
    answer["text"].as_str().unwrap().to_owned()
}

/// The one event on the bus, which the function that it is meant for must be able to take.
fn event(edges: &Edges) -> Value {
    let published = edges.published.lock().unwrap();
    let [event] = published.as_slice() else { panic!("{published:?}") };
    let event = json!({"source": event.source, "detail-type": event.detail_type, "detail": event.detail});
    Incoming::read(event.clone()).unwrap();
    event
}

#[tokio::test]
async fn who_types_a_request_is_answered_at_once_and_it_is_on_the_bus_in_their_own_name() {
    let edges = Edges::default();
    let said =
        says(&edges, &typed("U2CERLKJA", "request github.com for 7d because I clone <!channel> & more"))
            .await;
    insta::assert_snapshot!(said, @"Asked for github.com: req-425663ea0df4. What comes of it is in the notices.");
    insta::assert_json_snapshot!(event(&edges));
}

#[tokio::test]
async fn what_is_said_becomes_the_event_that_it_is() {
    let mut all = Vec::new();
    for text in [
        "extend req-0123456789ab for 2d because not done",
        "approve req-0123456789ab because fine",
        "deny req-0123456789ab",
        "revoke req-0123456789ab because done",
        "withdraw req-0123456789ab",
        "status req-0123456789ab",
        "why https://github.com/x",
        "list pending",
    ] {
        let edges = Edges::default();
        let said = says(&edges, &typed("U0B0B", text)).await;
        let event = event(&edges);
        let mut detail = event["detail"].clone();
        assert_eq!(detail["reply_to"], json!({"via": "slack", "to": RESPONSE_URL}));
        for field in ["version", "message_key", "reply_to"] {
            detail.as_object_mut().unwrap().remove(field);
        }
        all.push(format!("{text}\n    {said}\n    {} {detail}", event["detail-type"].as_str().unwrap()));
    }
    insta::assert_snapshot!(all.join("\n"));
}

#[tokio::test]
async fn the_same_body_again_is_the_same_message() {
    let edges = Edges::default();
    for _ in 0..2 {
        says(&edges, &typed("U2CERLKJA", "request preset pypi because pip")).await;
    }
    let published = edges.published.lock().unwrap();
    assert_eq!(published[0].detail["message_key"], published[1].detail["message_key"]);
}

#[tokio::test]
async fn a_press_on_a_button_is_a_decision() {
    let edges = Edges::default();
    let answer = send(&edges, signed(SECRET, &pressed("U0B0B", "egress.approve", "req-0123456789ab"))).await;
    assert_eq!(answer, (200, String::new()));
    let event = event(&edges);
    assert_eq!(event["detail-type"], "RequestDecided");
    assert_eq!(
        (&event["detail"]["approver"], &event["detail"]["decision"]),
        (&json!("bob@example.com"), &json!("approve"))
    );
}

#[tokio::test]
async fn what_isn_t_said_well_is_answered_and_nothing_is_on_the_bus() {
    let edges = Edges::default();
    let mut all = Vec::new();
    for (who, text) in [
        ("U2CERLKJA", ""),
        ("U2CERLKJA", "open <!channel> `x`"),
        ("U2CERLKJA", "request github.com"),
        ("U2CERLKJA", "request github.com x.evil.org 10.0.0.1 co.uk because I want to"),
        ("U2CERLKJA", "request 10.0.0.1 because I want to"),
        ("U2CERLKJA", &format!("request github.com because {}", "x".repeat(2_001))),
        ("UNKNOWN1", "request github.com because I want to"),
        ("UNKNOWN1", "approve req-0123456789ab"),
    ] {
        let shown: String = text.chars().take(60).collect();
        all.push(format!("{who}: {shown}\n{}\n", says(&edges, &typed(who, text)).await));
    }
    assert!(edges.published.lock().unwrap().is_empty());
    insta::assert_snapshot!(all.join("\n"));
}

#[tokio::test]
async fn who_isn_t_known_can_ask_questions_in_no_other_name_than_their_own() {
    let edges = Edges::default();
    says(&edges, &typed("UNKNOWN1", "why github.com")).await;
    assert_eq!(event(&edges)["detail"]["by"], "slack:UNKNOWN1");
}

#[tokio::test]
async fn who_isn_t_proved_hears_nothing_and_nothing_is_read() {
    let edges = Edges::default();
    let body = typed("U2CERLKJA", "request preset pypi because pip");
    let mut old = signed(SECRET, &body);
    old.headers_mut().insert("x-slack-request-timestamp", (NOW - 301).to_string().parse().unwrap());
    let mut moved = signed(SECRET, &body);
    *moved.body_mut() = Body::Text(body.replace("U2CERLKJA", "U0B0B"));
    let mut at_the_webhook = signed(SECRET, &body);
    *at_the_webhook.uri_mut() = "https://x/webhook".parse().unwrap();
    at_the_webhook.headers_mut().insert("content-type", "application/json".parse().unwrap());
    for request in [signed("the webhook's", &body), old, moved, at_the_webhook] {
        assert_eq!(send(&edges, request).await, (401, String::new()));
    }
    assert!(edges.published.lock().unwrap().is_empty());
}

#[tokio::test]
async fn where_slack_isn_t_set_up_there_is_nothing() {
    let edges = Edges::default();
    let intake = Intake::new(&edges, Secret(SECRET));
    let response =
        intake.handle(signed(SECRET, &typed("U0B0B", "help")), Timestamp::from_second(NOW).unwrap()).await;
    assert_eq!(response.status().as_u16(), 404);
}

#[tokio::test]
async fn an_answer_goes_to_slack_s_own_host_alone() {
    let edges = Edges::default();
    for url in
        ["https://evil.example/x", "https://hooks.slack.com.evil.example/", "http://hooks.slack.com/x", ""]
    {
        let body = typed("U2CERLKJA", "list")
            .replace(&form(&[("response_url", RESPONSE_URL)]), &form(&[("response_url", url)]));
        assert_eq!(send(&edges, signed(SECRET, &body)).await.0, 400, "{url}");
    }
    assert!(edges.published.lock().unwrap().is_empty());
}

#[tokio::test]
async fn who_has_typed_something_hears_when_it_could_not_be_taken() {
    let edges = Edges { bus_fails: true, ..Edges::default() };
    let said = says(&edges, &typed("U2CERLKJA", "request preset pypi because pip")).await;
    assert_eq!(said, "That could not be taken now. Say it again in a moment.");
    let press = send(&edges, signed(SECRET, &pressed("U0B0B", "egress.deny", "req-0123456789ab"))).await;
    assert_eq!(press.0, 503);
}

#[tokio::test]
async fn of_what_slack_sends_beside_and_of_strangers_presses_nothing_comes() {
    let edges = Edges::default();
    let other = json!({"type": "view_closed", "user": {"id": "U1"}, "trigger_id": "1.2"});
    for body in [
        form(&[("ssl_check", "1"), ("token", "x")]),
        pressed("U0B0B", "open_page", ""),
        pressed("UNKNOWN1", "egress.approve", "req-0123456789ab"),
        form(&[("payload", &other.to_string())]),
    ] {
        assert_eq!(send(&edges, signed(SECRET, &body)).await, (200, String::new()), "{body}");
    }
    assert!(edges.published.lock().unwrap().is_empty());
}

proptest! {
    #[test]
    fn no_form_is_too_strange(body in "[a-z_=&%+0-9{}\":]{0,200}", payload in ".{0,200}") {
        let config = Config::parse(CONFIG).unwrap();
        let _ = intake::slack::read(body.as_bytes(), &config);
        let _ = intake::slack::read(form(&[("payload", &payload)]).as_bytes(), &config);
    }

    #[test]
    fn whatever_is_taken_can_be_acted_on(
        text in "(request|extend|why|revoke|status|list) (req-0123456789ab|\\PC{0,40}) (for 7d )?because .{0,300}",
        user in "[A-Z0-9]{1,12}",
    ) {
        let config = Config::parse(CONFIG).unwrap();
        for user in [user.as_str(), "U0B0B"] {
            if let Ok(intake::slack::Heard::Said(message, _)) = intake::slack::read(typed(user, &text).as_bytes(), &config) {
                let event = message.event().unwrap();
                let event = json!({"source": event.source, "detail-type": event.detail_type, "detail": event.detail});
                prop_assert!(Incoming::read(event).is_ok());
            }
        }
    }
}
