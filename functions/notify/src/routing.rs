//! To whom a notice goes: the places whose routes ask for it, and whom it concerns, where they have said that they
//! read. A pure function of the notice and the configuration.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use egress::config::{Config, Place};
use egress::events::{Answer, CommandAnswered};
use egress::request::{ReplyTo, Request, RequestId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::notice::Notice;

/// The longest id of a place, in bytes: twice what any system has.
const LONGEST_ID: usize = 256;

/// What tells: each has a queue and a function of its own, so that one that is down holds up no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Channel {
    /// Slack.
    Slack,
    /// Microsoft Teams.
    Teams,
    /// Ticket systems.
    Tickets,
    /// The topics of SNS: mail, and Amazon Q Developer in chat applications.
    Topics,
}

/// A name that is no channel's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is none of slack, teams, tickets, topics")]
pub struct NoChannel(String);

impl FromStr for Channel {
    type Err = NoChannel;

    fn from_str(name: &str) -> Result<Self, NoChannel> {
        match name {
            "slack" => Ok(Self::Slack),
            "teams" => Ok(Self::Teams),
            "tickets" => Ok(Self::Tickets),
            "topics" => Ok(Self::Topics),
            _ => Err(NoChannel(name.to_owned())),
        }
    }
}

/// A place where a notice is told. Its `Display` is its name in logs and in the ledger, and tells no secret.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Destination {
    /// A channel of Slack's, by its id.
    SlackChannel(String),
    /// A person in Slack, by their id: a direct message.
    SlackUser(String),
    /// Where somebody typed a command or pressed a button in Slack, by the response URL. Whoever has that can post
    /// in the app's name.
    SlackAnswer(String),
    /// A conversation in Teams, by its id.
    Teams(String),
    /// A ticket.
    Ticket {
        /// Its system, by the adapter's name.
        adapter: String,
        /// Its name there.
        ticket: String,
    },
    /// The stack's topic.
    Mail,
    /// The stack's topic for Amazon Q Developer in chat applications.
    AmazonQ,
}

impl Destination {
    /// What tells there.
    pub fn channel(&self) -> Channel {
        match self {
            Self::SlackChannel(_) | Self::SlackUser(_) | Self::SlackAnswer(_) => Channel::Slack,
            Self::Teams(_) => Channel::Teams,
            Self::Ticket { .. } => Channel::Tickets,
            Self::Mail | Self::AmazonQ => Channel::Topics,
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SlackChannel(id) | Self::SlackUser(id) => write!(f, "slack:{id}"),
            Self::SlackAnswer(url) => write!(f, "slack-answer:{}", digest(url)),
            Self::Teams(id) => write!(f, "teams:{id}"),
            Self::Ticket { adapter, ticket } => write!(f, "ticket:{adapter}:{ticket}"),
            Self::Mail => f.write_str("mail"),
            Self::AmazonQ => f.write_str("amazon-q"),
        }
    }
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<&Place> for Destination {
    fn from(place: &Place) -> Self {
        match place {
            Place::Slack(id) => Self::SlackChannel(id.clone()),
            Place::Teams(id) => Self::Teams(id.clone()),
            Place::Mail => Self::Mail,
            Place::AmazonQ => Self::AmazonQ,
        }
    }
}

/// Why nobody is told where somebody asked to be: what they gave is no place of that system. It isn't quoted: it may
/// be a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoPlace {
    /// Neither a user's id nor a response URL.
    #[error("it is neither a user's id in Slack nor a response URL of Slack's")]
    Slack,
    /// Not a conversation's id.
    #[error("it is no conversation's id in Teams")]
    Teams,
    /// Not a ticket's name.
    #[error("it is no ticket's name")]
    Ticket,
}

/// To whom a notice goes, each place once.
pub fn destinations(notice: &Notice, config: &Config) -> Vec<Destination> {
    let mut places = by_routes(notice, config);
    places.extend(concerned(notice, config));
    let mut known = BTreeSet::new();
    places.retain(|place| known.insert(place.clone()));
    places
}

/// The place that somebody gave to be answered at. None where the way there isn't one of ours: what the callers of
/// the webhook read for themselves, as an attribute of the message on the topic.
pub fn place_of(reply_to: &ReplyTo, config: &Config) -> Result<Option<Destination>, NoPlace> {
    let ReplyTo { via, to } = reply_to;
    match via.as_str() {
        "slack" if is_slack_user(to) => Ok(Some(Destination::SlackUser(to.clone()))),
        "slack" if config.slack.answers.holds(to) => Ok(Some(Destination::SlackAnswer(to.clone()))),
        "slack" => Err(NoPlace::Slack),
        "teams" if is_conversation(to) => Ok(Some(Destination::Teams(to.clone()))),
        "teams" => Err(NoPlace::Teams),
        adapter if config.adapters.contains_key(adapter) => {
            if to.trim().is_empty() || to.len() > LONGEST_ID || to.chars().any(char::is_control) {
                return Err(NoPlace::Ticket);
            }
            Ok(Some(Destination::Ticket { adapter: adapter.to_owned(), ticket: to.clone() }))
        }
        _ => Ok(None),
    }
}

/// The request of whose life a notice tells; none where it is an answer to somebody, or about no request.
pub fn life_of(notice: &Notice) -> Option<&Request> {
    notice.request().filter(|_| !matches!(notice, Notice::CommandAnswered(_)))
}

fn by_routes(notice: &Notice, config: &Config) -> Vec<Destination> {
    if config.routes.is_empty() {
        return vec![Destination::Mail];
    }
    let subject = notice.subject();
    let asks = config.routes.values().filter(|route| route.tells.contains(&subject));
    asks.map(|route| Destination::from(&route.to)).collect()
}

/// Whom a notice concerns. An answer goes to who gave the command and to nobody else, whoever's request it is about.
fn concerned(notice: &Notice, config: &Config) -> Vec<Destination> {
    let given = notice.reply_to().and_then(|reply_to| place_of(reply_to, config).ok().flatten());
    match notice {
        Notice::RequestStateChanged(_) | Notice::GrantWaits(_) | Notice::GrantFirstUsed(_) => {
            life_of(notice).map(|request| hearers(request, config)).unwrap_or_default()
        }
        Notice::CommandAnswered(it) => {
            let heard = made(it).map(|request| hearers(request, config)).unwrap_or_default();
            given.into_iter().filter(|place| !heard.contains(place)).collect()
        }
        _ => given.into_iter().collect(),
    }
}

/// Who hears of a request's life: who asked, and the ticket that it names.
fn hearers(request: &Request, config: &Config) -> Vec<Destination> {
    let asked = request.reply_to.as_ref().and_then(|reply_to| place_of(reply_to, config).ok().flatten());
    let ticket = request.ticket.as_ref().and_then(|ticket| {
        let adapter = config.adapter_of(ticket)?.to_owned();
        Some(Destination::Ticket { adapter, ticket: ticket.clone() })
    });
    asked.into_iter().chain(ticket).collect()
}

/// The request that the answered command has made.
fn made(answered: &CommandAnswered) -> Option<&Request> {
    match &answered.answer {
        Answer::Done { request, .. } if RequestId::of_message(&answered.message_key) == request.id => {
            Some(request)
        }
        _ => None,
    }
}

/// Ids of users begin with U or W (<https://docs.slack.dev/reference/objects/user-object>).
fn is_slack_user(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    text.starts_with(['U', 'W']) && (2..=32).contains(&text.len()) && text.bytes().all(plain)
}

/// Ids of channels, threads and group chats begin with `19:`, those of chats with one person with `a:`.
fn is_conversation(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b":@._-;=".contains(&byte);
    (text.starts_with("19:") || text.starts_with("a:")) && text.len() <= LONGEST_ID && text.bytes().all(plain)
}

/// What stands for a text that isn't to be shown: its digest, 32 hexadecimal digits.
pub(crate) fn digest(text: &str) -> String {
    let mut digest = hex::encode(Sha256::digest(text.as_bytes()));
    digest.truncate(32);
    digest
}
