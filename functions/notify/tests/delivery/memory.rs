//! The edges, in memory.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;
use notify::batch::{Inbox, InboxError, Record};
use notify::ledger::{About, Known, Ledger, LedgerError, Posted};
use notify::queue::{Outgoing, Queues, SendError};
use notify::routing::Channel;
use notify::secrets::{Secret, SecretError};
use secrecy::SecretString;

/// What is shared by all clones.
#[derive(Debug, Default)]
pub(crate) struct Shared<T>(Arc<Mutex<T>>);

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Shared<T> {
    pub(crate) fn get(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap()
    }
}

/// A ledger; the next of its writes can fail.
#[derive(Debug, Clone, Default)]
pub(crate) struct MemoryLedger {
    told: Shared<BTreeMap<(String, String), &'static str>>,
    posted: Shared<BTreeMap<(String, String), Posted>>,
    failing: Shared<usize>,
}

impl MemoryLedger {
    /// So many writes fail.
    pub(crate) fn fail(&self, writes: usize) {
        *self.failing.get() = writes;
    }

    fn write(&self, about: &About, step: &'static str) -> Result<(), LedgerError> {
        let mut failing = self.failing.get();
        if *failing > 0 {
            *failing -= 1;
            return Err(LedgerError { what: "noting", cause: "told to fail".to_owned() });
        }
        self.told.get().insert((about.destination.clone(), about.event_id.clone()), step);
        Ok(())
    }
}

impl Ledger for MemoryLedger {
    async fn look(&self, about: &About) -> Result<Option<Known>, LedgerError> {
        let About { destination, event_id, request } = about;
        let step = self.told.get().get(&(destination.clone(), event_id.clone())).copied();
        let key = request.as_ref().map(|id| (destination.clone(), id.to_string()));
        let posted = key.and_then(|key| self.posted.get().get(&key).cloned());
        Ok((step != Some("told")).then(|| Known { begun: step == Some("begun"), posted }))
    }

    async fn begun(&self, about: &About, _: Timestamp) -> Result<(), LedgerError> {
        self.write(about, "begun")
    }

    async fn told(&self, about: &About, posted: Option<&Posted>, _: Timestamp) -> Result<(), LedgerError> {
        self.write(about, "told")?;
        if let (Some(posted), Some(id)) = (posted, &about.request) {
            self.posted.get().insert((about.destination.clone(), id.to_string()), posted.clone());
        }
        Ok(())
    }
}

/// A secret that is always the same text.
#[derive(Debug, Clone)]
pub(crate) struct Fixed(pub(crate) &'static str);

impl Secret for Fixed {
    async fn read(&self) -> Result<SecretString, SecretError> {
        Ok(self.0.into())
    }
}

/// Queues that keep what is sent.
#[derive(Debug, Clone, Default)]
pub(crate) struct MemoryQueues {
    pub(crate) sent: Shared<Vec<Outgoing>>,
    /// Those that take nothing, and why.
    pub(crate) closed: BTreeMap<Channel, SendError>,
}

impl Queues for MemoryQueues {
    async fn send(&self, message: &Outgoing) -> Result<(), SendError> {
        if let Some(error) = self.closed.get(&message.channel) {
            return Err(error.clone());
        }
        self.sent.get().push(message.clone());
        Ok(())
    }
}

/// A channel's queue that keeps what becomes of messages; what it is asked next can fail.
#[derive(Debug, Clone, Default)]
pub(crate) struct MemoryInbox {
    pub(crate) postponed: Shared<Vec<(String, Duration)>>,
    pub(crate) dead: Shared<Vec<String>>,
    pub(crate) failures: Shared<VecDeque<InboxError>>,
}

impl MemoryInbox {
    fn next(&self) -> Result<(), InboxError> {
        self.failures.get().pop_front().map_or(Ok(()), Err)
    }
}

impl Inbox for MemoryInbox {
    async fn postpone(&self, record: &Record, pause: Duration) -> Result<(), InboxError> {
        self.next()?;
        self.postponed.get().push((record.message_id.clone(), pause));
        Ok(())
    }

    async fn give_up(&self, record: &Record) -> Result<(), InboxError> {
        self.next()?;
        self.dead.get().push(record.message_id.clone());
        Ok(())
    }
}
