//! The dialog in which people ask in Slack: opened by the command and by a button, sent, and answered.

use egress::slack::Ask;
use intake::{Intake, Keys};
use lambda_http::Request;
use serde_json::{Value, json};

use crate::harness::{Edges, NOW, RESPONSE_URL, SLACK, config, form, sample, send};
use crate::slack::{pressed, typed};
use crate::slack_api::{Mood, SlackApi, TOKEN};

const PRESETS: &str = "[presets.with-a-long-description]\ndomains = [\"example.com\"]\ndescription = \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"";

/// Sends something to the function, which has a token for this API.
async fn with(edges: &Edges, api: &SlackApi, token: &str, body: &str) -> (u16, String) {
    let keys = Keys { slack_token: Some(edges.secret(token)), ..edges.keys() };
    let config = config(&format!("{PRESETS}\n[slack]\napi = \"{}\"", api.url));
    send(&Intake::new(edges, keys, config).unwrap(), request(body), NOW).await
}

fn request(body: &str) -> Request {
    crate::harness::slack(SLACK, body)
}

fn text(answer: &(u16, String)) -> String {
    let body: Value = serde_json::from_str(&answer.1).unwrap();
    assert_eq!((answer.0, &body["response_type"]), (200, &json!("ephemeral")));
    body["text"].as_str().unwrap().to_owned()
}

/// What Slack sends when somebody sends the dialog: its fields as they are in the sample, or these.
fn submitted(user_id: &str, fields: &Value) -> String {
    let mut payload = sample("slack_view_submission");
    payload["user"]["id"] = json!(user_id);
    for (block, value) in fields.as_object().unwrap() {
        let field =
            if block == "preset" { json!({"selected_option": value}) } else { json!({"value": value}) };
        payload["view"]["state"]["values"][block] = json!({block: field});
    }
    form(&[("payload", &payload.to_string())])
}

/// What is wrong with what somebody has sent, by its block.
async fn wrong(edges: &Edges, body: &str) -> String {
    let (status, body) = edges.send(request(body)).await;
    let answer: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &answer["response_action"]), (200, &json!("errors")));
    assert!(edges.events().is_empty());
    let errors = answer["errors"].as_object().unwrap();
    let lines = errors.iter().map(|(block, text)| format!("{block}: {}", text.as_str().unwrap()));
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_request_without_anything_else_opens_the_dialog() {
    let (edges, api) = (Edges::default(), SlackApi::start(Mood::Well).await);
    for (at, text) in [" Request ", "request"].into_iter().enumerate() {
        let api = if at == 0 { api.clone() } else { SlackApi::start(Mood::Well).await };
        assert_eq!(with(&edges, &api, TOKEN, &typed("U2CERLKJA", text)).await, (200, String::new()));
        assert_eq!(api.opened()["trigger_id"], "398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c");
    }
    assert!(edges.events().is_empty());
    insta::assert_json_snapshot!(api.opened()["view"]);
}

#[tokio::test]
async fn a_button_opens_it_with_what_it_offers() {
    let (edges, api) = (Edges::default(), SlackApi::start(Mood::Well).await);
    let ask = Ask {
        domains: vec!["github.com".to_owned(), ".huggingface.co".to_owned()],
        preset: Some("pypi".to_owned()),
        duration: Some("7days".to_owned()),
        ticket: Some("OPS-1".to_owned()),
        because: Some("I \"need\" it".to_owned()),
    };
    let press = pressed("U2CERLKJA", egress::slack::REQUEST, &ask.value().unwrap());
    assert_eq!(with(&edges, &api, TOKEN, &press).await, (200, String::new()));
    let view = &api.opened()["view"];
    let blocks = view["blocks"].as_array().unwrap().iter().map(|block| {
        let element = &block["element"];
        let filled_in = element.get("initial_value").unwrap_or(&element["initial_option"]["value"]);
        format!("{}: {filled_in}", block["block_id"].as_str().unwrap())
    });
    insta::assert_snapshot!(blocks.collect::<Vec<_>>().join("\n"), @r#"
    domains: "github.com\n.huggingface.co"
    preset: "pypi"
    duration: "7days"
    ticket: "OPS-1"
    because: "I \"need\" it"
    "#);
}

#[tokio::test]
async fn where_no_dialog_can_be_opened_who_typed_reads_what_to_type() {
    let edges = Edges::default();
    let answer = edges.send(request(&typed("U2CERLKJA", "request"))).await;
    insta::assert_snapshot!(text(&answer), @"No dialog can be opened now. Type `/egress request github.com .huggingface.co because …`");
    for (mood, token) in [
        (Mood::Refuses("expired_trigger_id"), TOKEN),
        (Mood::Down, TOKEN),
        (Mood::Well, "xoxb-another"),
        (Mood::Well, "two\nlines"),
    ] {
        let api = SlackApi::start(mood).await;
        assert_eq!(text(&with(&edges, &api, token, &typed("U2CERLKJA", "request")).await), text(&answer));
    }
    assert!(edges.events().is_empty());
}

#[tokio::test]
async fn slack_is_answered_in_time_though_it_answers_late_itself() {
    let (edges, api) = (Edges::default(), SlackApi::start(Mood::Silent).await);
    let asked = std::time::Instant::now();
    let answer = with(&edges, &api, TOKEN, &typed("U2CERLKJA", "request")).await;
    assert!(text(&answer).starts_with("No dialog can be opened now."));
    assert!(asked.elapsed() < std::time::Duration::from_millis(2_800), "{:?}", asked.elapsed());
}

#[tokio::test]
async fn who_pressed_hears_of_a_dialog_that_can_t_be_opened_where_they_are_answered() {
    let (edges, api) = (Edges::default(), SlackApi::start(Mood::Refuses("expired_trigger_id")).await);
    let ask = Ask { domains: vec![".github.com".to_owned()], ..Ask::default() };
    let press = pressed("U2CERLKJA", egress::slack::REQUEST, &ask.value().unwrap());
    assert_eq!(with(&edges, &api, TOKEN, &press).await, (200, String::new()));
    insta::assert_json_snapshot!(edges.event());
}

#[tokio::test]
async fn who_isn_t_known_is_told_so_and_not_shown_a_dialog() {
    let (edges, api) = (Edges::default(), SlackApi::start(Mood::Well).await);
    let answer = with(&edges, &api, TOKEN, &typed("UNKNOWN1", "request")).await;
    assert!(text(&answer).starts_with("I don't know who you are."));
    let press = pressed("UNKNOWN1", egress::slack::REQUEST, "{}");
    assert_eq!(with(&edges, &api, TOKEN, &press).await, (200, String::new()));
    assert_eq!(edges.event()["detail-type"], "CommandNotTaken");
    assert!(api.is_unused());
}

#[tokio::test]
async fn a_dialog_that_is_sent_is_a_request_and_closes() {
    let edges = Edges::default();
    for _ in 0..2 {
        let sent = edges.send(request(&submitted("U2CERLKJA", &json!({})))).await;
        assert_eq!(sent, (200, String::new()));
    }
    let events = edges.events();
    assert_eq!(events[0], events[1], "sent again, it is the same message");
    insta::assert_json_snapshot!(events[0]);
}

#[tokio::test]
async fn a_preset_that_is_chosen_is_asked_for() {
    let edges = Edges::default();
    let fields = json!({"domains": null, "preset": {"value": "pypi"}, "duration": " ", "ticket": "OPS-1"});
    edges.send(request(&submitted("U2CERLKJA", &fields))).await;
    let detail = edges.event()["detail"].clone();
    assert_eq!((&detail["preset"], &detail["ticket"]), (&json!("pypi"), &json!("OPS-1")));
    assert!(detail.get("duration_seconds").is_none() && detail.get("domains").is_none());
}

#[tokio::test]
async fn what_is_wrong_stands_at_its_field_and_nothing_is_asked_for() {
    let edges = Edges::default();
    let mut all = Vec::new();
    for fields in [
        json!({"domains": "github.com\n10.0.0.1 co.uk"}),
        json!({"domains": "10.0.0.1", "duration": "soon", "preset": {"value": "pypi"}}),
        json!({"domains": " ,; "}),
        json!({"duration": "5s"}),
        json!({"because": "  "}),
        json!({"because": "x".repeat(2_001)}),
        json!({"ticket": "x".repeat(257)}),
        json!({"domains": "a.example.com ".repeat(21)}),
    ] {
        let shown: String = fields.to_string().chars().take(60).collect();
        all.push(format!("{shown}\n{}\n", wrong(&edges, &submitted("U2CERLKJA", &fields)).await));
    }
    all.push(format!("by a stranger\n{}\n", wrong(&edges, &submitted("UNKNOWN1", &json!({}))).await));
    insta::assert_snapshot!(all.join("\n"));
}

#[tokio::test]
async fn a_dialog_stays_open_while_it_can_t_be_taken() {
    let edges = Edges::default();
    *edges.bus_fails.lock().unwrap() = true;
    let said = wrong(&edges, &submitted("U2CERLKJA", &json!({}))).await;
    assert_eq!(said, "domains: That could not be taken now. Say it again in a moment.");
}

#[tokio::test]
async fn a_dialog_that_isn_t_ours_is_nothing() {
    let edges = Edges::default();
    let mut payload = sample("slack_view_submission");
    payload["view"]["callback_id"] = json!("another");
    let body = form(&[("payload", &payload.to_string())]);
    assert_eq!(edges.send(request(&body)).await, (200, String::new()));
    assert!(edges.events().is_empty());
}

#[tokio::test]
async fn of_domains_some_of_which_are_bad_the_others_are_offered() {
    let (edges, api) = (Edges::default(), SlackApi::start(Mood::Well).await);
    let said =
        "request https://GitHub.com/x 10.0.0.1 .huggingface.co for 7d ticket OPS-1 because I \"need\" it";
    let (status, body) = with(&edges, &api, TOKEN, &typed("U2CERLKJA", said)).await;
    let answer: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(status, 200);
    insta::assert_json_snapshot!(answer);
    let value = answer["blocks"][1]["elements"][0]["value"].as_str().unwrap();
    let press = pressed("U2CERLKJA", egress::slack::REQUEST, value);
    assert_eq!(with(&edges, &api, TOKEN, &press).await, (200, String::new()));
    assert_eq!(api.opened()["view"]["blocks"][0]["element"]["initial_value"], "github.com\n.huggingface.co");

    let long = format!("{said} {}", "x".repeat(1_990));
    for (token, said) in
        [(None, said), (Some(TOKEN), long.as_str()), (Some(TOKEN), "request 10.0.0.1 because x")]
    {
        let keys = Keys { slack_token: token.map(|token| edges.secret(token)), ..edges.keys() };
        let intake = Intake::new(&edges, keys, config("")).unwrap();
        let (_, body) = send(&intake, request(&typed("U2CERLKJA", said)), NOW).await;
        let answer: Value = serde_json::from_str(&body).unwrap();
        assert!(answer.get("blocks").is_none() && answer["text"].as_str().unwrap().contains("10.0.0.1"));
    }
    assert!(edges.events().is_empty());
    assert!(typed("U2CERLKJA", said).contains(&form(&[("response_url", RESPONSE_URL)])));
}
