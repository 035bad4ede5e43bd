//! HTTP calls to other systems: whole bodies out, whole answers in, each within a time and a size.
//!
//! Neither errors nor the client's `Debug` hold a URL: some are credentials. Redirections are not followed, since
//! a body is meant for the one it was sent to.

use std::io;
use std::time::Duration;

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT};
use hyper::{Request, Response, Uri};
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

pub use hyper::{Method, StatusCode};

use crate::aws::with_causes;
use crate::http::Http;

/// The largest answer that is read, in bytes. Slack answers with the whole message, all but ASCII written in six
/// bytes a character.
const LARGEST_ANSWER: usize = 256 * 1_024;
/// Who calls. GitHub takes nothing from who doesn't say
/// (<https://docs.github.com/rest/using-the-rest-api/getting-started-with-the-rest-api#user-agent>).
const NAME: HeaderValue = HeaderValue::from_static("studio-egress");

/// Makes calls: to `https://`, and to a stand-in on the same machine at `http://127.0.0.1:…`.
#[derive(Debug)]
pub struct Web {
    http: Http,
    limit: Duration,
}

/// What was answered, whatever it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// How long to wait before the next call, where the answer says so (RFC 9110, 10.2.3).
    pub retry_after: Option<Duration>,
    /// The body.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// The root certificates can't be read.
    #[error("the root certificates can't be read: {0}")]
    NoRoots(io::Error),
    /// The URL is none that may be called.
    #[error("the URL is neither https:// nor that of a stand-in on this machine")]
    Url,
    /// A header can't be sent: a line break in a secret, for one.
    #[error("the header {0} can't be sent")]
    Header(String),
    /// No connection, or it broke. Whether the call was received is not known.
    #[error("the call failed: {0}")]
    Broken(String),
    /// No whole answer in time. Whether the call was received is not known.
    #[error("there was no answer in {0:?}")]
    TooSlow(Duration),
    /// An answer that is larger than any that is expected.
    #[error("the answer, {0}, has more than {LARGEST_ANSWER} bytes")]
    TooLarge(StatusCode),
}

impl Web {
    /// Makes calls that take so long at most, their answers read. Nothing is loaded before the first one: the root
    /// certificates would delay a function's start.
    pub fn new(limit: Duration) -> Self {
        Self { http: Http::default(), limit }
    }

    /// Makes one call. An answer of whatever status is an answer.
    pub async fn send(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<Answer, WebError> {
        let client = self.http.client().map_err(WebError::NoRoots)?;
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = method;
        *request.uri_mut() = callable(url)?;
        *request.headers_mut() = header_map(headers)?;
        let answered = async {
            let response = client.request(request).await;
            read(response.map_err(|error| WebError::Broken(with_causes(&error)))?).await
        };
        timeout(self.limit, answered).await.map_err(|_| WebError::TooSlow(self.limit))?
    }
}

impl Answer {
    /// The body as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }
}

/// The URL, where it may be called: what is not encrypted doesn't leave the machine.
fn callable(url: &str) -> Result<Uri, WebError> {
    let uri: Uri = url.parse().map_err(|_| WebError::Url)?;
    match (uri.scheme_str(), uri.host()) {
        (Some("https"), Some(_)) | (Some("http"), Some("127.0.0.1")) => Ok(uri),
        _ => Err(WebError::Url),
    }
}

fn header_map(headers: &[(&str, &str)]) -> Result<HeaderMap, WebError> {
    let mut map = HeaderMap::from_iter([(USER_AGENT, NAME)]);
    for (name, value) in headers {
        let wrong = || WebError::Header((*name).to_owned());
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
        let mut value = HeaderValue::from_str(value).map_err(|_| wrong())?;
        value.set_sensitive(true);
        map.insert(key, value);
    }
    Ok(map)
}

async fn read(response: Response<Incoming>) -> Result<Answer, WebError> {
    let (head, body) = response.into_parts();
    let retry_after = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after = retry_after.and_then(|value| pause(value, Timestamp::now()));
    let body = Limited::new(body, LARGEST_ANSWER).collect().await;
    let body = body.map_err(|error| {
        if error.is::<LengthLimitError>() {
            WebError::TooLarge(head.status)
        } else {
            WebError::Broken(with_causes(error.as_ref()))
        }
    })?;
    let body = body.to_bytes().to_vec();
    Ok(Answer { status: head.status, retry_after, body })
}

/// How long `Retry-After` says to wait: seconds, or a time.
fn pause(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
    Some(Duration::try_from(at.duration_since(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_the_machine_that_is_not_encrypted() {
        for good in ["https://slack.com/api/x", "http://127.0.0.1:8080/x", "HTTPS://slack.com/"] {
            assert!(callable(good).is_ok(), "{good}");
        }
        for wrong in [
            "http://slack.com/",
            "http://127.0.0.1:1@slack.com/",
            "http://127.0.0.1.slack.com/",
            "http://localhost/",
            "ftp://127.0.0.1/",
            "/x",
            "slack.com",
            "",
        ] {
            assert!(callable(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_pause_is_in_seconds_or_until_a_time() {
        let now = "1994-11-06T08:49:00Z".parse().unwrap();
        let seconds = |value: &str| pause(value, now).map(|pause| pause.as_secs());
        assert_eq!(seconds("120"), Some(120));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:49:37 GMT"), Some(37));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:48:37 GMT"), Some(0));
        assert_eq!((seconds("soon"), seconds("-1"), seconds("")), (None, None, None));
    }

    #[test]
    fn a_header_is_one_line_and_is_not_shown() {
        let map = header_map(&[("authorization", "Bearer hidden"), ("user-agent", "me")]).unwrap();
        assert_eq!(map.get("user-agent").unwrap(), "me");
        assert!(!format!("{map:?}").contains("hidden"));
        for (name, value) in [("authorization", "two\nlines"), ("a name", "x")] {
            let error = header_map(&[(name, value)]).unwrap_err().to_string();
            assert_eq!(error, format!("the header {name} can't be sent"));
        }
    }
}
