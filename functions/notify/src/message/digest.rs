//! What was blocked in a window, summed up.

use egress::events::{BlockedDigest, HostCount};

use super::blocked::{findings, from, group, headline, how_to_silence, owner};
use super::letter::Letter;
use super::{counted, second, some_of};
use crate::plain;

/// Hosts that are listed: as many as a digest has.
const MOST_HOSTS: usize = 20;
/// Addresses that are listed: as many as a digest has.
const MOST_SOURCES: usize = 10;
/// Addresses that are named in a sentence.
const MOST_NAMED: usize = 3;

pub(super) fn digest(digest: &BlockedDigest) -> Letter {
    let domain = plain::name(&digest.domain);
    let sources = some_of(&digest.sources, MOST_NAMED).join(", ");
    let subject = headline(digest.severity, "Blocked in all", &domain, &digest.owner, &sources);
    let told = if digest.suppressed < digest.connections {
        "an alert told of the first at once, and of the others this does"
    } else {
        "an alert of before speaks for them"
    };
    let sentence = format!(
        "The firewall blocked {} {} to {domain}; {told}.",
        counted(digest.connections, "connection"),
        from(&digest.owner, &sources),
    );
    let letter = Letter::new(format!("{subject}, {} x", digest.connections), sentence)
        .facts("Why to look", findings(&digest.findings))
        .fact("Domain", domain)
        .fact("Owner", owner(&digest.owner))
        .facts("Sources", some_of(&digest.sources, MOST_SOURCES))
        .fact("From", second(digest.from))
        .fact("Until", second(digest.until))
        .fact("Connections", format!("{}, {} suppressed", digest.connections, digest.suppressed))
        .facts("Hosts", hosts(digest))
        .next("What of it is needed is asked for; what is not, find out what on that machine asks for it.");
    how_to_silence(letter, group(&digest.owner, digest.sources.first(), &digest.domain))
}

/// The hosts, each with how often, and how many there are where there are more.
fn hosts(digest: &BlockedDigest) -> Vec<String> {
    let line =
        |HostCount { host, connections }: &HostCount| format!("{}, {connections} x", plain::name(host));
    let mut hosts: Vec<String> = digest.hosts.iter().take(MOST_HOSTS).map(line).collect();
    if digest.host_count > hosts.len() as u64 {
        hosts.push(format!("{} in all", digest.host_count));
    }
    hosts
}
