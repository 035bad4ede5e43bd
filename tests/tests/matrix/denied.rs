//! The deny list against a grant and an allow list that cover its names: nothing opens them.

use tests::lab::{BlockAction, Probe};

use crate::Hosts;
use crate::row::{Row, granted, reset, row, timed_out};

const TLS: &str = "matching TLS rejectlisted FQDNs";
const HTTP: &str = "matching HTTP rejectlisted FQDNs";
const TLS_DROPPED: &str = "matching TLS denylisted FQDNs";
const HTTP_DROPPED: &str = "matching HTTP denylisted FQDNs";
const ODD: &str = "egress guard: HTTP to a host that is not spelled as a name";

pub(crate) fn rows(hosts: &Hosts) -> Vec<Row> {
    [in_tls(hosts), in_http(hosts)].concat()
}

fn in_tls(hosts: &Hosts) -> Vec<Row> {
    let tls = |name| Probe::tls_to(name, hosts.server);
    vec![
        row(
            "TLS, a denied name below a grant",
            tls("gist.github.com"),
            reset(TLS),
            "The deny list stands before the grants, and rejects.",
        ),
        row(
            "TLS, a denied name below a grant, in odd case",
            tls("Gist.GitHub.com"),
            reset(TLS),
            "Without regard to case.",
        ),
        row(
            "TLS, a denied name below a grant, a post-quantum ClientHello in two packets",
            Probe::tls_in_two_segments("gist.github.com", hosts.server),
            reset(TLS),
            "However it is cut.",
        ),
        row(
            "TLS, a denied name below a grant, the ClientHello in two TLS records",
            Probe::tls_in_two_records("gist.github.com", hosts.server),
            reset(TLS),
            "The same.",
        ),
        row(
            "TLS, a denied name below a grant, with a dot at its end",
            tls("gist.github.com."),
            reset("egress last word: TLS without a server name that is allowed"),
            "Spelled so it is not the denied name, but not the granted one, either.",
        ),
        row(
            "TLS, a name beside the denied one",
            tls("api.github.com"),
            granted(".github.com"),
            "The grant holds for the rest.",
        ),
        row(
            "TLS, a name below a denied one that is denied alone",
            tls("a.gist.github.com"),
            granted(".github.com"),
            "DeniedDomains without a dot is that name only.",
        ),
        row(
            "TLS, a name below a denied one of AllowedDomains",
            tls("a.denied.kaggle.com"),
            reset(TLS),
            "With a dot it is all below it, against the allow list too.",
        ),
        row(
            "TLS, a denied name below a grant",
            tls("gist.github.com"),
            timed_out(TLS_DROPPED),
            "The deny list drops, and is named otherwise in the log.",
        )
        .under(BlockAction::Drop),
        row(
            "TLS, a name beside the denied one",
            tls("api.github.com"),
            granted(".github.com"),
            "BlockAction changes nothing for what is granted.",
        )
        .under(BlockAction::Drop),
    ]
}

fn in_http(hosts: &Hosts) -> Vec<Row> {
    let http = |name| Probe::http_to(name, hosts.server);
    let raw = |request| Probe::http(hosts.server, &[request]);
    vec![
        row("HTTP, a denied name below a grant", http("gist.github.com"), reset(HTTP), "The same for HTTP."),
        row(
            "HTTP, a denied name below a grant, in odd case",
            http("Gist.GitHub.com"),
            reset(HTTP),
            "The engine compares in lower case.",
        ),
        row(
            "HTTP, a denied name below a grant, with its port",
            http("gist.github.com:80"),
            reset(HTTP),
            "The port is none of the name.",
        ),
        row(
            "HTTP, a denied name below a grant, in odd case and with its port",
            http("GIST.github.com:80"),
            reset(ODD),
            "With a port the engine keeps the case, and the deny list's rule misses it: so the guard rejects it.",
        ),
        row(
            "HTTP, a denied name below a grant, behind a user's name",
            http("x@gist.github.com"),
            reset(ODD),
            "It is no name, though it ends as one.",
        ),
        row(
            "HTTP, a denied Host before a granted one",
            raw("GET / HTTP/1.1\r\nHost: gist.github.com\r\nHost: api.github.com\r\n\r\n"),
            reset(ODD),
            "Two are none: a server may take either.",
        ),
        row(
            "HTTP, the whole URL in the request, of a denied name, a granted Host",
            raw("GET http://gist.github.com/ HTTP/1.1\r\nHost: api.github.com\r\n\r\n"),
            reset(HTTP),
            "The URL counts.",
        ),
        row(
            "HTTP, a granted Host, then a denied one on the same connection",
            Probe::http_to_both(["api.github.com", "gist.github.com"], hosts.server),
            granted(".github.com"),
            "A connection that was passed is not looked at again: a limit, where one server has both names.",
        ),
        row(
            "HTTP, a name below a denied one of AllowedDomains",
            http("a.denied.kaggle.com"),
            reset(HTTP),
            "Against the allow list too.",
        ),
        row(
            "HTTP, a denied name below a grant",
            http("gist.github.com"),
            timed_out(HTTP_DROPPED),
            "The same.",
        )
        .under(BlockAction::Drop),
        row(
            "HTTP, a denied name below a grant, behind a user's name",
            http("x@gist.github.com"),
            timed_out(ODD),
            "And the guard drops.",
        )
        .under(BlockAction::Drop),
    ]
}
