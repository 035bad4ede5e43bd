//! What a domain would have let through, of what the firewall blocked in the last days.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::Timestamp;

use super::{Assessment, BlockedBefore, MOST};
use crate::domain::DomainPattern;
use crate::ledger::BlockedCount;

/// The most hosts for which exact names are offered instead of all below a name: more are not asked for one by
/// one.
const MOST_NARROWER: usize = 5;
/// The longest text that says whose connections they were, in characters.
const LONGEST_OWNER: usize = 253;
/// How the messages of rules begin that stand above the grants: our guard's, and those that AWS makes of the deny
/// list. No grant opens what they block. Of a deny list, AWS documents `matching TLS denylisted FQDNs`
/// (<https://docs.aws.amazon.com/network-firewall/latest/developerguide/suricata-examples.html>); a reject list's
/// text is not documented, and taken to begin alike. What an allow list blocks is `not matching any …`.
const ABOVE_GRANTS: [&str; 3] = ["egress guard:", "matching TLS ", "matching HTTP "];

impl Assessment {
    /// Says what a domain of the request would have let through of what was blocked in the last `days`, and
    /// which narrower names would have done. `counts` may hold other hosts, too. Hosts and addresses are
    /// text from outside: all count, and what isn't a name or an address isn't shown.
    pub fn would_have_let_through(&mut self, domain: &DomainPattern, counts: &[BlockedCount], days: u32) {
        let opened = counts.iter().filter(|count| domain.matches(&count.host) && may_open(count));
        let tally = Tally::of(opened);
        for assessed in self.domains.iter_mut().filter(|assessed| assessed.domain == *domain) {
            assessed.narrower = tally.narrower(domain);
            assessed.blocked = tally.blocked(days);
        }
    }
}

/// Whether a grant could let pass what was blocked.
fn may_open(count: &BlockedCount) -> bool {
    !ABOVE_GRANTS.iter().any(|message| count.signature.starts_with(message))
}

/// Connections added up.
#[derive(Debug, Default)]
struct Tally<'a> {
    /// Of each host, in lower case.
    hosts: BTreeMap<String, u64>,
    /// Of each owner.
    owners: BTreeMap<String, u64>,
    /// Of each source that is nobody's who is known.
    sources: BTreeMap<&'a str, u64>,
    connections: u64,
    last_seen: Option<Timestamp>,
}

impl<'a> Tally<'a> {
    fn of(counts: impl Iterator<Item = &'a BlockedCount>) -> Self {
        let mut tally = Self::default();
        for count in counts {
            let host = tally.hosts.entry(count.host.to_ascii_lowercase()).or_default();
            *host = host.saturating_add(count.connections);
            let from = match &count.owner {
                Some(owner) => tally.owners.entry(owner.chars().take(LONGEST_OWNER).collect()).or_default(),
                None => tally.sources.entry(&count.source).or_default(),
            };
            *from = from.saturating_add(count.connections);
            tally.connections = tally.connections.saturating_add(count.connections);
            tally.last_seen = tally.last_seen.max(Some(count.last_seen));
        }
        tally
    }

    fn blocked(&self, days: u32) -> Option<BlockedBefore> {
        Some(BlockedBefore {
            days,
            connections: self.connections,
            owners: busiest(&self.owners, |owner| !owner.trim().is_empty()),
            owner_count: self.owners.len(),
            sources: busiest(&self.sources, |source| source.parse::<IpAddr>().is_ok()),
            source_count: self.sources.len(),
            hosts: busiest(&self.hosts, |host| as_host(host).is_some()),
            host_count: self.hosts.len(),
            last_seen: self.last_seen?,
        })
    }

    /// The hosts themselves, where they are few and each can be asked for.
    fn narrower(&self, domain: &DomainPattern) -> Vec<DomainPattern> {
        if !domain.includes_subdomains() || self.hosts.len() > MOST_NARROWER {
            return Vec::new();
        }
        let exact = |host: &String| as_host(host).filter(|_| DomainPattern::parse(host).is_ok());
        let hosts = self.hosts.keys().map(exact);
        hosts.collect::<Option<_>>().unwrap_or_default()
    }
}

/// A host that the firewall logged, where the text is a name as it stands: not with a dot or a scheme in front,
/// nor in letters that only a conversion makes a name.
fn as_host(text: &str) -> Option<DomainPattern> {
    DomainPattern::read(text).ok().filter(|pattern| pattern.name() == text)
}

/// The keys with the most connections that may be shown, those with as many by name.
fn busiest<K: AsRef<str>>(counts: &BTreeMap<K, u64>, shown: impl Fn(&str) -> bool) -> Vec<String> {
    let mut keys: Vec<_> = counts.iter().map(|(key, count)| (Reverse(count), key.as_ref())).collect();
    keys.sort_unstable();
    keys.into_iter().map(|(_, key)| key).filter(|key| shown(key)).take(MOST).map(str::to_owned).collect()
}
