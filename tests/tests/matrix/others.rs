//! What is neither TLS nor HTTP.

use std::net::Ipv6Addr;

use tests::lab::{BlockAction, Probe};

use crate::Hosts;
use crate::row::{Row, no_answer, reset, row, timed_out};

const SERVER_FIRST: &str = "egress guard: TCP in which the server speaks first (SSH, SMTP, FTP, raw)";
const SSH: &str = "egress guard: SSH to the outside";
const NEITHER: &str = "egress guard: TCP that is neither TLS nor HTTP";
const ANSWER: &str = "egress last word: answer to a client that nothing has allowed";
const FRAGMENT: &str = "egress guard: fragment of a packet to the outside";
const QUIC: &str = "egress guard: QUIC (UDP port 443) to the outside";
const DNS: &str = "egress guard: DNS to a resolver outside";
const UDP: &str = "egress guard: UDP to the outside";
const ICMP: &str = "egress guard: ICMP to the outside";
const OTHER: &str = "egress guard: an IP protocol other than TCP to the outside";
const IPV6: &str = "egress guard: IPv6";

pub(crate) fn rows(hosts: &Hosts) -> Vec<Row> {
    [tcp(hosts), without_connections(hosts), ipv6()].concat()
}

fn tcp(hosts: &Hosts) -> Vec<Row> {
    let server = hosts.server;
    vec![
        row(
            "SSH (port 22)",
            Probe::ssh(server),
            timed_out(SERVER_FIRST),
            "Its server speaks first, and not even the banner passes. Who waits for it isn't told: a reset goes to \
             who sent the packet. A client that speaks at once, as OpenSSH's, is.",
        ),
        row(
            "SSH on port 443, the client speaks first",
            Probe::ssh_on_443(server),
            reset(SSH),
            "SSH by name, on whatever port.",
        ),
        row(
            "raw TCP, the client speaks first",
            Probe::raw_tcp(server),
            reset(NEITHER),
            "Its first bytes are neither a TLS record nor a request.",
        ),
        row(
            "raw TCP, the server speaks first",
            Probe::raw_tcp_server_first(server),
            timed_out(SERVER_FIRST),
            "A client of TLS or HTTP always speaks first.",
        ),
        row(
            "raw TCP on port 443, the client speaks first",
            Probe::raw_tcp(server).on_port(443),
            reset(NEITHER),
            "A port is no protocol.",
        ),
        row(
            "raw TCP that begins like a TLS record",
            Probe::tcp_echo(server, &[b"\x16\x03\x01\x00\x05hello"]),
            reset(ANSWER),
            "It may become a ClientHello, so it gets out; but nothing comes back before a name was allowed. Unanswered, \
             it is said again, and that is rejected.",
        ),
        row(
            "raw TCP that begins like a request",
            Probe::tcp_echo(server, &[b"GET out of here\n"]),
            reset(ANSWER),
            "It may become a request, so it gets out; but nothing comes back before a name was allowed. The same.",
        ),
        row(
            "DNS over TCP",
            Probe::dns_over_tcp(server),
            reset(NEITHER),
            "Names are the VPC's own resolver's to find; one outside is a tunnel.",
        ),
        row(
            "raw TCP, the client speaks first",
            Probe::raw_tcp(server),
            timed_out(NEITHER),
            "The guard drops.",
        )
        .under(BlockAction::Drop),
        row(
            "SSH on port 443, the client speaks first",
            Probe::ssh_on_443(server),
            timed_out(SSH),
            "The same.",
        )
        .under(BlockAction::Drop),
    ]
}

fn without_connections(hosts: &Hosts) -> Vec<Row> {
    let server = hosts.server;
    vec![
        row(
            "QUIC (UDP port 443)",
            Probe::quic(server),
            no_answer(QUIC),
            "HTTP/3 would carry a session past every TLS rule; clients fall back to TCP.",
        ),
        row(
            "DNS over UDP",
            Probe::dns(server),
            no_answer(DNS),
            "Names are the VPC's own resolver's to find; one outside is a tunnel.",
        ),
        row(
            "DNS over QUIC (UDP port 853)",
            Probe::quic(server).on_port(853),
            no_answer(UDP),
            "No UDP passes.",
        ),
        row("UDP on another port", Probe::udp(server), no_answer(UDP), "No UDP passes."),
        row(
            "UDP in fragments",
            Probe::udp_in_fragments(server),
            no_answer(UDP),
            "Its fragments are dropped, and so is what they make together.",
        ),
        row(
            "UDP, a first fragment whose rest never comes",
            Probe::first_fragment(hosts.fragments),
            no_answer(FRAGMENT),
            "It is never put together, and so never judged as UDP: it is dropped as a fragment.",
        ),
        row("ICMP echo", Probe::icmp(hosts.pinged), no_answer(ICMP), "A ping's payload is a tunnel."),
        row("GRE", Probe::gre(hosts.gre), no_answer(OTHER), "No protocol but TCP passes."),
    ]
}

fn ipv6() -> Vec<Row> {
    let host = |last| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last);
    vec![
        row(
            "TLS over IPv6, an allowed name",
            Probe::tls_to("www.kaggle.com", host(1)),
            timed_out(IPV6),
            "The VPC has no IPv6; if it is given some, nothing passes unseen.",
        ),
        row(
            "TLS over IPv6, a name that nothing allows",
            Probe::tls_to("example.com", host(1)),
            timed_out(IPV6),
            "The same.",
        ),
        row(
            "HTTP over IPv6, a name that nothing allows",
            Probe::http_to("example.com", host(1)),
            timed_out(IPV6),
            "The same.",
        ),
        row("QUIC over IPv6", Probe::quic(host(1)), no_answer(IPV6), "The same."),
        row(
            "raw TCP over IPv6, the server speaks first",
            Probe::raw_tcp_server_first(host(1)),
            timed_out(IPV6),
            "The same.",
        ),
        row("ICMP echo over IPv6", Probe::icmp(host(2)), no_answer(IPV6), "The same."),
    ]
}
