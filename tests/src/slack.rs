//! Slack, as far as intake sees it: it signs what people type and press.

use jiff::Timestamp;
use serde_json::json;

use crate::webhook::{Answer, Door, sign};

/// Slack, with the signing secret of one app.
#[derive(Debug)]
pub struct Slack {
    door: Door,
    secret: String,
}

impl Slack {
    /// Slack, which reaches a function's `url` at the local AWS's `endpoint`.
    pub fn new(endpoint: &str, url: &str, secret: &str) -> anyhow::Result<Self> {
        Ok(Self { door: Door::new(endpoint, url)?, secret: secret.to_owned() })
    }

    /// The same, with another secret.
    #[must_use]
    pub fn with_secret(&self, secret: &str) -> Self {
        Self { door: self.door.clone(), secret: secret.to_owned() }
    }

    /// Somebody types `/egress` and this.
    pub async fn types(&self, user_id: &str, text: &str, trigger_id: &str) -> anyhow::Result<Answer> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs([
            ("user_id", user_id),
            ("command", "/egress"),
            ("text", text),
            ("response_url", "https://hooks.slack.com/commands/T1/1/x"),
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
        let payload = json!({
            "type": "block_actions", "user": {"id": user_id}, "trigger_id": trigger_id,
            "response_url": "https://hooks.slack.com/actions/T1/1/x",
            "actions": [{"type": "button", "action_id": action_id, "value": value}],
        });
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
