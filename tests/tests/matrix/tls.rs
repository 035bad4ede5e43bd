//! TLS: the name is the server name of the `ClientHello`.

use tests::lab::{BlockAction, Probe};

use crate::Hosts;
use crate::row::{Row, answered, granted, reset, row, timed_out};

const LAST_WORD: &str = "egress last word: TLS without a server name that is allowed";
const BARE_ADDRESS: &str = "egress guard: TLS to a bare IP address";

pub(crate) fn rows(hosts: &Hosts) -> Vec<Row> {
    [names(hosts), spellings(hosts), hellos(hosts), ports(hosts), told(hosts)].concat()
}

fn names(hosts: &Hosts) -> Vec<Row> {
    let to = |name| Probe::tls_to(name, hosts.server);
    vec![
        row(
            "TLS, a name of AllowedDomains",
            to("www.kaggle.com"),
            answered(),
            "The baseline passes it; a domain list logs no use.",
        ),
        row(
            "TLS, a name that nothing allows",
            to("example.com"),
            reset(LAST_WORD),
            "No rule passes it, and the last word rejects.",
        ),
        row(
            "TLS, api.github.com where .github.com is granted",
            to("api.github.com"),
            granted(".github.com"),
            "A pattern with a dot is for all below it.",
        ),
        row(
            "TLS, github.com where .github.com is granted",
            to("github.com"),
            granted(".github.com"),
            "And for the name itself.",
        ),
        row(
            "TLS, a.b.c.github.com where .github.com is granted",
            to("a.b.c.github.com"),
            granted(".github.com"),
            "However deep.",
        ),
        row(
            "TLS, notgithub.com where .github.com is granted",
            to("notgithub.com"),
            reset(LAST_WORD),
            "It only ends alike: the dot is part of the match.",
        ),
        row(
            "TLS, github.com.example.com where .github.com is granted",
            to("github.com.example.com"),
            reset(LAST_WORD),
            "The match is at the end of the name.",
        ),
        row(
            "TLS, pypi.org where pypi.org is granted",
            to("pypi.org"),
            granted("pypi.org"),
            "A pattern without a dot is that name.",
        ),
        row(
            "TLS, files.pypi.org where pypi.org is granted",
            to("files.pypi.org"),
            reset(LAST_WORD),
            "And no other.",
        ),
    ]
}

fn spellings(hosts: &Hosts) -> Vec<Row> {
    let to = |name| Probe::tls_to(name, hosts.server);
    vec![
        row(
            "TLS, an allowed name in upper case",
            to("WWW.KAGGLE.COM"),
            answered(),
            "Names have no case (RFC 4343), and the match has none in TLS.",
        ),
        row(
            "TLS, a granted name in odd case",
            to("aPi.GitHub.cOm"),
            granted(".github.com"),
            "The same for grants.",
        ),
        row(
            "TLS, a name that nothing allows in odd case",
            to("eXample.Com"),
            reset(LAST_WORD),
            "Case opens nothing either.",
        ),
        row(
            "TLS, an allowed name with a dot at its end",
            to("www.kaggle.com."),
            reset(LAST_WORD),
            "A server name has no dot there (RFC 6066), so no client of use sends one.",
        ),
        row(
            "TLS, an allowed name, to the address of another host",
            Probe::tls_to("kaggle.com", hosts.pinged),
            answered(),
            "The name decides, not the address: a limit of every domain list.",
        ),
        row(
            "TLS without SNI",
            Probe::tls_without_name(hosts.server),
            reset(LAST_WORD),
            "What has no name can't be allowed by name.",
        ),
        row(
            "TLS, an IP address as SNI",
            Probe::tls_to_address(hosts.server),
            reset(BARE_ADDRESS),
            "The guard rejects, whatever is allowed below it.",
        ),
        row(
            "TLS, an IPv6 address as SNI",
            to("2001:db8::1"),
            reset(BARE_ADDRESS),
            "The same for the other kind of address.",
        ),
    ]
}

fn hellos(hosts: &Hosts) -> Vec<Row> {
    let cut = |name| Probe::tls_in_two_segments(name, hosts.server);
    let records = |name| Probe::tls_in_two_records(name, hosts.server);
    vec![
        row(
            "TLS, an allowed name, a post-quantum ClientHello in two packets",
            cut("www.kaggle.com"),
            answered(),
            "Judged only when it is whole: nothing is decided by its first packet.",
        ),
        row(
            "TLS, a granted name, a post-quantum ClientHello in two packets",
            cut("github.com"),
            granted(".github.com"),
            "The same for grants.",
        ),
        row(
            "TLS, a name that nothing allows, a post-quantum ClientHello in two packets",
            cut("example.com"),
            reset(LAST_WORD),
            "Cutting it hides no name.",
        ),
        row(
            "TLS, a granted name, the ClientHello cut within its record's header",
            Probe::tls_cut_at(3, "github.com", hosts.server),
            granted(".github.com"),
            "Two bytes are enough to know a TLS record.",
        ),
        row(
            "TLS, a granted name, the ClientHello in two TLS records",
            records("github.com"),
            granted(".github.com"),
            "The engine puts a message together from its records.",
        ),
        row(
            "TLS, a name that nothing allows, the ClientHello in two TLS records",
            records("example.com"),
            reset(LAST_WORD),
            "So that hides no name, either.",
        ),
    ]
}

fn ports(hosts: &Hosts) -> Vec<Row> {
    let to = |name, port| Probe::tls_to(name, hosts.server).on_port(port);
    vec![
        row(
            "TLS on port 8443, a granted name",
            to("github.com", 8443),
            granted(".github.com"),
            "The protocol is known by what is said, whatever the port.",
        ),
        row(
            "TLS on port 8443, a name that nothing allows",
            to("example.com", 8443),
            reset(LAST_WORD),
            "No port is a way around.",
        ),
        row(
            "TLS on port 80, a granted name",
            to("github.com", 80),
            granted(".github.com"),
            "It is TLS, and so judged as TLS.",
        ),
        row(
            "TLS on port 80, a name that nothing allows",
            to("example.com", 80),
            reset(LAST_WORD),
            "The same.",
        ),
        row(
            "DNS over TLS (port 853), a resolver by name",
            to("dns.google", 853),
            reset(LAST_WORD),
            "It is TLS to a name that nothing allows.",
        ),
        row(
            "DNS over TLS (port 853), a resolver without SNI",
            Probe::tls_without_name(hosts.server).on_port(853),
            reset(LAST_WORD),
            "It is TLS without a name.",
        ),
        row(
            "DNS over HTTPS, a resolver by name",
            to("dns.google", 443),
            reset(LAST_WORD),
            "It is HTTPS like any other.",
        ),
    ]
}

fn told(hosts: &Hosts) -> Vec<Row> {
    let to = |name| Probe::tls_to(name, hosts.server);
    vec![
        row(
            "TLS, a blocked client is told within a second",
            to("blocked.example.com"),
            reset(LAST_WORD),
            "BlockAction Reject: the reset comes from the firewall, at once.",
        )
        .needs_packets(),
        row(
            "TLS, a blocked client is left waiting",
            to("blocked.example.com"),
            timed_out(LAST_WORD),
            "BlockAction Drop: in silence, but logged alike.",
        )
        .needs_packets()
        .under(BlockAction::Drop),
        row(
            "TLS, a name of AllowedDomains",
            to("www.kaggle.com"),
            answered(),
            "BlockAction changes nothing for what is allowed.",
        )
        .under(BlockAction::Drop),
        row("TLS, a granted name", to("github.com"), granted(".github.com"), "Nor for grants.")
            .under(BlockAction::Drop),
        row(
            "TLS, a name that nothing allows",
            to("example.com"),
            timed_out(LAST_WORD),
            "The last word drops.",
        )
        .under(BlockAction::Drop),
        row("TLS without SNI", Probe::tls_without_name(hosts.server), timed_out(LAST_WORD), "The same.")
            .under(BlockAction::Drop),
        row(
            "TLS, a name that nothing allows, a post-quantum ClientHello in two packets",
            Probe::tls_in_two_segments("example.com", hosts.server),
            timed_out(LAST_WORD),
            "The same.",
        )
        .under(BlockAction::Drop),
        row(
            "TLS, an IP address as SNI",
            Probe::tls_to_address(hosts.server),
            timed_out(BARE_ADDRESS),
            "So does the guard.",
        )
        .under(BlockAction::Drop),
    ]
}
