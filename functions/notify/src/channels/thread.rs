//! A request in a chat: one message that shows what it is in now, and under it, in its thread, what happened to it. The
//! two chats differ in their calls alone.
//!
//! What is noted is noted at the end, in one write. The order makes a repetition harmless: the message is edited first,
//! which changes nothing when it is done again, and the entry follows. Only where the entry was posted and neither its
//! answer nor the note arrived does it stand there twice; neither chat offers a key by which it would know.

use std::future::Future;

use egress::request::Request;
use jiff::Timestamp;

use crate::ledger::{About, Ledger, Posted, Spot};
use crate::notice::Notice;
use crate::routing::{Destination, life_of};
use crate::undelivered::Undelivered;

/// The calls of a chat.
pub trait Chat {
    /// Posts a message of its own.
    fn post(
        &self,
        to: &Destination,
        notice: &Notice,
        now: Timestamp,
    ) -> impl Future<Output = Result<Spot, Undelivered>> + Send;

    /// Brings a message up to date.
    fn edit(
        &self,
        spot: &Spot,
        to: &Destination,
        notice: &Notice,
        now: Timestamp,
    ) -> impl Future<Output = Result<Standing, Undelivered>> + Send;

    /// Posts an entry under a message.
    fn reply(
        &self,
        spot: &Spot,
        notice: &Notice,
        now: Timestamp,
    ) -> impl Future<Output = Result<Standing, Undelivered>> + Send;
}

/// Whether a message is still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is.
    There,
    /// Somebody has deleted it.
    Gone,
}

/// Tells a notice in a chat, once.
pub(super) async fn tell<C: Chat, L: Ledger>(
    chat: &C,
    ledger: &L,
    to: &Destination,
    notice: &Notice,
    now: Timestamp,
) -> Result<(), Undelivered> {
    let about = About::new(to, notice);
    let Some(known) = ledger.look(&about).await? else { return Ok(()) };
    let posted = match (life_of(notice), known.posted) {
        (None, _) => {
            chat.post(to, notice, now).await?;
            None
        }
        (Some(request), Some(posted)) => Some(follow_up(chat, to, notice, request, posted, now).await?),
        (Some(request), None) => Some(begin(chat, to, notice, request, now).await?),
    };
    Ok(ledger.told(&about, posted.as_ref(), now).await?)
}

/// The first message about a request at a destination.
async fn begin<C: Chat>(
    chat: &C,
    to: &Destination,
    notice: &Notice,
    request: &Request,
    now: Timestamp,
) -> Result<Posted, Undelivered> {
    Ok(Posted { spot: chat.post(to, notice, now).await?, version: request.version })
}

/// Each further one. An older one than the message shows, which was overtaken, doesn't turn it back, and reminds nobody
/// of what somebody has decided since.
async fn follow_up<C: Chat>(
    chat: &C,
    to: &Destination,
    notice: &Notice,
    request: &Request,
    mut posted: Posted,
    now: Timestamp,
) -> Result<Posted, Undelivered> {
    let overtaken = request.version < posted.version;
    if overtaken && matches!(notice, Notice::DecisionAwaited(_)) {
        return Ok(posted);
    }
    let shows = matches!(notice, Notice::RequestStateChanged(_) | Notice::GrantWaits(_));
    if shows && !overtaken {
        if chat.edit(&posted.spot, to, notice, now).await? == Standing::Gone {
            return begin(chat, to, notice, request, now).await;
        }
        posted.version = request.version;
    }
    match chat.reply(&posted.spot, notice, now).await? {
        Standing::There => Ok(posted),
        Standing::Gone if overtaken => Ok(posted),
        Standing::Gone => begin(chat, to, notice, request, now).await,
    }
}
