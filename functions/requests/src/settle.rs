//! The firewall is brought to what the ledger says: grants become active, those that don't fit are told of,
//! extensions take the place of what they extend, and what ended grants let through is cut.

use std::collections::BTreeSet;
use std::time::Duration;

use egress::bus::Bus;
use egress::firewall::Firewall;
use egress::ledger::Ledger;
use egress::lifecycle::Command;
use egress::reconcile::{Reconciled, reconcile, wait_in_sync};
use egress::request::RequestId;
use jiff::{SignedDuration, Timestamp};

use crate::work::{Gauges, Work, all};
use crate::{Requests, RequestsError};

/// How long an invocation waits for every availability zone to be in sync. What takes longer is finished
/// by the tick.
const SYNC_LIMIT: Duration = Duration::from_secs(20);
/// So long after its end, uses of a grant may still come in from the firewall's log; they are cut, too.
const LOG_LAG: SignedDuration = SignedDuration::from_secs(120);
/// The most connections of a grant that are cut, the last used first.
const MOST_FLOWS: usize = 200;

impl<F: Firewall, L: Ledger, B: Bus> Requests<F, L, B> {
    /// Brings the firewall to what the ledger says, and finishes what depends on that.
    pub(crate) async fn settle(&self, now: Timestamp, work: &mut Work) -> Result<(), RequestsError> {
        let reconciled = self.bring_about(now, work).await?;
        let waiting = self.tell_who_waits(&reconciled, work).await;
        // What has happened is told before the wait.
        let published = self.publish(work).await;
        let activated = self.activate(&reconciled, work).await;
        let superseded = self.supersede(now, work).await;
        let cut = if std::mem::take(&mut work.cuts) { self.cut(&reconciled, work).await } else { Ok(()) };
        work.reconciled = Some(reconciled);
        all([waiting, published, activated, superseded, cut])
    }

    async fn bring_about(&self, now: Timestamp, work: &mut Work) -> Result<Reconciled, RequestsError> {
        let mut reconciled = reconcile(&self.firewall, &self.ledger, now, self.jitter).await?;
        work.outcome.rule_group_changed |= !reconciled.told.is_empty();
        work.add_unpublished(std::mem::take(&mut reconciled.told));
        let (live_grants, waiting_grants) = (reconciled.live.len(), reconciled.unplaced.len());
        work.outcome.gauges = Some(Gauges { live_grants, waiting_grants });
        Ok(reconciled)
    }

    /// A grant that doesn't fit, or not any more, is told of once.
    async fn tell_who_waits(&self, reconciled: &Reconciled, work: &mut Work) -> Result<(), RequestsError> {
        let mut failed = Ok(());
        for (id, reason) in &reconciled.unplaced {
            tracing::error!(request_id = %id, reason, "a grant doesn't fit into the rule groups");
            work.outcome.unplaced.push(format!("{id}: {reason}"));
            if reconciled.live.iter().any(|grant| grant.request_id == *id && grant.waits) {
                continue;
            }
            let command = Command::Wait { reason: reason.clone() };
            failed = failed.and(self.system_command(id, &command, work).await.map(drop));
        }
        failed
    }

    async fn activate(&self, reconciled: &Reconciled, work: &mut Work) -> Result<(), RequestsError> {
        if reconciled.waiting().next().is_none() {
            return Ok(());
        }
        if !wait_in_sync(&self.firewall, &reconciled.versions, SYNC_LIMIT).await? {
            tracing::warn!("the firewall is not in sync yet: the next tick looks again");
            return Ok(());
        }
        let mut failed = Ok(());
        for grant in reconciled.waiting() {
            if let Err(error) = self.system_command(&grant.request_id, &Command::InSync, work).await {
                tracing::error!(%error, request_id = %grant.request_id, "a grant in sync was not made active");
                failed = failed.and(Err(error));
            } else if grant.extends.is_some() {
                work.extended = true;
            }
        }
        failed
    }

    /// Ends the grants whose extensions are active, and takes their ids out of the rules. What a crash leaves
    /// of that, the tick finds.
    async fn supersede(&self, now: Timestamp, work: &mut Work) -> Result<(), RequestsError> {
        if !std::mem::take(&mut work.extended) {
            return Ok(());
        }
        let live = self.ledger.live_grants().await?;
        let ids: BTreeSet<&RequestId> = live.iter().map(|grant| &grant.request_id).collect();
        let mut superseded = false;
        for extension in live.iter().filter(|grant| grant.active) {
            let Some(original) = extension.extends.as_ref().filter(|original| ids.contains(original)) else {
                continue;
            };
            let command = Command::Supersede { by: extension.request_id.clone(), until: extension.ends_at };
            superseded |= self.system_command(original, &command, work).await? == Some(true);
        }
        if superseded {
            self.bring_about(now, work).await?;
        }
        Ok(())
    }

    /// Ends the open connections that ended grants have let through, once new ones are blocked everywhere.
    pub(crate) async fn cut(&self, reconciled: &Reconciled, work: &mut Work) -> Result<(), RequestsError> {
        let live: BTreeSet<&RequestId> = reconciled.live.iter().map(|grant| &grant.request_id).collect();
        let mut cuts = self.ledger.cuts().await?;
        // What ended after the firewall was brought to the ledger still stands in it.
        cuts.retain(|cut| !live.contains(&cut.request_id));
        if cuts.is_empty() {
            return Ok(());
        }
        if !wait_in_sync(&self.firewall, &reconciled.versions, SYNC_LIMIT).await? {
            tracing::warn!("the firewall is not in sync yet: the next tick cuts connections");
            return Ok(());
        }
        // All at once: a firewall takes one flow operation after the other.
        let mut flows = BTreeSet::new();
        for cut in &cuts {
            let before = flows.len();
            for id in self.with_what_it_extended(&cut.request_id).await? {
                flows.extend(self.ledger.flows(&id, MOST_FLOWS).await?);
            }
            if flows.len() > before {
                tracing::info!(request_id = %cut.request_id, flows = flows.len() - before, "connections are cut");
                work.outcome.cut.push(cut.request_id.to_string());
            }
        }
        if !flows.is_empty() {
            self.firewall.flush(&flows.into_iter().collect::<Vec<_>>()).await?;
        }
        let now = (self.now)();
        for cut in cuts.iter().filter(|cut| now >= cut.at + LOG_LAG) {
            self.ledger.cut_done(cut).await?;
        }
        Ok(())
    }

    /// A grant and those whose place it has taken: their connections went on with it.
    async fn with_what_it_extended(&self, id: &RequestId) -> Result<Vec<RequestId>, RequestsError> {
        let mut ids = vec![id.clone()];
        let mut extends = self.ledger.load(id).await?.and_then(|request| request.extends);
        while let Some(original) = extends {
            let Some(request) = self.ledger.load(&original).await? else { break };
            if request.superseded_by.as_ref() != ids.last() {
                break;
            }
            ids.push(original);
            extends = request.extends;
        }
        Ok(ids)
    }
}
