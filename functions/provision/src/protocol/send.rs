//! The way of an answer to CloudFormation: one PUT of exactly what the presigned URL signs (an empty
//! content type, no chunks), again while the other side fails or is too busy, never again once it has
//! refused.

use std::time::Duration;

use egress::aws::with_causes;
use egress::http::Http;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Uri};
use tokio::time::{Instant, sleep, timeout_at};

use crate::backoff::Backoff;

/// How long one try may take.
const ONE_TRY: Duration = Duration::from_secs(10);

/// How much of S3's words for an error is read, in bytes; they are a tenth of it.
const LONGEST_ERROR: usize = 8_192;

/// Sends answers.
#[derive(Debug, Default)]
pub(crate) struct Sender {
    http: Http,
}

/// Why an answer didn't arrive. No variant holds the URL.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    #[error("the answer was refused with {0}: the ResponseURL is used up, expired, or not for this")]
    Refused(StatusCode),
    #[error("the answer could not be delivered in {tries} tries: {cause}")]
    Undelivered { tries: u32, cause: String },
    #[error("no answer can be sent: {0}")]
    NoClient(std::io::Error),
}

impl Sender {
    /// Sends an answer, as often as it takes until this moment.
    pub(crate) async fn send(&self, to: &Uri, body: Vec<u8>, until: Instant) -> Result<(), SendError> {
        let client = self.http.client().map_err(SendError::NoClient)?;
        let body = Bytes::from(body);
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        let mut tries = 0;
        loop {
            tries += 1;
            let limit = until.min(Instant::now() + ONE_TRY);
            let cause = match timeout_at(limit, client.request(put(to, &body))).await {
                Ok(Ok(response)) if response.status().is_success() => return Ok(()),
                Ok(Ok(response)) => {
                    let status = response.status();
                    if !may_pass(response, limit).await {
                        return Err(SendError::Refused(status));
                    }
                    format!("it was met with {status}")
                }
                Ok(Err(error)) => with_causes(&error),
                Err(_) => "nothing came back in time".to_owned(),
            };
            let pause = backoff.next_pause();
            if Instant::now() + pause >= until {
                return Err(SendError::Undelivered { tries, cause });
            }
            tracing::warn!(tries, cause, "the answer is sent again");
            sleep(pause).await;
        }
    }
}

/// Whether the next try may be met otherwise. S3's 400 is several errors; one of them says that the body
/// took too long to come.
async fn may_pass(response: Response<Incoming>, until: Instant) -> bool {
    match response.status() {
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => true,
        StatusCode::BAD_REQUEST => {
            let body = timeout_at(until, Limited::new(response.into_body(), LONGEST_ERROR).collect()).await;
            let Ok(Ok(body)) = body else { return true };
            String::from_utf8_lossy(&body.to_bytes()).contains("<Code>RequestTimeout</Code>")
        }
        status => status.is_server_error(),
    }
}

fn put(to: &Uri, body: &Bytes) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(body.clone()));
    *request.method_mut() = Method::PUT;
    *request.uri_mut() = to.clone();
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(""));
    request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    request
}
