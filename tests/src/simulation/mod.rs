//! A simulation of the function `requests`: the real core, on edges in memory, in a world where messages come
//! twice, late and in any order, calls are throttled, answers are lost, invocations die between any two effects,
//! clocks are wrong, and people change the rule groups by hand.
//!
//! One seed is one run. Everything follows from it: what people do, how long each call takes, and so the order
//! in which things happen. tokio's time is paused, one thread runs it all, nothing looks at the real clock. After
//! a run the invariants are judged, each by a function of its own.
//!
//! - `people` and `hands`: what people ask for and decide, and what they do to the firewall.
//! - `schedule`: how it reaches the function: the bus, Lambda's retries, the minute tick.
//! - `invocation`, `edges` and `world`: what calls meet, and what everything happens in.
//! - [`record`] and `story`: what has happened; [`invariants`]: what must be true of it.
//! - [`broken`]: the design with one thing undone, to show that it is found.

pub mod broken;
mod edges;
mod hands;
pub mod invariants;
mod invocation;
mod people;
pub mod record;
mod schedule;
mod setting;
mod story;
mod summary;
mod world;

use broken::Flaw;
use invariants::Violation;
use record::Record;
use setting::{Setting, rulebook};
use world::World;

pub use summary::{Summary, simulate};

use crate::memory::Chance;

/// A run that is over.
#[derive(Debug)]
pub struct Run {
    /// What happened.
    pub record: Record,
    /// What shouldn't have.
    pub violations: Vec<Violation>,
}

/// Runs one seed, with or without a flaw.
pub fn run(seed: u64, flaw: Flaw) -> anyhow::Result<Run> {
    let rulebook = rulebook(matches!(flaw, Flaw::GenerousPolicy | Flaw::OtherPolicies))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    let record = runtime.block_on(async {
        let mut chance = Chance::new(seed);
        let world = World::new(seed, Setting::draw(&mut chance)).await;
        schedule::play(&world, rulebook, flaw, chance).await;
        world.take_record()
    });
    let record = Record { generous: flaw == Flaw::GenerousPolicy, ..record };
    let violations = invariants::judge(&record);
    Ok(Run { record, violations })
}

/// Looks for the first seed, of those from 0 to `most`, in which a flaw is found, by this invariant or by any.
pub fn find(flaw: Flaw, by: Option<&str>, most: u64) -> anyhow::Result<Option<u64>> {
    for seed in 0..most {
        let violations = run(seed, flaw)?.violations;
        if violations.iter().any(|violation| by.is_none_or(|by| violation.invariant == by)) {
            return Ok(Some(seed));
        }
    }
    Ok(None)
}
