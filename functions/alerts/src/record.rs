//! One record of the firewall's alert log: Suricata's EVE JSON in an envelope.
//! <https://docs.aws.amazon.com/network-firewall/latest/developerguide/firewall-logging-contents.html>
//!
//! What was blocked is said by `verdict.action`, the packet's fate; records of before 2025 have none, and
//! there `alert.action` says it, what the rule would do. Signature ids say nothing: a domain list and the
//! policy's default action use the same ones.

use std::borrow::Cow;
use std::net::IpAddr;

use jiff::Timestamp;

use crate::eve;

/// The longest name of a host that is kept (RFC 1035, 2.3.4). Clients write what they like into an SNI.
const LONGEST_NAME: usize = 253;
/// The longest other text that is kept: a rule's message, a firewall's or a protocol's name.
const LONGEST_TEXT: usize = 256;

/// What a line of the log says.
#[derive(Debug)]
pub enum Record<'a> {
    /// A rule, or the policy's default action, had something to say about a connection.
    Alert(Box<Alert<'a>>),
    /// A record of another kind (netflow, TLS inspection): not about a rule.
    Other,
}

/// What became of the packet that a record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It was dropped or rejected.
    Blocked,
    /// It went on.
    Passed,
}

/// A connection: the engine's id of it, the client's address and port.
pub type ConnectionId = (u64, IpAddr, Option<u16>);

/// A record about a connection.
#[derive(Debug)]
pub struct Alert<'a> {
    /// What became of the packet.
    pub fate: Fate,
    /// Whether the rule that is named is one that blocks. A packet that a guard drops has a record of the
    /// grant that would have let it pass, too.
    pub rule_blocks: bool,
    /// The requests whose grant the rule is.
    pub grants: Vec<Cow<'a, str>>,
    /// When the packet was seen.
    pub at: Option<Timestamp>,
    /// The connection: the same in all of its records.
    pub flow_id: Option<u64>,
    /// The client's address.
    pub source: IpAddr,
    /// The client's port.
    pub source_port: Option<u16>,
    /// The name that the client asked for, lower case. No address.
    pub name: Option<String>,
    /// The server's address, and its port where the protocol has ports.
    pub server: Option<(IpAddr, Option<u16>)>,
    /// `tls`, `http`, … where the firewall could tell, else `tcp`, `udp`, …
    pub protocol: String,
    /// The message of the rule; empty where it has none.
    pub signature: Cow<'a, str>,
    /// The firewall's name.
    pub firewall: Cow<'a, str>,
    /// Where its endpoint stands.
    pub availability_zone: Cow<'a, str>,
}

/// Why a line can't be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// Not JSON.
    #[error("it is not JSON: {0}")]
    NotJson(#[from] serde_json::Error),
    /// JSON, and not a record of the firewall.
    #[error("it has no `event`")]
    NoEvent,
    /// An alert that can't be put down to anybody.
    #[error("its `event.src_ip` is not an address")]
    NoSource,
    /// An alert about nowhere.
    #[error("it has neither a name nor an address of a server")]
    NoDestination,
}

impl<'a> Record<'a> {
    /// Reads a line.
    pub fn read(line: &'a str) -> Result<Self, Unreadable> {
        let record = eve::Record::parse(line)?;
        if !record.event.given {
            return Err(Unreadable::NoEvent);
        }
        match record.event.kind.0.as_deref() {
            Some("alert") => Alert::of(record).map(|alert| Self::Alert(Box::new(alert))),
            None if record.event.alert.given => Alert::of(record).map(|alert| Self::Alert(Box::new(alert))),
            _ => Ok(Self::Other),
        }
    }
}

impl<'a> Alert<'a> {
    fn of(record: eve::Record<'a>) -> Result<Self, Unreadable> {
        let eve::Record { event, .. } = record;
        let protocol = protocol(&event);
        let name = name(&event, &protocol);
        let at = seen_at(&event, record.epoch_seconds.0);
        let (fate, rule_blocks) = fate(&event);
        let from = (address(event.source_address.0.as_deref()), port(event.source_port.0));
        let to = (address(event.server_address.0.as_deref()), port(event.server_port.0));
        // A record of a packet from the server has the server as its source.
        let back = event.direction.0.as_deref() == Some("to_client");
        let (client, server) = if back { (to, from) } else { (from, to) };
        let alert = Self {
            fate,
            rule_blocks,
            grants: event.alert.metadata.grants.0,
            at,
            flow_id: event.flow_id.0,
            source: client.0.ok_or(Unreadable::NoSource)?,
            source_port: client.1,
            name,
            server: server.0.map(|address| (address, server.1)),
            protocol,
            signature: shortened(event.alert.signature.0.unwrap_or_default()),
            firewall: shortened(record.firewall.0.unwrap_or_default()),
            availability_zone: shortened(record.availability_zone.0.unwrap_or_default()),
        };
        match (&alert.name, &alert.server) {
            (None, None) => Err(Unreadable::NoDestination),
            _ => Ok(alert),
        }
    }

    /// What makes two records those of one connection: Suricata's flow ids are unique in one engine only.
    /// Nothing without one: then each record is a connection.
    pub fn connection(&self) -> Option<ConnectionId> {
        Some((self.flow_id?, self.source, self.source_port))
    }

    /// Where it went: the name; without one the address, with the port where there is one.
    pub fn destination(&self) -> String {
        match (&self.name, self.server) {
            (Some(name), _) => name.clone(),
            (None, Some((IpAddr::V6(address), Some(port)))) => format!("[{address}]:{port}"),
            (None, Some((address, Some(port)))) => format!("{address}:{port}"),
            (None, Some((address, None))) => address.to_string(),
            (None, None) => String::new(),
        }
    }
}

/// The packet's fate, and whether the rule is one that blocks.
fn fate(event: &eve::Event<'_>) -> (Fate, bool) {
    let rule_blocks = event.alert.action.0.as_deref() == Some("blocked");
    let fate = match event.verdict.action.0.as_deref() {
        Some("drop" | "reject") => Fate::Blocked,
        Some("pass" | "alert" | "accept") => Fate::Passed,
        _ if rule_blocks => Fate::Blocked,
        _ => Fate::Passed,
    };
    (fate, rule_blocks)
}

/// The application's protocol where the firewall knows it, else the transport's.
fn protocol(event: &eve::Event<'_>) -> String {
    let known = event.app_proto.0.as_deref().filter(|name| !["", "failed", "unknown"].contains(name));
    let text = known.or(event.protocol.0.as_deref()).unwrap_or("unknown");
    text.chars().filter(char::is_ascii_graphic).take(32).collect::<String>().to_ascii_lowercase()
}

/// The name that the client asked for: in the hello of TLS, or in the request of HTTP. An HTTP request in
/// a decrypted TLS connection has both, and there the request is what was judged.
fn name(event: &eve::Event<'_>, protocol: &str) -> Option<String> {
    let sni = event.tls.sni.0.as_deref().and_then(host);
    let http = &event.http;
    let requested = [&http.hostname, &http.headers.authority, &http.headers.host];
    let requested = || requested.into_iter().find_map(|name| name.0.as_deref().and_then(host));
    if protocol.starts_with("http") { requested().or(sni) } else { sni.or_else(requested) }
}

/// The host of what stands in an SNI, a Host header or `:authority`: without port, lower case, escaped where
/// it is no host's name; nothing where it is an address.
fn host(text: &str) -> Option<String> {
    let text = text.trim();
    let host = match text.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !host.contains(':') => host,
        _ => text,
    };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() || host == "-" || text.starts_with('[') || bare.parse::<IpAddr>().is_ok() {
        return None;
    }
    let mut name = String::with_capacity(host.len());
    for c in host.chars() {
        match c {
            'A'..='Z' => name.push(c.to_ascii_lowercase()),
            'a'..='z' | '0'..='9' | '.' | '-' | '_' => name.push(c),
            other => name.extend(other.escape_unicode()),
        }
        if name.len() > LONGEST_NAME {
            break;
        }
    }
    name.truncate(LONGEST_NAME);
    Some(name)
}

/// When the packet was seen. `+0000` is no offset of RFC 3339, and is one of ISO 8601.
fn seen_at(event: &eve::Event<'_>, epoch_seconds: Option<u64>) -> Option<Timestamp> {
    let said = event.timestamp.0.as_deref().and_then(|text| text.parse().ok());
    let logged =
        || epoch_seconds.and_then(|seconds| Timestamp::from_second(i64::try_from(seconds).ok()?).ok());
    said.or_else(logged)
}

fn address(text: Option<&str>) -> Option<IpAddr> {
    text?.trim().parse().ok()
}

fn port(number: Option<u64>) -> Option<u16> {
    u16::try_from(number?).ok()
}

/// A text cut to what is worth keeping.
fn shortened(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.len() <= LONGEST_TEXT { text } else { Cow::Owned(text.chars().take(LONGEST_TEXT).collect()) }
}
