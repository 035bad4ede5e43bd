//! The ways to tell: one module for each.
//!
//! - [`slack`], [`teams`]: one message for each request, brought up to date, with what happened to it under it
//!   (see [`thread`]).
//! - [`tickets`]: a comment on the ticket, and the state in which it is.
//! - [`topics`]: mail, and Amazon Q Developer in chat applications.

use std::time::Duration;

use crate::routing::Destination;
use crate::undelivered::Undelivered;

pub mod slack;
pub mod teams;
pub mod thread;
pub mod tickets;
pub mod topics;

/// How long one call may take. A notice takes four at most, of the function's minute.
pub const ONE_CALL: Duration = Duration::from_secs(10);

/// A destination of another channel, in the wrong queue.
fn misled(to: &Destination) -> Undelivered {
    Undelivered::never(format!("{to} is no destination of this channel"))
}
