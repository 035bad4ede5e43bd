//! Windows in the project's DynamoDB table.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use egress::aws::evidence::{COUNTS_KEPT, Item, expiring};
use egress::aws::windows::{
    DUE_INDEX, DUE_SHARDS, NOBODY, Window, WindowKey, batch_attribute, counts_attribute, due_partition,
    due_until, partition, read,
};
use egress::ledger::{Ledger, LedgerError};
use futures_util::try_join;
use jiff::Timestamp;

use super::{DynamoStore, batch_key, failed};
use crate::batch::BatchId;
use crate::groups::Group;
use crate::plan::{Claim, Claims, Owing};
use crate::windows::{Known, StoreError, Windows};

const READING: &str = "reading what was blocked in a window";
const COUNTING: &str = "counting what was blocked in a window";
const DUE: &str = "looking for windows that are over";

impl Windows for DynamoStore {
    async fn is_done(&self, batch: &BatchId) -> Result<bool, StoreError> {
        Ok(self.get(batch_key(batch), "looking for a batch").await?.is_some())
    }

    async fn done(&self, batch: &BatchId, now: Timestamp) -> Result<(), StoreError> {
        self.mark_as_done(batch, now).await
    }

    async fn window(&self, key: &WindowKey) -> Result<Option<Window>, StoreError> {
        let item = self.get(key.item(), READING).await?;
        item.map(Window::read).transpose().map_err(|error| failed(READING, &error))
    }

    async fn count(
        &self,
        group: &Group<'_>,
        batch: &BatchId,
        claims: Claims,
        now: Timestamp,
    ) -> Result<Owing, StoreError> {
        let update = self.update(group, Some(batch), claims, now);
        let update = update.map_err(|error| failed(COUNTING, &error))?;
        let answer = update.return_values(ReturnValue::AllNew).send().await;
        let after = answer.map_err(|error| failed(COUNTING, &error))?.attributes.unwrap_or_default();
        let is_ours = |claim: &str| after.get(claim) == Some(&text(batch.as_str()));
        Ok(Owing { tells: is_ours("teller"), raises: is_ours("raiser") })
    }

    async fn count_apart(
        &self,
        group: &Group<'_>,
        batch: &BatchId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let row = group.key.row(batch.as_str(), &group.counts).map_err(|error| failed(COUNTING, &error))?;
        self.put(expiring(row, now, COUNTS_KEPT), COUNTING).await
    }

    async fn count_late(&self, group: &Group<'_>, batch: &BatchId, now: Timestamp) -> Result<(), StoreError> {
        self.count_apart(group, batch, now).await?;
        let update = self.update(group, None, Claims::default(), now);
        let update = update.map_err(|error| failed(COUNTING, &error))?;
        update.send().await.map(drop).map_err(|error| failed(COUNTING, &error))
    }

    async fn windows(&self, keys: &[WindowKey]) -> Result<Vec<Window>, StoreError> {
        let keys: Vec<Item> = keys.iter().map(WindowKey::item).collect();
        let items = self.ledger.items(&keys).await.map_err(|error| failed(READING, &error))?;
        // One that can't be read is taken for one that has told nothing: so what comes after it is told.
        let said = |error: &LedgerError| tracing::error!(%error, "a window can't be read");
        Ok(items.into_iter().filter_map(|item| Window::read(item).inspect_err(said).ok()).collect())
    }

    async fn oldest(&self, domain: &str) -> Result<Option<WindowKey>, StoreError> {
        let query = self.client.query().table_name(&self.table).key_condition_expression("pk = :pk");
        let query = query.expression_attribute_values(":pk", text(&partition(domain))).limit(1);
        let answer = query.consistent_read(true).send().await.map_err(|error| failed(READING, &error))?;
        Ok(answer.items.unwrap_or_default().first().and_then(WindowKey::of))
    }

    async fn due(&self, until: Timestamp, most: usize) -> Result<Vec<WindowKey>, StoreError> {
        let mut due = Vec::new();
        for shard in 0..DUE_SHARDS {
            due.extend(self.due_of(&due_partition(shard), &due_until(until), most).await?);
        }
        // From all partitions at once, since each closing writes to one of them; and an owner's windows together.
        let order = |a: &WindowKey, b: &WindowKey| {
            (a.start, &a.owner, &a.domain).cmp(&(b.start, &b.owner, &b.domain))
        };
        due.sort_by(order);
        due.truncate(most);
        Ok(due)
    }

    async fn whole(&self, key: &WindowKey) -> Result<Option<Window>, StoreError> {
        let (from, mut behind, mut items) = (key.sort(), None, Vec::new());
        loop {
            let query = self
                .client
                .query()
                .table_name(&self.table)
                .consistent_read(true)
                .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :to")
                .expression_attribute_values(":pk", text(&partition(&key.domain)))
                .expression_attribute_values(":from", text(&from))
                .expression_attribute_values(":to", text(&format!("{from}#~")))
                .set_exclusive_start_key(behind);
            let page = query.send().await.map_err(|error| failed(READING, &error))?;
            items.extend(page.items.unwrap_or_default());
            behind = page.last_evaluated_key;
            if behind.is_none() {
                break;
            }
        }
        let (windows, unreadable) = read(items);
        match unreadable.into_iter().next() {
            Some(error) => Err(failed(READING, &error)),
            None => Ok(windows.into_iter().find(|window| window.item.owner_key == *key.owner)),
        }
    }

    async fn close(&self, window: &Window, digested: u64) -> Result<(), StoreError> {
        let update = self.client.update_item().table_name(&self.table).set_key(Some(window.key().item()));
        let update = update
            .update_expression("SET digested = :digested REMOVE due, due_at")
            .condition_expression("updates = :updates")
            .expression_attribute_values(":digested", number(digested))
            .expression_attribute_values(":updates", number(window.item.updates));
        match update.send().await {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                // Something was counted since: it stays due, and is told again with that.
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(()),
                _ => Err(failed("noting that a digest is told", &error)),
            },
        }
    }

    async fn known(&self, now: Timestamp) -> Result<Known, StoreError> {
        let what = "reading silences and requests";
        let known = async { try_join!(self.ledger.open_requests(), self.ledger.silences(now)) };
        let (requests, silences) = known.await.map_err(|error| failed(what, &error))?;
        Ok(Known { requests, silences })
    }
}

impl DynamoStore {
    /// Makes the window's digest due, with the counts and claims of a batch where there is one.
    fn update(
        &self,
        group: &Group<'_>,
        batch: Option<&BatchId>,
        claims: Claims,
        now: Timestamp,
    ) -> Result<UpdateItemFluentBuilder, LedgerError> {
        let key = &group.key;
        let mut set = "#domain = :domain, #owner = if_not_exists(#owner, :owner), owner_key = :owner_key, #from = :from, \
            #until = :until, due = :due, due_at = :due_at, expires_at = :expires_at, \
            updates = if_not_exists(updates, :none) + :one"
            .to_owned();
        set.extend(claimed("teller", claims.tells));
        set.extend(claimed("raiser", claims.raises));
        let (due, due_at) = key.due(group.until);
        let expires_at = expiring(Item::new(), now, COUNTS_KEPT).remove("expires_at");
        let owner = serde_dynamo::to_attribute_value(group.owner);
        let owner = owner.map_err(|error| LedgerError::Corrupt(error.to_string()))?;
        let mut values = HashMap::from([
            (":domain".to_owned(), text(&key.domain)),
            (":owner".to_owned(), owner),
            (":owner_key".to_owned(), text(&key.owner)),
            (":from".to_owned(), text(&key.start.to_string())),
            (":until".to_owned(), text(&group.until.to_string())),
            (":due".to_owned(), text(&due)),
            (":due_at".to_owned(), text(&due_at)),
            (":none".to_owned(), number(0)),
            (":one".to_owned(), number(1)),
        ]);
        values.extend(expires_at.map(|value| (":expires_at".to_owned(), value)));
        let mut update = self.client.update_item().table_name(&self.table).set_key(Some(key.item()));
        // DynamoDB refuses a value or a name that no expression uses.
        if let Some(batch) = batch {
            set.push_str(", #batch = :counts");
            update = update.expression_attribute_names("#batch", batch_attribute(batch.as_str()));
            values.insert(":counts".to_owned(), counts_attribute(&group.counts)?);
        }
        let ours = batch.map(BatchId::as_str).unwrap_or_default();
        for (name, claim, value) in [(":batch", Claim::Ours, ours), (":nobody", Claim::Nobody, NOBODY)] {
            if [claims.tells, claims.raises].contains(&claim) {
                values.insert(name.to_owned(), text(value));
            }
        }
        Ok(update
            .update_expression(format!("SET {set}"))
            .expression_attribute_names("#domain", "domain")
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_names("#from", "from")
            .expression_attribute_names("#until", "until")
            .set_expression_attribute_values(Some(values)))
    }

    /// Windows of one partition of the index.
    async fn due_of(&self, shard: &str, until: &str, most: usize) -> Result<Vec<WindowKey>, StoreError> {
        let (mut due, mut behind) = (Vec::new(), None);
        while due.len() < most {
            let query = self
                .client
                .query()
                .table_name(&self.table)
                .index_name(DUE_INDEX)
                .key_condition_expression("due = :due AND due_at <= :until")
                .expression_attribute_values(":due", text(shard))
                .expression_attribute_values(":until", text(until))
                .limit(i32::try_from(most).unwrap_or(i32::MAX))
                .set_exclusive_start_key(behind);
            let page = query.send().await.map_err(|error| failed(DUE, &error))?;
            due.extend(page.items.unwrap_or_default().iter().filter_map(WindowKey::of));
            behind = page.last_evaluated_key;
            if behind.is_none() {
                break;
            }
        }
        due.truncate(most);
        Ok(due)
    }
}

/// What is written of a claim, behind what is written already: nothing where somebody has made it.
fn claimed(name: &str, claim: Claim) -> Option<String> {
    let value = match claim {
        Claim::Nothing => return None,
        Claim::Ours => ":batch",
        Claim::Nobody => ":nobody",
    };
    Some(format!(", {name} = if_not_exists({name}, {value})"))
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn number(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}
