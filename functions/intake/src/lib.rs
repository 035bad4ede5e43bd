//! What chat and ticket systems send becomes events on the bus.
//!
//! - [`signature`]: who sent it, and when; [`secrets`]: what they sign with, for a day after a rotation also the one
//!   before.
//! - [`webhook`]: the signed webhook that any system can send; `slack`: slash commands, buttons and the dialog;
//!   `teams`: an outgoing webhook; `tickets`: what the adapters of the configuration read; [`partner`]: the same from
//!   a partner bus.
//! - [`command`]: what people type; `speaker`: who says it, and whether it can be taken from them; `words`: what they
//!   read at once.
//! - [`message`]: what somebody says, as one of the bus's events.
//!
//! Nothing of a body is read before it is proved, and nothing is decided here: whether something is granted is found,
//! told and written down where requests are. Whoever isn't proved hears a status, and nothing else.

pub mod command;
pub mod message;
pub mod partner;
mod refusal;
pub mod secrets;
pub mod signature;
mod slack;
mod speaker;
mod teams;
mod tickets;
pub mod webhook;
mod words;

use std::collections::BTreeMap;

use egress::adapter::AdapterError;
use egress::bus::{Bus, Event};
use egress::config::Config;
use egress::request::RequestId;
use jiff::Timestamp;
use lambda_http::http::header::CONTENT_TYPE;
use lambda_http::http::{Method, StatusCode};
use lambda_http::{Body, Request, Response};
use serde::Serialize;

use message::Message;
use refusal::{Refusal, answer};
use secrets::{SecretCache, SecretError, SecretSource, Secrets};
use signature::Claim;
use tickets::Adapter;

/// The longest body that is looked at, in bytes.
const MOST_BYTES: usize = 1_000_000;

/// The longest event that is published, in bytes: `PutEvents` takes 256 KB with everything around it.
const LONGEST_DETAIL: usize = 200_000;

/// What is said of an event that no bus would take.
const TOO_LONG: &str = "some field is far too long";

/// The media type of all but Slack.
const JSON: &str = "application/json";

/// The secrets of each way in; one without a secret isn't there.
#[derive(Debug)]
pub struct Keys<S> {
    /// Of the generic webhook.
    pub webhook: S,
    /// The signing secret of an app of Slack's.
    pub slack: Option<S>,
    /// The same app's bot token, by which dialogs are opened.
    pub slack_token: Option<S>,
    /// The token of an outgoing webhook of Teams'.
    pub teams: Option<S>,
    /// Those of ticket systems: JSON, an adapter's name for each.
    pub tickets: Option<S>,
}

/// The function.
#[derive(Debug)]
pub struct Intake<B, S> {
    bus: B,
    config: Config,
    webhook: SecretCache<S>,
    slack: Option<SecretCache<S>>,
    dialogs: Option<slack::Dialogs<S>>,
    teams: Option<SecretCache<S>>,
    tickets: Option<SecretCache<S>>,
    adapters: BTreeMap<String, Adapter>,
}

/// The answer to what was taken. What comes of it is told later, by the key of the message.
#[derive(Debug, Serialize)]
struct Accepted<'a> {
    message_key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<RequestId>,
}

impl<B: Bus, S: SecretSource> Intake<B, S> {
    /// The function with its edges. An adapter that can't be read keeps it from starting, used or not.
    pub fn new(bus: B, keys: Keys<S>, config: Config) -> Result<Self, AdapterError> {
        let Keys { webhook, slack, slack_token, teams, tickets } = keys;
        let adapters = config.adapters.iter().map(|(name, settings)| {
            let adapter = Adapter::new(name, settings)?;
            Ok((name.clone(), adapter))
        });
        Ok(Self {
            bus,
            webhook: SecretCache::new(webhook),
            slack: slack.map(SecretCache::new),
            dialogs: slack_token.map(|token| slack::Dialogs::new(token, config.slack.api.clone())),
            teams: teams.map(SecretCache::new),
            tickets: tickets.map(SecretCache::new),
            adapters: adapters.collect::<Result<_, _>>()?,
            config,
        })
    }

    /// Takes what was sent, and answers its sender.
    pub async fn handle(&self, request: Request, now: Timestamp) -> Response<Body> {
        let path = request.uri().path();
        let adapter = path.strip_prefix("/tickets/").and_then(|name| self.adapters.get(name));
        let taken = match (path, &self.slack, &self.teams, self.tickets.as_ref().zip(adapter)) {
            ("/webhook", ..) => self.take_webhook(&request, now).await,
            ("/slack", Some(secrets), ..) => self.take_from_slack(secrets, &request, now).await,
            ("/teams", _, Some(secrets), _) => self.take_from_teams(secrets, &request, now).await,
            (_, _, _, Some((secrets, adapter))) => self.take_ticket(secrets, adapter, &request, now).await,
            _ => Err(nothing_here()),
        };
        taken.unwrap_or_else(|refusal| refusal.answer())
    }

    async fn take_webhook(&self, request: &Request, now: Timestamp) -> Result<Response<Body>, Refusal> {
        check_form(request, JSON)?;
        let (headers, body): (_, &[u8]) = (request.headers(), request.body().as_ref());
        let claim = Claim::webhook(headers, body, now).map_err(|error| Refusal::unproved(&error))?;
        prove(&self.webhook, now, |secrets| Ok(claim.is_by(secrets, now))).await?;
        let delivery = signature::delivery(headers).map_err(|error| Refusal::wrong(&error))?;
        let message = webhook::message(body, delivery).map_err(|error| Refusal::wrong(&error))?;
        self.publish(&message).await?;
        Ok(accepted(&message))
    }

    async fn publish(&self, message: &Message) -> Result<(), Refusal> {
        let event = message.event().map_err(|error| Refusal::wrong(&error))?;
        if event.detail.to_string().len() > LONGEST_DETAIL {
            return Err(Refusal::Wrong(
                StatusCode::PAYLOAD_TOO_LARGE,
                "some field is far too long".to_owned(),
            ));
        }
        self.bus.publish(&[event]).await.map_err(|error| Refusal::NotNow(error.to_string()))?;
        let request_id = message.request_id();
        tracing::info!(request_id = request_id.as_ref().map(display), action = message.action(), "accepted");
        Ok(())
    }
}

/// Whether the secret proves this: the one that is known, or, after a rotation, the one that is now.
async fn prove<S: SecretSource>(
    cache: &SecretCache<S>,
    now: Timestamp,
    is_by: impl Fn(&Secrets) -> Result<bool, SecretError>,
) -> Result<(), Refusal> {
    let not_now = |error: SecretError| Refusal::Stranger(StatusCode::SERVICE_UNAVAILABLE, error.to_string());
    let known = cache.known(now).await.map_err(not_now)?;
    if is_by(&known).map_err(not_now)? {
        return Ok(());
    }
    match cache.newer(now).await.map_err(not_now)? {
        Some(newer) if is_by(&newer).map_err(not_now)? => Ok(()),
        _ => Err(Refusal::unproved(&"the signature, or the key, is not of this secret and what was sent")),
    }
}

/// Whether no bus would take an event.
fn is_too_long(event: &Event) -> bool {
    event.detail.to_string().len() > LONGEST_DETAIL
}

/// What can be refused at no cost.
fn check_form(request: &Request, media_type: &str) -> Result<(), Refusal> {
    let refused = |status, reason: String| Err(Refusal::Stranger(status, reason));
    if request.method() != Method::POST {
        return refused(StatusCode::METHOD_NOT_ALLOWED, format!("the method is {}", request.method()));
    }
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let given = content_type.and_then(|text| text.split(';').next()).unwrap_or_default().trim();
    if !given.eq_ignore_ascii_case(media_type) {
        return refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("the body is not {media_type}"));
    }
    if request.body().len() > MOST_BYTES {
        return refused(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is longer than {MOST_BYTES} bytes"));
    }
    Ok(())
}

fn nothing_here() -> Refusal {
    Refusal::Stranger(StatusCode::NOT_FOUND, "there is nothing at this path".to_owned())
}

fn accepted(message: &Message) -> Response<Body> {
    let accepted = Accepted { message_key: message.key(), request_id: message.request_id() };
    answer(StatusCode::ACCEPTED, &accepted)
}
