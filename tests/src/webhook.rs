//! A ticket system, as far as intake sees one: it signs what it sends.

use std::time::Duration;

use anyhow::Context;
use hmac::{Hmac, KeyInit, Mac};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use jiff::Timestamp;
use serde_json::Value;
use sha2::Sha256;

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(30);

/// The way to intake's URL: nothing resolves its name here.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    client: Client<HttpConnector, Full<Bytes>>,
    /// Where it is connected to.
    endpoint: String,
    /// The host of the function's URL.
    host: String,
}

/// A sender of signed webhooks.
#[derive(Debug)]
pub struct Webhook {
    door: Door,
    secret: String,
}

/// What intake answered.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body, `null` when it isn't JSON.
    pub body: Value,
}

impl Door {
    /// The way to a function's `url` at the local AWS's `endpoint`.
    pub(crate) fn new(endpoint: &str, url: &str) -> anyhow::Result<Self> {
        let host = url.split("://").nth(1).and_then(|rest| rest.split('/').next());
        let host = host.with_context(|| format!("{url} is not a URL"))?.to_owned();
        let client = Client::builder(TokioExecutor::new()).build_http();
        Ok(Self { client, endpoint: endpoint.to_owned(), host })
    }

    /// Posts a body.
    pub(crate) async fn post(
        &self,
        path: &str,
        content_type: &str,
        headers: &[(&str, String)],
        body: String,
    ) -> anyhow::Result<Answer> {
        let request = hyper::Request::post(format!("{}{path}", self.endpoint));
        let request = request.header("host", &self.host).header("content-type", content_type);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
        let answer = tokio::time::timeout(LIMIT, self.client.request(request.body(Full::from(body))?));
        let answer = answer.await.context("intake does not answer")??;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await?.to_bytes();
        Ok(Answer { status, body: serde_json::from_slice(&body).unwrap_or_default() })
    }
}

impl Webhook {
    /// A sender that reaches a function's `url` at the local AWS's `endpoint`.
    pub fn new(endpoint: &str, url: &str, secret: String) -> anyhow::Result<Self> {
        Ok(Self { door: Door::new(endpoint, url)?, secret })
    }

    /// The same sender, with another secret.
    #[must_use]
    pub fn with_secret(&self, secret: &str) -> Self {
        Self { door: self.door.clone(), secret: secret.to_owned() }
    }

    /// Sends a body as one delivery, signed now.
    pub async fn send(&self, delivery: &str, body: &Value) -> anyhow::Result<Answer> {
        let body = body.to_string();
        let timestamp = Timestamp::now().as_second().to_string();
        let signature = sign(&self.secret, &format!("{timestamp}.{delivery}.{body}"))?;
        let headers = [
            ("x-egress-timestamp", timestamp),
            ("x-egress-delivery", delivery.to_owned()),
            ("x-egress-signature", format!("v1={signature}")),
        ];
        self.door.post("/webhook", "application/json", &headers, body).await
    }
}

/// The HMAC-SHA256 of a text, in hexadecimal.
pub(crate) fn sign(secret: &str, text: &str) -> anyhow::Result<String> {
    Ok(hex::encode(mac(secret.as_bytes(), text.as_bytes())?))
}

/// The HMAC-SHA256 of a text.
pub(crate) fn mac(key: &[u8], text: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key)?;
    mac.update(text);
    Ok(mac.finalize().into_bytes().to_vec())
}
