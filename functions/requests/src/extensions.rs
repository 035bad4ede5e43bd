//! Extensions and what they extend: the one takes the other's place, and doesn't outlive that it was revoked.

use std::collections::BTreeSet;

use egress::bus::Bus;
use egress::firewall::Firewall;
use egress::ledger::Ledger;
use egress::lifecycle::Command;
use egress::reconcile::Reconciled;
use egress::request::{Ending, RequestId};

use crate::work::Work;
use crate::{Requests, RequestsError};

/// Grants that were ended together.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    /// Whether there were any.
    pub(crate) any: bool,
    /// The first failure; one that can't be ended keeps no other.
    pub(crate) failed: Option<RequestsError>,
}

impl Ended {
    fn add(&mut self, outcome: Result<Option<bool>, RequestsError>) {
        match outcome {
            Ok(outcome) => self.any |= outcome == Some(true),
            Err(error) => {
                tracing::error!(%error, "a grant was not ended");
                self.failed.get_or_insert(error);
            }
        }
    }

    /// What failed, if anything.
    pub(crate) fn result(self) -> Result<(), RequestsError> {
        self.failed.map_or(Ok(()), Err)
    }
}

impl<F: Firewall, L: Ledger, B: Bus> Requests<F, L, B> {
    /// Ends the grants whose extensions are active; whether there were any, so that their ids have to be taken
    /// out of the rules. What a crash or a failure leaves of that, the tick finds.
    pub(crate) async fn supersede(&self, work: &mut Work) -> Ended {
        if !std::mem::take(&mut work.extended) {
            return Ended::default();
        }
        let live = match self.ledger.live_grants().await {
            Ok(live) => live,
            Err(error) => return Ended { any: false, failed: Some(error.into()) },
        };
        let ids: BTreeSet<&RequestId> = live.iter().map(|grant| &grant.request_id).collect();
        let mut ended = Ended::default();
        for extension in live.iter().filter(|grant| grant.active) {
            let Some(original) = extension.extends.as_ref().filter(|original| ids.contains(original)) else {
                continue;
            };
            let command = Command::Supersede { by: extension.request_id.clone(), until: extension.ends_at };
            ended.add(self.system_command(original, &command, work).await);
        }
        ended
    }

    /// Ends the grants that extend one that was revoked; whether there were any. Those that are active have to be
    /// looked at only where something went wrong before, which is the tick's part.
    pub(crate) async fn end_with_the_revoked(&self, reconciled: &Reconciled, work: &mut Work) -> Ended {
        let live: BTreeSet<&RequestId> = reconciled.live.iter().map(|grant| &grant.request_id).collect();
        let (mut ended, also_active) = (Ended::default(), work.extended);
        for extension in reconciled.live.iter().filter(|grant| !grant.active || also_active) {
            let Some(original) = extension.extends.as_ref().filter(|original| !live.contains(original))
            else {
                continue;
            };
            match self.is_revoked(original, &extension.request_id).await {
                Ok(false) => {}
                Ok(true) => {
                    let command = Command::EndWith { original: original.clone() };
                    ended.add(self.system_command(&extension.request_id, &command, work).await);
                }
                Err(error) => ended.add(Err(error)),
            }
        }
        ended
    }

    /// Whether a grant, or what took its place and is not this extension, was revoked.
    pub(crate) async fn is_revoked(
        &self,
        original: &RequestId,
        extension: &RequestId,
    ) -> Result<bool, RequestsError> {
        let mut next = Some(original.clone());
        while let Some(id) = next.filter(|id| id != extension) {
            let Some(request) = self.ledger.load(&id).await? else { return Ok(false) };
            if request.ending == Some(Ending::Revoked) {
                return Ok(true);
            }
            next = request.superseded_by;
        }
        Ok(false)
    }

    /// A grant and those whose place it has taken: their connections went on with it.
    pub(crate) async fn with_what_it_extended(
        &self,
        id: &RequestId,
    ) -> Result<Vec<RequestId>, RequestsError> {
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
