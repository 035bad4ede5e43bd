//! What a value of an event has to be; an error names its field.

use super::EventError;
use crate::request::ReplyTo;

/// The longest texts that are taken, in characters.
pub(super) mod longest {
    /// A person's address or id, a message key, a preset's or a ticket's name.
    pub(in crate::events) const NAME: usize = 256;
    /// A justification, a comment, a reason, a reply address.
    pub(in crate::events) const TEXT: usize = 2_000;
    /// An owner's key: what it is made of has at most 63 characters each, or is an address.
    pub(in crate::events) const OWNER: usize = 400;
    /// Domains in one request: what is reviewed by a person has to fit on a screen.
    pub(in crate::events) const DOMAINS: usize = 20;
}

/// A name: one line of at most 256 characters without control characters.
pub(super) fn check_name(name: &'static str, value: &str) -> Result<(), EventError> {
    check_line(name, value, longest::NAME)
}

/// One line of at most so many characters without control characters.
pub(super) fn check_line(name: &'static str, value: &str, longest: usize) -> Result<(), EventError> {
    if value.trim().is_empty() {
        return Err(field(name, "is empty"));
    }
    if value.chars().count() > longest {
        return Err(field(name, format!("has more than {longest} characters")));
    }
    if value.chars().any(char::is_control) {
        return Err(field(name, "has control characters in it"));
    }
    Ok(())
}

/// A text in somebody's own words.
pub(super) fn check_text(name: &'static str, value: &str) -> Result<(), EventError> {
    if value.trim().is_empty() {
        return Err(field(name, "is empty"));
    }
    if value.chars().count() > longest::TEXT {
        return Err(field(name, format!("has more than {} characters", longest::TEXT)));
    }
    Ok(())
}

/// How long a grant is wanted, in seconds.
pub(super) fn check_duration(seconds: Option<u64>) -> Result<(), EventError> {
    match seconds {
        Some(0) => Err(field("duration_seconds", "is 0: leave it out for the usual time")),
        _ => Ok(()),
    }
}

/// Where somebody wants to be answered.
pub(super) fn check_reply(reply_to: Option<&ReplyTo>) -> Result<(), EventError> {
    let Some(ReplyTo { via, to }) = reply_to else { return Ok(()) };
    check_name("reply_to.via", via)?;
    check_text("reply_to.to", to)
}

/// The error about a field.
pub(super) fn field(field: &'static str, problem: impl Into<String>) -> EventError {
    EventError::Field { field, problem: problem.into() }
}
