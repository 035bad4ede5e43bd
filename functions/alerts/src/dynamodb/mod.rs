//! The store in the project's DynamoDB table: what was blocked, in [`windows`], and in [`uses`] what grants let pass. The
//! keys and forms are those that the ledger reads, see [`egress::aws::windows`] and [`egress::aws::evidence`].
//!
//! A batch makes one write for each owner, registrable domain and window, and one for itself. What it writes again is the
//! same: so counts are exact under redelivery.

mod spells;
mod uses;
mod windows;

use aws_sdk_dynamodb::Client;
use egress::aws::evidence::{COUNTS_KEPT, Item, expiring, key};
use egress::aws::{DynamoLedger, with_causes};
use jiff::Timestamp;

use crate::batch::BatchId;
use crate::windows::StoreError;

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
        let request = self.client.get_item().table_name(&self.table).set_key(Some(key));
        let answer = request.consistent_read(true).send().await;
        answer.map(|answer| answer.item).map_err(|error| failed(what, &error))
    }

    async fn put(&self, item: Item, what: &'static str) -> Result<(), StoreError> {
        let answer = self.client.put_item().table_name(&self.table).set_item(Some(item)).send().await;
        answer.map(drop).map_err(|error| failed(what, &error))
    }

    async fn mark_as_done(&self, batch: &BatchId, now: Timestamp) -> Result<(), StoreError> {
        self.put(expiring(batch_key(batch), now, COUNTS_KEPT), "marking a batch as done").await
    }
}

fn batch_key(batch: &BatchId) -> Item {
    key(&format!("alert#batch#{batch}"), "done")
}

fn failed<E: std::error::Error>(what: &'static str, error: &E) -> StoreError {
    StoreError { what, cause: with_causes(error) }
}
