//! What the lines of a batch were, counted; and what could not be read, kept.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::batch::{self, Batch, BatchError, LogEvent};
use crate::blocked::Connections;
use crate::record::{Alert, Fate, Record};
use crate::unreadable::UnreadableLines;
use crate::uses::Uses;

/// So far the time of a record may be from the time at which it was logged.
const CLOCKS_APART: SignedDuration = SignedDuration::from_hours(24);

/// The lines of a batch.
#[derive(Debug, Default)]
pub struct Tally {
    /// The connections that were blocked.
    pub connections: Connections,
    /// What grants let pass.
    pub uses: Uses,
    /// All lines.
    pub lines: u64,
    /// Records of blocked packets.
    pub blocked: u64,
    /// Records of packets that a grant let pass.
    pub grant_uses: u64,
    /// Records of other packets that passed.
    pub passed: u64,
    /// Records that are not about rules.
    pub other: u64,
    /// Lines that can't be read.
    pub unreadable: UnreadableLines,
}

impl Tally {
    /// Reads the batch that an event holds, and counts it.
    pub fn read(event: Value) -> Result<(Batch, Self), BatchError> {
        let mut tally = Self::default();
        let batch = batch::read(event, |line| tally.take(line))?;
        match tally.connections.left_out() {
            0 => Ok((batch, tally)),
            _ => Err(BatchError::TooManyConnections),
        }
    }

    /// Takes the next line.
    pub fn take(&mut self, line: &LogEvent<'_>) {
        self.lines += 1;
        let at = |alert: &Alert<'_>| seen_at(alert.at, line.timestamp);
        match &line.record {
            Ok(Record::Alert(alert)) if alert.fate == Fate::Blocked => {
                self.blocked += 1;
                self.connections.add(alert, at(alert));
            }
            Ok(Record::Alert(alert)) if !alert.grants.is_empty() => {
                self.grant_uses += 1;
                self.uses.add(alert, at(alert));
            }
            Ok(Record::Alert(_)) => self.passed += 1,
            Ok(Record::Other) => self.other += 1,
            Err(not_read) => self.unreadable.add(&line.id, not_read),
        }
    }

    /// Writes what the batch was into the log.
    pub fn log(&self, batch: &Batch) {
        self.unreadable.log(batch);
        if self.uses.left_out() > 0 {
            let left_out = self.uses.left_out();
            tracing::error!(batch = %batch.id, left_out, "uses of more grants than a batch can have are not counted");
        }
        tracing::info!(
            batch = %batch.id,
            lines = self.lines,
            blocked = self.blocked,
            grant_uses = self.grant_uses,
            passed = self.passed,
            other = self.other,
            unreadable = self.unreadable.count(),
            "batch read"
        );
    }
}

/// When a record's packet was seen. A record without a time, or with one that is far from when it was logged (a clock
/// that is wrong would make windows that never end), is of when it was logged: that is the same at each delivery.
fn seen_at(said: Option<Timestamp>, logged_milliseconds: i64) -> Timestamp {
    let logged = Timestamp::from_millisecond(logged_milliseconds).ok().filter(|_| logged_milliseconds > 0);
    match (said, logged) {
        (Some(said), Some(logged)) if said.duration_since(logged).abs() > CLOCKS_APART => logged,
        (Some(said), _) => said,
        (None, logged) => logged.unwrap_or(Timestamp::UNIX_EPOCH),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_can_t_be_is_that_of_the_log_event() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let logged = at("2026-05-14T09:20:00Z").as_millisecond();
        for said in ["2026-05-14T09:16:00Z", "2026-05-13T10:00:00Z", "2026-05-14T09:20:30Z"] {
            assert_eq!(seen_at(Some(at(said)), logged), at(said));
        }
        for said in ["9999-12-30T00:00:00Z", "1970-01-01T00:00:00Z", "2026-05-12T09:16:00Z"] {
            assert_eq!(seen_at(Some(at(said)), logged), at("2026-05-14T09:20:00Z"));
        }
        assert_eq!(seen_at(None, logged), at("2026-05-14T09:20:00Z"));
        assert_eq!(seen_at(Some(at("1999-01-01T00:00:00Z")), 0), at("1999-01-01T00:00:00Z"));
    }
}
