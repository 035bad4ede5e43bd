//! A ticket was closed, and so its request is over: what of it waits is withdrawn, what is open is revoked, in the
//! name of who closed it and by the same rules as if they had said so.

use egress::bus::Bus;
use egress::events::TicketClosed;
use egress::firewall::Firewall;
use egress::ledger::Ledger;
use egress::lifecycle::{Author, Command};
use egress::request::{Request, RequestId, StateName};

use crate::work::Work;
use crate::{Firewalled, Requests, RequestsError};

/// So many extensions, one of the other, are followed: more than anybody asks for.
const MOST_EXTENSIONS: usize = 100;

impl<F: Firewall, L: Ledger, B: Bus> Requests<F, L, B> {
    /// Ends what a closed ticket has led to. Nothing is answered where nothing is left to end: tickets are closed
    /// when all is done, too.
    pub(crate) async fn close(
        &self,
        closed: &TicketClosed,
        author: &Author,
        overtaking: bool,
        work: &mut Work,
    ) -> Result<Firewalled, RequestsError> {
        let Some(request) = self.latest(&closed.request_id).await? else {
            // The ticket's own request may be on its way; a ticket that never asked has nothing to end.
            return if overtaking {
                Err(RequestsError::NoSuchRequest(closed.request_id.clone()))
            } else {
                Ok(Firewalled::Untouched)
            };
        };
        let by = closed.by.clone();
        let command = match request.state {
            StateName::Pending => Command::Withdraw { by },
            StateName::Approved | StateName::Active => {
                Command::Revoke { by, reason: format!("the ticket was closed: {}", closed.reason) }
            }
            _ => {
                tracing::info!(request_id = %request.id, state = %request.state, "a closed ticket has nothing to end");
                return Ok(Firewalled::Untouched);
            }
        };
        self.command(&request.id, &command, author, overtaking, work).await
    }

    /// The request, or the last one that has extended it.
    async fn latest(&self, id: &RequestId) -> Result<Option<Request>, RequestsError> {
        let mut latest = self.ledger.load(id).await?;
        for _ in 0..MOST_EXTENSIONS {
            let Some(next) = latest.as_ref().and_then(|request| request.superseded_by.clone()) else { break };
            latest = self.ledger.load(&next).await?;
        }
        Ok(latest)
    }
}
