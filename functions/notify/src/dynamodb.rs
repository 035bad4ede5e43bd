//! The channels' part of the project's DynamoDB table.
//!
//! | pk | sk | what |
//! |---|---|---|
//! | `told#<destination>` | `<event id>` | a notice that was told there, or begun; goes after 15 days |
//! | `posted#<destination>` | `<request id>` | where the message about a request stands, and what it shows; stays as long as the request |
//!
//! Items are put and never deleted: `TransactWriteItems` with puts takes the permission to put, `BatchWriteItem` one
//! that deletes as well.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, Put, TransactWriteItem};
use egress::aws::evidence::{Item, expiring, key};
use egress::aws::with_causes;
use jiff::{SignedDuration, Timestamp};

use crate::ledger::{About, Known, Ledger, LedgerError, Posted};

/// For how long a notice isn't told again: longer than a dead letter can wait in a queue (fourteen days) before it is
/// sent again.
const TOLD_KEPT: SignedDuration = SignedDuration::from_hours(15 * 24);
/// The attribute that says how far a notice has come.
const STEP: &str = "step";
const BEGUN: &str = "begun";
const TOLD: &str = "told";

const READING: &str = "reading what was told";
const WRITING: &str = "noting what was told";

/// The table.
#[derive(Debug, Clone)]
pub struct DynamoLedger {
    client: Client,
    table: String,
}

impl DynamoLedger {
    /// The ledger in the table of this name.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    fn put(&self, item: Item) -> Result<TransactWriteItem, LedgerError> {
        let put = Put::builder().table_name(&self.table).set_item(Some(item)).build();
        Ok(TransactWriteItem::builder().put(put.map_err(|error| failed(WRITING, &error))?).build())
    }

    /// Both or neither: with one alone, a repetition would post a second message about the request, or none.
    async fn write(&self, items: impl IntoIterator<Item = Item>) -> Result<(), LedgerError> {
        let puts: Vec<_> = items.into_iter().map(|item| self.put(item)).collect::<Result<_, _>>()?;
        let answer = self.client.transact_write_items().set_transact_items(Some(puts)).send().await;
        answer.map(drop).map_err(|error| failed(WRITING, &error))
    }
}

impl Ledger for DynamoLedger {
    async fn look(&self, about: &About) -> Result<Option<Known>, LedgerError> {
        let keys = std::iter::once(told_key(about)).chain(posted_key(about)).collect();
        let keys = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build();
        let keys = keys.map_err(|error| failed(READING, &error))?;
        let answer = self.client.batch_get_item().request_items(&self.table, keys).send().await;
        let answer = answer.map_err(|error| failed(READING, &error))?;
        if answer.unprocessed_keys().is_some_and(|left| !left.is_empty()) {
            return Err(LedgerError { what: READING, cause: "the table is busy".to_owned() });
        }
        known(answer.responses.and_then(|mut tables| tables.remove(&self.table)).unwrap_or_default())
    }

    async fn begun(&self, about: &About, now: Timestamp) -> Result<(), LedgerError> {
        self.write([step(about, BEGUN, now)]).await
    }

    async fn told(&self, about: &About, posted: Option<&Posted>, now: Timestamp) -> Result<(), LedgerError> {
        let posted = posted.zip(posted_key(about)).map(|(posted, key)| with_key(posted, key)).transpose()?;
        self.write(std::iter::once(step(about, TOLD, now)).chain(posted)).await
    }
}

fn told_key(about: &About) -> Item {
    key(&format!("told#{}", about.destination), &about.event_id)
}

fn posted_key(about: &About) -> Option<Item> {
    about.request.as_ref().map(|id| key(&format!("posted#{}", about.destination), id.as_str()))
}

fn step(about: &About, step: &str, now: Timestamp) -> Item {
    let mut item = expiring(told_key(about), now, TOLD_KEPT);
    item.insert(STEP.to_owned(), AttributeValue::S(step.to_owned()));
    item
}

fn with_key(posted: &Posted, key: Item) -> Result<Item, LedgerError> {
    let mut item: HashMap<_, _> = serde_dynamo::to_item(posted).map_err(|error| failed(WRITING, &error))?;
    item.extend(key);
    Ok(item)
}

/// What the items say; nothing where one says that it was told.
fn known(items: Vec<Item>) -> Result<Option<Known>, LedgerError> {
    let mut known = Known::default();
    for item in items {
        match item.get(STEP).and_then(|step| step.as_s().ok()).map(String::as_str) {
            Some(BEGUN) => known.begun = true,
            Some(_) => return Ok(None),
            None => {
                let posted = serde_dynamo::from_item(item).map_err(|error| failed(READING, &error))?;
                known.posted = Some(posted);
            }
        }
    }
    Ok(Some(known))
}

fn failed<E: std::error::Error>(what: &'static str, error: &E) -> LedgerError {
    LedgerError { what, cause: with_causes(error) }
}

#[cfg(test)]
mod tests {
    use egress::request::RequestId;

    use super::*;
    use crate::ledger::Spot;

    fn about() -> About {
        let request = RequestId::try_from("req-0123456789ab".to_owned()).unwrap();
        let (destination, event_id) = ("slack:C1".to_owned(), "req-0123456789ab.2".to_owned());
        About { destination, event_id, request: Some(request) }
    }

    #[test]
    fn what_is_written_is_what_is_known_later() {
        let now = "2026-05-14T09:15:00Z".parse().unwrap();
        let spot = Spot { conversation: "C1".to_owned(), message: "1.000001".to_owned() };
        let posted = Posted { spot, version: 3 };
        let item = with_key(&posted, posted_key(&about()).unwrap()).unwrap();
        let begun = step(&about(), BEGUN, now);
        assert_eq!(begun["pk"], AttributeValue::S("told#slack:C1".to_owned()));
        assert_eq!(begun["expires_at"], AttributeValue::N("1780046100".to_owned()));
        assert_eq!(item["version"], AttributeValue::N("3".to_owned()));
        let all = Known { begun: true, posted: Some(posted) };
        assert_eq!(known(vec![begun, item]), Ok(Some(all)));
        assert_eq!(known(vec![]), Ok(Some(Known::default())));
        assert_eq!(known(vec![step(&about(), TOLD, now)]), Ok(None));
    }
}
