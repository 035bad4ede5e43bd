//! The store over the wire, on a table that knows a few calls. What it writes of windows and of grants' uses is held
//! against the local AWS, in the tests that cross crates.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use alerts::batch::BatchId;
use alerts::dynamodb::DynamoStore;
use alerts::evidence::Evidence;
use alerts::windows::Windows;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use egress::aws::windows::{Window, WindowKey};
use egress::request::RequestId;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::harness::now;

/// A table behind `GetItem`, `PutItem`, and a `BatchGetItem` that reads one item at a time.
#[derive(Default)]
struct Table {
    items: Mutex<BTreeMap<String, Value>>,
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
            "DynamoDB_20120810.GetItem" => match items.get(&key(&body["Key"])) {
                Some(item) => (200, json!({"Item": item})),
                None => (200, json!({})),
            },
            "DynamoDB_20120810.PutItem" => {
                let item = body["Item"].clone();
                items.insert(key(&item), item);
                (200, json!({}))
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
    BatchId::of([id])
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
    let error = store.is_done(&batch("a")).await.unwrap_err().to_string();
    assert!(error.starts_with("looking for a batch failed: "), "{error}");
    assert!(error.contains("Requested resource not found"), "{error}");
}

#[tokio::test]
async fn an_earlier_window_that_cannot_be_read_holds_up_no_batch() {
    let (table, store) = Table::start();
    let keys = [1, 2].map(|quarter| WindowKey {
        domain: "pypi.org".into(),
        start: now() - SignedDuration::from_mins(15 * quarter),
        owner: "address/10.2.3.4".into(),
    });
    for (key, owner) in keys
        .iter()
        .zip([json!({"kind": {"S": "martian"}}), json!({"kind": {"S": "unknown"}, "reason": {"S": ""}})])
    {
        let item = json!({
            "pk": {"S": "blocked#pypi.org"}, "sk": {"S": key.sort()}, "updates": {"N": "1"}, "owner": {"M": owner},
            "owner_key": {"S": key.owner}, "domain": {"S": key.domain}, "from": {"S": key.start.to_string()},
            "until": {"S": now().to_string()}
        });
        table.items.lock().unwrap().insert(format!("blocked#pypi.org {}", key.sort()), item);
    }
    let read: Vec<WindowKey> = store.windows(&keys).await.unwrap().iter().map(Window::key).collect();
    assert_eq!(read, keys[1..]);
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
