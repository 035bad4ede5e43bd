//! A connection to a host, packet by packet, as far as rules can tell its packets apart.
//!
//! Rules are asked about each packet, and the client's name is only in one of them: a rule that needs no name
//! decides at the first packet, wherever it stands, and one that needs the name never hears of the rest.

use std::ops::Not;

/// How the client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// TLS over TCP, port 443.
    Tls,
    /// HTTP/1.1 in the clear, port 80, a `GET`.
    Http,
    /// QUIC, UDP port 443: only its first packet is looked at.
    Quic,
}

impl Protocol {
    /// The server's port.
    pub(super) fn port(self) -> u16 {
        match self {
            Self::Tls | Self::Quic => 443,
            Self::Http => 80,
        }
    }
}

/// A connection that is judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Connection<'a> {
    /// How the client speaks.
    pub(super) protocol: Protocol,
    /// The name that the client gives, lower case: in the SNI, in the Host header. A TLS client that goes to an
    /// address gives none (RFC 6066, 3).
    pub(super) name: Option<&'a str>,
}

/// A packet, or several that rules can't tell apart, in the order in which they come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Packet {
    /// The client's SYN.
    First,
    /// The server's SYN and ACK.
    Reply,
    /// The first of the two packets of a long `ClientHello`, as a post-quantum key makes it. Others have none.
    Part,
    /// The client's `ClientHello` or request, whole: the packet with the name.
    Name,
    /// What the server answers.
    Answer,
    /// What the client sends after that.
    More,
}

impl Packet {
    /// All of them, in their order.
    pub(super) const ALL: [Self; 6] =
        [Self::First, Self::Reply, Self::Part, Self::Name, Self::Answer, Self::More];

    /// Whether the client sends it.
    pub(super) fn is_the_client_s(self) -> bool {
        !matches!(self, Self::Reply | Self::Answer)
    }

    /// Whether it has no content, since the connection is not established yet.
    pub(super) fn is_of_the_handshake(self) -> bool {
        matches!(self, Self::First | Self::Reply)
    }
}

/// Whether a rule, or a condition of one, meets a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meets<'a> {
    /// It doesn't.
    No,
    /// It does.
    Yes,
    /// It can't be said, because of this part of the rule.
    Unclear(&'a str),
}

impl<'a> Meets<'a> {
    /// Whether both meet it.
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Unclear(part), _) | (_, Self::Unclear(part)) => Self::Unclear(part),
            (Self::Yes, Self::Yes) => Self::Yes,
        }
    }

    /// Whether one of the two meets it.
    pub(super) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Yes, _) | (_, Self::Yes) => Self::Yes,
            (Self::Unclear(part), _) | (_, Self::Unclear(part)) => Self::Unclear(part),
            (Self::No, Self::No) => Self::No,
        }
    }

    /// The opposite, where the condition is negated.
    pub(super) fn negated_if(self, negated: bool) -> Self {
        if negated { !self } else { self }
    }

    /// It can't be said, where it would have met, and the condition has more to it than was understood.
    pub(super) fn at_most_unclear(self, part: &'a str) -> Self {
        if self == Self::Yes { Self::Unclear(part) } else { self }
    }
}

impl Not for Meets<'_> {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::No => Self::Yes,
            Self::Yes => Self::No,
            Self::Unclear(part) => Self::Unclear(part),
        }
    }
}

impl From<bool> for Meets<'_> {
    fn from(meets: bool) -> Self {
        if meets { Self::Yes } else { Self::No }
    }
}
