//! What must be true of every run, whatever goes wrong in it. Each invariant is a function from the story of a
//! run to what was wrong with it, and its name is what a report calls it.

mod firewall;
mod grants;
mod ledger;
mod told;

use serde::Serialize;

use super::record::Record;
use super::story::Story;

/// An invariant that didn't hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// The run.
    pub seed: u64,
    /// The invariant's name.
    pub invariant: &'static str,
    /// What was wrong.
    pub what: String,
}

type Invariant = fn(&Story<'_>) -> Vec<String>;

/// All of them.
const INVARIANTS: [(&str, Invariant); 16] = [
    ("the firewall is what the ledger says", firewall::is_what_the_ledger_says),
    ("others' entries are left alone", firewall::others_are_left_alone),
    ("nothing is opened that isn't granted", firewall::nothing_is_opened_that_is_not_granted),
    ("nothing is closed that is granted", firewall::nothing_is_closed_that_is_granted),
    ("what stands keeps its place", firewall::what_stands_keeps_its_place),
    ("no grant outlives a tick", grants::no_grant_outlives_a_tick),
    ("active is true", grants::active_is_true),
    ("what has ended is cut", grants::what_has_ended_is_cut),
    ("who decided may decide", grants::who_decided_may_decide),
    ("no transition without its history", ledger::no_transition_without_its_history),
    ("the ledger agrees with itself", ledger::agrees_with_itself),
    ("nothing acknowledged is lost", ledger::nothing_acknowledged_is_lost),
    ("what is told has a cause, and every cause is told", told::has_a_cause_and_is_told),
    ("every transition is told", told::every_transition_is_told),
    ("hand edits are told", told::hand_edits_are_told),
    ("it settles", ledger::it_settles),
];

/// What was wrong with a run.
pub(super) fn judge(record: &Record) -> Vec<Violation> {
    let story = Story::read(record);
    let of = |(invariant, judge): &(&'static str, Invariant)| {
        let invariant = *invariant;
        judge(&story).into_iter().map(move |what| Violation { seed: record.seed, invariant, what })
    };
    INVARIANTS.iter().flat_map(of).collect()
}
