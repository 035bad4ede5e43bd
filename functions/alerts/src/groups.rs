//! What is told together: the blocked connections of a batch by owner, registrable domain and window.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::Duration;

use egress::aws::windows::WindowKey;
use egress::counts::{Counts, HostSeen, MOST_SOURCES, in_order};
use egress::domain::counted_under;
use egress::owner::Owner;
use jiff::Timestamp;

use crate::blocked::{Connection, Connections};
use crate::owners::Span;

/// The longest message of a rule that is counted with a host, in characters.
const LONGEST_SIGNATURE: usize = 100;

/// Blocked connections of one owner to one registrable domain, in one window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Whose they were.
    pub owner: Owner,
    /// Where they are counted.
    pub key: WindowKey,
    /// When the window ends.
    pub until: Timestamp,
    /// How many, when, and to which hosts.
    pub counts: Counts,
    /// The first of them.
    pub first: First,
}

/// The first connection of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct First {
    /// The client's address.
    pub source: IpAddr,
    /// The name that was asked for, or address and port.
    pub destination: String,
    /// Whether it is a name.
    pub is_named: bool,
    /// The server's port.
    pub port: Option<u16>,
    /// `tls`, `http`, …, or the transport's.
    pub protocol: String,
    /// The message of the rule that blocked it.
    pub signature: String,
    /// The firewall's name.
    pub firewall: String,
    /// Where its endpoint stands.
    pub availability_zone: String,
}

impl Connections {
    /// The addresses from which connections came, each with the times of its first and last.
    pub fn sources(&self) -> BTreeMap<IpAddr, Span> {
        let mut sources: BTreeMap<IpAddr, Span> = BTreeMap::new();
        for connection in self.all() {
            let seen = Span { first: connection.first_seen, last: connection.last_seen };
            sources.entry(connection.source).and_modify(|span| span.add(seen)).or_insert(seen);
        }
        sources
    }

    /// One entry for each owner, registrable domain and window, the first seen first. An address that has no owner
    /// in `owners` is nobody's.
    pub fn groups(self, owners: &BTreeMap<IpAddr, Owner>, window: Duration) -> Vec<Group> {
        let mut groups: HashMap<WindowKey, Gathering> = HashMap::new();
        let (mut domains, nobody) = (HashMap::new(), Owner::Unknown { reason: String::new() });
        let mut connections: Vec<Connection> = self.into_all().collect();
        let order = |one: &Connection| (one.first_seen, one.source);
        connections.sort_by(|a, b| {
            order(a).cmp(&order(b)).then_with(|| a.destination.cmp(&b.destination)).then(a.port.cmp(&b.port))
        });
        for connection in connections {
            let owner = owners.get(&connection.source).unwrap_or(&nobody);
            let domain = domains
                .entry(connection.destination.clone())
                .or_insert_with(|| counted_under(&connection.destination));
            let start = start_of_window(connection.first_seen, window);
            let key = WindowKey { domain: domain.clone(), start, owner: owner.key(connection.source) };
            if let Some(group) = groups.get_mut(&key) {
                group.add(&connection);
            } else {
                let mut group = Gathering::begin(&key, owner, &connection, window);
                group.add(&connection);
                groups.insert(key, group);
            }
        }
        let mut groups: Vec<Group> = groups.into_iter().map(|(key, group)| group.group(key)).collect();
        groups.sort_by(|a, b| (a.counts.first_seen, &a.key).cmp(&(b.counts.first_seen, &b.key)));
        groups
    }
}

/// A group as its connections are added to it.
#[derive(Debug)]
struct Gathering {
    owner: Owner,
    until: Timestamp,
    first: First,
    connections: u64,
    first_seen: Timestamp,
    last_seen: Timestamp,
    sources: BTreeSet<IpAddr>,
    hosts: HashMap<String, HostSeen>,
}

impl Gathering {
    fn begin(key: &WindowKey, owner: &Owner, connection: &Connection, window: Duration) -> Self {
        Self {
            owner: owner.clone(),
            until: key.start.checked_add(window).unwrap_or(Timestamp::MAX),
            first: First::of(connection),
            connections: 0,
            first_seen: connection.first_seen,
            last_seen: connection.last_seen,
            sources: BTreeSet::new(),
            hosts: HashMap::new(),
        }
    }

    fn add(&mut self, connection: &Connection) {
        self.connections += 1;
        self.last_seen = self.last_seen.max(connection.last_seen);
        if self.sources.len() < MOST_SOURCES {
            self.sources.insert(connection.source);
        }
        let Some(host) = self.hosts.get_mut(&connection.destination) else {
            self.hosts.insert(connection.destination.clone(), host_seen(connection));
            return;
        };
        host.connections += 1;
        if connection.last_seen >= host.last_seen {
            let HostSeen { last_seen, signature, source, .. } = host_seen(connection);
            (host.last_seen, host.signature, host.source) = (last_seen, signature, source);
        }
    }

    fn group(self, key: WindowKey) -> Group {
        let Self { owner, until, first, connections, first_seen, last_seen, sources, hosts } = self;
        let host_count = u64::try_from(hosts.len()).unwrap_or(u64::MAX);
        let hosts = in_order(hosts.into_values());
        let counts = Counts { connections, first_seen, last_seen, hosts, host_count, sources };
        Group { owner, key, until, counts: counts.bounded(), first }
    }
}

impl First {
    fn of(connection: &Connection) -> Self {
        Self {
            source: connection.source,
            destination: connection.destination.clone(),
            is_named: connection.is_named,
            port: connection.port,
            protocol: connection.protocol.clone(),
            signature: connection.signature.clone(),
            firewall: connection.firewall.clone(),
            availability_zone: connection.availability_zone.clone(),
        }
    }
}

fn host_seen(connection: &Connection) -> HostSeen {
    HostSeen {
        host: connection.destination.clone(),
        connections: 1,
        last_seen: connection.last_seen,
        signature: connection.signature.chars().take(LONGEST_SIGNATURE).collect(),
        source: connection.source,
    }
}

/// Windows stand on the clock (every quarter of an hour, say), not at first sight: so every invocation, in whatever
/// order batches come, puts a record into the same one without asking anybody. What claims to be from before 1970 is in
/// the first one: keys have no time before that.
pub fn start_of_window(at: Timestamp, window: Duration) -> Timestamp {
    let length = i64::try_from(window.as_secs()).unwrap_or(i64::MAX).max(1);
    Timestamp::from_second(at.as_second().max(0).div_euclid(length).saturating_mul(length)).unwrap_or(at)
}
