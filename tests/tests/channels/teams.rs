//! Teams: tokens, threads, and what a card cannot be.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::sender::{JSON, Sender};

const CHANNEL: &str = "19:abc@thread.tacv2";

fn card(body: &Value) -> Value {
    let card = json!({"type": "AdaptiveCard", "version": "1.5", "fallbackText": "text", "body": body});
    let attachment = json!({"contentType": "application/vnd.microsoft.card.adaptive", "content": card});
    json!({"type": "message", "attachments": [attachment]})
}

#[tokio::test]
async fn a_thread_in_teams_is_begun_answered_and_edited() -> Result<()> {
    let sender = Sender::start().await?;
    let link = json!({"type": "Action.OpenUrl", "title": "Open", "url": "https://example.com/"});
    let fact = json!({"title": "Domain", "value": "github.com"});
    let body = json!([{"type": "TextBlock", "text": "Alice asks", "wrap": true},
        {"type": "FactSet", "facts": [fact]}, {"type": "ActionSet", "actions": [link]}]);
    let beginning =
        json!({"isGroup": true, "channelData": {"channel": {"id": CHANNEL}}, "activity": card(&body)});
    let came = sender.teams("POST", "v3/conversations", &beginning).await?;
    let id = came.body["activityId"].as_str().context("no id")?;
    assert_eq!((came.status, &came.body["id"]), (201, &json!(format!("{CHANNEL};messageid={id}"))));

    let thread = format!("v3/conversations/19%3Aabc%40thread.tacv2%3Bmessageid%3D{id}/activities");
    let replied = sender.teams("POST", &thread, &json!({"type": "message", "text": "a day left"})).await?;
    assert_eq!(replied.status, 201);
    let edited = format!("v3/conversations/{CHANNEL};messageid={id}/activities/{id}");
    let text = card(&json!([{"type": "TextBlock", "text": "Bob approved"}]));
    assert_eq!(sender.teams("PUT", &edited, &text).await?.status, 200);

    let tenant = sender.channels.teams.look(|seen| seen.now.clone());
    assert_eq!(tenant.in_channel(CHANNEL)[0].shown(), "Bob approved");
    assert_eq!((tenant.in_channel(CHANNEL)[0].edits, tenant.thread(CHANNEL, id).len()), (1, 1));
    let nobody = format!("v3/conversations/{CHANNEL};messageid=1/activities");
    let message = json!({"type": "message", "text": "x"});
    assert_eq!(sender.teams("POST", &nobody, &message).await?.body["error"]["code"], "ConversationNotFound");
    sender.channels.teams.close_channel(CHANNEL);
    assert_eq!(sender.teams("POST", &thread, &message).await?.status, 403);
    sender.assert_nothing_forbidden();
    Ok(())
}

#[tokio::test]
async fn teams_takes_only_the_tokens_that_were_given() -> Result<()> {
    let sender = Sender::start().await?;
    let token = sender.token("stand-in~secret").await?;
    assert_eq!((token.status, &token.body["token_type"]), (200, &json!("Bearer")));
    assert_eq!(sender.token("wrong").await?.body["error"], "invalid_client");
    let url = format!("{}v3/conversations/{CHANNEL}/activities", sender.channels.teams_service());
    let authorization = format!("Bearer {}", token.body["access_token"].as_str().unwrap());
    let headers = [("authorization", authorization.as_str()), ("content-type", JSON)];
    let message = json!({"type": "message", "text": "x"}).to_string();
    assert_eq!(sender.send("POST", url.clone(), &headers, message.clone()).await?.status, 201);
    sender.channels.login.forget_tokens();
    assert_eq!(sender.send("POST", url, &headers, message).await?.status, 401);
    sender.assert_nothing_forbidden();
    Ok(())
}

#[tokio::test]
async fn teams_refuses_what_a_card_cannot_be() -> Result<()> {
    let sender = Sender::start().await?;
    let path = format!("v3/conversations/{CHANNEL}/activities");
    let actions = |action: Value| card(&json!([{"type": "ActionSet", "actions": [action]}]));
    let mut newer = card(&json!([]));
    newer["attachments"][0]["content"]["version"] = json!("1.6");
    let mut silent = card(&json!([]));
    silent["attachments"][0]["content"].as_object_mut().unwrap().remove("fallbackText");
    let forbidden = [
        newer,
        silent,
        card(&json!([{"type": "TextBlock"}])),
        card(&json!([{"type": "TextBlock", "text": "x", "wrapp": true}])),
        card(&json!([{"type": "Input.Text", "id": "why"}])),
        card(&json!([{"type": "FactSet", "facts": [{"title": "Domain"}]}])),
        actions(json!({"type": "Action.Submit", "title": "Approve"})),
        actions(json!({"type": "Action.OpenUrl", "title": "Open", "url": "javascript:x"})),
        actions(json!({"type": "Action.ToggleVisibility", "title": "More", "targetElements": ["more"]})),
        json!({"type": "typing", "text": "x"}),
        json!({"type": "message"}),
        json!({"type": "message", "text": "x", "txt": "x"}),
    ];
    for activity in &forbidden {
        assert_eq!(sender.teams("POST", &path, activity).await?.status, 400, "{activity}");
    }
    let large = json!({"type": "message", "text": "x".repeat(60_000)});
    assert_eq!(sender.teams("POST", &path, &large).await?.body["error"]["code"], "MessageSizeTooBig");
    insta::assert_json_snapshot!(
        sender
            .channels
            .teams
            .look(|seen| { seen.violations.iter().map(|note| note.text.clone()).collect::<Vec<_>>() })
    );
    Ok(())
}
