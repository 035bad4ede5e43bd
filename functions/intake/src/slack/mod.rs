//! Slack: what somebody types behind a slash command, the buttons that they press, and the dialog that they send
//! (<https://docs.slack.dev/interactivity/implementing-slash-commands>,
//! <https://docs.slack.dev/interactivity/handling-user-interaction>,
//! <https://docs.slack.dev/surfaces/modals>).
//!
//! - [`form`]: a body, as what it comes to; [`payload`]: the JSON in it.
//! - [`dialog`]: the dialog in which somebody asks; [`web`]: opening it.

mod dialog;
mod form;
mod payload;
mod web;

use std::collections::BTreeMap;
use std::time::Duration;

use egress::bus::Bus;
use egress::slack::Ask;
use jiff::Timestamp;
use lambda_http::http::StatusCode;
use lambda_http::{Body, Request, Response};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use crate::message::Message;
use crate::refusal::{Refusal, answer, bare};
use crate::secrets::{SecretCache, SecretSource};
use crate::signature::Claim;
use crate::words::{NOT_NOW, cut};
use crate::{Intake, check_form, prove};

pub(crate) use web::Dialogs;

/// The channel's name in the configuration and in reply addresses.
const CHANNEL: &str = "slack";

/// What a body comes to.
#[derive(Debug)]
pub(crate) enum Heard {
    /// Nothing has to be done: Slack looks whether somebody is there, or a button only opens a page.
    Nothing,
    /// Who has typed something reads this, and nothing is put on the bus. With what a button offers to ask for.
    Answer(String, Option<Ask>),
    /// The dialog isn't taken: what is wrong, by its blocks.
    Wrong(BTreeMap<&'static str, String>),
    /// Somebody says something.
    Said(Box<Message>, Way),
    /// The dialog is to be opened; what to do instead where it can't be.
    Open(Open, Box<Heard>),
}

/// Slack waits three seconds for an answer: all that takes time has to be done within these.
const IN_TIME: Duration = Duration::from_millis(2_600);
/// What is left of them when a dialog can't be opened, to say so.
const FOR_THE_REST: Duration = Duration::from_millis(500);

/// A dialog that somebody waits for.
#[derive(Debug)]
pub(crate) struct Open {
    trigger_id: String,
    ask: Ask,
}

/// How somebody has said it.
#[derive(Debug)]
pub(crate) enum Way {
    /// Behind the slash command; they read this when it is taken.
    Typed(String),
    /// With a button.
    Pressed,
    /// With the dialog.
    Submitted,
}

impl<B: Bus, S: SecretSource> Intake<B, S> {
    /// Slack shows people nothing of an answer but that of 200, so whoever has typed something gets one.
    pub(crate) async fn take_from_slack(
        &self,
        secrets: &SecretCache<S>,
        request: &Request,
        now: Timestamp,
    ) -> Result<Response<Body>, Refusal> {
        check_form(request, "application/x-www-form-urlencoded")?;
        let (headers, body): (_, &[u8]) = (request.headers(), request.body().as_ref());
        let claim = Claim::slack(headers, body, now).map_err(|error| Refusal::unproved(&error))?;
        let until = Instant::now() + IN_TIME;
        let too_late =
            |_| Refusal::Stranger(StatusCode::SERVICE_UNAVAILABLE, "the secret took too long".to_owned());
        let proved = timeout_at(until, prove(secrets, now, |secrets| Ok(claim.is_by(secrets, now))));
        proved.await.map_err(too_late)??;
        let form = form::Form { config: &self.config, has_dialogs: self.dialogs.is_some(), now };
        let mut heard = form.read(body).map_err(|error| Refusal::wrong(&error))?;
        if let (Heard::Open(open, instead), Some(dialogs)) = (&mut heard, &self.dialogs) {
            let view = dialog::view(&open.ask, &self.config);
            match dialogs.open(&open.trigger_id, view, now, until - FOR_THE_REST).await {
                Ok(()) => return Ok(bare(StatusCode::OK)),
                Err(error) => {
                    tracing::error!(%error, "the dialog can't be opened");
                    heard = std::mem::replace(instead, Heard::Nothing);
                }
            }
        }
        self.act(heard, until).await
    }

    async fn act(&self, heard: Heard, until: Instant) -> Result<Response<Body>, Refusal> {
        let (message, way) = match heard {
            Heard::Nothing | Heard::Open(..) => return Ok(bare(StatusCode::OK)),
            Heard::Answer(text, rest) => return Ok(answer(StatusCode::OK, &ephemeral(&text, rest.as_ref()))),
            Heard::Wrong(errors) => return Ok(wrong(&errors)),
            Heard::Said(message, way) => (message, way),
        };
        let published = timeout_at(until, self.publish(&message)).await;
        let published =
            published.unwrap_or_else(|_| Err(Refusal::NotNow("the bus took too long".to_owned())));
        match (published, way) {
            (Ok(()), Way::Typed(taken)) => Ok(answer(StatusCode::OK, &ephemeral(&taken, None))),
            (Ok(()), Way::Pressed | Way::Submitted) => Ok(bare(StatusCode::OK)),
            (Err(Refusal::NotNow(reason)), Way::Typed(_)) => {
                tracing::error!(reason, "not published");
                Ok(answer(StatusCode::OK, &ephemeral(NOT_NOW, None)))
            }
            (Err(Refusal::NotNow(reason)), Way::Submitted) => {
                tracing::error!(reason, "not published");
                Ok(wrong(&BTreeMap::from([(dialog::DOMAINS, NOT_NOW.to_owned())])))
            }
            (Err(refusal), _) => Err(refusal),
        }
    }
}

/// What only who has typed something reads, with a button that asks for the rest, where there is some.
fn ephemeral(text: &str, rest: Option<&Ask>) -> Value {
    let Some(value) = rest.and_then(Ask::value) else {
        return json!({"response_type": "ephemeral", "text": text});
    };
    let button = json!({
        "type": "button", "action_id": egress::slack::REQUEST, "value": value,
        "text": {"type": "plain_text", "text": "Ask for the others"},
    });
    json!({
        "response_type": "ephemeral",
        "text": text,
        "blocks": [
            {"type": "section", "text": {"type": "mrkdwn", "text": text}},
            {"type": "actions", "elements": [button]},
        ],
    })
}

/// The answer that keeps a dialog open
/// (<https://docs.slack.dev/surfaces/modals#displaying_errors>).
fn wrong(errors: &BTreeMap<&'static str, String>) -> Response<Body> {
    let errors: BTreeMap<_, _> = errors.iter().map(|(block, text)| (*block, cut(text.clone()))).collect();
    answer(StatusCode::OK, &json!({"response_action": "errors", "errors": errors}))
}
