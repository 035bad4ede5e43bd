//! The store in the project's DynamoDB table: who tells about which window here, and in [`uses`] what grants
//! let pass. The keys and forms are those that the ledger reads, see [`egress::aws::evidence`].
//!
//! A batch writes one item for each source and destination, whose content is the same when it writes again:
//! so counts are exact under redelivery, with no item that everybody writes to. A window's count is the sum
//! over the items whose `sk` begins with its claim's; its event tells the claim's own alone, since the
//! others may come later.

mod uses;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use egress::aws::evidence::{COUNTS_KEPT, Item, blocked_item, blocked_key, expiring, key};
use egress::aws::{DynamoLedger, with_causes};
use egress::ledger::BlockedCount;
use jiff::Timestamp;

use crate::batch::BatchId;
use crate::blocked::Blocked;
use crate::windows::{Claim, StoreError, Windows};

/// The table.
#[derive(Debug, Clone)]
pub struct DynamoStore {
    client: Client,
    table: String,
    ledger: DynamoLedger,
}

impl DynamoStore {
    /// The store in the table of this name.
    pub fn new(client: Client, table: String) -> Self {
        Self { ledger: DynamoLedger::new(client.clone(), table.clone()), client, table }
    }

    async fn get(&self, key: Item, what: &'static str) -> Result<Option<Item>, StoreError> {
        let answer = self.client.get_item().table_name(&self.table).set_key(Some(key)).send().await;
        answer.map(|answer| answer.item).map_err(|error| failed(what, &error))
    }

    async fn put(&self, item: Item, what: &'static str) -> Result<(), StoreError> {
        let answer = self.client.put_item().table_name(&self.table).set_item(Some(item)).send().await;
        answer.map(drop).map_err(|error| failed(what, &error))
    }

    /// Puts the claim where there is none. Otherwise answers the claim that is there.
    async fn put_claim(&self, item: Item) -> Result<Option<Item>, StoreError> {
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
        let put = put
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match put.send().await {
            Ok(_) => Ok(None),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(refused)) => {
                    Ok(Some(refused.item().cloned().unwrap_or_default()))
                }
                _ => Err(failed("claiming a window", &error)),
            },
        }
    }
}

impl Windows for DynamoStore {
    async fn is_done(&self, batch: &BatchId) -> Result<bool, StoreError> {
        Ok(self.get(batch_key(batch), "looking for a batch").await?.is_some())
    }

    async fn claim(&self, blocked: &Blocked, batch: &BatchId, now: Timestamp) -> Result<Claim, StoreError> {
        // Most windows have been claimed before: reading first spares the write that would be refused.
        let claimed = match self.get(window_key(blocked, None), "reading a window's claim").await? {
            Some(claimed) => Some(claimed),
            None => self.put_claim(count(blocked, None, batch, now)?).await?,
        };
        match claimed {
            None => Ok(Claim::Ours),
            Some(claim) if claim.get("batch") == Some(&text(batch.as_str())) => Ok(Claim::Ours),
            Some(_) => {
                let later = count(blocked, Some(batch), batch, now)?;
                self.put(later, "counting into a window").await?;
                Ok(Claim::Theirs)
            }
        }
    }

    async fn done(&self, batch: &BatchId, now: Timestamp) -> Result<(), StoreError> {
        self.put(expiring(batch_key(batch), now, COUNTS_KEPT), "marking a batch as done").await
    }
}

/// Where a window's claim stands, or the count of a later batch.
fn window_key(blocked: &Blocked, later: Option<&BatchId>) -> Item {
    blocked_key(&blocked.destination, blocked.source, blocked.window_start, later.map(BatchId::as_str))
}

fn batch_key(batch: &BatchId) -> Item {
    key(&format!("alert#batch#{batch}"), "done")
}

/// What a batch has counted into a window.
fn count(
    blocked: &Blocked,
    later: Option<&BatchId>,
    batch: &BatchId,
    now: Timestamp,
) -> Result<Item, StoreError> {
    let count = BlockedCount {
        host: blocked.destination.clone(),
        source: blocked.source.to_string(),
        connections: blocked.count,
        last_seen: blocked.last_seen,
        signature: blocked.signature.clone(),
    };
    let item = blocked_item(window_key(blocked, later), &count, now);
    let mut item = item.map_err(|error| failed("writing a count as an item", &error))?;
    item.insert("batch".to_owned(), text(batch.as_str()));
    Ok(item)
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn failed<E: std::error::Error>(what: &'static str, error: &E) -> StoreError {
    StoreError { what, cause: with_causes(error) }
}
