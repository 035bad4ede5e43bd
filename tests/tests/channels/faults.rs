//! What goes wrong on command, and the end.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::json;
use tests::channels::Fault;

use super::sender::{LIMIT, Sender};

#[tokio::test]
async fn faults_come_one_a_request_and_then_none() -> Result<()> {
    let sender = Sender::start().await?;
    let post = json!({"channel": "C1", "text": "x"});
    let archived = json!({"ok": false, "error": "is_archived"});
    let faults = sender.channels.slack.faults();
    faults.once(Fault::TooMany { retry_after: 30 });
    faults.once(Fault::Status(500));
    faults.once(Fault::Answer { status: 200, body: archived.clone() });
    let limited = sender.slack("chat.postMessage", &post).await?;
    assert_eq!((limited.status, limited.retry_after.as_deref()), (429, Some("30")));
    assert_eq!(limited.body["error"], "ratelimited");
    assert_eq!(sender.slack("chat.postMessage", &post).await?.status, 500);
    assert_eq!(sender.slack("chat.postMessage", &post).await?.body, archived);
    assert_eq!((faults.left(), sender.channels.slack.messages().len()), (0, 0));
    assert_eq!(sender.slack("chat.postMessage", &post).await?.body["ok"], true);
    let told: Vec<_> = sender.channels.slack.requests().iter().map(|request| request.status).collect();
    assert_eq!(told, [Some(429), Some(500), Some(200), Some(200)]);
    sender.assert_nothing_forbidden();
    Ok(())
}

#[tokio::test]
async fn a_fault_lasts_until_told_otherwise_and_is_one_systems_own() -> Result<()> {
    let sender = Sender::start().await?;
    let url = sender.channels.desk_url() + "tickets/1/messages";
    let message = json!({"text": "open"});
    sender.channels.desk.faults().always(Fault::Status(403));
    for _ in 0..3 {
        assert_eq!(sender.ticket("desk", "POST", url.clone(), &message).await?.status, 403);
    }
    assert_eq!(sender.slack("chat.postMessage", &json!({"channel": "C1", "text": "x"})).await?.status, 200);
    sender.channels.desk.faults().clear();
    assert_eq!(sender.ticket("desk", "POST", url, &message).await?.status, 201);
    assert_eq!(sender.channels.desk.ticket("1").comments.len(), 1);
    Ok(())
}

#[tokio::test]
async fn who_is_hung_up_on_cannot_know_whether_it_was_taken() -> Result<()> {
    let sender = Sender::start().await?;
    let slack = &sender.channels.slack;
    slack.faults().once(Fault::HangUp);
    sender.slack("chat.postMessage", &json!({"channel": "C1", "text": "lost"})).await.unwrap_err();
    slack.faults().once(Fault::AnswerLost);
    sender.slack("chat.postMessage", &json!({"channel": "C1", "text": "taken"})).await.unwrap_err();
    let texts: Vec<_> = slack.messages().into_iter().map(|message| message.text).collect();
    assert_eq!(texts, ["taken"]);
    assert!(slack.requests().iter().all(|request| request.status.is_none()));
    Ok(())
}

#[tokio::test]
async fn a_slow_answer_is_to_a_request_that_was_taken_at_once() -> Result<()> {
    let sender = Sender::start().await?;
    let time = Duration::from_millis(300);
    sender.channels.slack.faults().once(Fault::Slow(time));
    let (started, post) = (Instant::now(), json!({"channel": "C1", "text": "x"}));
    let (sent, seen) = tokio::join!(sender.slack("chat.postMessage", &post), async {
        sender.channels.slack.find(LIMIT, |message| message.text == "x").await.map(|_| started.elapsed())
    });
    assert!(seen? < time && started.elapsed() >= time);
    assert_eq!(sent?.status, 200);
    Ok(())
}

#[tokio::test]
async fn who_waits_for_nothing_is_told_what_there_is() -> Result<()> {
    let sender = Sender::start().await?;
    sender.slack("chat.postMessage", &json!({"channel": "C1", "text": "something else"})).await?;
    let none = sender.channels.slack.find(Duration::from_millis(10), |message| message.text == "x").await;
    assert!(format!("{:#}", none.unwrap_err()).contains("something else"));
    Ok(())
}

#[tokio::test]
async fn what_is_asked_of_nobody_is_a_violation() -> Result<()> {
    let sender = Sender::start().await?;
    let url = sender.channels.slack_answers() + "services/T1/B1/x";
    assert_eq!(sender.send("POST", url, &[], String::new()).await?.status, 404);
    assert_eq!(sender.slack_refuses("chat.delete", &json!({})).await?, "unknown_method");
    assert_eq!(sender.channels.violations().len(), 2);
    Ok(())
}

#[tokio::test]
async fn they_are_gone_when_dropped() -> Result<()> {
    let sender = Sender::start().await?;
    let address = sender.channels.slack_api();
    let address = address.trim_start_matches("http://").trim_end_matches("/api/").to_owned();
    tokio::net::TcpStream::connect(&address).await?;
    drop(sender);
    // The server's task ends when the runtime comes to it.
    tokio::task::yield_now().await;
    let refused = tokio::net::TcpStream::connect(&address).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    Ok(())
}
