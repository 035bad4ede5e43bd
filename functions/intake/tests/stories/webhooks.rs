//! What becomes of a webhook.

use intake::{Intake, Keys};
use lambda_http::{Body, Request};
use serde_json::{Value, json};

use crate::harness::{Edges, Kept, NOW, WEBHOOK, config, send, webhook};

fn asks() -> String {
    json!({"action": "request", "requester": "älice", "preset": "pypi", "justification": "pip"}).to_string()
}

/// The function, with this secret of the webhook.
fn with<'a>(edges: &'a Edges, secret: Kept<'a>) -> Intake<&'a Edges, Kept<'a>> {
    let keys = Keys { webhook: secret, slack: None, slack_token: None, teams: None, tickets: None };
    Intake::new(edges, keys, config("")).unwrap()
}

#[tokio::test]
async fn a_signed_webhook_is_on_the_bus_before_it_is_answered() {
    let edges = Edges::default();
    let (status, body) = edges.send(webhook(WEBHOOK, &asks())).await;
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
    let edges = Edges::default();
    let body = json!({
        "action": "why", "by": "alice", "host": "github.com", "reply_to": {"via": "slack", "to": "C024BE91L"}
    });
    let answer = edges.send(webhook(WEBHOOK, &body.to_string())).await;
    assert_eq!(answer, (202, r#"{"message_key":"webhook:d-1"}"#.to_owned()));
    let published = edges.published.lock().unwrap();
    let [event] = published.as_slice() else { panic!("{published:?}") };
    assert_eq!(event.detail_type, "QuestionAsked");
    assert_eq!(event.detail["reply_to"], body["reply_to"]);
}

#[tokio::test]
async fn a_body_that_came_as_base64_is_the_same_body() {
    let edges = Edges::default();
    let (parts, body) = webhook(WEBHOOK, &asks()).into_parts();
    let request = Request::from_parts(parts, Body::Binary(body.to_vec()));
    assert_eq!(edges.send(request).await.0, 202);
}

#[tokio::test]
async fn a_wrong_field_is_named() {
    let edges = Edges::default();
    let body =
        json!({"action": "request", "requester": "alice", "domains": [], "justification": "x"}).to_string();
    let (status, body) = edges.send(webhook(WEBHOOK, &body)).await;
    assert_eq!(status, 400);
    assert_eq!(body, r#"{"error":"domains or preset: exactly one of the two must be given"}"#);
}

#[tokio::test]
async fn an_event_that_the_bus_would_never_take_is_refused() {
    let edges = Edges::default();
    let long = "x".repeat(300_000);
    let body = json!({"action": "request", "requester": "alice", "domains": [long], "justification": "x"})
        .to_string();
    assert_eq!(edges.send(webhook(WEBHOOK, &body)).await.0, 413);
}

#[tokio::test]
async fn a_sender_is_asked_to_try_again_while_aws_fails() {
    let edges = Edges::default();
    *edges.bus_fails.lock().unwrap() = true;
    let answer = edges.send(webhook(WEBHOOK, &asks())).await;
    assert_eq!(answer, (503, r#"{"error":"it could not be taken now: send it again"}"#.to_owned()));
    assert!(edges.published.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_secret_before_a_rotation_signs_for_one_more_day() {
    for (rotated, status) in [(NOW - 86_399, 202), (NOW - 86_400, 401)] {
        let edges = Edges::default();
        let intake = with(&edges, edges.rotated(WEBHOOK, "the one before", rotated));
        assert_eq!(send(&intake, webhook("the one before", &asks()), NOW).await.0, status);
        assert_eq!(send(&intake, webhook(WEBHOOK, &asks()), NOW).await.0, 202);
    }
}

#[tokio::test]
async fn a_rotated_secret_is_found_without_waiting_and_looked_for_every_ten_seconds_at_most() {
    let edges = Edges::default();
    let secret = edges.secret(WEBHOOK);
    let intake = with(&edges, secret.clone());
    assert_eq!(send(&intake, webhook(WEBHOOK, &asks()), NOW).await.0, 202);
    secret.becomes("a newer one");
    for (second, status, fetched) in [(5, 401, 1), (10, 202, 2), (11, 202, 2)] {
        assert_eq!(send(&intake, webhook("a newer one", &asks()), NOW + second).await.0, status);
        assert_eq!(*edges.fetched.lock().unwrap(), fetched, "{second}");
    }
}
