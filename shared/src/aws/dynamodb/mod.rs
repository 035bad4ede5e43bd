//! The ledger on Amazon DynamoDB, in one table with the keys `pk` and `sk`.
//!
//! | pk | sk | what |
//! |---|---|---|
//! | `request#<id>` | `state` | the request as it is, with its version |
//! | `request#<id>` | `history#<version>` | one entry a transition, written on the condition that it isn't there |
//! | `live` | `<id>` | a grant that the firewall should let pass |
//! | `deadline` | `<time>#<id>` | when something has to be done: every pending and every live request has one |
//! | `cut` | `<id>` | a grant that has ended, whose connections are to be cut |
//! | `outbox` | `<time>#<event id>` | what waits to be published |
//! | `message#<key>` | `message` | a message that has done its work; goes after 15 days |
//! | `silence` | `<domain>#<owner, or *>` | alerts that rest; goes when that ends |
//! | `refused#<id>` | `event` | an event that could not be taken; goes after 90 days |
//! | `rule-group` | its ARN | our entries in a domain list that others use too, and how often any were claimed |
//!
//! Written by the function `alerts`, and only read here (see [`evidence`] and [`windows`]):
//!
//! | pk | sk | what |
//! |---|---|---|
//! | `use#<id>` | `use` | how often and when a grant let something pass |
//! | `use#<id>` | `flow#<source>#<destination>#<port>` | a connection that it let pass; goes after 31 days |
//! | `use#batch#<batch>#<part>` | `done` | a part of a batch of log events that has been counted; goes after 15 days |
//! | `blocked#<domain>` | `<window start>#<owner>` | connections that were blocked, see [`windows`]; goes after 15 days |
//! | `blocked#<domain>` | `<window start>#<owner>#<batch>` | the same, of a later batch |
//! | `alert#batch#<batch>` | `done` | a batch that has told all that it owed; goes after 15 days |
//!
//! Written and read by the function `alerts` alone: `address#<address>`, `<time>#<interface>`, whose an address was; goes
//! after 15 days.
//!
//! Written and read by the channels of `notify`: `told#<destination>`, `posted#<destination>`.
//!
//! Live grants and deadlines stand in one partition each and not in an index, because an index is not
//! strongly consistent. Times in keys are microseconds since 1970 in twenty digits, so that they sort. What
//! goes has the time for it, in seconds, as `expires_at`.
//!
//! An item may have 400 kB. The largest is that of our entries in a domain list: 16,000 of 24 bytes, where a
//! list for TLS and HTTP has room for fewer than 15,000 (30,000 units of capacity, two for each); of the longest
//! names, 1,500.

pub mod evidence;
mod items;
mod reads;
pub mod windows;
mod writes;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};

use self::evidence::{FlowSeen, Used};
use self::items::{at, body, key, readable};
use self::reads::Rows;
use super::with_causes;
use crate::firewall::Flow;
use crate::ledger::{
    BlockedCount, Cut, Deadline, Evidence, HistoryEntry, Ledger, LedgerError, MOST_BLOCKED, OutboxEntry,
    OwnTargets, RefusedEvent, Silence, Transition,
};
use crate::request::{LiveGrant, Request, RequestId, StateName};

/// The most rows of a page that is worked off in one go.
const PAGE: i32 = 100;
/// The most connections of one grant that are read.
const MOST_FLOWS: usize = 50_000;
/// The longest window of alerts (see [`crate::config::Alerts`]): so long before something was blocked its
/// window may have begun.
const LONGEST_WINDOW: SignedDuration = SignedDuration::from_hours(1);
/// The most items of what was blocked that are read: some megabytes.
const MOST_ROWS: usize = 10_000;

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

    /// What these grants let pass, read strongly consistent. One item that can't be read is an error: left out,
    /// its grant would be taken for one that nobody uses.
    pub async fn used(&self, ids: &BTreeSet<&RequestId>) -> Result<BTreeMap<RequestId, Used>, LedgerError> {
        let keys: Vec<_> = ids.iter().map(|id| Used::key(id)).collect();
        self.items(&keys).await?.into_iter().map(Used::read).collect()
    }

    /// An update of our entries in place, so that two writers at once don't undo each other.
    fn update_targets(
        &self,
        rule_group: &str,
        expression: &str,
        targets: &BTreeSet<String>,
    ) -> UpdateItemFluentBuilder {
        let targets = AttributeValue::Ss(targets.iter().cloned().collect());
        let update = self.client.update_item().table_name(&self.table);
        let update = update.set_key(Some(key("rule-group", rule_group)));
        update.update_expression(expression).expression_attribute_values(":targets", targets)
    }

    async fn delete_item(&self, pk: &str, sk: &str) -> Result<(), LedgerError> {
        let delete = self.client.delete_item().table_name(&self.table).set_key(Some(key(pk, sk)));
        delete.send().await.map(drop).map_err(|error| unavailable(&error))
    }
}

impl Ledger for DynamoLedger {
    async fn load(&self, id: &RequestId) -> Result<Option<Request>, LedgerError> {
        self.item(key(&format!("request#{id}"), "state")).await?.map(body).transpose()
    }

    async fn commit(&self, transition: &Transition) -> Result<(), LedgerError> {
        self.transact(self.transition(transition)?).await
    }

    async fn answer(&self, message_key: &str, outbox: &OutboxEntry) -> Result<(), LedgerError> {
        let message = self.message(message_key, outbox.at, None)?;
        self.transact(vec![message, self.outbox_entry(outbox)?]).await
    }

    async fn refuse(&self, refused: &RefusedEvent, outbox: &OutboxEntry) -> Result<(), LedgerError> {
        let written = self.transact(vec![self.refused(refused)?, self.outbox_entry(outbox)?]).await;
        // It was kept, and told, when it came before.
        if written == Err(LedgerError::Duplicate) { Ok(()) } else { written }
    }

    async fn silence(
        &self,
        silence: &Silence,
        message_key: &str,
        outbox: &OutboxEntry,
    ) -> Result<(), LedgerError> {
        let message = self.message(message_key, outbox.at, None)?;
        self.transact(vec![message, self.silenced(silence)?, self.outbox_entry(outbox)?]).await
    }

    async fn silences(&self, now: Timestamp) -> Result<Vec<Silence>, LedgerError> {
        let mut silences: Vec<Silence> = readable(self.rows(&Rows::all("silence", "")).await?, body);
        // DynamoDB deletes what has ended some days later.
        silences.retain(|silence| now < silence.until);
        Ok(silences)
    }

    async fn history(&self, id: &RequestId) -> Result<Vec<HistoryEntry>, LedgerError> {
        self.rows(&Rows::all(&format!("request#{id}"), "history#")).await?.into_iter().map(body).collect()
    }

    async fn live_grants(&self) -> Result<Vec<LiveGrant>, LedgerError> {
        Ok(readable(self.rows(&Rows::all("live", "")).await?, body))
    }

    async fn open_requests(&self) -> Result<Vec<Request>, LedgerError> {
        let deadlines: Vec<Deadline> = readable(self.rows(&Rows::all("deadline", "")).await?, body);
        // One whose deadline is put off between two pages stands in both.
        let ids: BTreeSet<RequestId> = deadlines.iter().map(|row| row.request_id.clone()).collect();
        let keys: Vec<_> = ids.iter().map(|id| key(&format!("request#{id}"), "state")).collect();
        let requests: Vec<Request> = readable(self.items(&keys).await?, body);
        let open = |request: &Request| request.state == StateName::Pending || request.state.is_live();
        let open = requests.into_iter().filter(open).map(|request| (request.id.clone(), request));
        let mut open: HashMap<RequestId, Request> = open.collect();
        Ok(deadlines.iter().filter_map(|row| open.remove(&row.request_id)).collect())
    }

    async fn due(&self, now: Timestamp, after: Option<&Deadline>) -> Result<Vec<Deadline>, LedgerError> {
        let rows = Rows::until("deadline", now);
        let behind = after.map(|deadline| at(deadline.at, deadline.request_id.as_str()));
        self.page(&match behind {
            Some(sk) => rows.behind(&sk),
            None => rows,
        })
        .await
    }

    async fn clear_deadline(&self, deadline: &Deadline) -> Result<(), LedgerError> {
        self.delete_item("deadline", &at(deadline.at, deadline.request_id.as_str())).await
    }

    async fn cuts(&self) -> Result<Vec<Cut>, LedgerError> {
        self.page(&Rows::all("cut", "")).await
    }

    async fn cut_done(&self, cut: &Cut) -> Result<(), LedgerError> {
        self.delete_item("cut", cut.request_id.as_str()).await
    }

    async fn outbox(&self, until: Timestamp) -> Result<Vec<OutboxEntry>, LedgerError> {
        self.page(&Rows::until("outbox", until)).await
    }

    async fn published(&self, entries: &[OutboxEntry]) -> Result<(), LedgerError> {
        // A transaction takes a hundred items, as many as a page has.
        for entries in entries.chunks(PAGE.unsigned_abs() as usize) {
            let deletes = entries.iter().map(|entry| self.published_entry(entry));
            self.transact(deletes.collect::<Result<_, _>>()?).await?;
        }
        Ok(())
    }

    async fn own_targets(&self, rule_group: &str) -> Result<OwnTargets, LedgerError> {
        let Some(mut item) = self.item(key("rule-group", rule_group)).await? else {
            return Ok(OwnTargets::default());
        };
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

    async fn claim_targets(&self, rule_group: &str, targets: &BTreeSet<String>) -> Result<(), LedgerError> {
        let update = self.update_targets(rule_group, "ADD targets :targets, claims :one", targets);
        let update = update.expression_attribute_values(":one", AttributeValue::N("1".to_owned()));
        update.send().await.map(drop).map_err(|error| unavailable(&error))
    }

    async fn release_targets(
        &self,
        rule_group: &str,
        targets: &BTreeSet<String>,
        claims: u64,
    ) -> Result<(), LedgerError> {
        let update = self.update_targets(rule_group, "DELETE targets :targets", targets);
        let update = update.expression_attribute_values(":claims", AttributeValue::N(claims.to_string()));
        let answer = update.condition_expression("claims = :claims").send().await;
        answer.map(|_| ()).map_err(|error| match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(_)) => LedgerError::Conflict,
            _ => unavailable(&error),
        })
    }

    async fn evidence(&self, ids: &[RequestId]) -> Result<BTreeMap<RequestId, Evidence>, LedgerError> {
        let used = self.used(&ids.iter().collect()).await?;
        Ok(used.into_iter().map(|(id, used)| (id, used.into())).collect())
    }

    async fn flows(&self, id: &RequestId) -> Result<Vec<Flow>, LedgerError> {
        let pk = evidence::uses(id);
        let rows = self.rows(&Rows::all(&pk, "flow#").some(MOST_FLOWS)).await?;
        if rows.len() == MOST_FLOWS {
            tracing::warn!(%id, "the grant has more connections than are looked at");
        }
        Ok(readable(rows, FlowSeen::read).iter().map(FlowSeen::flow).collect())
    }

    async fn blocked(&self, domain: &str, since: Timestamp) -> Result<Vec<BlockedCount>, LedgerError> {
        let begun = since.saturating_sub(LONGEST_WINDOW).unwrap_or(Timestamp::MIN);
        let pk = windows::partition(domain);
        // They come the last first, and are read in the order of their keys.
        let mut rows = self.rows(&Rows::last_since(&pk, begun, MOST_ROWS)).await?;
        rows.reverse();
        let (windows, unreadable) = windows::read(rows);
        for error in unreadable {
            tracing::error!(%error, domain, "what was blocked can't be read in part");
        }
        let mut counts: Vec<BlockedCount> = windows.iter().flat_map(windows::Window::blocked).collect();
        counts.retain(|count| count.last_seen >= since);
        counts.sort_by_key(|count| Reverse(count.last_seen));
        counts.truncate(MOST_BLOCKED);
        Ok(counts)
    }
}

fn unavailable<E: std::error::Error>(error: &E) -> LedgerError {
    LedgerError::Unavailable(with_causes(error))
}
