//! Until when to work, and until when to answer: a function that is ended without having answered
//! leaves its stack waiting for up to an hour.
//!
//! There are two ends: that of the invocation, before which another one goes on, and that of the request,
//! after which CloudFormation takes no answer any more and begins to roll back.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lambda_runtime::Context;
use tokio::time::Instant;

use crate::protocol::request::Request;

/// What is kept of an invocation for answering, or for starting the next, and for trying that again.
const FOR_ANSWERING: Duration = Duration::from_secs(15);

/// What is kept for saying that the answer couldn't be sent.
const FOR_RETURNING: Duration = Duration::from_millis(500);

/// What is kept of CloudFormation's own time: it began before the first invocation did, and an answer
/// may be late.
const FOR_CLOUDFORMATION: Duration = Duration::from_mins(1);

/// The moments of an invocation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    /// When CloudFormation asked, as far as is known, in milliseconds since 1970.
    pub(crate) started: u64,
    pub(crate) until: Until,
    /// Then it is too late to answer.
    pub(crate) answer: Instant,
}

/// When work stops.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Until {
    /// For this invocation: another one goes on.
    pub(crate) invocation: Instant,
    /// For good: what isn't finished has failed.
    pub(crate) request: Instant,
}

impl Deadline {
    /// The moments of this invocation. Of a short time, a quarter is kept.
    pub(crate) fn of(context: &Context, request: &Request) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        // An event may have waited in a queue, or be delivered again.
        let left = request.continuation.as_ref().map(|left| left.started);
        let started = [left, request.response_url.signed_at()].into_iter().flatten().fold(now_ms, u64::min);
        let passed = Duration::from_millis(now_ms - started);
        let remaining = Duration::from_millis(context.deadline).saturating_sub(now);
        Self::after(remaining, started, passed, request.service_timeout())
    }

    pub(crate) fn after(
        remaining: Duration,
        started: u64,
        passed: Duration,
        service_timeout: Duration,
    ) -> Self {
        let now = Instant::now();
        let kept = FOR_CLOUDFORMATION.min(service_timeout / 4);
        Self {
            started,
            until: Until {
                invocation: now + remaining.saturating_sub(FOR_ANSWERING.min(remaining / 4)),
                request: now + service_timeout.saturating_sub(kept).saturating_sub(passed),
            },
            answer: now + remaining.saturating_sub(FOR_RETURNING.min(remaining / 40)),
        }
    }
}

impl Until {
    /// Whether there is no other invocation after this one, since the request's time is up before.
    pub(crate) fn is_last(&self) -> bool {
        self.request <= self.invocation
    }

    /// When this invocation stops to work.
    pub(crate) fn next(&self) -> Instant {
        self.invocation.min(self.request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    #[test]
    fn there_is_time_to_answer_however_short_the_invocation() {
        for seconds in [0, 1, 10, 900] {
            let deadline = Deadline::after(Duration::from_secs(seconds), 0, Duration::ZERO, HOUR);
            assert!(deadline.until.next() <= deadline.answer);
            assert!(seconds == 0 || deadline.until.next() < deadline.answer);
        }
    }

    #[test]
    fn an_hour_is_four_invocations_and_a_little() {
        let invocation = |passed| Deadline::after(Duration::from_mins(15), 0, passed, HOUR).until;
        let minutes = |minutes| invocation(Duration::from_mins(minutes));
        assert!(!minutes(0).is_last() && !minutes(44).is_last());
        assert!(minutes(45).is_last() && minutes(59).is_last() && minutes(70).is_last());
        assert!(minutes(59).next() <= Instant::now());
    }

    #[test]
    fn what_is_kept_of_a_short_time_is_a_part_of_it() {
        let before = Instant::now();
        let until = Deadline::after(Duration::from_mins(15), 0, Duration::ZERO, Duration::from_secs(8)).until;
        let time = until.request - before;
        assert!(
            until.is_last() && (Duration::from_secs(6)..Duration::from_secs(7)).contains(&time),
            "{time:?}"
        );
    }
}
