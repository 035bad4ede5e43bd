//! The reader of the firewall's log, on a batch of 10,000 records of all shapes as CloudWatch Logs delivers it: beside
//! only inflating the same bytes and scanning them as JSON, and beside the same job in Python (`alerts.py`), in the
//! same run. All times are medians; what comes out of ours and of Python's has to be the same.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a benchmark that can't be set up has nothing to measure, and its numbers are small"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use alerts::batch::LONGEST_TEXT;
use alerts::tally::Tally;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use egress::owner::Owner;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use tests::function::{Function, built, median};
use tests::local_aws::LocalAws;

const RECORDS: u64 = 10_000;
const SOURCES: u64 = 5_000;
const NAMES: u64 = 400;
const RUNS: usize = 31;
const PYTHON_RUNS: usize = 7;
const WINDOW: Duration = Duration::from_mins(15);
/// The budgets: so many times the floor, so many times as fast as Python, and memory in MB.
const MOST_OF_FLOOR: f64 = 2.0;
const LEAST_OVER_PYTHON: f64 = 20.0;
const MOST_MEMORY: f64 = 64.0;
/// The variable by which this program, started again, reads one event and says how much memory that took.
const ONLY_READ: &str = "ALERTS_BENCH_ONLY_READ";

fn main() {
    if let Some(event) = std::env::var_os(ONLY_READ) {
        only_read(Path::new(&event));
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let text = envelope((0..RECORDS).map(record), LONGEST_TEXT);
    let event = delivered(text.as_bytes());
    let data = STANDARD.decode(event["awslogs"]["data"].as_str().unwrap()).unwrap();
    let file = scratch.path().join("event.json");
    std::fs::write(&file, event.to_string()).unwrap();

    let (mut floor, mut reading, mut ours) = (Vec::new(), Vec::new(), Vec::new());
    let owners = owners();
    let mut outcome = Outcome::default();
    for _ in 0..RUNS {
        // By turns, so that both meet the same machine.
        floor.push(timed(|| inflated_and_scanned(&data)).1);
        let only = event.clone();
        reading.push(timed(|| Tally::read(only).unwrap()).1);
        let event = event.clone();
        let took;
        (outcome, took) = timed(|| read(event, &owners));
        ours.push(took);
    }
    let python = python(&file);
    assert_eq!(outcome, python.outcome, "Python reads something else");

    let (floor, ours) = (median(floor).as_secs_f64(), median(ours).as_secs_f64());
    let python = median(python.seconds.into_iter().map(Duration::from_secs_f64).collect()).as_secs_f64();
    let peak = ["real", "same", "sources", "grants", "unreadable"]
        .map(|name| peak(&worst(name, &event, scratch.path())));
    let peak = peak.into_iter().fold(0.0, f64::max);
    let whole = tokio::runtime::Runtime::new().unwrap().block_on(whole(&event));
    println!("the whole function: {:.1} MB at most", whole.memory);
    let peak = peak.max(whole.memory);
    let result = json!({
        "records": RECORDS, "bytes": text.len(), "gzip_bytes": data.len(),
        "floor_seconds": floor, "ours_seconds": ours, "python_seconds": python,
        "ratio_to_floor": ours / floor, "speedup_over_python": python / ours, "peak_rss_mb": peak,
        "reading_seconds": median(reading).as_secs_f64(), "dynamodb_writes": whole.writes, "owners_and_domains": outcome.entries, "runs": RUNS,
    });
    println!("{result:#}");
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/bench"));
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("alerts.json"), format!("{result:#}\n")).unwrap();
    // What a busy machine can change is said, and what it can't is held.
    if ours / floor > MOST_OF_FLOOR {
        println!("over {MOST_OF_FLOOR} times the floor");
    }
    if python / ours < LEAST_OVER_PYTHON {
        println!("not {LEAST_OVER_PYTHON} times as fast as Python");
    }
    assert!(peak <= MOST_MEMORY, "over {MOST_MEMORY} MB");
    assert_eq!(whole.writes, outcome.entries + 1);
}

/// What the whole function took.
struct Whole {
    /// The most memory, in MB.
    memory: f64,
    /// Items that were written for what was blocked, each once: of each owner, domain and window, and of the batch.
    writes: usize,
}

/// The function as a whole process, with the local AWS, works off a batch.
async fn whole(event: &Value) -> Whole {
    let aws = LocalAws::start().await.unwrap();
    let client = aws_sdk_dynamodb::Client::new(&aws.sdk_config());
    make_table(&client).await;
    let queue = aws_sdk_sqs::Client::new(&aws.sdk_config())
        .create_queue()
        .queue_name("letters")
        .send()
        .await
        .unwrap();
    let mut command = Command::new(built("alerts").unwrap());
    command
        .envs(aws.environment())
        .env("DEAD_LETTER_QUEUE_URL", queue.queue_url.unwrap())
        .env("EVENT_BUS_NAME", "default")
        .env("FIREWALL_PLACEMENT", "BeforeNATGateway")
        .env("LAMBDA_TASK_ROOT", concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/config/"))
        .env("PROJECT_NAME", "bench")
        .env("SECURITY_HUB", "Off")
        .env("SECURITY_HUB_PRODUCT_ARN", "")
        .env("TABLE_NAME", "ledger")
        .env("VPC_ID", "");
    let mut function = Function::start(command).await.unwrap();
    println!("start to the first poll: {} ms", function.start.as_millis());
    let (_, took) = function.handle(event.clone()).await.unwrap();
    println!("the batch with a table of this machine: {:.1} s", took.as_secs_f64());
    let mut writes = 0;
    let mut items = client.scan().table_name("ledger").into_paginator().items().send();
    while let Some(item) = items.next().await {
        let item = item.unwrap();
        let key = item["pk"].as_s().unwrap();
        writes += usize::from(["blocked#", "alert#"].iter().any(|prefix| key.starts_with(prefix)));
    }
    Whole { memory: function.memory().unwrap() as f64 / 1024.0, writes }
}

async fn make_table(client: &aws_sdk_dynamodb::Client) {
    let keys = |hash: &str, range: &str| {
        let key = |name: &str, kind| {
            KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap()
        };
        Some(vec![key(hash, KeyType::Hash), key(range, KeyType::Range)])
    };
    let mut table = client.create_table().table_name("ledger").billing_mode(BillingMode::PayPerRequest);
    for name in ["pk", "sk", "due", "due_at"] {
        let attribute = AttributeDefinition::builder().attribute_name(name);
        table =
            table.attribute_definitions(attribute.attribute_type(ScalarAttributeType::S).build().unwrap());
    }
    let due = GlobalSecondaryIndex::builder().index_name("due").set_key_schema(keys("due", "due_at"));
    let due = due.projection(Projection::builder().projection_type(ProjectionType::KeysOnly).build());
    let table = table.set_key_schema(keys("pk", "sk")).global_secondary_indexes(due.build().unwrap());
    table.send().await.unwrap();
}

/// What comes out of a batch, in numbers.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
struct Outcome {
    lines: u64,
    blocked: u64,
    grant_uses: u64,
    passed: u64,
    other: u64,
    unreadable: u64,
    entries: usize,
    connections: u64,
    domains: usize,
    uses: u64,
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let began = Instant::now();
    let result = work();
    (result, began.elapsed())
}

/// The least that anybody has to do who reads a batch.
fn inflated_and_scanned(data: &[u8]) -> IgnoredAny {
    let mut text = Vec::with_capacity(data.len() * 8);
    MultiGzDecoder::new(data).read_to_end(&mut text).unwrap();
    serde_json::from_slice(&text).unwrap()
}

/// All addresses of the batch, each of a user of its own: whose they are, EC2 says once, and the function remembers.
fn owners() -> BTreeMap<IpAddr, Owner> {
    let owner = |place: u64| {
        let source = IpAddr::V4(source(place));
        (source, Owner::UserProfile { domain: "d-bench".to_owned(), name: format!("user-{source}") })
    };
    (0..SOURCES).map(owner).collect()
}

fn source(place: u64) -> Ipv4Addr {
    Ipv4Addr::from_bits(0x0a02_0000 + (place % SOURCES) as u32)
}

/// Our job: from what Lambda hands over to what is told together.
fn read(event: Value, owners: &BTreeMap<IpAddr, Owner>) -> Outcome {
    let (_, tally) = Tally::read(event).unwrap();
    assert!(!tally.connections.sources().is_empty() || tally.blocked == 0);
    let groups = tally.connections.groups(owners, WINDOW);
    let named = groups.iter().filter(|group| group.first.is_named);
    let domains: BTreeSet<&str> = named.map(|group| &*group.key.domain).collect();
    Outcome {
        lines: tally.lines,
        blocked: tally.blocked,
        grant_uses: tally.grant_uses,
        passed: tally.passed,
        other: tally.other,
        unreadable: tally.unreadable.count(),
        entries: groups.len(),
        connections: groups.iter().map(|group| group.counts.connections).sum(),
        domains: domains.len(),
        uses: tally.uses.by_grant().iter().map(|used| used.connections).sum(),
    }
}

// --- Python

#[derive(Deserialize)]
struct Python {
    seconds: Vec<f64>,
    outcome: Outcome,
}

fn python(event: &Path) -> Python {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/alerts.py");
    let output =
        Command::new("python3").arg(script).arg(event).arg(PYTHON_RUNS.to_string()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

// --- memory

fn only_read(event: &Path) {
    let event = serde_json::from_slice(&std::fs::read(event).unwrap()).unwrap();
    let outcome = read(event, &owners());
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    println!("{} {outcome:?}", peak.trim().trim_end_matches(" kB"));
}

/// The most memory that a process has had that does nothing but read this event, in MB.
fn peak(event: &Path) -> f64 {
    let output = Command::new(std::env::current_exe().unwrap()).env(ONLY_READ, event).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let (kilobytes, outcome) = said.split_once(' ').expect("it says how much");
    println!("{}: {kilobytes} kB, {outcome}", event.display());
    kilobytes.parse::<f64>().unwrap() / 1024.0
}

/// The batch itself, or the most that fits into Lambda's bounds and ours of one kind of line; in a file.
fn worst(name: &str, event: &Value, folder: &Path) -> PathBuf {
    let file = folder.join(name);
    let event = match name {
        "same" => delivered(envelope((0..).map(|_| record(0)), LONGEST_TEXT).as_bytes()),
        "sources" => delivered(envelope((0..29_999).map(of_another_source), LONGEST_TEXT).as_bytes()),
        "grants" => delivered(envelope((0..).map(of_many_grants), LONGEST_TEXT).as_bytes()),
        "unreadable" => {
            delivered(envelope((0..).map(|place| format!("{place} ?")), LONGEST_TEXT / 4).as_bytes())
        }
        _ => event.clone(),
    };
    println!("{name}: {} bytes of base64", event["awslogs"]["data"].as_str().unwrap().len());
    std::fs::write(&file, event.to_string()).unwrap();
    file
}

/// The shortest record that is one of a source and a connection of its own.
fn of_another_source(place: u64) -> String {
    let source = Ipv4Addr::from_bits(0x0a00_0000 + place as u32);
    format!(
        r#"{{"event":{{"src_ip":"{source}","flow_id":{place},"alert":{{"action":"blocked"}},"tls":{{"sni":"a.b"}}}}}}"#
    )
}

/// A record of a rule with hundreds of grants, of which there are 10,000 in all, each with enough connections.
fn of_many_grants(place: u64) -> String {
    let grants = (0..500).map(|number| format!("req-{:012x}", (place * 500 + number) % 10_000));
    let grants: Value = grants.collect();
    format!(
        r#"{{"event":{{"src_ip":"10.0.0.1","src_port":{},"flow_id":{place},"dest_ip":"192.0.2.1","dest_port":443,"alert":{{"action":"allowed","metadata":{{"grant":{grants}}}}},"tls":{{"sni":"a.b"}}}}}}"#,
        place % 60_000
    )
}

// --- the batch

/// A number that looks like chance, of a place.
fn mixed(place: u64) -> u64 {
    // SplitMix64's finalizer.
    let x = place.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// A record in the shape of one of the samples, with a source, a name, a time, and a connection of its own.
fn record(place: u64) -> String {
    const SAMPLES: [&str; 2] = [
        include_str!("../../functions/alerts/tests/samples.jsonl"),
        include_str!("../../functions/alerts/tests/suricata.jsonl"),
    ];
    let shapes: Vec<&str> = SAMPLES.iter().flat_map(|samples| samples.lines()).collect();
    let shape = place as usize % shapes.len();
    // Two of the samples are a second record of the connection of another one.
    let connection = match shapes.len() - shape {
        5 => place - 1,
        1 => place.saturating_sub(11),
        _ => place,
    };
    let chance = mixed(connection);
    let source = source(chance);
    let port = 1_024 + chance % 60_000;
    let name = name(chance % NAMES);
    let began: Timestamp = "2026-11-28T09:10:00Z".parse().unwrap();
    let at = began + SignedDuration::from_micros((connection * 60_000 + chance % 50_000) as i64);
    let time = at.strftime("%Y-%m-%dT%H:%M:%S.%6f+0000").to_string();
    let mut line = shapes[shape].to_owned();
    for (before, value) in [
        (r#""src_ip":""#, source.to_string()),
        (r#""src_port":"#, port.to_string()),
        (r#""flow_id":"#, (chance >> 13).to_string()),
        (r#""timestamp":""#, time.clone()),
        (r#""start":""#, time),
        (r#""event_timestamp":""#, at.as_second().to_string()),
        (r#""sni":""#, name.clone()),
        (r#""hostname":""#, name.clone()),
        (r#":authority","value":""#, name),
    ] {
        line = replaced(&line, before, &value);
    }
    line
}

fn name(number: u64) -> String {
    match number % 4 {
        0 => format!("host-{number}.example.com"),
        1 => format!("cdn.department-{number}.co.uk"),
        2 => format!("Files.Mirror-{}.org", number / 8),
        _ => format!("api.service-{number}.internal.example.net"),
    }
}

/// A text with another value wherever this stands before one; but for what is no name, or of another kind.
fn replaced(line: &str, before: &str, value: &str) -> String {
    let mut parts = line.split(before);
    let mut text = parts.next().unwrap().to_owned();
    for part in parts {
        let end = part.find(['"', ',', '}']).unwrap();
        let (old, rest) = part.split_at(end);
        let keep =
            old.is_empty() || old == "-" || (before.contains("name") && old.parse::<Ipv4Addr>().is_ok());
        text.extend([before, if keep { old } else { value }, rest]);
    }
    text
}

/// The lines in the envelope that CloudWatch Logs delivers them in, as many as there are or fit.
fn envelope(lines: impl Iterator<Item = String>, most: usize) -> String {
    let mut text = r#"{"messageType":"DATA_MESSAGE","owner":"123456789012","logGroup":"/aws/vendedlogs/network-firewall/demo/alert","logStream":"/aws/network-firewall/alert/demo_2026-11-28-09","subscriptionFilters":["alerts"],"logEvents":["#.to_owned();
    for (place, line) in lines.enumerate() {
        let comma = if place == 0 { "" } else { "," };
        let id = format!("3968742893058739485735{:034}", 9_173_846_250_912 + 7 * place);
        let message = Value::from(line);
        let time = 1_795_857_000_000 + 60 * place;
        let event = format!(r#"{comma}{{"id":"{id}","timestamp":{time},"message":{message}}}"#);
        if text.len() + event.len() + 2 > most {
            break;
        }
        text += &event;
    }
    text + "]}"
}

/// What Lambda is handed.
fn delivered(text: &[u8]) -> Value {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(text).unwrap();
    json!({"awslogs": {"data": STANDARD.encode(gzip.finish().unwrap())}})
}
