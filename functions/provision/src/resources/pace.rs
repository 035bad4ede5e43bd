//! How often AWS is asked while something is waited for.

use std::time::Duration;

use tokio::time::Instant;

use crate::aws::calls::Calls;
use crate::backoff::Backoff;

/// Between two looks at the world.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// So many calls of looking again may come at once, and then each takes its time: in a minute there are
/// less than sixty. A look at a large domain takes many.
const AT_ONCE: u32 = 10;
const EACH_CALL: Duration = Duration::from_millis(1_250);

/// A person who reads the log is told so often that it is the same that is waited for.
const TELL_AGAIN: Duration = Duration::from_mins(1);

/// The pace of one invocation's work.
#[derive(Debug)]
pub(crate) struct Pace {
    backoff: Backoff,
    calls: Calls,
    /// Where `calls` stood after the last look or act.
    counted: u32,
    /// How many calls of this invocation were for looking again at what had to be waited for.
    looking: u32,
    waits: bool,
    began: Instant,
    told: Option<(String, Instant)>,
}

impl Pace {
    /// The pace of work that begins now, and whose calls are counted there.
    pub(crate) fn new(calls: &Calls) -> Self {
        Self {
            backoff: Backoff::new(FIRST_PAUSE, LONGEST_PAUSE),
            calls: calls.clone(),
            counted: calls.made(),
            looking: 0,
            waits: false,
            began: Instant::now(),
            told: None,
        }
    }

    /// The world was looked at.
    pub(crate) fn looked(&mut self) {
        let calls = self.since_the_last();
        if self.waits {
            self.looking += calls;
        }
        self.waits = true;
    }

    /// Something was done, for which no time has to pass, nor for a look at what came of it.
    pub(crate) fn acted(&mut self) {
        self.since_the_last();
        self.waits = false;
    }

    fn since_the_last(&mut self) -> u32 {
        let before = std::mem::replace(&mut self.counted, self.calls.made());
        self.counted.saturating_sub(before)
    }

    /// The next looks come soon again.
    pub(crate) fn start_again(&mut self) {
        self.backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    }

    /// How long to wait before the next look.
    pub(crate) fn next_pause(&mut self) -> Duration {
        let due = EACH_CALL * self.looking.saturating_sub(AT_ONCE);
        self.backoff.next_pause().max(due.saturating_sub(self.began.elapsed()))
    }

    /// Logs what is waited for: when it changes, and again after a minute.
    pub(crate) fn tell(&mut self, what: &str) {
        let again = |(last, at): &(String, Instant)| last != what || at.elapsed() >= TELL_AGAIN;
        if self.told.as_ref().is_none_or(again) {
            tracing::info!(calls = self.looking, "waiting: {what}");
            self.told = Some((what.to_owned(), Instant::now()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_look_of_many_calls_is_taken_seldom() {
        for calls_of_a_look in [1, 4, 40] {
            let calls = Calls::default();
            let (mut pace, began) = (Pace::new(&calls), Instant::now());
            while began.elapsed() < Duration::from_mins(15) {
                for _ in 0..calls_of_a_look {
                    calls.count();
                }
                pace.looked();
                tokio::time::sleep(pace.next_pause()).await;
            }
            let made = f64::from(calls.made());
            assert!(made < 900.0 && made > 80.0, "{made} calls in 15 minutes");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_done_delays_nothing() {
        let calls = Calls::default();
        let mut pace = Pace::new(&calls);
        (0..1_000).for_each(|_| calls.count());
        pace.acted();
        assert!(pace.next_pause() <= FIRST_PAUSE);
    }
}
