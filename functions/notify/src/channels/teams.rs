//! Microsoft Teams, by the Bot Connector
//! (<https://learn.microsoft.com/azure/bot-service/rest-api/bot-framework-rest-connector-api-reference>). A message in
//! a channel begins a thread, for which there is a call of its own; what it answers is measured at
//! <https://github.com/microsoft/teams.net/blob/main/docs/CreateConversation-API-Behavior.md>.

use std::sync::{Mutex, PoisonError};

use egress::config::Config;
use egress::web::{Answer, Method, StatusCode, Web};
use jiff::{SignedDuration, Timestamp};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::thread::{self, Chat, Standing};
use super::{ONE_CALL, misled};
use crate::batch::Teller;
use crate::ledger::{Ledger, Spot};
use crate::notice::Notice;
use crate::render::teams;
use crate::routing::Destination;
use crate::secrets::Secret;
use crate::undelivered::{Undelivered, successful};

const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
/// What a bot's token is for
/// (<https://learn.microsoft.com/azure/bot-service/rest-api/bot-framework-rest-connector-authentication>).
const SCOPE: &str = "https://api.botframework.com/.default";
/// So long before its end a token isn't used any more.
const BEFORE_ITS_END: SignedDuration = SignedDuration::from_mins(5);

/// Teams, in the name of one bot.
#[derive(Debug)]
pub struct TeamsChannel<L, S> {
    config: Config,
    ledger: L,
    credentials: S,
    web: Web,
    token: Mutex<Option<Token>>,
}

/// What the secret holds.
#[derive(Deserialize)]
struct Credentials {
    tenant_id: String,
    client_id: String,
    client_secret: String,
}

#[derive(Debug, Clone)]
struct Token {
    authorization: SecretString,
    tenant_id: String,
    good_until: Timestamp,
}

#[derive(Deserialize)]
struct Login {
    access_token: String,
    /// In seconds.
    expires_in: i64,
}

/// What the Bot Connector answers about what was posted.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sent {
    /// The activity; of a new thread, the conversation.
    id: String,
    /// The activity that begins a new thread.
    activity_id: Option<String>,
}

impl<L: Ledger + Sync, S: Secret + Sync> TeamsChannel<L, S> {
    /// Teams, by the credentials of a bot: JSON with `tenant_id`, `client_id` and `client_secret`.
    pub fn new(config: Config, ledger: L, credentials: S) -> Self {
        Self { config, ledger, credentials, web: Web::new(ONE_CALL), token: Mutex::default() }
    }

    async fn token(&self, now: Timestamp) -> Result<Token, Undelivered> {
        let kept = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(token) = kept.filter(|token| now < token.good_until) {
            return Ok(token);
        }
        let token = self.log_in(now).await?;
        self.keep(Some(token.clone()));
        Ok(token)
    }

    fn keep(&self, token: Option<Token>) {
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = token;
    }

    async fn log_in(&self, now: Timestamp) -> Result<Token, Undelivered> {
        let secret = self.credentials.read().await?;
        // The parser's own words would quote the secret.
        let credentials: Credentials = serde_json::from_str(secret.expose_secret()).map_err(|_| {
            Undelivered::never("the secret is not JSON with tenant_id, client_id and client_secret")
        })?;
        let tenant = part(&credentials.tenant_id);
        let url = self.config.teams.login.join(&format!("{tenant}/oauth2/v2.0/token"));
        let answer = self.web.send(Method::POST, &url, &[FORM], credentials.form()).await?;
        let login: Login = successful(answer)?
            .json()
            .map_err(|_| Undelivered::later("the login was answered without a token"))?;
        let lifetime = SignedDuration::from_secs(login.expires_in) - BEFORE_ITS_END;
        let good_until = now.saturating_add(lifetime).unwrap_or(now);
        let authorization = format!("Bearer {}", login.access_token).into();
        Ok(Token { authorization, tenant_id: credentials.tenant_id, good_until })
    }

    /// A call of the Bot Connector, whatever is answered. A token that isn't taken is not used again.
    async fn call(
        &self,
        method: Method,
        path: &str,
        body: &Value,
        token: &Token,
    ) -> Result<Answer, Undelivered> {
        let url = self.config.teams.service.join(path);
        let headers = [JSON, ("authorization", token.authorization.expose_secret())];
        let answer = self.web.send(method, &url, &headers, body.to_string().into_bytes()).await?;
        if answer.status == StatusCode::UNAUTHORIZED {
            self.keep(None);
            return Err(Undelivered::later("the bot's token was not taken"));
        }
        Ok(answer)
    }

    /// Begins a thread in a channel, or writes into a conversation that is there.
    async fn send(&self, conversation: &str, activity: &Value, now: Timestamp) -> Result<Spot, Undelivered> {
        let token = self.token(now).await?;
        if !is_channel(conversation) {
            let answer = self.call(Method::POST, &activities(conversation), activity, &token).await?;
            let Sent { id, .. } = sent(&successful(answer)?)?;
            return Ok(Spot { conversation: conversation.to_owned(), message: id });
        }
        let begin = json!({
            "isGroup": true, "channelData": {"channel": {"id": conversation}}, "tenantId": token.tenant_id,
            "activity": activity,
        });
        let answer = self.call(Method::POST, "v3/conversations", &begin, &token).await?;
        match sent(&successful(answer)?)? {
            Sent { id, activity_id: Some(message) } => Ok(Spot { conversation: id, message }),
            Sent { activity_id: None, .. } => Err(Undelivered::never("the new thread has no activityId")),
        }
    }
}

impl Credentials {
    /// What is asked with for a token.
    fn form(&self) -> Vec<u8> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials").append_pair("scope", SCOPE);
        form.append_pair("client_id", &self.client_id).append_pair("client_secret", &self.client_secret);
        form.finish().into_bytes()
    }
}

impl<L: Ledger + Sync, S: Secret + Sync> Teller for TeamsChannel<L, S> {
    async fn tell(&self, to: &Destination, notice: &Notice, now: Timestamp) -> Result<(), Undelivered> {
        thread::tell(self, &self.ledger, to, notice, now).await
    }
}

impl<L: Ledger + Sync, S: Secret + Sync> Chat for TeamsChannel<L, S> {
    async fn post(&self, to: &Destination, notice: &Notice, now: Timestamp) -> Result<Spot, Undelivered> {
        let Destination::Teams(conversation) = to else { return Err(misled(to)) };
        self.send(conversation, &teams::message(notice), now).await
    }

    async fn edit(
        &self,
        spot: &Spot,
        _: &Destination,
        notice: &Notice,
        now: Timestamp,
    ) -> Result<Standing, Undelivered> {
        let path = format!("{}/{}", activities(&spot.conversation), part(&spot.message));
        let token = self.token(now).await?;
        standing(self.call(Method::PUT, &path, &teams::message(notice), &token).await?)
    }

    async fn reply(&self, spot: &Spot, notice: &Notice, now: Timestamp) -> Result<Standing, Undelivered> {
        let token = self.token(now).await?;
        let path = activities(&spot.conversation);
        standing(self.call(Method::POST, &path, &teams::entry(notice), &token).await?)
    }
}

/// Whether a conversation is a channel, in which a message begins a thread; a thread in it is none.
fn is_channel(conversation: &str) -> bool {
    conversation.ends_with("@thread.tacv2") || conversation.ends_with("@thread.skype")
}

fn activities(conversation: &str) -> String {
    format!("v3/conversations/{}/activities", part(conversation))
}

/// A part of a path.
fn part(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn sent(answer: &Answer) -> Result<Sent, Undelivered> {
    // Sent again, it would stand there twice.
    answer.json().map_err(|error| Undelivered::never(format!("what was posted has no id: {error}")))
}

fn standing(answer: Answer) -> Result<Standing, Undelivered> {
    if answer.status == StatusCode::NOT_FOUND {
        return Ok(Standing::Gone);
    }
    successful(answer).map(|_| Standing::There)
}
