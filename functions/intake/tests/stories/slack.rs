//! What becomes of what people type and press in Slack.

use serde_json::{Value, json};

use crate::harness::{Edges, RESPONSE_URL, SLACK, form, sample, slack};

/// What Slack sends when somebody types `/egress` and this.
pub(crate) fn typed(user_id: &str, text: &str) -> String {
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
pub(crate) fn pressed(user_id: &str, action_id: &str, value: &str) -> String {
    let payload = json!({
        "type": "block_actions", "user": {"id": user_id, "username": "bob"}, "trigger_id": "13345224609.738474920.8088930838d88f008e0",
        "response_url": "https://hooks.slack.com/actions/T1DC2JH3J/1/x",
        "actions": [{"action_id": action_id, "block_id": "b", "type": "button", "value": value}],
    });
    form(&[("payload", &payload.to_string())])
}

/// What who has typed it reads.
async fn says(edges: &Edges, body: &str) -> String {
    let (status, body) = edges.send(slack(SLACK, body)).await;
    let answer: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, answer["response_type"].as_str()), (200, Some("ephemeral")));
    answer["text"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn who_types_a_request_is_answered_at_once_and_it_is_on_the_bus_in_their_own_name() {
    let edges = Edges::default();
    let said =
        says(&edges, &typed("U2CERLKJA", "request github.com for 7d because I clone <!channel> & more"))
            .await;
    insta::assert_snapshot!(said, @"Asked for github.com: req-425663ea0df4. A message of this app says what comes of it.");
    insta::assert_json_snapshot!(edges.event());
}

#[tokio::test]
async fn what_is_said_becomes_the_event_that_it_is() {
    let mut all = Vec::new();
    for text in [
        "extend req-0123456789ab for 2d because not done",
        "approve req-0123456789ab looks <https://x.example|x.example> &amp; fine",
        "deny req-0123456789ab",
        "revoke req-0123456789ab because done",
        "withdraw req-0123456789ab",
        "silence https://<http://x.pypi.org|x.pypi.org>/simple",
        "silence pypi.org for 0 owner profile/d-x/alice",
        "status req-0123456789ab",
        "why https://github.com/x",
        "list pending",
    ] {
        let edges = Edges::default();
        let said = says(&edges, &typed("U0B0B", text)).await;
        let event = edges.event();
        let mut detail = event["detail"].clone();
        // What is told for days goes to the person, and all else to where they have said it.
        let to = if text.starts_with("extend") { "U0B0B" } else { RESPONSE_URL };
        assert_eq!(detail["reply_to"], json!({"via": "slack", "to": to}));
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
async fn a_press_on_a_button_is_a_decision_with_what_stands_beside_it() {
    let edges = Edges::default();
    let press = form(&[("payload", &sample("slack_block_actions").to_string())]);
    assert_eq!(edges.send(slack(SLACK, &press)).await, (200, String::new()));
    insta::assert_json_snapshot!(edges.event());
}

#[tokio::test]
async fn without_a_comment_a_press_is_a_decision_all_the_same() {
    for (button, detail_type) in [
        (egress::slack::APPROVE, "RequestDecided"),
        (egress::slack::DENY, "RequestDecided"),
        (egress::slack::WITHDRAW, "RequestWithdrawn"),
    ] {
        let edges = Edges::default();
        let answer = edges.send(slack(SLACK, &pressed("U0B0B", button, "req-0123456789ab"))).await;
        assert_eq!(answer, (200, String::new()));
        let event = edges.event();
        assert_eq!(event["detail-type"], detail_type);
        assert!(event["detail"].get("comment").is_none());
    }
}

#[tokio::test]
async fn a_press_under_an_alert_lets_its_group_rest_for_a_day() {
    let edges = Edges::default();
    let value = r#"{"domain":"pypi.org","owner":"profile/d-x/alice"}"#;
    let answer = edges.send(slack(SLACK, &pressed("U0B0B", egress::slack::SILENCE, value))).await;
    assert_eq!(answer, (200, String::new()));
    let event = edges.event();
    assert_eq!(event["detail-type"], "AlertsSilenced");
    let fields = ["domain", "owner", "duration_seconds", "by"].map(|field| event["detail"][field].clone());
    assert_eq!(json!(fields), json!(["pypi.org", "profile/d-x/alice", 86_400, "bob@example.com"]));

    let stranger = Edges::default();
    let press = pressed("UNKNOWN1", egress::slack::SILENCE, value);
    assert_eq!(stranger.send(slack(SLACK, &press)).await, (200, String::new()));
    assert_eq!(stranger.event()["detail-type"], "CommandNotTaken");
}

#[tokio::test]
async fn who_presses_and_isn_t_known_is_told_why_nothing_happens() {
    let edges = Edges::default();
    let press = pressed("UNKNOWN1", "egress.approve", "req-0123456789ab");
    assert_eq!(edges.send(slack(SLACK, &press)).await, (200, String::new()));
    insta::assert_json_snapshot!(edges.event());
}

#[tokio::test]
async fn what_isn_t_said_well_is_answered_and_nothing_is_on_the_bus() {
    let edges = Edges::default();
    let mut all = Vec::new();
    for (who, text) in [
        ("U2CERLKJA", ""),
        ("U2CERLKJA", "open <!channel> `x`"),
        ("U2CERLKJA", "request github.com"),
        ("U2CERLKJA", "request github.com x.ngrok.io 10.0.0.1 co.uk because I want to"),
        ("U2CERLKJA", "request 10.0.0.1 because I want to"),
        ("U2CERLKJA", &format!("request github.com because {}", "x".repeat(2_001))),
        ("UNKNOWN1", "request github.com because I want to"),
        ("UNKNOWN1", "approve req-0123456789ab"),
        ("UNKNOWN1", "silence pypi.org"),
        ("U2CERLKJA", "silence pypi"),
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
    assert_eq!(edges.event()["detail"]["by"], "slack:UNKNOWN1");
}

#[tokio::test]
async fn what_is_signed_for_slack_is_nothing_at_another_way() {
    let edges = Edges::default();
    let mut request = slack(SLACK, &typed("U2CERLKJA", "list"));
    *request.uri_mut() = "https://x/webhook".parse().unwrap();
    request.headers_mut().insert("content-type", "application/json".parse().unwrap());
    assert_eq!(edges.send(request).await, (401, String::new()));
}

#[tokio::test]
async fn an_answer_goes_to_slack_s_own_host_alone() {
    let edges = Edges::default();
    for url in
        ["https://evil.example/x", "https://hooks.slack.com.evil.example/", "http://hooks.slack.com/x", ""]
    {
        let body = typed("U2CERLKJA", "list")
            .replace(&form(&[("response_url", RESPONSE_URL)]), &form(&[("response_url", url)]));
        assert_eq!(edges.send(slack(SLACK, &body)).await.0, 400, "{url}");
    }
    assert!(edges.published.lock().unwrap().is_empty());
}

#[tokio::test]
async fn who_has_typed_something_hears_when_it_could_not_be_taken() {
    let edges = Edges::default();
    *edges.bus_fails.lock().unwrap() = true;
    let said = says(&edges, &typed("U2CERLKJA", "request preset pypi because pip")).await;
    assert_eq!(said, "That could not be taken now. Say it again in a moment.");
    let press = edges.send(slack(SLACK, &pressed("U0B0B", "egress.deny", "req-0123456789ab"))).await;
    assert_eq!(press.0, 503);
}

#[tokio::test]
async fn of_what_slack_sends_beside_nothing_comes() {
    let edges = Edges::default();
    let other = json!({"type": "view_closed", "user": {"id": "U1"}, "trigger_id": "1.2"});
    for body in [
        form(&[("ssl_check", "1"), ("token", "x")]),
        pressed("U0B0B", "open_page", ""),
        form(&[("payload", &other.to_string())]),
    ] {
        assert_eq!(edges.send(slack(SLACK, &body)).await, (200, String::new()), "{body}");
    }
    assert!(edges.published.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_slack_would_not_send_is_refused_with_the_field() {
    let edges = Edges::default();
    let mut no_url = sample("slack_block_actions");
    no_url.as_object_mut().unwrap().remove("response_url");
    for (body, field) in [
        (form(&[("text", "list")]), "trigger_id"),
        (typed("U 1", "list"), "user_id"),
        (form(&[("payload", "{}")]), "payload"),
        (form(&[("payload", &no_url.to_string())]), "response_url"),
        (pressed("U0B0B", "egress.approve", "req-1"), "value"),
        (pressed("U0B0B", "egress.request", "{\"domain\": 1}"), "value"),
        (pressed("U0B0B", "egress.silence", "pypi.org"), "value"),
    ] {
        let (status, body) = edges.send(slack(SLACK, &body)).await;
        assert!(status == 400 && body.contains(field), "{status} {body}");
    }
    assert!(edges.events().is_empty());
}
