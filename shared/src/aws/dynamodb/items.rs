//! Items: their keys, and values in and out of them.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::ledger::LedgerError;

/// The attributes of an item by their names.
pub type Item = HashMap<String, AttributeValue>;

/// The key of an item.
pub fn key(pk: &str, sk: &str) -> Item {
    HashMap::from([("pk".to_owned(), text(pk)), ("sk".to_owned(), text(sk))])
}

/// The item, which goes when it has been kept for so long: DynamoDB deletes it within some days after that.
#[must_use]
pub fn expiring(mut item: Item, now: Timestamp, kept: SignedDuration) -> Item {
    let expires_at = now.saturating_add(kept).unwrap_or(Timestamp::MAX);
    item.insert("expires_at".to_owned(), AttributeValue::N(expires_at.as_second().to_string()));
    item
}

/// A time in a key, and what it is about.
pub(super) fn at(time: Timestamp, about: &str) -> String {
    format!("{:020}#{about}", time.as_microsecond().max(0))
}

/// An item whose `body` is this value.
pub(super) fn item<T: Serialize>(pk: &str, sk: &str, value: &T) -> Result<Item, LedgerError> {
    let mut item = key(pk, sk);
    item.insert("body".to_owned(), serde_dynamo::to_attribute_value(value).map_err(corrupt)?);
    Ok(item)
}

/// The value of an item's `body`.
pub(super) fn body<T: for<'de> Deserialize<'de>>(mut item: Item) -> Result<T, LedgerError> {
    let body = item
        .remove("body")
        .ok_or_else(|| LedgerError::Corrupt(format!("an item without a body: {item:?}")))?;
    serde_dynamo::from_attribute_value(body).map_err(corrupt)
}

/// The rows that can be read. One that can't is said and left out, so that it doesn't hold up the others;
/// a live grant that can't be read is closed by that, which is the safe side.
pub(super) fn readable<T>(items: Vec<Item>, read: fn(Item) -> Result<T, LedgerError>) -> Vec<T> {
    let read = |item: Item| {
        let key = format!("{:?} {:?}", item.get("pk"), item.get("sk"));
        read(item).inspect_err(|error| tracing::error!(%error, key, "a row of the ledger can't be read")).ok()
    };
    items.into_iter().filter_map(read).collect()
}

/// A text as an attribute.
pub(super) fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

pub(super) fn corrupt<E: std::error::Error>(error: E) -> LedgerError {
    LedgerError::Corrupt(error.to_string())
}
