//! What to do about a blocked connection: what to ask for, who has asked already, and why a grant didn't help.

use egress::config::Config;
use egress::domain::DomainPattern;
use egress::events::Suggestion;
use egress::request::{Request, StateName};
use jiff::Timestamp;

use crate::groups::First;

/// The most requests that are named.
const MOST: usize = 3;
/// Protocols that carry a name which rules can read.
const NAMED: [&str; 3] = ["tls", "http", "http2"];
/// How the messages of our guard's rules begin, which no grant opens.
const GUARD: &str = "egress guard:";

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Advice {
    /// What to ask for.
    pub suggestion: Option<Suggestion>,
    /// What else there is to know and to do: sentences.
    pub notes: Vec<String>,
}

/// What to do about a connection that was blocked at a time. `requests` are those that are pending or live.
pub fn advice(first: &First<'_>, at: Timestamp, requests: &[Request], config: &Config) -> Advice {
    let mut notes: Vec<String> = Vec::new();
    let named = first.is_named.then_some(first.destination);
    let holds = |request: &&Request| named.is_some_and(|host| covers(request, host));
    let (live, pending): (Vec<&Request>, Vec<&Request>) =
        requests.iter().filter(holds).partition(|request| request.state.is_live());
    notes.extend(live.iter().take(MOST).map(|request| blocked_all_the_same(request, first, at)));
    notes.extend(pending.iter().take(MOST).map(|request| asked_already(request)));
    let suggestion = named.filter(|_| live.is_empty()).and_then(|host| suggestion(host, first, config));
    if live.is_empty() {
        notes.extend(named.map(|host| granted_above(host, requests)).unwrap_or_default());
        if suggestion.is_none() {
            notes.push(why_not(first, config));
        }
    }
    Advice { suggestion, notes }
}

/// Whether a request asks for a host, or has it granted.
pub fn covers(request: &Request, host: &str) -> bool {
    request.domains.iter().any(|domain| domain.matches(host))
}

/// The narrowest thing to ask for. Nothing where no request would help: the name isn't one that can be granted, or is
/// denied for good, or is written so that no rule would match it (with a dot at its end), or the protocol doesn't
/// carry a name that rules can read.
fn suggestion(host: &str, first: &First<'_>, config: &Config) -> Option<Suggestion> {
    if !NAMED.contains(&first.protocol) {
        return None;
    }
    let pattern = DomainPattern::requested(host, &config.denied_domains).ok()?;
    let preset = config.preset_for(host).map(str::to_owned);
    pattern.matches(host).then(|| Suggestion { pattern: pattern.to_string(), preset })
}

/// Why there is nothing to ask for.
fn why_not(first: &First<'_>, config: &Config) -> String {
    if is_quic(first) {
        quic().to_owned()
    } else if !NAMED.contains(&first.protocol) {
        "It can't be asked for: the firewall allows by name, and only TLS and HTTP carry one.".to_owned()
    } else if !first.is_named {
        "It can't be asked for by address: let the client ask for the server by its name.".to_owned()
    } else if first.destination.ends_with('.') {
        "The client writes the name with a dot at its end, which no rule matches: leave the dot out."
            .to_owned()
    } else {
        match DomainPattern::requested(first.destination, &config.denied_domains) {
            Err(reason) => format!("It can't be asked for: {reason}."),
            Ok(_) => {
                "It can't be asked for: no rule would match the name as the client writes it.".to_owned()
            }
        }
    }
}

/// Why a grant that holds the name didn't let it pass.
fn blocked_all_the_same(request: &Request, first: &First<'_>, at: Timestamp) -> String {
    let id = &request.id;
    if let Some(waits_for) = &request.waits_for {
        return format!("Granted by {id}, and its rules are not in the firewall: {waits_for}");
    }
    if request.state == StateName::Approved {
        return format!("Granted by {id}, which is not in force yet: who asked for it is told when it is.");
    }
    if request.approved_at.is_some_and(|approved| at < approved) {
        return format!("Granted by {id} since: begin a new connection.");
    }
    let because = if is_quic(first) {
        quic().to_owned()
    } else if !NAMED.contains(&first.protocol) {
        format!("a grant opens TLS and HTTP, and this was {}.", first.protocol)
    } else if first.destination.ends_with('.') {
        "the client writes the name with a dot at its end, which no rule matches: leave the dot out."
            .to_owned()
    } else if let Some(rule) = first.signature.strip_prefix(GUARD) {
        format!("a rule of the guard stands above grants ({}).", rule.trim())
    } else if first.signature.is_empty() {
        "another rule decides before it.".to_owned()
    } else {
        format!("another rule decides before it ({}).", first.signature)
    };
    format!("Granted by {id}, and blocked all the same, because {because}")
}

/// Who has asked for it.
fn asked_already(request: &Request) -> String {
    let (said, needed) = (request.approvals.len(), request.approvals_needed);
    format!(
        "Already requested by {} ({}): {said} of {needed} have said yes; it lapses at {:.0}.",
        request.requester, request.id, request.lapses_at
    )
}

/// Grants of a name above the host, which are of that name alone.
fn granted_above(host: &str, requests: &[Request]) -> Vec<String> {
    let above = requests.iter().filter(|request| request.state.is_live()).filter_map(|request| {
        let is_above = |domain: &&DomainPattern| {
            let below = host.strip_suffix(domain.name());
            !domain.includes_subdomains() && below.is_some_and(|below| below.ends_with('.'))
        };
        let domain = request.domains.iter().find(is_above)?;
        Some(format!("{} grants {domain}, which is that host alone: {host} is another one.", request.id))
    });
    above.take(MOST).collect()
}

/// QUIC is UDP to port 443, for which the firewall writes a protocol of its own where it knows it (RFC 9000).
fn is_quic(first: &First<'_>) -> bool {
    first.protocol == "quic" || (first.protocol == "udp" && first.port == Some(443))
}

fn quic() -> &'static str {
    "QUIC (UDP port 443) is never let pass, whatever the name: clients fall back to TLS over TCP; where this one doesn't, switch QUIC off in it."
}
