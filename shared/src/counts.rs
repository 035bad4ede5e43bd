//! What was blocked, counted: of one owner, one registrable domain and one window.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The most hosts that are counted by their names in one batch of the log.
pub const MOST_HOSTS: usize = 40;
/// The most addresses that are named.
pub const MOST_SOURCES: usize = 10;

/// Blocked connections of an owner to a registrable domain, in a window: of one batch of the log, or of all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// How many connections.
    pub connections: u64,
    /// When the first was blocked.
    pub first_seen: Timestamp,
    /// When the last was blocked.
    pub last_seen: Timestamp,
    /// To which hosts, the most often blocked first.
    pub hosts: Vec<HostSeen>,
    /// To how many hosts. Where a batch has more than it names, at least so many.
    pub host_count: u64,
    /// From which addresses, at most [`MOST_SOURCES`].
    pub sources: BTreeSet<IpAddr>,
}

/// Blocked connections to one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostSeen {
    /// The name that the client asked for, or address and port.
    pub host: String,
    /// How many connections.
    pub connections: u64,
    /// When the last was blocked.
    pub last_seen: Timestamp,
    /// The message of the rule that blocked the last.
    pub signature: String,
    /// The address that the last came from.
    pub source: IpAddr,
}

impl Counts {
    /// All of them together, whatever their order; nothing of none.
    pub fn sum<'a>(counts: impl IntoIterator<Item = &'a Self>) -> Option<Self> {
        let mut counts = counts.into_iter();
        let mut sum = counts.next()?.clone();
        let mut hosts: BTreeMap<String, HostSeen> = BTreeMap::new();
        let mut largest = sum.host_count;
        add_hosts(&mut hosts, std::mem::take(&mut sum.hosts));
        for one in counts {
            sum.connections = sum.connections.saturating_add(one.connections);
            sum.first_seen = sum.first_seen.min(one.first_seen);
            sum.last_seen = sum.last_seen.max(one.last_seen);
            sum.sources.extend(&one.sources);
            largest = largest.max(one.host_count);
            add_hosts(&mut hosts, one.hosts.iter().cloned());
        }
        sum.host_count = largest.max(u64::try_from(hosts.len()).unwrap_or(u64::MAX));
        sum.hosts = in_order(hosts.into_values());
        sum.sources = std::mem::take(&mut sum.sources).into_iter().take(MOST_SOURCES).collect();
        Some(sum)
    }

    /// Whether all of the hosts are named.
    pub fn are_named(&self) -> bool {
        u64::try_from(self.hosts.len()).is_ok_and(|named| named >= self.host_count)
    }

    /// Names only so many of the hosts.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        self.hosts.truncate(MOST_HOSTS);
        self
    }
}

/// Hosts, the most often blocked first, those with as many by name.
pub fn in_order(hosts: impl Iterator<Item = HostSeen>) -> Vec<HostSeen> {
    let mut hosts: Vec<HostSeen> = hosts.collect();
    hosts.sort_by(|a, b| b.connections.cmp(&a.connections).then_with(|| a.host.cmp(&b.host)));
    hosts
}

fn add_hosts(known: &mut BTreeMap<String, HostSeen>, hosts: impl IntoIterator<Item = HostSeen>) {
    for host in hosts {
        let Some(there) = known.get_mut(&host.host) else {
            known.insert(host.host.clone(), host);
            continue;
        };
        there.connections = there.connections.saturating_add(host.connections);
        let last = |host: &HostSeen| (host.last_seen, host.source);
        if (last(&host), &host.signature) > (last(there), &there.signature) {
            (there.last_seen, there.source, there.signature) = (host.last_seen, host.source, host.signature);
        }
    }
}
