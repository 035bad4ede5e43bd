//! The store over the wire, on a table that knows a few calls. What it writes of grants' uses, in transactions,
//! is held against the local AWS, in the tests that cross crates.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use alerts::batch::{self, BatchId};
use alerts::blocked::Blocked;
use alerts::dynamodb::DynamoStore;
use alerts::evidence::Evidence;
use alerts::windows::{Claim, Windows};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use egress::request::RequestId;
use serde_json::{Value, json};

use crate::harness::now;

/// A table behind `GetItem`, `PutItem`, and a `BatchGetItem` that reads one item at a time.
#[derive(Default)]
struct Table {
    items: Mutex<BTreeMap<String, Value>>,
    /// Reads don't see what was written: as much as an eventually consistent read may promise.
    stale: AtomicBool,
    broken: AtomicBool,
}

impl Table {
    /// Starts it on a free port; answers it, and a store on it. Its threads end with the test's process.
    fn start() -> (Arc<Self>, DynamoStore) {
        let table = Arc::new(Self::default());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let served = Arc::clone(&table);
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let table = Arc::clone(&served);
                std::thread::spawn(move || table.serve(connection.unwrap()));
            }
        });
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("eu-west-1"))
            .credentials_provider(Credentials::new("key", "secret", None, None, "test"))
            .retry_config(aws_sdk_dynamodb::config::retry::RetryConfig::disabled())
            .endpoint_url(url);
        (table, DynamoStore::new(Client::from_conf(config.build()), "table".to_owned()))
    }

    fn serve(&self, connection: TcpStream) {
        let mut reader = BufReader::new(connection.try_clone().unwrap());
        let mut writer = connection;
        while let Some((operation, body)) = request(&mut reader) {
            let (status, answer) = self.answer(&operation, &body);
            let answer = answer.to_string();
            let head = format!(
                "HTTP/1.1 {status} -\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: {}\r\n\r\n",
                answer.len()
            );
            writer.write_all(head.as_bytes()).unwrap();
            writer.write_all(answer.as_bytes()).unwrap();
        }
    }

    fn answer(&self, operation: &str, body: &Value) -> (u16, Value) {
        if self.broken.load(Ordering::SeqCst) {
            let kind = "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException";
            return (400, json!({"__type": kind, "message": "Requested resource not found"}));
        }
        let mut items = self.items.lock().unwrap();
        let key = |item: &Value| {
            format!("{} {}", item["pk"]["S"].as_str().unwrap(), item["sk"]["S"].as_str().unwrap())
        };
        match operation {
            "DynamoDB_20120810.GetItem" if self.stale.load(Ordering::SeqCst) => (200, json!({})),
            "DynamoDB_20120810.GetItem" => match items.get(&key(&body["Key"])) {
                Some(item) => (200, json!({"Item": item})),
                None => (200, json!({})),
            },
            "DynamoDB_20120810.PutItem" => {
                let item = body["Item"].clone();
                match items.get(&key(&item)) {
                    Some(there) if body["ConditionExpression"] == "attribute_not_exists(pk)" => {
                        let kind = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";
                        (
                            400,
                            json!({"__type": kind, "message": "The conditional request failed", "Item": there}),
                        )
                    }
                    _ => {
                        items.insert(key(&item), item);
                        (200, json!({}))
                    }
                }
            }
            "DynamoDB_20120810.BatchGetItem" => {
                let keys = body["RequestItems"]["table"]["Keys"].as_array().unwrap();
                let (first, left) = keys.split_first().unwrap();
                let found = items.get(&key(first)).into_iter().collect::<Vec<_>>();
                let left = if left.is_empty() { json!({}) } else { json!({"table": {"Keys": left}}) };
                (200, json!({"Responses": {"table": found}, "UnprocessedKeys": left}))
            }
            other => panic!("{other} is not a call that the store may make"),
        }
    }

    /// The keys, and how many connections each item has.
    fn counts(&self) -> Vec<String> {
        let items = self.items.lock().unwrap();
        items
            .iter()
            .map(|(key, item)| format!("{key} = {}", item["connections"]["N"].as_str().unwrap_or("-")))
            .collect()
    }
}

/// The next request: its operation and its body.
fn request(reader: &mut impl BufRead) -> Option<(String, Value)> {
    let (mut operation, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return None;
        }
        match line.trim_end().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("x-amz-target") => operation = value.to_owned(),
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.parse().unwrap();
            }
            None if line == "\r\n" => break,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    Some((operation, serde_json::from_slice(&body).unwrap()))
}

fn batch(id: &str) -> BatchId {
    let text = json!({"messageType": "DATA_MESSAGE", "logEvents": [{"id": id, "message": ""}]}).to_string();
    batch::read(text.as_bytes(), |_| ()).unwrap().id
}

fn blocked(count: u64) -> Blocked {
    Blocked {
        source: "10.2.3.10".parse().unwrap(),
        destination: "pypi.org".to_owned(),
        is_named: true,
        window_start: "2026-05-14T09:15:00Z".parse().unwrap(),
        port: Some(443),
        protocol: "tls".to_owned(),
        count,
        first_seen: now(),
        last_seen: now(),
        signature: String::new(),
        firewall: String::new(),
        availability_zone: String::new(),
    }
}

async fn claims(store: &DynamoStore) -> [Claim; 4] {
    let (first, second) = (batch("a"), batch("b"));
    [
        store.claim(&blocked(3), &first, now()).await.unwrap(),
        store.claim(&blocked(5), &second, now()).await.unwrap(),
        store.claim(&blocked(3), &first, now()).await.unwrap(),
        store.claim(&blocked(5), &second, now()).await.unwrap(),
    ]
}

#[tokio::test]
async fn the_first_batch_claims_and_each_counts_once() {
    let (table, store) = Table::start();
    assert_eq!(claims(&store).await, [Claim::Ours, Claim::Theirs, Claim::Ours, Claim::Theirs]);
    insta::assert_snapshot!(table.counts().join("\n"));
}

#[tokio::test]
async fn a_claim_that_a_read_does_not_see_yet_holds() {
    let (table, store) = Table::start();
    table.stale.store(true, Ordering::SeqCst);
    assert_eq!(claims(&store).await, [Claim::Ours, Claim::Theirs, Claim::Ours, Claim::Theirs]);
    assert_eq!(table.counts().len(), 2);
}

#[tokio::test]
async fn a_batch_is_done_when_it_was_said_to_be() {
    let (_table, store) = Table::start();
    assert!(!store.is_done(&batch("a")).await.unwrap());
    store.done(&batch("a"), now()).await.unwrap();
    assert!(store.is_done(&batch("a")).await.unwrap());
    assert!(!store.is_done(&batch("b")).await.unwrap());
}

#[tokio::test]
async fn a_table_that_is_not_there_is_named_as_the_cause() {
    let (table, store) = Table::start();
    table.broken.store(true, Ordering::SeqCst);
    let error = store.claim(&blocked(1), &batch("a"), now()).await.unwrap_err().to_string();
    assert!(error.starts_with("reading a window's claim failed: "), "{error}");
    assert!(error.contains("Requested resource not found"), "{error}");
}

#[tokio::test]
async fn what_dynamodb_leaves_unread_is_asked_for_again() {
    let (table, store) = Table::start();
    let ids: Vec<RequestId> = ["1", "2", "3"].into_iter().map(RequestId::of_message).collect();
    for id in [&ids[0], &ids[2]] {
        let (pk, at) = (format!("use#{id}"), now().to_string());
        let item = json!({
            "pk": {"S": pk}, "sk": {"S": "use"}, "connections": {"N": "7"}, "first_batch": {"S": "a"},
            "first_used_at": {"S": at}, "last_used_at": {"S": at}
        });
        table.items.lock().unwrap().insert(format!("{pk} use"), item);
    }
    let used = store.used(&ids.iter().collect::<BTreeSet<_>>()).await.unwrap();
    let connections: Vec<_> = ids.iter().map(|id| used.get(id).map(|used| used.connections)).collect();
    assert_eq!(connections, [Some(7), None, Some(7)]);
}
