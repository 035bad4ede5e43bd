//! Writing: what stands in one transaction, and why it may be refused.

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, TransactWriteItem};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use super::items::{Item, at, corrupt, expiring, item, key};
use super::{DynamoLedger, unavailable};
use crate::ledger::{Cut, Deadline, EVERYBODY, LedgerError, OutboxEntry, RefusedEvent, Silence, Transition};

/// How long a message's key is kept. EventBridge and Lambda give up after a day at the latest, webhooks'
/// senders after hours; an operator who sends dead letters again has the queue's longest time, fourteen days,
/// which begins with the last try and not with the first.
const MESSAGE_KEPT: SignedDuration = SignedDuration::from_hours(15 * 24);
/// How long an event is kept that could not be taken.
const REFUSED_KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);
/// The longest id that stands in a key as it is, in bytes. A sort key has at most 1,024, and the id of an
/// answer holds a message's key from outside: 256 characters of up to four bytes; a silence's, an owner's of 400.
const LONGEST_ID: usize = 900;

/// One write of a transaction, with what its refusal would mean.
pub(super) type Write = (TransactWriteItem, LedgerError);

/// A condition on what stands where an item is put.
struct Condition {
    expression: &'static str,
    version: Option<u64>,
}

impl Condition {
    /// Nothing stands there.
    const NEW: Self = Self { expression: "attribute_not_exists(pk)", version: None };

    /// What was read still stands there.
    fn version(version: u64) -> Self {
        Self { expression: "version = :version", version: Some(version) }
    }
}

impl DynamoLedger {
    pub(super) async fn transact(&self, writes: Vec<Write>) -> Result<(), LedgerError> {
        let (writes, refusals): (Vec<_>, Vec<_>) = writes.into_iter().unzip();
        let answer = self.client.transact_write_items().set_transact_items(Some(writes)).send().await;
        answer.map(|_| ()).map_err(|error| refusal(&error, &refusals))
    }

    /// All that a transition writes.
    pub(super) fn transition(&self, transition: &Transition) -> Result<Vec<Write>, LedgerError> {
        let Transition { request, history, .. } = transition;
        let pk = format!("request#{}", request.id);
        let mut state = item(&pk, "state", request)?;
        state.insert("version".to_owned(), AttributeValue::N(request.version.to_string()));
        let unchanged =
            if request.version == 1 { Condition::NEW } else { Condition::version(request.version - 1) };
        let entry = item(&pk, &format!("history#{:08}", history.version), history)?;
        let mut writes = vec![self.put(state, &unchanged)?, self.put(entry, &Condition::NEW)?];
        writes.extend(self.live(transition)?);
        writes.extend(self.deadlines(transition)?);
        if transition.cut {
            let cut = Cut { request_id: request.id.clone(), at: history.at };
            writes.push(self.put_over(item("cut", request.id.as_str(), &cut)?)?);
        }
        for entry in &transition.outbox {
            writes.push(self.outbox_entry(entry)?);
        }
        if let Some(message_key) = &transition.message_key {
            let request_id = AttributeValue::S(request.id.to_string());
            writes.push(self.message(message_key, history.at, Some(request_id))?);
        }
        Ok(writes)
    }

    /// The grant that is live, or that there is none any more.
    fn live(&self, transition: &Transition) -> Result<Option<Write>, LedgerError> {
        let id = transition.request.id.as_str();
        match &transition.live {
            Some(grant) => self.put_over(item("live", id, grant)?).map(Some),
            None if transition.request.version > 1 => self.delete("live", id).map(Some),
            None => Ok(None),
        }
    }

    /// The deadline that goes, and the one that comes. Held against each other as keys: a transaction can't
    /// delete and put one item.
    fn deadlines(&self, transition: &Transition) -> Result<Vec<Write>, LedgerError> {
        let id = &transition.request.id;
        let sk = |deadline: Timestamp| at(deadline, id.as_str());
        let (before, after) = (transition.deadline_before, transition.deadline);
        let mut writes = Vec::new();
        if let Some(before) = before.map(sk).filter(|before| after.map(sk).as_ref() != Some(before)) {
            writes.push(self.delete("deadline", &before)?);
        }
        if let Some(after) = after.filter(|_| before != after) {
            let row = Deadline { at: after, request_id: id.clone() };
            writes.push(self.put_over(item("deadline", &sk(after), &row)?)?);
        }
        Ok(writes)
    }

    /// An event that could not be taken, where it isn't kept already.
    pub(super) fn refused(&self, refused: &RefusedEvent) -> Result<Write, LedgerError> {
        let event = item(&format!("refused#{}", refused.id), "event", refused)?;
        let (put, _) = self.put(expiring(event, refused.at, REFUSED_KEPT), &Condition::NEW)?;
        Ok((put, LedgerError::Duplicate))
    }

    /// A silence, over one for the same domain and owner. It goes when it ends.
    pub(super) fn silenced(&self, silence: &Silence) -> Result<Write, LedgerError> {
        let owner = silence.owner.as_deref().unwrap_or(EVERYBODY);
        let sk = short(format!("{}#{owner}", silence.domain));
        self.put_over(expiring(item("silence", &sk, silence)?, silence.until, SignedDuration::ZERO))
    }

    /// The note that a message has done its work, where it hadn't before. Its key comes from outside, at most
    /// 256 characters of up to four bytes: with what stands before it 1,032 bytes, of the 2,048 that a
    /// partition key may have.
    pub(super) fn message(
        &self,
        message_key: &str,
        now: Timestamp,
        request_id: Option<AttributeValue>,
    ) -> Result<Write, LedgerError> {
        let mut message = expiring(key(&format!("message#{message_key}"), "message"), now, MESSAGE_KEPT);
        message.extend(request_id.map(|id| ("request_id".to_owned(), id)));
        let (put, _) = self.put(message, &Condition::NEW)?;
        Ok((put, LedgerError::Duplicate))
    }

    pub(super) fn outbox_entry(&self, entry: &OutboxEntry) -> Result<Write, LedgerError> {
        self.put_over(outbox_item(entry)?)
    }

    pub(super) fn published_entry(&self, entry: &OutboxEntry) -> Result<Write, LedgerError> {
        self.delete("outbox", &outbox_sk(entry))
    }

    fn put(&self, item: Item, condition: &Condition) -> Result<Write, LedgerError> {
        let put = Put::builder().table_name(&self.table).set_item(Some(item));
        let version = condition.version.map(|version| AttributeValue::N(version.to_string()));
        let values = version.map(|version| [(":version".to_owned(), version)].into());
        let put = put.condition_expression(condition.expression).set_expression_attribute_values(values);
        let put = TransactWriteItem::builder().put(put.build().map_err(corrupt)?).build();
        Ok((put, LedgerError::Conflict))
    }

    /// Puts an item over what stands there, whatever it is.
    fn put_over(&self, item: Item) -> Result<Write, LedgerError> {
        let put = Put::builder().table_name(&self.table).set_item(Some(item)).build().map_err(corrupt)?;
        Ok((TransactWriteItem::builder().put(put).build(), LedgerError::Conflict))
    }

    fn delete(&self, pk: &str, sk: &str) -> Result<Write, LedgerError> {
        let delete = Delete::builder().table_name(&self.table).set_key(Some(key(pk, sk)));
        let delete = TransactWriteItem::builder().delete(delete.build().map_err(corrupt)?).build();
        Ok((delete, LedgerError::Conflict))
    }
}

pub(super) fn outbox_item(entry: &OutboxEntry) -> Result<Item, LedgerError> {
    item("outbox", &outbox_sk(entry), entry)
}

fn outbox_sk(entry: &OutboxEntry) -> String {
    at(entry.at, &short(entry.id.clone()))
}

/// An id that fits into a sort key: itself, or its digest.
fn short(id: String) -> String {
    if id.len() <= LONGEST_ID { id } else { hex::encode(Sha256::digest(id.as_bytes())) }
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
