//! What the conditions on content say of a packet: the client's name, and the little else of it that is known.

use std::borrow::Cow;

use super::connection::{Connection, Meets, Packet, Protocol};
use super::suricata::{self, Keyword, Pattern};

/// The guard's condition for an IPv4 address in the place of a name, which no name meets.
const ADDRESS: &str = r#""/^[0-9]+(?:\.[0-9]+){3}$/""#;

/// The guard's condition for what is in no name.
const NOT_IN_A_NAME: &str = r#""/[^a-z0-9._-]/""#;

/// What stands where a condition looks.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Buffer<'a> {
    /// Nothing: then no condition on it is met, a negated one neither.
    Absent,
    /// This and no more.
    Whole(Cow<'a, [u8]>),
    /// This, and more behind it.
    Begins(&'static [u8]),
    /// This, and more before it.
    Ends(&'static [u8]),
    /// Nobody knows.
    Unknown,
}

/// A `content` and what narrows it.
#[derive(Debug)]
struct Content<'r> {
    pattern: Pattern,
    no_case: bool,
    at_start: bool,
    at_end: bool,
    /// The first keyword that narrows it and isn't understood.
    vague: Option<&'r str>,
}

/// Goes through a rule's keywords in their order, as each says something of what stands before or behind it.
#[derive(Debug)]
pub(super) struct Reading<'a, 'r> {
    connection: Connection<'a>,
    packet: Packet,
    buffer: Buffer<'a>,
    content: Option<Content<'r>>,
}

impl<'a, 'r> Reading<'a, 'r> {
    pub(super) fn new(connection: Connection<'a>, packet: Packet) -> Self {
        let buffer = payload(connection.protocol, packet);
        Self { connection, packet, buffer, content: None }
    }

    /// The next keyword: what is known by it. None where it is no condition on content.
    pub(super) fn take(&mut self, keyword: Keyword<'r>) -> Option<Meets<'r>> {
        let meets = match (keyword.name, keyword.value) {
            ("content", Some(value)) => self.begin(value),
            ("nocase", None) => self.narrow(|content| content.no_case = true),
            ("startswith", None) => self.narrow(|content| content.at_start = true),
            ("endswith", None) => self.narrow(|content| content.at_end = true),
            ("isdataat", Some("!1,relative" | "!1, relative")) => {
                self.narrow(|content| content.at_end = true)
            }
            ("fast_pattern", _) => Meets::Yes,
            ("dotprefix", None) => {
                let done = self.finish();
                self.buffer = dotted(&self.buffer);
                done
            }
            ("bsize", Some(size)) => self.size(size),
            ("pcre", Some(ADDRESS)) => self.expression(is_dotted_quad),
            ("pcre", Some(NOT_IN_A_NAME)) => self.expression(|name| !name.iter().copied().all(is_in_a_name)),
            (name, None) if name == "pkt_data" || is_buffer(name) => {
                let done = self.finish();
                self.buffer = buffer(name, self.connection, self.packet);
                done
            }
            _ => return None,
        };
        Some(meets)
    }

    /// A keyword that isn't understood: what was read of the content before it, or will be read behind it, may be
    /// of something else.
    pub(super) fn take_unknown(&mut self, keyword: Keyword<'r>) -> Meets<'r> {
        if let Some(content) = &mut self.content {
            content.vague = content.vague.or(Some(keyword.name));
        }
        let mut meets = Meets::Unclear(keyword.name);
        if keyword.value.is_none() {
            meets = meets.and(self.finish());
            self.buffer = Buffer::Unknown;
        }
        meets
    }

    /// What the last content says, now that all that narrows it is known.
    pub(super) fn finish(&mut self) -> Meets<'r> {
        let Some(content) = self.content.take() else { return Meets::Yes };
        if self.buffer == Buffer::Absent {
            return Meets::No;
        }
        let meets = find(&self.buffer, &content);
        let meets = match content.vague {
            Some(keyword) => meets.at_most_unclear(keyword),
            None => meets,
        };
        if content.pattern.negated && stands_earlier(&self.buffer, &content) {
            return meets.at_most_unclear("content").negated_if(true);
        }
        meets.negated_if(content.pattern.negated)
    }

    fn begin(&mut self, value: &'r str) -> Meets<'r> {
        let done = self.finish();
        let Some(pattern) = suricata::pattern(value) else { return done.and(Meets::Unclear("content")) };
        self.content = Some(Content { pattern, no_case: false, at_start: false, at_end: false, vague: None });
        done
    }

    fn narrow(&mut self, how: impl FnOnce(&mut Content<'r>)) -> Meets<'r> {
        match &mut self.content {
            Some(content) => {
                how(content);
                Meets::Yes
            }
            None => Meets::Unclear("content"),
        }
    }

    /// What a regular expression says that is known here.
    fn expression(&self, matches: impl Fn(&[u8]) -> bool) -> Meets<'r> {
        match &self.buffer {
            Buffer::Whole(name) => matches(name).into(),
            Buffer::Absent => Meets::No,
            _ => Meets::Unclear("pcre"),
        }
    }

    fn size(&self, size: &str) -> Meets<'r> {
        match (&self.buffer, size.parse::<usize>()) {
            (Buffer::Absent, _) => Meets::No,
            (Buffer::Whole(bytes), Ok(size)) => (bytes.len() == size).into(),
            _ => Meets::Unclear("bsize"),
        }
    }
}

/// Whether a keyword without a value is one that says where the contents behind it are looked for.
fn is_buffer(name: &str) -> bool {
    name == "tls_sni" || ["tls.", "http.", "ja3.", "ja3s.", "ja4."].iter().any(|of| name.starts_with(of))
}

/// What stands in the place that a keyword names.
fn buffer<'a>(name: &str, connection: Connection<'a>, packet: Packet) -> Buffer<'a> {
    let of_http = name.starts_with("http.");
    if name == "pkt_data" {
        return payload(connection.protocol, packet);
    }
    if packet < Packet::Name || of_http != (connection.protocol == Protocol::Http) {
        return Buffer::Absent;
    }
    if packet > Packet::Name {
        return Buffer::Unknown;
    }
    match (name, connection.name) {
        ("tls.sni" | "tls_sni" | "http.host", Some(host)) => Buffer::Whole(Cow::Borrowed(host.as_bytes())),
        ("tls.sni" | "tls_sni" | "http.host", None) => Buffer::Absent,
        ("http.header_names", _) => Buffer::Begins(b"\r\n"),
        ("http.request_line", _) => Buffer::Ends(b" HTTP/1.1"),
        _ => Buffer::Unknown,
    }
}

/// What the packet itself begins with: a TLS record of a handshake, a `GET`.
fn payload(protocol: Protocol, packet: Packet) -> Buffer<'static> {
    match (protocol, packet) {
        (Protocol::Quic, _) | (_, Packet::Answer | Packet::More) => Buffer::Unknown,
        (_, Packet::First | Packet::Reply) => Buffer::Absent,
        (Protocol::Tls, _) => Buffer::Begins(b"\x16\x03"),
        (Protocol::Http, _) => Buffer::Begins(b"GET /"),
    }
}

/// The transformation `dotprefix`: a dot before the name, so that `.github.com` meets `github.com` too.
fn dotted<'a>(buffer: &Buffer<'a>) -> Buffer<'a> {
    match buffer {
        Buffer::Absent => Buffer::Absent,
        Buffer::Whole(name) => Buffer::Whole(Cow::Owned([b".", name.as_ref()].concat())),
        _ => Buffer::Unknown,
    }
}

fn find<'r>(buffer: &Buffer<'_>, content: &Content<'_>) -> Meets<'r> {
    let needle = content.pattern.bytes.as_slice();
    let same = |a: &[u8], b: &[u8]| if content.no_case { a.eq_ignore_ascii_case(b) } else { a == b };
    let within = |text: &[u8]| text.windows(needle.len()).any(|part| same(part, needle));
    let starts =
        |text: &[u8]| text.split_at_checked(needle.len()).is_some_and(|(part, _)| same(part, needle));
    let ends = |text: &[u8]| {
        let start = text.len().checked_sub(needle.len());
        start.is_some_and(|start| same(text.split_at(start).1, needle))
    };
    match (buffer, content.at_start, content.at_end) {
        (Buffer::Whole(text), true, true) => same(text, needle).into(),
        (Buffer::Whole(text), true, false) => starts(text).into(),
        (Buffer::Whole(text), false, true) => ends(text).into(),
        (Buffer::Whole(text), false, false) => within(text).into(),
        (Buffer::Begins(text), true, false) if starts(text) => Meets::Yes,
        // More of it than is known would have to be there, and what is known isn't.
        (Buffer::Begins(text), true, _) if !text.iter().zip(needle).all(|(a, b)| same(&[*a], &[*b])) => {
            Meets::No
        }
        (Buffer::Begins(text), false, false) if within(text) => Meets::Yes,
        (Buffer::Ends(text), false, true) if ends(text) => Meets::Yes,
        (Buffer::Ends(text), false, false) if within(text) => Meets::Yes,
        _ => Meets::Unclear("content"),
    }
}

/// Whether a content that has to stand at the end stands before that, too: there Suricata 7.0 takes a negated one
/// for absent.
fn stands_earlier(buffer: &Buffer<'_>, content: &Content<'_>) -> bool {
    let Buffer::Whole(text) = buffer else { return false };
    let before = text.split_last().map(|(_, before)| before).unwrap_or_default();
    let length = content.pattern.bytes.len();
    let same = |part: &[u8]| part.eq_ignore_ascii_case(&content.pattern.bytes);
    content.at_end && !content.at_start && before.windows(length).any(same)
}

fn is_dotted_quad(text: &[u8]) -> bool {
    let is_number = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    text.split(|byte| *byte == b'.').count() == 4 && text.split(|byte| *byte == b'.').all(is_number)
}

fn is_in_a_name(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte)
}

/// Whether a domain list's entry meets a name, as the rule does that Network Firewall makes of it
/// (<https://docs.aws.amazon.com/network-firewall/latest/developerguide/suricata-examples.html>): `.example.com`
/// that name and all below it, `example.com` that name. Only TLS is compared without regard to case.
pub(super) fn entry_meets(entry: &str, name: &str, protocol: Protocol) -> bool {
    let below = entry.starts_with('.');
    let content = Content {
        pattern: Pattern { negated: false, bytes: entry.as_bytes().to_vec() },
        no_case: protocol == Protocol::Tls,
        at_start: !below,
        at_end: true,
        vague: None,
    };
    let name = Buffer::Whole(Cow::Borrowed(name.as_bytes()));
    let buffer = if below { dotted(&name) } else { name };
    !entry.is_empty() && find(&buffer, &content) == Meets::Yes
}
