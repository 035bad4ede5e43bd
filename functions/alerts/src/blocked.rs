//! From records to what is worth telling: connections, and from them one entry for each source and
//! destination in each window.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;

use crate::record::{Alert, ConnectionId};

/// One connection that was blocked, from all of its records.
///
/// A rule that looks at packets logs a connection without the name that a rule on TLS or HTTP logs for the
/// same packet; and a packet that a guard drops is also logged by the grant that would have let it pass. So
/// the records of a connection say together what it was.
#[derive(Debug, Clone)]
struct Connection {
    source: IpAddr,
    destination: String,
    is_named: bool,
    port: Option<u16>,
    protocol: String,
    signature: String,
    /// How well the rule of the signature speaks for the block: it blocks, it knows the name.
    signature_rank: (bool, bool),
    firewall: String,
    availability_zone: String,
    first_seen: Timestamp,
    last_seen: Timestamp,
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

/// Connections from one source to one destination that were blocked in one window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocked {
    /// The client's address.
    pub source: IpAddr,
    /// The name that was asked for, or address and port.
    pub destination: String,
    /// Whether it is a name.
    pub is_named: bool,
    /// When the window began that this is in.
    pub window_start: Timestamp,
    /// The port of the first of them.
    pub port: Option<u16>,
    /// The protocol of the first of them.
    pub protocol: String,
    /// How many connections.
    pub count: u64,
    /// When the first was blocked.
    pub first_seen: Timestamp,
    /// When the last was blocked.
    pub last_seen: Timestamp,
    /// The message of the rule that blocked the first of them.
    pub signature: String,
    /// The firewall of the first of them.
    pub firewall: String,
    /// Where it was blocked.
    pub availability_zone: String,
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

    /// One entry for each source, destination and window, the first seen first.
    pub fn by_window(self, window: Duration) -> Vec<Blocked> {
        let mut entries: HashMap<(IpAddr, String, Timestamp), Blocked> = HashMap::new();
        let mut connections: Vec<Connection> = self.flows.into_values().chain(self.others).collect();
        connections.sort_by(|a, b| {
            (a.first_seen, a.source, &a.destination).cmp(&(b.first_seen, b.source, &b.destination))
        });
        for connection in connections {
            let window_start = start_of_window(connection.first_seen, window);
            let key = (connection.source, connection.destination.clone(), window_start);
            match entries.entry(key) {
                Entry::Occupied(mut known) => {
                    let known = known.get_mut();
                    known.count += 1;
                    known.last_seen = known.last_seen.max(connection.last_seen);
                }
                Entry::Vacant(new) => drop(new.insert(Blocked::first(connection, window_start))),
            }
        }
        let mut entries: Vec<Blocked> = entries.into_values().collect();
        entries.sort_by(|a, b| {
            (a.first_seen, a.source, &a.destination).cmp(&(b.first_seen, b.source, &b.destination))
        });
        entries
    }
}

impl Blocked {
    fn first(connection: Connection, window_start: Timestamp) -> Self {
        Self {
            source: connection.source,
            destination: connection.destination,
            is_named: connection.is_named,
            window_start,
            port: connection.port,
            protocol: connection.protocol,
            count: 1,
            first_seen: connection.first_seen,
            last_seen: connection.last_seen,
            signature: connection.signature,
            firewall: connection.firewall,
            availability_zone: connection.availability_zone,
        }
    }
}

/// Windows stand on the clock (every quarter of an hour, say), not at first sight: so every invocation, in
/// whatever order batches come, puts a record into the same one without asking anybody.
fn start_of_window(at: Timestamp, window: Duration) -> Timestamp {
    let length = i64::try_from(window.as_secs()).unwrap_or(i64::MAX).max(1);
    Timestamp::from_second(at.as_second().div_euclid(length).saturating_mul(length)).unwrap_or(at)
}
