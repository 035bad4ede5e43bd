//! Work that takes longer than Lambda gives one invocation (15 minutes): the same event, with what the
//! next invocation has to know beside what CloudFormation sent.
//!
//! It goes to the function itself, as an asynchronous invocation, and through no store: the event holds
//! the `ResponseURL`, which is a credential.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The field of the event. CloudFormation has none of this name.
pub(super) const FIELD: &str = "Continuation";

/// What an invocation hands to the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Continuation {
    /// When CloudFormation asked, or the first invocation began, in milliseconds since 1970.
    pub(crate) started: u64,
    /// How many invocations there were before.
    pub(crate) invocations: u32,
    /// What the last one waited for.
    pub(crate) waiting_for: String,
    /// What the resource remembers.
    pub(crate) state: Value,
}

impl Continuation {
    /// The event for the next invocation.
    pub(crate) fn event(&self, mut event: Value) -> Value {
        if let (Value::Object(event), Ok(continuation)) = (&mut event, serde_json::to_value(self)) {
            event.insert(FIELD.to_owned(), continuation);
        }
        event
    }

    /// What an event continues; none when it is CloudFormation's own.
    pub(super) fn read(value: Value) -> Option<Self> {
        serde_json::from_value(value).ok()
    }
}
