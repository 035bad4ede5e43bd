//! What the function `alerts` counts of blocked connections, and the ledger reads: one item for an owner, a registrable
//! domain and a window, in the partition of the domain.
//!
//! Each batch of the log has an attribute of its own in the item, or an item of its own behind it: so whatever is
//! written again is the same again, and counts once.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::items::{Item, at, corrupt, key};
use crate::counts::Counts;
use crate::domain::counted_under;
use crate::ledger::{BlockedCount, LedgerError};
use crate::owner::Owner;

/// The index in which windows wait whose digest is still to be told.
pub const DUE_INDEX: &str = "due";
/// The partitions of that index: one takes a thousand writes a second.
pub const DUE_SHARDS: u32 = 4;
/// Stands for a batch where none has to tell.
pub const NOBODY: &str = "nobody";
/// What the name of an attribute begins with that holds the counts of a batch.
const BATCH: &str = "batch#";

/// One window of one owner and one registrable domain.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WindowKey {
    /// The registrable domain, or the address where no name was asked for.
    pub domain: Arc<str>,
    /// When the window began.
    pub start: Timestamp,
    /// The owner, by [`Owner::key`].
    pub owner: Arc<str>,
}

/// The item of a window, without the counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowItem {
    /// The registrable domain, or the address.
    pub domain: String,
    /// Whose connections.
    pub owner: Owner,
    /// The owner, by [`Owner::key`].
    pub owner_key: String,
    /// When the window began.
    pub from: Timestamp,
    /// When it ends.
    pub until: Timestamp,
    /// How often it was changed: its version.
    pub updates: u64,
    /// The batch that has to tell of it at once; none as long as nobody may, because of a silence; [`NOBODY`] where an
    /// alert about the same rests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub teller: Option<String>,
    /// The batch that has to tell what raises its severity; none and [`NOBODY`] as above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raiser: Option<String>,
    /// How many connections the last digest told, or kept quiet about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digested: Option<u64>,
    /// Whether its digest is still to be told: the partition of the index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<String>,
}

/// A window as it is read: its item, and what each batch counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// The item.
    pub item: WindowItem,
    /// What each batch counted. One that stands twice counts once.
    pub batches: BTreeMap<String, Counts>,
}

/// The counts of a batch in an item of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Row {
    batch: String,
    counts: Counts,
}

impl WindowKey {
    /// The key of the window's item.
    pub fn item(&self) -> Item {
        key(&partition(&self.domain), &self.sort())
    }

    /// The item of a batch's counts that stand for themselves.
    pub fn row(&self, batch: &str, counts: &Counts) -> Result<Item, LedgerError> {
        let row = Row { batch: batch.to_owned(), counts: counts.clone() };
        let mut item = key(&partition(&self.domain), &format!("{}#{batch}", self.sort()));
        let attributes: Item = serde_dynamo::to_item(row).map_err(corrupt)?;
        item.extend(attributes);
        Ok(item)
    }

    /// Whose item this is, by its key; also of one of its batches. Nothing where it is no window's.
    pub fn of(item: &Item) -> Option<Self> {
        let part = |name| item.get(name).and_then(|value: &AttributeValue| value.as_s().ok());
        let domain = part("pk")?.strip_prefix("blocked#")?.into();
        let mut sort = part("sk")?.split('#');
        let start = Timestamp::from_microsecond(sort.next()?.parse().ok()?).ok()?;
        Some(Self { domain, start, owner: sort.next()?.into() })
    }

    /// The window's `sk`, with which those of its batches begin, too.
    pub fn sort(&self) -> String {
        at(self.start, &self.owner)
    }

    /// Where windows stand in the index whose digest is to be told: its partition, and when it can be. Those of an
    /// owner stand together, since they may be told together; and what is closed one after the other is then of many
    /// domains, and so of many partitions of the table.
    pub fn due(&self, until: Timestamp) -> (String, String) {
        let digits = self.owner.bytes().chain(self.domain.bytes()).map(u32::from);
        let shard = digits.fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte)) % DUE_SHARDS;
        (due_partition(shard), at(until, &format!("{}#{}", self.owner, self.domain)))
    }
}

/// A partition of the index of windows whose digest is to be told.
pub fn due_partition(shard: u32) -> String {
    format!("digest#{shard}")
}

/// What sorts behind all windows that ended by then.
pub fn due_until(until: Timestamp) -> String {
    at(until, "~")
}

/// The partition of what was blocked of a host, and of its neighbours.
pub fn partition(host: &str) -> String {
    format!("blocked#{}", counted_under(host))
}

/// The name of the attribute that holds the counts of a batch.
pub fn batch_attribute(batch: &str) -> String {
    format!("{BATCH}{batch}")
}

/// Counts as an attribute.
pub fn counts_attribute(counts: &Counts) -> Result<AttributeValue, LedgerError> {
    serde_dynamo::to_attribute_value(counts).map_err(corrupt)
}

/// Reads windows from the items of a partition, in the order of their keys: each window's item comes before those of
/// its batches. Batches whose window isn't among them are left out, and what can't be read is answered beside.
pub fn read(items: Vec<Item>) -> (Vec<Window>, Vec<LedgerError>) {
    let (mut windows, mut errors) = (Vec::<Window>::new(), Vec::new());
    // A window whose owner's name goes on with a space may stand between another and its batches.
    let mut places: HashMap<String, usize> = HashMap::new();
    for item in items {
        let sort = item.get("sk").and_then(|sk| sk.as_s().ok()).cloned().unwrap_or_default();
        if item.contains_key("updates") {
            match Window::read(item) {
                Ok(window) => {
                    places.insert(sort, windows.len());
                    windows.push(window);
                }
                Err(error) => errors.push(error),
            }
            continue;
        }
        let place = sort.rsplit_once('#').and_then(|(window, _)| places.get(window));
        let Some(window) = place.and_then(|place| windows.get_mut(*place)) else { continue };
        match serde_dynamo::from_item::<_, Row>(item).map_err(corrupt) {
            Ok(row) => drop(window.batches.insert(row.batch, row.counts)),
            Err(error) => errors.push(error),
        }
    }
    (windows, errors)
}

impl Window {
    /// Reads the item of a window, without those of its batches.
    pub fn read(mut item: Item) -> Result<Self, LedgerError> {
        let names: Vec<String> = item.keys().filter(|name| name.starts_with(BATCH)).cloned().collect();
        let mut batches = BTreeMap::new();
        for name in names {
            let Some(value) = item.remove(&name) else { continue };
            let counts: Counts = serde_dynamo::from_attribute_value(value).map_err(corrupt)?;
            batches.insert(name.trim_start_matches(BATCH).to_owned(), counts);
        }
        Ok(Self { item: serde_dynamo::from_item(item).map_err(corrupt)?, batches })
    }

    /// Its key.
    pub fn key(&self) -> WindowKey {
        let WindowItem { domain, owner_key, from, .. } = &self.item;
        WindowKey { domain: domain.as_str().into(), start: *from, owner: owner_key.as_str().into() }
    }

    /// What was blocked in it, by hosts.
    pub(super) fn blocked(&self) -> Vec<BlockedCount> {
        let owner = match &self.item.owner {
            Owner::Unknown { .. } => None,
            known => Some(known.to_string()),
        };
        let Some(all) = Counts::sum(self.batches.values()) else { return Vec::new() };
        let count = |host: crate::counts::HostSeen| BlockedCount {
            host: host.host,
            source: host.source.to_string(),
            connections: host.connections,
            last_seen: host.last_seen,
            signature: host.signature,
            owner: owner.clone(),
        };
        all.hosts.into_iter().map(count).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_batch_is_of_its_window_whatever_stands_between_them() {
        let at: Timestamp = "2026-05-14T09:00:00Z".parse().unwrap();
        let connections = |connections: u64| Counts {
            connections,
            first_seen: at,
            last_seen: at,
            hosts: Vec::new(),
            host_count: 0,
            sources: BTreeSet::new(),
        };
        let mut items = Vec::new();
        for name in ["alice", "alice !"] {
            let owner = Owner::Space { domain: "d-1".to_owned(), name: name.to_owned() };
            let owner_key = owner.key([10, 2, 3, 4].into());
            let key = WindowKey { domain: "pypi.org".into(), start: at, owner: owner_key.as_str().into() };
            let item = WindowItem {
                domain: "pypi.org".to_owned(),
                owner,
                owner_key,
                from: at,
                until: at,
                updates: 1,
                teller: None,
                raiser: None,
                digested: None,
                due: None,
            };
            let mut window = key.item();
            window.extend::<Item>(serde_dynamo::to_item(item).unwrap());
            window.insert(batch_attribute("first"), counts_attribute(&connections(1)).unwrap());
            items.extend([window, key.row("second", &connections(10)).unwrap()]);
        }
        items.sort_by_key(|item| item.get("sk").and_then(|sk| sk.as_s().ok()).cloned());
        let (windows, errors) = read(items);
        let sums = windows.iter().map(|window| Counts::sum(window.batches.values()).unwrap().connections);
        assert_eq!((sums.collect::<Vec<_>>(), errors), (vec![11, 11], Vec::new()));
    }
}
