//! The store of windows in the project's DynamoDB table.
//!
//! | pk | sk | what |
//! |---|---|---|
//! | `alert#<source>` | `<destination>#<window start>` | the claim: which batch tells, and its own count |
//! | `alert#<source>` | `<destination>#<window start>#<batch>` | the count of a later batch |
//! | `alert#batch#<batch>` | `done` | the batch has told all that it owed |
//!
//! A batch writes one item for each source and destination, whose content is the same when it writes again:
//! so counts are exact under redelivery, with no item that everybody writes to. A window's count is the sum
//! over the items whose `sk` begins with its claim's; its event tells the claim's own alone, since the
//! others may come later. They are kept for a digest of what was blocked.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use egress::aws::with_causes;
use jiff::{SignedDuration, Timestamp};

use crate::batch::BatchId;
use crate::blocked::Blocked;
use crate::windows::{Claim, WindowError, Windows};

/// How long items are kept: as long as a dead letter can wait in a queue before it is sent again.
const KEPT: SignedDuration = SignedDuration::from_hours(14 * 24);

type Item = HashMap<String, AttributeValue>;

/// The table.
#[derive(Debug, Clone)]
pub struct DynamoWindows {
    client: Client,
    table: String,
}

impl DynamoWindows {
    /// The windows in the table of this name.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    async fn get(&self, key: Item, what: &'static str) -> Result<Option<Item>, WindowError> {
        let answer = self.client.get_item().table_name(&self.table).set_key(Some(key)).send().await;
        answer.map(|answer| answer.item).map_err(|error| failed(what, &error))
    }

    async fn put(&self, item: Item, what: &'static str) -> Result<(), WindowError> {
        let answer = self.client.put_item().table_name(&self.table).set_item(Some(item)).send().await;
        answer.map(drop).map_err(|error| failed(what, &error))
    }

    /// Puts the claim where there is none. Otherwise answers the claim that is there.
    async fn put_claim(&self, item: Item) -> Result<Option<Item>, WindowError> {
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

impl Windows for DynamoWindows {
    async fn is_done(&self, batch: &BatchId) -> Result<bool, WindowError> {
        Ok(self.get(batch_key(batch), "looking for a batch").await?.is_some())
    }

    async fn claim(&self, blocked: &Blocked, batch: &BatchId, now: Timestamp) -> Result<Claim, WindowError> {
        let (pk, sk) = window_key(blocked);
        // Most windows have been claimed before: reading first spares the write that would be refused.
        let claimed = match self.get(key(&pk, &sk), "reading a window's claim").await? {
            Some(claimed) => Some(claimed),
            None => self.put_claim(count(key(&pk, &sk), blocked, batch, now)).await?,
        };
        match claimed {
            None => Ok(Claim::Ours),
            Some(claim) if claim.get("batch") == Some(&text(batch.as_str())) => Ok(Claim::Ours),
            Some(_) => {
                let later = key(&pk, &format!("{sk}#{batch}"));
                self.put(count(later, blocked, batch, now), "counting into a window").await?;
                Ok(Claim::Theirs)
            }
        }
    }

    async fn done(&self, batch: &BatchId, now: Timestamp) -> Result<(), WindowError> {
        let mut item = batch_key(batch);
        item.insert("expires_at".to_owned(), expires_at(now));
        self.put(item, "marking a batch as done").await
    }
}

/// Partition and place of a window's claim. A destination has no `#` in it: it is a host's name with
/// everything else escaped, or an address.
fn window_key(blocked: &Blocked) -> (String, String) {
    (format!("alert#{}", blocked.source), format!("{}#{}", blocked.destination, blocked.window_start))
}

fn batch_key(batch: &BatchId) -> Item {
    key(&format!("alert#batch#{batch}"), "done")
}

/// What a batch has counted into a window.
fn count(mut item: Item, blocked: &Blocked, batch: &BatchId, now: Timestamp) -> Item {
    item.insert("batch".to_owned(), text(batch.as_str()));
    item.insert("connections".to_owned(), AttributeValue::N(blocked.count.to_string()));
    item.insert("first_seen".to_owned(), text(&blocked.first_seen.to_string()));
    item.insert("last_seen".to_owned(), text(&blocked.last_seen.to_string()));
    item.insert("expires_at".to_owned(), expires_at(now));
    item
}

fn key(pk: &str, sk: &str) -> Item {
    HashMap::from([("pk".to_owned(), text(pk)), ("sk".to_owned(), text(sk))])
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn expires_at(now: Timestamp) -> AttributeValue {
    AttributeValue::N(now.saturating_add(KEPT).unwrap_or(Timestamp::MAX).as_second().to_string())
}

fn failed<E: std::error::Error>(what: &'static str, error: &E) -> WindowError {
    WindowError { what, cause: with_causes(error) }
}
