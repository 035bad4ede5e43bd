//! Until when to work, and until when to answer: a function that is ended without having answered
//! leaves its stack waiting for up to an hour.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lambda_runtime::Context;
use tokio::time::Instant;

/// What is kept for answering, and for trying that again.
const FOR_ANSWERING: Duration = Duration::from_secs(15);

/// What is kept for saying that the answer couldn't be sent.
const FOR_RETURNING: Duration = Duration::from_millis(500);

/// The two moments of an invocation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    /// Then work stops; what isn't finished has failed.
    pub(crate) work: Instant,
    /// Then it is too late to answer.
    pub(crate) answer: Instant,
}

impl Deadline {
    /// The moments of this invocation. Of a short one, a quarter is kept.
    pub(crate) fn of(context: &Context) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::after(Duration::from_millis(context.deadline).saturating_sub(now))
    }

    fn after(remaining: Duration) -> Self {
        let now = Instant::now();
        Self {
            work: now + remaining.saturating_sub(FOR_ANSWERING.min(remaining / 4)),
            answer: now + remaining.saturating_sub(FOR_RETURNING.min(remaining / 40)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_time_to_answer_however_short_the_invocation() {
        for seconds in [0, 1, 10, 900] {
            let deadline = Deadline::after(Duration::from_secs(seconds));
            assert!(deadline.work <= deadline.answer);
            assert!(seconds == 0 || deadline.work < deadline.answer);
        }
    }
}
