//! Conversations as captures, for the engine without namespaces: IP packets as they would pass the
//! firewall, in a pcap file.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::network::STUDIO;
use super::probe::{Target, Turn};

/// The largest TCP payload that fits an Ethernet frame.
const SEGMENT: usize = 1448;
/// The largest payload of an IPv4 packet that fits there, a multiple of the eight bytes in which offsets count.
const FRAGMENT: usize = 1480;
/// The studio's address for IPv6, which its VPC doesn't have: none of `HOME_NET`.
const STUDIO_6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x10, 2, 3, 0, 0, 10);

const FIN: u8 = 1;
const SYN: u8 = 2;
const PUSH: u8 = 8;
const ACK: u8 = 16;

/// A conversation that the engine is asked about.
#[derive(Debug, Clone)]
pub(crate) struct Conversation {
    pub(crate) target: Target,
    /// The studio's port; each conversation of a capture has its own.
    pub(crate) port: u16,
    pub(crate) script: Vec<Turn>,
}

/// A pcap file with all conversations, one after the other, as of now.
pub(crate) fn capture(conversations: &[Conversation]) -> Vec<u8> {
    let mut file = Vec::new();
    for field in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 101] {
        file.extend(field.to_le_bytes());
    }
    let mut time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    for packet in conversations.iter().flat_map(packets) {
        time += Duration::from_micros(100);
        let seconds = u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
        let length = u32::try_from(packet.len()).unwrap_or(u32::MAX);
        for field in [seconds, time.subsec_micros(), length, length] {
            file.extend(field.to_le_bytes());
        }
        file.extend(packet);
    }
    file
}

fn packets(conversation: &Conversation) -> Vec<Vec<u8>> {
    let Conversation { target, port, script } = conversation;
    match *target {
        Target::Tcp(host, to) => Tcp::new(host, to, *port).whole(script),
        Target::Udp(host, to) => datagrams(script, host, 17, |from_studio, bytes| {
            let (source, destination) = if from_studio { (*port, to) } else { (to, *port) };
            udp(source, destination, bytes)
        }),
        Target::Icmp(host @ IpAddr::V4(_)) => {
            datagrams(script, host, 1, |from_studio, bytes| icmp_echo(if from_studio { 8 } else { 0 }, bytes))
        }
        Target::Icmp(host @ IpAddr::V6(_)) => datagrams(script, host, 58, |from_studio, bytes| {
            icmp_echo(if from_studio { 128 } else { 129 }, bytes)
        }),
        Target::Ip(host, protocol) => datagrams(script, host, protocol, |_, bytes| bytes.to_vec()),
        Target::Fragment(host, to) => datagrams(script, host, 17, |_, bytes| udp(*port, to, bytes))
            .into_iter()
            .map(first_fragment)
            .collect(),
    }
}

fn datagrams(
    script: &[Turn],
    host: IpAddr,
    protocol: u8,
    build: impl Fn(bool, &[u8]) -> Vec<u8>,
) -> Vec<Vec<u8>> {
    let studio = address_towards(host);
    let one = |turn: &Turn| match turn {
        Turn::Client(bytes) => ip(studio, host, protocol, &build(true, bytes)),
        Turn::Server(bytes) => ip(host, studio, protocol, &build(false, bytes)),
    };
    script.iter().flat_map(one).collect()
}

/// The studio's address in its conversations with a host.
fn address_towards(host: IpAddr) -> IpAddr {
    match host {
        IpAddr::V4(_) => STUDIO.into(),
        IpAddr::V6(_) => STUDIO_6.into(),
    }
}

fn udp(source: u16, destination: u16, bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len() + 8).unwrap_or(u16::MAX);
    let head = [source, destination, length, 0].map(u16::to_be_bytes).concat();
    [head.as_slice(), bytes].concat()
}

/// A TCP connection in the making.
struct Tcp {
    host: IpAddr,
    /// The studio's port and the server's.
    ports: [u16; 2],
    /// The next sequence number of the studio and of the server.
    next: [u32; 2],
    packets: Vec<Vec<u8>>,
}

impl Tcp {
    fn new(host: IpAddr, to: u16, port: u16) -> Self {
        Self { host, ports: [port, to], next: [1_000, 5_000], packets: Vec::new() }
    }

    fn whole(mut self, script: &[Turn]) -> Vec<Vec<u8>> {
        self.send(true, SYN, &[]);
        self.send(false, SYN | ACK, &[]);
        self.send(true, ACK, &[]);
        for turn in script {
            let (from_studio, bytes) = match turn {
                Turn::Client(bytes) => (true, bytes),
                Turn::Server(bytes) => (false, bytes),
            };
            for segment in bytes.chunks(SEGMENT) {
                self.send(from_studio, PUSH | ACK, segment);
                self.send(!from_studio, ACK, &[]);
            }
        }
        self.packets
    }

    fn send(&mut self, from_studio: bool, flags: u8, bytes: &[u8]) {
        let ([studio, server], [mine, theirs]) = (&self.ports, &mut self.next);
        let (ports, sequence, other) =
            if from_studio { ([*studio, *server], mine, theirs) } else { ([*server, *studio], theirs, mine) };
        let acknowledged = if flags & ACK == 0 { 0 } else { *other };
        let mut segment = ports.map(u16::to_be_bytes).concat();
        segment.extend([*sequence, acknowledged].map(u32::to_be_bytes).concat());
        segment.extend([5 << 4, flags, 0xff, 0xff, 0, 0, 0, 0]);
        segment.extend(bytes);
        let taken = u32::try_from(bytes.len()).unwrap_or(0) + u32::from(flags & (SYN | FIN) != 0);
        *sequence = sequence.wrapping_add(taken);
        let studio = address_towards(self.host);
        let (source, destination) = if from_studio { (studio, self.host) } else { (self.host, studio) };
        self.packets.extend(ip(source, destination, 6, &segment));
    }
}

/// An ICMP echo request (8) or reply (0).
pub(crate) fn icmp_echo(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut message = vec![kind, 0, 0, 0, 0x45, 0x47, 0, 1];
    message.extend(payload);
    let sum = checksum(&message);
    message.splice(2..4, sum);
    message
}

/// What it takes of packets between two addresses of one version. The sums of TCP and UDP are left out: the
/// engine is told not to look at them.
fn ip(source: IpAddr, destination: IpAddr, protocol: u8, payload: &[u8]) -> Vec<Vec<u8>> {
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => ip4(source, destination, protocol, payload),
        (IpAddr::V6(source), IpAddr::V6(destination)) => vec![ip6(source, destination, protocol, payload)],
        _ => Vec::new(),
    }
}

/// One packet, or the fragments of one that is too long.
fn ip4(source: Ipv4Addr, destination: Ipv4Addr, protocol: u8, payload: &[u8]) -> Vec<Vec<u8>> {
    let last = payload.len().saturating_sub(1) / FRAGMENT;
    // All fragments of a packet have an identification in common.
    let identification = if last == 0 { [0, 0] } else { checksum(payload) };
    let fragment = |(place, part): (usize, &[u8])| {
        let length = u16::try_from(part.len() + 20).unwrap_or(u16::MAX).to_be_bytes();
        let offset = u16::try_from(place * FRAGMENT / 8).unwrap_or(u16::MAX);
        let flags = match (last, place < last) {
            (0, _) => 0x4000,
            (_, more) => offset | if more { MORE_FRAGMENTS } else { 0 },
        };
        let mut packet = vec![0x45, 0];
        packet.extend([length, identification, flags.to_be_bytes()].concat());
        packet.extend([64, protocol, 0, 0]);
        packet.extend(source.octets());
        packet.extend(destination.octets());
        with_sum(&mut packet);
        packet.extend(part);
        packet
    };
    payload.chunks(FRAGMENT).enumerate().map(fragment).collect()
}

/// The flag in a packet's header that says that others follow.
const MORE_FRAGMENTS: u16 = 0x2000;

/// Makes a whole packet the first fragment of a longer one.
fn first_fragment(mut packet: Vec<u8>) -> Vec<u8> {
    packet.splice(4..8, [0x12, 0x34].into_iter().chain(MORE_FRAGMENTS.to_be_bytes()));
    packet.splice(10..12, [0, 0]);
    with_sum(&mut packet);
    packet
}

/// Puts the sum of an IPv4 header into its place.
fn with_sum(packet: &mut Vec<u8>) {
    let sum = checksum(packet.get(..20).unwrap_or(packet));
    packet.splice(10..12, sum);
}

fn ip6(source: Ipv6Addr, destination: Ipv6Addr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap_or(u16::MAX).to_be_bytes();
    let head = [0x60, 0, 0, 0, length[0], length[1], protocol, 64];
    [head.as_slice(), &source.octets(), &destination.octets(), payload].concat()
}

/// The internet checksum of RFC 1071.
fn checksum(bytes: &[u8]) -> [u8; 2] {
    let words = bytes.chunks(2).map(|pair| {
        u32::from(u16::from_be_bytes([pair.first().copied().unwrap_or(0), pair.get(1).copied().unwrap_or(0)]))
    });
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!u16::try_from(sum).unwrap_or(0)).to_be_bytes()
}
