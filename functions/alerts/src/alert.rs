//! What is told: of blocked connections, with what would let them pass; and of a grant's first use.

use egress::config::Config;
use egress::domain::{DomainPattern, registrable_domain};
use egress::events::{GrantUsed, Suggestion, TrafficBlocked, VERSION};
use sha2::{Digest, Sha256};

use crate::blocked::Blocked;
use crate::uses::Use;

/// The event about these connections.
pub fn traffic_blocked(blocked: &Blocked, config: &Config) -> TrafficBlocked {
    let named = blocked.is_named.then_some(blocked.destination.as_str());
    TrafficBlocked {
        version: VERSION,
        event_id: event_id(blocked),
        destination: blocked.destination.clone(),
        registrable_domain: named.and_then(registrable_domain).map(str::to_owned),
        source: blocked.source.to_string(),
        protocol: blocked.protocol.clone(),
        port: blocked.port,
        count: blocked.count,
        first_seen: blocked.first_seen,
        last_seen: blocked.last_seen,
        window_seconds: config.alerts.window.as_secs(),
        firewall: blocked.firewall.clone(),
        availability_zone: blocked.availability_zone.clone(),
        signature: blocked.signature.clone(),
        suggestion: named.and_then(|host| suggestion(host, &blocked.protocol, config)),
    }
}

/// The event about a grant's first use. Its id is the same for every delivery.
pub fn grant_used(used: &Use) -> GrantUsed {
    GrantUsed {
        version: VERSION,
        event_id: format!("first-use:{}", used.grant),
        request_id: used.grant.clone(),
        at: used.first.at,
        host: used.first.host.clone(),
        source: used.first.source.to_string(),
    }
}

/// The narrowest thing to ask for. Nothing where no request would help: the name isn't one that can be
/// granted, or is denied for good, or is written so that no rule would match it (with a dot at its end), or
/// the protocol doesn't carry a name that rules can read.
fn suggestion(host: &str, protocol: &str, config: &Config) -> Option<Suggestion> {
    if !["tls", "http", "http2"].contains(&protocol) {
        return None;
    }
    let pattern = DomainPattern::requested(host, &config.denied_domains).ok()?;
    let preset = config.preset_for(host).map(str::to_owned);
    pattern.matches(host).then(|| Suggestion { pattern: pattern.to_string(), preset })
}

/// The same for every delivery: of source, destination and window.
fn event_id(blocked: &Blocked) -> String {
    let Blocked { source, destination, window_start, .. } = blocked;
    let digest = hex::encode(Sha256::digest(format!("{source}\n{destination}\n{window_start}").as_bytes()));
    format!("blocked-{}", digest.get(..24).unwrap_or(&digest))
}
