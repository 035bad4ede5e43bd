//! What goes wrong with a request, by a script: one fault a request, in order, or one for all of them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use crate::memory::lock;

/// What goes wrong with one request.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// It comes too soon: 429, with `Retry-After` in seconds. It isn't taken.
    TooMany {
        /// What `Retry-After` says.
        retry_after: u64,
    },
    /// It is answered with this status, e.g. 500, 403 or 404, and isn't taken.
    Status(u16),
    /// It is answered with this status and body, and isn't taken: what only one system says, e.g. Slack's
    /// `{"ok": false, "error": "is_archived"}` with 200.
    Answer {
        /// The HTTP status.
        status: u16,
        /// The body.
        body: Value,
    },
    /// It is taken at once, and its answer takes time.
    Slow(Duration),
    /// The connection is closed without an answer. It isn't taken.
    HangUp,
    /// It is taken, and the connection is closed without an answer: the sender can't know.
    AnswerLost,
}

/// The faults that the requests to one stand-in meet. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<Planned>>);

#[derive(Debug, Default)]
struct Planned {
    next: VecDeque<Fault>,
    all: Option<Fault>,
}

impl Faults {
    /// The next request without a fault of its own meets this one.
    pub fn once(&self, fault: Fault) {
        lock(&self.0).next.push_back(fault);
    }

    /// Every request that has no fault of its own meets this one, until [`Faults::clear`].
    pub fn always(&self, fault: Fault) {
        lock(&self.0).all = Some(fault);
    }

    /// No faults any more.
    pub fn clear(&self) {
        *lock(&self.0) = Planned::default();
    }

    /// How many of the faults that were planned for one request each have met none yet.
    pub fn left(&self) -> usize {
        lock(&self.0).next.len()
    }

    /// The fault of the request that has just come.
    pub(super) fn take(&self) -> Option<Fault> {
        let mut planned = lock(&self.0);
        planned.next.pop_front().or_else(|| planned.all.clone())
    }
}
