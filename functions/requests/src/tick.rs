//! Each minute: what is due, and what others left behind.

use egress::bus::Bus;
use egress::firewall::Firewall;
use egress::ledger::{Deadline, Ledger};
use egress::lifecycle::{self, Command};
use jiff::{SignedDuration, Timestamp};

use crate::work::{Work, all};
use crate::{Requests, RequestsError};

/// Events that are older than this were left by an invocation that didn't come to its end.
const LEFT_BEHIND: SignedDuration = SignedDuration::from_secs(60);

/// So many pages of left events are published by one tick, so that it comes to its end in time.
const MOST_PAGES: u32 = 50;

impl<F: Firewall, L: Ledger, B: Bus> Requests<F, L, B> {
    /// Closes what has come to its end, writes that down, and finishes what others left behind. Nothing that
    /// fails here holds up the rest; the firewall comes first, which needs no transition for what the clock
    /// has ended.
    pub(crate) async fn tick(&self, work: &mut Work) -> Result<(), RequestsError> {
        let now = (self.now)();
        work.extended = true;
        let settled = self.settle(now, work).await;
        let ended = self.work_off_deadlines(now, work).await;
        // What takes long comes last.
        let published = self.publish(work).await;
        let left = self.publish_what_is_left(now - LEFT_BEHIND, work).await;
        let cut = match work.reconciled.take() {
            Some(reconciled) => self.cut(&reconciled, work).await,
            None => Ok(()),
        };
        all([settled, ended, published, left, cut])
    }

    /// Publishes what others left behind, page by page. What is published is gone from the next page, so where that
    /// fails there is none.
    async fn publish_what_is_left(&self, until: Timestamp, work: &mut Work) -> Result<(), RequestsError> {
        for _ in 0..MOST_PAGES {
            let left = self.ledger.outbox(until).await?;
            if left.is_empty() {
                return Ok(());
            }
            work.unpublished = left;
            self.publish(work).await?;
        }
        Ok(())
    }

    /// Ends what has come to its end, reminds of what waits. One request that can't be worked off doesn't keep
    /// the others.
    async fn work_off_deadlines(&self, now: Timestamp, work: &mut Work) -> Result<(), RequestsError> {
        let (mut failed, mut last) = (Ok(()), None);
        loop {
            let due = self.ledger.due(now, last.as_ref()).await?;
            for deadline in &due {
                if let Err(error) = self.work_off(deadline, work).await {
                    tracing::error!(%error, request_id = %deadline.request_id, "a deadline was not worked off");
                    failed = failed.and(Err(error));
                }
            }
            match due.into_iter().next_back() {
                Some(deadline) => last = Some(deadline),
                None => return failed,
            }
        }
    }

    async fn work_off(&self, deadline: &Deadline, work: &mut Work) -> Result<(), RequestsError> {
        let Deadline { at, request_id } = deadline;
        if self.system_command(request_id, &Command::Due, work).await? == Some(true) {
            return Ok(());
        }
        let request = self.ledger.load(request_id).await?;
        // Where it holds, and lies ahead, the clock was set back after the deadlines were read. Else it was
        // ended or decided otherwise, and its deadline was left behind.
        if request.as_ref().and_then(lifecycle::deadline) != Some(*at) {
            self.ledger.clear_deadline(deadline).await?;
        }
        Ok(())
    }
}
