//! What every ledger keeps to, held against the one in memory, on which the stories of `requests` run, and
//! against the one on `DynamoDB`.

#![cfg(test)]

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use egress::aws::DynamoLedger;
use egress::config::Config;
use egress::events::{DomainRequested, VERSION};
use egress::ledger::{Deadline, Ledger, LedgerError, Transition};
use egress::lifecycle::{self, Command};
use egress::request::{Request, StateName};
use jiff::{SignedDuration, Timestamp, ToSpan};
use tests::local_aws::LocalAws;
use tests::memory::MemoryLedger;

#[tokio::test]
async fn the_one_in_memory() -> anyhow::Result<()> {
    keeps_the_contract(&MemoryLedger::new()).await
}

#[tokio::test]
async fn the_one_on_dynamodb() -> anyhow::Result<()> {
    let aws = LocalAws::start().await?;
    let client = aws_sdk_dynamodb::Client::new(&aws.sdk_config());
    let mut table = client.create_table().table_name("ledger").billing_mode(BillingMode::PayPerRequest);
    for (name, kind) in [("pk", KeyType::Hash), ("sk", KeyType::Range)] {
        let text = ScalarAttributeType::S;
        table = table
            .attribute_definitions(
                AttributeDefinition::builder().attribute_name(name).attribute_type(text).build()?,
            )
            .key_schema(KeySchemaElement::builder().attribute_name(name).key_type(kind).build()?);
    }
    table.send().await?;
    keeps_the_contract(&DynamoLedger::new(client, "ledger".to_owned())).await
}

async fn keeps_the_contract<L: Ledger>(ledger: &L) -> anyhow::Result<()> {
    a_transition_is_written_whole_and_once(ledger).await?;
    of_two_decisions_at_once_one_is_written(ledger).await?;
    deadlines_come_in_order_and_when_they_are_due(ledger).await?;
    what_is_published_is_not_published_again(ledger).await?;
    our_targets_are_released_only_as_they_were_read(ledger).await
}

fn config() -> Config {
    Config::parse("[approval]\napprovers = [\"bob\", \"carol\"]\n").unwrap()
}

fn noon() -> Timestamp {
    "2026-05-14T12:00:00Z".parse().unwrap()
}

/// A request that waits for its approver.
fn asked(key: &str, minutes: i64) -> Transition {
    let asked = DomainRequested {
        version: VERSION,
        message_key: key.to_owned(),
        requester: "alice".to_owned(),
        domains: vec![".github.com".to_owned(), "pypi.org".to_owned()],
        preset: None,
        justification: "„schön“ \u{1F600}, \"quoted\"".to_owned(),
        ticket: None,
        duration_seconds: Some(3_600),
    };
    lifecycle::open(&asked, &config(), noon() + minutes.minutes()).unwrap()
}

fn approved(request: &Request, by: &str, key: &str) -> Transition {
    let command = Command::Approve { by: by.to_owned(), comment: None };
    let mut approved = lifecycle::apply(request, &command, &config(), noon() + 1.hour()).unwrap();
    approved.message_key = Some(key.to_owned());
    approved
}

async fn a_transition_is_written_whole_and_once<L: Ledger>(ledger: &L) -> anyhow::Result<()> {
    let first = asked("whole-1", 0);
    let id = first.request.id.clone();
    assert_eq!(ledger.load(&id).await?, None);
    assert!(!ledger.acted_on("whole-1").await?);

    ledger.commit(&first).await?;
    assert_eq!(ledger.load(&id).await?.as_ref(), Some(&first.request));
    assert!(ledger.acted_on("whole-1").await?);
    assert_eq!(ledger.history(&id).await?.as_slice(), std::slice::from_ref(&first.history));
    assert_eq!(ledger.live_grants().await?, []);
    assert_eq!(ledger.commit(&first).await, Err(LedgerError::Duplicate));

    let second = approved(&first.request, "bob", "whole-2");
    ledger.commit(&second).await?;
    assert_eq!(ledger.live_grants().await?.as_slice(), second.live.as_slice());
    assert_eq!(ledger.history(&id).await?, [first.history, second.history]);

    let due = second.deadline.unwrap();
    let third = lifecycle::apply(&second.request, &Command::Due, &config(), due)?;
    ledger.commit(&third).await?;
    assert_eq!(ledger.load(&id).await?.map(|request| request.state), Some(StateName::Ended));
    assert_eq!(ledger.live_grants().await?, []);
    Ok(())
}

async fn of_two_decisions_at_once_one_is_written<L: Ledger>(ledger: &L) -> anyhow::Result<()> {
    let pending = asked("both-1", 0);
    ledger.commit(&pending).await?;
    let (bob, carol) =
        (approved(&pending.request, "bob", "both-2"), approved(&pending.request, "carol", "both-3"));
    let both = tokio::join!(ledger.commit(&bob), ledger.commit(&carol));
    assert!(
        matches!(both, (Ok(()), Err(LedgerError::Conflict)) | (Err(LedgerError::Conflict), Ok(()))),
        "{both:?}"
    );
    assert_eq!(ledger.history(&pending.request.id).await?.len(), 2);
    Ok(())
}

async fn deadlines_come_in_order_and_when_they_are_due<L: Ledger>(ledger: &L) -> anyhow::Result<()> {
    let early = asked("due-1", -10);
    let late = asked("due-2", -5);
    ledger.commit(&late).await?;
    ledger.commit(&early).await?;
    let ours = |due: Vec<Deadline>| -> Vec<Deadline> {
        let of_these = [&early.request.id, &late.request.id];
        due.into_iter().filter(|deadline| of_these.contains(&&deadline.request_id)).collect()
    };
    let at = |transition: &Transition| Deadline {
        at: transition.deadline.unwrap(),
        request_id: transition.request.id.clone(),
    };
    let just_before = early.deadline.unwrap() - SignedDuration::from_micros(1);
    assert_eq!(ours(ledger.due(just_before).await?), []);
    assert_eq!(ours(ledger.due(early.deadline.unwrap()).await?), [at(&early)]);
    assert_eq!(ours(ledger.due(late.deadline.unwrap()).await?), [at(&early), at(&late)]);

    ledger.clear_deadline(&at(&early)).await?;
    ledger.clear_deadline(&at(&early)).await?;
    assert_eq!(ours(ledger.due(late.deadline.unwrap()).await?), [at(&late)]);
    Ok(())
}

async fn what_is_published_is_not_published_again<L: Ledger>(ledger: &L) -> anyhow::Result<()> {
    let everything = ledger.outbox(Timestamp::MAX).await?;
    ledger.published(&everything).await?;
    let transition = asked("outbox-1", 0);
    ledger.commit(&transition).await?;
    assert_eq!(ledger.outbox(noon() - 1.second()).await?, []);
    let waiting = ledger.outbox(noon()).await?;
    assert_eq!(waiting, transition.outbox);
    ledger.published(&waiting).await?;
    ledger.published(&waiting).await?;
    assert_eq!(ledger.outbox(Timestamp::MAX).await?, []);
    Ok(())
}

async fn our_targets_are_released_only_as_they_were_read<L: Ledger>(ledger: &L) -> anyhow::Result<()> {
    let set =
        |targets: &[&str]| -> BTreeSet<String> { targets.iter().map(|&target| target.to_owned()).collect() };
    ledger.claim_targets(&set(&["a.example", "b.example"])).await?;
    let read = ledger.own_targets().await?;
    assert_eq!(read.targets, set(&["a.example", "b.example"]));

    ledger.claim_targets(&set(&["b.example", "c.example"])).await?;
    assert_eq!(ledger.release_targets(&set(&["b.example"]), read.claims).await, Err(LedgerError::Conflict));

    let read = ledger.own_targets().await?;
    ledger.release_targets(&set(&["b.example"]), read.claims).await?;
    assert_eq!(ledger.own_targets().await?.targets, set(&["a.example", "c.example"]));
    Ok(())
}
