//! Spells: for how long an address was whose. Addresses are used again, and the log comes minutes late, or days where
//! a batch is delivered again: so what EC2 once showed is kept.

use std::future::Future;
use std::net::Ipv4Addr;

use egress::owner::Owner;
use jiff::{SignedDuration, Timestamp};

use crate::windows::StoreError;

/// For how long a spell goes on after it was last confirmed, where nothing says that another began: apps end between
/// two looks, and the log is late.
pub const REMEMBERED: SignedDuration = SignedDuration::from_mins(5);
/// For how long an address that EC2 has shown isn't looked up again.
pub const CONFIRMED: SignedDuration = SignedDuration::from_mins(1);
/// How far the clocks of the firewall and of EC2 may be apart.
pub const CLOCKS: SignedDuration = SignedDuration::from_secs(5);
/// After how long it is written again that a spell goes on. Nothing is told by an address of whose spell the store
/// wouldn't tell the same later: what was confirmed just before this is told of for a minute more.
pub const REFRESHED: SignedDuration = SignedDuration::from_secs(5 * 60 - 60 - 5);

/// For how long an address was whose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spell {
    /// Whose.
    pub owner: Owner,
    /// The id of the network interface that had the address.
    pub interface: String,
    /// Since when: when the interface was attached; where EC2 doesn't say that, when it was first seen.
    pub from: Timestamp,
    /// When EC2 has last shown it.
    pub seen_until: Timestamp,
}

/// The store of spells.
pub trait Spells {
    /// Keeps a spell that EC2 shows now, where there is none of this interface and beginning, or one of the same owner
    /// that was last written [`REFRESHED`] ago. Otherwise answers the one that is there.
    fn keep(
        &self,
        address: Ipv4Addr,
        spell: &Spell,
    ) -> impl Future<Output = Result<Option<Spell>, StoreError>> + Send;

    /// The last spell of an address that had begun by then, read strongly consistent.
    fn last(
        &self,
        address: Ipv4Addr,
        by: Timestamp,
    ) -> impl Future<Output = Result<Option<Spell>, StoreError>> + Send;
}

/// When the connections of an address were seen in a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first.
    pub first: Timestamp,
    /// The last.
    pub last: Timestamp,
}

impl Spell {
    /// Whether it had begun by then, as the clocks go.
    pub fn began_by(&self, at: Timestamp) -> bool {
        self.from <= latest_begin(at)
    }

    /// Whether the address was its interface's then, as long as no later one had begun.
    pub fn covers(&self, at: Timestamp) -> bool {
        self.began_by(at) && at <= later(self.seen_until, REMEMBERED)
    }

    /// Whether it is written that it goes on.
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        now < later(self.seen_until, REFRESHED)
    }
}

impl Span {
    /// Makes it reach over another.
    pub fn add(&mut self, other: Self) {
        *self = Self { first: self.first.min(other.first), last: self.last.max(other.last) };
    }
}

impl From<Timestamp> for Span {
    fn from(at: Timestamp) -> Self {
        Self { first: at, last: at }
    }
}

/// When a spell has begun at the latest that had begun by then, as the clocks go.
pub(super) fn latest_begin(at: Timestamp) -> Timestamp {
    later(at, CLOCKS)
}

pub(super) fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}

/// Why nobody is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotKnown {
    #[error("none is remembered for that time")]
    NotRemembered,
    #[error("The address changed hands while these connections were made")]
    ChangedHands,
}

/// Whose an address was in all of a span, by the last spells that had begun by its beginning and by its end.
pub(super) fn owner_during(
    span: Span,
    first: Option<&Spell>,
    last: Option<&Spell>,
) -> Result<Owner, NotKnown> {
    let first = first.filter(|spell| spell.covers(span.first)).ok_or(NotKnown::NotRemembered)?;
    let last = last.filter(|spell| spell.covers(span.last)).ok_or(NotKnown::NotRemembered)?;
    if first.owner == last.owner { Ok(first.owner.clone()) } else { Err(NotKnown::ChangedHands) }
}
