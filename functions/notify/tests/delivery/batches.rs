//! What becomes of the messages of a batch.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;
use notify::batch::{Batch, InboxError, Teller, work_off};
use notify::notice::Notice;
use notify::routing::Destination;
use notify::undelivered::Undelivered;
use serde_json::{Value, json};

use crate::events::{blocked, changed};
use crate::memory::{MemoryInbox, Shared};

/// Tells everything, up to what it is to answer first.
#[derive(Default)]
struct Script {
    outcomes: Shared<VecDeque<Result<(), Undelivered>>>,
    told: Shared<Vec<String>>,
}

impl Teller for Script {
    async fn tell(&self, to: &Destination, notice: &Notice, _: Timestamp) -> Result<(), Undelivered> {
        self.told.get().push(format!("{} at {to}", notice.event_id()));
        self.outcomes.get().pop_front().unwrap_or(Ok(()))
    }
}

fn later(after: Option<u64>) -> Result<(), Undelivered> {
    Err(Undelivered::Later { after: after.map(Duration::from_secs), why: "busy".to_owned() })
}

fn never() -> Result<(), Undelivered> {
    Err(Undelivered::Never { why: "no such channel".to_owned() })
}

/// A message as Lambda hands it over.
fn record(id: &str, group: &str, tries: u32, body: &str) -> Value {
    json!({
        "messageId": id, "receiptHandle": format!("handle-{id}"), "body": body, "md5OfBody": "x",
        "attributes": {
            "ApproximateReceiveCount": tries.to_string(), "SentTimestamp": "1545082649183", "MessageGroupId": group,
            "MessageDeduplicationId": "x", "SequenceNumber": "1"
        },
        "messageAttributes": {}, "eventSource": "aws:sqs", "eventSourceARN": "arn:x", "awsRegion": "eu-west-1"
    })
}

fn errand(id: &str, group: &str, tries: u32) -> Value {
    let event = changed(1, None, "pending", json!({}));
    record(id, group, tries, &json!({"destination": {"slack_channel": "C1"}, "event": event}).to_string())
}

/// The ids of the messages that are to come again.
async fn left(script: &Script, inbox: &MemoryInbox, records: Vec<Value>) -> Vec<String> {
    let batch: Batch = serde_json::from_value(json!({"Records": records})).unwrap();
    let answer = work_off(script, inbox, &batch, Timestamp::UNIX_EPOCH).await;
    let answer = serde_json::to_value(answer).unwrap();
    let failures = answer["batchItemFailures"].as_array().unwrap();
    failures.iter().map(|failure| failure["itemIdentifier"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn what_is_told_does_not_come_again() {
    let (script, inbox) = (Script::default(), MemoryInbox::default());
    let mail = record("2", "b", 1, &json!({"destination": "mail", "event": blocked()}).to_string());
    assert!(left(&script, &inbox, vec![errand("1", "a", 1), mail]).await.is_empty());
    assert_eq!(*script.told.get(), ["req.1 at slack:C1", "blocked-0123 at mail"]);
}

#[tokio::test]
async fn what_is_not_told_waits_and_its_group_with_it() {
    let (script, inbox) = (Script::default(), MemoryInbox::default());
    script.outcomes.get().push_back(later(Some(120)));
    let records = vec![errand("1", "a", 1), errand("2", "a", 1), errand("3", "b", 1)];
    assert_eq!(left(&script, &inbox, records).await, ["1", "2"]);
    assert_eq!(script.told.get().len(), 2, "the second was not tried");
    let postponed = inbox.postponed.get().clone();
    assert_eq!(postponed, [("1".to_owned(), Duration::from_mins(2)), ("2".to_owned(), Duration::ZERO)]);
}

#[tokio::test]
async fn the_more_tries_the_longer_it_waits() {
    for (tries, least, most) in [(1, 2, 5), (3, 10, 20), (10, 450, 900)] {
        let (script, inbox) = (Script::default(), MemoryInbox::default());
        script.outcomes.get().push_back(later(None));
        assert_eq!(left(&script, &inbox, vec![errand("1", "a", tries)]).await, ["1"]);
        let pause = inbox.postponed.get()[0].1.as_secs();
        assert!((least..=most).contains(&pause), "{tries} tries: {pause} s");
    }
}

#[tokio::test]
async fn what_can_never_be_told_is_with_the_dead_letters_at_once() {
    let (script, inbox) = (Script::default(), MemoryInbox::default());
    script.outcomes.get().push_back(never());
    let event = json!({"source": "aws.ec2", "detail-type": "x"});
    let unknown = record("3", "c", 1, &json!({"destination": "mail", "event": event}).to_string());
    let records = vec![errand("1", "a", 1), record("2", "b", 1, "hello"), unknown, errand("4", "a", 1)];
    assert!(left(&script, &inbox, records).await.is_empty());
    assert_eq!(*inbox.dead.get(), ["1", "2", "3"]);
}

#[tokio::test]
async fn a_queue_that_fails_loses_nothing() {
    let (script, inbox) = (Script::default(), MemoryInbox::default());
    script.outcomes.get().extend([later(None), never()]);
    let failure = InboxError("told to fail".to_owned());
    inbox.failures.get().extend([failure.clone(), failure]);
    let records = vec![errand("1", "a", 1), errand("2", "b", 1)];
    assert_eq!(left(&script, &inbox, records).await, ["1", "2"]);
    assert!(inbox.dead.get().is_empty());
}
