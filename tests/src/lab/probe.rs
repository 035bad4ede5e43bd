//! Probes: short conversations that a firewall should judge, each described once for both engines.

use std::net::Ipv4Addr;

use super::hello::client_hello;

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
    Tcp(Ipv4Addr, u16),
    /// Datagrams to a UDP port.
    Udp(Ipv4Addr, u16),
    /// An ICMP echo.
    Icmp(Ipv4Addr),
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

    /// SSH: both sides say who they are, the server without waiting.
    pub fn ssh(host: Ipv4Addr) -> Self {
        let script = vec![server("SSH-2.0-OpenSSH_9.2p1 lab\r\n"), client("SSH-2.0-OpenSSH_9.2p1\r\n")];
        Self::new("SSH", Target::Tcp(host, 22), script)
    }

    /// SSH on the port of HTTPS, the client speaking first.
    pub fn ssh_on_443(host: Ipv4Addr) -> Self {
        let script = vec![client("SSH-2.0-OpenSSH_9.2p1\r\n"), server("SSH-2.0-OpenSSH_9.2p1 lab\r\n")];
        Self::new("SSH on port 443", Target::Tcp(host, 443), script)
    }

    /// QUIC: the long header of a version 1 Initial, in a datagram of the size that it must have.
    pub fn quic(host: Ipv4Addr) -> Self {
        let mut initial = vec![0xc3, 0, 0, 0, 1, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0x44, 0x9e];
        initial.resize(1200, 0x5a);
        Self::new("QUIC (UDP 443)", Target::Udp(host, 443), vec![Turn::Client(initial), server("answer")])
    }

    /// A DNS question to a resolver outside.
    pub fn dns(host: Ipv4Addr) -> Self {
        let script = vec![Turn::Client(dns_question(0)), Turn::Server(dns_question(0x80))];
        Self::new("DNS to an outside resolver", Target::Udp(host, 53), script)
    }

    /// The same over TCP.
    pub fn dns_over_tcp(host: Ipv4Addr) -> Self {
        let long = |question: Vec<u8>| [&[0, 29], question.as_slice()].concat();
        let script = vec![Turn::Client(long(dns_question(0))), Turn::Server(long(dns_question(0x80)))];
        Self::new("DNS over TCP to an outside resolver", Target::Tcp(host, 53), script)
    }

    /// UDP of no known protocol.
    pub fn udp(host: Ipv4Addr) -> Self {
        Self::new("UDP on another port", Target::Udp(host, ECHO_PORT), vec![client("hello"), server("hello")])
    }

    /// TCP of no known protocol; the client speaks first.
    pub fn raw_tcp(host: Ipv4Addr) -> Self {
        Self::new("raw TCP", Target::Tcp(host, ECHO_PORT), vec![client("hello\n"), server("hello\n")])
    }

    /// TCP of no known protocol; the server speaks first.
    pub fn raw_tcp_server_first(host: Ipv4Addr) -> Self {
        let script = vec![server("220 a server that speaks first\r\n")];
        Self::new("raw TCP, the server speaks first", Target::Tcp(host, GREETING_PORT), script)
    }

    /// A ping.
    pub fn icmp(host: Ipv4Addr) -> Self {
        let script = vec![client("are you there? I am."), server("are you there? I am.")];
        Self::new("ICMP echo", Target::Icmp(host), script)
    }

    /// TLS without a server name.
    pub fn tls_without_name(host: Ipv4Addr) -> Self {
        Self::tls("TLS without SNI", host, None)
    }

    /// TLS with the address itself as the server name.
    pub fn tls_to_address(host: Ipv4Addr) -> Self {
        Self::tls("TLS to a bare IP address", host, Some(&host.to_string()))
    }

    /// TLS with a server name.
    pub fn tls_to(name: &str, host: Ipv4Addr) -> Self {
        Self::tls(&format!("TLS to {name}"), host, Some(name))
    }

    /// TLS with a server name, the `ClientHello` as long as post-quantum key exchange makes it and cut
    /// within the name.
    pub fn tls_in_two_segments(name: &str, host: Ipv4Addr) -> Self {
        let hello = client_hello(Some(name), 1400);
        let (first, second) = hello.split_at_checked(60).unwrap_or((&hello, &[]));
        let script = vec![Turn::Client(first.to_vec()), Turn::Client(second.to_vec()), tls_answer()];
        Self::new(format!("TLS to {name}, its ClientHello in two packets"), Target::Tcp(host, 443), script)
    }

    fn tls(name: &str, host: Ipv4Addr, sni: Option<&str>) -> Self {
        let script = vec![Turn::Client(client_hello(sni, 0)), tls_answer()];
        Self::new(name, Target::Tcp(host, 443), script)
    }

    /// Plain HTTP to a name.
    pub fn http_to(name: &str, host: Ipv4Addr) -> Self {
        Self::http(&format!("HTTP to {name}"), host, name)
    }

    /// Plain HTTP with the address itself as the host.
    pub fn http_to_address(host: Ipv4Addr) -> Self {
        Self::http("HTTP to a bare IP address", host, &host.to_string())
    }

    fn http(name: &str, address: Ipv4Addr, host: &str) -> Self {
        let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nUser-Agent: probe\r\n\r\n");
        let script = vec![client(&request), server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")];
        Self::new(name, Target::Tcp(address, 80), script)
    }

    /// All that may not pass whatever is allowed, with `host` at the other end.
    pub fn forbidden(host: Ipv4Addr) -> Vec<Self> {
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

/// The beginning of a `ServerHello`.
fn tls_answer() -> Turn {
    let mut hello = vec![22, 3, 3, 0, 42, 2, 0, 0, 38, 3, 3];
    hello.extend([5; 32]);
    hello.extend([0, 0x13, 1, 0]);
    Turn::Server(hello)
}

/// A question for the address of `example.com`; with 0x80 as `flags`, an answer to it.
fn dns_question(flags: u8) -> Vec<u8> {
    let head = [0x12, 0x34, flags | 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    [head.as_slice(), b"\x07example\x03com\x00", &[0, 1, 0, 1]].concat()
}
