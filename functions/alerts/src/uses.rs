//! What grants let pass, by the records of a batch: evidence that they are needed, and the connections that
//! have to be cut when they end.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;

use egress::aws::evidence::FlowSeen;
use egress::firewall::Flow;
use egress::request::RequestId;
use jiff::Timestamp;

use crate::record::{Alert, ConnectionId};

/// The most grants that a batch counts: more than a firewall has at a time. Who writes the log could make it
/// name as many as fit into a batch.
const MOST_GRANTS: usize = 10_000;
/// The most connections that a batch counts, each as often as it has grants. A name that three hundred people were
/// granted makes so many of six thousand connections.
const MOST_USES: u64 = 2_000_000;
/// The most connections of a grant that a batch keeps, the last ones.
const MOST_FLOWS: usize = 50;
/// Once a batch keeps so many of all grants, each grant keeps as many as it has then, and at least one.
const MOST_FLOWS_OF_ALL: usize = 100_000;

/// What a batch saw of one grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// The request that the grant comes of.
    pub grant: RequestId,
    /// How many connections. One that goes on into the next batch counts there, too.
    pub connections: u64,
    /// The first of them.
    pub first: FirstUse,
    /// When the last of them passed.
    pub last_at: Timestamp,
    /// Between which addresses, the last 50.
    pub flows: Vec<FlowSeen>,
}

/// The first connection of a batch that a grant let pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstUse {
    /// When.
    pub at: Timestamp,
    /// To which host.
    pub host: String,
    /// From which address.
    pub source: IpAddr,
}

/// The uses of grants in a batch.
#[derive(Debug, Default)]
pub struct Uses {
    grants: BTreeMap<RequestId, Seen>,
    /// A number for each connection: one may be of hundreds of grants.
    connections: HashMap<ConnectionId, u32>,
    /// How many were added, of each grant.
    added: u64,
    /// How many connections are kept.
    flows: usize,
    left_out: u64,
}

#[derive(Debug)]
struct Seen {
    connections: u64,
    known: HashSet<u32>,
    first: FirstUse,
    last_at: Timestamp,
    flows: BTreeMap<Flow, Timestamp>,
}

impl Uses {
    /// Adds a record of a packet that passed then. An id that no
    /// request has is another rule's own, and nobody's grant.
    pub fn add(&mut self, alert: &Alert<'_>, at: Timestamp) {
        let next = u32::try_from(self.connections.len()).unwrap_or(u32::MAX);
        let connection = alert.connection().map(|id| *self.connections.entry(id).or_insert(next));
        for grant in alert.grants.iter().filter_map(|id| RequestId::try_from(id.clone().into_owned()).ok()) {
            if self.added == MOST_USES {
                self.left_out += 1;
                continue;
            }
            let room = self.grants.len() < MOST_GRANTS;
            let seen = match self.grants.entry(grant) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) if room => new.insert(Seen::new(alert, at)),
                Entry::Vacant(_) => {
                    self.left_out += 1;
                    continue;
                }
            };
            let before = seen.flows.len();
            let most = if self.flows < MOST_FLOWS_OF_ALL { MOST_FLOWS } else { before.max(1) };
            seen.add(alert, connection, at, most);
            self.added += 1;
            self.flows += seen.flows.len() - before;
        }
    }

    /// How many uses are not in it because they are of too many grants, or too many.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// One entry for each grant, in the order of their ids.
    pub fn by_grant(self) -> Vec<Use> {
        let of_grant = |(grant, seen): (RequestId, Seen)| {
            let Seen { connections, first, last_at, flows, .. } = seen;
            let flows = flows.into_iter().map(|(flow, at)| FlowSeen::new(&flow, at)).collect();
            Use { grant, connections, first, last_at, flows }
        };
        self.grants.into_iter().map(of_grant).collect()
    }
}

impl Seen {
    /// Nothing yet, of a grant that this record is the first of.
    fn new(alert: &Alert<'_>, at: Timestamp) -> Self {
        Self {
            connections: 0,
            known: HashSet::new(),
            first: FirstUse::of(alert, at),
            last_at: at,
            flows: BTreeMap::new(),
        }
    }

    /// Adds a record. One without a connection's number is a connection by itself.
    fn add(&mut self, alert: &Alert<'_>, connection: Option<u32>, at: Timestamp, most_flows: usize) {
        // An HTTP connection has a record for each of its requests.
        if connection.is_none_or(|connection| self.known.insert(connection)) {
            self.connections += 1;
        }
        if at < self.first.at {
            self.first = FirstUse::of(alert, at);
        }
        self.last_at = self.last_at.max(at);
        if let Some((destination, Some(port))) = alert.server {
            self.keep(Flow { source: alert.source, destination, port }, at, most_flows);
        }
    }

    /// Keeps a connection, instead of the one that was seen the longest ago where there are enough.
    fn keep(&mut self, flow: Flow, at: Timestamp, most: usize) {
        let last = self.flows.entry(flow).or_insert(at);
        *last = at.max(*last);
        if self.flows.len() <= most {
            return;
        }
        let oldest = self.flows.iter().min_by_key(|(_, at)| **at).map(|(flow, _)| flow.clone());
        oldest.map(|flow| self.flows.remove(&flow));
    }
}

impl FirstUse {
    fn of(alert: &Alert<'_>, at: Timestamp) -> Self {
        Self { at, host: alert.destination().into_owned(), source: alert.source }
    }
}
