//! Conversations as captures, for the engine without namespaces: IPv4 packets as they would pass the
//! firewall, in a pcap file.

use std::net::Ipv4Addr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::network::STUDIO;
use super::probe::{Target, Turn};

/// The largest TCP payload that fits an Ethernet frame.
const SEGMENT: usize = 1448;

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
            let length = u16::try_from(bytes.len() + 8).unwrap_or(u16::MAX);
            let head = [source, destination, length, 0].map(u16::to_be_bytes).concat();
            [head.as_slice(), bytes].concat()
        }),
        Target::Icmp(host) => {
            datagrams(script, host, 1, |from_studio, bytes| icmp_echo(if from_studio { 8 } else { 0 }, bytes))
        }
    }
}

fn datagrams(
    script: &[Turn],
    host: Ipv4Addr,
    protocol: u8,
    build: impl Fn(bool, &[u8]) -> Vec<u8>,
) -> Vec<Vec<u8>> {
    let one = |turn: &Turn| match turn {
        Turn::Client(bytes) => ip(STUDIO, host, protocol, &build(true, bytes)),
        Turn::Server(bytes) => ip(host, STUDIO, protocol, &build(false, bytes)),
    };
    script.iter().map(one).collect()
}

/// A TCP connection in the making.
struct Tcp {
    host: Ipv4Addr,
    /// The studio's port and the server's.
    ports: [u16; 2],
    /// The next sequence number of the studio and of the server.
    next: [u32; 2],
    packets: Vec<Vec<u8>>,
}

impl Tcp {
    fn new(host: Ipv4Addr, to: u16, port: u16) -> Self {
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
        let (source, destination) = if from_studio { (STUDIO, self.host) } else { (self.host, STUDIO) };
        self.packets.push(ip(source, destination, 6, &segment));
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

/// An IPv4 packet. The sums of TCP and UDP are left out: the engine is told not to look at them.
fn ip(source: Ipv4Addr, destination: Ipv4Addr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 20).unwrap_or(u16::MAX).to_be_bytes();
    let mut packet = vec![0x45, 0, length[0], length[1], 0, 0, 0x40, 0, 64, protocol, 0, 0];
    packet.extend(source.octets());
    packet.extend(destination.octets());
    let sum = checksum(&packet);
    packet.splice(10..12, sum);
    packet.extend(payload);
    packet
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
