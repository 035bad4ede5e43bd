//! Plain HTTP: the name is the Host of the request.

use tests::lab::{BlockAction, Probe};

use crate::Hosts;
use crate::row::{Row, answered, granted, reset, row, timed_out};

const LAST_WORD: &str = "egress last word: HTTP without a host name that is allowed";
const OLD: &str = "egress last word: HTTP older than 1.1 without a host name that is allowed";
const BARE_ADDRESS: &str = "egress guard: HTTP to a bare IP address";
const NEITHER: &str = "egress guard: TCP that is neither TLS nor HTTP";
const ODD: &str = "egress guard: HTTP to a host that is not spelled as a name";

pub(crate) fn rows(hosts: &Hosts) -> Vec<Row> {
    [names(hosts), spellings(hosts), requests(hosts), ports(hosts), told(hosts)].concat()
}

fn names(hosts: &Hosts) -> Vec<Row> {
    let to = |name| Probe::http_to(name, hosts.server);
    vec![
        row(
            "HTTP, a name of AllowedDomains",
            to("www.kaggle.com"),
            answered(),
            "The baseline passes it; a domain list logs no use.",
        ),
        row(
            "HTTP, a name that nothing allows",
            to("example.com"),
            reset(LAST_WORD),
            "No rule passes it, and the last word rejects.",
        ),
        row(
            "HTTP, api.github.com where .github.com is granted",
            to("api.github.com"),
            granted(".github.com"),
            "A pattern with a dot is for all below it.",
        ),
        row(
            "HTTP, github.com where .github.com is granted",
            to("github.com"),
            granted(".github.com"),
            "And for the name itself.",
        ),
        row(
            "HTTP, notgithub.com where .github.com is granted",
            to("notgithub.com"),
            reset(LAST_WORD),
            "It only ends alike: the dot is part of the match.",
        ),
        row(
            "HTTP, pypi.org where pypi.org is granted",
            to("pypi.org"),
            granted("pypi.org"),
            "A pattern without a dot is that name.",
        ),
        row(
            "HTTP, files.pypi.org where pypi.org is granted",
            to("files.pypi.org"),
            reset(LAST_WORD),
            "And no other.",
        ),
        row(
            "HTTP, an allowed Host, to the address of another host",
            Probe::http_to("kaggle.com", hosts.pinged),
            answered(),
            "The name decides, not the address: a limit of every domain list.",
        ),
        row(
            "HTTP, a Host that nothing allows, to the address of an allowed one",
            Probe::http_to("example.com", hosts.pinged),
            reset(LAST_WORD),
            "Nor does an address open anything.",
        ),
        row(
            "HTTP, an IP address as Host",
            Probe::http_to_address(hosts.server),
            reset(BARE_ADDRESS),
            "The guard rejects, whatever is allowed below it.",
        ),
        row(
            "HTTP, an IP address and a port as Host",
            to("203.0.113.15:80"),
            reset(BARE_ADDRESS),
            "The port is none of the name.",
        ),
        row(
            "HTTP, an IPv6 address as Host",
            to("[2001:db8::1]"),
            reset(BARE_ADDRESS),
            "The same for the other kind of address.",
        ),
    ]
}

fn spellings(hosts: &Hosts) -> Vec<Row> {
    let to = |name| Probe::http_to(name, hosts.server);
    let raw = |request| Probe::http(hosts.server, &[request]);
    vec![
        row(
            "HTTP, an allowed Host in upper case",
            to("WWW.KAGGLE.COM"),
            answered(),
            "The engine compares the name in lower case.",
        ),
        row(
            "HTTP, a granted Host in odd case",
            to("aPi.GitHub.cOm"),
            granted(".github.com"),
            "The same for grants.",
        ),
        row(
            "HTTP, a granted Host with its port",
            to("api.github.com:80"),
            granted(".github.com"),
            "The port is none of the name.",
        ),
        row(
            "HTTP, a Host that nothing allows with a port",
            to("example.com:80"),
            reset(LAST_WORD),
            "Nor does it open anything.",
        ),
        row(
            "HTTP, a granted Host in odd case with its port",
            to("API.github.com:80"),
            reset(ODD),
            "With a port the engine keeps the case, by which a name could pass the deny list: the guard rejects it.",
        ),
        row(
            "HTTP, an allowed Host with a dot at its end",
            to("www.kaggle.com."),
            reset(LAST_WORD),
            "The match is at the end of the name, and the dot isn't taken off.",
        ),
        row(
            "HTTP, a Host behind another, the last one granted",
            raw("GET / HTTP/1.1\r\nHost: example.com\r\nHost: api.github.com\r\n\r\n"),
            reset(ODD),
            "Two are none: a server may take either.",
        ),
        row(
            "HTTP, a Host behind another, the first one granted",
            raw("GET / HTTP/1.1\r\nHost: api.github.com\r\nHost: example.com\r\n\r\n"),
            reset(ODD),
            "The same the other way round.",
        ),
        row(
            "HTTP, a granted Host behind a user's name",
            to("example.com@api.github.com"),
            reset(ODD),
            "It is no name, though it ends as one.",
        ),
        row(
            "HTTP, no Host",
            raw("GET / HTTP/1.1\r\nUser-Agent: probe\r\n\r\n"),
            reset(LAST_WORD),
            "What has no name can't be allowed by name.",
        ),
    ]
}

fn requests(hosts: &Hosts) -> Vec<Row> {
    let raw = |request| Probe::http(hosts.server, &[request]);
    let in_two = |first, second| Probe::http_in_two(first, second, hosts.server);
    vec![
        row(
            "HTTP POST, a granted Host",
            raw("POST / HTTP/1.1\r\nHost: api.github.com\r\nContent-Length: 2\r\n\r\n{}"),
            granted(".github.com"),
            "The usual methods are HTTP.",
        ),
        row(
            "HTTP, a granted Host, the request in two packets",
            in_two("GET / HTTP/1.1\r\nHo", "st: api.github.com\r\n\r\n"),
            granted(".github.com"),
            "Judged only when its head is whole.",
        ),
        row(
            "HTTP, a Host that nothing allows, the request in two packets",
            in_two("GET / HTTP/1.1\r\nHost: exam", "ple.com\r\n\r\n"),
            reset(LAST_WORD),
            "Cutting it hides no name.",
        ),
        row(
            "HTTP/1.0, a granted Host",
            raw("GET / HTTP/1.0\r\nHost: api.github.com\r\n\r\n"),
            granted(".github.com"),
            "A name is a name in any version.",
        ),
        row(
            "HTTP/1.0, a Host that nothing allows",
            raw("GET / HTTP/1.0\r\nHost: example.com\r\n\r\n"),
            reset(LAST_WORD),
            "The same.",
        ),
        row(
            "HTTP/1.0 without Host",
            raw("GET / HTTP/1.0\r\n\r\n"),
            reset(OLD),
            "HTTP/1.0 needs none, and so can't be allowed.",
        ),
        row("HTTP/0.9", raw("GET /\r\n"), reset(OLD), "It has no headers at all."),
        row(
            "HTTP, the whole URL in the request, of a granted name",
            raw("GET http://api.github.com/ HTTP/1.1\r\nHost: api.github.com\r\n\r\n"),
            granted(".github.com"),
            "As clients ask proxies; the name is the URL's.",
        ),
        row(
            "HTTP, the whole URL in the request, of a name that nothing allows, a granted Host",
            raw("GET http://example.com/ HTTP/1.1\r\nHost: api.github.com\r\n\r\n"),
            reset(LAST_WORD),
            "The URL counts, for servers too (RFC 9112, 3.2.2).",
        ),
        row(
            "HTTP CONNECT to a granted name",
            raw("CONNECT api.github.com:443 HTTP/1.1\r\nHost: api.github.com:443\r\n\r\n"),
            reset(NEITHER),
            "A proxy outside would lead anywhere; no notebook's client needs it.",
        ),
        row(
            "HTTP CONNECT to a name that nothing allows",
            raw("CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n"),
            reset(NEITHER),
            "The same.",
        ),
        row(
            "HTTP TRACE, a granted Host",
            raw("TRACE / HTTP/1.1\r\nHost: api.github.com\r\n\r\n"),
            reset(NEITHER),
            "A method that no notebook's client needs.",
        ),
        row(
            "HTTP/2 in the clear",
            Probe::tcp_echo(hosts.server, &[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]),
            reset(NEITHER),
            "Its names are packed, so no rule reads them.",
        ),
        row(
            "HTTP, a granted Host, then one that nothing allows on the same connection",
            Probe::http_to_both(["api.github.com", "example.com"], hosts.server),
            granted(".github.com"),
            "A connection that was passed is not looked at again; the server is the one that was allowed.",
        ),
        row(
            "HTTP, a request without an end that the server answers all the same",
            Probe::tcp_echo(hosts.server, &[b"GET / HTTP/1.1\r\nHost: example.com\r\n"]),
            reset("egress last word: answer to a client that nothing has allowed"),
            "Nothing comes back before a name was allowed: else this would be a way out. Unanswered, it is said \
             again, and that is rejected.",
        ),
    ]
}

fn ports(hosts: &Hosts) -> Vec<Row> {
    let to = |name, port| Probe::http_to(name, hosts.server).on_port(port);
    vec![
        row(
            "HTTP on port 8080, a granted name",
            to("github.com", 8080),
            granted(".github.com"),
            "The protocol is known by what is said, whatever the port.",
        ),
        row(
            "HTTP on port 8080, a name that nothing allows",
            to("example.com", 8080),
            reset(LAST_WORD),
            "No port is a way around.",
        ),
        row(
            "HTTP on port 443, a name that nothing allows",
            to("example.com", 443),
            reset(LAST_WORD),
            "It is HTTP, and so judged as HTTP.",
        ),
    ]
}

fn told(hosts: &Hosts) -> Vec<Row> {
    let to = |name| Probe::http_to(name, hosts.server);
    vec![
        row(
            "HTTP, a blocked client is told within a second",
            to("blocked.example.com"),
            reset(LAST_WORD),
            "BlockAction Reject: the reset comes from the firewall, at once.",
        )
        .needs_packets(),
        row(
            "HTTP, a blocked client is left waiting",
            to("blocked.example.com"),
            timed_out(LAST_WORD),
            "BlockAction Drop: in silence, but logged alike.",
        )
        .needs_packets()
        .under(BlockAction::Drop),
        row(
            "HTTP, a name of AllowedDomains",
            to("www.kaggle.com"),
            answered(),
            "BlockAction changes nothing for what is allowed.",
        )
        .under(BlockAction::Drop),
        row(
            "HTTP, a name that nothing allows",
            to("example.com"),
            timed_out(LAST_WORD),
            "The last word drops.",
        )
        .under(BlockAction::Drop),
        row(
            "HTTP/1.0 without Host",
            Probe::http(hosts.server, &["GET / HTTP/1.0\r\n\r\n"]),
            timed_out(OLD),
            "The same.",
        )
        .under(BlockAction::Drop),
        row(
            "HTTP, an IP address as Host",
            Probe::http_to_address(hosts.server),
            timed_out(BARE_ADDRESS),
            "So does the guard.",
        )
        .under(BlockAction::Drop),
        row(
            "HTTP TRACE, a granted Host",
            Probe::http(hosts.server, &["TRACE / HTTP/1.1\r\nHost: api.github.com\r\n\r\n"]),
            timed_out(NEITHER),
            "The same.",
        )
        .under(BlockAction::Drop),
    ]
}
