//! One row: a kind of traffic, what is expected of it, and what was observed.

use std::fmt;
use std::time::Duration;

use tests::lab::{BlockAction, Engine, Observation, Outcome, Probe};

/// A client that is told is told within this time.
const AT_ONCE: Duration = Duration::from_secs(1);

/// What a client observes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Client {
    /// The server's answer.
    Answered,
    /// A reset at once, from the firewall.
    Reset,
    /// The same, but not within [`AT_ONCE`].
    ResetLate,
    /// A TCP connection on which nothing more comes.
    TimedOut,
    /// No answer, over a protocol without connections.
    NoAnswer,
}

/// What the firewall logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Logged {
    Nothing,
    /// That it was let through, by the rule with this message.
    Passed(String),
    /// That it was blocked, by the rule with this message.
    Blocked(String),
}

/// What a client observes and the firewall logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Observed {
    pub(crate) client: Client,
    pub(crate) logged: Logged,
}

#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) traffic: &'static str,
    pub(crate) block: BlockAction,
    pub(crate) probe: Probe,
    pub(crate) expected: Observed,
    /// Why that is expected.
    pub(crate) why: &'static str,
    /// It is about what a client observes in time, of which a capture says nothing.
    pub(crate) needs_packets: bool,
    pub(crate) observed: Option<Observed>,
}

pub(crate) fn row(traffic: &'static str, probe: Probe, expected: Observed, why: &'static str) -> Row {
    Row {
        traffic,
        block: BlockAction::Reject,
        probe: probe.named(traffic),
        expected,
        why,
        needs_packets: false,
        observed: None,
    }
}

impl Row {
    pub(crate) fn under(self, block: BlockAction) -> Self {
        Self { block, ..self }
    }

    pub(crate) fn needs_packets(self) -> Self {
        Self { needs_packets: true, ..self }
    }

    /// Whether an engine can run it.
    pub(crate) fn is_for(&self, engine: Engine) -> bool {
        match engine {
            Engine::Inline => !self.probe.target.is_for_captures_only(),
            Engine::Offline => !self.needs_packets,
        }
    }

    /// Whether it went as expected; nothing if it was not run.
    pub(crate) fn ok(&self) -> Option<bool> {
        self.observed.as_ref().map(|observed| *observed == self.expected)
    }
}

/// The server is heard, and nothing is logged: domain lists let through in silence.
pub(crate) fn answered() -> Observed {
    Observed { client: Client::Answered, logged: Logged::Nothing }
}

/// The server is heard, and the use of the grant is logged.
pub(crate) fn granted(pattern: &str) -> Observed {
    Observed { client: Client::Answered, logged: Logged::Passed(format!("egress grant {pattern}")) }
}

pub(crate) fn reset(message: &str) -> Observed {
    Observed { client: Client::Reset, logged: Logged::Blocked(message.to_owned()) }
}

pub(crate) fn timed_out(message: &str) -> Observed {
    Observed { client: Client::TimedOut, logged: Logged::Blocked(message.to_owned()) }
}

pub(crate) fn no_answer(message: &str) -> Observed {
    Observed { client: Client::NoAnswer, logged: Logged::Blocked(message.to_owned()) }
}

impl Observed {
    /// What came of a probe. `expected` tells only whether there is a connection to speak of.
    pub(crate) fn of(seen: &Observation, expected: Client, engine: Engine) -> Self {
        let client = match seen.outcome {
            Outcome::Answered => Client::Answered,
            Outcome::Reset if engine == Engine::Inline && seen.elapsed > AT_ONCE => Client::ResetLate,
            Outcome::Reset => Client::Reset,
            Outcome::TimedOut if expected == Client::NoAnswer => Client::NoAnswer,
            Outcome::TimedOut => Client::TimedOut,
        };
        let logged = match &seen.verdict {
            None => Logged::Nothing,
            Some(verdict) if verdict.action == "drop" => Logged::Blocked(verdict.signature.clone()),
            Some(verdict) => Logged::Passed(verdict.signature.clone()),
        };
        Self { client, logged }
    }
}

impl fmt::Display for Observed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self.client {
            Client::Answered => "answered",
            Client::Reset => "reset at once",
            Client::ResetLate => "reset late",
            Client::TimedOut => "timed out",
            Client::NoAnswer => "no answer",
        })?;
        match &self.logged {
            Logged::Nothing => out.write_str("; nothing logged"),
            Logged::Passed(message) => write!(out, "; logged as passed: {message}"),
            Logged::Blocked(message) => write!(out, "; logged as blocked: {message}"),
        }
    }
}
