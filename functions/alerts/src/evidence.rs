//! What grants let pass, counted once however often a batch is delivered, and however many invocations count
//! the same grant at a time.
//!
//! A batch is counted in parts, each in one transaction: the note that it is counted, put where there is none,
//! and of each of its grants what was read, with the batch's own added to it, on the condition that it still is
//! what was read. A part that another invocation has overtaken reads again. The batch that writes of a grant
//! first owes the event of its first use, and finds by what it has written that it does when it is delivered
//! again before it was marked as done.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::time::Duration;

use egress::aws::evidence::{FlowSeen, Used};
use egress::request::RequestId;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;
use tokio::time::sleep;

use crate::batch::BatchId;
use crate::uses::Use;
use crate::windows::{AT_ONCE, StoreError};

/// How many grants are counted in one transaction: DynamoDB takes a hundred items, and the note is one. Another
/// number would make another cut of a batch of which a part was counted before.
const PART: usize = 90;
/// How often a part is read again. Each time another invocation got through.
const MOST_TRIES: u32 = 12;
/// The longest pause before the second try; it doubles with each, up to the longest of all.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// The longest of all pauses.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A part of a batch's uses.
#[derive(Debug)]
pub struct Part<'a> {
    /// The batch.
    pub batch: &'a BatchId,
    /// Which part of it.
    pub number: usize,
    /// What is written of each grant.
    pub grants: Vec<Count>,
}

/// What is written of a grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// The grant.
    pub grant: RequestId,
    /// How many connections were counted when it was read; none where nothing was.
    pub before: Option<u64>,
    /// With the batch's own.
    pub after: Used,
}

/// What came of writing a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// It is counted.
    Now,
    /// It was counted before, by another delivery of the batch.
    Before,
    /// Nothing is written: of one of the grants, something else stands there than was read.
    Overtaken,
}

/// The store of what grants let pass.
pub trait Evidence {
    /// What was counted of these grants until now, read strongly consistent.
    fn used(
        &self,
        grants: &BTreeSet<&RequestId>,
    ) -> impl Future<Output = Result<BTreeMap<RequestId, Used>, StoreError>> + Send;

    /// Writes a part, whole or not at all.
    fn count(
        &self,
        part: &Part<'_>,
        now: Timestamp,
    ) -> impl Future<Output = Result<Counted, StoreError>> + Send;

    /// Keeps a connection that a grant let pass, over what is known of the same one.
    fn keep(
        &self,
        grant: &RequestId,
        flow: &FlowSeen,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Counts all uses of a batch, and keeps their connections. Answers the uses that no other batch has counted
/// before: the first ones of their grants, which this batch has to tell. `jitter` gives numbers from 0 to 1.
pub async fn count_all<'a, E: Evidence>(
    evidence: &E,
    batch: &BatchId,
    uses: &'a [Use],
    now: Timestamp,
    jitter: fn() -> f64,
) -> Result<Vec<&'a Use>, StoreError> {
    let mut first = Vec::new();
    for (number, part) in uses.chunks(PART).enumerate() {
        let counted = count_part(evidence, (batch, number), part, now, jitter).await?;
        let ours = |grant: &RequestId| counted.get(grant).is_some_and(|it| it.first_batch == batch.as_str());
        first.extend(part.iter().filter(|seen| ours(&seen.grant)));
    }
    let flows = uses.iter().flat_map(|seen| seen.flows.iter().map(|flow| (&seen.grant, flow)));
    let kept = stream::iter(flows).map(|(grant, flow)| evidence.keep(grant, flow, now));
    kept.buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    Ok(first)
}

/// Counts a part of a batch, and answers what is counted of its grants then.
async fn count_part<E: Evidence>(
    evidence: &E,
    (batch, number): (&BatchId, usize),
    uses: &[Use],
    now: Timestamp,
    jitter: fn() -> f64,
) -> Result<BTreeMap<RequestId, Used>, StoreError> {
    let grants: BTreeSet<&RequestId> = uses.iter().map(|seen| &seen.grant).collect();
    let mut pause = FIRST_PAUSE;
    for _ in 0..MOST_TRIES {
        let before = evidence.used(&grants).await?;
        let grants_after = uses.iter().map(|seen| with(before.get(&seen.grant), seen, batch)).collect();
        let part = Part { batch, number, grants: grants_after };
        match evidence.count(&part, now).await? {
            Counted::Now => {
                return Ok(part.grants.into_iter().map(|count| (count.grant, count.after)).collect());
            }
            // What was read may be from before that.
            Counted::Before => return evidence.used(&grants).await,
            Counted::Overtaken => {}
        }
        sleep(pause.mul_f64(jitter().clamp(0.0, 1.0))).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    let cause = format!("other invocations were quicker {MOST_TRIES} times");
    Err(StoreError { what: "counting uses of grants", cause })
}

/// What was counted of a grant, with what a batch saw of it. Batches come in any order.
fn with(before: Option<&Used>, seen: &Use, batch: &BatchId) -> Count {
    let after = match before {
        None => Used {
            first_used_at: seen.first.at,
            last_used_at: seen.last_at,
            connections: seen.connections,
            first_batch: batch.to_string(),
        },
        Some(used) => Used {
            first_used_at: used.first_used_at.min(seen.first.at),
            last_used_at: used.last_used_at.max(seen.last_at),
            connections: used.connections.saturating_add(seen.connections),
            first_batch: used.first_batch.clone(),
        },
    };
    Count { grant: seen.grant.clone(), before: before.map(|used| used.connections), after }
}
