//! What grants let pass, in the project's DynamoDB table. Nothing here deletes: connections are put one by one,
//! since who may use `BatchWriteItem` may delete by it.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::builders::PutBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use egress::aws::evidence::{COUNTS_KEPT, FlowSeen, Item, Used, counted_key, expiring};
use egress::request::RequestId;
use jiff::Timestamp;

use super::{DynamoStore, failed};
use crate::evidence::{Count, Counted, Evidence, Part};
use crate::windows::StoreError;

const COUNTING: &str = "counting uses of grants";

impl DynamoStore {
    /// The note that a part is counted, and then its grants.
    fn writes(&self, part: &Part<'_>, now: Timestamp) -> Result<Vec<TransactWriteItem>, StoreError> {
        let note = expiring(counted_key(part.batch.as_str(), part.number), now, COUNTS_KEPT);
        let mut writes = vec![as_write(self.new_item(note))?];
        for Count { grant, before, after } in &part.grants {
            let item = after.item(grant).map_err(|error| failed(COUNTING, &error))?;
            writes.push(as_write(match before {
                None => self.new_item(item),
                Some(before) => self.item_after(item, *before),
            })?);
        }
        Ok(writes)
    }

    fn new_item(&self, item: Item) -> PutBuilder {
        let put = Put::builder().table_name(&self.table).set_item(Some(item));
        put.condition_expression("attribute_not_exists(pk)")
    }

    fn item_after(&self, item: Item, connections: u64) -> PutBuilder {
        let put = Put::builder().table_name(&self.table).set_item(Some(item));
        put.condition_expression("#connections = :connections")
            .expression_attribute_names("#connections", "connections")
            .expression_attribute_values(":connections", AttributeValue::N(connections.to_string()))
    }
}

impl Evidence for DynamoStore {
    async fn used(&self, grants: &BTreeSet<&RequestId>) -> Result<BTreeMap<RequestId, Used>, StoreError> {
        self.ledger.used(grants).await.map_err(|error| failed("reading uses of grants", &error))
    }

    async fn count(&self, part: &Part<'_>, now: Timestamp) -> Result<Counted, StoreError> {
        let writes = self.writes(part, now)?;
        let answer = self.client.transact_write_items().set_transact_items(Some(writes)).send().await;
        let Err(error) = answer else { return Ok(Counted::Now) };
        match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                let codes = cancelled.cancellation_reasons().iter().map(|reason| reason.code());
                refused(codes.map(Option::unwrap_or_default)).ok_or_else(|| failed(COUNTING, &error))
            }
            _ => Err(failed(COUNTING, &error)),
        }
    }

    async fn keep(&self, grant: &RequestId, flow: &FlowSeen, now: Timestamp) -> Result<(), StoreError> {
        const KEEPING: &str = "keeping a connection";
        self.put(flow.item(grant, now).map_err(|error| failed(KEEPING, &error))?, KEEPING).await
    }
}

/// What the reasons say for which a transaction was refused, the note's first.
fn refused<'a>(codes: impl IntoIterator<Item = &'a str>) -> Option<Counted> {
    let mut codes = codes.into_iter();
    let note = codes.next()?;
    if note == "ConditionalCheckFailed" {
        return Some(Counted::Before);
    }
    let overtaken = |code: &str| matches!(code, "ConditionalCheckFailed" | "TransactionConflict");
    (overtaken(note) || codes.any(overtaken)).then_some(Counted::Overtaken)
}

fn as_write(put: PutBuilder) -> Result<TransactWriteItem, StoreError> {
    let put = put.build().map_err(|error| failed(COUNTING, &error))?;
    Ok(TransactWriteItem::builder().put(put).build())
}
