//! What is summed up at the end of a window.

use std::collections::BTreeMap;
use std::net::IpAddr;

use egress::aws::windows::Window;
use egress::config::Config;
use egress::counts::{Counts, HostSeen};
use egress::events::{BlockedDigest, Finding, HostCount, VERSION};
use jiff::Timestamp;

use crate::alert::{severity, stable_id};
use crate::findings::Names;

/// The most hosts that a digest names.
const MOST_HOSTS: usize = 20;
/// The most digests of one owner and window; more are one.
const MOST_DIGESTS: usize = 20;

/// A window whose time is over, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The window; of its batches, none any more.
    pub window: Window,
    /// All of its connections.
    pub counts: Counts,
    /// Whether an alert has told of any of them.
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

    /// How many names and addresses its owner asked for in it.
    pub fn names(&self) -> (&str, Timestamp, u64) {
        (&self.window.item.owner_key, self.window.item.from, self.counts.host_count)
    }

    /// What raises its severity.
    pub fn findings(&self, names: &Names<'_>, config: &Config) -> Vec<Finding> {
        let is_named = self.window.item.domain.parse::<IpAddr>().is_err();
        names.findings(&self.window.key(), &self.counts, is_named, &config.alerts.raise)
    }
}

/// The digests of windows that are over: one for each that has something to tell, and one for all of an owner who has
/// very many. `names` is how many names each owner asked for in all.
pub fn digests(ended: &[&Ended], names: &Names<'_>, config: &Config) -> Vec<BlockedDigest> {
    let mut by_owner: BTreeMap<_, Vec<&Ended>> = BTreeMap::new();
    for window in ended.iter().copied().filter(|window| window.suppressed() > 0) {
        by_owner
            .entry((window.window.item.from, window.window.item.owner_key.as_str()))
            .or_default()
            .push(window);
    }
    let mut digests = Vec::new();
    for windows in by_owner.into_values() {
        if windows.len() > MOST_DIGESTS {
            digests.extend(digest(&windows, format!("{} domains", windows.len()), names, config));
        } else {
            let one = |window: &&Ended| digest(&[*window], window.window.item.domain.clone(), names, config);
            digests.extend(windows.iter().filter_map(one));
        }
    }
    digests
}

/// A digest of windows of one owner that began together.
fn digest(windows: &[&Ended], domain: String, names: &Names<'_>, config: &Config) -> Option<BlockedDigest> {
    let item = &windows.first()?.window.item;
    let all = Counts::sum(windows.iter().map(|window| &window.counts))?;
    let host_count = windows.iter().map(|window| window.counts.host_count).sum();
    let mut findings: Vec<Finding> = Vec::new();
    for finding in windows.iter().flat_map(|window| window.findings(names, config)) {
        if findings.iter().all(|known| known.rule != finding.rule) {
            findings.push(finding);
        }
    }
    let connections = all.connections;
    let (from, until, owner) = (item.from, item.until, item.owner.clone());
    // Of each window: two digests of as many domains of one owner would be one else.
    let mut id = vec![item.owner_key.clone(), from.to_string()];
    for window in windows {
        id.extend([window.window.item.domain.clone(), window.counts.connections.to_string()]);
    }
    Some(BlockedDigest {
        version: VERSION,
        event_id: stable_id("digest", &id.iter().map(String::as_str).collect::<Vec<_>>()),
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
