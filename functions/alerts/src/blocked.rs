//! From records to connections.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;

use jiff::Timestamp;

use crate::record::{Alert, ConnectionId};

/// One connection that was blocked, from all of its records.
///
/// A rule that looks at packets logs a connection without the name that a rule on TLS or HTTP logs for the
/// same packet; and a packet that a guard drops is also logged by the grant that would have let it pass. So
/// the records of a connection say together what it was.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    pub(crate) source: IpAddr,
    pub(crate) destination: String,
    pub(crate) is_named: bool,
    pub(crate) port: Option<u16>,
    pub(crate) protocol: String,
    pub(crate) signature: String,
    /// How well the rule of the signature speaks for the block: it blocks, it knows the name.
    signature_rank: (bool, bool),
    pub(crate) firewall: String,
    pub(crate) availability_zone: String,
    pub(crate) first_seen: Timestamp,
    pub(crate) last_seen: Timestamp,
}

impl Connection {
    fn of(alert: &Alert<'_>, at: Timestamp) -> Self {
        Self {
            source: alert.source,
            destination: alert.destination(),
            is_named: alert.name.is_some(),
            port: alert.server.and_then(|(_, port)| port),
            protocol: alert.protocol.clone(),
            signature: alert.signature.clone().into_owned(),
            signature_rank: (alert.rule_blocks, alert.name.is_some()),
            firewall: alert.firewall.clone().into_owned(),
            availability_zone: alert.availability_zone.clone().into_owned(),
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
    flows: HashMap<ConnectionId, Connection>,
    /// Those whose records have no flow id: each record is one.
    others: Vec<Connection>,
}

impl Connections {
    /// Adds a record of a packet that was blocked. `logged_at` stands in for a record without a time.
    pub fn add(&mut self, alert: &Alert<'_>, logged_at: Timestamp) {
        let connection = Connection::of(alert, alert.at.unwrap_or(logged_at));
        let Some(id) = alert.connection() else {
            self.others.push(connection);
            return;
        };
        match self.flows.entry(id) {
            Entry::Occupied(mut known) => known.get_mut().absorb(connection),
            Entry::Vacant(new) => drop(new.insert(connection)),
        }
    }

    /// All of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Connection> {
        self.flows.values().chain(&self.others)
    }

    /// All of them.
    pub(crate) fn into_all(self) -> impl Iterator<Item = Connection> {
        self.flows.into_values().chain(self.others)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.flows.is_empty() && self.others.is_empty()
    }
}
