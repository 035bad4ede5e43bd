//! Signed webhooks from chat and ticket systems become events on the bus.
//!
//! - [`signature`]: who sent it, and when.
//! - [`secrets`]: the secret that signs; for a day after its rotation also the one before.
//! - [`webhook`]: what it says, as one of the bus's events.
//!
//! Nothing of a body is read before it is proved, and nothing is decided here: that a domain can't be
//! granted is found, told and written down where requests are.

pub mod secrets;
pub mod signature;
pub mod webhook;

use egress::bus::Bus;
use egress::request::RequestId;
use jiff::Timestamp;
use lambda_http::http::header::{ALLOW, CONTENT_TYPE};
use lambda_http::http::{HeaderValue, Method, StatusCode};
use lambda_http::{Body, Request, Response};
use serde::Serialize;
use serde_json::json;
use tracing::field::display;

use secrets::{SecretCache, SecretSource};
use signature::Signed;
use webhook::Message;

/// Where webhooks are sent.
const PATH: &str = "/webhook";

/// The longest body that is looked at.
const MOST_BYTES: usize = 1_000_000;

/// The longest event that is published: `PutEvents` takes 256 KB with everything around it.
const LONGEST_DETAIL: usize = 200_000;

/// The function.
#[derive(Debug)]
pub struct Intake<B, S> {
    bus: B,
    secrets: SecretCache<S>,
}

/// Why a webhook isn't taken. The text is for its sender.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("webhooks are sent to {PATH}")]
    Path,
    #[error("webhooks are sent with POST")]
    Method,
    #[error("the body must be application/json")]
    ContentType,
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

impl<B: Bus, S: SecretSource> Intake<B, S> {
    /// The function with its edges.
    pub fn new(bus: B, secrets: S) -> Self {
        Self { bus, secrets: SecretCache::new(secrets) }
    }

    /// Takes one webhook and answers its sender.
    pub async fn handle(&self, request: Request, now: Timestamp) -> Response<Body> {
        match self.take(&request, now).await {
            Ok(message) => {
                let request_id = message.request_id();
                let id = request_id.as_ref().map(display);
                tracing::info!(request_id = id, action = message.action(), "accepted");
                answer(StatusCode::ACCEPTED, &Accepted { message_key: message.key(), request_id })
            }
            Err(refusal) => {
                let status = refusal.status();
                tracing::warn!(status = status.as_u16(), reason = %refusal, "refused");
                refusal.answer(status)
            }
        }
    }

    async fn take(&self, request: &Request, now: Timestamp) -> Result<Message, Refusal> {
        check_form(request)?;
        let body: &[u8] = request.body().as_ref();
        let signed =
            Signed::read(request.headers(), body, now).map_err(|e| Refusal::Unproved(e.to_string()))?;
        self.prove(&signed, now).await?;
        let delivery = signed.delivery().map_err(|error| Refusal::Wrong(error.to_string()))?;
        let message = Message::read(body, delivery).map_err(|error| Refusal::Wrong(error.to_string()))?;
        let event = message.event().map_err(|error| Refusal::Wrong(error.to_string()))?;
        if event.detail.to_string().len() > LONGEST_DETAIL {
            return Err(Refusal::TooLong);
        }
        self.bus.publish(&[event]).await.map_err(|error| Refusal::NotNow(error.to_string()))?;
        Ok(message)
    }

    /// Whether the secret signed this: the one that is known, or, after a rotation, the one that is now.
    async fn prove(&self, signed: &Signed<'_>, now: Timestamp) -> Result<(), Refusal> {
        let not_now = |error: secrets::SecretError| Refusal::NotNow(error.to_string());
        let known = self.secrets.known(now).await.map_err(not_now)?;
        if signed.is_by(&known, now) {
            return Ok(());
        }
        match self.secrets.newer(now).await.map_err(not_now)? {
            Some(secrets) if signed.is_by(&secrets, now) => Ok(()),
            _ => Err(Refusal::Unproved("the signature is not of this secret, delivery and body".to_owned())),
        }
    }
}

/// What can be refused at no cost.
fn check_form(request: &Request) -> Result<(), Refusal> {
    if request.uri().path() != PATH {
        return Err(Refusal::Path);
    }
    if request.method() != Method::POST {
        return Err(Refusal::Method);
    }
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = content_type.and_then(|text| text.split(';').next()).unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        return Err(Refusal::ContentType);
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
            Self::ContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
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
