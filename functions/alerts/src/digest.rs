//! What is summed up at the end of a window.

use std::collections::BTreeMap;
use std::net::IpAddr;

use egress::aws::windows::Window;
use egress::config::Config;
use egress::counts::{Counts, HostSeen};
use egress::events::{BlockedDigest, HostCount, VERSION};

use crate::alert::{severity, stable_id};
use crate::findings::{many_names, of_destinations};

/// The most hosts that a digest names.
const MOST_HOSTS: usize = 20;
/// The most digests of one owner and window; more are one.
const MOST_DIGESTS: usize = 20;

/// A window whose time is over, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The window.
    pub window: Window,
    /// All of its connections.
    pub counts: Counts,
    /// Whether an alert has told of the first of them.
    pub is_told: bool,
}

impl Ended {
    /// How many connections no alert has told.
    pub fn suppressed(&self) -> u64 {
        self.counts.connections.saturating_sub(u64::from(self.is_told))
    }

    /// How many of them were not there when its last digest was due.
    pub fn suppressed_since(&self) -> u64 {
        self.suppressed().min(self.counts.connections.saturating_sub(self.window.item.digested.unwrap_or(0)))
    }
}

/// The digests of windows that are over: one for each that has something to tell, and one for all of an owner who has
/// very many.
pub fn digests(ended: &[Ended], config: &Config) -> Vec<BlockedDigest> {
    let mut by_owner: BTreeMap<_, Vec<&Ended>> = BTreeMap::new();
    for window in ended.iter().filter(|window| window.suppressed() > 0) {
        by_owner
            .entry((window.window.item.from, window.window.item.owner_key.as_str()))
            .or_default()
            .push(window);
    }
    let mut digests = Vec::new();
    for windows in by_owner.into_values() {
        let names = windows.iter().map(|window| window.counts.host_count).sum();
        if windows.len() > MOST_DIGESTS {
            digests.extend(digest(&windows, format!("{} domains", windows.len()), names, config));
        } else {
            let one = |window: &&Ended| digest(&[*window], window.window.item.domain.clone(), names, config);
            digests.extend(windows.iter().filter_map(one));
        }
    }
    digests
}

/// A digest of windows of one owner that began together, in which the owner asked for so many names in all.
fn digest(windows: &[&Ended], domain: String, names: u64, config: &Config) -> Option<BlockedDigest> {
    let item = &windows.first()?.window.item;
    let all = Counts::sum(windows.iter().map(|window| &window.counts))?;
    let host_count = windows.iter().map(|window| window.counts.host_count).sum();
    let raise = &config.alerts.raise;
    let mut findings: Vec<_> = many_names(names, raise).into_iter().collect();
    for window in windows {
        let is_named = !is_address(&window.window.item.domain);
        let hosts = window.counts.hosts.iter().map(|host| host.host.as_str());
        for finding in of_destinations(hosts, is_named, raise) {
            if findings.iter().all(|known| known.rule != finding.rule) {
                findings.push(finding);
            }
        }
    }
    let connections = all.connections;
    let (from, until, owner) = (item.from, item.until, item.owner.clone());
    let id = [item.owner_key.as_str(), &domain, &from.to_string(), &connections.to_string()];
    Some(BlockedDigest {
        version: VERSION,
        event_id: stable_id("digest", &id),
        owner,
        sources: all.sources.iter().map(ToString::to_string).collect(),
        from,
        until,
        connections,
        suppressed: windows.iter().map(|window| window.suppressed()).sum(),
        hosts: all.hosts.into_iter().take(MOST_HOSTS).map(host_count_of).collect(),
        host_count,
        severity: severity(&findings),
        findings,
        domain,
    })
}

fn host_count_of(host: HostSeen) -> HostCount {
    HostCount { host: host.host, connections: host.connections }
}

fn is_address(domain: &str) -> bool {
    domain.parse::<IpAddr>().is_ok()
}
