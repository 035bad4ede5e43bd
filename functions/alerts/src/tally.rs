//! What the lines of a batch were, counted; and what could not be read, kept.

use jiff::Timestamp;

use crate::batch::{Batch, LogEvent};
use crate::blocked::Connections;
use crate::record::{Fate, Record, Unreadable};
use crate::uses::Uses;

/// Of how many unreadable lines the log gets the text; of all of them it gets the id.
const SAMPLES: usize = 20;
/// How much of an unreadable line goes into the log, in characters.
const SAMPLE_LENGTH: usize = 300;
/// Ids of unreadable lines in one line of the log.
const IDS_A_LINE: usize = 100;

/// A line that could not be read.
#[derive(Debug)]
struct Sample {
    id: String,
    reason: String,
    start: String,
}

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
    samples: Vec<Sample>,
    more_unreadable: Vec<String>,
}

impl Tally {
    /// Takes the next line.
    pub fn take(&mut self, line: &LogEvent<'_>) {
        self.lines += 1;
        let logged_at = Timestamp::from_millisecond(line.timestamp).unwrap_or(Timestamp::UNIX_EPOCH);
        match Record::read(&line.message) {
            Ok(Record::Alert(alert)) if alert.fate == Fate::Blocked => {
                self.blocked += 1;
                self.connections.add(&alert, logged_at);
            }
            Ok(Record::Alert(alert)) if !alert.grants.is_empty() => {
                self.grant_uses += 1;
                self.uses.add(&alert, logged_at);
            }
            Ok(Record::Alert(_)) => self.passed += 1,
            Ok(Record::Other) => self.other += 1,
            Err(reason) => self.keep(line, &reason),
        }
    }

    /// How many lines could not be read.
    pub fn unreadable(&self) -> usize {
        self.samples.len() + self.more_unreadable.len()
    }

    fn keep(&mut self, line: &LogEvent<'_>, reason: &Unreadable) {
        let id: String = line.id.chars().take(64).collect();
        if self.samples.len() == SAMPLES {
            self.more_unreadable.push(id);
            return;
        }
        let start = line.message.chars().take(SAMPLE_LENGTH).flat_map(char::escape_default).collect();
        self.samples.push(Sample { id, reason: reason.to_string(), start });
    }

    /// Writes what the batch was into the log, and each unreadable line's id: by it the whole line is found
    /// in its log stream.
    pub fn log(&self, batch: &Batch) {
        for Sample { id, reason, start } in &self.samples {
            tracing::warn!(batch = %batch.id, log_stream = %batch.log_stream, log_event = %id.escape_default(), %reason, start, "a line can't be read");
        }
        for ids in self.more_unreadable.chunks(IDS_A_LINE) {
            let log_events = ids.join(" ");
            tracing::warn!(batch = %batch.id, log_stream = %batch.log_stream, log_events = %log_events.escape_default(), "more lines can't be read");
        }
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
            unreadable = self.unreadable(),
            "batch read"
        );
    }
}
