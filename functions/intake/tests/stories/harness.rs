//! Intake with its edges in memory, and the systems that sign what they send to it.

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use egress::adapter::settings::{Encoding, Proof};
use egress::bus::{Bus, BusError, Event};
use egress::config::Config;
use egress::events::{CommandNotTaken, Incoming};
use hmac::{Hmac, KeyInit, Mac};
use intake::secrets::{Previous, SecretError, SecretSource, Secrets};
use intake::{Intake, Keys};
use jiff::Timestamp;
use lambda_http::{Body, Request};
use serde_json::{Value, json};
use sha2::Sha256;

/// 2026-01-01T00:00:00Z.
pub(crate) const NOW: i64 = 1_767_225_600;
/// The secret of the generic webhook.
pub(crate) const WEBHOOK: &str = "the webhook's";
/// The signing secret of Slack's app.
pub(crate) const SLACK: &str = "8f742231b10e8888abcd99yyyzzz85a5";
/// The token of Teams' outgoing webhook.
pub(crate) const TEAMS: &str = "AAECAwQFBgcICQoLDA0ODw==";
/// The secret of each adapter begins so.
const TICKETS: &str = "the secret of ";
/// The address to which Slack's app can answer.
pub(crate) const RESPONSE_URL: &str =
    "https://hooks.slack.com/commands/T1DC2JH3J/397700885554/96rGlfmibIGlgcZRskXaIFfN";
/// Of what is sent to Slack.
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";
/// Of all else.
pub(crate) const JSON: &str = "application/json";

/// Who is who; beside the configuration that is shipped.
const PEOPLE: &str = r#"
[identities]
"alice@example.com" = { slack = "U2CERLKJA", teams = "11111111-2222-3333-4444-555555555555", github = "583231", jira = "5b10ac8d82e05b22cc7d4ef5" }
"bob@example.com" = { slack = "U0B0B", servicenow = "bob@corp.example", github = "480938", jira = "712020:dd6a8f0c-7a1b-4b3e-9f5a-1b2c3d4e5f60" }
"#;

/// The bus and the secrets. Each can fail.
#[derive(Debug, Default)]
pub(crate) struct Edges {
    pub(crate) published: Mutex<Vec<Event>>,
    pub(crate) bus_fails: Mutex<bool>,
    pub(crate) secrets_fail: Mutex<bool>,
    /// How often a secret was fetched.
    pub(crate) fetched: Mutex<usize>,
}

/// A secret.
#[derive(Debug, Clone)]
pub(crate) struct Kept<'a> {
    edges: &'a Edges,
    current: Arc<Mutex<String>>,
    /// The one before, and when it was replaced.
    previous: Option<(String, i64)>,
}

impl Bus for &Edges {
    async fn publish(&self, events: &[Event]) -> Result<(), BusError> {
        if *self.bus_fails.lock().unwrap() {
            return Err(BusError::Unavailable("throttled".to_owned()));
        }
        self.published.lock().unwrap().extend_from_slice(events);
        Ok(())
    }
}

impl SecretSource for Kept<'_> {
    async fn fetch(&self) -> Result<Secrets, SecretError> {
        *self.edges.fetched.lock().unwrap() += 1;
        if *self.edges.secrets_fail.lock().unwrap() {
            return Err(SecretError("throttled".to_owned()));
        }
        let previous = self.previous.clone().map(|(secret, second)| Previous {
            secret: secret.into(),
            replaced_at: Timestamp::from_second(second).unwrap(),
        });
        Ok(Secrets { current: self.current.lock().unwrap().clone().into(), previous })
    }
}

impl Kept<'_> {
    /// Somebody rotates it.
    pub(crate) fn becomes(&self, secret: &str) {
        secret.clone_into(&mut self.current.lock().unwrap());
    }
}

impl Edges {
    pub(crate) fn secret(&self, current: &str) -> Kept<'_> {
        Kept { edges: self, current: Arc::new(Mutex::new(current.to_owned())), previous: None }
    }

    pub(crate) fn rotated(&self, current: &str, previous: &str, at: i64) -> Kept<'_> {
        Kept { previous: Some((previous.to_owned(), at)), ..self.secret(current) }
    }

    /// All ways in but Slack's dialogs.
    pub(crate) fn keys(&self) -> Keys<Kept<'_>> {
        let tickets = ["github", "jira", "servicenow", "desk"].map(|name| (name, secret_of(name)));
        let tickets: Value = tickets.into_iter().collect::<Value>();
        Keys {
            webhook: self.secret(WEBHOOK),
            slack: Some(self.secret(SLACK)),
            slack_token: None,
            teams: Some(self.secret(TEAMS)),
            tickets: Some(self.secret(&tickets.to_string())),
        }
    }

    /// The function, with the configuration that is shipped.
    pub(crate) fn intake(&self) -> Intake<&Self, Kept<'_>> {
        Intake::new(self, self.keys(), config("")).unwrap()
    }

    pub(crate) async fn send(&self, request: Request) -> (u16, String) {
        send(&self.intake(), request, NOW).await
    }

    /// The one event on the bus, which the function that it is meant for can take.
    pub(crate) fn event(&self) -> Value {
        let events = self.events();
        let [event] = events.as_slice() else { panic!("{events:?}") };
        event.clone()
    }

    /// All events on the bus.
    pub(crate) fn events(&self) -> Vec<Value> {
        self.published.lock().unwrap().iter().map(taken).collect()
    }
}

/// An event as it is delivered, after whoever takes it has read it.
fn taken(event: &Event) -> Value {
    let seen = json!({"source": event.source, "detail-type": event.detail_type, "detail": event.detail});
    if event.detail_type == "CommandNotTaken" {
        let detail: CommandNotTaken = serde_json::from_value(event.detail.clone()).unwrap();
        assert!(!detail.reason.trim().is_empty() && detail.by.chars().count() <= 256, "{detail:?}");
    } else {
        Incoming::read(seen.clone()).unwrap();
    }
    seen
}

/// The configuration that is shipped, with people, and with more.
pub(crate) fn config(more: &str) -> Config {
    let shipped = include_str!("../../../../infra/config/egress.toml");
    Config::parse(&format!("{shipped}\n{PEOPLE}\n{more}")).unwrap()
}

/// The secret of an adapter.
pub(crate) fn secret_of(adapter: &str) -> String {
    format!("{TICKETS}{adapter}")
}

pub(crate) async fn send(intake: &Intake<&Edges, Kept<'_>>, request: Request, now: i64) -> (u16, String) {
    let response = intake.handle(request, Timestamp::from_second(now).unwrap()).await;
    (response.status().as_u16(), String::from_utf8(response.body().to_vec()).unwrap())
}

/// A POST.
pub(crate) fn request(path: &str, media_type: &str, headers: &[(&str, String)], body: &str) -> Request {
    let (mut parts, body) = Request::new(Body::Text(body.to_owned())).into_parts();
    parts.method = "POST".parse().unwrap();
    parts.uri = format!("https://x.lambda-url.eu-west-1.on.aws{path}").parse().unwrap();
    parts.headers.insert("content-type", media_type.parse().unwrap());
    for (name, value) in headers {
        parts.headers.insert(name.parse::<lambda_http::http::HeaderName>().unwrap(), value.parse().unwrap());
    }
    Request::from_parts(parts, body)
}

pub(crate) fn mac(secret: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// What the generic webhook's sender sends.
pub(crate) fn webhook(secret: &str, body: &str) -> Request {
    let signature = hex::encode(mac(secret.as_bytes(), &format!("{NOW}.d-1.{body}")));
    let headers = [
        ("x-egress-timestamp", NOW.to_string()),
        ("x-egress-delivery", "d-1".to_owned()),
        ("x-egress-signature", format!("v1={signature}")),
    ];
    request("/webhook", "application/json; charset=utf-8", &headers, body)
}

/// What Slack sends.
pub(crate) fn slack(secret: &str, body: &str) -> Request {
    let signature = hex::encode(mac(secret.as_bytes(), &format!("v0:{NOW}:{body}")));
    let headers =
        [("x-slack-request-timestamp", NOW.to_string()), ("x-slack-signature", format!("v0={signature}"))];
    request("/slack", FORM, &headers, body)
}

/// What Teams sends.
pub(crate) fn teams(body: &Value) -> Request {
    let body = body.to_string();
    let signature = BASE64.encode(mac(&BASE64.decode(TEAMS).unwrap(), &body));
    request("/teams", JSON, &[("authorization", format!("HMAC {signature}"))], &body)
}

/// What a ticket system sends, with the proof that its adapter wants.
pub(crate) fn ticket(adapter: &str, body: &str) -> Request {
    let config = config("");
    let secret = secret_of(adapter);
    let (header, value) = match config.adapters[adapter].proof.clone().unwrap() {
        Proof::Key { header, prefix } => (header, format!("{prefix}{secret}")),
        Proof::Hmac { header, prefix, encoding } => {
            let mac = mac(secret.as_bytes(), body);
            let encoded = match encoding {
                Encoding::Hex => hex::encode(mac),
                Encoding::Base64 => BASE64.encode(mac),
            };
            (header, format!("{prefix}{encoded}"))
        }
    };
    request(&format!("/tickets/{adapter}"), JSON, &[(&header, value)], body)
}

pub(crate) fn form(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// A body as its system sends it.
pub(crate) fn sample(name: &str) -> Value {
    let path = format!("{}/tests/samples/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}
