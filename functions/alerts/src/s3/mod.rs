//! Files of the log in a bucket of S3, which the firewall writes there instead of into CloudWatch Logs: gzip, a record
//! a line, one file in some minutes.
//! <https://docs.aws.amazon.com/network-firewall/latest/developerguide/logging-s3.html>
//!
//! - [`objects`]: which files an event tells of.
//! - [`Pieces`]: a file, read as it comes, in pieces that are each a batch. A file that is told of again has the same
//!   pieces under the same ids: those that are done cost their reading alone.

mod notice;
mod pieces;

use std::fmt;
use std::future::Future;

use egress::aws::S3;
use egress::aws::signed::{CallError, Download};
use egress::text::visible;
use jiff::Timestamp;

pub use self::notice::{NoObject, objects};
pub use self::pieces::Pieces;

/// The longest key of S3's, in bytes, and its bucket's name.
const LONGEST_NAME: usize = 1_024 + 64;

/// A file of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectRef {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// The entity tag of its content, where the event tells it.
    pub etag: Option<String>,
    /// When it came, which stands in for records without a time.
    pub at: Timestamp,
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&visible(&format!("s3://{}/{}", self.bucket, self.key), LONGEST_NAME))
    }
}

/// Where files are.
pub trait Files {
    /// A file that is being read.
    type Content: Content;

    /// Begins to read a file.
    fn open(&self, object: &ObjectRef) -> impl Future<Output = Result<Self::Content, CallError>> + Send;
}

/// A file that is being read.
pub trait Content: Send {
    /// What comes next of it; none at its end.
    fn next(&mut self) -> impl Future<Output = Result<Option<Vec<u8>>, CallError>> + Send;
}

impl Files for S3 {
    type Content = Download;

    async fn open(&self, object: &ObjectRef) -> Result<Download, CallError> {
        Self::open(self, &object.bucket, &object.key, object.etag.as_deref()).await
    }
}

impl Content for Download {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, CallError> {
        Self::next(self).await
    }
}

/// Why a file can't be read. What of it was read before that is done.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// S3 doesn't give it.
    #[error("{object} can't be read: the call {cause}")]
    Call {
        /// The file.
        object: String,
        /// Why not.
        cause: CallError,
    },
    /// It is not gzip, or not whole.
    #[error("{object} does not inflate: {cause}")]
    Gzip {
        /// The file.
        object: String,
        /// Why not.
        cause: std::io::Error,
    },
}
