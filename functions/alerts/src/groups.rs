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

use crate::blocked::{Connection, Connections, TextId, Texts};
use crate::owners::Span;

/// The longest message of a rule that is counted with a host, in characters.
const LONGEST_SIGNATURE: usize = 100;
/// Whose an address is that has no owner.
static NOBODY: Owner = Owner::Unknown { reason: String::new() };

/// Blocked connections of one owner to one registrable domain, in one window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group<'a> {
    /// Whose they were.
    pub owner: &'a Owner,
    /// Where they are counted.
    pub key: WindowKey,
    /// When the window ends.
    pub until: Timestamp,
    /// How many, when, and to which hosts.
    pub counts: Counts,
    /// The first of them.
    pub first: First<'a>,
}

/// The first connection of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct First<'a> {
    /// The client's address.
    pub source: IpAddr,
    /// The name that was asked for, or address and port.
    pub destination: &'a str,
    /// Whether it is a name.
    pub is_named: bool,
    /// The server's port.
    pub port: Option<u16>,
    /// `tls`, `http`, …, or the transport's.
    pub protocol: &'a str,
    /// The message of the rule that blocked it.
    pub signature: &'a str,
    /// The firewall's name.
    pub firewall: &'a str,
    /// Where its endpoint stands.
    pub availability_zone: &'a str,
}

impl Connections {
    /// The addresses from which connections came, each with the times of its first and last.
    pub fn sources(&self) -> BTreeMap<IpAddr, Span> {
        let mut sources: HashMap<IpAddr, Span, RandomState> =
            HashMap::with_capacity_and_hasher(self.all().len(), RandomState::default());
        for connection in self.all() {
            let seen = Span { first: connection.first_seen, last: connection.last_seen };
            sources.entry(connection.source).and_modify(|span| span.add(seen)).or_insert(seen);
        }
        sources.into_iter().collect()
    }

    /// One entry for each owner, registrable domain and window, the first seen first. An address that has no owner
    /// in `owners` is nobody's.
    pub fn groups<'a>(&'a self, owners: &'a BTreeMap<IpAddr, Owner>, window: Duration) -> Vec<Group<'a>> {
        let texts = self.texts();
        let mut keys = Keys::of(owners, self.all().len());
        // By the places of their keys: a batch has few of those, and each is compared once.
        let mut places: HashMap<(usize, usize, Timestamp), usize, RandomState> =
            HashMap::with_capacity_and_hasher(self.all().len(), RandomState::default());
        let mut gathered: Vec<Gathering<'a>> = Vec::with_capacity(self.all().len());
        for connection in self.in_order() {
            let (of_owner, owner) = keys.of_source(connection.source);
            let of_domain = keys.of_destination(connection.destination, texts);
            let start = start_of_window(connection.first_seen, window);
            let place = *places.entry((of_owner, of_domain, start)).or_insert(gathered.len());
            if let Some(group) = gathered.get_mut(place) {
                group.others.push(connection);
            } else {
                let others = Vec::new();
                gathered.push(Gathering { owner, of_owner, of_domain, start, first: connection, others });
            }
        }
        gathered.sort_by(|a, b| {
            let seen = a.first.first_seen.cmp(&b.first.first_seen);
            seen.then_with(|| keys.of_group(a).cmp(&keys.of_group(b)))
        });
        gathered.into_iter().map(|group| group.finished(&keys, texts, window)).collect()
    }

    /// All of them, the first seen first, whatever their order in the batch.
    fn in_order(&self) -> Vec<&Connection> {
        let mut all: Vec<&Connection> = self.all().iter().collect();
        let destination = |one: &Connection| self.texts().get(one.destination);
        all.sort_by(|a, b| {
            (a.first_seen, a.source)
                .cmp(&(b.first_seen, b.source))
                .then_with(|| (destination(a), a.port).cmp(&(destination(b), b.port)))
        });
        all
    }
}

/// The keys of owners and domains, each once at its place, and the places of those of what was seen before.
struct Keys<'a> {
    owners: &'a BTreeMap<IpAddr, Owner>,
    all: Vec<Arc<str>>,
    places: HashMap<Arc<str>, usize, RandomState>,
    sources: HashMap<IpAddr, (usize, &'a Owner), RandomState>,
    destinations: HashMap<TextId, usize, RandomState>,
}

impl<'a> Keys<'a> {
    fn of(owners: &'a BTreeMap<IpAddr, Owner>, connections: usize) -> Self {
        Self {
            owners,
            all: Vec::new(),
            places: HashMap::default(),
            sources: HashMap::with_capacity_and_hasher(connections, RandomState::default()),
            destinations: HashMap::default(),
        }
    }

    fn of_source(&mut self, source: IpAddr) -> (usize, &'a Owner) {
        if let Some(known) = self.sources.get(&source) {
            return *known;
        }
        let owner = self.owners.get(&source).unwrap_or(&NOBODY);
        let found = (self.place(owner.key(source)), owner);
        self.sources.insert(source, found);
        found
    }

    fn of_destination(&mut self, destination: TextId, texts: &Texts) -> usize {
        if let Some(place) = self.destinations.get(&destination) {
            return *place;
        }
        let place = self.place(counted_under(texts.get(destination)));
        self.destinations.insert(destination, place);
        place
    }

    fn place(&mut self, key: String) -> usize {
        if let Some(place) = self.places.get(key.as_str()) {
            return *place;
        }
        let (place, key) = (self.all.len(), Arc::from(key));
        self.all.push(Arc::clone(&key));
        self.places.insert(key, place);
        place
    }

    /// The registrable domain and the owner.
    fn of_group(&self, group: &Gathering<'_>) -> (Arc<str>, Arc<str>) {
        (self.at(group.of_domain), self.at(group.of_owner))
    }

    fn at(&self, place: usize) -> Arc<str> {
        self.all.get(place).cloned().unwrap_or_default()
    }
}

/// A group as its connections are found. Most have one.
#[derive(Debug)]
struct Gathering<'a> {
    owner: &'a Owner,
    of_owner: usize,
    of_domain: usize,
    start: Timestamp,
    first: &'a Connection,
    others: Vec<&'a Connection>,
}

impl<'a> Gathering<'a> {
    fn finished(self, keys: &Keys<'_>, texts: &'a Texts, window: Duration) -> Group<'a> {
        let (domain, owner) = keys.of_group(&self);
        let key = WindowKey { domain, start: self.start, owner };
        let until = key.start.checked_add(window).unwrap_or(Timestamp::MAX);
        let (owner, first) = (self.owner, First::of(self.first, texts));
        let counts =
            if self.others.is_empty() { counts_of_one(self.first, texts) } else { self.counts(texts) };
        Group { owner, key, until, counts, first }
    }

    fn counts(self, texts: &Texts) -> Counts {
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
        all.sort_by_key(|one| (texts.get(one.destination), one.last_seen));
        let mut hosts: Vec<&[&Connection]> = all.chunk_by(|a, b| a.destination == b.destination).collect();
        let host_count = u64::try_from(hosts.len()).unwrap_or(u64::MAX);
        // The sort is stable: hosts with as many connections stay in the order of their names.
        hosts.sort_by_key(|host| Reverse(host.len()));
        let named = hosts.into_iter().take(MOST_HOSTS);
        let hosts = named.filter_map(|host| Some(host_seen(host.last()?, host.len(), texts))).collect();
        Counts { connections, first_seen, last_seen, hosts, host_count, sources }
    }
}

fn counts_of_one(connection: &Connection, texts: &Texts) -> Counts {
    Counts {
        connections: 1,
        first_seen: connection.first_seen,
        last_seen: connection.last_seen,
        hosts: vec![host_seen(connection, 1, texts)],
        host_count: 1,
        sources: BTreeSet::from([connection.source]),
    }
}

impl<'a> First<'a> {
    fn of(connection: &Connection, texts: &'a Texts) -> Self {
        Self {
            source: connection.source,
            destination: texts.get(connection.destination),
            is_named: connection.is_named,
            port: connection.port,
            protocol: texts.get(connection.protocol),
            signature: texts.get(connection.signature),
            firewall: texts.get(connection.firewall),
            availability_zone: texts.get(connection.availability_zone),
        }
    }
}

/// So many connections to one host, the last of which is this.
fn host_seen(last: &Connection, connections: usize, texts: &Texts) -> HostSeen {
    let signature = texts.get(last.signature);
    HostSeen {
        host: texts.get(last.destination).to_owned(),
        connections: u64::try_from(connections).unwrap_or(u64::MAX),
        last_seen: last.last_seen,
        signature: match signature.len() {
            0..=LONGEST_SIGNATURE => signature.to_owned(),
            _ => signature.chars().take(LONGEST_SIGNATURE).collect(),
        },
        source: last.source,
    }
}

/// Windows stand on the clock (every quarter of an hour, say), not at first sight: so every invocation, in whatever
/// order batches come, puts a record into the same one without asking anybody. What claims to be from before 1970 is in
/// the first one: keys have no time before that.
pub fn start_of_window(at: Timestamp, window: Duration) -> Timestamp {
    let length = i64::try_from(window.as_secs()).unwrap_or(i64::MAX).max(1);
    Timestamp::from_second(at.as_second().max(0).div_euclid(length).saturating_mul(length)).unwrap_or(at)
}
