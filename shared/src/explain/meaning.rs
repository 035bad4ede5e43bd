//! What a rule means for a packet of a connection.
//!
//! Not all of Suricata: a keyword that isn't known here makes the rule unclear, unless another part of it says that
//! it doesn't meet the packet. What is known was tried on Suricata 7.0, packet by packet.

use super::conditions::{Bits, NEUTRAL, OTHERS, bit_names, condition};
use super::connection::{Connection, Meets, Packet, Protocol};
use super::content::Reading;
use super::suricata::{Keyword, Rule};

/// Whether a rule meets a packet.
pub(super) fn meets<'r>(
    rule: &Rule<'r>,
    connection: Connection<'_>,
    packet: Packet,
    bits: &Bits,
) -> Meets<'r> {
    let mut meets = is_of(rule.protocol, connection.protocol, packet);
    if meets != Meets::No {
        meets = meets.and(sees(rule, connection.protocol, packet));
    }
    if let (Some(keyword), true) = (beyond(rule), meets != Meets::No) {
        return Meets::Unclear(keyword.name);
    }
    let mut reading = Reading::new(connection, packet);
    for keyword in &rule.keywords {
        if meets == Meets::No {
            return meets;
        }
        meets = meets.and(condition(*keyword, connection.protocol, packet, bits, &mut reading));
    }
    meets.and(reading.finish())
}

/// A keyword that changes what others mean: the old form in which the place of a content is named behind it, and a
/// second `flow`, which takes nothing from what the first lets in.
fn beyond<'a, 'r>(rule: &'a Rule<'r>) -> Option<&'a Keyword<'r>> {
    let mut flows = rule.keywords.iter().filter(|keyword| keyword.name == "flow");
    rule.keywords.iter().find(|keyword| keyword.name.starts_with("http_")).or_else(|| flows.nth(1))
}

/// Whether a rule that passes a packet passes the whole connection with it. Suricata does so where the rule is about
/// addresses, or about what it has parsed; else only that packet is let pass.
pub(super) fn passes_the_connection(rule: &Rule<'_>) -> bool {
    let parsed = |keyword: &Keyword<'_>| {
        ["tls.", "http.", "tls_", "ssl_"].iter().any(|of| keyword.name.starts_with(of))
    };
    let of_any_packet = |keyword: &Keyword<'_>| {
        NEUTRAL.contains(&keyword.name) || ["flowbits", "app-layer-protocol"].contains(&keyword.name)
    };
    rule.keywords.iter().any(parsed) || rule.keywords.iter().all(of_any_packet)
}

/// Whether a rule looks at the name that the client gives.
pub(super) fn looks_at_the_name(rule: &Rule<'_>) -> bool {
    rule.keywords.iter().any(|keyword| matches!(keyword.name, "tls.sni" | "tls_sni" | "http.host"))
}

/// The bits that a rule sets.
pub(super) fn sets<'r>(rule: &Rule<'r>) -> impl Iterator<Item = &'r str> {
    let values = rule.keywords.iter().filter(|keyword| keyword.name == "flowbits");
    let values = values.filter_map(|keyword| keyword.value?.split_once(','));
    values
        .filter(|(what, _)| ["set", "toggle"].contains(&what.trim()))
        .flat_map(|(_, names)| bit_names(names))
}

/// Whether packets are of the protocol that a rule's header names.
fn is_of(named: &str, protocol: Protocol, packet: Packet) -> Meets<'_> {
    let has_content = !packet.is_of_the_handshake();
    let over_tcp = protocol != Protocol::Quic;
    match named {
        "ip" => Meets::Yes,
        "tcp" | "tcp-pkt" => over_tcp.into(),
        "tcp-stream" if over_tcp => Meets::Unclear(named),
        "tls" => (protocol == Protocol::Tls && has_content).into(),
        "http" | "http1" => (protocol == Protocol::Http && has_content).into(),
        "udp" => (!over_tcp).into(),
        "quic" if !over_tcp => Meets::Unclear(named),
        other if OTHERS.contains(&other) => Meets::No,
        unknown => Meets::Unclear(unknown),
    }
}

/// Whether a packet goes from where to where a rule's header says.
fn sees<'r>(rule: &Rule<'r>, protocol: Protocol, packet: Packet) -> Meets<'r> {
    let way = |source, source_port, destination, destination_port| {
        let (client, client_port, server, server_port) = if packet.is_the_client_s() {
            (source, source_port, destination, destination_port)
        } else {
            (destination, destination_port, source, source_port)
        };
        is_at(client, true)
            .and(is_at(server, false))
            .and(is_any_port(client_port))
            .and(is_port(server_port, protocol.port()))
    };
    let there = way(rule.source, rule.source_port, rule.destination, rule.destination_port);
    if rule.both_ways {
        return there.or(way(rule.destination, rule.destination_port, rule.source, rule.source_port));
    }
    there
}

/// Whether the client, or the server, has one of the addresses: the client's are in `$HOME_NET`, the server's not,
/// and the way is IPv4.
fn is_at(addresses: &str, client: bool) -> Meets<'_> {
    match addresses {
        "any" | "0.0.0.0/0" => Meets::Yes,
        "::/0" => Meets::No,
        "$HOME_NET" | "!$EXTERNAL_NET" => client.into(),
        "$EXTERNAL_NET" | "!$HOME_NET" => (!client).into(),
        others => Meets::Unclear(others),
    }
}

/// Whether a port is among these: `any`, `443`, `!22`, `1024:`, `[80,443]`.
fn is_port(ports: &str, port: u16) -> Meets<'_> {
    let (negated, bare) = ports.strip_prefix('!').map_or((false, ports), |bare| (true, bare));
    let Some(list) = bare.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) else {
        return is_in_range(bare, port).map_or(Meets::Unclear(ports), |is_in| (is_in != negated).into());
    };
    let (mut is_in, mut has_positive) = (false, false);
    for part in list.split(',').map(str::trim) {
        let (excluded, range) = part.strip_prefix('!').map_or((false, part), |range| (true, range));
        match is_in_range(range, port) {
            None => return Meets::Unclear(ports),
            Some(true) if excluded => return negated.into(),
            Some(found) => is_in |= found && !excluded,
        }
        has_positive |= !excluded;
    }
    ((is_in || !has_positive) != negated).into()
}

/// Whether a port lies in `any`, `443`, `1024:`, `:80` or `80:90`; none where it is something else.
fn is_in_range(range: &str, port: u16) -> Option<bool> {
    if range == "any" {
        return Some(true);
    }
    let (low, high) = range.split_once(':').unwrap_or((range, range));
    let low = if low.is_empty() { 0 } else { low.trim().parse().ok()? };
    let high = if high.is_empty() { u16::MAX } else { high.trim().parse().ok()? };
    Some((low..=high).contains(&port))
}

/// Whether whatever port a client takes is among these: 32,768 and above, as Linux has it.
fn is_any_port(ports: &str) -> Meets<'_> {
    let (low, high) = (is_port(ports, 32_768), is_port(ports, 60_999));
    if low == high { low } else { Meets::Unclear(ports) }
}

#[cfg(test)]
mod tests {
    use super::super::suricata::{Line, read};
    use super::*;

    /// The packets that a rule meets, of TLS and of HTTP to `ok.example.com`; with a question mark where it may.
    fn met(rule: &str) -> String {
        let line = format!("drop {rule}");
        let Line::Rule(rule) = read(&line) else { panic!("no rule: {line}") };
        let of = |protocol| {
            let connection = Connection { protocol, name: Some("ok.example.com") };
            let word = |packet| match meets(&rule, connection, packet, &Bits::new()) {
                Meets::No => None,
                Meets::Yes => Some(format!("{packet:?}")),
                Meets::Unclear(_) => Some(format!("{packet:?}?")),
            };
            let words: Vec<String> = Packet::ALL.into_iter().filter_map(word).collect();
            if words.is_empty() { "none".to_owned() } else { words.join(" ") }
        };
        format!("{} | {}", of(Protocol::Tls), of(Protocol::Http))
    }

    #[test]
    fn rules_meet_the_packets_that_suricata_says_they_meet() {
        // What is certain here, up to the name, was tried on Suricata 7.0.10 with captures of such connections.
        let there = "$HOME_NET any -> $EXTERNAL_NET any";
        let back = "$EXTERNAL_NET any -> $HOME_NET any";
        let table = [
            format!("tcp {there} (sid:1;)"),
            format!("tcp {back} (sid:1;)"),
            format!("tcp {there} (flow:to_client; sid:1;)"),
            format!("tcp {there} (flow:to_server; sid:1;)"),
            format!("tcp {there} (flow:to_server,established; sid:1;)"),
            format!("ip {there} (flow:not_established; sid:1;)"),
            format!("tcp {there} (flags:S,CE; sid:1;)"),
            format!("tcp {there} (dsize:>0; sid:1;)"),
            format!("tcp {there} (app-layer-protocol:!ssh; sid:1;)"),
            format!("tcp {there} (app-layer-protocol:!tls; sid:1;)"),
            format!("tcp {there} (ssl_state:client_hello; sid:1;)"),
            format!("tcp {there} (http.host; content:\"ok\"; startswith; sid:1;)"),
            format!("tls {there} (sid:1;)"),
            format!("tls {back} (flow:to_client; ssl_state:!client_hello; sid:1;)"),
            format!("tls {there} (tls.sni; content:\".example.com\"; endswith; sid:1;)"),
            format!(
                "tls {there} (tls.sni; dotprefix; content:\".ok.Example.com\"; nocase; startswith; endswith; sid:1;)"
            ),
            format!("tls {there} (tls.sni; content:!\"ok\"; sid:1;)"),
            format!("tls {there} (tls.sni; content:!\"e\"; endswith; sid:1;)"),
            format!("tcp {there} (content:!\"|16 03|\"; startswith; content:!\"GET \"; startswith; sid:1;)"),
            format!("http {there} (http.header_names; content:\"|0d 0a|\"; startswith; sid:1;)"),
            format!("http {there} (http.request_line; content:!\" HTTP/1.1\"; sid:1;)"),
            format!("http {there} (content:\"ok\"; http_host; sid:1;)"),
            format!("tls {there} (flow:to_server; flow:to_client; sid:1;)"),
            "tcp any any -> any [443,!444] (sid:1;)".to_owned(),
            "tcp any any -> any ![80,443] (sid:1;)".to_owned(),
            "tcp any 1024: <> any :79 (sid:1;)".to_owned(),
            format!("udp {there} (sid:1;)"),
            format!("ip {there} (ip_proto:!6; sid:1;)"),
            format!("tcp {there} (flowbits:isset,a; sid:1;)"),
            format!("tcp {there} (xbits:isset,a; sid:1;)"),
        ];
        let lines: Vec<String> = table.iter().map(|rule| format!("{rule}\n    {}", met(rule))).collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        tcp $HOME_NET any -> $EXTERNAL_NET any (sid:1;)
            First Part Name More | First Part Name More
        tcp $EXTERNAL_NET any -> $HOME_NET any (sid:1;)
            Reply Answer | Reply Answer
        tcp $HOME_NET any -> $EXTERNAL_NET any (flow:to_client; sid:1;)
            none | none
        tcp $HOME_NET any -> $EXTERNAL_NET any (flow:to_server; sid:1;)
            First Part Name More | First Part Name More
        tcp $HOME_NET any -> $EXTERNAL_NET any (flow:to_server,established; sid:1;)
            Part Name More | Part Name More
        ip $HOME_NET any -> $EXTERNAL_NET any (flow:not_established; sid:1;)
            First | First
        tcp $HOME_NET any -> $EXTERNAL_NET any (flags:S,CE; sid:1;)
            First | First
        tcp $HOME_NET any -> $EXTERNAL_NET any (dsize:>0; sid:1;)
            Part Name More | Part Name More
        tcp $HOME_NET any -> $EXTERNAL_NET any (app-layer-protocol:!ssh; sid:1;)
            Part Name More | Part Name More
        tcp $HOME_NET any -> $EXTERNAL_NET any (app-layer-protocol:!tls; sid:1;)
            none | Part Name More
        tcp $HOME_NET any -> $EXTERNAL_NET any (ssl_state:client_hello; sid:1;)
            Name | none
        tcp $HOME_NET any -> $EXTERNAL_NET any (http.host; content:"ok"; startswith; sid:1;)
            none | Name More?
        tls $HOME_NET any -> $EXTERNAL_NET any (sid:1;)
            Part Name More | none
        tls $EXTERNAL_NET any -> $HOME_NET any (flow:to_client; ssl_state:!client_hello; sid:1;)
            Answer | none
        tls $HOME_NET any -> $EXTERNAL_NET any (tls.sni; content:".example.com"; endswith; sid:1;)
            Name More? | none
        tls $HOME_NET any -> $EXTERNAL_NET any (tls.sni; dotprefix; content:".ok.Example.com"; nocase; startswith; endswith; sid:1;)
            Name More? | none
        tls $HOME_NET any -> $EXTERNAL_NET any (tls.sni; content:!"ok"; sid:1;)
            More? | none
        tls $HOME_NET any -> $EXTERNAL_NET any (tls.sni; content:!"e"; endswith; sid:1;)
            Name More? | none
        tcp $HOME_NET any -> $EXTERNAL_NET any (content:!"|16 03|"; startswith; content:!"GET "; startswith; sid:1;)
            More? | More?
        http $HOME_NET any -> $EXTERNAL_NET any (http.header_names; content:"|0d 0a|"; startswith; sid:1;)
            none | Name More?
        http $HOME_NET any -> $EXTERNAL_NET any (http.request_line; content:!" HTTP/1.1"; sid:1;)
            none | More?
        http $HOME_NET any -> $EXTERNAL_NET any (content:"ok"; http_host; sid:1;)
            none | Part? Name? More?
        tls $HOME_NET any -> $EXTERNAL_NET any (flow:to_server; flow:to_client; sid:1;)
            Part? Name? More? | none
        tcp any any -> any [443,!444] (sid:1;)
            First Part Name More | none
        tcp any any -> any ![80,443] (sid:1;)
            Reply Answer | Reply Answer
        tcp any 1024: <> any :79 (sid:1;)
            none | none
        udp $HOME_NET any -> $EXTERNAL_NET any (sid:1;)
            none | none
        ip $HOME_NET any -> $EXTERNAL_NET any (ip_proto:!6; sid:1;)
            none | none
        tcp $HOME_NET any -> $EXTERNAL_NET any (flowbits:isset,a; sid:1;)
            none | none
        tcp $HOME_NET any -> $EXTERNAL_NET any (xbits:isset,a; sid:1;)
            First? Part? Name? More? | First? Part? Name? More?
        "#);
    }

    #[test]
    fn what_the_guard_drops_is_no_connection_by_a_name() {
        let there = "$HOME_NET any -> $EXTERNAL_NET any";
        for never in [
            format!("ip {there} (fragbits:M; sid:1;)"),
            format!("ip {there} (fragoffset:>0; sid:1;)"),
            "ip ::/0 any -> any any (sid:1;)".to_owned(),
        ] {
            assert_eq!(met(&never), "none | none", "{never}");
        }
        let odd = format!("http {there} (http.host; content:\".\"; pcre:\"/[^a-z0-9._-]/\"; sid:1;)");
        assert_eq!(met(&odd), "none | More?");
        let answer = "tcp $EXTERNAL_NET any -> $HOME_NET any (flow:to_client,established; dsize:>0; sid:1;)";
        assert_eq!(met(answer), "Answer | Answer");
    }
}
