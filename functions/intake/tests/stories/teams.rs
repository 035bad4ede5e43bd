//! What becomes of what people say to Teams' outgoing webhook.

use serde_json::{Value, json};

use crate::harness::{Edges, NOW, sample, send, teams};

/// A message of Alice's, or of somebody else's.
fn said(text: &str) -> Value {
    let mut activity = sample("teams_message");
    activity["text"] = json!(text);
    activity
}

/// What all in the channel read.
async fn says(edges: &Edges, activity: &Value) -> String {
    let (status, body) = edges.send(teams(activity)).await;
    let answer: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &answer["type"]), (200, &json!("message")));
    answer["text"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn who_mentions_the_webhook_is_answered_at_once_and_it_is_on_the_bus_in_their_name() {
    let edges = Edges::default();
    let first = says(&edges, &sample("teams_message")).await;
    assert_eq!(says(&edges, &sample("teams_message")).await, first);
    insta::assert_snapshot!(first, @"Asked for github.com, .huggingface.co: req-22e4bdfb96d9. A message of this app says what comes of it.");
    let events = edges.events();
    assert_eq!(events[0], events[1], "sent again, it is the same message");
    insta::assert_json_snapshot!(events[0]);
}

#[tokio::test]
async fn what_isn_t_said_well_is_answered_and_nothing_is_on_the_bus() {
    let edges = Edges::default();
    let mut all = Vec::new();
    for text in [
        "<at>Egress</at>",
        "<at>Egress</at> open *the* [door](https://evil.example) `now`",
        "<at>Egress</at> request github.com 10.0.0.1 co.uk &lt;b&gt; for 2d because I want to",
        "request 10.0.0.1 because I want to",
    ] {
        all.push(format!("{text}\n{}\n", says(&edges, &said(text)).await));
    }
    let mut stranger = said("<at>Egress</at> approve req-0123456789ab");
    stranger["from"]["aadObjectId"] = json!("99999999-2222-3333-4444-555555555555");
    all.push(format!("a stranger\n{}\n", says(&edges, &stranger).await));
    stranger["from"].as_object_mut().unwrap().remove("aadObjectId");
    all.push(format!("a guest\n{}\n", says(&edges, &stranger).await));
    assert!(edges.events().is_empty());
    insta::assert_snapshot!(all.join("\n"));
}

#[tokio::test]
async fn every_command_is_answered_in_the_conversation() {
    for (text, detail_type) in [
        ("extend req-0123456789ab because not done", "ExtensionRequested"),
        ("approve req-0123456789ab fine", "RequestDecided"),
        ("deny req-0123456789ab", "RequestDecided"),
        ("revoke req-0123456789ab because done", "GrantRevoked"),
        ("withdraw req-0123456789ab", "RequestWithdrawn"),
        ("silence <a href=\"http://pypi.org\">pypi.org</a> for 2h", "AlertsSilenced"),
        ("status req-0123456789ab", "QuestionAsked"),
        ("why <a href=\"http://github.com\">github.com</a>", "QuestionAsked"),
        ("list", "QuestionAsked"),
    ] {
        let edges = Edges::default();
        says(&edges, &said(&format!("<at>Egress</at> {text}"))).await;
        let event = edges.event();
        let reply_to = json!({"via": "teams", "to": sample("teams_message")["conversation"]["id"]});
        assert_eq!((&event["detail-type"], &event["detail"]["reply_to"]), (&json!(detail_type), &reply_to));
    }
}

#[tokio::test]
async fn who_isn_t_known_can_ask_questions_in_no_other_name_than_their_own() {
    let edges = Edges::default();
    let mut activity = said("<at>Egress</at> why github.com");
    activity["from"]["aadObjectId"] = json!("99999999-2222-3333-4444-555555555555");
    says(&edges, &activity).await;
    assert_eq!(edges.event()["detail"]["by"], "teams:99999999-2222-3333-4444-555555555555");
}

#[tokio::test]
async fn the_same_words_in_another_conversation_or_a_minute_later_are_another_message() {
    let edges = Edges::default();
    let (mut later, mut elsewhere) = (sample("teams_message"), sample("teams_message"));
    later["id"] = json!("1767225650123");
    elsewhere["conversation"]["id"] = json!("19:0123456789abcdef@thread.tacv2;messageid=1767225590123");
    for activity in [sample("teams_message"), later, elsewhere] {
        says(&edges, &activity).await;
    }
    let events = edges.events();
    let keys: std::collections::BTreeSet<_> =
        events.iter().map(|event| event["detail"]["message_key"].to_string()).collect();
    assert_eq!(keys.len(), 3);
}

#[tokio::test]
async fn what_isn_t_a_message_is_nothing_and_what_can_t_be_one_is_refused_with_the_field() {
    let edges = Edges::default();
    let mut reaction = sample("teams_message");
    reaction["type"] = json!("messageReaction");
    assert_eq!(edges.send(teams(&reaction)).await, (200, String::new()));
    for (field, value) in [
        ("id", json!("a b")),
        ("id", json!("")),
        ("timestamp", json!("today")),
        ("from", json!(null)),
        ("conversation", json!({"id": "x".repeat(181)})),
    ] {
        let mut activity = sample("teams_message");
        activity[field] = value;
        let (status, body) = edges.send(teams(&activity)).await;
        assert!(status == 400 && body.contains(field), "{status} {body}");
    }
    assert!(edges.events().is_empty());
}

#[tokio::test]
async fn what_was_sent_before_is_nobody_s() {
    let edges = Edges::default();
    let intake = edges.intake();
    for (later, status) in [(299, 200), (301, 401), (-301, 401)] {
        assert_eq!(send(&intake, teams(&sample("teams_message")), NOW + later).await.0, status, "{later}");
    }
}

#[tokio::test]
async fn who_has_said_something_hears_when_it_could_not_be_taken() {
    let edges = Edges::default();
    *edges.bus_fails.lock().unwrap() = true;
    let said = says(&edges, &sample("teams_message")).await;
    assert_eq!(said, "That could not be taken now. Say it again in a moment.");
}
