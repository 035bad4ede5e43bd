//! What ended grants have let through is cut, once new connections are blocked everywhere.

use std::collections::BTreeSet;
use std::time::Duration;

use egress::bus::Bus;
use egress::firewall::{FLOWS_AT_ONCE, Firewall, Flow};
use egress::ledger::{Cut, Ledger};
use egress::reconcile::{Reconciled, wait_in_sync};
use egress::request::RequestId;
use jiff::SignedDuration;
use tokio::time::Instant;

use crate::settle::SYNC_LIMIT;
use crate::work::{Work, all};
use crate::{Requests, RequestsError};

/// So long after its end, uses of a grant may still come in from the firewall's log; they are cut, too.
const LOG_LAG: SignedDuration = SignedDuration::from_secs(120);
/// So long after a grant's end the firewall is asked to cut its connections: what it refuses for so long it would
/// refuse for ever, and others' connections would be cut again and again.
const GIVEN_UP: SignedDuration = SignedDuration::from_hours(1);
/// After this no further cut is begun: the next tick goes on. An invocation has five minutes, and other things to do.
const LONGEST: Duration = Duration::from_mins(2);

/// Cuts that are made at once, and what they cut.
#[derive(Debug, Default)]
struct Batch {
    cuts: Vec<Cut>,
    flows: BTreeSet<Flow>,
}

impl<F: Firewall, L: Ledger, B: Bus> Requests<F, L, B> {
    /// Ends the open connections that ended grants have let through.
    pub(crate) async fn cut(&self, reconciled: &Reconciled, work: &mut Work) -> Result<(), RequestsError> {
        let live: BTreeSet<&RequestId> = reconciled.live.iter().map(|grant| &grant.request_id).collect();
        let mut cuts = self.ledger.cuts().await?;
        // What ended after the firewall was brought to the ledger still stands in it.
        cuts.retain(|cut| !live.contains(&cut.request_id));
        if cuts.is_empty() {
            return Ok(());
        }
        if reconciled.unreadable.is_some() {
            tracing::warn!("a grants group can't be read, so what has ended may stand there: nothing is cut");
            return Ok(());
        }
        if !wait_in_sync(&self.firewall, &reconciled.versions, SYNC_LIMIT).await? {
            tracing::warn!("the firewall is not in sync yet: the next tick cuts connections");
            return Ok(());
        }
        let (mut failed, mut batch, end) = (Ok(()), Batch::default(), Instant::now() + LONGEST);
        for cut in cuts {
            if Instant::now() > end {
                tracing::warn!("there is more to cut than there is time for: the next tick goes on");
                break;
            }
            match self.connections_of(&cut).await {
                Ok(flows) => {
                    if !batch.cuts.is_empty() && batch.flows.len() + flows.len() > FLOWS_AT_ONCE {
                        failed = all([failed, self.make(std::mem::take(&mut batch), work).await]);
                    }
                    batch.flows.extend(flows);
                    batch.cuts.push(cut);
                }
                Err(error) => failed = all([failed, Err(error)]),
            }
        }
        all([failed, self.make(batch, work).await])
    }

    async fn connections_of(&self, cut: &Cut) -> Result<BTreeSet<Flow>, RequestsError> {
        let mut flows = BTreeSet::new();
        for id in self.with_what_it_extended(&cut.request_id).await? {
            flows.extend(self.ledger.flows(&id).await?);
        }
        Ok(flows)
    }

    /// Makes some cuts; one that fails keeps no other from being made.
    async fn make(&self, batch: Batch, work: &mut Work) -> Result<(), RequestsError> {
        let Batch { cuts, flows } = batch;
        let ids: Vec<String> = cuts.iter().map(|cut| cut.request_id.to_string()).collect();
        if !flows.is_empty() {
            tracing::info!(requests = ids.join(" "), flows = flows.len(), "connections are cut");
            if let Err(error) = self.firewall.flush(&flows.into_iter().collect::<Vec<_>>()).await {
                return self.not_cut(&cuts, error.into()).await;
            }
            work.outcome.cut.extend(ids);
        }
        let now = (self.now)();
        for cut in cuts.iter().filter(|cut| now >= cut.at + LOG_LAG) {
            self.ledger.cut_done(cut).await?;
        }
        Ok(())
    }

    /// The firewall has refused it: the next tick tries again, not for ever.
    async fn not_cut(&self, cuts: &[Cut], error: RequestsError) -> Result<(), RequestsError> {
        let now = (self.now)();
        for cut in cuts {
            let given_up = now >= cut.at + GIVEN_UP;
            tracing::error!(%error, request_id = %cut.request_id, given_up, "connections were not cut");
            if given_up {
                self.ledger.cut_done(cut).await?;
            }
        }
        Err(error)
    }
}
