//! What was observed, in words.

use crate::lab::{Observation, Outcome, Run};

/// What is shown of a client's last line, in characters.
const LONGEST_WORD: usize = 100;

/// How a client fared, with the last thing that it said.
pub(super) fn in_words(run: &Run) -> String {
    let last = run.output.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
    // Of a long line, the end says why.
    let last = match last.char_indices().rev().nth(LONGEST_WORD) {
        Some((cut, _)) => format!("…{}", last.get(cut..).unwrap_or_default()),
        None => last.to_owned(),
    };
    match run.status {
        Some(0) => "it works".to_owned(),
        Some(status) => format!("exit code {status}: {last}"),
        None => format!("no answer, stopped after {:.0} s", run.elapsed.as_secs_f64()),
    }
}

/// What became of a probe, and what the firewall said of it.
pub(super) fn probe_in_words(seen: &Observation) -> String {
    let outcome = outcome_in_words(seen.outcome);
    match &seen.verdict {
        Some(verdict) => {
            format!("{}: {outcome}; {} by “{}”", seen.probe, verdict_in_words(seen), verdict.signature)
        }
        None => format!("{}: {outcome}; no verdict was logged", seen.probe),
    }
}

/// What the client saw.
pub(super) fn outcome_in_words(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Answered => "answered",
        Outcome::Reset => "reset at once",
        Outcome::TimedOut => "no answer",
    }
}

/// What the firewall said.
pub(super) fn verdict_in_words(seen: &Observation) -> &'static str {
    match &seen.verdict {
        Some(verdict) if verdict.rejected => "rejected",
        Some(verdict) if verdict.action == "drop" => "dropped",
        Some(_) => "let through",
        None => "none logged",
    }
}
