//! What chat and ticket systems send becomes events on the bus.
//!
//! - [`signature`]: who sent it, and when.
//! - [`secrets`]: the secrets that sign; for a day after a rotation also the one before.
//! - [`webhook`]: the signed webhook that any system can send; [`slack`]: slash commands and buttons.
//! - [`message`]: what somebody says, as one of the bus's events.
//!
//! Nothing of a body is read before it is proved, and nothing is decided here: that a domain can't be
//! granted is found, told and written down where requests are.

pub mod message;
pub mod secrets;
pub mod signature;
pub mod slack;
pub mod webhook;

use egress::bus::Bus;
use egress::config::Config;
use egress::request::RequestId;
use jiff::Timestamp;
use lambda_http::http::header::{ALLOW, CONTENT_TYPE};
use lambda_http::http::{HeaderValue, Method, StatusCode};
use lambda_http::{Body, Request, Response};
use serde::Serialize;
use serde_json::json;

use message::Message;
use secrets::{SecretCache, SecretSource};
use signature::Signed;
use slack::Heard;

/// The longest body that is looked at.
const MOST_BYTES: usize = 1_000_000;

/// The longest event that is published: `PutEvents` takes 256 KB with everything around it.
const LONGEST_DETAIL: usize = 200_000;

/// The function.
#[derive(Debug)]
pub struct Intake<B, S> {
    bus: B,
    webhook: SecretCache<S>,
    slack: Option<Slack<S>>,
}

/// What Slack needs.
#[derive(Debug)]
struct Slack<S> {
    secrets: SecretCache<S>,
    config: Config,
}

/// Where something is sent, and so who proves it and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    Webhook,
    Slack,
}

/// Why a webhook isn't taken. The text is for its sender.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("there is nothing here")]
    Path,
    #[error("send it with POST")]
    Method,
    #[error("the body must be {0}")]
    ContentType(&'static str),
    #[error("the body is longer than {MOST_BYTES} bytes, or has fields that are far too long")]
    TooLong,
    /// The sender hears the status alone; the text is for the log.
    #[error("{0}")]
    Unproved(String),
    #[error("{0}")]
    Wrong(String),
    /// The sender hears that it should try again; the text is for the log.
    #[error("{0}")]
    NotNow(String),
}

/// The answer to a webhook that was taken. What comes of it is told later, by the key of the message.
#[derive(Debug, Serialize)]
struct Accepted<'a> {
    message_key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<RequestId>,
}

impl Door {
    /// The one that is at this path.
    fn at(path: &str) -> Option<Self> {
        match path {
            "/webhook" => Some(Self::Webhook),
            "/slack" => Some(Self::Slack),
            _ => None,
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Webhook => "application/json",
            Self::Slack => "application/x-www-form-urlencoded",
        }
    }
}

impl<B: Bus, S: SecretSource> Intake<B, S> {
    /// The function with its edges.
    pub fn new(bus: B, webhook: S) -> Self {
        Self { bus, webhook: SecretCache::new(webhook), slack: None }
    }

    /// The same with an app of Slack's, by its signing secret.
    #[must_use]
    pub fn with_slack(self, secret: S, config: Config) -> Self {
        Self { slack: Some(Slack { secrets: SecretCache::new(secret), config }), ..self }
    }

    /// Takes what was sent, and answers its sender.
    pub async fn handle(&self, request: Request, now: Timestamp) -> Response<Body> {
        let taken = match (Door::at(request.uri().path()), &self.slack) {
            (Some(Door::Webhook), _) => self.take_webhook(&request, now).await,
            (Some(Door::Slack), Some(slack)) => self.take_from_slack(slack, &request, now).await,
            _ => Err(Refusal::Path),
        };
        taken.unwrap_or_else(|refusal| {
            let status = refusal.status();
            tracing::warn!(status = status.as_u16(), reason = %refusal, "refused");
            refusal.answer(status)
        })
    }

    async fn take_webhook(&self, request: &Request, now: Timestamp) -> Result<Response<Body>, Refusal> {
        check_form(request, Door::Webhook)?;
        let (headers, body): (_, &[u8]) = (request.headers(), request.body().as_ref());
        let signed =
            Signed::webhook(headers, body, now).map_err(|error| Refusal::Unproved(error.to_string()))?;
        prove(&self.webhook, &signed, now).await?;
        let wrong = |error: &dyn std::error::Error| Refusal::Wrong(error.to_string());
        let delivery = signature::delivery(headers).map_err(|error| wrong(&error))?;
        let message = webhook::message(body, delivery).map_err(|error| wrong(&error))?;
        self.publish(&message).await?;
        let accepted = Accepted { message_key: message.key(), request_id: message.request_id() };
        Ok(answer(StatusCode::ACCEPTED, &accepted))
    }

    /// Slack shows people nothing of an answer but that of 200, so whoever has typed something gets one.
    async fn take_from_slack(
        &self,
        slack: &Slack<S>,
        request: &Request,
        now: Timestamp,
    ) -> Result<Response<Body>, Refusal> {
        check_form(request, Door::Slack)?;
        let (headers, body): (_, &[u8]) = (request.headers(), request.body().as_ref());
        let signed =
            Signed::slack(headers, body, now).map_err(|error| Refusal::Unproved(error.to_string()))?;
        prove(&slack.secrets, &signed, now).await?;
        let heard = slack::read(body, &slack.config).map_err(|error| Refusal::Wrong(error.to_string()))?;
        let say = |text: &str| answer(StatusCode::OK, &json!({"response_type": "ephemeral", "text": text}));
        match heard {
            Heard::Nothing => Ok(bare(StatusCode::OK)),
            Heard::Answer(text) => Ok(say(&text)),
            Heard::Said(message, taken) => match (self.publish(&message).await, taken) {
                (Ok(()), Some(taken)) => Ok(say(&taken)),
                (Ok(()), None) => Ok(bare(StatusCode::OK)),
                (Err(Refusal::NotNow(reason)), Some(_)) => {
                    tracing::error!(reason, "not published");
                    Ok(say("That could not be taken now. Say it again in a moment."))
                }
                (Err(refusal), _) => Err(refusal),
            },
        }
    }

    async fn publish(&self, message: &Message) -> Result<(), Refusal> {
        let event = message.event().map_err(|error| Refusal::Wrong(error.to_string()))?;
        if event.detail.to_string().len() > LONGEST_DETAIL {
            return Err(Refusal::TooLong);
        }
        self.bus.publish(&[event]).await.map_err(|error| Refusal::NotNow(error.to_string()))?;
        let request_id = message.request_id();
        tracing::info!(request_id = request_id.as_ref().map(display), action = message.action(), "accepted");
        Ok(())
    }
}

/// Whether the secret signed this: the one that is known, or, after a rotation, the one that is now.
async fn prove<S: SecretSource>(
    secrets: &SecretCache<S>,
    signed: &Signed<'_>,
    now: Timestamp,
) -> Result<(), Refusal> {
    let not_now = |error: secrets::SecretError| Refusal::NotNow(error.to_string());
    let known = secrets.known(now).await.map_err(not_now)?;
    if signed.is_by(&known, now) {
        return Ok(());
    }
    match secrets.newer(now).await.map_err(not_now)? {
        Some(secrets) if signed.is_by(&secrets, now) => Ok(()),
        _ => Err(Refusal::Unproved("the signature is not of this secret, delivery and body".to_owned())),
    }
}

/// What can be refused at no cost.
fn check_form(request: &Request, door: Door) -> Result<(), Refusal> {
    if request.method() != Method::POST {
        return Err(Refusal::Method);
    }
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = content_type.and_then(|text| text.split(';').next()).unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case(door.media_type()) {
        return Err(Refusal::ContentType(door.media_type()));
    }
    if request.body().len() > MOST_BYTES {
        return Err(Refusal::TooLong);
    }
    Ok(())
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::Path => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::ContentType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unproved(_) => StatusCode::UNAUTHORIZED,
            Self::Wrong(_) => StatusCode::BAD_REQUEST,
            Self::NotNow(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn answer(&self, status: StatusCode) -> Response<Body> {
        let mut answer = match self {
            Self::Unproved(_) => bare(status),
            Self::NotNow(_) => answer(status, &json!({"error": "it could not be taken now: send it again"})),
            refusal => answer(status, &json!({"error": refusal.to_string()})),
        };
        if matches!(self, Self::Method) {
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        }
        answer
    }
}

fn bare(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = status;
    response
}

fn answer<T: Serialize>(status: StatusCode, body: &T) -> Response<Body> {
    let mut response = bare(status);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    *response.body_mut() = Body::Text(json!(body).to_string());
    response
}
