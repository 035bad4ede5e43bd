//! Tickets, both ways; and a request's whole story as each of the channels has it.

use anyhow::{Context, ensure};
use egress::adapter::request_of;
use egress::request::{Ending, RequestId, StateName};
use egress::slack::APPROVE;
use serde_json::{Value, json};
use tests::channels::slack::Message;
use tests::channels::teams::Tenant;
use tests::channels::tickets::Tickets;
use tests::channels::{Seen, StandIn};
use tests::stage::{Deployed, Stage, TEAMS_CHANNEL};

use crate::LIMIT;
use crate::chats::{A_MINUTE_AND_MORE, in_slack};

const REPOSITORY: &str = "example/studio-egress";

/// An event of an issue with the label and the form that the adapter knows.
fn issue(action: &str, number: u64, domain: &str, more: Value) -> Value {
    let form = format!(
        "### Domains\n\n{domain}\n\n### Preset\n\n_No response_\n\n### Why\n\na story\n\n### For how long\n\n1m"
    );
    let mut body = json!({
        "action": action, "repository": {"full_name": REPOSITORY}, "sender": {"id": 102, "login": "dora", "type": "User"},
        "issue": {"number": number, "state": "open", "labels": [{"name": "egress"}], "user": {"id": 102, "login": "dora"}, "body": form},
    });
    if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
        body.extend(more);
    }
    body
}

/// A request of an issue, from its asking to its end; its id. What the channels have of it is looked at afterwards.
pub(crate) async fn an_issue_s_request_runs_its_whole_way(
    stage: &Stage,
    deployed: &Deployed,
) -> anyhow::Result<RequestId> {
    let opened = issue("opened", 7, "whole-story.example.org", json!({}));
    let answer = deployed.senders.github("issues", &opened).await?;
    ensure!(answer.status == 202, "{answer:?}");
    // Delivered again, it is the same.
    deployed.senders.github("issues", &opened).await?;
    let id = request_of("github", &format!("{REPOSITORY}#7"));
    let pending = deployed.until(&id, StateName::Pending).await?;
    assert_eq!(pending.requester, "dora@example.com");
    in_slack(stage, &id).await?;
    deployed.slack.presses_with("U0B0B", APPROVE, id.as_str(), "for a minute", "whole-story").await?;
    deployed.until(&id, StateName::Active).await?;
    let ended = deployed.until_within(A_MINUTE_AND_MORE, &id, StateName::Ended).await?;
    assert_eq!(ended.ending, Some(Ending::Expired));
    Ok(id)
}

/// Asked, pending, approved, active, expired: in Slack, Teams, Amazon Q's topic, mail, and on the ticket.
pub(crate) async fn every_channel_has_heard_the_whole_story(
    stage: &Stage,
    deployed: &mut Deployed,
    id: &RequestId,
) -> anyhow::Result<()> {
    let channels = &stage.channels;
    // The one message was edited to its end, has no buttons, and has its history in its thread.
    let posted = in_slack(stage, id).await?;
    let thread = channels.slack.until(LIMIT, |seen| {
        let thread = seen.now.thread(&posted.channel, &posted.ts);
        (thread.len() >= 3).then(|| thread.into_iter().map(Message::shown).collect::<Vec<_>>())
    });
    let thread = thread.await?.join("\n");
    for said in ["bob@example.com", "for a minute"] {
        assert!(thread.contains(said), "{said}: {thread}");
    }
    let is_over = |shown: &str| shown.to_lowercase().contains("expired");
    let last =
        channels.slack.find(LIMIT, |message| message.ts == posted.ts && is_over(&message.shown())).await?;
    assert!(last.buttons().is_empty() && last.edits >= 3, "{last:?}");

    let is_it = |message: &tests::channels::teams::Message| {
        message.channel == TEAMS_CHANNEL && message.thread.is_none() && message.shown().contains(id.as_str())
    };
    let card = channels.teams.find(LIMIT, |message| is_it(message) && is_over(&message.shown())).await?;
    assert!(card.edits >= 3, "{card:?}");
    let enough = |seen: &Seen<Tenant>| (seen.now.thread(&card.channel, &card.id).len() >= 3).then_some(());
    channels.teams.until(LIMIT, enough).await?;

    let ticket = format!("{REPOSITORY}#7");
    let closed =
        channels.github.find(LIMIT, &ticket, |ticket| ticket.state.as_deref() == Some("closed")).await?;
    assert!(closed.comments.len() >= 4, "{closed:?}");
    assert!(!closed.comments.iter().any(|comment| comment.text.starts_with('/')));

    for subject in ["To decide", "Approved", "Open", "Expired"] {
        deployed
            .inbox
            .find(LIMIT, |mail| mail.subject.starts_with(subject) && mail.subject.contains(id.as_str()))
            .await?;
        let in_thread = |text: &str| {
            let notification: Value = serde_json::from_str(text).unwrap_or_default();
            notification["metadata"]["threadId"] == id.as_str()
                && notification["content"]["title"].as_str().is_some_and(|title| title.contains(subject))
        };
        deployed.chat.find(LIMIT, |message| in_thread(&message.text)).await?;
    }
    Ok(())
}

/// An issue with a bad domain is answered and asks for nothing; its commands, and its closing.
pub(crate) async fn an_issue_is_talked_to_and_closed_early(
    stage: &Stage,
    deployed: &Deployed,
) -> anyhow::Result<()> {
    let github = &stage.channels.github;
    let (ticket, id) = (format!("{REPOSITORY}#8"), request_of("github", &format!("{REPOSITORY}#8")));
    let comment = |who: u64, text: &str| {
        let comment =
            json!({"comment": {"body": text, "user": {"id": who}}, "sender": {"id": who, "type": "User"}});
        issue("created", 8, "talked.example.org", comment)
    };
    deployed
        .senders
        .github("issues", &issue("opened", 8, "talked.example.org *.github.io", json!({})))
        .await?;
    let said = |text: &'static str| {
        move |ticket: &tests::channels::tickets::Ticket| {
            ticket.comments.iter().any(|comment| comment.text.contains(text))
        }
    };
    github.find(LIMIT, &ticket, said("public suffix")).await?;

    deployed.senders.github("issues", &issue("edited", 8, "talked.example.org", json!({}))).await?;
    deployed.until(&id, StateName::Pending).await?;
    deployed.senders.github("issue_comment", &comment(103, "LGTM")).await?;
    deployed.senders.github("issue_comment", &comment(103, "/approve read only")).await?;
    deployed.until(&id, StateName::Active).await?;
    let mut closed = issue("closed", 8, "talked.example.org", json!({}));
    closed["issue"]["state"] = json!("closed");
    deployed.senders.github("issues", &closed).await?;
    let ended = deployed.until(&id, StateName::Ended).await?;
    assert_eq!(ended.ending, Some(Ending::Revoked));
    deployed.without(id.as_str()).await
}

/// Jira, `ServiceNow` and the desk: asked by a ticket, approved by its state, told on it.
pub(crate) async fn tickets_of_other_systems_are_decided_by_their_states(
    stage: &Stage,
    deployed: &Deployed,
) -> anyhow::Result<()> {
    let (channels, senders) = (&stage.channels, &deployed.senders);
    let fields = json!({
        "project": {"key": "EGRESS"}, "creator": {"accountId": "acc-dora"}, "customfield_10050": "jira.example.org",
        "description": "a story", "customfield_10052": "1h", "status": {"name": "Open"},
    });
    let created =
        json!({"webhookEvent": "jira:issue_created", "issue": {"key": "EGRESS-1", "fields": fields}});
    let status = json!([{"fieldId": "status", "fromString": "Open", "toString": "Approved"}]);
    let approved = json!({
        "webhookEvent": "jira:issue_updated", "user": {"accountId": "acc-bob"}, "changelog": {"items": status},
        "issue": {"key": "EGRESS-1", "fields": fields},
    });
    senders.jira(&created).await?;
    let jira = request_of("jira", "EGRESS-1");
    deployed.until(&jira, StateName::Pending).await?;
    senders.jira(&approved).await?;

    let record =
        json!({"number": "RITM001", "sys_id": "9d385017c611228701d22104cc95c371", "sys_mod_count": 0});
    let with = |more: Value| {
        let mut body = record.clone();
        if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
            body.extend(more);
        }
        body
    };
    let asks = json!({"event": "inserted", "opened_by": "dora@example.com", "domains": "servicenow.example.org", "justification": "a story", "duration": "1h"});
    senders.servicenow(&with(asks)).await?;
    let servicenow = request_of("servicenow", "RITM001#9d385017c611228701d22104cc95c371");
    deployed.until(&servicenow, StateName::Pending).await?;
    senders.servicenow(&with(json!({"event": "updated", "approval": "approved", "approver": "bob@example.com", "sys_mod_count": 1}))).await?;

    // The desk's first event comes by a partner's bus, its second by a webhook.
    let author = json!({"email": "dora@example.com"});
    stage
        .partner_says(&json!({"kind": "ticket.created", "event_id": "e1", "ticket": {
            "id": "DESK-1", "author": author, "fields": {"domains": ["desk.example.org"], "reason": "a story", "duration": "1h"}}}))
        .await?;
    deployed.has_said("intake-partner", &["accepted"]).await?;
    let desk = request_of("desk", "DESK-1");
    deployed.until(&desk, StateName::Pending).await?;
    let actor = json!({"email": "bob@example.com"});
    senders
        .desk(&json!({"kind": "ticket.state", "event_id": "e2", "actor": actor, "ticket": {"id": "DESK-1", "state": "approved"}}))
        .await?;

    for id in [&jira, &servicenow, &desk] {
        deployed.until(id, StateName::Active).await?;
    }
    is_told(&channels.jira, "EGRESS-1", &jira, Some("31")).await?;
    is_told(&channels.servicenow, "sc_req_item/9d385017c611228701d22104cc95c371", &servicenow, Some("3"))
        .await?;
    is_told(&channels.desk, "DESK-1", &desk, Some("active")).await
}

/// A ticket has comments for pending, approved and active, and was brought into a state.
async fn is_told(
    system: &StandIn<Tickets>,
    key: &str,
    id: &RequestId,
    state: Option<&str>,
) -> anyhow::Result<()> {
    let ticket = system
        .find(LIMIT, key, |ticket| ticket.comments.len() >= 3 && ticket.state.as_deref() == state)
        .await
        .with_context(|| format!("the ticket {key}"))?;
    ensure!(ticket.comments.iter().any(|comment| comment.text.contains(id.as_str())), "{ticket:?}");
    Ok(())
}
