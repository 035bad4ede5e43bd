//! Who speaks for a window, so that one message comes of it however many invocations see its connections,
//! and however often a batch is delivered.
//!
//! The first batch that meets a source and destination in a window claims it, and owes the alert, with the
//! count that it has itself; every other batch leaves only its count, which no alert tells. A batch that has
//! told all that it owes is marked as done. Delivered again before that, it finds its own claims and tells them again, under the same event ids; after that it
//! does nothing. A batch that fails for good takes its claims with it into the dead-letter queue, from where
//! it is sent again.

use std::future::Future;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;

use crate::batch::BatchId;
use crate::blocked::Blocked;

/// Calls that are on their way at once: DynamoDB answers in milliseconds, and a function has few sockets.
pub(crate) const AT_ONCE: usize = 16;

/// Who tells about a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// This batch does.
    Ours,
    /// Another batch does, or has done.
    Theirs,
}

/// The store doesn't answer as it should. What was done may be done again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} failed: {cause}")]
pub struct StoreError {
    /// What was to be done.
    pub what: &'static str,
    /// What the store said, with all causes.
    pub cause: String,
}

/// The store of windows.
pub trait Windows {
    /// Whether this batch has told all that it owed.
    fn is_done(&self, batch: &BatchId) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Claims the window of these connections for this batch, or leaves their count with the batch that has
    /// it. The same batch may ask again: it gets the same answer, and counts once.
    fn claim(
        &self,
        blocked: &Blocked,
        batch: &BatchId,
        now: Timestamp,
    ) -> impl Future<Output = Result<Claim, StoreError>> + Send;

    /// Notes that this batch has told all that it owed.
    fn done(&self, batch: &BatchId, now: Timestamp) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Claims all windows of a batch; answers those that it has to tell about, in their order.
pub async fn claim_all<'a, W: Windows>(
    windows: &W,
    batch: &BatchId,
    blocked: &'a [Blocked],
    now: Timestamp,
) -> Result<Vec<&'a Blocked>, StoreError> {
    let claims = stream::iter(blocked.iter().map(|blocked| windows.claim(blocked, batch, now)));
    let claims: Vec<Claim> = claims.buffered(AT_ONCE).try_collect().await?;
    Ok(blocked
        .iter()
        .zip(claims)
        .filter(|(_, claim)| *claim == Claim::Ours)
        .map(|(blocked, _)| blocked)
        .collect())
}
