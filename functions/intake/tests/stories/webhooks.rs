//! What becomes of a webhook.

use std::sync::Mutex;

use egress::bus::{Bus, BusError, Event};
use hmac::{Hmac, KeyInit, Mac};
use intake::Intake;
use intake::secrets::{Previous, SecretError, SecretSource, Secrets};
use jiff::Timestamp;
use lambda_http::http::Response;
use lambda_http::{Body, Request};
use serde_json::{Value, json};
use sha2::Sha256;

const NOW: i64 = 1_767_225_600;

/// The bus and the secret; each can fail.
#[derive(Default)]
struct Edges {
    published: Mutex<Vec<Event>>,
    bus_fails: Mutex<bool>,
    secret: Mutex<Option<&'static str>>,
    /// The secret before, and when it was replaced.
    previous: Option<(&'static str, i64)>,
}

impl Bus for &Edges {
    async fn publish(&self, events: &[Event]) -> Result<(), BusError> {
        if *self.bus_fails.lock().unwrap() {
            return Err(BusError::Unavailable("throttled".to_owned()));
        }
        self.published.lock().unwrap().extend_from_slice(events);
        Ok(())
    }
}

impl SecretSource for &Edges {
    async fn fetch(&self) -> Result<Secrets, SecretError> {
        let secret = self.secret.lock().unwrap().ok_or_else(|| SecretError("throttled".to_owned()))?;
        let previous = self.previous.map(|(secret, second)| Previous {
            secret: secret.into(),
            replaced_at: Timestamp::from_second(second).unwrap(),
        });
        Ok(Secrets { current: secret.into(), previous })
    }
}

fn edges() -> Edges {
    Edges { secret: Mutex::new(Some("a secret")), ..Edges::default() }
}

fn signed(secret: &str, body: &str) -> Request {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{NOW}.d-1.{body}").as_bytes());
    let request = Request::new(Body::Text(body.to_owned()));
    let (mut parts, body) = request.into_parts();
    parts.method = "POST".parse().unwrap();
    parts.uri = "https://x.lambda-url.eu-west-1.on.aws/webhook".parse().unwrap();
    for (name, value) in [
        ("content-type", "application/json; charset=utf-8".to_owned()),
        ("x-egress-timestamp", NOW.to_string()),
        ("x-egress-delivery", "d-1".to_owned()),
        ("x-egress-signature", format!("v1={}", hex::encode(mac.finalize().into_bytes()))),
    ] {
        parts.headers.insert(name, value.parse().unwrap());
    }
    Request::from_parts(parts, body)
}

fn asks() -> String {
    json!({"action": "request", "requester": "älice", "preset": "pypi", "justification": "pip"}).to_string()
}

async fn send(edges: &Edges, request: Request) -> (u16, String) {
    send_to(&Intake::new(edges, edges), request, NOW).await
}

async fn send_to(intake: &Intake<&Edges, &Edges>, request: Request, now: i64) -> (u16, String) {
    let response: Response<Body> = intake.handle(request, Timestamp::from_second(now).unwrap()).await;
    (response.status().as_u16(), String::from_utf8(response.body().to_vec()).unwrap())
}

#[tokio::test]
async fn a_signed_webhook_is_on_the_bus_before_it_is_answered() {
    let edges = edges();
    let (status, body) = send(&edges, signed("a secret", &asks())).await;
    assert_eq!(status, 202);
    let id = egress::request::RequestId::of_message("webhook:d-1");
    let answer = json!({"message_key": "webhook:d-1", "request_id": id});
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), answer);
    let published = edges.published.lock().unwrap();
    let [event] = published.as_slice() else { panic!("{published:?}") };
    assert_eq!((event.source.as_str(), event.detail_type.as_str()), ("egress.intake", "DomainRequested"));
    assert_eq!(event.detail["message_key"], "webhook:d-1");
}

#[tokio::test]
async fn a_question_is_on_the_bus_and_its_answer_will_name_the_message() {
    let edges = edges();
    let body = json!({
        "action": "why", "by": "alice", "host": "github.com", "reply_to": {"via": "slack", "to": "C024BE91L"}
    });
    let answer = send(&edges, signed("a secret", &body.to_string())).await;
    assert_eq!(answer, (202, r#"{"message_key":"webhook:d-1"}"#.to_owned()));
    let published = edges.published.lock().unwrap();
    let [event] = published.as_slice() else { panic!("{published:?}") };
    assert_eq!(event.detail_type, "QuestionAsked");
    assert_eq!(event.detail["reply_to"], body["reply_to"]);
}

#[tokio::test]
async fn a_body_that_came_as_base64_is_the_same_body() {
    let edges = edges();
    let (parts, body) = signed("a secret", &asks()).into_parts();
    let request = Request::from_parts(parts, Body::Binary(body.to_vec()));
    assert_eq!(send(&edges, request).await.0, 202);
}

#[tokio::test]
async fn who_isnt_proved_hears_nothing_and_nothing_is_read() {
    let edges = edges();
    let mut no_signature = signed("a secret", "{");
    no_signature.headers_mut().remove("x-egress-signature");
    for request in [signed("another secret", &asks()), signed("another secret", "{"), no_signature] {
        assert_eq!(send(&edges, request).await, (401, String::new()));
    }
    let intake = Intake::new(&edges, &edges);
    assert_eq!(send_to(&intake, signed("a secret", &asks()), NOW + 301).await, (401, String::new()));
    assert!(edges.published.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_rotated_secret_is_found_without_waiting_for_the_cache() {
    let edges = edges();
    let intake = Intake::new(&edges, &edges);
    assert_eq!(send_to(&intake, signed("a secret", &asks()), NOW).await.0, 202);
    *edges.secret.lock().unwrap() = Some("a newer one");
    assert_eq!(send_to(&intake, signed("a newer one", &asks()), NOW + 5).await.0, 401);
    assert_eq!(send_to(&intake, signed("a newer one", &asks()), NOW + 10).await.0, 202);
}

#[tokio::test]
async fn the_secret_before_a_rotation_signs_for_one_more_day() {
    for (rotated, status) in [(NOW - 86_399, 202), (NOW - 86_400, 401)] {
        let edges = Edges { previous: Some(("the one before", rotated)), ..edges() };
        assert_eq!(send(&edges, signed("the one before", &asks())).await.0, status);
        assert_eq!(send(&edges, signed("a secret", &asks())).await.0, 202);
    }
}

#[tokio::test]
async fn what_isnt_a_webhook_is_refused_at_once() {
    let edges = Edges::default();
    let change = |change: fn(&mut Request)| {
        let mut request = signed("a secret", &asks());
        change(&mut request);
        request
    };
    for (request, status) in [
        (change(|request| *request.uri_mut() = "https://x/".parse().unwrap()), 404),
        (change(|request| *request.method_mut() = "GET".parse().unwrap()), 405),
        (change(|request| _ = request.headers_mut().remove("content-type")), 415),
        (change(|request| *request.body_mut() = Body::Text("x".repeat(1_000_001))), 413),
    ] {
        assert_eq!(send(&edges, request).await.0, status);
    }
}

#[tokio::test]
async fn a_wrong_field_is_named() {
    let edges = edges();
    let body =
        json!({"action": "request", "requester": "alice", "domains": [], "justification": "x"}).to_string();
    let (status, body) = send(&edges, signed("a secret", &body)).await;
    assert_eq!(status, 400);
    assert_eq!(body, r#"{"error":"domains or preset: exactly one of the two must be given"}"#);
}

#[tokio::test]
async fn an_event_that_the_bus_would_never_take_is_refused() {
    let edges = edges();
    let long = "x".repeat(300_000);
    let body = json!({"action": "request", "requester": "alice", "domains": [long], "justification": "x"})
        .to_string();
    assert_eq!(send(&edges, signed("a secret", &body)).await.0, 413);
}

#[tokio::test]
async fn a_sender_is_asked_to_try_again_while_aws_fails() {
    let edges = edges();
    *edges.bus_fails.lock().unwrap() = true;
    assert_eq!(send(&edges, signed("a secret", &asks())).await.0, 503);
    *edges.bus_fails.lock().unwrap() = false;
    *edges.secret.lock().unwrap() = None;
    assert_eq!(send(&edges, signed("a secret", &asks())).await.0, 503);
    assert!(edges.published.lock().unwrap().is_empty());
}
