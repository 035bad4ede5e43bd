//! From records to connections.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use foldhash::quality::RandomState;
use jiff::Timestamp;

use crate::record::{Alert, ConnectionId};

/// The most connections of a batch. A record of one has some 40 bytes that no compression takes away (two times to
/// the microsecond, two ids, a port, and what holds them together), and so a batch has 20,000 at most.
pub const MOST_CONNECTIONS: usize = 30_000;

/// One connection that was blocked, from all of its records.
///
/// A rule that looks at packets logs a connection without the name that a rule on TLS or HTTP logs for the
/// same packet; and a packet that a guard drops is also logged by the grant that would have let it pass. So
/// the records of a connection say together what it was.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Connection {
    pub(crate) source: IpAddr,
    pub(crate) destination: TextId,
    pub(crate) is_named: bool,
    pub(crate) port: Option<u16>,
    pub(crate) protocol: TextId,
    pub(crate) signature: TextId,
    /// How well the rule of the signature speaks for the block: it blocks, it knows the name.
    signature_rank: (bool, bool),
    pub(crate) firewall: TextId,
    pub(crate) availability_zone: TextId,
    pub(crate) first_seen: Timestamp,
    pub(crate) last_seen: Timestamp,
}

/// One of the [`Texts`]: two are the same if their texts are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TextId(u32);

/// Texts that come again and again, each kept once.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    ids: HashMap<Arc<str>, TextId, RandomState>,
    all: Vec<Arc<str>>,
}

impl Texts {
    fn id(&mut self, text: &str) -> TextId {
        if let Some(known) = self.ids.get(text) {
            return *known;
        }
        let id = TextId(u32::try_from(self.all.len()).unwrap_or(u32::MAX));
        let text: Arc<str> = Arc::from(text);
        self.all.push(Arc::clone(&text));
        self.ids.insert(text, id);
        id
    }

    /// What it says; nothing where it is another's id.
    pub(crate) fn get(&self, id: TextId) -> &str {
        self.all.get(id.0 as usize).map(AsRef::as_ref).unwrap_or_default()
    }
}

impl Connection {
    fn of(alert: &Alert<'_>, at: Timestamp, texts: &mut Texts) -> Self {
        Self {
            source: alert.source,
            destination: texts.id(&alert.destination()),
            is_named: alert.name.is_some(),
            port: alert.server.and_then(|(_, port)| port),
            protocol: texts.id(&alert.protocol),
            signature: texts.id(&alert.signature),
            signature_rank: (alert.rule_blocks, alert.name.is_some()),
            firewall: texts.id(&alert.firewall),
            availability_zone: texts.id(&alert.availability_zone),
            first_seen: at,
            last_seen: at,
        }
    }

    /// Adds what another record of the same connection says.
    fn absorb(&mut self, other: Self) {
        self.first_seen = self.first_seen.min(other.first_seen);
        self.last_seen = self.last_seen.max(other.last_seen);
        self.port = self.port.or(other.port);
        if other.is_named && !self.is_named {
            (self.destination, self.is_named, self.protocol) = (other.destination, true, other.protocol);
        }
        if other.signature_rank > self.signature_rank {
            (self.signature, self.signature_rank) = (other.signature, other.signature_rank);
        }
    }
}

/// The blocked connections of a batch.
#[derive(Debug, Default)]
pub struct Connections {
    all: Vec<Connection>,
    /// The place of each that has an id. A record without one is a connection by itself.
    places: HashMap<ConnectionId, usize, RandomState>,
    texts: Texts,
    left_out: u64,
}

impl Connections {
    /// Adds a record of a packet that was blocked then.
    pub fn add(&mut self, alert: &Alert<'_>, at: Timestamp) {
        if self.left_out > 0 {
            self.left_out += 1;
            return;
        }
        let connection = Connection::of(alert, at, &mut self.texts);
        let next = self.all.len();
        let place = alert.connection().map_or(next, |id| *self.places.entry(id).or_insert(next));
        match self.all.get_mut(place) {
            Some(known) => known.absorb(connection),
            None if next == MOST_CONNECTIONS => self.left_out = 1,
            None => self.all.push(connection),
        }
    }

    /// How many records are not in it, from the first one on that is of a connection too many.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// The texts of all of them.
    pub(crate) fn texts(&self) -> &Texts {
        &self.texts
    }

    /// All of them.
    pub(crate) fn all(&self) -> &[Connection] {
        &self.all
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}
