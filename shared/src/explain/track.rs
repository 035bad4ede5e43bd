//! What has been decided about a connection, packet by packet.

use super::connection::{Connection, Packet, Protocol};
use super::{Action, DecidedBy, Verdict};

/// What a rule does that meets a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// It ends the connection.
    Block,
    /// It lets that packet pass, and those behind it are looked at.
    PassPacket,
    /// It lets all pass that follows.
    PassConnection,
}

/// The first rule, or entry, that meets a packet.
#[derive(Debug)]
pub(super) struct Decision {
    pub(super) effect: Effect,
    pub(super) by: DecidedBy,
    /// The place of its group in the policy.
    pub(super) place: usize,
}

/// What the policy does with a connection.
#[derive(Debug)]
pub(super) struct Conclusion {
    pub(super) verdict: Verdict,
    /// What decides, where nothing that is unclear does.
    pub(super) decided_by: DecidedBy,
    /// Whether it is blocked where a grant would have let it pass before.
    pub(super) a_grant_helps: bool,
    /// What would have let it pass by its name, where it is blocked before it has given one.
    pub(super) in_spite_of: Option<DecidedBy>,
    /// What blocks it, although it passes, where its `ClientHello` takes two packets.
    pub(super) in_two_packets: Option<DecidedBy>,
}

/// What something unclear may do.
#[derive(Debug, Clone, Copy, Default)]
struct May {
    pass: bool,
    block: bool,
}

impl May {
    fn join(&mut self, other: Self) {
        self.pass |= other.pass;
        self.block |= other.block;
    }
}

#[derive(Debug)]
struct Slot {
    packet: Packet,
    decision: Option<Decision>,
    /// What may have decided before.
    may: May,
    /// The same, of what stands behind the rule that decides by name.
    late: May,
}

impl Slot {
    fn settles(&self) -> bool {
        self.decision.as_ref().is_some_and(|decision| decision.effect != Effect::PassPacket)
    }
}

/// A connection, and what has been decided about it.
#[derive(Debug)]
pub(super) struct Track<'a> {
    pub(super) connection: Connection<'a>,
    slots: [Slot; 6],
}

impl<'a> Track<'a> {
    pub(super) fn new(connection: Connection<'a>) -> Self {
        let slot = |packet| Slot { packet, decision: None, may: May::default(), late: May::default() };
        Self { connection, slots: Packet::ALL.map(slot) }
    }

    /// Whether a rule may still decide about a packet.
    pub(super) fn is_open(&self, packet: Packet) -> bool {
        if self.connection.protocol == Protocol::Quic && packet != Packet::First {
            return false;
        }
        let before = self.slots.iter().filter(|slot| slot.packet < packet && slot.packet != Packet::Part);
        self.decision(packet).is_none() && !before.into_iter().any(Slot::settles)
    }

    /// Whether something has decided about the packet with the name.
    pub(super) fn is_named(&self) -> bool {
        self.decision(Packet::Name).is_some()
    }

    fn decision(&self, packet: Packet) -> Option<&Decision> {
        self.slots.iter().find(|slot| slot.packet == packet)?.decision.as_ref()
    }

    /// Something decides about a packet.
    pub(super) fn decide(&mut self, packet: Packet, decision: impl FnOnce() -> Decision) {
        if let Some(slot) = self.slots.iter_mut().find(|slot| slot.packet == packet) {
            slot.decision.get_or_insert_with(decision);
        }
    }

    /// Something may decide about a packet: by `action`, or by whatever where that isn't known. Answers whether
    /// that may change the verdict.
    pub(super) fn doubt(&mut self, packet: Packet, action: Option<Action>) -> bool {
        let (protocol, is_late) = (self.connection.protocol, self.is_named() && packet < Packet::Name);
        let is_looked_at = packet <= Packet::Name || self.is_named();
        let may = May {
            pass: action.is_none_or(|action| action == Action::Pass),
            block: action != Some(Action::Pass),
        };
        if let Some(slot) = self.slots.iter_mut().find(|slot| slot.packet == packet) {
            if is_late { slot.late.join(may) } else { slot.may.join(may) }
        }
        packet != Packet::Part && protocol != Protocol::Quic && is_looked_at
    }

    /// What blocks its first packet, where that is certain.
    pub(super) fn first_block(self) -> Option<DecidedBy> {
        let [first, ..] = self.slots;
        let decision =
            first.decision.filter(|decision| decision.effect == Effect::Block && !first.may.pass)?;
        Some(decision.by)
    }

    /// What the policy does with it. `last_grants` is the place of the last group that holds grants.
    pub(super) fn conclude(self, last_grants: Option<usize>) -> Conclusion {
        let [first, reply, part, name, answer, more] = self.slots;
        let (mut may, mut late) = (May::default(), May::default());
        for slot in [first, reply] {
            may.join(slot.may);
            late.join(slot.late);
            if slot.settles() {
                may.join(late);
                let in_spite_of = name.decision.filter(|decision| decision.effect != Effect::Block);
                let conclusion = Conclusion::of(slot.decision, may, None);
                return Conclusion { in_spite_of: in_spite_of.map(|decision| decision.by), ..conclusion };
            }
        }
        let mut decision = None;
        for slot in [name, answer, more] {
            may.join(slot.may);
            let (is_name, settles) = (slot.packet == Packet::Name, slot.settles());
            if is_name || settles {
                decision = slot.decision;
            }
            if settles || decision.is_none() {
                break;
            }
        }
        let blocks_part = part.decision.filter(|decision| decision.effect == Effect::Block);
        let conclusion = Conclusion::of(decision, may, last_grants);
        let in_two_packets = blocks_part.filter(|_| conclusion.verdict == Verdict::Passes);
        Conclusion { in_two_packets: in_two_packets.map(|decision| decision.by), ..conclusion }
    }
}

impl Conclusion {
    fn of(decision: Option<Decision>, may: May, last_grants: Option<usize>) -> Self {
        let passes = decision.as_ref().is_some_and(|decision| decision.effect != Effect::Block);
        let verdict = match passes {
            true if may.block => Verdict::Unknown,
            false if may.pass => Verdict::Unknown,
            true => Verdict::Passes,
            false => Verdict::Blocked,
        };
        let place = decision.as_ref().map(|decision| decision.place);
        let is_behind = |grants| place.is_none_or(|place| place > grants);
        Self {
            verdict,
            a_grant_helps: !passes && last_grants.is_some_and(is_behind),
            decided_by: decision.map_or(DecidedBy::DefaultAction, |decision| decision.by),
            in_spite_of: None,
            in_two_packets: None,
        }
    }
}
