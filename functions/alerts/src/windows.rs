//! Where blocked connections are counted, so that one message comes of a window however many invocations see its
//! connections, and however often a batch is delivered.
//!
//! Every batch writes its own counts under its own id: written again, they are the same. The first batch that counts in
//! a window, and may tell of it, is noted there as who tells, unless an alert about the same rests; the same for what
//! raises its severity. Delivered again before it was marked as done, a batch finds that it owes what it had claimed, and
//! tells it again under the same event ids; after that it does nothing. A batch that fails for good takes its claims with
//! it into the dead-letter queue, from where it is sent again.

use std::future::Future;

use egress::aws::windows::{Window, WindowKey};
use egress::ledger::Silence;
use egress::request::Request;
use jiff::Timestamp;

use crate::batch::BatchId;
use crate::groups::Group;
use crate::plan::{Claims, Owing};

/// Calls that are on their way at once: DynamoDB answers in milliseconds, and a function has few sockets.
pub(crate) const AT_ONCE: usize = 16;

/// The store doesn't answer as it should. What was done may be done again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} failed: {cause}")]
pub struct StoreError {
    /// What was to be done.
    pub what: &'static str,
    /// What the store said, with all causes.
    pub cause: String,
}

/// What keeps alerts quiet, or explains them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Known {
    /// The requests that are pending or live.
    pub requests: Vec<Request>,
    /// The silences that have not ended.
    pub silences: Vec<Silence>,
}

/// The store of windows.
pub trait Windows {
    /// Whether this batch has told all that it owed.
    fn is_done(&self, batch: &BatchId) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Notes that this batch has told all that it owed.
    fn done(&self, batch: &BatchId, now: Timestamp) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// A window's item, read strongly consistent; of the batches, those that count in it.
    fn window(&self, key: &WindowKey) -> impl Future<Output = Result<Option<Window>, StoreError>> + Send;

    /// Puts a batch's counts into the window's item, which may not be there yet, and makes its digest due. Claims what
    /// nobody has; answers what the batch has to tell, by a claim of now or before.
    fn count(
        &self,
        group: &Group<'_>,
        batch: &BatchId,
        claims: Claims,
        now: Timestamp,
    ) -> impl Future<Output = Result<Owing, StoreError>> + Send;

    /// Puts a batch's counts into an item of their own.
    fn count_apart(
        &self,
        group: &Group<'_>,
        batch: &BatchId,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Puts a batch's counts into an item of their own, and after that makes the window's digest due again.
    fn count_late(
        &self,
        group: &Group<'_>,
        batch: &BatchId,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Those of some windows, at most a hundred, that are there and can be read; without counts that stand apart.
    fn windows(&self, keys: &[WindowKey]) -> impl Future<Output = Result<Vec<Window>, StoreError>> + Send;

    /// The oldest window in which anybody was blocked at a registrable domain.
    fn oldest(&self, domain: &str) -> impl Future<Output = Result<Option<WindowKey>, StoreError>> + Send;

    /// Windows that ended by a time and whose digest is still to be told, at most `most`: the oldest first, and of those
    /// each owner's together. Perhaps one whose digest was told a moment ago, and not one that came into being a moment
    /// ago.
    fn due(
        &self,
        until: Timestamp,
        most: usize,
    ) -> impl Future<Output = Result<Vec<WindowKey>, StoreError>> + Send;

    /// A window with all its counts, read strongly consistent.
    fn whole(&self, key: &WindowKey) -> impl Future<Output = Result<Option<Window>, StoreError>> + Send;

    /// Notes that the digest of a window is told, unless it has been changed since it was read.
    fn close(&self, window: &Window, digested: u64) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// What keeps alerts quiet, or explains them.
    fn known(&self, now: Timestamp) -> impl Future<Output = Result<Known, StoreError>> + Send;
}
