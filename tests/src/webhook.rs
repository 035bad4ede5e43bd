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

/// A sender of signed webhooks.
#[derive(Debug)]
pub struct Webhook {
    client: Client<HttpConnector, Full<Bytes>>,
    /// Where it is connected to.
    endpoint: String,
    /// The host of the function's URL.
    host: String,
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

impl Webhook {
    /// A sender that reaches a function's `url` at the local AWS's `endpoint`: nothing resolves the name in
    /// that URL here.
    pub fn new(endpoint: &str, url: &str, secret: String) -> anyhow::Result<Self> {
        let host = url.split("://").nth(1).and_then(|rest| rest.split('/').next());
        let host = host.with_context(|| format!("{url} is not a URL"))?.to_owned();
        let client = Client::builder(TokioExecutor::new()).build_http();
        Ok(Self { client, endpoint: endpoint.to_owned(), host, secret })
    }

    /// The same sender, with another secret.
    #[must_use]
    pub fn with_secret(&self, secret: &str) -> Self {
        let (client, endpoint, host) = (self.client.clone(), self.endpoint.clone(), self.host.clone());
        Self { client, endpoint, host, secret: secret.to_owned() }
    }

    /// Sends a body as one delivery, signed now.
    pub async fn send(&self, delivery: &str, body: &Value) -> anyhow::Result<Answer> {
        let body = body.to_string();
        let timestamp = Timestamp::now().as_second().to_string();
        let signature = sign(&self.secret, &timestamp, delivery, &body)?;
        let request = hyper::Request::post(format!("{}/webhook", self.endpoint))
            .header("host", &self.host)
            .header("content-type", "application/json")
            .header("x-egress-timestamp", timestamp)
            .header("x-egress-delivery", delivery)
            .header("x-egress-signature", format!("v1={signature}"))
            .body(Full::from(body))?;
        let answer = tokio::time::timeout(LIMIT, self.client.request(request))
            .await
            .context("intake does not answer")??;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await?.to_bytes();
        Ok(Answer { status, body: serde_json::from_slice(&body).unwrap_or_default() })
    }
}

fn sign(secret: &str, timestamp: &str, delivery: &str, body: &str) -> anyhow::Result<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())?;
    mac.update(format!("{timestamp}.{delivery}.{body}").as_bytes());
    Ok(hex::encode(mac.finalize().into_bytes()))
}
