//! Slack: what somebody types behind a slash command, and the buttons that they press
//! (<https://docs.slack.dev/interactivity/implementing-slash-commands>,
//! <https://docs.slack.dev/interactivity/handling-user-interaction>).
//!
//! A body is read once its signature is proved. Who somebody is, the configuration says by their Slack id; who
//! isn't in it can ask questions, and nothing else: nobody may become two people by a second way in.

mod command;
mod words;

use egress::config::Config;
use egress::domain::DomainPattern;
use egress::events::{
    Decision, DomainRequested, ExtensionRequested, GrantRevoked, Question, QuestionAsked, RequestDecided,
    RequestWithdrawn, VERSION,
};
use egress::request::{ReplyTo, RequestId};
use serde::Deserialize;

use crate::message::Message;

pub use command::{Command, CommandError};

/// The channel's name in the configuration and in reply addresses.
pub const CHANNEL: &str = "slack";
/// The only host that an answer is posted to.
const HOST: &str = "https://hooks.slack.com/";
/// The longest id of Slack's that is taken, in characters.
const LONGEST_ID: usize = 200;

/// What a body comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// Nothing has to be done: Slack looks whether somebody is there, or a button only opens a page.
    Nothing,
    /// Somebody is answered at once, and nothing is put on the bus.
    Answer(String),
    /// Somebody says something; who typed it is told that it is taken.
    Said(Box<Message>, Option<String>),
}

/// Why a body can't be what Slack sends, by the field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SlackError(String);

/// Who says something, and how they are answered.
struct Speaker {
    /// The person, where the configuration knows them.
    person: Option<String>,
    /// Their id in Slack.
    user_id: String,
    /// The same when Slack's message is sent again.
    key: String,
    reply_to: ReplyTo,
}

/// A press on a button, as far as it is of use.
#[derive(Deserialize)]
struct Payload {
    #[serde(rename = "type")]
    kind: String,
    user: User,
    trigger_id: String,
    response_url: Option<String>,
    #[serde(default)]
    actions: Vec<Press>,
}

#[derive(Deserialize)]
struct User {
    id: String,
}

#[derive(Deserialize)]
struct Press {
    action_id: String,
    #[serde(default)]
    value: String,
}

/// Reads a body: a form, as HTML has them.
pub fn read(body: &[u8], config: &Config) -> Result<Heard, SlackError> {
    let field = |name: &str| {
        let mut fields = form_urlencoded::parse(body);
        fields.find(|(field, _)| field == name).map(|(_, value)| value.into_owned())
    };
    if field("ssl_check").is_some() {
        return Ok(Heard::Nothing);
    }
    if let Some(payload) = field("payload") {
        return pressed(&payload, config);
    }
    let needed = |name: &str| field(name).ok_or_else(|| SlackError(format!("{name} is missing")));
    let text = needed("text")?;
    let command = needed("command")?;
    let speaker =
        Speaker::of(needed("user_id")?, &needed("trigger_id")?, Some(needed("response_url")?), config)?;
    Ok(typed(&command, &text, speaker, config))
}

impl Speaker {
    fn of(
        user_id: String,
        trigger_id: &str,
        response_url: Option<String>,
        config: &Config,
    ) -> Result<Self, SlackError> {
        let is_id = |text: &str| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
            (1..=LONGEST_ID).contains(&text.len()) && text.bytes().all(plain)
        };
        for (name, id) in [("user_id", user_id.as_str()), ("trigger_id", trigger_id)] {
            if !is_id(id) {
                return Err(SlackError(format!("{name} is not an id")));
            }
        }
        let to = response_url.filter(|url| url.starts_with(HOST) && url.len() <= 2_000);
        let to = to.ok_or_else(|| SlackError(format!("response_url is not of {HOST}")))?;
        let person = config.person(CHANNEL, &user_id).map(str::to_owned);
        let reply_to = ReplyTo { via: CHANNEL.to_owned(), to };
        Ok(Self { person, user_id, key: format!("slack:{trigger_id}"), reply_to })
    }

    /// Their name on the bus. One who isn't known is nobody's other name.
    fn name(&self) -> String {
        self.person.clone().unwrap_or_else(|| format!("slack:{}", self.user_id))
    }
}

/// What somebody has typed.
fn typed(command: &str, text: &str, speaker: Speaker, config: &Config) -> Heard {
    let said = match Command::parse(text) {
        Ok(None) => return Heard::Answer(words::help(command)),
        Ok(Some(said)) => said,
        Err(error) => return Heard::Answer(words::not_understood(command, &error.to_string())),
    };
    let asks = matches!(said, Command::Status(_) | Command::Why(_) | Command::List(_));
    if speaker.person.is_none() && !asks {
        return Heard::Answer(words::unknown_person(&speaker.user_id));
    }
    if let Command::Request { domains, .. } = &said
        && let Some(answer) = what_can_t_be_asked_for(command, domains, config)
    {
        return Heard::Answer(answer);
    }
    let message = message(said, speaker);
    if let Err(error) = message.check() {
        return Heard::Answer(words::not_understood(command, &error.to_string()));
    }
    let taken = words::taken(&message);
    Heard::Said(Box::new(message), Some(taken))
}

/// Names the domains that can't be granted, and what is left to ask for; nothing is asked for in part.
fn what_can_t_be_asked_for(command: &str, domains: &[String], config: &Config) -> Option<String> {
    let mut reasons = Vec::new();
    let mut good = Vec::new();
    for domain in domains {
        match DomainPattern::requested(domain, &config.denied_domains) {
            Ok(_) => good.push(domain.as_str()),
            Err(reason) => reasons.push(reason.to_string()),
        }
    }
    (!reasons.is_empty()).then(|| words::bad_domains(command, &reasons, &good))
}

fn message(said: Command, speaker: Speaker) -> Message {
    let by = speaker.name();
    let Speaker { key: message_key, reply_to, .. } = speaker;
    let (version, reply_to) = (VERSION, Some(reply_to));
    let ask = |question| {
        let (by, message_key, reply_to) = (by.clone(), message_key.clone(), reply_to.clone());
        Message::Ask(QuestionAsked { version, message_key, by, question, reply_to })
    };
    match said {
        Command::Request { domains, preset, duration, ticket, because } => {
            Message::Request(DomainRequested {
                version,
                message_key,
                requester: by,
                domains,
                preset,
                justification: because,
                ticket,
                duration_seconds: duration,
                break_glass: None,
                reply_to,
            })
        }
        Command::Extend { id, duration, because } => Message::Extend(ExtensionRequested {
            version,
            message_key,
            request_id: id,
            requester: by,
            justification: because,
            duration_seconds: duration,
            reply_to,
        }),
        Command::Decide { id, decision, comment } => {
            let (request_id, approver) = (id, by);
            Message::Decide(RequestDecided {
                version,
                message_key,
                request_id,
                decision,
                approver,
                comment,
                reply_to,
            })
        }
        Command::Revoke { id, because } => Message::Revoke(GrantRevoked {
            version,
            message_key,
            request_id: id,
            by,
            reason: because,
            reply_to,
        }),
        Command::Withdraw(request_id) => {
            Message::Withdraw(RequestWithdrawn { version, message_key, request_id, by, reply_to })
        }
        Command::Status(request_id) => ask(Question::Status { request_id }),
        Command::Why(host) => ask(Question::Why { host }),
        Command::List(which) => ask(Question::List { which }),
    }
}

/// What somebody has pressed. The first button counts; Slack sends one at a time.
fn pressed(payload: &str, config: &Config) -> Result<Heard, SlackError> {
    let payload: Payload =
        serde_json::from_str(payload).map_err(|error| SlackError(format!("payload: {error}")))?;
    let Payload { kind, user, trigger_id, response_url, actions } = payload;
    let Some(press) = actions.into_iter().next().filter(|_| kind == "block_actions") else {
        return Ok(Heard::Nothing);
    };
    let id = || {
        RequestId::try_from(press.value.clone())
            .map_err(|_| SlackError("value is no request's id".to_owned()))
    };
    let said = match press.action_id.as_str() {
        "egress.approve" => Command::Decide { id: id()?, decision: Decision::Approve, comment: None },
        "egress.deny" => Command::Decide { id: id()?, decision: Decision::Deny, comment: None },
        "egress.withdraw" => Command::Withdraw(id()?),
        _ => return Ok(Heard::Nothing),
    };
    let speaker = Speaker::of(user.id, &trigger_id, response_url, config)?;
    if speaker.person.is_none() {
        tracing::warn!(user_id = speaker.user_id, "somebody who isn't known has pressed a button");
        return Ok(Heard::Nothing);
    }
    Ok(Heard::Said(Box::new(message(said, speaker)), None))
}
