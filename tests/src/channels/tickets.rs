//! Ticket systems, as far as somebody comments in them and changes a ticket's state: GitHub, Jira, ServiceNow,
//! and a desk of no vendor. Each keeps its tickets; one that it wasn't asked about before is there, and open.

mod adf;
pub mod desk;
pub mod github;
pub mod jira;
pub mod servicenow;

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::server::Call;
use super::stand_in::{Notes, StandIn};

/// The tickets of one system, by what the system calls them: `owner/repository#1`, `EGR-1`,
/// `incident/<sys_id>`, an id.
#[derive(Debug, Clone, Default)]
pub struct Tickets {
    /// Those that somebody commented in or changed.
    pub by_key: BTreeMap<String, Ticket>,
    /// The number of the last comment.
    last: u64,
}

/// A ticket as a person sees it now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ticket {
    /// What was said in it, in order.
    pub comments: Vec<Comment>,
    /// What its state was set to: a state (`closed`, `6`), or the transition that was made (`31`).
    pub state: Option<String>,
    /// Why, where the system asks that (GitHub's `state_reason`, ServiceNow's `close_code`).
    pub reason: Option<String>,
    /// Its labels, where they were set.
    pub labels: Vec<String>,
}

/// Something that was said in a ticket.
#[derive(Debug, Clone, PartialEq)]
pub struct Comment {
    /// What a person reads.
    pub text: String,
    /// What was sent.
    pub body: Value,
    /// Whether the customer doesn't see it (ServiceNow's work notes).
    pub internal: bool,
}

impl Comment {
    fn new(text: impl Into<String>, body: Value) -> Self {
        Self { text: text.into(), body, internal: false }
    }
}

impl Tickets {
    fn ticket(&mut self, key: String) -> &mut Ticket {
        self.by_key.entry(key).or_default()
    }

    /// Adds a comment; its number.
    fn comment(&mut self, key: String, comment: Comment) -> u64 {
        self.ticket(key).comments.push(comment);
        self.last += 1;
        self.last
    }
}

impl StandIn<Tickets> {
    /// A ticket as it is now.
    pub fn ticket(&self, key: &str) -> Ticket {
        self.look(|seen| seen.now.by_key.get(key).cloned().unwrap_or_default())
    }

    /// A ticket, as soon as it is so, at most after `limit`.
    pub async fn find(
        &self,
        limit: std::time::Duration,
        key: &str,
        is_so: impl Fn(&Ticket) -> bool,
    ) -> anyhow::Result<Ticket> {
        self.until(limit, |seen| seen.now.by_key.get(key).filter(|ticket| is_so(ticket)).cloned()).await
    }
}

/// A request's body; what is wrong with it is noted and returned.
fn read<T: DeserializeOwned>(call: &Call, notes: &mut Notes) -> Result<T, String> {
    let read = if call.is_json() {
        let body = &mut serde_json::Deserializer::from_slice(&call.body);
        serde_path_to_error::deserialize(body).map_err(|error| error.to_string())
    } else {
        Err("the body is not sent as application/json".to_owned())
    };
    read.inspect_err(|error| notes.violation(error.clone()))
}
