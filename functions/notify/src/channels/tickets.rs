//! Ticket systems, by the calls of their adapters: each notice is written on its ticket, and the ticket is brought into
//! what its request is in.

use std::collections::BTreeMap;

use egress::adapter::settings::Method as Verb;
use egress::adapter::writing::{Call, Unfilled, Writer};
use egress::adapter::{AdapterError, request_of};
use egress::config::Config;
use egress::events::RequestStateChanged;
use egress::request::{Ending, StateName};
use egress::web::{Method, Web};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use super::{ONE_CALL, misled};
use crate::batch::Teller;
use crate::ledger::{About, Ledger};
use crate::notice::Notice;
use crate::render::ticket;
use crate::routing::Destination;
use crate::secrets::Secret;
use crate::undelivered::{Undelivered, successful};

/// All ticket systems of the configuration.
#[derive(Debug)]
pub struct TicketsChannel<L, S> {
    writers: BTreeMap<String, Writer>,
    ledger: L,
    authorizations: S,
    web: Web,
}

impl<L: Ledger + Sync, S: Secret + Sync> TicketsChannel<L, S> {
    /// The ticket systems of a configuration, by the `authorization` headers that they take: JSON, by the names of
    /// the adapters. An error names a template that can't be used.
    pub fn new(config: &Config, ledger: L, authorizations: S) -> Result<Self, AdapterError> {
        let writer = |(name, settings): (&String, _)| Ok((name.clone(), Writer::new(name, settings)?));
        let writers = config.adapters.iter().map(writer).collect::<Result<_, _>>()?;
        Ok(Self { writers, ledger, authorizations, web: Web::new(ONE_CALL) })
    }

    async fn call(&self, adapter: &str, call: Call) -> Result<(), Undelivered> {
        let authorization = self.authorization(adapter).await?;
        let Call { method, url, headers, body } = call;
        let mut all =
            vec![("content-type", "application/json"), ("authorization", authorization.expose_secret())];
        all.extend(headers.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let answer = self.web.send(verb(method), &url, &all, body.to_string().into_bytes()).await?;
        successful(answer).map(drop)
    }

    async fn authorization(&self, adapter: &str) -> Result<SecretString, Undelivered> {
        let secret = self.authorizations.read().await?;
        // The parser's own words would quote the secret.
        let mut all: BTreeMap<String, String> = serde_json::from_str(secret.expose_secret())
            .map_err(|_| Undelivered::never("the secret is not JSON of texts by the names of adapters"))?;
        let missing = || Undelivered::never(format!("the secret has no authorization header for {adapter}"));
        all.remove(adapter).map(SecretString::from).ok_or_else(missing)
    }
}

impl<L: Ledger + Sync, S: Secret + Sync> Teller for TicketsChannel<L, S> {
    /// The note follows each of the two calls, so that a repetition makes only the one that is missing.
    async fn tell(&self, to: &Destination, notice: &Notice, now: Timestamp) -> Result<(), Undelivered> {
        let Destination::Ticket { adapter, ticket } = to else { return Err(misled(to)) };
        let writer = self.writers.get(adapter).ok_or_else(|| misled(to))?;
        let about = About::new(to, notice);
        let Some(known) = self.ledger.look(&about).await? else { return Ok(()) };
        let facts = ticket::facts(notice, ticket);
        let transition = match entered(notice, adapter, ticket) {
            Some(state) => writer.transition(state, &facts)?,
            None => None,
        };
        if !known.begun {
            if let Some(answer) = writer.answer(&facts)? {
                self.call(adapter, answer).await?;
            }
            if transition.is_some() {
                self.ledger.begun(&about, now).await?;
            }
        }
        if let Some(transition) = transition {
            self.call(adapter, transition).await?;
        }
        Ok(self.ledger.told(&about, None, now).await?)
    }
}

/// The state into which a ticket's request has come by this notice.
///
/// Only the ticket that asked follows a request: whoever names somebody else's must not move that, and what a comment
/// on it asks for besides doesn't either. While an extension goes on, the ticket stays where the first request has
/// brought it, until the last of them has ended.
fn entered(notice: &Notice, adapter: &str, ticket: &str) -> Option<StateName> {
    let Notice::RequestStateChanged(changed) = notice else { return None };
    let RequestStateChanged { from, to, request, .. } = changed.as_ref();
    let asked_here = request.reply_to.as_ref().is_some_and(|it| it.via == adapter && it.to == ticket);
    let goes_on = request.ending == Some(Ending::Superseded);
    let leads = match request.extends {
        None => request.id == request_of(adapter, ticket),
        Some(_) => *to == StateName::Ended,
    };
    (asked_here && *from != Some(*to) && !goes_on && leads).then_some(*to)
}

fn verb(method: Verb) -> Method {
    match method {
        Verb::Post => Method::POST,
        Verb::Put => Method::PUT,
        Verb::Patch => Method::PATCH,
    }
}

impl From<Unfilled> for Undelivered {
    fn from(error: Unfilled) -> Self {
        Self::never(error)
    }
}
