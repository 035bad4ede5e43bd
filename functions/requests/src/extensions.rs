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

impl<F: Firewall, L: Ledger, B: Bus> Requests<F, L, B> {
    /// Ends the grants whose extensions are active; whether there were any, so that their ids have to be taken
    /// out of the rules. What a crash leaves of that, the tick finds.
    pub(crate) async fn supersede(&self, work: &mut Work) -> Result<bool, RequestsError> {
        if !std::mem::take(&mut work.extended) {
            return Ok(false);
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
        Ok(superseded)
    }

    /// Ends the grants that are not active yet and extend one that was revoked; whether there were any.
    pub(crate) async fn end_with_the_revoked(
        &self,
        reconciled: &Reconciled,
        work: &mut Work,
    ) -> Result<bool, RequestsError> {
        let live: BTreeSet<&RequestId> = reconciled.live.iter().map(|grant| &grant.request_id).collect();
        let mut ended = false;
        for extension in reconciled.live.iter().filter(|grant| !grant.active) {
            let Some(original) = extension.extends.as_ref().filter(|original| !live.contains(original))
            else {
                continue;
            };
            let request = self.ledger.load(original).await?;
            if request.is_some_and(|request| request.ending == Some(Ending::Revoked)) {
                let command = Command::EndWith { original: original.clone() };
                ended |= self.system_command(&extension.request_id, &command, work).await? == Some(true);
            }
        }
        Ok(ended)
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
