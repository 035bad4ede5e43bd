//! Pauses between tries: longer each time, and never the same for two functions that started together.

use std::time::Duration;

/// The pauses of one thing that is tried again.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
    longest: Duration,
}

impl Backoff {
    /// Pauses that double from the first to the longest.
    pub(crate) fn new(first: Duration, longest: Duration) -> Self {
        Self { next: first, longest }
    }

    /// How long to wait now: between a half and the whole of what it would be without chance.
    pub(crate) fn next_pause(&mut self) -> Duration {
        let whole = self.next;
        self.next = (whole * 2).min(self.longest);
        whole.mul_f64(0.5 + 0.5 * fastrand::f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        for whole in [100, 200, 400, 800, 1_000, 1_000] {
            let pause = backoff.next_pause();
            assert!(
                (Duration::from_millis(whole / 2)..=Duration::from_millis(whole)).contains(&pause),
                "{pause:?}"
            );
        }
    }
}
