//! The one way in which the firewall changes: from the ledger's live grants to the whole content of the
//! rule group, never a patch of an event.
//!
//! The order makes a lost update impossible: (1) read the rule group and its token, (2) read the live
//! grants, strongly consistent, (3) render, (4) write with that token, (5) read the live grants again, and
//! if they have changed, begin again at (1). Of two that write, the one that read older grants holds an
//! older token: its write is refused, and it begins again at (1). Where the other one found nothing to
//! write, (5) finds what that one knew.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use tokio::time::{Instant, sleep};

use crate::bus::Event;
use crate::domain::DomainPattern;
use crate::events::{self, AllowListChanged, DriftFound};
use crate::firewall::{Content, Firewall, FirewallError, RuleGroup, UpdateToken};
use crate::ledger::{Ledger, LedgerError, OutboxEntry, OwnTargets};
use crate::request::{LiveGrant, RequestId};
use crate::rules::{self, Plan};

/// How often a refused token is tried again. Each refusal means that another writer got through.
const MOST_ATTEMPTS: u32 = 8;
/// The longest pause before the second attempt; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The pause between two looks at whether the firewall is in sync; it grows by half with each.
const FIRST_LOOK: Duration = Duration::from_millis(150);
/// The longest pause between two looks.
const SLOWEST_LOOK: Duration = Duration::from_secs(2);

/// The firewall as it is after reconcile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reconciled {
    /// The token of what stands in the rule group.
    pub token: UpdateToken,
    /// The live grants that were read.
    pub live: Vec<LiveGrant>,
    /// What can't stand in the rule group, and why.
    pub unplaced: BTreeMap<DomainPattern, String>,
    /// The events about it that wait in the outbox: what was found changed by hand, and each write.
    pub told: Vec<OutboxEntry>,
}

impl Reconciled {
    /// The grants that stand in the rule group whole, and are not known to be active yet.
    pub fn waiting(&self) -> impl Iterator<Item = &LiveGrant> {
        let placed =
            |grant: &LiveGrant| !grant.domains.iter().any(|domain| self.unplaced.contains_key(domain));
        self.live.iter().filter(move |grant| !grant.active && placed(grant))
    }
}

/// Why the firewall couldn't be brought to what the ledger says. The next tick tries again.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The firewall.
    #[error(transparent)]
    Firewall(#[from] FirewallError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Other writers were quicker, again and again.
    #[error("other writers changed the rule group {MOST_ATTEMPTS} times while it was written")]
    Contended,
    /// An event could not be written as JSON.
    #[error("an event could not be written: {0}")]
    Event(#[from] serde_json::Error),
}

/// Brings the rule group to what the ledger and the clock say. `jitter` gives numbers from 0 to 1, one for
/// each pause.
pub async fn reconcile<F: Firewall, L: Ledger>(
    firewall: &F,
    ledger: &L,
    now: Timestamp,
    mut jitter: impl FnMut() -> f64,
) -> Result<Reconciled, ReconcileError> {
    let (mut pause, mut full, mut told) = (FIRST_PAUSE, None, Vec::new());
    for _ in 0..MOST_ATTEMPTS {
        match attempt(firewall, ledger, now, full.as_deref(), &mut told).await {
            Ok(Attempt { reconciled, overtaken: false }) => return Ok(Reconciled { told, ..reconciled }),
            // What can't be opened must not keep what has ended from being closed.
            Err(ReconcileError::Firewall(error @ (FirewallError::Full(_) | FirewallError::Refused(_))))
                if full.is_none() =>
            {
                full = Some(error.to_string());
                continue;
            }
            Ok(_) | Err(ReconcileError::Firewall(FirewallError::StaleToken)) => {}
            Err(error) => return Err(error),
        }
        tracing::info!("another writer was quicker: reading the rule group again");
        sleep(pause.mul_f64(jitter().clamp(0.0, 1.0))).await;
        pause *= 2;
    }
    Err(ReconcileError::Contended)
}

/// What one attempt came to.
struct Attempt {
    reconciled: Reconciled,
    /// Whether somebody has changed the ledger in the meantime, so that it takes another one.
    overtaken: bool,
}

/// One attempt; with `full`, the reason why not everything fits, only with what stands there already.
async fn attempt<F: Firewall, L: Ledger>(
    firewall: &F,
    ledger: &L,
    now: Timestamp,
    full: Option<&str>,
    told: &mut Vec<OutboxEntry>,
) -> Result<Attempt, ReconcileError> {
    let current = firewall.read().await?;
    let (live, own) = tokio::join!(live_at(ledger, now), own_targets(ledger, &current));
    let (live, own) = (live?, own?);
    let mut open = rules::open(&live);
    let mut unplaced = BTreeMap::new();
    if let Some(reason) = full {
        let standing = rules::standing(&current.content);
        let waiting = open.extract_if(.., |pattern, _| !standing.contains(pattern));
        unplaced.extend(waiting.map(|(pattern, _)| (pattern, reason.to_owned())));
    }
    let mut plan = rules::plan(&current.content, &open, &own.targets);
    unplaced.append(&mut plan.unplaced);
    let reconciled = |token, live| Reconciled { token, live, unplaced, told: Vec::new() };
    let released = &own.targets - &plan.own_targets;
    let same = plan.content == current.content;
    // Before anything is released there is a write, also of what stands there already: it makes every
    // older token stale, so nobody who read before it puts an entry back without claiming it anew.
    if same && released.is_empty() {
        return Ok(Attempt { reconciled: reconciled(current.token, live), overtaken: false });
    }
    if let Some(found) = plan.drift.take() {
        // Told before it is put right: after that nobody could tell any more.
        tracing::warn!(found, "the rule group was changed by hand");
        let drift = DriftFound { version: events::VERSION, update_token: current.token.0.clone(), found };
        let id = format!("drift-found.{}", current.token.0);
        told.push(tell(ledger, id, "DriftFound", &drift, now).await?);
    }
    let claims = claim(ledger, &plan, &own).await?;
    let Plan { content, added, removed, .. } = plan;
    let token = firewall.write(&RuleGroup { content, ..current }).await?;
    if !(added.is_empty() && removed.is_empty()) {
        tracing::info!(?added, ?removed, "the rule group was written");
        let id = format!("allow-list-changed.{}", token.0);
        let change =
            AllowListChanged { version: events::VERSION, update_token: token.0.clone(), added, removed };
        told.push(tell(ledger, id, "AllowListChanged", &change, now).await?);
    }
    let outdone = !release(ledger, &released, claims).await?;
    // Who changed the ledger since it was read may have found the old content to be right, and written
    // nothing that would have made our token stale.
    let overtaken = outdone || requests_of(&live_at(ledger, now).await?) != requests_of(&live);
    Ok(Attempt { reconciled: reconciled(token, live), overtaken })
}

/// Puts an event into the outbox, whatever becomes of this invocation and of the bus.
async fn tell<L: Ledger, T: Serialize>(
    ledger: &L,
    id: String,
    detail_type: &str,
    detail: &T,
    now: Timestamp,
) -> Result<OutboxEntry, ReconcileError> {
    let entry =
        OutboxEntry { id, at: now, event: Event::new(events::source::REQUESTS, detail_type, detail)? };
    ledger.enqueue(&entry).await?;
    Ok(entry)
}

/// The live grants whose time is not over: what the clock has ended is closed, also when its request
/// can't be worked off.
async fn live_at<L: Ledger>(ledger: &L, now: Timestamp) -> Result<Vec<LiveGrant>, LedgerError> {
    let mut live = ledger.live_grants().await?;
    live.retain(|grant| grant.ends_at > now);
    Ok(live)
}

/// Our entries where others have theirs; elsewhere all is ours.
async fn own_targets<L: Ledger>(ledger: &L, current: &RuleGroup) -> Result<OwnTargets, LedgerError> {
    match current.content {
        Content::Rules(_) => Ok(OwnTargets::default()),
        Content::DomainList(_) => ledger.own_targets().await,
    }
}

/// Claims what the write will put into a shared list, before it does: whatever crashes here, no entry of
/// ours is taken for somebody else's. Also what is ours by name already: another invocation may have just
/// taken it out, and must not release it now. Answers how many claims there are then.
async fn claim<L: Ledger>(ledger: &L, plan: &Plan, own: &OwnTargets) -> Result<u64, LedgerError> {
    let added = plan.added.iter().filter(|target| plan.own_targets.contains(*target));
    let added: BTreeSet<String> = added.cloned().collect();
    if added.is_empty() {
        return Ok(own.claims);
    }
    ledger.claim_targets(&added).await?;
    Ok(own.claims + 1)
}

/// Releases what was taken out of a shared list; false when somebody may be putting it back.
async fn release<L: Ledger>(
    ledger: &L,
    targets: &BTreeSet<String>,
    claims: u64,
) -> Result<bool, LedgerError> {
    if targets.is_empty() {
        return Ok(true);
    }
    match ledger.release_targets(targets, claims).await {
        Ok(()) => Ok(true),
        Err(LedgerError::Conflict) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Which requests the grants come of. That says it all: a request's domains never change.
fn requests_of(live: &[LiveGrant]) -> BTreeSet<&RequestId> {
    live.iter().map(|grant| &grant.request_id).collect()
}

/// Waits until every availability zone works with this version of the rule group, at most as long as
/// `limit`. Whether it does.
pub async fn wait_in_sync<F: Firewall>(
    firewall: &F,
    token: &UpdateToken,
    limit: Duration,
) -> Result<bool, FirewallError> {
    let (end, mut pause) = (Instant::now() + limit, FIRST_LOOK);
    loop {
        if firewall.in_sync(token).await? {
            return Ok(true);
        }
        if Instant::now() + pause > end {
            return Ok(false);
        }
        sleep(pause).await;
        pause = (pause * 3 / 2).min(SLOWEST_LOOK);
    }
}
