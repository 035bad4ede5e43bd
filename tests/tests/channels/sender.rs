//! Somebody who posts notices.

use std::time::Duration;

use anyhow::{Context, Result};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tests::channels::{Channels, Systems};

pub(super) const LIMIT: Duration = Duration::from_secs(10);
pub(super) const JSON: &str = "application/json; charset=utf-8";

/// Somebody who posts notices.
pub(super) struct Sender {
    client: Client<HttpConnector, Full<Bytes>>,
    pub(super) channels: Channels,
}

/// What came back.
#[derive(Debug, PartialEq)]
pub(super) struct Came {
    pub(super) status: u16,
    pub(super) retry_after: Option<String>,
    pub(super) body: Value,
}

impl Sender {
    pub(super) async fn start() -> Result<Self> {
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http();
        Ok(Self { client, channels: Channels::start().await? })
    }

    pub(super) async fn send(
        &self,
        method: &str,
        url: String,
        headers: &[(&str, &str)],
        body: String,
    ) -> Result<Came> {
        let request = hyper::Request::builder().method(method).uri(url);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let answer = self.client.request(request.body(Full::from(body))?).await?;
        let (head, body) = answer.into_parts();
        let body = body.collect().await?.to_bytes();
        let text = || Value::String(String::from_utf8_lossy(&body).into_owned());
        Ok(Came {
            status: head.status.as_u16(),
            retry_after: head.headers.get("retry-after").map(|value| value.to_str().unwrap().to_owned()),
            body: serde_json::from_slice(&body).unwrap_or_else(|_| text()),
        })
    }

    /// Calls a method of Slack.
    pub(super) async fn slack(&self, method: &str, body: &Value) -> Result<Came> {
        let headers = [("authorization", "Bearer xoxb-stand-in"), ("content-type", JSON)];
        self.send("POST", self.channels.slack_api() + method, &headers, body.to_string()).await
    }

    /// Calls it, and is told the error.
    pub(super) async fn slack_refuses(&self, method: &str, body: &Value) -> Result<String> {
        let came = self.slack(method, body).await?;
        assert_eq!((came.status, &came.body["ok"]), (200, &json!(false)), "{came:?}");
        Ok(came.body["error"].as_str().context("no error")?.to_owned())
    }

    /// Answers at a response URL.
    pub(super) async fn answer(&self, path: &str, body: &Value) -> Result<Came> {
        let url = self.channels.slack_answers() + path;
        self.send("POST", url, &[("content-type", JSON)], body.to_string()).await
    }

    /// Gets a token as a bot.
    pub(super) async fn token(&self, secret: &str) -> Result<Came> {
        let given = Systems::teams_secret();
        let (tenant, client) = (given["tenant_id"].as_str().unwrap(), given["client_id"].as_str().unwrap());
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials").append_pair("client_id", client);
        form.append_pair("client_secret", secret);
        form.append_pair("scope", "https://api.botframework.com/.default");
        let url = format!("{}{tenant}/oauth2/v2.0/token", self.channels.teams_login());
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        self.send("POST", url, &kind, form.finish()).await
    }

    /// Calls the Bot Connector with a new token.
    pub(super) async fn teams(&self, method: &str, path: &str, body: &Value) -> Result<Came> {
        let token = self.token("stand-in~secret").await?.body["access_token"].clone();
        let authorization = format!("Bearer {}", token.as_str().context("no token")?);
        let headers = [("authorization", authorization.as_str()), ("content-type", JSON)];
        self.send(method, self.channels.teams_service() + path, &headers, body.to_string()).await
    }

    /// Calls a ticket system.
    pub(super) async fn ticket(&self, system: &str, method: &str, url: String, body: &Value) -> Result<Came> {
        let authorizations = Systems::ticket_authorizations();
        let headers = [
            ("authorization", authorizations[system].as_str().context("no such system")?),
            ("content-type", JSON),
            ("user-agent", "stories"),
            ("accept", "application/vnd.github+json"),
        ];
        self.send(method, url, &headers, body.to_string()).await
    }

    pub(super) fn assert_nothing_forbidden(&self) {
        assert_eq!(self.channels.violations(), Vec::<String>::new());
    }
}
