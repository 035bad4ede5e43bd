//! The HTTP server under the stand-ins: what it is asked, what it answers.

use std::convert::Infallible;
use std::sync::Arc;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// A request, whole.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    /// The path as it came.
    pub(super) path: String,
    /// The path's parts after the stand-in's own prefix, decoded.
    pub(super) parts: Vec<String>,
    headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Call {
    async fn read(request: Request<Incoming>) -> hyper::Result<Self> {
        let (head, body) = request.into_parts();
        let path = head.uri.path().to_owned();
        let parts = path.split('/').filter(|part| !part.is_empty()).map(decoded).collect();
        let body = body.collect().await?.to_bytes();
        Ok(Self { method: head.method, path, parts, headers: head.headers, body })
    }

    /// A header's value, empty when it isn't there.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Whether the body says that it is JSON.
    pub(super) fn is_json(&self) -> bool {
        self.header("content-type").split(';').next().is_some_and(|kind| kind.trim() == "application/json")
    }

    /// The parts, to match on.
    pub(super) fn way(&self) -> Vec<&str> {
        self.parts.iter().map(String::as_str).collect()
    }
}

/// One part of a path, with its percent signs resolved.
fn decoded(part: &str) -> String {
    // The parser is for forms: what means something there, and not in a path, is hidden from it.
    let hidden = part.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    form_urlencoded::parse(hidden.as_bytes()).map(|(name, _)| name.into_owned()).collect()
}

/// What is answered.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) content: Content,
    /// In seconds.
    pub(super) retry_after: Option<u64>,
}

/// A body that is answered.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Content {
    Nothing,
    Text(String),
    Json(Value),
}

impl Reply {
    pub(super) fn json(status: u16, body: Value) -> Self {
        Self { status, content: Content::Json(body), retry_after: None }
    }

    pub(super) fn text(status: u16, body: &str) -> Self {
        Self { status, content: Content::Text(body.to_owned()), retry_after: None }
    }

    pub(super) fn empty(status: u16) -> Self {
        Self { status, content: Content::Nothing, retry_after: None }
    }

    /// It came too soon. The body is Slack's (`docs.slack.dev/apis/web-api/rate-limits`); the others read the
    /// header only.
    pub(super) fn too_many(retry_after: u64) -> Self {
        let reply = Self::json(429, json!({"ok": false, "error": "ratelimited"}));
        Self { retry_after: Some(retry_after), ..reply }
    }

    fn into_response(self) -> Response<Full<Bytes>> {
        let (kind, body) = match self.content {
            Content::Nothing => (None, Bytes::new()),
            Content::Text(text) => (Some("text/plain; charset=utf-8"), text.into()),
            Content::Json(body) => (Some("application/json; charset=utf-8"), body.to_string().into()),
        };
        let mut response = Response::new(Full::new(body));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        if let Some(kind) = kind {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// The connection is closed without an answer.
#[derive(Debug)]
pub(super) struct HungUp;

impl std::fmt::Display for HungUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("hung up without an answer")
    }
}

impl std::error::Error for HungUp {}

/// Serves connections until it is dropped.
pub(super) async fn serve<T: Future<Output = Result<Reply, HungUp>> + Send + 'static>(
    listener: TcpListener,
    answer: impl Fn(Call) -> T + Send + Sync + 'static,
) -> Infallible {
    let answer = Arc::new(answer);
    let mut connections = JoinSet::new();
    loop {
        // What keeps one connection from being taken is no reason to take no other.
        if let Ok((stream, _)) = listener.accept().await {
            connections.spawn(talk(stream, Arc::clone(&answer)));
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn talk<T: Future<Output = Result<Reply, HungUp>> + Send + 'static>(
    stream: TcpStream,
    answer: Arc<impl Fn(Call) -> T + Send + Sync + 'static>,
) {
    let service = service_fn(async |request| {
        let call = Call::read(request).await.map_err(|_| HungUp)?;
        answer(call).await.map(Reply::into_response)
    });
    // A client that goes away early is its own affair, and a fault closes the connection.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}
