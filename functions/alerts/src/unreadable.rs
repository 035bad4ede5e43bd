//! Lines that can't be read: counted, shown in the log, and kept for people to look at.

use serde::Serialize;
use serde_json::{Value, json};

use crate::batch::{Batch, NotRead};

/// How much of a line is kept, in bytes.
const LONGEST_LINE: usize = 4 * 1024;
/// How much of all lines of a batch is kept, in bytes of JSON: with what stands around them it fits into a message
/// of SQS, which takes 256 KB.
const LONGEST_LINES: usize = 200 * 1024;
/// Of how many more lines the ids are kept: `PutLogEvents` takes as many lines at once.
const MOST_IDS: usize = 10_000;
/// The longest id that is kept, in characters: those of CloudWatch Logs have 56.
const LONGEST_ID: usize = 64;
/// The longest name of a log stream, in characters
/// (<https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogStream.html>).
const LONGEST_STREAM: usize = 512;
/// Of how many lines the log gets the text, and how much of it, in characters.
const SAMPLES: usize = 20;
const SAMPLE_LENGTH: usize = 300;
/// Ids in one line of the log.
const IDS_A_LINE: usize = 100;

/// The lines of a batch that can't be read.
#[derive(Debug, Default)]
pub struct UnreadableLines {
    lines: Vec<Kept>,
    /// How long those are, in bytes of JSON.
    length: usize,
    /// The ids of those behind.
    ids: Vec<String>,
    /// How many are neither.
    more: u64,
}

/// A line that can't be read.
#[derive(Debug, Serialize)]
struct Kept {
    /// Its log event's id.
    id: String,
    /// Why it can't.
    reason: String,
    /// The line, or its beginning.
    line: String,
}

impl UnreadableLines {
    /// Adds one.
    pub fn add(&mut self, id: &str, not_read: &NotRead<'_>) {
        if self.length < LONGEST_LINES {
            let line = Kept::of(id, not_read);
            self.length += line.length();
            // Once there is no room for one, none of those behind it is kept: a shorter one would leave a gap.
            if self.length <= LONGEST_LINES {
                self.lines.push(line);
                return;
            }
        }
        if self.ids.len() < MOST_IDS { self.ids.push(shortened(id)) } else { self.more += 1 }
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        u64::try_from(self.lines.len() + self.ids.len()).unwrap_or(u64::MAX).saturating_add(self.more)
    }

    /// What is kept of them, as one letter of at most 256 KB: `{"unreadable": {"batch", "log_stream", "lines":
    /// [{"id", "reason", "line"}], "more"}}`, where `more` is how many are not among the lines. Nothing if there
    /// are none.
    pub fn letter(&self, batch: &Batch) -> Option<Value> {
        let more = self.count() - u64::try_from(self.lines.len()).unwrap_or(u64::MAX);
        let log_stream = log_stream(batch);
        let letter =
            json!({"batch": batch.id.as_str(), "log_stream": log_stream, "lines": self.lines, "more": more});
        (self.count() > 0).then(|| json!({"unreadable": letter}))
    }

    /// Writes them into the log: the beginning of some, and the ids, by which the whole lines are found in their log
    /// stream.
    pub fn log(&self, batch: &Batch) {
        let log_stream = log_stream(batch);
        for Kept { id, reason, line } in self.lines.iter().take(SAMPLES) {
            let start: String = line.chars().take(SAMPLE_LENGTH).flat_map(char::escape_default).collect();
            tracing::warn!(batch = %batch.id, log_stream, log_event = %id.escape_default(), reason, start, "a line can't be read");
        }
        let ids = self.lines.iter().skip(SAMPLES).map(|line| &line.id).chain(&self.ids);
        let ids: Vec<&str> = ids.map(String::as_str).collect();
        for ids in ids.chunks(IDS_A_LINE) {
            let log_events = ids.join(" ");
            tracing::warn!(batch = %batch.id, log_stream, log_events = %log_events.escape_default(), "more lines can't be read");
        }
        if self.more > 0 {
            tracing::error!(batch = %batch.id, log_stream, more = self.more, "lines that can't be read are not named");
        }
    }
}

impl Kept {
    fn of(id: &str, not_read: &NotRead<'_>) -> Self {
        let NotRead { reason, line } = not_read;
        let text = String::from_utf8_lossy(line.get(..LONGEST_LINE).unwrap_or(line));
        let reason = if line.len() > LONGEST_LINE {
            format!("{reason}; of its {} bytes, the first {LONGEST_LINE}", line.len())
        } else {
            reason.to_string()
        };
        Self { id: shortened(id), reason, line: text.into_owned() }
    }

    /// Its length in JSON; in a message of SQS two characters more are escaped, to twice their length.
    fn length(&self) -> usize {
        let json = serde_json::to_string(self).unwrap_or_default();
        json.len() + 3 * json.matches(['\u{fffe}', '\u{ffff}']).count() + 1
    }
}

fn shortened(id: &str) -> String {
    id.chars().take(LONGEST_ID).collect()
}

fn log_stream(batch: &Batch) -> String {
    batch.log_stream.chars().take(LONGEST_STREAM).collect()
}
