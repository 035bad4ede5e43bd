//! How long a notice waits that couldn't be told.

use std::time::Duration;

/// The first pause, before chance takes some of it.
const FIRST: Duration = Duration::from_secs(5);
/// The longest pause that isn't asked for.
const LONGEST: Duration = Duration::from_mins(15);
/// The longest pause that is asked for and kept. SQS hides a message for twelve hours at most, counted from when it was
/// received
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html>).
const LONGEST_ASKED: Duration = Duration::from_hours(11);

/// How long to wait after so many tries: as long as the other side asks, and at least a time that doubles with each
/// try, between a half and the whole of it. `chance` is between 0 and 1.
pub fn pause(tries: u32, asked: Option<Duration>, chance: f64) -> Duration {
    let whole = FIRST.saturating_mul(2_u32.saturating_pow(tries.saturating_sub(1))).min(LONGEST);
    let own = whole.mul_f64(0.5 + 0.5 * chance);
    own.max(asked.unwrap_or_default()).min(LONGEST_ASKED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_quarter_of_an_hour() {
        let seconds = |tries| pause(tries, None, 1.0).as_secs();
        assert_eq!([0, 1, 2, 3, 4, 8, 9, 10, u32::MAX].map(seconds), [5, 5, 10, 20, 40, 640, 900, 900, 900]);
        assert_eq!(pause(2, None, 0.0), Duration::from_secs(5), "a half of it");
    }

    #[test]
    fn who_asks_for_more_gets_it_up_to_what_sqs_can_wait() {
        let seconds = |asked| pause(1, Some(Duration::from_secs(asked)), 1.0).as_secs();
        assert_eq!([1, 30, 3_600, 90_000, u64::MAX].map(seconds), [5, 30, 3_600, 39_600, 39_600]);
    }
}
