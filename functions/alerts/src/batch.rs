//! A batch of log events as a subscription of CloudWatch Logs delivers it: JSON, gzip, base64.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html>

use std::borrow::Cow;
use std::fmt;
use std::io::Read;
use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::bufread::MultiGzDecoder;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::blocked::MOST_CONNECTIONS;
use crate::eve;
pub use crate::json::Fault;
use crate::json::{Json, Text};
use crate::record::{Record, Unreadable};

/// The most text that a batch may inflate to, in bytes. What Lambda takes asynchronously is 1 MB, which
/// is 768 KiB of gzip; firewall records deflate to a tenth or less, the same ones over and over to a
/// fortieth. It is read in pieces, and so bounds the time that it takes, not the memory.
pub const LONGEST_TEXT: usize = 32 * 1024 * 1024;
/// How much is inflated at once, in bytes: what fits into the caches of a processor.
const PIECE: usize = 512 * 1024;
/// The longest log event, in bytes. CloudWatch Logs takes 1 MB, and in JSON that may be twice as long.
const LONGEST_EVENT: usize = 4 * 1024 * 1024;

/// Why a batch can't be read at all. Sent again it is the same: it belongs into the dead-letter queue.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// Another function's event.
    #[error(
        "not an event of a CloudWatch Logs subscription ({0}): only {{\"awslogs\": {{\"data\": …}}}} is taken"
    )]
    NotLogs(serde_json::Error),
    /// The data is not base64.
    #[error("awslogs.data is not base64: {0}")]
    Base64(#[from] base64::DecodeError),
    /// The data is not gzip.
    #[error("awslogs.data does not inflate: {0}")]
    Gzip(std::io::Error),
    /// It inflates to more than this function has memory for.
    #[error("awslogs.data inflates to over {LONGEST_TEXT} bytes: no batch of a firewall's log does")]
    TooLong,
    /// It has more connections than this function has memory for.
    #[error("awslogs.data has over {MOST_CONNECTIONS} blocked connections: no batch of a firewall's log has")]
    TooManyConnections,
    /// So does one log event.
    #[error("awslogs.data has over {LONGEST_EVENT} bytes in one piece: no log event has")]
    EventTooLong,
    /// The text isn't the envelope of log events.
    #[error("awslogs.data is not an envelope of log events: at byte {at} it {fault}")]
    Envelope {
        /// What is wrong.
        fault: Fault,
        /// Where.
        at: usize,
    },
    /// It is, and has none.
    #[error("awslogs.data is an envelope without logEvents")]
    NoEvents,
    /// An envelope with a meaning that isn't known.
    #[error("awslogs.data has the messageType {0:?}: DATA_MESSAGE and CONTROL_MESSAGE are known")]
    Unknown(String),
}

/// What makes a batch the same batch when it is delivered again: a hash of its log events' ids, or of a piece of a file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BatchId(String);

impl BatchId {
    /// The id of what these parts name together.
    pub fn of<const N: usize>(parts: [&str; N]) -> Self {
        let mut digest = Sha256::new();
        for part in parts {
            digest.update(part.len().to_be_bytes());
            digest.update(part.as_bytes());
        }
        let mut id = hex::encode(digest.finalize());
        id.truncate(32);
        Self(id)
    }

    /// Thirty-two hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One line of the log.
#[derive(Debug)]
pub struct LogEvent<'a> {
    /// CloudWatch Logs' own id, unique for every log event.
    pub id: Cow<'a, str>,
    /// When it was logged, in milliseconds since 1970.
    pub timestamp: i64,
    /// What its line says.
    pub record: Result<Record<'a>, NotRead<'a>>,
}

/// A line that can't be read.
#[derive(Debug)]
pub struct NotRead<'a> {
    /// Why.
    pub reason: Unreadable,
    /// The line, which is UTF-8 if that much of it is right.
    pub line: &'a [u8],
}

impl<'a> LogEvent<'a> {
    /// One with this line.
    pub fn new(id: Cow<'a, str>, timestamp: i64, line: &'a [u8]) -> Self {
        let record = Record::read(line).map_err(|reason| NotRead { reason, line });
        Self { id, timestamp, record }
    }
}

/// Where a batch comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Its id.
    pub id: BatchId,
    /// Whether it is CloudWatch's question whether anybody is here, and has no lines of the log in it.
    pub is_control: bool,
    /// The log stream, in which every line of it stays to be found by its log event's id.
    pub log_stream: String,
}

#[derive(Deserialize)]
struct Subscription {
    awslogs: Data,
}

#[derive(Deserialize)]
struct Data {
    data: String,
}

/// Reads the batch that an event holds. Each line is given on as it is met, so that they don't all stand in
/// memory; when the batch turns out to be none after all, some have been.
pub fn read(event: Value, mut each: impl FnMut(&LogEvent<'_>)) -> Result<Batch, BatchError> {
    let Subscription { awslogs } = serde_json::from_value(event).map_err(BatchError::NotLogs)?;
    let deflated = STANDARD.decode(awslogs.data)?;
    let mut text = Inflated::new(MultiGzDecoder::new(deflated.as_slice()));
    let mut ids = Sha256::new();
    let envelope = text.envelope(|event| {
        ids.update(event.id.as_bytes());
        ids.update(b"\n");
        each(event);
    })?;
    let is_control = match envelope.message_type.as_str() {
        "DATA_MESSAGE" => false,
        "CONTROL_MESSAGE" => true,
        other => return Err(BatchError::Unknown(other.to_owned())),
    };
    let mut id = hex::encode(ids.finalize());
    id.truncate(32);
    Ok(Batch { id: BatchId(id), is_control, log_stream: envelope.log_stream })
}

/// What stands around the log events.
#[derive(Default)]
struct Envelope {
    message_type: String,
    log_stream: String,
}

/// The keys of the envelope.
enum Key {
    MessageType,
    LogStream,
    LogEvents,
    Other,
}

/// A batch's text, of which a piece is inflated at a time.
struct Inflated<R> {
    source: R,
    piece: Vec<u8>,
    /// Which part of the piece is text that hasn't been read.
    unread: Range<usize>,
    /// How much of the text has been inflated.
    length: usize,
    is_whole: bool,
}

impl<R: Read> Inflated<R> {
    fn new(source: R) -> Self {
        Self { source, piece: Vec::new(), unread: 0..0, length: 0, is_whole: false }
    }

    /// Reads the whole text.
    fn envelope(&mut self, mut each: impl FnMut(&LogEvent<'_>)) -> Result<Envelope, BatchError> {
        let mut envelope = Envelope::default();
        let mut any_events = false;
        let text = |json: &mut Json<'_, false>| Ok(json.text()?.map(|text| text.decoded().into_owned()));
        self.next(|json| json.takes(b'{'))?;
        let mut more = !self.next(|json| json.takes_if(b'}'))?;
        while more {
            match self.next(key)? {
                Key::MessageType => envelope.message_type = self.next(text)?.unwrap_or_default(),
                Key::LogStream => envelope.log_stream = self.next(text)?.unwrap_or_default(),
                Key::LogEvents => {
                    self.events(&mut each)?;
                    any_events = true;
                }
                Key::Other => self.next(skipped)?,
            }
            more = self.next(|json| json.goes_on(b'}'))?;
        }
        self.end()?;
        if any_events { Ok(envelope) } else { Err(BatchError::NoEvents) }
    }

    /// Reads the list of log events.
    fn events(&mut self, each: &mut impl FnMut(&LogEvent<'_>)) -> Result<(), BatchError> {
        let mut line = Vec::new();
        self.next(|json| json.takes(b'['))?;
        let mut more = !self.next(|json| json.takes_if(b']'))?;
        while more {
            more = self.next(|json| {
                let event = log_event(json, &mut line)?;
                let more = json.goes_on(b']')?;
                each(&event);
                Ok(more)
            })?;
        }
        Ok(())
    }

    /// Reads what comes next. If that isn't all there, it is read again with what follows.
    fn next<T>(
        &mut self,
        mut read: impl FnMut(&mut Json<'_, false>) -> Result<T, Fault>,
    ) -> Result<T, BatchError> {
        loop {
            let mut json = Json::new(self.piece.get(self.unread.clone()).unwrap_or_default());
            match read(&mut json) {
                Ok(value) => {
                    self.unread.start += json.at();
                    return Ok(value);
                }
                Err(Fault::Ends) if !self.is_whole => self.inflate()?,
                Err(fault) => {
                    let at = self.length - self.unread.len() + json.at();
                    return Err(BatchError::Envelope { fault, at });
                }
            }
        }
    }

    /// Reads to the end, where the checksum stands.
    fn end(&mut self) -> Result<(), BatchError> {
        while !self.is_whole {
            self.next(ended)?;
            self.unread = 0..0;
            self.inflate()?;
        }
        self.next(ended)
    }

    /// Inflates more, behind what hasn't been read. At once, since each time the last 32 KB are copied.
    fn inflate(&mut self) -> Result<(), BatchError> {
        self.piece.copy_within(self.unread.clone(), 0);
        self.unread = 0..self.unread.len();
        if self.unread.end > LONGEST_EVENT {
            return Err(BatchError::EventTooLong);
        }
        // As much again as there is: a long event isn't begun again for every piece of it.
        self.piece.resize(self.piece.len().max(PIECE).max(2 * self.unread.end), 0);
        while let Some(room @ [_, ..]) = self.piece.get_mut(self.unread.end..) {
            let inflated = self.source.read(room).map_err(BatchError::Gzip)?;
            self.unread.end += inflated;
            self.length += inflated;
            self.is_whole = inflated == 0;
            if self.is_whole {
                break;
            }
        }
        if self.length > LONGEST_TEXT { Err(BatchError::TooLong) } else { Ok(()) }
    }
}

fn key(json: &mut Json<'_, false>) -> Result<Key, Fault> {
    Ok(match &*json.key()?.bytes() {
        b"messageType" => Key::MessageType,
        b"logStream" => Key::LogStream,
        b"logEvents" => Key::LogEvents,
        _ => Key::Other,
    })
}

/// Reads one log event, its line as it stands; or, if that can't be read, unwrapped into `line`. What it lacks is
/// empty: then it has a line that can't be read.
fn log_event<'l, 'a: 'l>(json: &mut Json<'a, false>, line: &'l mut Vec<u8>) -> Result<LogEvent<'l>, Fault> {
    let (mut id, mut timestamp, mut record) = (None, None, None);
    line.clear();
    json.object(|json, key| {
        match key {
            b"id" => id = json.text()?,
            b"timestamp" => timestamp = json.number()?,
            b"message" => {
                line.clear();
                record = None;
                if json.opens_text()? {
                    let start = json.at();
                    let mut fields = eve::Record::default();
                    if json.rest_of_text_as(|json| fields.read(json)) {
                        record = Record::of(&fields).ok();
                    }
                    if record.is_none() {
                        json.back_to(start);
                        json.rest_of_text_into(line)?;
                    }
                } else {
                    json.skip()?;
                }
            }
            _ => json.skip()?,
        }
        Ok(())
    })?;
    let id = id.map(Text::decoded).unwrap_or_default();
    let timestamp = timestamp.and_then(|timestamp| i64::try_from(timestamp).ok()).unwrap_or_default();
    match record {
        Some(record) => Ok(LogEvent { id, timestamp, record: Ok(record) }),
        None => Ok(LogEvent::new(id, timestamp, line)),
    }
}

// Functions, since a method of one lifetime is none of all.

fn skipped(json: &mut Json<'_, false>) -> Result<(), Fault> {
    json.skip()
}

fn ended(json: &mut Json<'_, false>) -> Result<(), Fault> {
    json.end()
}
