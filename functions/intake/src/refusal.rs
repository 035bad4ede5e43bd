//! What isn't taken, and how its sender is answered.

use lambda_http::http::header::{ALLOW, CONTENT_TYPE};
use lambda_http::http::{HeaderValue, StatusCode};
use lambda_http::{Body, Response};
use serde::Serialize;
use serde_json::json;

/// Why something isn't taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// Of somebody who isn't proved: they hear the status alone; the text is for the log.
    #[error("{1}")]
    Stranger(StatusCode, String),
    /// What the sender reads.
    #[error("{1}")]
    Wrong(StatusCode, String),
    /// The sender hears that it should try again; the text is for the log.
    #[error("{0}")]
    NotNow(String),
}

impl Refusal {
    pub(crate) fn unproved(reason: &impl ToString) -> Self {
        Self::Stranger(StatusCode::UNAUTHORIZED, reason.to_string())
    }

    pub(crate) fn wrong(reason: &impl ToString) -> Self {
        Self::Wrong(StatusCode::BAD_REQUEST, reason.to_string())
    }

    pub(crate) fn answer(&self) -> Response<Body> {
        let answer = match self {
            Self::Stranger(status, _) => bare(*status),
            Self::Wrong(status, reason) => answer(*status, &json!({"error": reason})),
            Self::NotNow(_) => {
                let error = json!({"error": "it could not be taken now: send it again"});
                answer(StatusCode::SERVICE_UNAVAILABLE, &error)
            }
        };
        tracing::warn!(status = answer.status().as_u16(), reason = %self, "refused");
        match answer.status() {
            StatusCode::METHOD_NOT_ALLOWED => with_allowed(answer),
            _ => answer,
        }
    }
}

/// A 405 has to name the methods that are taken (RFC 9110, 15.5.6).
fn with_allowed(mut answer: Response<Body>) -> Response<Body> {
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    answer
}

/// A status, and nothing else.
pub(crate) fn bare(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = status;
    response
}

/// JSON.
pub(crate) fn answer<T: Serialize>(status: StatusCode, body: &T) -> Response<Body> {
    let mut response = bare(status);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    *response.body_mut() = Body::Text(json!(body).to_string());
    response
}
