//! Slack, as far as intake sees it: it signs what people type and press.

use anyhow::Context;
use egress::slack::COMMENT;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::channels::slack::View;
use crate::webhook::{Answer, Door, sign};

/// Slack, with the signing secret of one app.
#[derive(Debug)]
pub struct Slack {
    door: Door,
    secret: String,
    /// How its response URLs begin.
    answers: String,
}

impl Slack {
    /// Slack, which reaches a function's `url` at the local AWS's `endpoint`, and whose response URLs begin so.
    pub fn new(endpoint: &str, url: &str, secret: &str, answers: &str) -> anyhow::Result<Self> {
        Ok(Self { door: Door::new(endpoint, url)?, secret: secret.to_owned(), answers: answers.to_owned() })
    }

    /// The same, with another secret.
    #[must_use]
    pub fn with_secret(&self, secret: &str) -> Self {
        Self { door: self.door.clone(), secret: secret.to_owned(), answers: self.answers.clone() }
    }

    /// Somebody types `/egress` and this.
    pub async fn types(&self, user_id: &str, text: &str, trigger_id: &str) -> anyhow::Result<Answer> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs([
            ("user_id", user_id),
            ("command", "/egress"),
            ("text", text),
            ("response_url", &format!("{}commands/T1/{trigger_id}/x", self.answers)),
            ("trigger_id", trigger_id),
        ]);
        self.send(form.finish()).await
    }

    /// Somebody presses a button.
    pub async fn presses(
        &self,
        user_id: &str,
        action_id: &str,
        value: &str,
        trigger_id: &str,
    ) -> anyhow::Result<Answer> {
        self.presses_with(user_id, action_id, value, "", trigger_id).await
    }

    /// The same, with something written into the message's field for a comment.
    pub async fn presses_with(
        &self,
        user_id: &str,
        action_id: &str,
        value: &str,
        comment: &str,
        trigger_id: &str,
    ) -> anyhow::Result<Answer> {
        let comment = (!comment.is_empty()).then_some(comment);
        self.tells(&json!({
            "type": "block_actions", "user": {"id": user_id}, "trigger_id": trigger_id,
            "response_url": format!("{}actions/T1/{trigger_id}/x", self.answers),
            "actions": [{"type": "button", "action_id": action_id, "value": value}],
            "state": {"values": {format!("{COMMENT}.1"): {COMMENT: {"type": "plain_text_input", "value": comment}}}},
        }))
        .await
    }

    /// Somebody sends a dialog as it was filled in for them, with these fields filled in anew. Fields are named as
    /// their blocks are.
    pub async fn submits(
        &self,
        user_id: &str,
        view: &View,
        fields: &[(&str, &str)],
    ) -> anyhow::Result<Answer> {
        let mut values = filled_in(&view.view);
        values.extend(
            fields.iter().map(|(name, value)| ((*name).to_owned(), json!({*name: {"value": value}}))),
        );
        let callback_id = view.view.get("callback_id").context("a dialog without a callback_id")?;
        self.tells(&json!({
            "type": "view_submission", "user": {"id": user_id},
            "view": {"id": view.id, "callback_id": callback_id, "state": {"values": values}},
        }))
        .await
    }

    async fn tells(&self, payload: &Value) -> anyhow::Result<Answer> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        self.send(form.append_pair("payload", &payload.to_string()).finish()).await
    }

    async fn send(&self, body: String) -> anyhow::Result<Answer> {
        let timestamp = Timestamp::now().as_second().to_string();
        let signature = sign(&self.secret, &format!("v0:{timestamp}:{body}"))?;
        let headers =
            [("x-slack-request-timestamp", timestamp), ("x-slack-signature", format!("v0={signature}"))];
        self.door.post("/slack", "application/x-www-form-urlencoded", &headers, body).await
    }
}

/// What stands in the fields of a dialog when it opens, as it comes back.
fn filled_in(view: &Value) -> serde_json::Map<String, Value> {
    let field = |block: &Value| {
        let (id, element) = (block.get("block_id")?.as_str()?, block.get("element")?);
        let value = json!({
            "type": element.get("type"), "value": element.get("initial_value"),
            "selected_option": element.get("initial_option"),
        });
        Some((id.to_owned(), json!({element.get("action_id")?.as_str()?: value})))
    };
    view.get("blocks").and_then(Value::as_array).into_iter().flatten().filter_map(field).collect()
}
