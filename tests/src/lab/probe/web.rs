//! TLS and plain HTTP, with names spelled and packets cut as the firewall may meet them.

use std::net::IpAddr;

use super::{Probe, Target, Turn, client, server};
use crate::lab::hello::{client_hello, in_two_records};

/// Bytes that make a `ClientHello` as long as post-quantum key exchange does: longer than one packet.
const POST_QUANTUM: usize = 1400;

impl Probe {
    /// TLS without a server name.
    pub fn tls_without_name(host: impl Into<IpAddr>) -> Self {
        Self::hello("TLS without SNI", host, &[&client_hello(None, 0)])
    }

    /// TLS with the address itself as the server name.
    pub fn tls_to_address(host: impl Into<IpAddr>) -> Self {
        let host = host.into();
        Self::hello("TLS to a bare IP address", host, &[&client_hello(Some(&host.to_string()), 0)])
    }

    /// TLS with a server name.
    pub fn tls_to(name: &str, host: impl Into<IpAddr>) -> Self {
        Self::hello(&format!("TLS to {name}"), host, &[&client_hello(Some(name), 0)])
    }

    /// TLS with a server name, the `ClientHello` as long as post-quantum key exchange makes it and cut
    /// within the name.
    pub fn tls_in_two_segments(name: &str, host: impl Into<IpAddr>) -> Self {
        Self::tls_cut_at(60, name, host)
    }

    /// The same, cut after so many bytes.
    pub fn tls_cut_at(bytes: usize, name: &str, host: impl Into<IpAddr>) -> Self {
        let hello = client_hello(Some(name), POST_QUANTUM);
        let (first, second) = hello.split_at_checked(bytes).unwrap_or((&hello, &[]));
        Self::hello(&format!("TLS to {name}, its ClientHello in two packets"), host, &[first, second])
    }

    /// TLS with a server name, the `ClientHello` in two TLS records, cut within the name.
    pub fn tls_in_two_records(name: &str, host: impl Into<IpAddr>) -> Self {
        let records = in_two_records(&client_hello(Some(name), 0), 60);
        Self::hello(&format!("TLS to {name}, its ClientHello in two records"), host, &[&records])
    }

    fn hello(name: &str, host: impl Into<IpAddr>, packets: &[&[u8]]) -> Self {
        let mut script: Vec<Turn> = packets.iter().map(|packet| Turn::Client(packet.to_vec())).collect();
        script.push(tls_answer());
        Self::new(name, Target::Tcp(host.into(), 443), script)
    }

    /// Plain HTTP to a name.
    pub fn http_to(name: &str, host: impl Into<IpAddr>) -> Self {
        Self::http(host, &[&request(name)]).named(&format!("HTTP to {name}"))
    }

    /// Plain HTTP with the address itself as the host.
    pub fn http_to_address(host: impl Into<IpAddr>) -> Self {
        let host = host.into();
        Self::http(host, &[&request(&host.to_string())]).named("HTTP to a bare IP address")
    }

    /// Plain HTTP to two names, one after the other on one connection.
    pub fn http_to_both(names: [&str; 2], host: impl Into<IpAddr>) -> Self {
        Self::http(host, &names.map(request).each_ref().map(String::as_str))
            .named(&format!("HTTP to {} and {}", names[0], names[1]))
    }

    /// A request in two packets.
    pub fn http_in_two(first: &str, second: &str, host: impl Into<IpAddr>) -> Self {
        let mut probe = Self::http(host, &[second]);
        probe.script.insert(0, client(first));
        probe
    }

    /// Requests as they are written, one after the other on one connection; each is answered.
    pub fn http(host: impl Into<IpAddr>, requests: &[&str]) -> Self {
        let answer = || server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        let script = requests.iter().flat_map(|request| [client(request), answer()]).collect();
        Self::new("HTTP", Target::Tcp(host.into(), 80), script)
    }
}

fn request(host: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: {host}\r\nUser-Agent: probe\r\n\r\n")
}

/// The beginning of a `ServerHello`.
fn tls_answer() -> Turn {
    let mut hello = vec![22, 3, 3, 0, 42, 2, 0, 0, 38, 3, 3];
    hello.extend([5; 32]);
    hello.extend([0, 0x13, 1, 0]);
    Turn::Server(hello)
}
