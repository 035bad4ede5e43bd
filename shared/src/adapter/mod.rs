//! Ticket systems, each as a table of `egress.toml` and no code: how what it sends is proved, where in it
//! things stand, and what it is sent.
//!
//! - [`settings`]: the table.
//! - [`reading`]: what a system sends, as what somebody says ([`reading::Said`]), by JSONPath (RFC 9535).
//! - [`writing`]: what a system is sent, by templates: a comment for each notice, a transition for each state.
//!
//! A ticket is one request: the message that asks has the ticket's name in its key, so what is said later of the
//! ticket finds the request without anybody having looked it up.

pub mod reading;
pub mod settings;
pub mod writing;

use crate::request::RequestId;

/// Why a table can't be used: the field, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("adapters.{adapter}.{field}: {problem}")]
pub struct AdapterError {
    /// The adapter.
    pub adapter: String,
    /// The field in its table.
    pub field: String,
    /// What is wrong with it.
    pub problem: String,
}

/// The key of the message by which a ticket asks.
pub fn message_key(adapter: &str, ticket: &str) -> String {
    format!("{adapter}:ticket:{ticket}")
}

/// The request that a ticket asks for.
pub fn request_of(adapter: &str, ticket: &str) -> RequestId {
    RequestId::of_message(&message_key(adapter, ticket))
}
