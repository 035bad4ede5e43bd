//! Ticket systems: what their webhooks say, by the adapters of the configuration
//! ([`egress::adapter`]).

use egress::adapter::reading::{Missing, Reader, Said};
use egress::adapter::settings::{People, Proof, Settings};
use egress::adapter::{AdapterError, message_key, request_of};
use egress::bus::Bus;
use egress::config::Config;
use egress::events::{Decision, TicketClosed, VERSION};
use egress::request::ReplyTo;
use jiff::Timestamp;
use lambda_http::http::{HeaderName, StatusCode};
use lambda_http::{Body, Request, Response};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::command::{self, Command, Wish};
use crate::message::{Message, seconds};
use crate::refusal::{Refusal, bare};
use crate::secrets::{SecretCache, SecretSource};
use crate::signature::Claim;
use crate::speaker::{Objection, Speaker};
use crate::words::Voice;
use crate::{Intake, JSON, accepted, check_form, nothing_here, prove};

/// The longest name of a ticket, and the longest id of a message, in characters: with the adapter's name, each fits
/// into a message's key.
const LONGEST: usize = 200;

/// A ticket system, as its table in the configuration says.
#[derive(Debug)]
pub(crate) struct Adapter {
    name: String,
    reader: Reader,
    proof: Option<Proof>,
    people: People,
}

/// Why a body can't be what its system sends, by the adapter's field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TicketError {
    /// Something isn't there.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// The ticket can't have this name, or the message this id.
    #[error("{0} is not 1 to {LONGEST} characters on one line")]
    Name(&'static str),
}

impl<B: Bus, S: SecretSource> Intake<B, S> {
    pub(crate) async fn take_ticket(
        &self,
        secrets: &SecretCache<S>,
        adapter: &Adapter,
        request: &Request,
        now: Timestamp,
    ) -> Result<Response<Body>, Refusal> {
        let proof = adapter.proof.as_ref().ok_or_else(nothing_here)?;
        check_form(request, JSON)?;
        let (headers, body): (_, &[u8]) = (request.headers(), request.body().as_ref());
        let claim = Claim::adapter(proof, headers, body).map_err(|error| Refusal::unproved(&error))?;
        prove(secrets, now, |secrets| {
            let own = secrets.of_adapter(&adapter.name)?;
            Ok(own.is_some_and(|own| claim.is_by(&own, now)))
        })
        .await?;
        let json: Value = serde_json::from_slice(body)
            .map_err(|error| Refusal::wrong(&format!("the body is not JSON: {error}")))?;
        let delivery = || hex::encode(Sha256::digest(body));
        match adapter.heard(&json, delivery, &self.config, now).map_err(|error| Refusal::wrong(&error))? {
            None => Ok(bare(StatusCode::OK)),
            Some(message) => {
                self.publish(&message).await?;
                Ok(accepted(&message))
            }
        }
    }
}

impl Adapter {
    /// Reads a table.
    pub(crate) fn new(name: &str, settings: &Settings) -> Result<Self, AdapterError> {
        let header = match &settings.proof {
            Some(Proof::Hmac { header, .. } | Proof::Key { header, .. }) => Some(header),
            None => None,
        };
        if let Some(header) = header.filter(|header| HeaderName::from_bytes(header.as_bytes()).is_err()) {
            return Err(AdapterError {
                adapter: name.to_owned(),
                field: "proof".to_owned(),
                problem: format!("{header:?} is no header's name"),
            });
        }
        Ok(Self {
            name: name.to_owned(),
            reader: Reader::new(name, settings)?,
            proof: settings.proof.clone(),
            people: settings.people,
        })
    }

    /// What a body says, or what is told on its ticket because it can't be taken; nothing where it concerns no
    /// request. `delivery` makes it the same as another delivery of it, where the adapter doesn't.
    pub(crate) fn heard(
        &self,
        body: &Value,
        delivery: impl FnOnce() -> String,
        config: &Config,
        now: Timestamp,
    ) -> Result<Option<Message>, TicketError> {
        let said = self.reader.read(body)?;
        let key = || {
            let id = self.reader.id(body)?.unwrap_or_else(delivery);
            check_name("id", &id)?;
            Ok::<_, TicketError>(format!("{}:message:{id}", self.name))
        };
        let (speaker, taken) = match said {
            Said::Nothing => return Ok(None),
            Said::Request { ticket, requester, domains, preset, justification, duration } => {
                let speaker = self.speaker(&ticket, requester, message_key(&self.name, &ticket), config)?;
                let wish = duration.as_deref().map(seconds).transpose().map(|duration| {
                    let ticket = Some(ticket);
                    Wish { domains, preset, duration, ticket, because: justification }
                });
                let taken = wish
                    .map_err(|reason| Objection::Unclear(format!("the duration: {reason}")))
                    .and_then(|wish| speaker.says(Command::Request(wish), config));
                (speaker, taken)
            }
            Said::Decided { ticket, by, approved, comment } => {
                let speaker = self.speaker(&ticket, by, key()?, config)?;
                let decision = if approved { Decision::Approve } else { Decision::Deny };
                let id = request_of(&self.name, &ticket);
                let taken = speaker.says(Command::Decide { id, decision, comment }, config);
                (speaker, taken)
            }
            Said::Closed { ticket, by, state } => {
                let speaker = self.speaker(&ticket, by, key()?, config)?;
                let taken = self.closed(&speaker, &ticket, state);
                (speaker, taken)
            }
            Said::Comment { ticket, by, text } => {
                // What we write on tickets begins with a word, never with a `/`: no answer of ours is a command.
                let Some(command) = command::in_comment(&text) else { return Ok(None) };
                let speaker = self.speaker(&ticket, by, key()?, config)?;
                let taken = self.commented(&speaker, ticket, command, config);
                (speaker, taken)
            }
        };
        let not_taken = |objection| speaker.not_taken(Voice::ticket().objection(&objection), now);
        Ok(Some(taken.unwrap_or_else(not_taken)))
    }

    fn speaker(
        &self,
        ticket: &str,
        id: String,
        key: String,
        config: &Config,
    ) -> Result<Speaker, TicketError> {
        check_name("ticket", ticket)?;
        let person = match self.people {
            People::Mapped => config.person(&self.name, &id).map(str::to_owned),
            // Who has another id here than elsewhere is the same person all the same.
            People::Own => Some(config.person(&self.name, &id).unwrap_or(&id).to_owned()),
        };
        let reply_to = ReplyTo { via: self.name.clone(), to: ticket.to_owned() };
        Ok(Speaker { person, channel: self.name.clone(), id, key, reply_to })
    }

    /// A ticket was closed, also by somebody who isn't known: by an account of ours, when all is done. The policy lets
    /// nobody end anything who has no name.
    fn closed(&self, speaker: &Speaker, ticket: &str, state: String) -> Result<Message, Objection> {
        let message = Message::Close(TicketClosed {
            version: VERSION,
            message_key: speaker.key.clone(),
            request_id: request_of(&self.name, ticket),
            by: speaker.name(),
            reason: state,
            reply_to: Some(speaker.reply_to.clone()),
        });
        Objection::to(&message).map_or(Ok(message), Err)
    }

    /// A command in a comment. What it asks for is a request of its own, beside the ticket's.
    fn commented(
        &self,
        speaker: &Speaker,
        ticket: String,
        command: &str,
        config: &Config,
    ) -> Result<Message, Objection> {
        // A ticket may be read, and written on, by anybody.
        speaker.is_known()?;
        let own = request_of(&self.name, &ticket);
        let command = match Command::parse(command, Some(&own)) {
            Ok(Some(Command::Request(wish))) => {
                Command::Request(Wish { ticket: wish.ticket.or(Some(ticket)), ..wish })
            }
            Ok(Some(command)) => command,
            Ok(None) => return Err(Objection::Help),
            Err(error) => return Err(Objection::Unclear(error.to_string())),
        };
        speaker.says(command, config)
    }
}

fn check_name(field: &'static str, text: &str) -> Result<(), TicketError> {
    if (1..=LONGEST).contains(&text.chars().count()) && !text.chars().any(char::is_control) {
        Ok(())
    } else {
        Err(TicketError::Name(field))
    }
}
