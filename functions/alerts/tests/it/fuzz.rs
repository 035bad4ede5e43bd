//! Whatever stands in the log: nothing panics, no line takes its neighbours with it, and what is JSON is read as
//! `serde_json` reads it. `PROPTEST_CASES` makes the run longer.

use std::collections::BTreeMap;

use alerts::batch::{self, LogEvent};
use alerts::record::{Record, Unreadable};
use alerts::tally::Tally;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};

use crate::harness::{enveloped, packed};

/// The words that the reader looks for, so that random objects get deep into it.
const WORDS: [&str; 36] = [
    "event",
    "event_type",
    "alert",
    "action",
    "blocked",
    "verdict",
    "drop",
    "tls",
    "quic",
    "sni",
    "http",
    "hostname",
    "request_headers",
    "name",
    "value",
    ":authority",
    "Host",
    "src_ip",
    "10.0.0.1",
    "dest_ip",
    "dest_port",
    "443",
    "flow_id",
    "metadata",
    "grant",
    "req-0123456789ab",
    "timestamp",
    "2025-10-01T11:14:54.833146+0000",
    "2025-02-30T24:60:60.000000+0000",
    "event_timestamp",
    "direction",
    "to_client",
    "aws_metadata",
    "proto",
    "app_proto",
    "firewall_name",
];

fn samples() -> Vec<&'static str> {
    [include_str!("../samples.jsonl"), include_str!("../suricata.jsonl")]
        .iter()
        .flat_map(|s| s.lines())
        .collect()
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![4 => select(&WORDS[..]).prop_map(str::to_owned), 1 => any::<String>()]
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word().prop_map(Value::from),
    ]
}

fn any_json() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(5, 64, 8, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec((word(), inner), 0..8)
                .prop_map(|entries| Value::Object(entries.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// A change of a text that is a record: of its fields, or of its bytes.
#[derive(Debug, Clone)]
enum Change {
    /// The value of a field becomes another one.
    Retyped(Index, Value),
    /// A field is not there.
    Removed(Index),
    /// A field is there once more, with another value.
    Twice(Index, Value),
    /// Bytes are cut out, or others put in.
    Bytes(Index, usize, Vec<u8>),
}

fn change() -> impl Strategy<Value = Change> {
    let bytes = vec(prop_oneof![any::<u8>(), select(&b"\\\"{}[],: \n0u"[..])], 0..4);
    prop_oneof![
        (any::<Index>(), any_json()).prop_map(|(at, value)| Change::Retyped(at, value)),
        any::<Index>().prop_map(Change::Removed),
        (any::<Index>(), any_json()).prop_map(|(at, value)| Change::Twice(at, value)),
        (any::<Index>(), 0_usize..40, bytes).prop_map(|(at, cut, put)| Change::Bytes(at, cut, put)),
    ]
}

/// Where in a record its fields stand: the key with its quotes and colon, and the value behind.
fn fields(line: &[u8]) -> Vec<(usize, usize, usize)> {
    let mut found = Vec::new();
    for colon in line.windows(2).enumerate().filter(|(_, two)| two == b"\":").map(|(at, _)| at + 1) {
        let key = line[..colon - 1].iter().rposition(|byte| *byte == b'"').unwrap_or(0);
        let mut values = serde_json::Deserializer::from_slice(&line[colon + 1..]).into_iter::<IgnoredAny>();
        if let Some(Ok(_)) = values.next() {
            found.push((key, colon + 1, colon + 1 + values.byte_offset()));
        }
    }
    found
}

fn changed(line: &str, changes: &[Change]) -> Vec<u8> {
    let mut line = line.as_bytes().to_vec();
    for change in changes {
        let fields = fields(&line);
        let field = |at: &Index| (!fields.is_empty()).then(|| fields[at.index(fields.len())]);
        match change {
            Change::Retyped(at, value) => {
                let Some((_, start, end)) = field(at) else { continue };
                line.splice(start..end, value.to_string().into_bytes());
            }
            Change::Removed(at) => {
                let Some((key, _, end)) = field(at) else { continue };
                let end = if line.get(end) == Some(&b',') { end + 1 } else { end };
                line.drain(key..end);
            }
            Change::Twice(at, value) => {
                let Some((key, start, end)) = field(at) else { continue };
                let again = [b",", &line[key..start], value.to_string().as_bytes()].concat();
                line.splice(end..end, again);
            }
            Change::Bytes(at, cut, put) => {
                let at = at.index(line.len() + 1);
                let end = line.len().min(at + cut);
                line.splice(at..end, put.iter().copied());
            }
        }
    }
    line
}

fn a_changed_record() -> impl Strategy<Value = Vec<u8>> {
    (select(samples()), vec(change(), 0..4)).prop_map(|(line, changes)| changed(line, &changes))
}

/// What the reader makes of a line, in full.
fn said(line: &[u8]) -> String {
    format!("{:?}", Record::read(line))
}

/// What it makes of lines in a batch, where each is text in JSON.
fn said_in_a_batch(lines: &[String]) -> Vec<String> {
    let event = |(id, line): (usize, &String)| json!({"id": id.to_string(), "timestamp": 1, "message": line});
    let events: Vec<Value> = lines.iter().enumerate().map(event).collect();
    let mut said = Vec::new();
    batch::read(enveloped(&json!({"messageType": "DATA_MESSAGE", "logEvents": events})), |event| {
        said.push(match &event.record {
            Ok(record) => format!("{:?}", Ok::<_, Unreadable>(record)),
            Err(not_read) => {
                let line = lines[said.len()].as_bytes();
                assert_eq!(not_read.line, line, "what is kept is the line");
                format!("{:?}", Err::<Record<'_>, _>(&not_read.reason))
            }
        });
    })
    .unwrap();
    said
}

/// The counts of a tally that add up over batches.
fn sums<'a>(tallies: impl IntoIterator<Item = &'a Tally>) -> [u64; 6] {
    let of = |t: &Tally| [t.lines, t.blocked, t.grant_uses, t.passed, t.other, t.unreadable.count()];
    tallies.into_iter().map(of).fold([0; 6], |all, one| std::array::from_fn(|i| all[i] + one[i]))
}

fn tally(lines: &[Vec<u8>]) -> Tally {
    let mut tally = Tally::default();
    for line in lines {
        tally.take(&LogEvent::new("1".into(), 0, line));
    }
    tally
}

/// Holds the reader against `serde_json`: the same is JSON, and written by it anew it says the same.
fn as_serde_json_reads_it(line: &[u8]) {
    // A number at the end of a text could go on.
    let line = [line, b" "].concat();
    let is_json = serde_json::from_slice::<IgnoredAny>(&line).is_ok();
    let read = Record::read(&line);
    assert_eq!(is_json, !matches!(read, Err(Unreadable::NotJson { .. })), "{read:?}");
    if let Ok(value) = serde_json::from_slice::<Value>(&line) {
        assert_eq!(said(&line), said(format!("{value} ").as_bytes()));
    }
}

proptest! {
    #[test]
    fn fuzz_any_bytes(line in vec(any::<u8>(), 0..200)) {
        as_serde_json_reads_it(&line);
    }

    #[test]
    fn fuzz_any_json(value in any_json()) {
        let line = value.to_string();
        as_serde_json_reads_it(line.as_bytes());
        if let Ok(Record::Alert(alert)) = Record::read(line.as_bytes()) {
            prop_assert!(!alert.destination().is_empty());
        }
        let _ = tally(&[line.into_bytes()]).connections.groups(&BTreeMap::new(), std::time::Duration::from_mins(15));
    }

    #[test]
    fn fuzz_a_real_record_changed_anywhere(line in a_changed_record()) {
        as_serde_json_reads_it(&line);
    }

    #[test]
    fn fuzz_a_line_says_the_same_wherever_it_stands(lines in vec(a_changed_record(), 1..5)) {
        let lines: Vec<String> = lines.iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect();
        let alone: Vec<String> = lines.iter().map(|line| said(line.as_bytes())).collect();
        prop_assert_eq!(said_in_a_batch(&lines), alone);
    }

    #[test]
    fn fuzz_however_lines_are_split_they_add_up(lines in vec(a_changed_record(), 0..12), at in any::<Index>()) {
        let (first, second) = lines.split_at(at.index(lines.len() + 1));
        let whole = tally(&lines);
        prop_assert_eq!(whole.lines, lines.len() as u64);
        prop_assert_eq!(sums([&whole])[0], sums([&whole])[1..].iter().sum::<u64>());
        prop_assert_eq!(sums([&whole]), sums([&tally(first), &tally(second)]));
    }

    #[test]
    fn fuzz_any_envelope(envelope in an_envelope(), cut in prop::option::of(any::<Index>())) {
        let text = envelope.to_string();
        let end = cut.map_or(text.len(), |cut| cut.index(text.len()));
        let read = Tally::read(packed(&[&text.as_bytes()[..end]]));
        prop_assert!(end == text.len() || read.is_err(), "half a batch is none");
    }

    #[test]
    fn fuzz_any_event(event in any_json(), deflated in vec(any::<u8>(), 0..100), text in vec(any::<u8>(), 0..100)) {
        let _ = Tally::read(event);
        let _ = Tally::read(json!({"awslogs": {"data": base64(&deflated)}}));
        let _ = Tally::read(packed(&[&text]));
    }
}

fn an_envelope() -> impl Strategy<Value = Value> {
    let line = a_changed_record().prop_map(|line| String::from_utf8_lossy(&line).into_owned());
    let event = prop_oneof![
        3 => (any::<String>(), any::<i64>(), line)
            .prop_map(|(id, timestamp, message)| json!({"id": id, "timestamp": timestamp, "message": message})),
        1 => any_json(),
    ];
    let events = prop_oneof![4 => vec(event, 0..4).prop_map(Value::from), 1 => any_json()];
    let kind = prop_oneof![4 => Just(json!("DATA_MESSAGE")), 1 => any_json()];
    (kind, events, any_json()).prop_map(
        |(kind, events, other)| json!({"messageType": kind, "logEvents": events, "logStream": other, "owner": other}),
    )
}

fn base64(bytes: &[u8]) -> String {
    use ::base64::Engine;
    ::base64::engine::general_purpose::STANDARD.encode(bytes)
}
