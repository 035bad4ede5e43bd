//! Probes: short conversations that a firewall should judge, each described once for both engines.

mod web;

use std::net::IpAddr;

/// TCP and UDP port of a server that returns what it hears.
pub const ECHO_PORT: u16 = 9000;
/// TCP port of a server that speaks first.
pub const GREETING_PORT: u16 = 9001;

/// A conversation of the studio with a host outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// What it is, in words.
    pub name: String,
    /// Over what, and to whom.
    pub target: Target,
    /// Who says what.
    pub script: Vec<Turn>,
}

/// The transport and the host of a [`Probe`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A TCP connection to a port.
    Tcp(IpAddr, u16),
    /// Datagrams to a UDP port.
    Udp(IpAddr, u16),
    /// An ICMP echo.
    Icmp(IpAddr),
    /// Packets of another IP protocol, by its number.
    Ip(IpAddr, u8),
    /// The first fragment of a UDP datagram to a port, whose rest is never sent.
    Fragment(IpAddr, u16),
}

impl Target {
    /// Who is at the other end.
    pub fn host(self) -> IpAddr {
        match self {
            Self::Tcp(host, _)
            | Self::Udp(host, _)
            | Self::Icmp(host)
            | Self::Ip(host, _)
            | Self::Fragment(host, _) => host,
        }
    }

    /// Whether only a capture can hold it: the namespaces have no IPv6, and what is no program's to send
    /// isn't sent there.
    pub fn is_for_captures_only(self) -> bool {
        self.host().is_ipv6() || matches!(self, Self::Ip(..) | Self::Fragment(..))
    }
}

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// The studio says this, in a packet of its own.
    Client(Vec<u8>),
    /// The server says something: this, where no server is asked.
    Server(Vec<u8>),
}

impl Probe {
    fn new(name: impl Into<String>, target: Target, script: Vec<Turn>) -> Self {
        Self { name: name.into(), target, script }
    }

    /// The same to another port, where there are ports.
    #[must_use]
    pub fn on_port(mut self, port: u16) -> Self {
        if let Target::Tcp(_, to) | Target::Udp(_, to) | Target::Fragment(_, to) = &mut self.target {
            *to = port;
        }
        self
    }

    /// The same under another name.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self }
    }

    /// A TCP connection on which the client says these things, each in a packet of its own, and the server
    /// returns them.
    pub fn tcp_echo(host: impl Into<IpAddr>, said: &[&[u8]]) -> Self {
        let mut script: Vec<Turn> = said.iter().map(|bytes| Turn::Client(bytes.to_vec())).collect();
        script.push(Turn::Server(said.concat()));
        Self::new("TCP", Target::Tcp(host.into(), ECHO_PORT), script)
    }

    /// A datagram that has to be cut to fit the wire, and the server's answer.
    pub fn udp_in_fragments(host: impl Into<IpAddr>) -> Self {
        let long = vec![0x55; 3000];
        let script = vec![Turn::Client(long.clone()), Turn::Server(long)];
        Self::new("UDP in fragments", Target::Udp(host.into(), ECHO_PORT), script)
    }

    /// The beginning of such a datagram, and nothing more.
    pub fn first_fragment(host: impl Into<IpAddr>) -> Self {
        let script = vec![Turn::Client(vec![0x55; 1024])];
        Self::new("the first fragment of a UDP datagram", Target::Fragment(host.into(), ECHO_PORT), script)
    }

    /// GRE, which carries packets in packets.
    pub fn gre(host: impl Into<IpAddr>) -> Self {
        // No options, and IPv4 inside.
        let inside = [&[0, 0, 8, 0], [0x45; 40].as_slice()].concat();
        let script = vec![Turn::Client(inside.clone()), Turn::Server(inside)];
        Self::new("GRE", Target::Ip(host.into(), 47), script)
    }

    /// SSH: both sides say who they are, the server without waiting.
    pub fn ssh(host: impl Into<IpAddr>) -> Self {
        let script = vec![server("SSH-2.0-OpenSSH_9.2p1 lab\r\n"), client("SSH-2.0-OpenSSH_9.2p1\r\n")];
        Self::new("SSH", Target::Tcp(host.into(), 22), script)
    }

    /// SSH on the port of HTTPS, the client speaking first.
    pub fn ssh_on_443(host: impl Into<IpAddr>) -> Self {
        let script = vec![client("SSH-2.0-OpenSSH_9.2p1\r\n"), server("SSH-2.0-OpenSSH_9.2p1 lab\r\n")];
        Self::new("SSH on port 443", Target::Tcp(host.into(), 443), script)
    }

    /// QUIC: the long header of a version 1 Initial, in a datagram of the size that it must have.
    pub fn quic(host: impl Into<IpAddr>) -> Self {
        let mut initial = vec![0xc3, 0, 0, 0, 1, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0x44, 0x9e];
        initial.resize(1200, 0x5a);
        Self::new(
            "QUIC (UDP 443)",
            Target::Udp(host.into(), 443),
            vec![Turn::Client(initial), server("answer")],
        )
    }

    /// A DNS question to a resolver outside.
    pub fn dns(host: impl Into<IpAddr>) -> Self {
        let script = vec![Turn::Client(dns_question(0)), Turn::Server(dns_question(0x80))];
        Self::new("DNS to an outside resolver", Target::Udp(host.into(), 53), script)
    }

    /// The same over TCP.
    pub fn dns_over_tcp(host: impl Into<IpAddr>) -> Self {
        let long = |question: Vec<u8>| [&[0, 29], question.as_slice()].concat();
        let script = vec![Turn::Client(long(dns_question(0))), Turn::Server(long(dns_question(0x80)))];
        Self::new("DNS over TCP to an outside resolver", Target::Tcp(host.into(), 53), script)
    }

    /// UDP of no known protocol.
    pub fn udp(host: impl Into<IpAddr>) -> Self {
        Self::new(
            "UDP on another port",
            Target::Udp(host.into(), ECHO_PORT),
            vec![client("hello"), server("hello")],
        )
    }

    /// TCP of no known protocol; the client speaks first.
    pub fn raw_tcp(host: impl Into<IpAddr>) -> Self {
        Self::new("raw TCP", Target::Tcp(host.into(), ECHO_PORT), vec![client("hello\n"), server("hello\n")])
    }

    /// TCP of no known protocol; the server speaks first.
    pub fn raw_tcp_server_first(host: impl Into<IpAddr>) -> Self {
        let script = vec![server("220 a server that speaks first\r\n")];
        Self::new("raw TCP, the server speaks first", Target::Tcp(host.into(), GREETING_PORT), script)
    }

    /// A ping.
    pub fn icmp(host: impl Into<IpAddr>) -> Self {
        let script = vec![client("are you there? I am."), server("are you there? I am.")];
        Self::new("ICMP echo", Target::Icmp(host.into()), script)
    }

    /// All that may not pass whatever is allowed, with `host` at the other end.
    pub fn forbidden(host: impl Into<IpAddr>) -> Vec<Self> {
        let host = host.into();
        vec![
            Self::ssh(host),
            Self::ssh_on_443(host),
            Self::quic(host),
            Self::dns(host),
            Self::dns_over_tcp(host),
            Self::udp(host),
            Self::raw_tcp(host),
            Self::raw_tcp_server_first(host),
            Self::icmp(host),
            Self::tls_without_name(host),
            Self::tls_to_address(host),
            Self::http_to_address(host),
        ]
    }
}

fn client(text: &str) -> Turn {
    Turn::Client(text.as_bytes().to_vec())
}

fn server(text: &str) -> Turn {
    Turn::Server(text.as_bytes().to_vec())
}

/// A question for the address of `example.com`; with 0x80 as `flags`, an answer to it.
fn dns_question(flags: u8) -> Vec<u8> {
    let head = [0x12, 0x34, flags | 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    [head.as_slice(), b"\x07example\x03com\x00", &[0, 1, 0, 1]].concat()
}
