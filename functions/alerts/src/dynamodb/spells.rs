//! Whose addresses were, in the project's DynamoDB table: `address#<address>`, `<since when>#<interface>`. Goes
//! fifteen days after it was last written, as what batches count does.

use std::net::Ipv4Addr;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use egress::aws::evidence::{COUNTS_KEPT, Item, expiring, key};
use egress::owner::Owner;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{DynamoStore, failed};
use crate::owners::spells::{REFRESHED, Spell, Spells};
use crate::windows::StoreError;

const KEEPING: &str = "keeping whose an address is";
const READING: &str = "reading whose an address was";

/// A spell, as an item has it: times in microseconds since 1970, so that they can be compared.
#[derive(Debug, Serialize, Deserialize)]
struct Row {
    owner: Owner,
    interface: String,
    from: i64,
    seen_until: i64,
}

impl Spells for DynamoStore {
    async fn keep(&self, address: Ipv4Addr, spell: &Spell) -> Result<Option<Spell>, StoreError> {
        let row = serde_dynamo::to_item(Row::of(spell)).map_err(|error| failed(KEEPING, &error))?;
        let row: Item = row;
        let owner = row.get("owner").cloned().unwrap_or(AttributeValue::Null(true));
        let stale = spell.seen_until.saturating_sub(REFRESHED).unwrap_or(Timestamp::MIN).as_microsecond();
        let sk = format!("{}#{}", digits(spell.from), spell.interface);
        let mut item = expiring(key(&partition(address), &sk), spell.seen_until, COUNTS_KEPT);
        item.extend(row);
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
        let put = put
            .condition_expression("attribute_not_exists(pk) OR (seen_until <= :stale AND #owner = :owner)")
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_values(":owner", owner)
            .expression_attribute_values(":stale", AttributeValue::N(stale.to_string()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let Err(error) = put.send().await else { return Ok(None) };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(refused)) => {
                read(refused.item().cloned().unwrap_or_default(), KEEPING).map(Some)
            }
            _ => Err(failed(KEEPING, &error)),
        }
    }

    async fn last(&self, address: Ipv4Addr, by: Timestamp) -> Result<Option<Spell>, StoreError> {
        let query = self.client.query().table_name(&self.table).consistent_read(true);
        let query = query
            .key_condition_expression("pk = :pk AND sk <= :by")
            .expression_attribute_values(":pk", AttributeValue::S(partition(address)))
            // Behind all interfaces of that time.
            .expression_attribute_values(":by", AttributeValue::S(format!("{}#~", digits(by))))
            .scan_index_forward(false)
            .limit(1);
        let answer = query.send().await.map_err(|error| failed(READING, &error))?;
        answer.items.unwrap_or_default().pop().map(|item| read(item, READING)).transpose()
    }
}

impl Row {
    fn of(Spell { owner, interface, from, seen_until }: &Spell) -> Self {
        let (owner, interface) = (owner.clone(), interface.clone());
        Self { owner, interface, from: from.as_microsecond(), seen_until: seen_until.as_microsecond() }
    }
}

fn partition(address: Ipv4Addr) -> String {
    format!("address#{address}")
}

fn digits(time: Timestamp) -> String {
    format!("{:020}", time.as_microsecond().max(0))
}

fn read(item: Item, what: &'static str) -> Result<Spell, StoreError> {
    let row: Row = serde_dynamo::from_item(item).map_err(|error| failed(what, &error))?;
    let time = |time| Timestamp::from_microsecond(time).map_err(|error| failed(what, &error));
    let Row { owner, interface, from, seen_until } = row;
    Ok(Spell { owner, interface, from: time(from)?, seen_until: time(seen_until)? })
}
