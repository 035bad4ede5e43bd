//! Files of the log in a bucket.

use std::io::Write;

use alerts::batch::Batch;
use alerts::s3::{Content, FileError, Files, ObjectRef, Pieces, objects};
use alerts::tally::Tally;
use egress::aws::signed::{CallError, StatusCode};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::harness::{blocked, function, now, told};

const KEY: &str = "logs of 2026/AWSLogs/123456789012/network-firewall/alert/eu-west-1/demo/2026/05/14/09/123456789012_network-firewall_alert_eu-west-1_demo_202605140915_0a1b2c.log.gz";
const AT: &str = "2026-05-14T09:16:00.5+0000";

fn object() -> ObjectRef {
    ObjectRef { bucket: "logs".to_owned(), key: KEY.to_owned(), etag: Some("0a1b".to_owned()), at: now() }
}

/// A bucket with one file, that comes in so many bytes at a time.
#[derive(Debug)]
pub(crate) struct Bucket {
    file: Vec<u8>,
    at_a_time: usize,
    /// After so many bytes the connection breaks.
    breaks_at: Option<usize>,
}

impl Default for Bucket {
    fn default() -> Self {
        bucket(Vec::new())
    }
}

#[derive(Debug)]
pub(crate) struct Coming(std::vec::IntoIter<Result<Vec<u8>, CallError>>);

impl Files for Bucket {
    type Content = Coming;

    async fn open(&self, object: &ObjectRef) -> Result<Coming, CallError> {
        if object.etag.as_deref() != Some("0a1b") {
            let (code, message) = ("PreconditionFailed".to_owned(), "it is another one".to_owned());
            return Err(CallError::Refused { status: StatusCode::PRECONDITION_FAILED, code, message });
        }
        let whole = self.file.get(..self.breaks_at.unwrap_or(self.file.len())).unwrap();
        let mut chunks: Vec<_> = whole.chunks(self.at_a_time).map(|chunk| Ok(chunk.to_vec())).collect();
        chunks.extend(self.breaks_at.map(|_| Err(CallError::NotThrough("the connection broke".to_owned()))));
        Ok(Coming(chunks.into_iter()))
    }
}

impl Content for Coming {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, CallError> {
        self.0.next().transpose()
    }
}

fn bucket(file: Vec<u8>) -> Bucket {
    Bucket { file, at_a_time: 16_384, breaks_at: None }
}

/// Each part a gzip member of its own.
fn gzip(parts: &[&[u8]]) -> Vec<u8> {
    let mut deflated = Vec::new();
    for part in parts {
        let mut gzip = GzEncoder::new(&mut deflated, Compression::default());
        gzip.write_all(part).unwrap();
        gzip.finish().unwrap();
    }
    deflated
}

fn lines(lines: impl IntoIterator<Item = String>) -> Vec<u8> {
    lines.into_iter().flat_map(|line| format!("{line}\n").into_bytes()).collect()
}

/// All pieces, and why there are no more.
async fn read(bucket: &Bucket) -> (Vec<(Batch, Tally)>, Option<FileError>) {
    let mut read = Vec::new();
    let mut pieces = match Pieces::open(bucket, &object()).await {
        Ok(pieces) => pieces,
        Err(error) => return (read, Some(error)),
    };
    loop {
        match pieces.next().await {
            Ok(Some(piece)) => read.push(piece),
            Ok(None) => return (read, None),
            Err(error) => return (read, Some(error)),
        }
    }
}

async fn read_whole(file: Vec<u8>) -> Vec<(Batch, Tally)> {
    let (pieces, error) = read(&bucket(file)).await;
    assert!(error.is_none(), "{error:?}");
    pieces
}

#[tokio::test]
async fn the_lines_of_a_file_are_records() {
    let record = |source: &str, flow| blocked(source, "pypi.org", AT, flow);
    let (start, end) = (record("10.2.3.10", 1), record("10.2.3.11", 2));
    // Lines end in either way, some are empty, the last has no end, and a member of gzip ends anywhere.
    let text = format!("{start}\r\n\n  \r\n{}\nnot JSON\n{end}", record("10.2.3.10", 3));
    let (before, after) = text.as_bytes().split_at(100);
    let file = gzip(&[before, after, b"", b"\n"]);
    for at_a_time in [1, 7, 100_000] {
        let (pieces, error) = read(&Bucket { at_a_time, ..bucket(file.clone()) }).await;
        assert!(error.is_none(), "{error:?}");
        let [(batch, tally)] = &pieces[..] else { panic!("{} pieces", pieces.len()) };
        assert_eq!((tally.lines, tally.blocked, tally.unreadable.count()), (4, 3, 1));
        assert_eq!(batch.log_stream, format!("s3://logs/{KEY}"));
        assert!(!batch.is_control);
    }
    assert_eq!(read_whole(gzip(&[b""])).await.len(), 0);
}

#[tokio::test]
async fn a_file_is_cut_the_same_way_whenever_it_is_read() {
    let text = lines((0..25_000).map(|flow| blocked("10.2.3.10", "pypi.org", AT, flow)));
    let file = gzip(&[&text]);
    let ids = async |file: &[u8], at_a_time| {
        let (pieces, error) = read(&Bucket { at_a_time, ..bucket(file.to_vec()) }).await;
        assert!(error.is_none(), "{error:?}");
        let lines = pieces.iter().map(|(_, tally)| tally.lines).collect::<Vec<_>>();
        assert_eq!(lines, [10_000, 10_000, 5_000]);
        pieces.into_iter().map(|(batch, _)| batch.id.to_string()).collect::<Vec<_>>()
    };
    let once = ids(&file, 16_384).await;
    // In other parts, and compressed in another way.
    let (start, end) = text.split_at(1_234_567);
    assert_eq!(ids(&gzip(&[start, end]), 999).await, once);
    assert_eq!(once.iter().collect::<std::collections::BTreeSet<_>>().len(), 3);
}

#[tokio::test]
async fn a_piece_has_eight_megabytes() {
    let long = blocked("10.2.3.10", "pypi.org", AT, 1).replace("pypi.org", &"x".repeat(1_000_000));
    let text = lines((0..20).map(|_| long.clone()));
    let counts: Vec<u64> = read_whole(gzip(&[&text])).await.iter().map(|(_, tally)| tally.lines).collect();
    assert_eq!(counts, [9, 9, 2]);
}

#[tokio::test]
async fn a_file_that_is_not_whole_is_named() {
    let text = lines((0..100).map(|flow| blocked("10.2.3.10", "pypi.org", AT, flow)));
    let file = gzip(&[&text]);
    for length in 0..file.len() {
        let (pieces, error) = read(&bucket(file[..length].to_vec())).await;
        let error = error.unwrap_or_else(|| panic!("{length} of {} bytes are whole", file.len()));
        assert!(error.to_string().starts_with(&format!("s3://logs/{KEY} does not inflate: ")), "{error}");
        assert_eq!(pieces.len(), 0);
    }
    let mut wrong = file.clone();
    let middle = file.len() / 2;
    wrong[middle] ^= 1;
    for file in [wrong, b"{}\n".to_vec(), [file.clone(), b"and more".to_vec()].concat()] {
        assert!(matches!(read(&bucket(file)).await.1, Some(FileError::Gzip { .. })));
    }
}

#[tokio::test]
async fn what_was_read_before_the_end_is_given_on() {
    let text = lines((0..25_000).map(|flow| blocked("10.2.3.10", &format!("host-{flow}.org"), AT, flow)));
    let file = gzip(&[&text]);
    let breaks_at = Some(file.len() - 1_000);
    let (pieces, error) = read(&Bucket { breaks_at, ..bucket(file) }).await;
    assert_eq!(pieces.len(), 2);
    let error = error.unwrap().to_string();
    assert_eq!(
        error,
        format!("s3://logs/{KEY} can't be read: the call did not get through: the connection broke")
    );

    let other = ObjectRef { etag: Some("another".to_owned()), ..object() };
    let refused = Pieces::open(&bucket(Vec::new()), &other).await.unwrap_err().to_string();
    assert!(
        refused.ends_with("can't be read: the call was refused with PreconditionFailed: it is another one")
    );
}

#[tokio::test]
async fn a_line_over_the_bound_is_unreadable_and_holds_nobody_up() {
    let record = blocked("10.2.3.10", "pypi.org", AT, 1);
    let padded = |length: usize| format!("{record}{}", " ".repeat(length - record.len()));
    let text = lines([padded(1_048_577), record.clone(), padded(1_048_576)]);
    let pieces = read_whole(gzip(&[&text])).await;
    let [(_, tally)] = &pieces[..] else { panic!("{} pieces", pieces.len()) };
    assert_eq!((tally.lines, tally.blocked, tally.unreadable.count()), (3, 2, 1));
}

#[tokio::test]
async fn a_bomb_is_one_line_or_many_pieces() {
    // Sixty-four megabytes in 64 kB: of zeros without an end of line,
    let zeros = vec![0; 1 << 26];
    let pieces = read_whole(gzip(&[&zeros])).await;
    assert_eq!(pieces.iter().map(|(_, tally)| tally.unreadable.count()).collect::<Vec<_>>(), [1]);
    // of empty lines,
    let empty = vec![b'\n'; 1 << 24];
    let pieces = read_whole(gzip(&[&empty])).await;
    assert!(pieces.iter().all(|(_, tally)| tally.lines == 0));
    // and of short ones.
    let short = b"x\n".repeat(1 << 18);
    let pieces = read_whole(gzip(&[&short])).await;
    assert_eq!(pieces.len(), 27);
    assert_eq!(pieces.iter().map(|(_, tally)| tally.lines).sum::<u64>(), 1 << 18);
}

fn notification(key: &str) -> Value {
    json!({
        "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "eu-west-1",
        "eventTime": "2026-05-14T09:20:00.123Z", "eventName": "ObjectCreated:CompleteMultipartUpload",
        "s3": {
            "s3SchemaVersion": "1.0", "configurationId": "alerts",
            "bucket": {"name": "logs", "ownerIdentity": {"principalId": "A"}, "arn": "arn:aws:s3:::logs"},
            "object": {"key": key, "size": 1024, "eTag": "0a1b", "sequencer": "0A1B2C3D4E5F678901"}
        }
    })
}

fn of_eventbridge(key: &str) -> Value {
    json!({
        "version": "0", "id": "17793124", "detail-type": "Object Created", "source": "aws.s3",
        "account": "123456789012", "time": "2026-05-14T09:20:00Z", "region": "eu-west-1",
        "resources": ["arn:aws:s3:::logs"],
        "detail": {
            "version": "0", "bucket": {"name": "logs"},
            "object": {"key": key, "size": 1024, "etag": "0a1b", "sequencer": "0A1B2C3D4E5F678901"},
            "request-id": "N4N7GDK58NMKJ12R", "requester": "123456789012", "reason": "PutObject"
        }
    })
}

#[tokio::test]
async fn a_file_is_counted_once_however_often_and_by_whom_it_is_told_of() {
    // Given a file of three pieces, that breaks off in the third when it is read first,
    let text = lines((0..25_000).map(|flow| blocked("10.2.3.10", "pypi.org", AT, flow)));
    let file = gzip(&[&text]);
    let mut function = function();
    function.files = Bucket { breaks_at: Some(file.len() - 1_000), ..bucket(file) };
    let notified = json!({"Records": [notification(&KEY.replace(' ', "+"))]});
    let error = function.handle(notified.clone(), now()).await.unwrap_err();
    assert!(error.to_string().ends_with("the connection broke"), "{error}");
    assert_eq!(told(&function).len(), 1);

    // when it is told of again, by S3 and by EventBridge,
    function.files.breaks_at = None;
    for event in [notified, of_eventbridge(KEY)] {
        function.handle(event, now()).await.unwrap();
    }

    // then it is told once, and counted whole.
    assert_eq!(told(&function).len(), 1);
    assert_eq!(function.store.counts().into_values().collect::<Vec<_>>(), [25_000]);
}

#[test]
fn both_events_name_the_same_file() {
    let encoded = KEY.replace("logs of 2026", "logs+of%202026");
    let notified =
        objects(&json!({"Records": [notification(&encoded), notification(&encoded)]})).unwrap().unwrap();
    let at = "2026-05-14T09:20:00.123Z".parse().unwrap();
    assert_eq!(notified, [ObjectRef { at, ..object() }, ObjectRef { at, ..object() }]);
    assert_eq!(objects(&of_eventbridge(KEY)).unwrap().unwrap(), [object()]);
    // EventBridge's is not encoded: a plus is a plus.
    let plus = KEY.replace(' ', "+");
    assert_eq!(objects(&of_eventbridge(&plus)).unwrap().unwrap()[0].key, plus);
}

#[test]
fn what_is_no_file_of_the_alert_log_is_left() {
    for key in [
        "AWSLogs/1/network-firewall/alert/x.log",
        "AWSLogs/1/network-firewall/flow/x.log.gz",
        "AWSLogs/1/network-firewall/tls/x.log.gz",
        "AWSLogs/1/vpcflowlogs/x.log.gz",
        "1/network-firewall/alert/x.log.gz",
    ] {
        for event in [json!({"Records": [notification(key)]}), of_eventbridge(key)] {
            assert_eq!(objects(&event), Ok(Some(Vec::new())), "{key}");
        }
    }
    let removed = |mut event: Value| {
        event["eventName"] = json!("ObjectRemoved:Delete");
        event["detail-type"] = json!("Object Deleted");
        event
    };
    let set_up = json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "2026-05-14T09:20:00Z", "Bucket": "logs"});
    for event in [json!({"Records": [removed(notification(KEY))]}), removed(of_eventbridge(KEY)), set_up] {
        assert_eq!(objects(&event), Ok(Some(Vec::new())));
    }
    // Another's events are another's.
    let queue = json!({"Records": [{"eventSource": "aws:sqs"}]});
    for event in
        [json!({"awslogs": {"data": ""}}), json!({"source": "egress.clock"}), json!({"Records": []}), queue]
    {
        assert_eq!(objects(&event), Ok(None));
    }
}

#[test]
fn an_event_that_names_nothing_says_so() {
    let mut nameless = of_eventbridge(KEY);
    nameless["detail"]["bucket"] = json!({});
    let reasons = [nameless, of_eventbridge(""), json!({"Records": [notification("%ff")]})]
        .map(|event| objects(&event).unwrap_err().to_string());
    insta::assert_snapshot!(reasons.join("\n"), @r"
    an event of S3's names no object: it has no bucket
    an event of S3's names no object: it has no key
    an event of S3's names no object: its key is no UTF-8
    ");
}
