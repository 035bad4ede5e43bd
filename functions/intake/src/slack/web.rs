//! Opening a dialog by Slack's Web API (<https://docs.slack.dev/reference/methods/views.open>).

use std::time::Duration;

use egress::config::BaseUrl;
use egress::web::{Method, Web, WebError};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use crate::secrets::{SecretCache, SecretError, SecretSource};

/// How long one call may take: a trigger lives no longer than Slack waits for an answer, three seconds.
const LIMIT: Duration = Duration::from_secs(2);

/// Opens dialogs.
#[derive(Debug)]
pub(crate) struct Dialogs<S> {
    token: SecretCache<S>,
    api: BaseUrl,
    web: Web,
}

/// Why a dialog wasn't opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DialogError {
    #[error(transparent)]
    Token(#[from] SecretError),
    #[error(transparent)]
    Web(#[from] WebError),
    /// By the name that Slack has for it.
    #[error("Slack says {0:?}")]
    Refused(String),
    #[error("Slack's answer can't be read, its status is {0}")]
    Unreadable(u16),
    #[error("it took too long")]
    TooSlow,
}

/// What Slack answers, with the status 200 to errors, too (<https://docs.slack.dev/apis/web-api/#responses>).
#[derive(Deserialize)]
struct Answered {
    ok: bool,
    #[serde(default)]
    error: String,
}

impl<S: SecretSource> Dialogs<S> {
    pub(crate) fn new(token: S, api: BaseUrl) -> Self {
        Self { token: SecretCache::new(token), api, web: Web::new(LIMIT) }
    }

    /// Opens a dialog for who has just done what the trigger is of.
    pub(crate) async fn open(
        &self,
        trigger_id: &str,
        view: Value,
        now: Timestamp,
        until: Instant,
    ) -> Result<(), DialogError> {
        let body = json!({"trigger_id": trigger_id, "view": view}).to_string().into_bytes();
        let opened = async {
            let token = self.token.known(now).await?;
            let authorization = format!("Bearer {}", token.current.expose_secret().trim());
            let headers = [
                ("authorization", authorization.as_str()),
                ("content-type", "application/json; charset=utf-8"),
            ];
            Ok(self.web.send(Method::POST, &self.api.join("views.open"), &headers, body).await?)
        };
        let answer = timeout_at(until, opened).await.unwrap_or(Err(DialogError::TooSlow))?;
        let answered: Answered =
            answer.json().map_err(|_| DialogError::Unreadable(answer.status.as_u16()))?;
        if answered.ok { Ok(()) } else { Err(DialogError::Refused(answered.error)) }
    }
}
