//! What becomes of what ticket systems send, read by the adapters that are shipped.

use intake::Intake;
use serde_json::{Value, json};

use crate::harness::{Edges, config, sample, ticket};

/// A message of a ticket system's, as it is taken.
async fn take(adapter: &str, body: &Value) -> (u16, String, Vec<Value>) {
    let edges = Edges::default();
    let (status, answer) = edges.send(ticket(adapter, &body.to_string())).await;
    (status, answer, edges.events())
}

/// The one event that comes of a body.
async fn event(adapter: &str, body: &Value) -> Value {
    let (status, answer, events) = take(adapter, body).await;
    let [event] = events.as_slice() else { panic!("{status} {answer} {events:?}") };
    assert_eq!(status, 202);
    event.clone()
}

/// What is told on the ticket because a body can't be taken.
async fn told(adapter: &str, body: &Value) -> String {
    let event = event(adapter, body).await;
    assert_eq!(event["detail-type"], "CommandNotTaken", "{event}");
    event["detail"]["reason"].as_str().unwrap().to_owned()
}

/// A comment on the issue, by Bob or somebody else.
fn comment(by: u64, text: &str) -> Value {
    let mut body = sample("github_issue_comment_created");
    body["comment"]["user"]["id"] = json!(by);
    body["comment"]["body"] = json!(text);
    body
}

const ALICE: u64 = 583_231;
const BOB: u64 = 480_938;

/// What ticket systems send that asks or decides, each named by its adapter.
pub(crate) const SAMPLES: [&str; 10] = [
    "github_issues_opened",
    "github_issues_closed",
    "github_issue_comment_created",
    "jira_issue_created",
    "jira_issue_updated",
    "jira_comment_created",
    "servicenow_inserted",
    "servicenow_updated",
    "desk_created",
    "desk_comment",
];

#[tokio::test]
async fn what_systems_send_becomes_the_event_that_it_is() {
    let mut all = Vec::new();
    for name in SAMPLES {
        let (adapter, _) = name.split_once('_').unwrap();
        let (status, answer, events) = take(adapter, &sample(name)).await;
        let [event] = events.as_slice() else { panic!("{status} {answer} {events:?}") };
        let shown = serde_json::to_string_pretty(event).unwrap();
        all.push(format!("{name}: {status} {answer}\n{shown}\n"));
    }
    insta::assert_snapshot!(all.join("\n"));
}

#[tokio::test]
async fn what_concerns_no_request_is_well_received() {
    let mut unlabelled = sample("github_issues_opened");
    unlabelled["issue"]["labels"] = json!([]);
    let mut edited = sample("github_issue_comment_created");
    edited["action"] = json!("edited");
    let mut moved = sample("jira_issue_updated");
    moved["changelog"]["items"][1]["toString"] = json!("In Progress");
    for (adapter, body) in [
        ("github", sample("github_ping")),
        ("github", unlabelled),
        ("github", edited),
        ("github", comment(BOB, "I would not /approve this")),
        ("github", comment(1, "/assign bob")),
        ("github", comment(1, "Open: github.com\nfor octocat, until tomorrow")),
        ("jira", moved),
        ("desk", json!({})),
        ("desk", json!([])),
    ] {
        assert_eq!(take(adapter, &body).await, (200, String::new(), Vec::new()), "{body}");
    }
}

#[tokio::test]
async fn a_delivery_that_comes_again_is_the_same_message_and_another_one_is_another() {
    let edges = Edges::default();
    let body = sample("github_issue_comment_created").to_string();
    let mut again = ticket("github", &body);
    again.headers_mut().insert("x-github-delivery", "another".parse().unwrap());
    edges.send(ticket("github", &body)).await;
    edges.send(again).await;
    let mut other = sample("github_issue_comment_created");
    other["comment"]["id"] = json!(2_412_345_679_u64);
    edges.send(ticket("github", &other.to_string())).await;
    let keys: Vec<String> =
        edges.events().iter().map(|event| event["detail"]["message_key"].to_string()).collect();
    assert!(keys[0] == keys[1] && keys[1] != keys[2], "{keys:?}");
}

#[tokio::test]
async fn a_command_on_a_ticket_is_about_its_own_request_or_the_one_it_names() {
    let own = egress::adapter::request_of("github", "example/studio-egress#7");
    let mut all = Vec::new();
    for text in [
        "/approve",
        "/deny not now",
        "/extend for 2d because not done",
        "/revoke because done",
        "/withdraw",
        "/silence pypi.org for 2h",
        "/status",
        "/egress status req-0123456789ab",
        "/approve req-0123456789ab the extension",
        "/list pending",
        "/why github.com",
        "/request .example.com because more",
    ] {
        let event = event("github", &comment(BOB, text)).await;
        let mut detail = event["detail"].clone();
        assert_eq!(detail["reply_to"], json!({"via": "github", "to": "example/studio-egress#7"}));
        for field in ["version", "message_key", "reply_to"] {
            detail.as_object_mut().unwrap().remove(field);
        }
        let shown = detail.to_string().replace(own.as_str(), "(own)");
        all.push(format!("{text}\n    {} {shown}", event["detail-type"].as_str().unwrap()));
    }
    insta::assert_snapshot!(all.join("\n"));
}

#[tokio::test]
async fn what_can_t_be_taken_is_told_on_the_ticket() {
    let form = |domains: &str, duration: &str| {
        let mut body = sample("github_issues_opened");
        body["issue"]["body"] =
            json!(format!("### Domains\n{domains}\n### Why\nI need it\n### For how long\n{duration}"));
        body
    };
    let mut stranger = sample("github_issues_opened");
    stranger["sender"]["id"] = json!(1);
    stranger["issue"]["user"]["id"] = json!(1);
    let all = [
        told("github", &form("github.com 10.0.0.1, x.ngrok.io", "2d")).await,
        told("github", &form("10.0.0.1", "2d")).await,
        told("github", &form("github.com", "soon")).await,
        told("github", &form("", "2d")).await,
        told("github", &stranger).await,
        told("github", &comment(1, "/approve")).await,
        told("github", &comment(BOB, "/egress open it")).await,
        told("github", &comment(BOB, "/withdraw it")).await,
        told("github", &comment(ALICE, "/request 10.0.0.1 github.com because x")).await,
        told("github", &comment(BOB, &format!("/deny {}", "x".repeat(2_001)))).await,
        told("github", &comment(1, "/help")).await,
    ];
    insta::assert_snapshot!(all.join("\n\n"));
    insta::assert_json_snapshot!(event("github", &stranger).await);
}

#[tokio::test]
async fn who_leaves_out_why_is_told_so() {
    let mut body = sample("github_issues_opened");
    body["issue"]["body"] = json!("### Domains\ngithub.com");
    assert!(told("github", &body).await.contains("justification is empty"));
}

#[tokio::test]
async fn who_has_another_id_in_a_system_is_the_same_person() {
    let mut body = sample("servicenow_updated");
    body["approver"] = json!("bob@corp.example");
    assert_eq!(event("servicenow", &body).await["detail"]["approver"], "bob@example.com");
}

#[tokio::test]
async fn who_isn_t_known_can_close_what_they_can() {
    let mut body = sample("github_issues_closed");
    body["sender"]["id"] = json!(1);
    let closes = event("github", &body).await;
    assert_eq!(
        (&closes["detail-type"], &closes["detail"]["by"]),
        (&json!("TicketClosed"), &json!("github:1"))
    );
}

#[tokio::test]
async fn where_a_system_proves_its_people_they_are_who_it_says() {
    let event = event("servicenow", &sample("servicenow_updated")).await;
    assert_eq!(event["detail"]["approver"], "bob@example.com");
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let without = |name: &str, pointer: &str| {
        let mut body = sample(name);
        *body.pointer_mut(pointer).unwrap() = json!(null);
        body
    };
    let mut all = Vec::new();
    for (adapter, body) in [
        ("jira", without("jira_issue_created", "/issue/fields/creator")),
        ("github", without("github_issues_opened", "/issue/number")),
        ("github", without("github_issue_comment_created", "/comment/user")),
        ("jira", without("jira_issue_updated", "/user")),
        ("jira", without("jira_issue_created", "/issue/key")),
        ("servicenow", without("servicenow_updated", "/sys_id")),
        ("desk", without("desk_comment", "/event_id")),
        (
            "desk",
            json!({"kind": "ticket.created", "ticket": {"id": "a\nb", "author": {"email": "a"}, "fields": {"reason": "x"}}}),
        ),
    ] {
        let (status, answer, events) = take(adapter, &body).await;
        assert!(status == 400 && events.is_empty());
        all.push(answer);
    }
    let mut long = sample("desk_comment");
    long["event_id"] = json!("x".repeat(201));
    all.push(take("desk", &long).await.1);
    let edges = Edges::default();
    all.push(edges.send(ticket("desk", "{")).await.1);
    insta::assert_snapshot!(all.join("\n"));
}

#[tokio::test]
async fn a_system_sends_again_what_could_not_be_taken() {
    let edges = Edges::default();
    *edges.bus_fails.lock().unwrap() = true;
    let (status, _) = edges.send(ticket("jira", &sample("jira_issue_created").to_string())).await;
    assert_eq!(status, 503);
}

#[tokio::test]
async fn an_adapter_that_can_t_be_read_keeps_the_function_from_starting() {
    let wrong = |more: &str| {
        let edges = Edges::default();
        let error = Intake::new(&edges, edges.keys(), config(more)).unwrap_err().to_string();
        error.lines().next().unwrap_or_default().to_owned()
    };
    let path = wrong("[adapters.mine]\nticket = \"key\"");
    assert!(path.starts_with("adapters.mine.ticket: \"key\" is no JSONPath"), "{path}");
    let header = wrong("[adapters.mine]\nticket = \"$.key\"\nproof = { key = { header = \"x key\" } }");
    assert_eq!(header, "adapters.mine.proof: \"x key\" is no header's name");
}

#[tokio::test]
async fn an_adapter_of_a_partner_bus_alone_has_no_way_in() {
    let edges = Edges::default();
    let intake = Intake::new(&edges, edges.keys(), config("[adapters.mine]\nticket = \"$.key\"")).unwrap();
    let mut request = ticket("desk", "{}");
    *request.uri_mut() = "https://x/tickets/mine".parse().unwrap();
    let answer = crate::harness::send(&intake, request, crate::harness::NOW).await;
    assert_eq!(answer, (404, String::new()));
}
