//! The ticket systems: comments, states, and what each refuses.

use anyhow::Result;
use serde_json::{Value, json};

use super::sender::{JSON, LIMIT, Sender};

const SYS_ID: &str = "9c573169c611228700193229fff72400";

fn document(text: &str) -> Value {
    let paragraph = json!({"type": "paragraph", "content": [{"type": "text", "text": text}]});
    json!({"version": 1, "type": "doc", "content": [paragraph]})
}

#[tokio::test]
async fn an_issue_of_github_is_commented_and_closed() -> Result<()> {
    let sender = Sender::start().await?;
    let issue = sender.channels.github_api() + "repos/octo/egress/issues/7";
    let comments = format!("{issue}/comments");
    let comment = json!({"body": "github.com is open"});
    assert_eq!(sender.ticket("github", "POST", comments.clone(), &comment).await?.status, 201);
    let change = json!({"state": "closed", "state_reason": "completed", "labels": ["egress"]});
    assert_eq!(sender.ticket("github", "PATCH", issue.clone(), &change).await?.status, 200);
    let is_closed = |state: Option<&str>| state == Some("closed");
    let github = &sender.channels.github;
    let ticket = github.find(LIMIT, "octo/egress#7", |ticket| is_closed(ticket.state.as_deref())).await?;
    assert_eq!(
        (ticket.comments[0].text.as_str(), ticket.reason.as_deref()),
        ("github.com is open", Some("completed"))
    );
    assert_eq!(ticket.labels, ["egress"]);
    sender.assert_nothing_forbidden();

    let unknown = sender.send("POST", comments.clone(), &[("user-agent", "x")], comment.to_string()).await?;
    assert_eq!(unknown.status, 401);
    let nameless =
        sender.send("POST", comments.clone(), &[("content-type", JSON)], comment.to_string()).await?;
    assert_eq!(nameless.status, 403);
    let forbidden = [
        ("POST", &comments, json!({"body": "x".repeat(65_537)})),
        ("POST", &comments, json!({"body": ""})),
        ("PATCH", &issue, json!({"state": "done"})),
        ("PATCH", &issue, json!({"state": "closed", "reason": "completed"})),
    ];
    for (method, url, body) in forbidden {
        assert_eq!(sender.ticket("github", method, url.clone(), &body).await?.status, 422);
    }
    assert_eq!(github.violations().len(), 5);
    Ok(())
}

#[tokio::test]
async fn an_issue_of_jira_takes_a_document_or_a_text_as_its_version_has_it() -> Result<()> {
    let sender = Sender::start().await?;
    let url = |version: u8, what: &str| {
        format!("{}rest/api/{version}/issue/EGR-1/{what}", sender.channels.jira_site())
    };
    let jira = async |version: u8, what: &str, body: Value| {
        sender.ticket("jira", "POST", url(version, what), &body).await.map(|came| came.status)
    };
    assert_eq!(jira(3, "comment", json!({"body": document("open")})).await?, 201);
    assert_eq!(jira(2, "comment", json!({"body": "closed"})).await?, 201);
    assert_eq!(jira(3, "transitions", json!({"transition": {"id": "31"}})).await?, 204);
    let ticket = sender.channels.jira.ticket("EGR-1");
    let texts: Vec<_> = ticket.comments.iter().map(|comment| comment.text.as_str()).collect();
    assert_eq!((texts, ticket.state.as_deref()), (vec!["open", "closed"], Some("31")));
    sender.assert_nothing_forbidden();

    let mut second = document("x");
    second["version"] = json!(2);
    let bare = json!({"version": 1, "type": "doc", "content": [{"type": "text", "text": "x"}]});
    let forbidden = [
        (2, json!({"body": document("x")})),
        (3, json!({"body": "x"})),
        (3, json!({"body": document("")})),
        (3, json!({"body": document(&"x".repeat(32_768))})),
        (3, json!({"body": second})),
        (3, json!({"body": bare})),
    ];
    for (version, body) in forbidden {
        assert_eq!(jira(version, "comment", body).await?, 400);
    }
    assert_eq!(jira(3, "transitions", json!({"transition": {"name": "Done"}})).await?, 400);
    insta::assert_json_snapshot!(sender.channels.jira.violations());
    Ok(())
}

#[tokio::test]
async fn a_record_of_servicenow_keeps_comments_and_work_notes_apart() -> Result<()> {
    let sender = Sender::start().await?;
    let url = format!("{}api/now/table/incident/{SYS_ID}", sender.channels.servicenow_instance());
    let change = json!({"comments": "open", "work_notes": "approved by bob", "state": "6"});
    let came = sender.ticket("servicenow", "PATCH", url.clone(), &change).await?;
    assert_eq!((came.status, &came.body["result"]["state"]), (200, &json!("6")));
    let ticket = sender.channels.servicenow.ticket(&format!("incident/{SYS_ID}"));
    let internal: Vec<_> = ticket.comments.iter().map(|comment| comment.internal).collect();
    assert_eq!((internal, ticket.state.as_deref()), (vec![false, true], Some("6")));
    sender.assert_nothing_forbidden();
    assert_eq!(sender.ticket("servicenow", "PATCH", url, &json!({"comment": "x"})).await?.status, 400);
    assert_eq!(sender.channels.violations().len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_desk_of_no_vendor_takes_a_text_and_a_state() -> Result<()> {
    let sender = Sender::start().await?;
    let url = sender.channels.desk_url() + "tickets/4711/messages";
    let message = json!({"text": "open", "state": "solved"});
    assert_eq!(sender.ticket("desk", "POST", url.clone(), &message).await?.status, 201);
    assert_eq!(sender.ticket("github", "POST", url.clone(), &message).await?.status, 401);
    let ticket = sender.channels.desk.ticket("4711");
    assert_eq!((ticket.comments.len(), ticket.state.as_deref()), (1, Some("solved")));
    sender.assert_nothing_forbidden();
    assert_eq!(sender.ticket("desk", "POST", url, &json!({"message": "x"})).await?.status, 400);
    assert_eq!(sender.channels.violations().len(), 1);
    Ok(())
}
