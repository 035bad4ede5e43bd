//! A batch of log events as a subscription of CloudWatch Logs delivers it: JSON, gzip, base64.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html>

use std::borrow::Cow;
use std::fmt;
use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The most text that a batch may inflate to, in bytes. What Lambda takes asynchronously is 1 MB, which
/// is 768 KiB of gzip; firewall records deflate to a tenth or less, the same ones over and over to a
/// fortieth. This is room for that, and leaves half of a function of 64 MB for the rest.
pub const LONGEST_TEXT: usize = 32 * 1024 * 1024;

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
    /// The text isn't the envelope of log events.
    #[error("awslogs.data is not an envelope of log events: {0}")]
    Envelope(serde_json::Error),
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
#[derive(Debug, Deserialize)]
pub struct LogEvent<'a> {
    /// CloudWatch Logs' own id, unique for every log event.
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    /// When it was logged, in milliseconds since 1970.
    #[serde(default)]
    pub timestamp: i64,
    /// The line.
    #[serde(borrow)]
    pub message: Cow<'a, str>,
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

/// The text of the batch that an event holds.
pub fn inflate(event: Value) -> Result<Vec<u8>, BatchError> {
    let Subscription { awslogs } = serde_json::from_value(event).map_err(BatchError::NotLogs)?;
    let deflated = STANDARD.decode(awslogs.data)?;
    let bound = u64::try_from(LONGEST_TEXT).unwrap_or(u64::MAX).saturating_add(1);
    let mut text = Vec::with_capacity(deflated.len().saturating_mul(8).min(LONGEST_TEXT));
    MultiGzDecoder::new(deflated.as_slice()).take(bound).read_to_end(&mut text).map_err(BatchError::Gzip)?;
    if text.len() > LONGEST_TEXT { Err(BatchError::TooLong) } else { Ok(text) }
}

/// Reads a batch's text. Each line is given on as it is met, so that they don't all stand in memory twice.
pub fn read(text: &[u8], each: impl FnMut(&LogEvent<'_>)) -> Result<Batch, BatchError> {
    let mut json = serde_json::Deserializer::from_slice(text);
    let envelope = json.deserialize_map(EnvelopeVisitor { each }).map_err(BatchError::Envelope)?;
    json.end().map_err(BatchError::Envelope)?;
    let is_control = match envelope.message_type.as_str() {
        "DATA_MESSAGE" => false,
        "CONTROL_MESSAGE" => true,
        other => return Err(BatchError::Unknown(other.to_owned())),
    };
    let mut id = hex::encode(envelope.ids.finalize());
    id.truncate(32);
    Ok(Batch { id: BatchId(id), is_control, log_stream: envelope.log_stream })
}

#[derive(Default)]
struct Envelope {
    message_type: String,
    log_stream: String,
    ids: Sha256,
}

struct EnvelopeVisitor<F> {
    each: F,
}

impl<'de, F: FnMut(&LogEvent<'_>)> Visitor<'de> for EnvelopeVisitor<F> {
    type Value = Envelope;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an envelope of log events")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Envelope, A::Error> {
        let mut envelope = Envelope::default();
        let mut any_events = false;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "messageType" => envelope.message_type = map.next_value()?,
                "logStream" => envelope.log_stream = map.next_value()?,
                "logEvents" => {
                    map.next_value_seed(LogEvents { each: &mut self.each, ids: &mut envelope.ids })?;
                    any_events = true;
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        if any_events { Ok(envelope) } else { Err(A::Error::missing_field("logEvents")) }
    }
}

struct LogEvents<'a, F> {
    each: &'a mut F,
    ids: &'a mut Sha256,
}

impl<'de, F: FnMut(&LogEvent<'_>)> DeserializeSeed<'de> for LogEvents<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, F: FnMut(&LogEvent<'_>)> Visitor<'de> for LogEvents<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of log events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(event) = list.next_element::<LogEvent<'de>>()? {
            self.ids.update(event.id.as_bytes());
            self.ids.update(b"\n");
            (self.each)(&event);
        }
        Ok(())
    }
}
