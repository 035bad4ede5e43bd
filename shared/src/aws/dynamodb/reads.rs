//! Reading: one item, many by their keys, and the rows of a partition.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::operation::query::QueryOutput;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use jiff::Timestamp;
use serde::Deserialize;
use tokio::time::sleep;

use super::items::{Item, at, body, corrupt, readable};
use super::{DynamoLedger, PAGE, unavailable};
use crate::ledger::LedgerError;

/// The most items that DynamoDB reads by their keys at once.
const MOST_KEYS: usize = 100;
/// How often keys are asked for again that DynamoDB left unread: by then it is busy, not only the answer full.
const MOST_TRIES: u32 = 8;
/// The pause before keys are asked for again; it doubles with each try, to seven seconds in all.
const FIRST_PAUSE: Duration = Duration::from_millis(25);

impl DynamoLedger {
    /// An item that may not be there, read strongly consistent.
    pub(super) async fn item(&self, key: Item) -> Result<Option<Item>, LedgerError> {
        let request = self.client.get_item().table_name(&self.table).set_key(Some(key));
        let answer = request.consistent_read(true).send().await.map_err(|error| unavailable(&error))?;
        Ok(answer.item)
    }

    /// Those of some items that are there, read strongly consistent, in any order. No key may be in it twice.
    pub async fn items(&self, keys: &[Item]) -> Result<Vec<Item>, LedgerError> {
        let mut found = Vec::with_capacity(keys.len());
        for keys in keys.chunks(MOST_KEYS) {
            self.add_items(keys.to_vec(), &mut found).await?;
        }
        Ok(found)
    }

    async fn add_items(&self, mut keys: Vec<Item>, found: &mut Vec<Item>) -> Result<(), LedgerError> {
        let mut pause = FIRST_PAUSE;
        for _ in 0..MOST_TRIES {
            let wanted = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true);
            let wanted = HashMap::from([(self.table.clone(), wanted.build().map_err(corrupt)?)]);
            let answer = self.client.batch_get_item().set_request_items(Some(wanted)).send().await;
            let answer = answer.map_err(|error| unavailable(&error))?;
            found.extend(answer.responses.unwrap_or_default().into_values().flatten());
            let left = answer.unprocessed_keys.unwrap_or_default();
            keys = left.into_values().flat_map(|left| left.keys).collect();
            if keys.is_empty() {
                return Ok(());
            }
            sleep(pause).await;
            pause *= 2;
        }
        Err(LedgerError::Unavailable(format!("DynamoDB has left items unread {MOST_TRIES} times")))
    }

    /// The rows of a range, at most as many as it says.
    pub(super) async fn rows(&self, rows: &Rows<'_>) -> Result<Vec<Item>, LedgerError> {
        let (mut items, mut behind) = (Vec::new(), None);
        loop {
            let page = self.query(rows, None, behind).await?;
            items.extend(page.items.unwrap_or_default());
            behind = page.last_evaluated_key;
            if behind.is_none() || items.len() >= rows.most {
                items.truncate(rows.most);
                return Ok(items);
            }
        }
    }

    /// The first page of a range in which there is anything that can be read: rows that can't, as many as they
    /// may be, don't hide those behind them.
    pub(super) async fn page<T: for<'de> Deserialize<'de>>(
        &self,
        rows: &Rows<'_>,
    ) -> Result<Vec<T>, LedgerError> {
        let mut behind = None;
        loop {
            let page = self.query(rows, Some(PAGE), behind).await?;
            let values = readable(page.items.unwrap_or_default(), body);
            behind = page.last_evaluated_key;
            if behind.is_none() || !values.is_empty() {
                return Ok(values);
            }
        }
    }

    async fn query(
        &self,
        rows: &Rows<'_>,
        limit: Option<i32>,
        behind: Option<Item>,
    ) -> Result<QueryOutput, LedgerError> {
        // DynamoDB refuses a range that ends before it begins.
        if rows.from > rows.to {
            return Ok(QueryOutput::builder().build());
        }
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(rows.consistent)
            .scan_index_forward(!rows.last_first)
            .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :to")
            .expression_attribute_values(":pk", AttributeValue::S(rows.pk.to_owned()))
            .expression_attribute_values(":from", AttributeValue::S(rows.from.clone()))
            .expression_attribute_values(":to", AttributeValue::S(rows.to.clone()))
            .set_limit(limit)
            .set_exclusive_start_key(behind);
        let page = query.send().await.map_err(|error| unavailable(&error))?;
        Ok(page)
    }
}

/// A range of one partition.
pub(super) struct Rows<'a> {
    pk: &'a str,
    from: String,
    to: String,
    consistent: bool,
    last_first: bool,
    most: usize,
}

impl<'a> Rows<'a> {
    /// Every `sk` that begins so. `~` sorts behind all that our keys are made of.
    pub(super) fn all(pk: &'a str, prefix: &str) -> Self {
        Self {
            pk,
            from: if prefix.is_empty() { " ".to_owned() } else { prefix.to_owned() },
            to: format!("{prefix}~"),
            consistent: true,
            last_first: false,
            most: usize::MAX,
        }
    }

    /// Those whose key's time is not after `until`.
    pub(super) fn until(pk: &'a str, until: Timestamp) -> Self {
        Self { from: "0".to_owned(), to: at(until, "~"), ..Self::all(pk, "") }
    }

    /// Those whose key's time is not before `since`, the last first, at most `most`; perhaps without what was
    /// written a moment ago.
    pub(super) fn last_since(pk: &'a str, since: Timestamp, most: usize) -> Self {
        Self { from: at(since, ""), last_first: true, most, consistent: false, ..Self::all(pk, "") }
    }

    /// Only those behind this key. A space sorts behind the key itself, and before all else that begins so.
    pub(super) fn behind(self, sk: &str) -> Self {
        Self { from: format!("{sk} "), ..self }
    }

    /// At most so many, and perhaps without what was written a moment ago.
    pub(super) fn some(self, most: usize) -> Self {
        Self { most, consistent: false, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reconcile_reads_is_strongly_consistent() {
        assert!(Rows::all("live", "").consistent);
    }
}
