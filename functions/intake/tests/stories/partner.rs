//! What becomes of a partner's events.

use intake::partner::{Partner, PartnerError};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::harness::{Edges, NOW, config, sample};

/// An event as EventBridge delivers it.
fn event(detail: &Value) -> Value {
    json!({
        "version": "0", "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718", "detail-type": "ticket",
        "source": "aws.partner/desk.example.com/123/tickets", "account": "111122223333", "time": "2026-01-01T00:00:00Z",
        "region": "eu-west-1", "resources": [], "detail": detail,
    })
}

async fn hear(edges: &Edges, adapter: &str, event: Value) -> Result<(), PartnerError> {
    let partner = Partner::new(edges, config(""), adapter).unwrap();
    partner.handle(event, Timestamp::from_second(NOW).unwrap()).await
}

#[tokio::test]
async fn an_event_is_read_as_a_webhook_of_the_same_system_is() {
    for (adapter, name) in
        [("desk", "desk_created"), ("desk", "desk_comment"), ("servicenow", "servicenow_updated")]
    {
        let (edges, webhooks) = (Edges::default(), Edges::default());
        hear(&edges, adapter, event(&sample(name))).await.unwrap();
        webhooks.send(crate::harness::ticket(adapter, &sample(name).to_string())).await;
        assert_eq!(edges.event(), webhooks.event());
    }
}

#[tokio::test]
async fn where_the_adapter_has_no_id_the_event_s_own_makes_the_message() {
    let edges = Edges::default();
    hear(&edges, "jira", event(&sample("jira_issue_updated"))).await.unwrap();
    assert_eq!(edges.event()["detail"]["message_key"], "jira:message:6a7e8feb-b491-4cf7-a9f1-bf3703467718");
}

#[tokio::test]
async fn what_concerns_no_request_is_nothing() {
    let edges = Edges::default();
    hear(&edges, "desk", event(&json!({"kind": "ticket.viewed"}))).await.unwrap();
    assert!(edges.events().is_empty());
}

#[tokio::test]
async fn what_can_t_be_read_or_published_is_an_error_that_says_why() {
    let edges = Edges::default();
    let mut no_author = sample("desk_created");
    no_author["ticket"]["author"] = json!({});
    let mut errors = Vec::new();
    for event in [json!({}), json!({"id": "x"}), json!({"id": 5, "detail": {}}), event(&no_author)] {
        errors.push(hear(&edges, "desk", event).await.unwrap_err().to_string());
    }
    *edges.bus_fails.lock().unwrap() = true;
    errors.push(hear(&edges, "desk", event(&sample("desk_created"))).await.unwrap_err().to_string());
    assert!(edges.events().is_empty());
    insta::assert_snapshot!(errors.join("\n"), @r"
    missing field `id`
    missing field `detail`
    id: invalid type: integer `5`, expected a string
    there is nothing at request.requester ($.ticket.author.email)
    publishing failed: throttled
    ");
}

#[test]
fn an_adapter_that_isn_t_there_keeps_the_function_from_starting() {
    let edges = Edges::default();
    let error = Partner::new(&edges, config(""), "zendesk").unwrap_err().to_string();
    assert_eq!(error, "PARTNER_ADAPTER is \"zendesk\", which is no adapter of egress.toml");
}
