//! Who says something, and whether it can be taken from them: the same whichever way it came.
//!
//! Who somebody is, the configuration says by their id in the channel; who isn't in it can ask questions, and
//! nothing else: nobody may become two people by a second way in.

use std::time::Duration;

use egress::config::Config;
use egress::domain::DomainPattern;
use egress::events::{
    AlertsSilenced, CommandNotTaken, DomainRequested, ExtensionRequested, GrantRevoked, Question,
    QuestionAsked, RequestDecided, RequestWithdrawn, VERSION,
};
use egress::request::ReplyTo;
use egress::slack::Ask;
use egress::text::visible;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::command::{Command, Wish};
use crate::message::{Message, NOT_TAKEN};

/// How much is shown of the name of somebody, in characters: with its `…`, a name of the bus.
const LONGEST_NAME: usize = 255;

/// Who says something, and how they are answered.
#[derive(Debug, Clone)]
pub(crate) struct Speaker {
    /// The person, where the configuration knows them.
    pub(crate) person: Option<String>,
    /// Where they say it: `slack`, `teams`, or an adapter's name.
    pub(crate) channel: String,
    /// Their id there.
    pub(crate) id: String,
    /// The same when their message is sent again.
    pub(crate) key: String,
    /// Where they are answered.
    pub(crate) reply_to: ReplyTo,
}

/// Why something isn't taken. Its words are in [`crate::words`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Objection {
    /// They asked what can be said.
    Help,
    /// It means nothing.
    Unclear(String),
    /// It has something in it that can't be.
    Field {
        /// Where, as the bus calls it.
        field: Option<String>,
        /// What is wrong with it, with the field's name.
        reason: String,
    },
    /// The configuration doesn't know who says it.
    Stranger {
        /// Where they say it.
        channel: String,
        /// Their id there.
        id: String,
    },
    /// Domains that can't be granted.
    BadDomains {
        /// A sentence for each.
        reasons: Vec<String>,
        /// What is left to ask for.
        rest: Box<Ask>,
    },
}

impl Objection {
    /// What the function that a message is meant for would object to.
    pub(crate) fn to(message: &Message) -> Option<Self> {
        let error = message.check().err()?;
        Some(Self::Field { field: error.field(), reason: error.to_string() })
    }
}

impl Speaker {
    /// Their name on the bus. One who isn't known is nobody's other name.
    pub(crate) fn name(&self) -> String {
        self.person.clone().unwrap_or_else(|| format!("{}:{}", self.channel, self.id))
    }

    /// What they say, as a message that can be acted on. Nothing is asked for in part.
    pub(crate) fn says(&self, command: Command, config: &Config) -> Result<Message, Objection> {
        if !command.is_question() {
            self.is_known()?;
        }
        if let Command::Request(wish) = &command {
            all_can_be_granted(wish, config)?;
        }
        let message = self.message(command);
        Objection::to(&message).map_or(Ok(message), Err)
    }

    /// That they are somebody whom the configuration knows.
    pub(crate) fn is_known(&self) -> Result<(), Objection> {
        match self.person {
            Some(_) => Ok(()),
            None => Err(Objection::Stranger { channel: self.channel.clone(), id: self.id.clone() }),
        }
    }

    /// That what they said isn't taken, in words, for the place where they are answered.
    pub(crate) fn not_taken(&self, reason: String, now: Timestamp) -> Message {
        Message::NotTaken(CommandNotTaken {
            version: VERSION,
            // Another reason is another answer: a ticket that asks again has the same key.
            event_id: format!("{NOT_TAKEN}{}.{}", short_digest(&reason), self.key),
            at: now,
            by: visible(&self.name(), LONGEST_NAME),
            reason,
            reply_to: self.reply_to.clone(),
        })
    }

    fn message(&self, command: Command) -> Message {
        let (version, message_key, by) = (VERSION, self.key.clone(), self.name());
        let reply_to = Some(self.reply_to.clone());
        match command {
            Command::Request(wish) => {
                let Wish { domains, preset, duration, ticket, because } = wish;
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
            Command::Extend { id: request_id, duration, because } => Message::Extend(ExtensionRequested {
                version,
                message_key,
                request_id,
                requester: by,
                justification: because,
                duration_seconds: duration,
                reply_to,
            }),
            Command::Decide { id: request_id, decision, comment } => Message::Decide(RequestDecided {
                version,
                message_key,
                request_id,
                decision,
                approver: by,
                comment,
                reply_to,
            }),
            Command::Revoke { id: request_id, because: reason } => {
                Message::Revoke(GrantRevoked { version, message_key, request_id, by, reason, reply_to })
            }
            Command::Withdraw(request_id) => {
                Message::Withdraw(RequestWithdrawn { version, message_key, request_id, by, reply_to })
            }
            Command::Silence { domain, owner, duration } => Message::Silence(AlertsSilenced {
                version,
                message_key,
                by,
                domain,
                owner,
                duration_seconds: duration,
                reply_to,
            }),
            Command::Status(request_id) => self.question(Question::Status { request_id }),
            Command::Why(host) => self.question(Question::Why { host }),
            Command::List(which) => self.question(Question::List { which }),
        }
    }

    fn question(&self, question: Question) -> Message {
        Message::Ask(QuestionAsked {
            version: VERSION,
            message_key: self.key.clone(),
            by: self.name(),
            question,
            reply_to: Some(self.reply_to.clone()),
        })
    }
}

/// What stands for a text in an id.
fn short_digest(text: &str) -> String {
    let mut digest = hex::encode(Sha256::digest(text.as_bytes()));
    digest.truncate(12);
    digest
}

/// Names the domains that can't be granted, and what is left to ask for.
fn all_can_be_granted(wish: &Wish, config: &Config) -> Result<(), Objection> {
    let (mut reasons, mut domains) = (Vec::new(), Vec::new());
    for domain in &wish.domains {
        match DomainPattern::requested(domain, &config.denied_domains) {
            Ok(pattern) => domains.push(pattern.to_string()),
            Err(reason) => reasons.push(reason.to_string()),
        }
    }
    if reasons.is_empty() {
        return Ok(());
    }
    let duration =
        wish.duration.map(|seconds| humantime::format_duration(Duration::from_secs(seconds)).to_string());
    let because = Some(wish.because.clone());
    let rest = Ask { domains, preset: None, duration, ticket: wish.ticket.clone(), because };
    Err(Objection::BadDomains { reasons, rest: Box::new(rest) })
}
