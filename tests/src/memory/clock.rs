//! The time in tests: begins where a test says, and goes on with tokio's own time, so that with that
//! paused nothing waits. Each thread has its own.

use std::cell::Cell;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

thread_local! {
    static CLOCK: Cell<Option<(Instant, Timestamp)>> = const { Cell::new(None) };
}

/// Sets the clock of this thread, forwards or backwards.
pub fn set(now: Timestamp) {
    CLOCK.set(Some((Instant::now(), now)));
}

/// The time: 1970 plus nothing before the first [`set`].
pub fn now() -> Timestamp {
    match CLOCK.get() {
        Some((since, start)) => {
            let gone = Instant::now().saturating_duration_since(since);
            start.checked_add(gone).unwrap_or(Timestamp::MAX)
        }
        None => Timestamp::UNIX_EPOCH,
    }
}

/// Lets time go by, also for timers. With tokio's time paused it doesn't take any.
pub async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}
