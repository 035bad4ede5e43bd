//! What all stand-ins have in common: each request is answered from the state and written down.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::watch;

use super::faults::{Fault, Faults};
use super::server::{Call, HungUp, Reply};

/// One system's API on this machine, with the system's state. Clones share it.
#[derive(Debug)]
pub struct StandIn<S> {
    seen: Arc<watch::Sender<Seen<S>>>,
    faults: Faults,
}

/// What a stand-in has come to know.
#[derive(Debug, Clone, Default)]
pub struct Seen<S> {
    /// The system as it is now.
    pub now: S,
    /// All requests, in order, those that met a fault as well.
    pub requests: Vec<Taken>,
    /// What the system forbids, and was asked for all the same.
    pub violations: Vec<Note>,
    /// What the system takes, but advises against.
    pub warnings: Vec<Note>,
}

/// A request that came.
#[derive(Debug, Clone)]
pub struct Taken {
    /// When.
    pub at: Timestamp,
    /// Its method, e.g. `POST`.
    pub method: String,
    /// Its path, as it came.
    pub path: String,
    /// Its body: JSON, or else a text.
    pub body: Value,
    /// The status that it was answered with; none where the answer was withheld.
    pub status: Option<u16>,
}

/// Something to hold against a request.
#[derive(Debug, Clone)]
pub struct Note {
    /// When.
    pub at: Timestamp,
    /// Where.
    pub path: String,
    /// What.
    pub text: String,
}

/// What is noted of one request while it is answered.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// What is forbidden.
    pub(super) violations: Vec<String>,
    /// What is advised against.
    pub(super) warnings: Vec<String>,
}

impl Notes {
    pub(super) fn violation(&mut self, text: impl Into<String>) {
        self.violations.push(text.into());
    }

    pub(super) fn warning(&mut self, text: impl Into<String>) {
        self.warnings.push(text.into());
    }
}

impl<S> Clone for StandIn<S> {
    fn clone(&self) -> Self {
        Self { seen: Arc::clone(&self.seen), faults: self.faults.clone() }
    }
}

impl<S: Default> Default for StandIn<S> {
    fn default() -> Self {
        Self { seen: Arc::new(watch::Sender::new(Seen::default())), faults: Faults::default() }
    }
}

impl<S> StandIn<S> {
    /// What goes wrong with the requests to come.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Looks at what it has come to know. Nothing is answered meanwhile, so `look` asks only what it is given.
    pub fn look<R>(&self, look: impl FnOnce(&Seen<S>) -> R) -> R {
        look(&self.seen.borrow())
    }

    /// All requests until now, in order.
    pub fn requests(&self) -> Vec<Taken> {
        self.look(|seen| seen.requests.clone())
    }

    /// What was asked for and is forbidden, one line each: a test asserts that there is nothing.
    pub fn violations(&self) -> Vec<String> {
        self.look(|seen| lines(&seen.violations))
    }

    /// What was asked for and is advised against, one line each.
    pub fn warnings(&self) -> Vec<String> {
        self.look(|seen| lines(&seen.warnings))
    }

    /// Waits until there is what `find` finds, at most `limit`. It asks only what it is given, as in
    /// [`StandIn::look`].
    pub async fn until<R>(
        &self,
        limit: Duration,
        mut find: impl FnMut(&Seen<S>) -> Option<R>,
    ) -> anyhow::Result<R>
    where
        S: Debug,
    {
        let (mut receiver, until) = (self.seen.subscribe(), tokio::time::Instant::now() + limit);
        loop {
            // Nothing is answered while this is held, so it is let go before anything is waited for.
            let found = find(&receiver.borrow_and_update());
            if let Some(found) = found {
                return Ok(found);
            }
            let changed = tokio::time::timeout_at(until, receiver.changed()).await;
            if !matches!(changed, Ok(Ok(()))) {
                let seen = self.look(|seen| format!("{seen:#?}"));
                anyhow::bail!("not so in {limit:?}; there is: {seen}");
            }
        }
    }

    /// Changes the system by hand.
    pub(super) fn change(&self, change: impl FnOnce(&mut S)) {
        self.seen.send_modify(|seen| change(&mut seen.now));
    }

    /// Answers a request and writes it down, as far as its fault lets it.
    pub(super) async fn take(
        &self,
        call: &Call,
        answer: impl FnOnce(&mut S, &Call, &mut Notes) -> Reply,
    ) -> Result<Reply, HungUp> {
        let fault = self.faults.take();
        let mut told = None;
        self.seen.send_modify(|seen| {
            let mut notes = Notes::default();
            told = match &fault {
                Some(Fault::HangUp) => None,
                Some(Fault::AnswerLost) => {
                    answer(&mut seen.now, call, &mut notes);
                    None
                }
                None | Some(Fault::Slow(_)) => Some(answer(&mut seen.now, call, &mut notes)),
                Some(Fault::TooMany { retry_after }) => Some(Reply::too_many(*retry_after)),
                Some(Fault::Status(status)) => Some(Reply::text(*status, "a fault that a test asked for")),
                Some(Fault::Answer { status, body }) => Some(Reply::json(*status, body.clone())),
            };
            seen.write_down(call, told.as_ref(), notes);
        });
        if let Some(Fault::Slow(time)) = fault {
            tokio::time::sleep(time).await;
        }
        told.ok_or(HungUp)
    }
}

impl<S> Seen<S> {
    fn write_down(&mut self, call: &Call, told: Option<&Reply>, notes: Notes) {
        let at = Timestamp::now();
        let written = |texts: Vec<String>| {
            texts.into_iter().map(|text| Note { at, path: call.path.clone(), text }).collect::<Vec<_>>()
        };
        self.violations.extend(written(notes.violations));
        self.warnings.extend(written(notes.warnings));
        let body = serde_json::from_slice(&call.body)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&call.body).into_owned()));
        self.requests.push(Taken {
            at,
            method: call.method.to_string(),
            path: call.path.clone(),
            body,
            status: told.map(|reply| reply.status),
        });
    }
}

fn lines(notes: &[Note]) -> Vec<String> {
    notes.iter().map(|note| format!("{}: {}", note.path, note.text)).collect()
}
