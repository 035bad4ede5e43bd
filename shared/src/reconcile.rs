//! The one way in which the firewall changes: from the ledger's live grants to the whole content of the
//! rule groups, never a patch of an event.
//!
//! The order makes a lost update impossible: (1) read all rule groups and their tokens, (2) read the live
//! grants, strongly consistent, (3) plan, (4) write what differs, each group with its token, (5) read the live
//! grants again, and if they have changed, begin again at (1). Of two that write the same group, the one that
//! read older grants holds an older token: its write is refused, and it begins again at (1). Where the other
//! one found nothing to write, or wrote other groups only, (5) finds what that one knew.
//!
//! Several groups aren't written at once. After a crash between two of them the first has its plan and the
//! next doesn't: what stands keeps its place, so the next attempt writes the rest of the same plan.

mod without;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::try_join_all;
use jiff::Timestamp;
use serde::Serialize;

use tokio::time::{Instant, sleep};

use crate::bus::Event;
use crate::events::{self, AllowListChanged, DriftFound};
use crate::firewall::{Content, Firewall, FirewallError, RuleGroup, RuleGroups, UpdateToken};
use crate::ledger::{Ledger, LedgerError, OutboxEntry, OwnTargets};
use crate::request::{LiveGrant, Request, RequestId};
use crate::risk::Room;
use crate::rules::{self, Drift, GroupPlan, Plan};

use without::Without;

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
    /// The token of what stands in each rule group, by ARN.
    pub versions: BTreeMap<String, UpdateToken>,
    /// The live grants that were read.
    pub live: Vec<LiveGrant>,
    /// The grants that can't stand in the rule groups whole, and why.
    pub unplaced: BTreeMap<RequestId, String>,
    /// How many units of capacity are left in the rule groups that could be read.
    pub units_left: u64,
    /// Why one of the rule groups couldn't be read: then only what has ended was taken out of the others.
    pub unreadable: Option<FirewallError>,
    /// The events about it that wait in the outbox: what was found changed by hand, and each write.
    pub told: Vec<OutboxEntry>,
}

impl Reconciled {
    /// The grants that stand in the rule groups whole, and are not known to be active yet.
    pub fn waiting(&self) -> impl Iterator<Item = &LiveGrant> {
        self.live.iter().filter(|grant| !grant.active && !self.unplaced.contains_key(&grant.request_id))
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

/// Brings the rule groups to what the ledger and the clock say. `jitter` gives numbers from 0 to 1, one for
/// each pause.
pub async fn reconcile<F: Firewall, L: Ledger>(
    firewall: &F,
    ledger: &L,
    now: Timestamp,
    mut jitter: impl FnMut() -> f64,
) -> Result<Reconciled, ReconcileError> {
    let edges = Edges { firewall, ledger, now };
    let (mut without, mut told) = (Without::default(), Vec::new());
    let (mut pause, mut attempts) = (FIRST_PAUSE, 0);
    while attempts < MOST_ATTEMPTS {
        match attempt(&edges, &without, &mut told).await? {
            Attempt::Done(reconciled) => return Ok(Reconciled { told, ..reconciled }),
            // What can't be opened must not keep what has ended from being closed.
            Attempt::Refused(rule_group, suspect, error) => {
                without.refuse(rule_group, suspect, &error);
                continue;
            }
            Attempt::Overtaken => {}
        }
        tracing::info!("another writer was quicker: reading the rule groups again");
        sleep(pause.mul_f64(jitter().clamp(0.0, 1.0))).await;
        pause *= 2;
        attempts += 1;
    }
    Err(ReconcileError::Contended)
}

/// What one attempt came to.
enum Attempt {
    /// Everything is as it should be.
    Done(Reconciled),
    /// Somebody else has changed a rule group or the ledger in the meantime, so that it takes another one.
    Overtaken,
    /// AWS takes what was planned for this rule group not at all: it takes another one without the grant that is
    /// the likely cause, or without anything new in the group.
    Refused(String, Option<RequestId>, FirewallError),
}

/// One attempt, without some of what is granted.
async fn attempt<F: Firewall, L: Ledger>(
    edges: &Edges<'_, F, L>,
    without: &Without,
    told: &mut Vec<OutboxEntry>,
) -> Result<Attempt, ReconcileError> {
    let &Edges { firewall, ledger, now } = edges;
    let RuleGroups { groups, unreadable } = firewall.read().await;
    for (rule_group, error) in &unreadable {
        tracing::error!(rule_group, %error, "the rule group can't be read");
    }
    if let (true, Some(error)) = (groups.is_empty(), unreadable.values().next()) {
        return Err(error.clone().into());
    }
    let (live, own) = tokio::join!(live_at(ledger, now), own_targets(ledger, &groups));
    let (live, own) = (live?, own?);
    let refused = without.refused(&groups, &unreadable);
    let Plan { groups: mut plans, unplaced, units_left } = rules::plan(&groups, &live, &own, &refused);
    if !unreadable.is_empty() {
        // What seems to be missing may stand where nobody can look.
        plans.iter_mut().filter_map(|plan| plan.drift.as_mut()).for_each(|drift| drift.missing.clear());
    }
    let (mut versions, mut wrote, mut outdone, mut failure) = (BTreeMap::new(), false, false, None);
    for (group, plan) in groups.into_iter().zip(plans) {
        let own = own.get(&group.arn).cloned().unwrap_or_default();
        let (arn, added) = (group.arn.clone(), plan.added.clone());
        match bring_to(group, plan, &own, edges, told).await {
            Ok(written) => {
                wrote |= written.wrote;
                outdone |= written.outdone;
                versions.insert(arn, written.token);
            }
            Err(ReconcileError::Firewall(FirewallError::StaleToken)) => return Ok(Attempt::Overtaken),
            Err(ReconcileError::Firewall(error @ (FirewallError::Full(_) | FirewallError::Refused(_))))
                if unreadable.is_empty() && without.is_open(&arn) =>
            {
                let suspect = without.suspect(&arn, &live, &added);
                return Ok(Attempt::Refused(arn, suspect, error));
            }
            // One rule group that can't be written keeps no other from being closed.
            Err(ReconcileError::Firewall(error)) => failure = failure.or(Some(error)),
            Err(error) => return Err(error),
        }
    }
    if let Some(failure) = failure {
        return Err(failure.into());
    }
    // Who changed the ledger since it was read may have found the old content to be right, and written
    // nothing that would have made our token stale.
    if outdone || (wrote && requests_of(&live_at(ledger, now).await?) != requests_of(&live)) {
        return Ok(Attempt::Overtaken);
    }
    let unreadable = unreadable.into_values().next();
    Ok(Attempt::Done(Reconciled { versions, live, unplaced, units_left, unreadable, told: Vec::new() }))
}

/// Where it is read from and written to, and when.
struct Edges<'a, F, L> {
    firewall: &'a F,
    ledger: &'a L,
    now: Timestamp,
}

/// What came of one rule group.
struct Written {
    token: UpdateToken,
    wrote: bool,
    /// Whether somebody may be putting back what was taken out.
    outdone: bool,
}

/// Brings one rule group to its plan.
async fn bring_to<F: Firewall, L: Ledger>(
    group: RuleGroup,
    plan: GroupPlan,
    own: &OwnTargets,
    edges: &Edges<'_, F, L>,
    told: &mut Vec<OutboxEntry>,
) -> Result<Written, ReconcileError> {
    let &Edges { firewall, ledger, .. } = edges;
    let released = &own.targets - &plan.own_targets;
    // Before anything is released there is a write, also of what stands there already: it makes every
    // older token stale, so nobody who read before it puts an entry back without claiming it anew.
    if plan.content == group.content && released.is_empty() {
        return Ok(Written { token: group.token, wrote: false, outdone: false });
    }
    if let Some(drift) = &plan.drift {
        // Told before it is put right: after that nobody could tell any more.
        tracing::warn!(rule_group = group.arn, found = drift.found, "the rule group was changed by hand");
        let (id, event) = drift_found(&group, drift);
        tell(edges, id, "DriftFound", &event, told).await?;
    }
    let claims = claim(ledger, &group.arn, &plan, own).await?;
    let GroupPlan { content, added, removed, .. } = plan;
    let rule_group = group.arn.clone();
    let token = firewall.write(&RuleGroup { content, ..group }).await?;
    if !(added.is_empty() && removed.is_empty()) {
        tracing::info!(rule_group, ?added, ?removed, "the rule group was written");
        let id = format!("allow-list-changed.{}", token.0);
        let change = AllowListChanged::of(&rule_group, &token.0, &added, &removed);
        tell(edges, id, "AllowListChanged", &change, told).await?;
    }
    let outdone = !release(ledger, &rule_group, &released, claims).await?;
    Ok(Written { token, wrote: true, outdone })
}

fn drift_found(group: &RuleGroup, drift: &Drift) -> (String, DriftFound) {
    let Drift { found, added, missing, lines } = drift.clone();
    let event = DriftFound {
        version: events::VERSION,
        rule_group: group.arn.clone(),
        update_token: group.token.0.clone(),
        changed_at: group.changed_at,
        found,
        added,
        missing,
        lines,
    };
    (format!("drift-found.{}", group.token.0), event)
}

/// Puts an event into the outbox, whatever becomes of this invocation and of the bus; once, however many
/// attempts of however many invocations come by.
async fn tell<F, L: Ledger, T: Serialize>(
    edges: &Edges<'_, F, L>,
    id: String,
    detail_type: &str,
    detail: &T,
    told: &mut Vec<OutboxEntry>,
) -> Result<(), ReconcileError> {
    if told.iter().any(|entry| entry.id == id) {
        return Ok(());
    }
    let event = Event::new(events::source::REQUESTS, detail_type, detail)?;
    let entry = OutboxEntry { id, at: edges.now, event };
    match edges.ledger.answer(&entry.id, &entry).await {
        Ok(()) => told.push(entry),
        Err(LedgerError::Duplicate) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// The live grants whose time is not over: what the clock has ended is closed, also when its request
/// can't be worked off.
async fn live_at<L: Ledger>(ledger: &L, now: Timestamp) -> Result<Vec<LiveGrant>, LedgerError> {
    let mut live = ledger.live_grants().await?;
    live.retain(|grant| grant.ends_at > now);
    Ok(live)
}

/// Our entries where others have theirs, by the group's ARN; elsewhere all is ours.
async fn own_targets<L: Ledger>(
    ledger: &L,
    groups: &[RuleGroup],
) -> Result<BTreeMap<String, OwnTargets>, LedgerError> {
    let lists = groups.iter().filter(|group| matches!(group.content, Content::DomainList(_)));
    let own = lists.map(async |group| Ok((group.arn.clone(), ledger.own_targets(&group.arn).await?)));
    Ok(try_join_all(own).await?.into_iter().collect())
}

/// Claims what the write will put into a shared list, before it does: whatever crashes here, no entry of
/// ours is taken for somebody else's. Also what is ours by name already: another invocation may have just
/// taken it out, and must not release it now. Answers how many claims there are then.
async fn claim<L: Ledger>(
    ledger: &L,
    rule_group: &str,
    plan: &GroupPlan,
    own: &OwnTargets,
) -> Result<u64, LedgerError> {
    let added = plan.added.iter().filter(|target| plan.own_targets.contains(*target));
    let added: BTreeSet<String> = added.cloned().collect();
    if added.is_empty() {
        return Ok(own.claims);
    }
    ledger.claim_targets(rule_group, &added).await?;
    Ok(own.claims + 1)
}

/// Releases what was taken out of a shared list; false when somebody may be putting it back.
async fn release<L: Ledger>(
    ledger: &L,
    rule_group: &str,
    targets: &BTreeSet<String>,
    claims: u64,
) -> Result<bool, LedgerError> {
    if targets.is_empty() {
        return Ok(true);
    }
    match ledger.release_targets(rule_group, targets, claims).await {
        Ok(()) => Ok(true),
        Err(LedgerError::Conflict) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether the rules of a request would fit into the firewall beside what is granted already: planned as
/// reconcile would, and then held against AWS by a dry run.
pub async fn would_fit<F: Firewall, L: Ledger>(
    firewall: &F,
    ledger: &L,
    now: Timestamp,
    request: &Request,
) -> Result<Room, ReconcileError> {
    let groups = firewall.read().await.all()?;
    let (live, own) = tokio::join!(live_at(ledger, now), own_targets(ledger, &groups));
    let (mut live, own) = (live?, own?);
    let (needed, left) = rules::room(&groups, &live, &request.domains);
    live.push(LiveGrant {
        request_id: request.id.clone(),
        requester: request.requester.clone(),
        domains: request.domains.clone(),
        approved_at: Timestamp::MAX,
        ends_at: Timestamp::MAX,
        active: false,
        used: false,
        waits: false,
        extends: None,
    });
    let Plan { groups: plans, unplaced, .. } = rules::plan(&groups, &live, &own, &BTreeMap::new());
    let mut fits = !unplaced.contains_key(&request.id);
    for (group, plan) in groups.into_iter().zip(plans) {
        if plan.content == group.content || !fits {
            continue;
        }
        match firewall.try_out(&RuleGroup { content: plan.content, ..group }).await {
            Ok(_) => {}
            Err(FirewallError::Full(_) | FirewallError::Refused(_)) => fits = false,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Room { needed, left, fits })
}

/// Which requests the grants come of. That says it all: a request's domains never change.
fn requests_of(live: &[LiveGrant]) -> BTreeSet<&RequestId> {
    live.iter().map(|grant| &grant.request_id).collect()
}

/// Waits until every availability zone works with these versions of the rule groups, at most as long as
/// `limit`. Whether it does.
pub async fn wait_in_sync<F: Firewall>(
    firewall: &F,
    versions: &BTreeMap<String, UpdateToken>,
    limit: Duration,
) -> Result<bool, FirewallError> {
    let (end, mut pause) = (Instant::now() + limit, FIRST_LOOK);
    loop {
        if firewall.in_sync(versions).await? {
            return Ok(true);
        }
        if Instant::now() + pause > end {
            return Ok(false);
        }
        sleep(pause).await;
        pause = (pause * 3 / 2).min(SLOWEST_LOOK);
    }
}
