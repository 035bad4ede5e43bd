//! A ticket was closed, and so its request is over, in the name of who closed it and by the same rules as if they had
//! said so: what waits is taken back by who asked, and denied by anybody else; what is open is revoked.

use egress::bus::Bus;
use egress::config::same_spelling;
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
        let mut ended = Firewalled::Untouched;
        let mut last = None;
        for _ in 0..MOST_EXTENSIONS {
            let Some(id) = self.latest(&closed.request_id).await? else {
                // The ticket's own request may be on its way; a ticket that never asked has nothing to end.
                return if overtaking {
                    Err(RequestsError::NoSuchRequest(closed.request_id.clone()))
                } else {
                    Ok(Firewalled::Untouched)
                };
            };
            // One that has taken its place meanwhile is ended, too.
            if last.as_ref() == Some(&id) {
                break;
            }
            ended = self.command_by(&id, |request| over(request, closed), author, overtaking, work).await?;
            last = Some(id);
        }
        Ok(ended)
    }

    /// The request, or the last one that has extended it.
    async fn latest(&self, id: &RequestId) -> Result<Option<RequestId>, RequestsError> {
        let Some(mut latest) = self.ledger.load(id).await? else { return Ok(None) };
        for _ in 0..MOST_EXTENSIONS {
            let next = match &latest.superseded_by {
                Some(next) => self.ledger.load(next).await?,
                None => None,
            };
            match next {
                Some(next) => latest = next,
                None => break,
            }
        }
        Ok(Some(latest.id))
    }
}

/// What ends a request whose ticket is closed.
fn over(request: &Request, closed: &TicketClosed) -> Option<Command> {
    let (by, reason) = (closed.by.clone(), format!("the ticket was closed: {}", closed.reason));
    match request.state {
        StateName::Pending if same_spelling(&by) == same_spelling(&request.requester) => {
            Some(Command::Withdraw { by })
        }
        StateName::Pending => Some(Command::Deny { by, comment: Some(reason) }),
        StateName::Approved | StateName::Active => Some(Command::Revoke { by, reason }),
        _ => None,
    }
}
