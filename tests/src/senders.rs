//! The chat and ticket systems, as far as intake hears of them: what they send, signed as they sign it.

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::webhook::{Answer, Door, mac, sign};

/// With what GitHub, Jira, `ServiceNow` and the desk prove what they send.
const SECRETS: [(&str, &str); 4] = [
    ("github", "github-secret"),
    ("jira", "jira-secret"),
    ("servicenow", "servicenow-key"),
    ("desk", "desk-token"),
];
/// The security token of the outgoing webhook in Teams, in base 64.
const TEAMS_TOKEN: &str = "dGhlIHRva2VuIG9mIGFuIG91dGdvaW5nIHdlYmhvb2s=";

/// Systems that reach a function's URL.
#[derive(Debug)]
pub struct Senders {
    door: Door,
}

impl Senders {
    /// Systems that reach a function's `url` at the local AWS's `endpoint`.
    pub fn new(endpoint: &str, url: &str) -> anyhow::Result<Self> {
        Ok(Self { door: Door::new(endpoint, url)? })
    }

    /// The text of the secret with the ticket systems' own.
    pub fn secrets() -> String {
        let secrets = SECRETS.iter().map(|(name, secret)| ((*name).to_owned(), json!(secret)));
        Value::Object(secrets.collect()).to_string()
    }

    /// The text of the secret with Teams' token.
    pub fn teams_secret() -> &'static str {
        TEAMS_TOKEN
    }

    /// GitHub tells of an event.
    pub async fn github(&self, event: &str, body: &Value) -> anyhow::Result<Answer> {
        let body = body.to_string();
        let signature = format!("sha256={}", sign(secret("github")?, &body)?);
        let headers = [("x-hub-signature-256", signature), ("x-github-event", event.to_owned())];
        self.post("/tickets/github", &headers, body).await
    }

    /// Jira tells of an event.
    pub async fn jira(&self, body: &Value) -> anyhow::Result<Answer> {
        let body = body.to_string();
        let signature = format!("sha256={}", sign(secret("jira")?, &body)?);
        self.post("/tickets/jira", &[("x-hub-signature", signature)], body).await
    }

    /// `ServiceNow` sends a message of ours.
    pub async fn servicenow(&self, body: &Value) -> anyhow::Result<Answer> {
        let key = secret("servicenow")?.to_owned();
        self.post("/tickets/servicenow", &[("x-api-key", key)], body.to_string()).await
    }

    /// The desk sends something.
    pub async fn desk(&self, body: &Value) -> anyhow::Result<Answer> {
        let token = format!("Bearer {}", secret("desk")?);
        self.post("/tickets/desk", &[("authorization", token)], body.to_string()).await
    }

    /// Somebody writes something to the outgoing webhook in a channel of Teams; `id` is the message's.
    pub async fn teams(&self, user: &str, channel: &str, id: &str, text: &str) -> anyhow::Result<Answer> {
        let activity = json!({
            "type": "message", "id": id, "timestamp": Timestamp::now(), "channelId": "msteams",
            "serviceUrl": "https://smba.trafficmanager.net/teams/", "from": {"id": "29:1x", "name": "Somebody", "aadObjectId": user},
            "conversation": {"isGroup": true, "id": format!("{channel};messageid={id}"), "conversationType": "channel"},
            "text": format!("<at>Egress</at>&nbsp;{text}\n"), "textFormat": "plain",
        });
        let body = activity.to_string();
        let key = STANDARD.decode(TEAMS_TOKEN)?;
        let signature = format!("HMAC {}", STANDARD.encode(mac(&key, body.as_bytes())?));
        self.post("/teams", &[("authorization", signature)], body).await
    }

    async fn post(&self, path: &str, headers: &[(&str, String)], body: String) -> anyhow::Result<Answer> {
        self.door.post(path, "application/json; charset=utf-8", headers, body).await
    }
}

fn secret(name: &str) -> anyhow::Result<&'static str> {
    let found = SECRETS.iter().find(|(known, _)| *known == name);
    found.map(|(_, secret)| *secret).with_context(|| format!("{name} has no secret"))
}
