//! Teams: what somebody says to an outgoing webhook, by mentioning it
//! (<https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-outgoing-webhook>). Teams
//! waits five seconds for an answer, which all in the channel read.

mod text;

use egress::bus::Bus;
use egress::config::Config;
use egress::request::ReplyTo;
use jiff::Timestamp;
use lambda_http::http::StatusCode;
use lambda_http::{Body, Request, Response};
use serde::Deserialize;
use serde_json::json;

use crate::command::Command;
use crate::message::Message;
use crate::refusal::{Refusal, answer, bare};
use crate::secrets::{SecretCache, SecretSource};
use crate::signature::{self, Claim};
use crate::speaker::{Objection, Speaker};
use crate::words::{NOT_NOW, Voice};
use crate::{Intake, JSON, check_form, prove};

/// The channel's name in the configuration and in reply addresses.
const CHANNEL: &str = "teams";
/// The longest ids that are taken, in bytes: both stand in the message's key.
const LONGEST_CONVERSATION: usize = 180;
const LONGEST_ID: usize = 60;

/// To who has no id in Entra.
const NOBODY: &str = "Teams doesn't say who you are: guests from elsewhere can't ask here.";

/// A message, as far as it is of use
/// (<https://learn.microsoft.com/azure/bot-service/rest-api/bot-framework-rest-connector-api-reference#activity-object>).
#[derive(Deserialize)]
struct Activity {
    #[serde(rename = "type")]
    kind: String,
    id: String,
    timestamp: Timestamp,
    #[serde(default)]
    text: String,
    from: Person,
    conversation: Conversation,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Person {
    /// The id in Entra. The other one, `id`, is another one for each bot.
    aad_object_id: Option<String>,
}

#[derive(Deserialize)]
struct Conversation {
    id: String,
}

impl<B: Bus, S: SecretSource> Intake<B, S> {
    /// Teams shows people the text of an answer of 200, and an error of its own for all others.
    pub(crate) async fn take_from_teams(
        &self,
        secrets: &SecretCache<S>,
        request: &Request,
        now: Timestamp,
    ) -> Result<Response<Body>, Refusal> {
        check_form(request, JSON)?;
        let (headers, body): (_, &[u8]) = (request.headers(), request.body().as_ref());
        let claim = Claim::teams(headers, body).map_err(|error| Refusal::unproved(&error))?;
        prove(secrets, now, |secrets| Ok(claim.is_by(secrets, now))).await?;
        let activity: Activity =
            serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_slice(body))
                .map_err(|error| Refusal::wrong(&error))?;
        // Who sends again what was proved once is nobody.
        signature::is_now(activity.timestamp, now).map_err(|error| Refusal::unproved(&error))?;
        if activity.kind != "message" {
            return Ok(bare(StatusCode::OK));
        }
        let (message, text) = activity.heard(&self.config)?;
        let published = match &message {
            Some(message) => self.publish(message).await,
            None => Ok(()),
        };
        let text = match published {
            Ok(()) => text,
            Err(Refusal::NotNow(reason)) => {
                tracing::error!(reason, "not published");
                NOT_NOW.to_owned()
            }
            Err(refusal) => return Err(refusal),
        };
        Ok(answer(StatusCode::OK, &json!({"type": "message", "text": text})))
    }
}

impl Activity {
    /// What somebody says, where it can be taken, and what they read.
    fn heard(&self, config: &Config) -> Result<(Option<Message>, String), Refusal> {
        let said = text::said(&self.text);
        let voice = Voice::teams(&said.to);
        let Some(user_id) = &self.from.aad_object_id else { return Ok((None, NOBODY.to_owned())) };
        let speaker = self.speaker(user_id, config)?;
        let message = match Command::parse(&said.text, None) {
            Ok(Some(command)) => speaker.says(command, config),
            Ok(None) => Err(Objection::Help),
            Err(error) => Err(Objection::Unclear(error.to_string())),
        };
        Ok(match message {
            Ok(message) => {
                let taken = voice.taken(&message);
                (Some(message), taken)
            }
            Err(objection) => (None, voice.objection(&objection)),
        })
    }

    fn speaker(&self, user_id: &str, config: &Config) -> Result<Speaker, Refusal> {
        let conversation = &self.conversation.id;
        let ids = [
            ("from.aadObjectId", user_id, LONGEST_ID),
            ("id", &self.id, LONGEST_ID),
            ("conversation.id", conversation, LONGEST_CONVERSATION),
        ];
        for (name, id, longest) in ids {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b":@._-;=".contains(&byte);
            if !(1..=longest).contains(&id.len()) || !id.bytes().all(plain) {
                return Err(Refusal::wrong(&format!("{name} is not an id")));
            }
        }
        Ok(Speaker {
            person: config.person(CHANNEL, user_id).map(str::to_owned),
            channel: CHANNEL.to_owned(),
            id: user_id.to_owned(),
            // An activity's id is a time, and its own only within its conversation.
            key: format!("{CHANNEL}:{conversation}:{}", self.id),
            reply_to: ReplyTo { via: CHANNEL.to_owned(), to: conversation.clone() },
        })
    }
}
