//! What a batch does with its counts of a window: a pure decision on what stands there.

use egress::aws::windows::{NOBODY, Window};
use jiff::Timestamp;

use crate::groups::Group;

/// So many batches count in the item of the window itself, beside those that claim something; what follows counts in an
/// item of its own. DynamoDB takes a write unit for each KB of an item whatever changes of it: with eight batches in it,
/// an hour of a million connections took up to 1.6 times the units (the benchmark `alerts_scale`).
const FIRST_BATCHES: usize = 1;

/// What is done with a batch's counts of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// All is written.
    Done,
    /// They are put into an item of their own, whatever else is there.
    Apart,
    /// They are put into an item of their own, and then the window's digest is made due again.
    Late,
    /// They are put into the window's item, with what is to be claimed.
    InWindow(Claims),
}

/// Of the two things that there are to tell of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Both<T> {
    /// That something was blocked at all.
    pub tells: T,
    /// That it matters more than other things.
    pub raises: T,
}

/// Which of them a batch has to tell.
pub type Owing = Both<bool>;

/// What a batch writes of who tells, where nobody has written anything yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Claim {
    /// Nothing: it may not tell, or somebody else has claimed it.
    #[default]
    Nothing,
    /// That the batch does.
    Ours,
    /// That nobody does: an alert about the same rests.
    Nobody,
}

/// What it writes of both.
pub type Claims = Both<Claim>;

impl Owing {
    /// What nobody has claimed yet of a window.
    pub fn open(there: Option<&Window>, raised: bool) -> Self {
        let item = there.map(|window| &window.item);
        Self {
            tells: item.is_none_or(|item| item.teller.is_none()),
            raises: raised && item.is_none_or(|item| item.raiser.is_none()),
        }
    }

    /// What the batch has claimed.
    pub fn of(window: &Window, batch: &str) -> Self {
        let is_ours = |claim: &Option<String>| claim.as_deref() == Some(batch);
        Self { tells: is_ours(&window.item.teller), raises: is_ours(&window.item.raiser) }
    }

    /// What somebody has told of any of some windows.
    pub fn told(windows: &[Window]) -> Self {
        let somebody = |claim: &Option<String>| claim.as_deref().is_some_and(|claim| claim != NOBODY);
        Self {
            tells: windows.iter().any(|window| somebody(&window.item.teller)),
            raises: windows.iter().any(|window| somebody(&window.item.raiser)),
        }
    }

    /// Whether there is nothing.
    pub fn is_nothing(self) -> bool {
        self == Self::default()
    }

    /// What to claim of what is open, where some was told in the windows before.
    pub fn claims(self, told: Self) -> Claims {
        let claim = |open: bool, told: bool| match (open, told) {
            (false, _) => Claim::Nothing,
            (true, false) => Claim::Ours,
            (true, true) => Claim::Nobody,
        };
        Both { tells: claim(self.tells, told.tells), raises: claim(self.raises, told.raises) }
    }
}

/// Decides. `claims` is what is still to be claimed.
///
/// A window whose end is over, or whose digest was told, has no counts that only stand apart: who tells its digest, or
/// has told it, notices only a change of the window's item. A full item has none either, late as they come: a day's log
/// that is sent again would make it larger than DynamoDB takes.
pub fn plan(there: Option<&Window>, group: &Group<'_>, batch: &str, claims: Claims, now: Timestamp) -> Plan {
    let Some(window) = there else { return Plan::InWindow(claims) };
    let is_counted = window.batches.get(batch) == Some(&group.counts);
    if is_counted && claims == Claims::default() {
        return Plan::Done;
    }
    let has_room = window.batches.len() < FIRST_BATCHES || window.batches.contains_key(batch);
    if has_room || claims != Claims::default() {
        Plan::InWindow(claims)
    } else if now < group.until && window.item.due.is_some() {
        Plan::Apart
    } else {
        Plan::Late
    }
}
