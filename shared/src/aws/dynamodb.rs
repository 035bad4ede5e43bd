//! The ledger on Amazon DynamoDB, in one table with the keys `pk` and `sk`.
//!
//! | pk | sk | what |
//! |---|---|---|
//! | `request#<id>` | `state` | the request as it is, with its version |
//! | `request#<id>` | `history#<version>` | one entry a transition, written on the condition that it isn't there |
//! | `live` | `<id>` | a grant that the firewall should let pass |
//! | `deadline` | `<time>#<id>` | when something has to be done |
//! | `outbox` | `<time>#<event id>` | what waits to be published |
//! | `message#<key>` | `message` | a message that has done its work; goes after 14 days (`expires_at`) |
//! | `rule-group` | `own-targets` | our entries in a domain list that others use too, and how often any were claimed |
//!
//! Live grants and deadlines stand in one partition each and not in an index, because an index is not
//! strongly consistent. Times in keys are microseconds since 1970 in twenty digits, so that they sort.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, TransactWriteItem};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::with_causes;
use crate::ledger::{Deadline, HistoryEntry, Ledger, LedgerError, OutboxEntry, OwnTargets, Transition};
use crate::request::{LiveGrant, Request, RequestId};

/// How long a message's key is kept. EventBridge and Lambda give up after a day at the latest, webhooks'
/// senders after hours; an operator who sends dead letters again has the queue's longest time.
const MESSAGE_KEPT: SignedDuration = SignedDuration::from_hours(14 * 24);
/// The most rows of a page that is worked off in one go.
const PAGE: i32 = 100;

type Item = HashMap<String, AttributeValue>;

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

    fn put(&self, item: Item, condition: Option<&Condition>) -> Result<TransactWriteItem, LedgerError> {
        let mut put = Put::builder().table_name(&self.table).set_item(Some(item));
        if let Some(Condition { expression, version }) = condition {
            put = put.condition_expression(*expression);
            if let Some(version) = version {
                put = put.expression_attribute_values(":version", AttributeValue::N(version.to_string()));
            }
        }
        Ok(TransactWriteItem::builder().put(put.build().map_err(corrupt)?).build())
    }

    fn delete(&self, pk: &str, sk: &str) -> Result<TransactWriteItem, LedgerError> {
        let delete = Delete::builder().table_name(&self.table).set_key(Some(key(pk, sk)));
        Ok(TransactWriteItem::builder().delete(delete.build().map_err(corrupt)?).build())
    }

    /// All that a transition writes, each with what its refusal would mean.
    fn writes(&self, transition: &Transition) -> Result<Vec<(TransactWriteItem, LedgerError)>, LedgerError> {
        let Transition { request, history, .. } = transition;
        let pk = format!("request#{}", request.id);
        let mut state = item(&pk, "state", request)?;
        state.insert("version".to_owned(), AttributeValue::N(request.version.to_string()));
        let unchanged =
            if request.version == 1 { Condition::new() } else { Condition::version(request.version - 1) };
        let entry = item(&pk, &format!("history#{:08}", history.version), history)?;
        let mut writes = vec![
            (self.put(state, Some(&unchanged))?, LedgerError::Conflict),
            (self.put(entry, Some(&Condition::new()))?, LedgerError::Conflict),
        ];
        let mut also = |write| writes.push((write, LedgerError::Conflict));
        match &transition.live {
            Some(grant) => also(self.put(item("live", request.id.as_str(), grant)?, None)?),
            None if request.version > 1 => also(self.delete("live", request.id.as_str())?),
            None => {}
        }
        if transition.deadline_before != transition.deadline {
            if let Some(before) = transition.deadline_before {
                also(self.delete("deadline", &at(before, request.id.as_str()))?);
            }
            if let Some(deadline) = transition.deadline {
                let row = Deadline { at: deadline, request_id: request.id.clone() };
                also(self.put(item("deadline", &at(deadline, request.id.as_str()), &row)?, None)?);
            }
        }
        for entry in &transition.outbox {
            also(self.put(item("outbox", &at(entry.at, &entry.id), entry)?, None)?);
        }
        if let Some(message_key) = &transition.message_key {
            let mut message = key(&format!("message#{message_key}"), "message");
            let expires_at = history.at.saturating_add(MESSAGE_KEPT).unwrap_or(Timestamp::MAX);
            message.insert("expires_at".to_owned(), AttributeValue::N(expires_at.as_second().to_string()));
            message.insert("request_id".to_owned(), AttributeValue::S(request.id.to_string()));
            writes.push((self.put(message, Some(&Condition::new()))?, LedgerError::Duplicate));
        }
        Ok(writes)
    }

    /// An update of our entries in place, so that two writers at once don't undo each other.
    fn update_targets(&self, expression: &str, targets: &BTreeSet<String>) -> UpdateItemFluentBuilder {
        let targets = AttributeValue::Ss(targets.iter().cloned().collect());
        let update = self.client.update_item().table_name(&self.table).set_key(Some(own_targets_key()));
        update.update_expression(expression).expression_attribute_values(":targets", targets)
    }

    async fn transact(&self, writes: Vec<(TransactWriteItem, LedgerError)>) -> Result<(), LedgerError> {
        let (writes, refusals): (Vec<_>, Vec<_>) = writes.into_iter().unzip();
        let answer = self.client.transact_write_items().set_transact_items(Some(writes)).send().await;
        answer.map(|_| ()).map_err(|error| refusal(&error, &refusals))
    }

    /// An item that may not be there, read strongly consistent.
    async fn item(&self, key: Item) -> Result<Option<Item>, LedgerError> {
        let request = self.client.get_item().table_name(&self.table).set_key(Some(key));
        let answer = request.consistent_read(true).send().await.map_err(|error| unavailable(&error))?;
        Ok(answer.item)
    }

    /// The rows of a partition whose `sk` lies in a range, in order; all of them, or one page.
    async fn rows(&self, rows: Rows<'_>) -> Result<Vec<Item>, LedgerError> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :to")
            .expression_attribute_values(":pk", AttributeValue::S(rows.pk.to_owned()))
            .expression_attribute_values(":from", AttributeValue::S(rows.from))
            .expression_attribute_values(":to", AttributeValue::S(rows.to))
            .set_limit(rows.one_page.then_some(PAGE));
        if rows.one_page {
            let page = query.send().await.map_err(|error| unavailable(&error))?;
            return Ok(page.items.unwrap_or_default());
        }
        let mut pages = query.into_paginator().items().send();
        let mut items = Vec::new();
        while let Some(item) = pages.next().await {
            items.push(item.map_err(|error| unavailable(&error))?);
        }
        Ok(items)
    }
}

/// A range of one partition.
struct Rows<'a> {
    pk: &'a str,
    from: String,
    to: String,
    one_page: bool,
}

impl<'a> Rows<'a> {
    /// Every `sk` that begins so. `~` sorts behind all that our keys are made of.
    fn all(pk: &'a str, prefix: &str) -> Self {
        Self {
            pk,
            from: if prefix.is_empty() { " ".to_owned() } else { prefix.to_owned() },
            to: format!("{prefix}~"),
            one_page: false,
        }
    }

    /// The first page of those whose key's time is not after `until`.
    fn until(pk: &'a str, until: Timestamp) -> Self {
        Self { pk, from: "0".to_owned(), to: at(until, "~"), one_page: true }
    }
}

impl Ledger for DynamoLedger {
    async fn load(&self, id: &RequestId) -> Result<Option<Request>, LedgerError> {
        self.item(key(&format!("request#{id}"), "state")).await?.map(body).transpose()
    }

    async fn acted_on(&self, message_key: &str) -> Result<bool, LedgerError> {
        Ok(self.item(key(&format!("message#{message_key}"), "message")).await?.is_some())
    }

    async fn commit(&self, transition: &Transition) -> Result<(), LedgerError> {
        self.transact(self.writes(transition)?).await
    }

    async fn history(&self, id: &RequestId) -> Result<Vec<HistoryEntry>, LedgerError> {
        self.rows(Rows::all(&format!("request#{id}"), "history#")).await?.into_iter().map(body).collect()
    }

    async fn live_grants(&self) -> Result<Vec<LiveGrant>, LedgerError> {
        Ok(readable(self.rows(Rows::all("live", "")).await?))
    }

    async fn due(&self, now: Timestamp) -> Result<Vec<Deadline>, LedgerError> {
        Ok(readable(self.rows(Rows::until("deadline", now)).await?))
    }

    async fn clear_deadline(&self, deadline: &Deadline) -> Result<(), LedgerError> {
        let delete = self.client.delete_item().table_name(&self.table);
        let sk = at(deadline.at, deadline.request_id.as_str());
        delete.set_key(Some(key("deadline", &sk))).send().await.map_err(|error| unavailable(&error))?;
        Ok(())
    }

    async fn outbox(&self, until: Timestamp) -> Result<Vec<OutboxEntry>, LedgerError> {
        Ok(readable(self.rows(Rows::until("outbox", until)).await?))
    }

    async fn enqueue(&self, entry: &OutboxEntry) -> Result<(), LedgerError> {
        let item = item("outbox", &at(entry.at, &entry.id), entry)?;
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
        put.send().await.map(drop).map_err(|error| unavailable(&error))
    }

    async fn published(&self, entries: &[OutboxEntry]) -> Result<(), LedgerError> {
        // A transaction takes a hundred items, as many as a page has.
        for entries in entries.chunks(PAGE.unsigned_abs() as usize) {
            let delete = |entry: &OutboxEntry| {
                Ok((self.delete("outbox", &at(entry.at, &entry.id))?, LedgerError::Conflict))
            };
            self.transact(entries.iter().map(delete).collect::<Result<_, LedgerError>>()?).await?;
        }
        Ok(())
    }

    async fn own_targets(&self) -> Result<OwnTargets, LedgerError> {
        let Some(mut item) = self.item(own_targets_key()).await? else { return Ok(OwnTargets::default()) };
        let targets = match item.remove("targets") {
            None => BTreeSet::new(),
            Some(AttributeValue::Ss(targets)) => targets.into_iter().collect(),
            Some(_) => return Err(LedgerError::Corrupt("our targets are not a set of strings".to_owned())),
        };
        let claims = item.get("claims").and_then(|claims| claims.as_n().ok()?.parse().ok());
        let claims =
            claims.ok_or_else(|| LedgerError::Corrupt("our targets lack the number of claims".to_owned()))?;
        Ok(OwnTargets { targets, claims })
    }

    async fn claim_targets(&self, targets: &BTreeSet<String>) -> Result<(), LedgerError> {
        let update = self.update_targets("ADD targets :targets, claims :one", targets);
        let update = update.expression_attribute_values(":one", AttributeValue::N("1".to_owned()));
        update.send().await.map_err(|error| unavailable(&error))?;
        Ok(())
    }

    async fn release_targets(&self, targets: &BTreeSet<String>, claims: u64) -> Result<(), LedgerError> {
        let update = self.update_targets("DELETE targets :targets", targets);
        let update = update.expression_attribute_values(":claims", AttributeValue::N(claims.to_string()));
        let answer = update.condition_expression("claims = :claims").send().await;
        answer.map(|_| ()).map_err(|error| match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(_)) => LedgerError::Conflict,
            _ => unavailable(&error),
        })
    }
}

fn own_targets_key() -> Item {
    key("rule-group", "own-targets")
}

/// A condition on what stands where an item is put.
struct Condition {
    expression: &'static str,
    version: Option<u64>,
}

impl Condition {
    /// Nothing stands there.
    fn new() -> Self {
        Self { expression: "attribute_not_exists(pk)", version: None }
    }

    /// What was read still stands there.
    fn version(version: u64) -> Self {
        Self { expression: "version = :version", version: Some(version) }
    }
}

/// Why a transaction was refused: the message's own refusal says the most.
fn refusal<R: std::fmt::Debug>(
    error: &SdkError<TransactWriteItemsError, R>,
    refusals: &[LedgerError],
) -> LedgerError
where
    SdkError<TransactWriteItemsError, R>: std::error::Error,
{
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error()
    else {
        return unavailable(error);
    };
    let codes = cancelled.cancellation_reasons().iter().map(|reason| reason.code().unwrap_or_default());
    let refused: Vec<&LedgerError> = codes
        .zip(refusals)
        .filter(|(code, _)| matches!(*code, "ConditionalCheckFailed" | "TransactionConflict"))
        .map(|(code, refusal)| if code == "TransactionConflict" { &LedgerError::Conflict } else { refusal })
        .collect();
    match refused.first() {
        Some(_) if refused.contains(&&LedgerError::Duplicate) => LedgerError::Duplicate,
        Some(refusal) => (*refusal).clone(),
        None => unavailable(error),
    }
}

fn key(pk: &str, sk: &str) -> Item {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    HashMap::from([("pk".to_owned(), text(pk)), ("sk".to_owned(), text(sk))])
}

/// A time in a key, and what it is about.
fn at(time: Timestamp, about: &str) -> String {
    format!("{:020}#{about}", time.as_microsecond().max(0))
}

fn item<T: Serialize>(pk: &str, sk: &str, value: &T) -> Result<Item, LedgerError> {
    let mut item = key(pk, sk);
    item.insert("body".to_owned(), serde_dynamo::to_attribute_value(value).map_err(corrupt)?);
    Ok(item)
}

fn body<T: for<'de> Deserialize<'de>>(mut item: Item) -> Result<T, LedgerError> {
    let body = item
        .remove("body")
        .ok_or_else(|| LedgerError::Corrupt(format!("an item without a body: {item:?}")))?;
    serde_dynamo::from_attribute_value(body).map_err(corrupt)
}

/// The rows that can be read. One that can't is said and left out, so that it doesn't hold up the others;
/// a live grant that can't be read is closed by that, which is the safe side.
fn readable<T: for<'de> Deserialize<'de>>(items: Vec<Item>) -> Vec<T> {
    let read = |item: Item| {
        let key = format!("{:?} {:?}", item.get("pk"), item.get("sk"));
        body(item).inspect_err(|error| tracing::error!(%error, key, "a row of the ledger can't be read")).ok()
    };
    items.into_iter().filter_map(read).collect()
}

fn corrupt<E: std::error::Error>(error: E) -> LedgerError {
    LedgerError::Corrupt(error.to_string())
}

fn unavailable<E: std::error::Error>(error: &E) -> LedgerError {
    LedgerError::Unavailable(with_causes(error))
}
