//! Slack: messages by its Web API (<https://docs.slack.dev/reference/methods/chat.postMessage>), and answers to
//! commands and buttons by their response URLs.

use egress::config::Config;
use egress::web::{Method, StatusCode, Web};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};

use super::thread::{self, Chat, Standing};
use super::{ONE_CALL, misled};
use crate::batch::Teller;
use crate::ledger::{About, Ledger, Spot};
use crate::notice::Notice;
use crate::render::Reader;
use crate::render::slack::{self, Shown};
use crate::routing::{Destination, life_of};
use crate::secrets::Secret;
use crate::undelivered::{Undelivered, quoted, successful};

const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");
/// What a message is, for programs (<https://docs.slack.dev/messaging/message-metadata>).
const EVENT_TYPE: &str = "egress_notice";
/// Errors that pass (<https://docs.slack.dev/reference/methods/chat.postMessage#errors>).
const PASSING: [&str; 7] = [
    "ratelimited",
    "rate_limited",
    "internal_error",
    "fatal_error",
    "service_unavailable",
    "request_timeout",
    "team_added_to_org",
];
/// Errors of a message that isn't there any more.
const GONE: [&str; 3] = ["message_not_found", "thread_not_found", "cannot_reply_to_message"];
/// Errors of a message that a workspace lets nobody edit so late. Its thread tells all the same.
const FIXED: [&str; 2] = ["edit_window_closed", "cant_update_message"];

/// Slack, in the name of one app.
#[derive(Debug)]
pub struct SlackChannel<L, S> {
    config: Config,
    ledger: L,
    token: S,
    web: Web,
}

/// What a method of the Web API answers, with 200.
#[derive(Debug, Default, Deserialize)]
struct Said {
    ok: bool,
    error: Option<String>,
    /// The permission that the token lacks.
    needed: Option<String>,
    channel: Option<String>,
    ts: Option<String>,
    #[serde(default)]
    response_metadata: ResponseMetadata,
}

#[derive(Debug, Default, Deserialize)]
struct ResponseMetadata {
    #[serde(default)]
    messages: Vec<String>,
}

impl<L: Ledger + Sync, S: Secret + Sync> SlackChannel<L, S> {
    /// Slack, by the bot token of an app.
    pub fn new(config: Config, ledger: L, token: S) -> Self {
        Self { config, ledger, token, web: Web::new(ONE_CALL) }
    }

    /// Answers at a response URL, once. When its half hour or its five uses are over, nobody can be told there any
    /// more, and no later try would change that: so it is done with.
    async fn answer(
        &self,
        to: &Destination,
        url: &str,
        notice: &Notice,
        now: Timestamp,
    ) -> Result<(), Undelivered> {
        if !self.config.slack.answers.holds(url) {
            return Err(Undelivered::never("the response URL is none of Slack's"));
        }
        let about = About::new(to, notice);
        if self.ledger.look(&about).await?.is_none() {
            return Ok(());
        }
        let Shown { text, blocks } = slack::message(notice, Reader::Requester, &self.config);
        let body = json!({
            "response_type": "ephemeral", "replace_original": false, "text": text, "blocks": blocks,
        });
        let answer = self.web.send(Method::POST, url, &[JSON], body.to_string().into_bytes()).await?;
        if matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::GONE) {
            let said = quoted(&answer.body);
            tracing::warn!(%to, said, event_id = about.event_id, "the response URL is used up or expired");
        } else {
            successful(answer)?;
        }
        Ok(self.ledger.told(&about, None, now).await?)
    }

    async fn call(&self, method: &str, arguments: Value) -> Result<Said, Undelivered> {
        let token = self.token.read().await?;
        let authorization = format!("Bearer {}", token.expose_secret());
        let url = self.config.slack.api.join(method);
        let headers = [JSON, ("authorization", authorization.as_str())];
        let answer = self.web.send(Method::POST, &url, &headers, arguments.to_string().into_bytes()).await?;
        let answer = successful(answer)?;
        let said: Said = answer.json().map_err(|error| {
            Undelivered::later(format!("{method} was not answered by Slack's API: {error}"))
        })?;
        match said.error.as_deref().filter(|_| !said.ok) {
            Some(error) if PASSING.contains(&error) => Err(Undelivered::Later {
                after: answer.retry_after,
                why: format!("{method} was answered with {error}"),
            }),
            _ => Ok(said),
        }
    }
}

impl<L: Ledger + Sync, S: Secret + Sync> Teller for SlackChannel<L, S> {
    async fn tell(&self, to: &Destination, notice: &Notice, now: Timestamp) -> Result<(), Undelivered> {
        match to {
            Destination::SlackChannel(_) | Destination::SlackUser(_) => {
                thread::tell(self, &self.ledger, to, notice, now).await
            }
            Destination::SlackAnswer(url) => self.answer(to, url, notice, now).await,
            _ => Err(misled(to)),
        }
    }
}

impl<L: Ledger + Sync, S: Secret + Sync> Chat for SlackChannel<L, S> {
    async fn post(&self, to: &Destination, notice: &Notice, _: Timestamp) -> Result<Spot, Undelivered> {
        let (Destination::SlackChannel(id) | Destination::SlackUser(id)) = to else { return Err(misled(to)) };
        let shown = slack::message(notice, reader(to), &self.config);
        let said = self.call("chat.postMessage", posted(id, shown, notice, json!({}))).await?;
        // Of a person's id, the conversation: the message is edited there.
        match said {
            Said { ok: true, channel: Some(conversation), ts: Some(message), .. } => {
                Ok(Spot { conversation, message })
            }
            said => Err(said_no("chat.postMessage", said)),
        }
    }

    async fn edit(
        &self,
        spot: &Spot,
        to: &Destination,
        notice: &Notice,
        _: Timestamp,
    ) -> Result<Standing, Undelivered> {
        let Shown { text, blocks } = slack::message(notice, reader(to), &self.config);
        let arguments =
            json!({"channel": spot.conversation, "ts": spot.message, "text": text, "blocks": blocks});
        let said = self.call("chat.update", arguments).await?;
        match said.error.as_deref().filter(|_| !said.ok) {
            Some(error) if FIXED.contains(&error) => Ok(Standing::There),
            _ => standing("chat.update", said),
        }
    }

    async fn reply(&self, spot: &Spot, notice: &Notice, _: Timestamp) -> Result<Standing, Undelivered> {
        // What somebody has to act on, or should hear at once, is shown in the channel, too.
        let broadcast = matches!(notice, Notice::DecisionAwaited(_) | Notice::GlassBroken(_));
        let thread = json!({"thread_ts": spot.message, "reply_broadcast": broadcast});
        let entry = posted(&spot.conversation, slack::entry(notice, &self.config), notice, thread);
        standing("chat.postMessage", self.call("chat.postMessage", entry).await?)
    }
}

/// Who reads there.
fn reader(to: &Destination) -> Reader {
    match to {
        Destination::SlackChannel(_) => Reader::Channel,
        _ => Reader::Requester,
    }
}

/// The arguments of a message; `more` is added.
fn posted(channel: &str, shown: Shown, notice: &Notice, more: Value) -> Value {
    let Shown { text, blocks } = shown;
    let request_id = life_of(notice).map(|request| request.id.as_str());
    let payload = json!({"event_id": notice.event_id(), "request_id": request_id.unwrap_or_default()});
    let mut arguments = json!({
        "channel": channel, "text": text, "blocks": blocks, "unfurl_links": false, "unfurl_media": false,
        "metadata": {"event_type": EVENT_TYPE, "event_payload": payload},
    });
    if let (Value::Object(arguments), Value::Object(more)) = (&mut arguments, more) {
        arguments.extend(more);
    }
    arguments
}

fn standing(method: &str, said: Said) -> Result<Standing, Undelivered> {
    match said.error.as_deref() {
        _ if said.ok => Ok(Standing::There),
        Some(error) if GONE.contains(&error) => Ok(Standing::Gone),
        _ => Err(said_no(method, said)),
    }
}

fn said_no(method: &str, said: Said) -> Undelivered {
    let Said { error, needed, response_metadata: ResponseMetadata { messages }, .. } = said;
    let error = error.unwrap_or_else(|| "neither an error nor what was posted".to_owned());
    let needed = needed.map(|needed| format!("the token lacks {needed}"));
    let details: Vec<String> = needed.into_iter().chain(messages).collect();
    let said = quoted([vec![error], details].concat().join("; ").as_bytes());
    Undelivered::never(format!("{method} was answered with {said}"))
}
