//! Whoever isn't proved hears a status, and nothing else; and costs next to nothing.

use lambda_http::{Body, Request};
use serde_json::json;

use crate::harness::{
    Edges, JSON, NOW, SLACK, WEBHOOK, form, request, sample, secret_of, send, slack, teams, ticket, webhook,
};

/// What is taken, one for each way in.
fn good() -> Vec<Request> {
    let asks = json!({"action": "request", "requester": "a", "preset": "pypi", "justification": "pip"});
    let press = form(&[("payload", &sample("slack_block_actions").to_string())]);
    vec![
        webhook(WEBHOOK, &asks.to_string()),
        slack(SLACK, &press),
        teams(&sample("teams_message")),
        ticket("github", &sample("github_issues_opened").to_string()),
        ticket("jira", &sample("jira_issue_created").to_string()),
        ticket("servicenow", &sample("servicenow_inserted").to_string()),
        ticket("desk", &sample("desk_created").to_string()),
    ]
}

/// Sends all of them, changed, and nothing comes of it.
async fn hear(status: u16, change: impl Fn(&mut Request)) -> Edges {
    let edges = Edges::default();
    for mut request in good() {
        change(&mut request);
        let shown = format!("{request:?}");
        assert_eq!(edges.send(request).await, (status, String::new()), "{shown}");
    }
    assert!(edges.events().is_empty());
    edges
}

fn fetched(edges: &Edges) -> usize {
    *edges.fetched.lock().unwrap()
}

#[tokio::test]
async fn what_is_proved_is_taken() {
    for request in good() {
        let edges = Edges::default();
        let status = edges.send(request).await.0;
        assert!([200, 202].contains(&status), "{status}");
        edges.event();
    }
}

#[tokio::test]
async fn what_is_none_of_ours_is_refused_before_a_secret_is_fetched() {
    let paths = [
        "/",
        "/webhook/",
        "/Slack",
        "/teams/x",
        "/tickets",
        "/tickets/",
        "/tickets/zendesk",
        "/tickets/github/",
        "/tickets/%67ithub",
    ];
    for path in paths {
        let edges =
            hear(404, |request| *request.uri_mut() = format!("https://x{path}").parse().unwrap()).await;
        assert_eq!(fetched(&edges), 0);
    }
    let refused = [
        hear(405, |request| *request.method_mut() = "GET".parse().unwrap()).await,
        hear(415, |request| drop(request.headers_mut().remove("content-type"))).await,
        hear(415, |request| {
            drop(request.headers_mut().insert("content-type", "text/plain".parse().unwrap()));
        })
        .await,
        hear(413, |request| *request.body_mut() = Body::Text("x".repeat(1_000_001))).await,
        hear(401, |request| {
            let content_type = request.headers_mut().remove("content-type").unwrap();
            request.headers_mut().clear();
            request.headers_mut().insert("content-type", content_type);
        })
        .await,
    ];
    assert_eq!(refused.each_ref().map(fetched), [0; 5]);
}

#[tokio::test]
async fn a_405_names_the_method_that_is_taken() {
    let edges = Edges::default();
    let mut request = webhook(WEBHOOK, "{}");
    *request.method_mut() = "PUT".parse().unwrap();
    let response = edges.intake().handle(request, "2026-01-01T00:00:00Z".parse().unwrap()).await;
    assert_eq!(response.headers()["allow"], "POST");
}

#[tokio::test]
async fn a_body_that_was_changed_or_written_anew_is_nobody_s() {
    let keys = ["/tickets/servicenow", "/tickets/desk"];
    let edges = Edges::default();
    for request in good().into_iter().filter(|request| !keys.contains(&request.uri().path())) {
        let (parts, body) = request.into_parts();
        let text = String::from_utf8(body.to_vec()).unwrap();
        for other in [format!("{text} "), text.replacen('a', "A", 1)] {
            let request = Request::from_parts(parts.clone(), Body::Text(other));
            assert_eq!(edges.send(request).await, (401, String::new()));
        }
        let again = Request::from_parts(parts, Body::Binary(body.to_vec()));
        assert!(edges.send(again).await.0 < 300, "the same bytes, which came as base 64, are the same");
    }
}

#[tokio::test]
async fn a_secret_opens_no_way_but_its_own() {
    let edges = Edges::default();
    let body = sample("github_issues_opened").to_string();
    let mut request = ticket("github", &body);
    let signature = hex::encode(crate::harness::mac(secret_of("jira").as_bytes(), &body));
    request.headers_mut().insert("x-hub-signature-256", format!("sha256={signature}").parse().unwrap());
    assert_eq!(edges.send(request).await, (401, String::new()));
    let desk = sample("desk_created").to_string();
    let key = [("authorization", format!("Bearer {}", secret_of("servicenow")))];
    assert_eq!(edges.send(request_to_desk(&key, &desk)).await, (401, String::new()));
    let key = [("authorization", format!("Bearer {}", secret_of("desk")))];
    assert_eq!(edges.send(request_to_desk(&key, &desk)).await.0, 202);
}

fn request_to_desk(headers: &[(&str, String)], body: &str) -> Request {
    request("/tickets/desk", JSON, headers, body)
}

#[tokio::test]
async fn what_was_sent_five_minutes_ago_is_nobody_s_where_its_time_is_signed() {
    for (later, status) in [(301, 401), (-301, 401), (300, 200)] {
        let edges = Edges::default();
        let intake = edges.intake();
        for request in good().into_iter().take(3) {
            let (status_now, body) = send(&intake, request, NOW + later).await;
            assert_eq!(status_now == 401, status == 401, "{later}");
            assert!(status == 200 || body.is_empty());
        }
    }
}

#[tokio::test]
async fn while_a_secret_can_t_be_read_nobody_hears_why() {
    let edges = Edges::default();
    *edges.secrets_fail.lock().unwrap() = true;
    for request in good() {
        assert_eq!(edges.send(request).await, (503, String::new()));
    }
}

#[tokio::test]
async fn a_way_without_a_secret_isn_t_there() {
    let edges = Edges::default();
    let keys = || intake::Keys { slack: None, slack_token: None, teams: None, tickets: None, ..edges.keys() };
    let intake = intake::Intake::new(&edges, keys(), crate::harness::config("")).unwrap();
    for request in good().into_iter().skip(1) {
        assert_eq!(send(&intake, request, NOW).await, (404, String::new()));
    }
    let only_jira = intake::Keys { tickets: Some(edges.secret(r#"{"jira": "x"}"#)), ..keys() };
    let intake = intake::Intake::new(&edges, only_jira, crate::harness::config("")).unwrap();
    let body = sample("github_issues_opened").to_string();
    assert_eq!(send(&intake, ticket("github", &body), NOW).await, (401, String::new()));
}
