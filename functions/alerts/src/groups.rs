//! What is told together: the blocked connections of a batch by owner, registrable domain and window.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use egress::aws::windows::WindowKey;
use egress::counts::{Counts, HostSeen, MOST_HOSTS, MOST_SOURCES};
use egress::domain::counted_under;
use egress::owner::Owner;
use foldhash::quality::RandomState;
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

/// The first connection of a group. Its texts are shared with the others of the batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct First {
    /// The client's address.
    pub source: IpAddr,
    /// The name that was asked for, or address and port.
    pub destination: Arc<str>,
    /// Whether it is a name.
    pub is_named: bool,
    /// The server's port.
    pub port: Option<u16>,
    /// `tls`, `http`, …, or the transport's.
    pub protocol: Arc<str>,
    /// The message of the rule that blocked it.
    pub signature: Arc<str>,
    /// The firewall's name.
    pub firewall: Arc<str>,
    /// Where its endpoint stands.
    pub availability_zone: Arc<str>,
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
    pub fn groups(&self, owners: &BTreeMap<IpAddr, Owner>, window: Duration) -> Vec<Group> {
        let mut connections: Vec<&Connection> = self.all().iter().collect();
        let order = |one: &Connection| (one.first_seen, one.source);
        connections.sort_by(|a, b| {
            order(a).cmp(&order(b)).then_with(|| a.destination.cmp(&b.destination)).then(a.port.cmp(&b.port))
        });
        let (mut names, nobody) = (Names::default(), Owner::Unknown { reason: String::new() });
        // By the places of their names: a batch has few of those, and each is compared once.
        let mut places: HashMap<(usize, usize, Timestamp), usize, RandomState> = HashMap::default();
        let mut gathered: Vec<Gathering<'_>> = Vec::new();
        for connection in connections {
            let owner = owners.get(&connection.source).unwrap_or(&nobody);
            let (owner_place, domain_place) = (names.owner(connection, owner), names.domain(connection));
            let start = start_of_window(connection.first_seen, window);
            let place = *places.entry((owner_place, domain_place, start)).or_insert(gathered.len());
            match gathered.get_mut(place) {
                Some(group) => group.others.push(connection),
                None => gathered.push(Gathering {
                    owner,
                    owner_place,
                    domain_place,
                    start,
                    first: connection,
                    others: Vec::new(),
                }),
            }
        }
        drop(places);
        let mut groups: Vec<Group> =
            gathered.into_iter().map(|group| group.finished(&names, window)).collect();
        groups.sort_by(|a, b| (a.counts.first_seen, &a.key).cmp(&(b.counts.first_seen, &b.key)));
        groups
    }
}

/// Keys of owners and domains, each at its place, and where they are found.
#[derive(Debug, Default)]
struct Names {
    all: Vec<String>,
    places: HashMap<String, usize, RandomState>,
    sources: HashMap<IpAddr, usize, RandomState>,
    destinations: HashMap<Arc<str>, usize, RandomState>,
}

impl Names {
    fn owner(&mut self, connection: &Connection, owner: &Owner) -> usize {
        if let Some(place) = self.sources.get(&connection.source) {
            return *place;
        }
        let place = self.place(owner.key(connection.source));
        self.sources.insert(connection.source, place);
        place
    }

    fn domain(&mut self, connection: &Connection) -> usize {
        if let Some(place) = self.destinations.get(&connection.destination) {
            return *place;
        }
        let place = self.place(counted_under(&connection.destination));
        self.destinations.insert(Arc::clone(&connection.destination), place);
        place
    }

    fn place(&mut self, name: String) -> usize {
        let next = self.all.len();
        let place = *self.places.entry(name.clone()).or_insert(next);
        if place == next {
            self.all.push(name);
        }
        place
    }

    fn at(&self, place: usize) -> String {
        self.all.get(place).cloned().unwrap_or_default()
    }
}

/// A group as its connections are found. Most have one.
#[derive(Debug)]
struct Gathering<'a> {
    owner: &'a Owner,
    owner_place: usize,
    domain_place: usize,
    start: Timestamp,
    first: &'a Connection,
    others: Vec<&'a Connection>,
}

impl Gathering<'_> {
    fn finished(self, names: &Names, window: Duration) -> Group {
        let key = WindowKey {
            domain: names.at(self.domain_place),
            start: self.start,
            owner: names.at(self.owner_place),
        };
        let until = key.start.checked_add(window).unwrap_or(Timestamp::MAX);
        let (owner, first) = (self.owner.clone(), First::of(self.first));
        Group { owner, key, until, counts: self.counts(), first }
    }

    fn counts(self) -> Counts {
        let first_seen = self.first.first_seen;
        let mut all = self.others;
        all.push(self.first);
        let connections = u64::try_from(all.len()).unwrap_or(u64::MAX);
        let last_seen = all.iter().map(|one| one.last_seen).max().unwrap_or(first_seen);
        let mut sources: BTreeSet<IpAddr> = all.iter().map(|one| one.source).collect();
        while sources.len() > MOST_SOURCES {
            sources.pop_last();
        }
        // Those to one host stand together then, the last seen last.
        all.sort_by(|a, b| (&a.destination, a.last_seen).cmp(&(&b.destination, b.last_seen)));
        let hosts = all.chunk_by(|a, b| a.destination == b.destination);
        let mut hosts: Vec<&[&Connection]> = hosts.collect();
        let host_count = u64::try_from(hosts.len()).unwrap_or(u64::MAX);
        // The sort is stable: hosts with as many connections stay in the order of their names.
        hosts.sort_by_key(|host| Reverse(host.len()));
        Counts {
            connections,
            first_seen,
            last_seen,
            hosts: hosts.into_iter().take(MOST_HOSTS).filter_map(host_seen).collect(),
            host_count,
            sources,
        }
    }
}

impl First {
    fn of(connection: &Connection) -> Self {
        Self {
            source: connection.source,
            destination: Arc::clone(&connection.destination),
            is_named: connection.is_named,
            port: connection.port,
            protocol: Arc::clone(&connection.protocol),
            signature: Arc::clone(&connection.signature),
            firewall: Arc::clone(&connection.firewall),
            availability_zone: Arc::clone(&connection.availability_zone),
        }
    }
}

/// The connections to one host, the last of which was seen last.
fn host_seen(connections: &[&Connection]) -> Option<HostSeen> {
    let last = connections.last()?;
    Some(HostSeen {
        host: last.destination.to_string(),
        connections: u64::try_from(connections.len()).unwrap_or(u64::MAX),
        last_seen: last.last_seen,
        signature: match last.signature.len() {
            0..=LONGEST_SIGNATURE => last.signature.to_string(),
            _ => last.signature.chars().take(LONGEST_SIGNATURE).collect(),
        },
        source: last.source,
    })
}

/// Windows stand on the clock (every quarter of an hour, say), not at first sight: so every invocation, in whatever
/// order batches come, puts a record into the same one without asking anybody. What claims to be from before 1970 is in
/// the first one: keys have no time before that.
pub fn start_of_window(at: Timestamp, window: Duration) -> Timestamp {
    let length = i64::try_from(window.as_secs()).unwrap_or(i64::MAX).max(1);
    Timestamp::from_second(at.as_second().max(0).div_euclid(length).saturating_mul(length)).unwrap_or(at)
}
