//! What each keyword of a rule says of a packet.

use std::collections::BTreeSet;

use super::connection::{Meets, Packet, Protocol};
use super::content::Reading;
use super::suricata::Keyword;

/// Keywords that say something about the rule, or what it writes, and nothing about what it meets.
pub(super) const NEUTRAL: [&str; 11] = [
    "msg",
    "sid",
    "rev",
    "gid",
    "priority",
    "classtype",
    "metadata",
    "reference",
    "alert",
    "noalert",
    "target",
];
/// Protocols that are neither TLS nor HTTP/1, and that a connection by name therefore isn't.
pub(super) const OTHERS: [&str; 34] = [
    "tcp-stream",
    "udp",
    "icmp",
    "icmpv4",
    "icmpv6",
    "sctp",
    "igmp",
    "http2",
    "quic",
    "ssh",
    "ftp",
    "ftp-data",
    "smtp",
    "imap",
    "pop3",
    "dns",
    "smb",
    "dcerpc",
    "tftp",
    "nfs",
    "ntp",
    "dhcp",
    "ike",
    "krb5",
    "snmp",
    "sip",
    "rdp",
    "rfb",
    "mqtt",
    "telnet",
    "modbus",
    "dnp3",
    "pgsql",
    "bittorrent-dht",
];
/// No `ClientHello` and no request's head is longer, in bytes: a TLS record's content (RFC 8446, 5.1).
const LONGEST_HELLO: u64 = 16_384;

/// The names of bits that rules may set on a connection that goes on: those of rules that block are not among
/// them, since nothing is left to decide then.
pub(super) type Bits = BTreeSet<String>;

/// What one keyword says of a packet.
pub(super) fn condition<'r>(
    keyword: Keyword<'r>,
    protocol: Protocol,
    packet: Packet,
    bits: &Bits,
    reading: &mut Reading<'_, 'r>,
) -> Meets<'r> {
    if let Some(meets) = reading.take(keyword) {
        return meets;
    }
    let known = match (keyword.name, keyword.value) {
        (name, _) if NEUTRAL.contains(&name) => Some(true),
        ("flow", Some(value)) => return flow(value, packet),
        ("flowbits", Some(value)) => flowbits(value, bits),
        ("flags", Some(value)) => (value.split(',').next() == Some("S")).then_some(packet == Packet::First),
        // A client's TCP is never in fragments.
        ("fragbits", Some("M")) | ("fragoffset", Some(">0")) => Some(false),
        ("dsize", Some(value)) => data_size(value, packet),
        ("stream_size", Some(value)) => stream_size(value, packet),
        ("ip_proto", Some(value)) => ip_protocol(value, protocol),
        ("app-layer-protocol", Some(value)) => application(value, protocol, packet),
        ("ssl_state", Some(value)) => handshake_state(value, protocol, packet),
        _ => return reading.take_unknown(keyword),
    };
    known.map_or(Meets::Unclear(keyword.name), Meets::from)
}

fn flow<'r>(value: &'r str, packet: Packet) -> Meets<'r> {
    let handshake = packet.is_of_the_handshake();
    let word = |word: &'r str| match word {
        "to_server" | "from_client" => packet.is_the_client_s().into(),
        "to_client" | "from_server" => (!packet.is_the_client_s()).into(),
        "established" => (!handshake).into(),
        "not_established" => handshake.into(),
        "stateless" | "no_frag" => Meets::Yes,
        "only_frag" => Meets::No,
        "only_stream" if handshake => Meets::No,
        "no_stream" if handshake => Meets::Yes,
        _ => Meets::Unclear("flow"),
    };
    value.split(',').map(|part| word(part.trim())).fold(Meets::Yes, Meets::and)
}

fn flowbits(value: &str, bits: &Bits) -> Option<bool> {
    let Some((what, names)) = value.split_once(',') else { return (value == "noalert").then_some(true) };
    let may_be_set = bit_names(names).any(|name| bits.contains(name));
    match what.trim() {
        "set" | "unset" | "toggle" => Some(true),
        "isset" if !may_be_set => Some(false),
        "isnotset" if !may_be_set => Some(true),
        _ => None,
    }
}

fn data_size(value: &str, packet: Packet) -> Option<bool> {
    let handshake = packet.is_of_the_handshake();
    match value {
        ">0" => Some(!handshake),
        "0" => Some(handshake),
        _ if value.starts_with('>') && handshake => Some(false),
        _ => None,
    }
}

/// `client,<,2`: how many bytes one side has sent.
fn stream_size(value: &str, packet: Packet) -> Option<bool> {
    let mut parts = value.split(',').map(str::trim);
    let (side, than, bytes) = (parts.next()?, parts.next()?, parts.next()?.parse::<u64>().ok()?);
    match (side, than) {
        ("client", "<") if packet.is_of_the_handshake() && bytes > 1 => Some(true),
        // The shortest `ClientHello` or request is longer.
        ("client", "<") if packet >= Packet::Name && bytes <= 16 => Some(false),
        ("client", ">") if packet <= Packet::Name && bytes >= LONGEST_HELLO => Some(false),
        _ => None,
    }
}

fn ip_protocol(value: &str, protocol: Protocol) -> Option<bool> {
    let (negated, named) = value.strip_prefix('!').map_or((false, value), |named| (true, named));
    let (number, name) = if protocol == Protocol::Quic { (17, "udp") } else { (6, "tcp") };
    let is_it = match named.parse::<u8>() {
        Ok(given) => given == number,
        Err(_) if ["tcp", "udp", "icmp"].contains(&named) => named == name,
        Err(_) => return None,
    };
    Some(is_it != negated)
}

/// Before the client has said something, no protocol is known, and so none is excluded either.
fn application(value: &str, protocol: Protocol, packet: Packet) -> Option<bool> {
    if packet.is_of_the_handshake() {
        return Some(false);
    }
    let (negated, named) = value.strip_prefix('!').map_or((false, value), |named| (true, named));
    let is_it = match named {
        "tls" => protocol == Protocol::Tls,
        "http" | "http1" => protocol == Protocol::Http,
        "failed" | "unknown" => false,
        other if OTHERS.contains(&other) => false,
        _ => return None,
    };
    Some(is_it != negated)
}

/// `client_hello` is what the engine is at while the `ClientHello` is whole and not answered.
fn handshake_state(value: &str, protocol: Protocol, packet: Packet) -> Option<bool> {
    if protocol != Protocol::Tls || packet.is_of_the_handshake() {
        return Some(false);
    }
    match (value, packet) {
        ("client_hello", _) => Some(packet == Packet::Name),
        ("!client_hello", Packet::Name) => Some(false),
        ("!client_hello", Packet::Part | Packet::Answer) => Some(true),
        (states, Packet::Name) if !states.contains('!') => {
            Some(states.split(['|', ',']).any(|state| state.trim() == "client_hello"))
        }
        _ => None,
    }
}

/// The names in `isset,a|b`.
pub(super) fn bit_names(names: &str) -> impl Iterator<Item = &str> {
    names.split(['|', '&']).map(str::trim)
}
