//! Events on the bus become messages that people read: in Slack and Teams, on tickets, by mail.
//!
//! One function, the dispatcher, finds out for each event to whom it goes, and puts it into the queue of each channel
//! that tells somebody; one function for each channel tells what is in its queue. All are this crate.
//!
//! - [`notice`]: the events that people hear of, read and checked.
//! - [`message`] and [`render`]: what they read, pure functions of the event; [`plain`]: text from outside, made fit
//!   for it.
//! - [`routing`]: to whom an event goes, a pure function, too; [`mod@dispatch`], with [`queue`]: on the way there.
//! - [`batch`]: what becomes of each message of a queue; [`undelivered`] and [`pause`]: what is tried again, and when.
//! - [`channels`]: the ways to tell, with the [`ledger`] of what has been told and their [`secrets`].
//!
//! The edges to AWS: [`sqs`], [`dynamodb`], [`sns`].

pub mod batch;
pub mod channels;
pub mod dispatch;
pub mod dynamodb;
pub mod ledger;
pub mod message;
pub mod notice;
pub mod pause;
pub mod plain;
pub mod queue;
pub mod render;
pub mod routing;
pub mod secrets;
pub mod sns;
pub mod sqs;
pub mod undelivered;
