//! What was blocked, and how to ask for it.

use std::net::{IpAddr, SocketAddr};

use egress::events::{BlockedDigest, Suggestion, TrafficBlocked};
use egress::slack::Ask;

use super::act::Act;
use super::letter::Letter;
use super::{counted, length, second, some_of};
use crate::plain;

/// Hosts of a digest that are listed: as many as it has.
const MOST_HOSTS: usize = 20;

pub(super) fn blocked(blocked: &TrafficBlocked) -> Letter {
    let destination = plain::name(&blocked.destination);
    let source = plain::name(&blocked.source);
    let connections = match blocked.count {
        1 => "a connection".to_owned(),
        count => format!("at least {count} connections"),
    };
    let registered = blocked.registrable_domain.as_deref().filter(|domain| *domain != blocked.destination);
    let port = blocked.port.map_or_else(String::new, |port| format!(", port {port}"));
    let signature = Some(plain::name(&blocked.signature)).filter(|text| !text.is_empty());
    let letter = Letter::new(
        format!("Blocked: {destination} from {source} (at least {} x)", blocked.count),
        format!("The firewall blocked {connections} from {source} to {destination}."),
    )
    .fact("Destination", destination.clone())
    .fact_if("Belongs to", registered.map(plain::name))
    .fact("Protocol", format!("{}{port}", plain::name(&blocked.protocol)))
    .fact("Source", source.clone())
    .fact("Since", second(blocked.first_seen))
    .fact("Last", second(blocked.last_seen))
    .fact("Connections", format!("{} at first; those that follow are counted, not told", blocked.count))
    .fact_if("Rule", signature)
    .fact(
        "Firewall",
        format!("{} in {}", plain::name(&blocked.firewall), plain::name(&blocked.availability_zone)),
    )
    .fact(
        "Repeats",
        format!("one message in {} for this source and destination", length(blocked.window_seconds)),
    );
    match &blocked.suggestion {
        Some(suggestion) => how_to_ask(letter, suggestion),
        None => letter.next(why_not(blocked)),
    }
}

fn how_to_ask(letter: Letter, suggestion: &Suggestion) -> Letter {
    let words = match &suggestion.preset {
        Some(preset) => {
            format!("If it is needed, ask for the preset {}, which is approved at once:", plain::name(preset))
        }
        None => {
            format!("If it is needed, ask for {}; an approver decides:", plain::name(&suggestion.pattern))
        }
    };
    letter
        .act(words, Act::Ask(asked(suggestion)))
        .next("If it is not, find out what on that machine asks for it.")
}

/// What to ask for: the preset, where there is one.
pub(crate) fn asked(suggestion: &Suggestion) -> Ask {
    let preset = suggestion.preset.clone();
    let domains = if preset.is_some() { Vec::new() } else { vec![suggestion.pattern.clone()] };
    Ask { domains, preset, ..Ask::default() }
}

/// Why there is nothing to ask for.
fn why_not(blocked: &TrafficBlocked) -> String {
    let is_address =
        blocked.destination.parse::<SocketAddr>().is_ok() || blocked.destination.parse::<IpAddr>().is_ok();
    if !["tls", "http", "http2"].contains(&blocked.protocol.as_str()) {
        "It can't be asked for: the firewall allows by name, and only TLS and HTTP carry one.".to_owned()
    } else if is_address {
        "It can't be asked for by address: let the client ask for the server by its name.".to_owned()
    } else if blocked.destination.ends_with('.') {
        "The client writes the name with a dot at its end, which no rule matches: leave the dot out."
            .to_owned()
    } else {
        "It can't be asked for: it is not a name that can be granted, or one that is never allowed."
            .to_owned()
    }
}

/// What was blocked in a window, summed up.
pub(super) fn digest(digest: &BlockedDigest) -> Letter {
    let (domain, source) = (plain::name(&digest.domain), plain::name(&digest.source));
    let connections = counted(digest.connections, "connection");
    let hosts = format!("{} in all", digest.host_count);
    let mut names = some_of(&digest.hosts, MOST_HOSTS);
    if digest.host_count > digest.hosts.len() {
        names.push(hosts);
    }
    let next = "What of it is needed is asked for; what is not, find out what on that machine asks for it.";
    Letter::new(
        format!("Blocked in all: {domain} from {source} ({} x)", digest.connections),
        format!(
            "The firewall blocked {connections} from {source} to {domain}; {} were told of at once.",
            digest.connections.saturating_sub(digest.suppressed)
        ),
    )
    .fact("Domain", domain)
    .fact("Source", source)
    .fact("From", second(digest.from))
    .fact("Until", second(digest.until))
    .fact("Connections", format!("{}, {} suppressed", digest.connections, digest.suppressed))
    .facts("Hosts", names)
    .next(next)
}
