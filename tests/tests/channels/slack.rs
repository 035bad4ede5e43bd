//! Slack: messages, dialogs, response URLs, and what Block Kit forbids.

use anyhow::Result;
use serde_json::{Value, json};

use super::sender::{JSON, LIMIT, Sender};

fn plain(text: &str) -> Value {
    json!({"type": "plain_text", "text": text})
}

fn button(id: &str) -> Value {
    json!({"type": "button", "text": plain("Approve"), "action_id": id, "value": "req-1", "style": "primary"})
}

#[tokio::test]
async fn a_message_in_slack_is_posted_answered_in_its_thread_and_edited() -> Result<()> {
    let sender = Sender::start().await?;
    let section = json!({"type": "section", "text": {"type": "mrkdwn", "text": "*github.com*"}});
    let blocks = json!([section, {"type": "actions", "elements": [button("approve")]}]);
    let post = json!({"channel": "C024BE91L", "text": "Alice asks", "blocks": blocks});
    let posted = sender.slack("chat.postMessage", &post).await?.body;
    assert_eq!((&posted["ok"], &posted["channel"]), (&json!(true), &json!("C024BE91L")));
    let reply = json!({"channel": "C024BE91L", "text": "a day left", "thread_ts": posted["ts"]});
    let replied = sender.slack("chat.postMessage", &reply).await?.body;
    assert!(replied["ts"].as_str() > posted["ts"].as_str());

    let message = sender.channels.slack.find(LIMIT, |message| message.text == "Alice asks").await?;
    assert_eq!((message.shown().as_str(), message.edits), ("*github.com*", 0));
    assert_eq!(message.buttons()[0].action_id, "approve");

    let update = json!({"channel": "C024BE91L", "ts": posted["ts"], "text": "Bob approved"});
    assert_eq!(sender.slack("chat.update", &update).await?.body["text"], "Bob approved");
    let workspace = sender.channels.slack.look(|seen| seen.now.clone());
    let [message] = workspace.in_channel("C024BE91L")[..] else { panic!("{workspace:?}") };
    assert_eq!((message.shown().as_str(), message.edits), ("Bob approved", 1));
    assert!(message.buttons().is_empty());
    assert_eq!(workspace.thread("C024BE91L", &message.ts)[0].text, "a day left");
    assert_eq!(sender.channels.slack.requests().len(), 3);
    sender.assert_nothing_forbidden();
    Ok(())
}

#[tokio::test]
async fn a_person_is_told_in_a_conversation_of_their_own() -> Result<()> {
    let sender = Sender::start().await?;
    let unopened = json!({"channel": "D2CERLKJA", "text": "hello"});
    assert_eq!(sender.slack_refuses("chat.postMessage", &unopened).await?, "channel_not_found");
    let posted =
        sender.slack("chat.postMessage", &json!({"channel": "U2CERLKJA", "text": "hello"})).await?.body;
    assert_eq!(posted["channel"], "D2CERLKJA");
    let update = |channel: &str| json!({"channel": channel, "ts": posted["ts"], "text": "hello again"});
    assert_eq!(sender.slack_refuses("chat.update", &update("U2CERLKJA")).await?, "channel_not_found");
    assert_eq!(sender.slack("chat.update", &update("D2CERLKJA")).await?.body["ok"], true);
    let workspace = sender.channels.slack.look(|seen| seen.now.clone());
    assert_eq!(workspace.in_channel("U2CERLKJA")[0].text, "hello again");
    sender.assert_nothing_forbidden();
    Ok(())
}

#[tokio::test]
async fn slack_says_what_it_does_not_find_and_whom_it_does_not_know() -> Result<()> {
    let sender = Sender::start().await?;
    let missing = json!({"channel": "C1", "ts": "1.000000", "text": "x"});
    assert_eq!(sender.slack_refuses("chat.update", &missing).await?, "message_not_found");
    let orphan = json!({"channel": "C1", "text": "x", "thread_ts": "1.000000"});
    assert_eq!(sender.slack_refuses("chat.postMessage", &orphan).await?, "cannot_reply_to_message");
    sender.channels.slack.close_channel("C1");
    let closed = json!({"channel": "C1", "text": "x"});
    assert_eq!(sender.slack_refuses("chat.postMessage", &closed).await?, "channel_not_found");
    let url = sender.channels.slack_api() + "chat.postMessage";
    for (authorization, error) in [("Bearer xoxb-other", "invalid_auth"), ("", "not_authed")] {
        let headers = [("authorization", authorization), ("content-type", JSON)];
        let came = sender.send("POST", url.clone(), &headers, closed.to_string()).await?;
        assert_eq!((came.status, came.body["error"].as_str()), (200, Some(error)));
    }
    sender.assert_nothing_forbidden();
    Ok(())
}

#[tokio::test]
async fn slack_refuses_what_block_kit_forbids() -> Result<()> {
    let sender = Sender::start().await?;
    let confirm = json!({"title": plain("Sure?"), "text": plain("It opens"), "confirm": plain("Yes"),
        "deny": plain(&"n".repeat(31))});
    let mut confirmed = button("a");
    confirmed["confirm"] = confirm;
    let forbidden = [
        json!({"type": "header", "text": plain(&"x".repeat(151))}),
        json!({"type": "header", "text": {"type": "mrkdwn", "text": "x"}}),
        json!({"type": "section", "text": plain("")}),
        json!({"type": "section", "text": plain(&"x".repeat(3001))}),
        json!({"type": "section", "fields": vec![plain("x"); 11]}),
        json!({"type": "section"}),
        json!({"type": "context", "elements": vec![plain("x"); 11]}),
        json!({"type": "actions", "elements": (0..26).map(|i| button(&i.to_string())).collect::<Vec<_>>()}),
        json!({"type": "actions", "elements": [button("a"), button("a")]}),
        json!({"type": "actions", "elements": [button(&"a".repeat(256))]}),
        json!({"type": "actions", "elements": [confirmed]}),
        json!({"type": "actions", "elements": [{"type": "plain_text_input", "action_id": "a"}]}),
        json!({"type": "actions", "elements": [{"type": "button", "text": plain(&"x".repeat(76))}]}),
        json!({"type": "divider", "colour": "red"}),
        json!({"type": "poll"}),
    ];
    let mut told = Vec::new();
    for block in forbidden {
        let post = json!({"channel": "C1", "text": "x", "blocks": [block]});
        let came = sender.slack("chat.postMessage", &post).await?.body;
        assert_eq!(came["error"], "invalid_blocks", "{block}");
        told.extend(came["response_metadata"]["messages"].as_array().unwrap().clone());
    }
    insta::assert_json_snapshot!(told);
    assert_eq!(sender.channels.slack.violations().len(), 15);
    assert_eq!(sender.channels.slack.messages(), []);
    Ok(())
}

#[tokio::test]
async fn slack_refuses_what_is_too_much_or_unknown() -> Result<()> {
    let sender = Sender::start().await?;
    let divider = json!({"type": "divider"});
    let twice = json!({"type": "divider", "block_id": "b"});
    let long = json!({"type": "section", "text": plain(&"x".repeat(3000))});
    let refused = [
        (json!({"channel": "C1", "text": "x", "blocks": vec![divider.clone(); 51]}), "invalid_blocks"),
        (json!({"channel": "C1", "text": "x", "blocks": [twice, twice]}), "invalid_blocks"),
        (json!({"channel": "C1", "text": "x", "blocks": vec![long; 5]}), "msg_blocks_too_long"),
        (json!({"channel": "C1", "text": "x".repeat(40_001)}), "msg_too_long"),
        (json!({"channel": "C1"}), "no_text"),
        (json!({"channel": "C1", "text": "x", "metadata": {"event_type": "x"}}), "invalid_metadata_format"),
        (json!({"channel": "C1", "text": "x", "colour": "red"}), "invalid_arguments"),
    ];
    for (post, error) in &refused {
        assert_eq!(sender.slack_refuses("chat.postMessage", post).await?, *error);
    }
    assert_eq!(sender.channels.slack.violations().len(), refused.len());
    let most = json!({"channel": "C1", "text": "x".repeat(4001), "blocks": vec![divider; 50]});
    assert_eq!(sender.slack("chat.postMessage", &most).await?.body["ok"], true);
    assert_eq!(sender.channels.slack.warnings().len(), 1, "a long text is advised against");
    Ok(())
}

#[tokio::test]
async fn a_dialog_opens_once_and_only_as_long_as_its_trigger_is_good() -> Result<()> {
    let sender = Sender::start().await?;
    let input = json!({"type": "input", "block_id": "why", "label": plain("Why?"),
        "element": {"type": "plain_text_input", "action_id": "reason", "multiline": true}});
    let view = json!({"type": "modal", "title": plain("Deny"), "submit": plain("Deny"), "callback_id": "deny",
        "private_metadata": "req-1", "blocks": [input]});
    let open = |trigger_id: &str| json!({"trigger_id": trigger_id, "view": view});
    let opened = sender.slack("views.open", &open("1.2.a")).await?.body;
    assert_eq!(opened["view"]["id"], "V0000000001");
    assert_eq!(sender.slack_refuses("views.open", &open("1.2.a")).await?, "exchanged_trigger_id");
    sender.channels.slack.expire_trigger("1.2.b");
    assert_eq!(sender.slack_refuses("views.open", &open("1.2.b")).await?, "expired_trigger_id");
    sender.assert_nothing_forbidden();

    let mut long = open("1.2.c");
    long["view"]["title"] = plain(&"x".repeat(25));
    let came = sender.slack("views.open", &long).await?.body;
    let told = json!(["[ERROR] must be less than 25 characters [json-pointer:/view/title/text]"]);
    assert_eq!(
        (&came["error"], &came["response_metadata"]["messages"]),
        (&json!("invalid_arguments"), &told)
    );
    let mut endless = open("1.2.d");
    endless["view"].as_object_mut().unwrap().remove("submit");
    sender.slack_refuses("views.open", &endless).await?;
    assert_eq!(sender.channels.slack.violations().len(), 2);
    assert_eq!(sender.channels.slack.views().len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_response_url_is_good_five_times() -> Result<()> {
    let sender = Sender::start().await?;
    let first = json!({"response_type": "ephemeral", "text": "wait"});
    assert_eq!(sender.answer("commands/T1/1/x", &first).await?.body, "ok");
    let second = json!({"response_type": "in_channel", "replace_original": true, "text": "done"});
    assert_eq!(sender.answer("commands/T1/1/x", &second).await?.status, 200);
    let answer = sender.channels.answers.at("/commands/T1/1/x");
    assert_eq!((answer.shown.len(), answer.shown[0].text.as_str()), (1, "done"));
    assert!(answer.shown[0].to_all && !answer.original_is_gone);
    sender.answer("actions/T1/2/y", &json!({"delete_original": true})).await?;
    assert!(sender.channels.answers.at("/actions/T1/2/y").original_is_gone);
    sender.channels.answers.expire("/actions/T1/2/y");
    assert_eq!(sender.answer("actions/T1/2/y", &first).await?.body, "expired_url");
    for _ in 3..=5 {
        assert_eq!(sender.answer("commands/T1/1/x", &first).await?.status, 200);
    }
    sender.assert_nothing_forbidden();
    let came = sender.answer("commands/T1/1/x", &first).await?;
    assert_eq!((came.status, came.body), (404, json!("used_url")));
    assert_eq!(sender.answer("actions/T1/3/z", &json!({"txt": "x"})).await?.status, 400);
    assert_eq!(sender.channels.answers.violations().len(), 2);
    Ok(())
}
