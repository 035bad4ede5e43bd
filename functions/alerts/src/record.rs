//! One record of the firewall's alert log: Suricata's EVE JSON in an envelope.
//! <https://docs.aws.amazon.com/network-firewall/latest/developerguide/firewall-logging-contents.html>
//!
//! What was blocked is said by `verdict.action`, the packet's fate; records of before 2025 have none, and
//! there `alert.action` says it, what the rule would do. Signature ids say nothing: a domain list and the
//! policy's default action use the same ones.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

use crate::eve;
use crate::json::{Fault, Json, Text};

/// The longest name of a host that is kept (RFC 1035, 2.3.4). Clients write what they like into an SNI.
const LONGEST_NAME: usize = 253;
/// The longest other text that is kept: a rule's message, a firewall's name.
const LONGEST_TEXT: usize = 256;
/// The longest protocol's name that is kept.
const LONGEST_PROTOCOL: usize = 32;

/// The applications that most connections are of, as they are written here and in the log.
const PROTOCOLS: [&str; 4] = ["tls", "http", "http2", "quic"];

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
    pub name: Option<Cow<'a, str>>,
    /// The server's address, and its port where the protocol has ports.
    pub server: Option<(IpAddr, Option<u16>)>,
    /// `tls`, `http`, … where the firewall could tell, else `tcp`, `udp`, …
    pub protocol: Cow<'a, str>,
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
    #[error("it is not JSON: at byte {at} it {fault}")]
    NotJson {
        /// What is wrong.
        fault: Fault,
        /// Where.
        at: usize,
    },
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
    pub fn read(line: &'a [u8]) -> Result<Self, Unreadable> {
        let mut json = Json::<'_, false>::new(line);
        let mut record = eve::Record::default();
        if let Err(fault) = record.read(&mut json).and_then(|()| json.end()) {
            return Err(Unreadable::NotJson { fault, at: json.at() });
        }
        Self::of(&record)
    }

    /// What it is by its fields.
    pub(crate) fn of(record: &eve::Record<'a>) -> Result<Self, Unreadable> {
        if !record.event.given {
            return Err(Unreadable::NoEvent);
        }
        match record.event.kind {
            Some(kind) if kind.is("alert") => Alert::of(record).map(Self::Alert),
            None if record.event.alert.given => Alert::of(record).map(Self::Alert),
            _ => Ok(Self::Other),
        }
    }
}

impl<'a> Alert<'a> {
    fn of(record: &eve::Record<'a>) -> Result<Box<Self>, Unreadable> {
        let event = &record.event;
        let protocol = protocol(event);
        let name = name(event, &protocol);
        let at = seen_at(event, record.epoch_seconds);
        let (fate, rule_blocks) = fate(event);
        let from = (address(event.source_address), port(event.source_port));
        let to = (address(event.server_address), port(event.server_port));
        // A record of a packet from the server has the server as its source.
        let back = event.direction.is_some_and(|direction| direction.is("to_client"));
        let (client, server) = if back { (to, from) } else { (from, to) };
        let source = client.0.ok_or(Unreadable::NoSource)?;
        let server = server.0.map(|address| (address, server.1));
        if name.is_none() && server.is_none() {
            return Err(Unreadable::NoDestination);
        }
        Ok(Box::new(Self {
            fate,
            rule_blocks,
            grants: event.alert.grants.iter().map(|grant| grant.decoded()).collect(),
            at,
            flow_id: event.flow_id,
            source,
            source_port: client.1,
            name,
            server,
            protocol,
            signature: shortened(event.alert.signature),
            firewall: shortened(record.firewall),
            availability_zone: shortened(record.availability_zone),
        }))
    }

    /// What makes two records those of one connection: Suricata's flow ids are unique in one engine only.
    /// Nothing without one: then each record is a connection.
    pub fn connection(&self) -> Option<ConnectionId> {
        Some((self.flow_id?, self.source, self.source_port))
    }

    /// Where it went: the name; without one the address, with the port where there is one.
    pub fn destination(&self) -> Cow<'_, str> {
        let address = match (&self.name, self.server) {
            (Some(name), _) => return Cow::Borrowed(name),
            (None, Some((IpAddr::V6(address), Some(port)))) => format!("[{address}]:{port}"),
            (None, Some((address, Some(port)))) => format!("{address}:{port}"),
            (None, Some((address, None))) => address.to_string(),
            (None, None) => String::new(),
        };
        Cow::Owned(address)
    }
}

/// The packet's fate, and whether the rule is one that blocks.
fn fate(event: &eve::Event<'_>) -> (Fate, bool) {
    let rule_blocks = event.alert.action.is_some_and(|action| action.is("blocked"));
    let fate = match event.verdict.map(Text::bytes).as_deref() {
        Some(b"drop" | b"reject") => Fate::Blocked,
        Some(b"pass" | b"alert" | b"accept") => Fate::Passed,
        _ if rule_blocks => Fate::Blocked,
        _ => Fate::Passed,
    };
    (fate, rule_blocks)
}

/// The application's protocol where the firewall knows it, else the transport's.
fn protocol<'a>(event: &eve::Event<'a>) -> Cow<'a, str> {
    let of_application = event.app_proto.map(Text::bytes);
    if let Some(usual) = PROTOCOLS.iter().find(|usual| of_application.as_deref() == Some(usual.as_bytes())) {
        return Cow::Borrowed(usual);
    }
    let known = event.app_proto.filter(|name| !["", "failed", "unknown"].iter().any(|no| name.is(no)));
    let Some(name) = known.or(event.protocol) else { return Cow::Borrowed("unknown") };
    let graphic =
        name.decoded().chars().filter(char::is_ascii_graphic).take(LONGEST_PROTOCOL).collect::<String>();
    Cow::Owned(graphic.to_ascii_lowercase())
}

/// The name that the client asked for: in the hello of TLS or QUIC, or in the request of HTTP. An HTTP request
/// in a decrypted TLS connection has both, and there the request is what was judged.
fn name<'a>(event: &eve::Event<'a>, protocol: &str) -> Option<Cow<'a, str>> {
    let http = &event.http;
    let hello = [event.sni, event.quic_sni];
    let request = [http.hostname, http.authority, http.host];
    let first = |of: &[Option<Text<'a>>]| of.iter().find_map(|name| host((*name)?.decoded()));
    if protocol.starts_with("http") {
        first(&request).or_else(|| first(&hello))
    } else {
        first(&hello).or_else(|| first(&request))
    }
}

/// The host of what stands in an SNI, a Host header or `:authority`: without port, lower case, escaped where
/// it is no host's name; nothing where it is an address.
fn host(text: Cow<'_, str>) -> Option<Cow<'_, str>> {
    let is_plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_');
    // An IPv4 address ends in a digit, an IPv6 one has colons in it.
    let is_name = text.bytes().last().is_some_and(|last| last.is_ascii_lowercase());
    if is_name && text.len() <= LONGEST_NAME && text.bytes().all(is_plain) {
        return Some(text);
    }
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
    Some(Cow::Owned(name))
}

/// When the packet was seen.
fn seen_at(event: &eve::Event<'_>, epoch_seconds: Option<u64>) -> Option<Timestamp> {
    let logged =
        || epoch_seconds.and_then(|seconds| Timestamp::from_second(i64::try_from(seconds).ok()?).ok());
    event.timestamp.and_then(|text| time(&text.bytes())).or_else(logged)
}

/// A time of ISO 8601. `+0000` is no offset of RFC 3339, and is one of that.
fn time(text: &[u8]) -> Option<Timestamp> {
    in_universal_time(text).or_else(|| str::from_utf8(text).ok()?.parse().ok())
}

/// A time as Suricata writes it where the clock is on UTC, `2025-10-01T11:14:54.833146+0000`: that can be read
/// without asking what else it might be.
fn in_universal_time(text: &[u8]) -> Option<Timestamp> {
    let (
        [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, b'T', h0, h1, b':', n0, n1, b':', s0, s1],
        [b'.', fraction @ .., b'+', b'0', b'0', b'0', b'0'],
    ) = text.split_first_chunk()?
    else {
        return None;
    };
    let two = |tens: &u8, ones: &u8| i8::try_from(number(&[*tens, *ones])?).ok();
    let year = i16::try_from(number(&[*y0, *y1, *y2, *y3])?).ok()?;
    let fraction: &[u8; 6] = fraction.try_into().ok()?;
    let nanoseconds = 1_000 * number(fraction)?;
    let (month, day) = (two(m0, m1)?, two(d0, d1)?);
    let (hour, minute, second) = (two(h0, h1)?, two(n0, n1)?, two(s0, s1)?);
    let time = DateTime::new(year, month, day, hour, minute, second, nanoseconds).ok()?;
    Offset::UTC.to_timestamp(time).ok()
}

/// Of digits, at most six.
fn number(digits: &[u8]) -> Option<i32> {
    let add = |number, digit: &u8| digit.is_ascii_digit().then(|| 10 * number + i32::from(digit - b'0'));
    digits.iter().try_fold(0, add)
}

fn address(text: Option<Text<'_>>) -> Option<IpAddr> {
    let text = text?.bytes();
    let other = || str::from_utf8(&text).ok()?.trim().parse().ok();
    ipv4(&text).map(IpAddr::V4).or_else(other)
}

/// An address as it is usually written. The standard library asks more of a text before it takes it for one.
fn ipv4(text: &[u8]) -> Option<Ipv4Addr> {
    let (mut octets, mut place, mut digits) = ([0_u8; 4], 0, 0);
    for byte in text {
        match byte {
            b'.' if digits > 0 => (place, digits) = (place + 1, 0),
            b'0'..=b'9' => {
                let octet = octets.get_mut(place)?;
                // `010` is eight to some, and ten to others.
                if digits > 0 && *octet == 0 {
                    return None;
                }
                *octet = octet.checked_mul(10)?.checked_add(byte - b'0')?;
                digits += 1;
            }
            _ => return None,
        }
    }
    (place == 3 && digits > 0).then(|| Ipv4Addr::from(octets))
}

fn port(number: Option<u64>) -> Option<u16> {
    u16::try_from(number?).ok()
}

/// A text cut to what is worth keeping.
fn shortened(text: Option<Text<'_>>) -> Cow<'_, str> {
    let text = text.map(Text::decoded).unwrap_or_default();
    if text.len() <= LONGEST_TEXT { text } else { Cow::Owned(text.chars().take(LONGEST_TEXT).collect()) }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn fuzz_the_short_way_to_a_time_is_the_long_one(microsecond in -62_135_596_800_000_000..253_402_300_799_999_999_i64) {
            let at = Timestamp::from_microsecond(microsecond).unwrap();
            let text = at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%S.%6f+0000").to_string();
            prop_assert_eq!(in_universal_time(text.as_bytes()), Some(at));
            prop_assert_eq!(text.parse::<Timestamp>().unwrap(), at);
        }

        #[test]
        fn fuzz_and_so_it_is_with_addresses(address: Ipv4Addr, other in "[0-9]{0,3}(\\.[0-9]{0,3}){2,4}[. x]?") {
            prop_assert_eq!(ipv4(address.to_string().as_bytes()), Some(address));
            prop_assert_eq!(ipv4(other.as_bytes()), other.parse().ok());
        }

        #[test]
        fn fuzz_and_there_is_no_time_that_is_none(text in "[0-9]{4}-[0-3][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9]\\.[0-9]{5,7}[+-]0[01]00") {
            if let Some(at) = in_universal_time(text.as_bytes()) {
                prop_assert_eq!(text.parse::<Timestamp>().unwrap(), at);
            }
        }
    }
}
