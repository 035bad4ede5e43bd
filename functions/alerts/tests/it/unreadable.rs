//! Lines that can't be read are counted and kept.

use std::fmt::Write;

use alerts::tally::Tally;
use serde_json::{Value, json};

use crate::harness::{blocked, delivery, enveloped, numbered};

/// What SQS takes in a message, in bytes.
const MESSAGE: usize = 256 * 1024;

/// The letter about a batch of these lines.
fn letter(lines: impl IntoIterator<Item = String>) -> Option<Value> {
    let (batch, tally) = Tally::read(delivery(&numbered("line", lines))).unwrap();
    tally.unreadable.letter(&batch)
}

fn kept(letter: &Value) -> &Vec<Value> {
    letter["unreadable"]["lines"].as_array().unwrap()
}

#[test]
fn what_can_t_be_read_is_kept_as_it_is_with_the_reason() {
    let good = blocked("10.2.3.10", "pypi.org", "2026-05-14T09:16:00Z", 1);
    let lines = [
        r#"{"event": {"src_ip": "10.0"#,
        "no JSON \u{0} \u{fffe} \"é\"",
        "[]",
        r#"{"event": {}}"#,
        r#"{"event": {"alert": {"action": "blocked"}, "dest_ip": "192.0.2.1", "src_ip": "a host"}}"#,
        r#"{"event": {"event_type": "alert", "src_ip": "192.0.2.1"}}"#,
        &good,
        "",
    ];
    insta::assert_json_snapshot!(letter(lines.map(str::to_owned)));
}

#[test]
fn of_a_batch_without_such_lines_there_is_no_letter() {
    assert_eq!(letter([blocked("10.2.3.10", "pypi.org", "2026-05-14T09:16:00Z", 1)]), None);
}

#[test]
fn a_log_event_that_is_none_has_a_line_that_can_t_be_read() {
    let good = blocked("10.2.3.10", "pypi.org", "2026-05-14T09:16:00Z", 1);
    let events =
        json!([{"id": "a"}, {"id": "b", "timestamp": "x", "message": 7}, null, {"id": "c", "message": good}]);
    let event = enveloped(&json!({"messageType": "DATA_MESSAGE", "logEvents": events}));
    let (_, tally) = Tally::read(event).unwrap();
    assert_eq!((tally.lines, tally.blocked, tally.unreadable.count()), (4, 1, 3));
}

#[test]
fn a_long_line_is_kept_up_to_four_kilobytes_and_says_so() {
    let letter = letter([format!("?{}", "é".repeat(5_000))]).unwrap();
    let line = &kept(&letter)[0];
    assert_eq!(
        line["line"].as_str().unwrap().chars().count(),
        1 + 2_047 + 1,
        "its last character is cut in half"
    );
    insta::assert_snapshot!(line["reason"].as_str().unwrap(), @"it is not JSON: at byte 0 it does not go on like JSON; of its 10001 bytes, the first 4096");
}

#[test]
fn a_letter_fits_into_a_message_whatever_the_lines_are() {
    let mut text = String::new();
    for (kind, count) in
        [("?", 40_000), ("\u{0}?", 5_000), ("\u{fffe}", 5_000), ("?\"\\", 3_000), ("é", 3_000)]
    {
        for length in [1, 1_000] {
            let count = count / length.min(10);
            let letter = letter(std::iter::repeat_n(kind.repeat(length), count)).unwrap();
            let json = letter.to_string();
            let size = json.len() + 3 * json.matches('\u{fffe}').count();
            assert!(size <= MESSAGE, "{size} bytes");
            let lines = kept(&letter).len();
            let more = letter["unreadable"]["more"].as_u64().unwrap();
            assert_eq!(lines as u64 + more, count as u64, "all are counted");
            writeln!(text, "{count} × {length} × {kind:?}: {lines} lines in {} KB", size / 1024).unwrap();
        }
    }
    insta::assert_snapshot!(text);
}
