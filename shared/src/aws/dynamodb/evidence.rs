//! What the function `alerts` writes of grants' uses and the ledger reads. The forms stand here once, for both.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::items::corrupt;
pub use super::items::{Item, expiring, key};
use crate::firewall::Flow;
use crate::ledger::{Evidence, LedgerError};
use crate::request::RequestId;

/// How long a connection is kept that a grant let pass, to be cut when the grant ends. What is open for longer
/// without a new record of it stays open.
const FLOW_KEPT: SignedDuration = SignedDuration::from_hours(31 * 24);
/// How long counts are kept, and what keeps a batch from counting twice: as long as a dead letter can wait in a
/// queue before it is sent again (fourteen days, which begin with the last try and not with the first).
pub const COUNTS_KEPT: SignedDuration = SignedDuration::from_hours(15 * 24);

/// What a grant let pass, in one item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// The first time.
    pub first_used_at: Timestamp,
    /// The last time.
    pub last_used_at: Timestamp,
    /// How many connections. Every write makes them more, so they are the item's version, too.
    pub connections: u64,
    /// The batch of log events that wrote first, and so has to tell of the first use.
    pub first_batch: String,
}

impl Used {
    /// Where it stands.
    pub fn key(id: &RequestId) -> Item {
        key(&uses(id), "use")
    }

    /// The item.
    pub fn item(&self, id: &RequestId) -> Result<Item, LedgerError> {
        with_attributes(Self::key(id), self)
    }

    /// An item, and whose it is.
    pub fn read(item: Item) -> Result<(RequestId, Self), LedgerError> {
        let id = item.get("pk").and_then(|pk| pk.as_s().ok()?.strip_prefix("use#").map(str::to_owned));
        let id =
            id.ok_or_else(|| LedgerError::Corrupt(format!("the key of no use: {:?}", item.get("pk"))))?;
        let id = RequestId::try_from(id).map_err(corrupt)?;
        Ok((id, serde_dynamo::from_item(item).map_err(corrupt)?))
    }
}

impl From<Used> for Evidence {
    fn from(used: Used) -> Self {
        let Used { first_used_at, last_used_at, connections, first_batch: _ } = used;
        Self { first_used_at, last_used_at, connections }
    }
}

/// A connection that a grant let pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowSeen {
    source: IpAddr,
    destination: IpAddr,
    port: u16,
    /// When the last record of it was written.
    pub last_seen: Timestamp,
}

impl FlowSeen {
    /// A connection, and when it was last seen.
    pub fn new(flow: &Flow, last_seen: Timestamp) -> Self {
        Self { source: flow.source, destination: flow.destination, port: flow.port, last_seen }
    }

    /// The connection.
    pub fn flow(&self) -> Flow {
        Flow { source: self.source, destination: self.destination, port: self.port }
    }

    /// The item. The same connection is one item, whichever batch saw it.
    pub fn item(&self, id: &RequestId, now: Timestamp) -> Result<Item, LedgerError> {
        let Self { source, destination, port, .. } = self;
        let item = with_attributes(key(&uses(id), &format!("flow#{source}#{destination}#{port}")), self)?;
        Ok(expiring(item, now, FLOW_KEPT))
    }

    pub(super) fn read(item: Item) -> Result<Self, LedgerError> {
        serde_dynamo::from_item(item).map_err(corrupt)
    }
}

/// The partition of a grant's uses.
pub(super) fn uses(id: &RequestId) -> String {
    format!("use#{id}")
}

/// The key of the note that a part of a batch's uses has been counted.
pub fn counted_key(batch: &str, part: usize) -> Item {
    key(&format!("use#batch#{batch}#{part}"), "done")
}

/// An item whose attributes are the value's fields.
fn with_attributes<T: Serialize>(mut key: Item, value: &T) -> Result<Item, LedgerError> {
    let attributes: Item = serde_dynamo::to_item(value).map_err(corrupt)?;
    key.extend(attributes);
    Ok(key)
}
