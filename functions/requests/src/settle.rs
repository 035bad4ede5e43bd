//! The firewall is brought to what the ledger says: grants become active, and those that don't fit are told of.

use std::time::Duration;

use egress::bus::Bus;
use egress::firewall::Firewall;
use egress::ledger::Ledger;
use egress::lifecycle::Command;
use egress::reconcile::{Reconciled, reconcile, wait_in_sync};
use jiff::Timestamp;

use crate::work::{Gauges, Work, all};
use crate::{Requests, RequestsError};

/// How long an invocation waits for every availability zone to be in sync. What takes longer is finished
/// by the tick.
pub(crate) const SYNC_LIMIT: Duration = Duration::from_secs(20);

impl<F: Firewall, L: Ledger, B: Bus> Requests<F, L, B> {
    /// Brings the firewall to what the ledger says, and finishes what depends on that.
    pub(crate) async fn settle(&self, now: Timestamp, work: &mut Work) -> Result<(), RequestsError> {
        let mut reconciled = self.bring_about(now, work).await?;
        let revoked = self.end_with_the_revoked(&reconciled, work).await;
        if revoked.any {
            reconciled = self.bring_about(now, work).await?;
        }
        let waiting = self.tell_who_waits(&reconciled, work).await;
        // What has happened is told before the wait.
        let published = self.publish(work).await;
        let activated = self.activate(&reconciled, work).await;
        let superseded = self.supersede(work).await;
        let renamed = if superseded.any {
            self.bring_about(now, work).await.map(|newer| reconciled = newer)
        } else {
            Ok(())
        };
        let cut = if std::mem::take(&mut work.cuts) { self.cut(&reconciled, work).await } else { Ok(()) };
        let read = reconciled.unreadable.clone().map_or(Ok(()), |error| Err(error.into()));
        work.reconciled = Some(reconciled);
        let ended = all([revoked.result(), superseded.result()]);
        all([ended, waiting, published, activated, renamed, cut, read])
    }

    async fn bring_about(&self, now: Timestamp, work: &mut Work) -> Result<Reconciled, RequestsError> {
        let began = (self.now)();
        let mut reconciled = reconcile(&self.firewall, &self.ledger, now, self.jitter).await?;
        let milliseconds = (self.now)().duration_since(began).as_millis();
        work.outcome.rule_group_changed |= !reconciled.told.is_empty();
        work.add_unpublished(std::mem::take(&mut reconciled.told));
        let (live_grants, waiting_grants) = (reconciled.live.len(), reconciled.unplaced.len());
        let capacity_left = reconciled.units_left;
        tracing::info!(milliseconds, live_grants, waiting_grants, capacity_left, "reconciled");
        work.outcome.gauges = Some(Gauges { live_grants, waiting_grants, capacity_left });
        Ok(reconciled)
    }

    /// A grant that doesn't fit, or not any more, is told of once. As long as a rule group can't be read, nobody
    /// knows who does.
    async fn tell_who_waits(&self, reconciled: &Reconciled, work: &mut Work) -> Result<(), RequestsError> {
        if reconciled.unreadable.is_some() {
            return Ok(());
        }
        let mut failed = Ok(());
        for (id, reason) in &reconciled.unplaced {
            tracing::error!(request_id = %id, reason, "a grant doesn't fit into the rule groups");
            work.outcome.unplaced.push(format!("{id}: {reason}"));
            let grant = reconciled.live.iter().find(|grant| grant.request_id == *id);
            let Some(grant) = grant.filter(|grant| !grant.waits) else { continue };
            let command = Command::Wait { reason: reason.clone(), stood: grant.active };
            failed = all([failed, self.system_command(id, &command, work).await.map(drop)]);
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
}
