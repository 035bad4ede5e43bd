//! A file in pieces: inflated as it comes, cut into lines, and the lines counted.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io::{self, Write};

use flate2::write::MultiGzDecoder;

use super::{Content, FileError, Files, ObjectRef};
use crate::batch::{Batch, BatchId, LogEvent};
use crate::tally::Tally;

/// The most lines of a piece. Another number would make another cut of a file of which a piece was done before.
const MOST_LINES: u64 = 10_000;
/// The most bytes of a piece, of its last line not all: the same holds for it.
const MOST_BYTES: usize = 8 * 1024 * 1024;
/// The longest line that is read, in bytes: a record has some thousand.
const LONGEST_LINE: usize = 1024 * 1024;
/// How much of a longer one is kept, to be shown.
const START: usize = 1_000;
/// So many bytes of a file are inflated at once. They can become a thousand times as many: half a megabyte.
const AT_ONCE: usize = 512;

/// The pieces of a file, one after the other.
#[derive(Debug)]
pub struct Pieces<C> {
    object: String,
    content: C,
    /// What has come and is not inflated yet.
    deflated: Vec<u8>,
    at: usize,
    /// None at the end of the file.
    decoder: Option<MultiGzDecoder<Lines>>,
    done: VecDeque<(Batch, Tally)>,
}

/// What is inflated: the piece that is being read, and those that are whole.
#[derive(Debug)]
struct Lines {
    object: ObjectRef,
    /// The beginning of the line that hasn't ended yet, and how long it is.
    line: Vec<u8>,
    length: usize,
    /// How many lines there were before this one.
    number: u64,
    piece: u64,
    taken: u64,
    bytes: usize,
    tally: Tally,
    whole: VecDeque<(Batch, Tally)>,
}

impl<C: Content> Pieces<C> {
    /// Begins to read a file.
    pub async fn open<F: Files<Content = C>>(files: &F, object: &ObjectRef) -> Result<Self, FileError> {
        let name = object.to_string();
        let content = files.open(object).await;
        let content = content.map_err(|cause| FileError::Call { object: name.clone(), cause })?;
        let decoder = Some(MultiGzDecoder::new(Lines::of(object.clone())));
        Ok(Self { object: name, content, deflated: Vec::new(), at: 0, decoder, done: VecDeque::new() })
    }

    /// The next piece; none at the end of the file. Each is a batch: its id is the same whenever the file is read.
    pub async fn next(&mut self) -> Result<Option<(Batch, Tally)>, FileError> {
        loop {
            if let Some(piece) = self.done.pop_front() {
                return Ok(Some(piece));
            }
            let Some(decoder) = &mut self.decoder else { return Ok(None) };
            let some = self.deflated.get(self.at..).unwrap_or_default();
            let some = some.get(..AT_ONCE).unwrap_or(some);
            if some.is_empty() {
                let more = self.content.next().await;
                match more.map_err(|cause| FileError::Call { object: self.object.clone(), cause })? {
                    Some(more) => (self.deflated, self.at) = (more, 0),
                    None => self.finish()?,
                }
                continue;
            }
            self.at += some.len();
            decoder
                .write_all(some)
                .map_err(|cause| FileError::Gzip { object: self.object.clone(), cause })?;
            self.done.append(&mut decoder.get_mut().whole);
        }
    }

    fn finish(&mut self) -> Result<(), FileError> {
        let Some(decoder) = self.decoder.take() else { return Ok(()) };
        let lines =
            decoder.finish().map_err(|cause| FileError::Gzip { object: self.object.clone(), cause })?;
        self.done.extend(lines.finish());
        Ok(())
    }
}

impl Lines {
    fn of(object: ObjectRef) -> Self {
        Self {
            object,
            line: Vec::new(),
            length: 0,
            number: 0,
            piece: 0,
            taken: 0,
            bytes: 0,
            tally: Tally::default(),
            whole: VecDeque::new(),
        }
    }

    /// Takes a part of a line.
    fn add(&mut self, part: &[u8]) {
        self.length = self.length.saturating_add(part.len());
        // One byte more tells that it is too long.
        let room = (LONGEST_LINE + 1).saturating_sub(self.line.len());
        self.line.extend_from_slice(part.get(..room).unwrap_or(part));
    }

    /// The line has ended.
    fn end_line(&mut self) {
        self.number += 1;
        self.bytes = self.bytes.saturating_add(self.length + 1);
        if !self.line.trim_ascii().is_empty() {
            self.taken += 1;
            let id = Cow::Owned(format!("line {}", self.number));
            let timestamp = self.object.at.as_millisecond();
            let long = (self.line.len() > LONGEST_LINE).then(|| {
                // Which is no JSON, whatever stands in it.
                let start = String::from_utf8_lossy(self.line.get(..START).unwrap_or_default());
                format!("… a line of {} bytes that begins {start}", self.length)
            });
            let line = long.as_deref().map_or(self.line.trim_ascii(), str::as_bytes);
            self.tally.take(&LogEvent::new(id, timestamp, line));
        }
        self.line.clear();
        self.length = 0;
        if self.taken >= MOST_LINES || self.bytes >= MOST_BYTES {
            self.end_piece();
        }
    }

    fn end_piece(&mut self) {
        let ObjectRef { bucket, key, etag, .. } = &self.object;
        let etag = etag.as_deref().unwrap_or_default();
        let id = BatchId::of(["s3", bucket, key, etag, &self.piece.to_string()]);
        let batch = Batch { id, is_control: false, log_stream: self.object.to_string() };
        self.whole.push_back((batch, std::mem::take(&mut self.tally)));
        (self.piece, self.taken, self.bytes) = (self.piece + 1, 0, 0);
    }

    /// The pieces that are left at the end of the file.
    fn finish(mut self) -> VecDeque<(Batch, Tally)> {
        if self.length > 0 {
            self.end_line();
        }
        if self.taken > 0 {
            self.end_piece();
        }
        self.whole
    }
}

impl Write for Lines {
    fn write(&mut self, inflated: &[u8]) -> io::Result<usize> {
        for part in inflated.split_inclusive(|byte| *byte == b'\n') {
            match part.split_last() {
                Some((b'\n', line)) => {
                    self.add(line);
                    self.end_line();
                }
                _ => self.add(part),
            }
        }
        Ok(inflated.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
