//! Calls of other systems.

use std::time::Duration;

use egress::web::{Method, StatusCode, Web};
use serde_json::json;

use crate::stand_in::{Reply, StandIn};

async fn called(reply: Reply) -> (String, usize) {
    let there = StandIn::start().await;
    there.will([reply]);
    let web = Web::new(Duration::from_secs(10));
    let answer = web.send(Method::POST, &format!("{}secret", there.url), &[], b"{}".to_vec()).await;
    let said = match answer {
        Ok(answer) => format!("{} {:?}", answer.status, answer.retry_after),
        Err(error) => error.to_string(),
    };
    let calls = there.calls.get().len();
    assert!(!said.contains("secret"), "{said}");
    (said, calls)
}

#[tokio::test]
async fn an_answer_is_what_it_is() {
    assert_eq!(called(Reply::After(429, "3")).await, ("429 Too Many Requests Some(3s)".to_owned(), 1));
    assert_eq!(called(Reply::Text(299, "")).await.0, format!("{} None", StatusCode::from_u16(299).unwrap()));
}

#[tokio::test]
async fn a_redirection_is_not_followed() {
    assert_eq!(called(Reply::Text(307, "http://127.0.0.1:1/")).await.0, "307 Temporary Redirect None");
}

#[tokio::test]
async fn an_endless_answer_is_not_read_to_its_end() {
    let endless = Reply::Json(200, json!("x".repeat(300_000)));
    assert_eq!(called(endless).await.0, "the answer, 200 OK, has more than 262144 bytes");
}

#[tokio::test]
async fn who_hangs_up_is_heard() {
    let (said, _) = called(Reply::HangUp).await;
    assert!(said.starts_with("the call failed: "), "{said}");
}
