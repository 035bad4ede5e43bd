//! Chats, both ways: what somebody types or presses, and what stands there afterwards.

use std::time::Duration;

use anyhow::{Context, ensure};
use egress::request::{RequestId, StateName};
use egress::slack::{APPROVE, DENY, WITHDRAW};
use serde_json::{Value, json};
use tests::channels::Fault;
use tests::channels::slack::Message;
use tests::stage::{Deployed, SLACK_CHANNEL, Stage, TEAMS_CHANNEL};
use tests::webhook::Answer;

use crate::LIMIT;

/// Somebody fills in the dialog, is told what is wrong, and takes back what they have asked for.
pub(crate) async fn somebody_asks_in_a_dialog_and_takes_it_back(
    stage: &Stage,
    deployed: &Deployed,
) -> anyhow::Result<()> {
    assert_eq!(deployed.slack.types("U0D0RA", "request", "dialog-1").await?.status, 200);
    let view = stage
        .channels
        .slack
        .until(LIMIT, |seen| seen.now.views.iter().find(|view| view.trigger_id == "dialog-1").cloned())
        .await?;

    let wrong = deployed.slack.submits(
        "U0D0RA",
        &view,
        &[("domains", "*.github.io ok.example.org"), ("because", "x")],
    );
    let wrong = wrong.await?.body;
    assert_eq!(wrong["response_action"], "errors");
    assert!(
        wrong["errors"]["domains"].as_str().is_some_and(|text| text.contains("public suffix")),
        "{wrong}"
    );

    let fields = [("domains", "in-a-dialog.example.org"), ("duration", "2h"), ("because", "a story")];
    let sent = deployed.slack.submits("U0D0RA", &view, &fields).await?;
    assert_eq!((sent.status, sent.body), (200, Value::Null));
    let direct = direct_message(stage, "U0D0RA", "in-a-dialog.example.org").await?;
    let [withdraw] = direct.buttons().try_into().map_err(|buttons| anyhow::anyhow!("{buttons:?}"))?;
    assert_eq!(withdraw.action_id, WITHDRAW);
    let id = RequestId::try_from(withdraw.value)?;
    let pending = deployed.until(&id, StateName::Pending).await?;
    assert_eq!((pending.requester.as_str(), pending.duration_seconds), ("dora@example.com", 7_200));

    deployed.slack.presses("U0D0RA", WITHDRAW, id.as_str(), "dialog-2").await?;
    deployed.until(&id, StateName::Withdrawn).await?;
    let decided = |message: &Message| message.ts == direct.ts && message.buttons().is_empty();
    stage.channels.slack.find(LIMIT, decided).await?;
    Ok(())
}

/// An approver presses a button with a comment; a stranger's press does nothing, and they are told why.
pub(crate) async fn an_approver_presses_a_button_and_a_stranger_can_t(
    stage: &Stage,
    deployed: &Deployed,
) -> anyhow::Result<()> {
    let forged = deployed.slack.with_secret("not the secret").types("U0D0RA", "help", "0").await?;
    assert_eq!((forged.status, forged.body), (401, Value::Null));
    let answer =
        deployed.slack.types("U0D0RA", "request in-slack.example.org for 1h because a story", "button-1");
    let id = id_in(&answer.await?)?;
    let pending = deployed.until(&id, StateName::Pending).await?;
    assert_eq!(pending.requester, "dora@example.com");
    let posted = in_slack(stage, &id).await?;
    let actions: Vec<String> = posted.buttons().into_iter().map(|button| button.action_id).collect();
    assert_eq!(actions, [APPROVE, DENY]);

    deployed.slack.presses("U0STRANGER", APPROVE, id.as_str(), "button-2").await?;
    let path = "/actions/T1/button-2/x";
    let told = stage
        .channels
        .answers
        .until(LIMIT, |seen| seen.now.at(path).filter(|answer| answer.uses > 0).cloned());
    let told = told.await?;
    assert!(told.shown[0].text.contains("U0STRANGER") || !told.shown[0].blocks.is_empty(), "{told:?}");
    assert_eq!(deployed.until(&id, StateName::Pending).await?.approvals.len(), 0);

    deployed.slack.presses_with("U0B0B", APPROVE, id.as_str(), "fine by me", "button-3").await?;
    let active = deployed.until(&id, StateName::Active).await?;
    assert_eq!(active.approvals[0].by, "bob@example.com");
    let thread = |message: &Message| {
        message.thread.as_deref() == Some(&posted.ts) && message.shown().contains("fine by me")
    };
    stage.channels.slack.find(LIMIT, thread).await?;
    Ok(())
}

/// Who asks something is answered where they asked, and nowhere else.
pub(crate) async fn a_question_is_answered_to_who_asked(
    stage: &Stage,
    deployed: &Deployed,
) -> anyhow::Result<()> {
    deployed.slack.types("U0ALICE", "why why-in-slack.example.org", "question-1").await?;
    let path = "/commands/T1/question-1/x";
    let answer = stage
        .channels
        .answers
        .until(LIMIT, |seen| seen.now.at(path).filter(|answer| answer.uses > 0).cloned());
    let said = answer.await?.shown.pop().context("an answer was posted")?;
    ensure!(
        !said.to_all && format!("{} {:?}", said.text, said.blocks).contains("why-in-slack.example.org"),
        "{said:?}"
    );
    let elsewhere = stage.channels.slack.messages();
    assert!(!elsewhere.iter().any(|message| message.shown().contains("why-in-slack.example.org")));
    Ok(())
}

/// Dora asks in Teams, Bob approves there; the one message about it is edited.
pub(crate) async fn somebody_asks_and_somebody_approves_in_teams(
    stage: &Stage,
    deployed: &Deployed,
) -> anyhow::Result<()> {
    let (dora, bob) = ("00000000-0000-0000-0000-00000000d0a0", "00000000-0000-0000-0000-000000000b0b");
    let says = async |who: &str, text: &str| {
        let id = stage.channels.teams.person_writes(TEAMS_CHANNEL, text);
        deployed.senders.teams(who, TEAMS_CHANNEL, &id, text).await
    };
    let id = id_in(&says(dora, "request in-teams.example.org for 1h because a story").await?)?;
    let pending = deployed.until(&id, StateName::Pending).await?;
    assert_eq!(pending.requester, "dora@example.com");
    says(bob, &format!("approve {id} fine")).await?;
    deployed.until(&id, StateName::Active).await?;
    let is_it = |message: &tests::channels::teams::Message| {
        message.thread.is_none() && message.edits >= 2 && message.shown().contains(id.as_str())
    };
    stage.channels.teams.find(LIMIT, is_it).await?;
    // In the conversation in which it was asked, too.
    let asked = |message: &tests::channels::teams::Message| {
        message.thread.is_some() && message.shown().contains("in-teams.example.org")
    };
    stage.channels.teams.find(LIMIT, asked).await?;
    Ok(())
}

/// Slack fails in every way; the others hear all the same, and Slack hears each thing once when it is well again.
pub(crate) async fn a_broken_destination_holds_up_no_other(
    stage: &Stage,
    deployed: &Deployed,
) -> anyhow::Result<()> {
    let faults = stage.channels.slack.faults();
    for fault in [Fault::Status(500), Fault::HangUp, Fault::TooMany { retry_after: 1 }] {
        faults.once(fault);
    }
    let id = deployed.send("broken-1", &crate::asks("broken.example.org")).await?;
    deployed.until(&id, StateName::Pending).await?;
    stage.channels.teams.find(LIMIT, |message| message.shown().contains(id.as_str())).await?;
    let posted =
        stage.channels.slack.find(2 * LIMIT, |message| message.shown().contains(id.as_str())).await?;
    assert_eq!((faults.left(), posted.channel.as_str()), (0, SLACK_CHANNEL));
    let messages = stage.channels.slack.messages();
    let about: Vec<&Message> =
        messages.iter().filter(|message| message.shown().contains(id.as_str())).collect();
    assert_eq!(about.len(), 1, "{about:#?}");
    Ok(())
}

/// What can't be delivered for good lies in the dead letters, until an operator sends it again.
pub(crate) async fn what_fails_for_good_is_sent_again_by_an_operator(
    stage: &Stage,
    deployed: &Deployed,
) -> anyhow::Result<()> {
    let faults = stage.channels.slack.faults();
    faults.always(Fault::Answer { status: 200, body: json!({"ok": false, "error": "invalid_auth"}) });
    let id = deployed.send("dead-1", &crate::asks("dead.example.org")).await?;
    deployed.until(&id, StateName::Pending).await?;
    deployed.has_said("notify-slack", &["invalid_auth"]).await?;
    stage.dead_letters("notify-slack", true).await?;
    faults.clear();
    stage.redrive().await?;
    stage.channels.slack.find(LIMIT, |message| message.shown().contains(id.as_str())).await?;
    stage.dead_letters("notify-slack", false).await
}

/// The message about a request in the channel that hears of all.
pub(crate) async fn in_slack(stage: &Stage, id: &RequestId) -> anyhow::Result<Message> {
    let is_it = |message: &Message| {
        message.channel == SLACK_CHANNEL && message.thread.is_none() && message.shown().contains(id.as_str())
    };
    stage.channels.slack.find(LIMIT, is_it).await
}

async fn direct_message(stage: &Stage, user: &str, text: &str) -> anyhow::Result<Message> {
    let is_it = |message: &Message| message.posted_to == user && message.shown().contains(text);
    stage.channels.slack.find(LIMIT, is_it).await
}

/// The request's id in what somebody was answered.
fn id_in(answer: &Answer) -> anyhow::Result<RequestId> {
    let text = answer.body.get("text").and_then(Value::as_str).unwrap_or_default();
    let id = text
        .find("req-")
        .and_then(|at| text.get(at..at + 16))
        .with_context(|| format!("no id in {answer:?}"))?;
    Ok(RequestId::try_from(id.to_owned())?)
}

/// How long a grant of a minute may take to be over.
pub(crate) const A_MINUTE_AND_MORE: Duration = Duration::from_mins(2);
