//! The policy's rule groups, asked about a host as the firewall asks them.
//!
//! In `STRICT_ORDER` the first rule that meets a packet decides about it, group after group, and within a group
//! from its first line to its last
//! (<https://docs.aws.amazon.com/network-firewall/latest/developerguide/suricata-rule-evaluation-order.html>).
//! What is unclear makes a verdict unknown where it could have made another one.

use std::collections::BTreeSet;

use super::conditions::Bits;
use super::connection::{Connection, Meets, Packet, Protocol};
use super::content::entry_meets;
use super::meaning;
use super::shown::{NAME, SENTENCE, shown};
use super::suricata::{self, Line, Rule};
use super::track::{Conclusion, Decision, Effect, Track};
use super::{Action, DecidedBy};
use crate::firewall::{PolicyGroup, PolicyRules};
use crate::request::RequestId;

/// The doubts that are told.
const MOST_DOUBTS: usize = 6;
/// The requests that a rule is told to stand for.
const MOST_REQUESTS: usize = 10;

/// What the policy does with a host.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) tls: Conclusion,
    pub(super) http: Conclusion,
    /// What blocks QUIC, where that is certain.
    pub(super) quic_blocked_by: Option<DecidedBy>,
    /// What could not be judged, in the policy's order; at most [`MOST_DOUBTS`].
    pub(super) doubts: Vec<Doubt>,
    /// How many more there are.
    pub(super) more_doubts: usize,
    /// Whether the policy has a group that holds grants.
    pub(super) has_grants: bool,
}

/// Something that could not be judged.
#[derive(Debug)]
pub(super) struct Doubt {
    /// The name of the group.
    pub(super) group: String,
    /// The rule, where it is one: its sid and message.
    pub(super) rule: Option<(u64, String)>,
    /// What of it isn't understood, or why it isn't.
    pub(super) because: String,
    /// What it does, where that is known.
    pub(super) action: Option<Action>,
    /// Whether it stands behind what decides by name, and would decide before, since it needs no name.
    pub(super) late: bool,
}

/// Asks the policy about connections to a name, or to an address.
pub(super) fn judge(host: &str, is_address: bool, policy: &[PolicyGroup], grants: &[String]) -> Judged {
    let grants: BTreeSet<&str> = grants.iter().map(String::as_str).collect();
    let track = |protocol, name| Track::new(Connection { protocol, name });
    let mut walk = Walk {
        tracks: [
            track(Protocol::Tls, (!is_address).then_some(host)),
            track(Protocol::Http, Some(host)),
            track(Protocol::Quic, None),
        ],
        bits: bits(policy),
        doubts: Vec::new(),
        more_doubts: 0,
    };
    let mut last_grants = None;
    for (place, group) in policy.iter().enumerate() {
        let holds_grants = grants.contains(group.arn.as_str());
        last_grants = if holds_grants { Some(place) } else { last_grants };
        walk.group(At { place, group, holds_grants });
    }
    let [tls, http, quic] = walk.tracks;
    Judged {
        tls: tls.conclude(last_grants),
        http: http.conclude(last_grants),
        quic_blocked_by: quic.first_block(),
        doubts: walk.doubts,
        more_doubts: walk.more_doubts,
        has_grants: last_grants.is_some(),
    }
}

/// The bits that rules may set on a connection and let it go on.
fn bits(policy: &[PolicyGroup]) -> Bits {
    let mut bits = Bits::new();
    for group in policy {
        let PolicyRules::Text(text) = &group.rules else { continue };
        for line in suricata::lines(text).filter(|line| line.contains("flowbits")) {
            if let Line::Rule(rule) = suricata::read(&line)
                && rule.action.is_none_or(|action| action == Action::Pass)
            {
                bits.extend(meaning::sets(&rule).map(str::to_owned));
            }
        }
    }
    bits
}

/// A group at its place in the policy.
#[derive(Debug, Clone, Copy)]
struct At<'a> {
    place: usize,
    group: &'a PolicyGroup,
    holds_grants: bool,
}

impl At<'_> {
    fn name(&self) -> String {
        shown(&self.group.name, NAME)
    }

    fn rule(&self, rule: &Rule<'_>, action: Action, packet: Packet) -> Decision {
        let (group, sid, message) = (self.name(), rule.sid(), shown(&rule.message(), NAME));
        let blocks = action != Action::Pass;
        let effect = match (blocks, meaning::passes_the_connection(rule)) {
            (true, _) => Effect::Block,
            (false, true) => Effect::PassConnection,
            (false, false) => Effect::PassPacket,
        };
        let by = if blocks && packet >= Packet::Name && !meaning::looks_at_the_name(rule) {
            DecidedBy::NothingAllows { group, action, sid, message }
        } else {
            let ids = rule.granted_for().filter_map(|id| RequestId::try_from(id.to_owned()).ok());
            let requests = if self.holds_grants { ids.take(MOST_REQUESTS).collect() } else { Vec::new() };
            DecidedBy::Rule { group, holds_grants: self.holds_grants, action, sid, message, requests }
        };
        Decision { effect, by, place: self.place }
    }

    fn entry(&self, list: &str, entry: &str, action: Action) -> Decision {
        Decision {
            effect: if action == Action::Pass { Effect::PassConnection } else { Effect::Block },
            by: DecidedBy::Entry {
                group: self.name(),
                holds_grants: self.holds_grants,
                action,
                list: list.to_owned(),
                entry: shown(entry, NAME),
            },
            place: self.place,
        }
    }
}

/// The connections that are judged, together, so that each rule is read once.
#[derive(Debug)]
struct Walk<'a> {
    tracks: [Track<'a>; 3],
    bits: Bits,
    doubts: Vec<Doubt>,
    more_doubts: usize,
}

impl Walk<'_> {
    fn group(&mut self, at: At<'_>) {
        match &at.group.rules {
            PolicyRules::Text(text) => {
                for line in suricata::lines(text) {
                    match suricata::read(&line) {
                        Line::Idle => {}
                        Line::Rule(rule) => self.rule(at, &rule),
                        Line::Unreadable => self.anything(at, &format!("a line can't be read: {line:.60}")),
                    }
                }
            }
            PolicyRules::DomainList { kind, targets, target_types } => {
                self.list(at, kind, targets, target_types);
            }
            PolicyRules::Other(reason) => self.anything(at, reason),
        }
    }

    fn rule(&mut self, at: At<'_>, rule: &Rule<'_>) {
        let Some(action) = rule.action else { return };
        // The part that is unclear, and whether it only matters before the name is known.
        let mut doubt: Option<(&str, bool)> = None;
        for track in &mut self.tracks {
            for packet in Packet::ALL {
                if !track.is_open(packet) {
                    continue;
                }
                match meaning::meets(rule, track.connection, packet, &self.bits) {
                    Meets::No => {}
                    Meets::Yes => track.decide(packet, || at.rule(rule, action, packet)),
                    Meets::Unclear(part) => {
                        let late = track.is_named() && packet < Packet::Name;
                        if track.doubt(packet, Some(action)) {
                            let (part, before) = doubt.unwrap_or((part, true));
                            doubt = Some((part, before && late));
                        }
                    }
                }
            }
        }
        if let Some((part, late)) = doubt {
            let rule = Some((rule.sid(), shown(&rule.message(), NAME)));
            self.tell(|| Doubt {
                group: at.name(),
                rule,
                because: shown(part, NAME),
                action: Some(action),
                late,
            });
        }
    }

    fn list(&mut self, at: At<'_>, kind: &str, targets: &[String], types: &[String]) {
        let action = match kind {
            "ALLOWLIST" => Action::Pass,
            "DENYLIST" => Action::Drop,
            "REJECTLIST" => Action::Reject,
            "ALERTLIST" => return,
            other => return self.anything(at, &format!("it is a domain list of the kind {other:.60}")),
        };
        let more = types.iter().find(|one| !["TLS_SNI", "HTTP_HOST"].contains(&one.as_str()));
        let mut doubt = None;
        for (track, own) in self.tracks.iter_mut().zip(["TLS_SNI", "HTTP_HOST"]) {
            let Some(name) = track.connection.name.filter(|_| track.is_open(Packet::Name)) else { continue };
            let is_compared = types.iter().any(|one| one == own);
            let meets = |protocol| targets.iter().find(|entry| entry_meets(entry, name, protocol));
            let exactly = meets(track.connection.protocol);
            // With its capitals, no Host header meets it: whether they are folded is not documented.
            let nearly = exactly.or_else(|| meets(Protocol::Tls));
            match (exactly, nearly, more) {
                (Some(entry), _, None) if is_compared => {
                    track.decide(Packet::Name, || at.entry(kind, entry, action));
                }
                (_, Some(entry), _) if is_compared || more.is_some() => {
                    track.doubt(Packet::Name, Some(action));
                    let what = more.map_or("HTTP_HOST", String::as_str);
                    doubt = Some(format!("whether its entry {entry} meets the host as {what}"));
                }
                _ => {}
            }
        }
        if let Some(because) = doubt {
            let because = shown(&because, SENTENCE);
            self.tell(|| Doubt { group: at.name(), rule: None, because, action: Some(action), late: false });
        }
    }

    /// Something that may let anything pass, or block it, where nothing has decided before.
    fn anything(&mut self, at: At<'_>, because: &str) {
        let mut is_open = false;
        for track in &mut self.tracks {
            let is_quic = track.connection.protocol == Protocol::Quic;
            let packet = if is_quic { Packet::First } else { Packet::Name };
            if track.is_open(packet) {
                is_open |= track.doubt(packet, None);
            }
        }
        if is_open {
            let because = shown(because, SENTENCE);
            self.tell(|| Doubt { group: at.name(), rule: None, because, action: None, late: false });
        }
    }

    fn tell(&mut self, doubt: impl FnOnce() -> Doubt) {
        if self.doubts.len() < MOST_DOUBTS {
            self.doubts.push(doubt());
        } else {
            self.more_doubts += 1;
        }
    }
}
