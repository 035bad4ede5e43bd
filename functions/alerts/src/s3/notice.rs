//! What S3 tells of new files: a notification of the bucket's own, or an event of EventBridge's.

use std::borrow::Cow;

use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::ObjectRef;

/// An event of S3's that names no object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an event of S3's names no object: {0}")]
pub struct NoObject(&'static str);

/// Where in an event the parts are that name an object.
struct Shape {
    bucket: &'static str,
    key: &'static str,
    /// In a query's encoding: a space is `+`.
    key_is_encoded: bool,
    etag: &'static str,
    at: &'static str,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>
const NOTIFICATION: Shape = Shape {
    bucket: "/s3/bucket/name",
    key: "/s3/object/key",
    key_is_encoded: true,
    etag: "/s3/object/eTag",
    at: "/eventTime",
};
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html>
const EVENTBRIDGE: Shape = Shape {
    bucket: "/detail/bucket/name",
    key: "/detail/object/key",
    key_is_encoded: false,
    etag: "/detail/object/etag",
    at: "/time",
};

/// The files of the firewall's alert log that an event tells of; none where it is no event of S3's. Other objects are
/// left, and what a bucket sends when its notifications are set up tells of none.
pub fn objects(event: &Value) -> Result<Option<Vec<ObjectRef>>, NoObject> {
    let text = |event: &Value, path: &str| event.pointer(path).and_then(Value::as_str).map(str::to_owned);
    if text(event, "/Event").as_deref() == Some("s3:TestEvent") {
        return Ok(Some(Vec::new()));
    }
    let told = if text(event, "/source").as_deref() == Some("aws.s3") {
        let created = text(event, "/detail-type").as_deref() == Some("Object Created");
        if created { vec![EVENTBRIDGE.read(event)?] } else { Vec::new() }
    } else {
        let records = event.get("Records").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let of_s3 = |record: &&Value| text(record, "/eventSource").as_deref() == Some("aws:s3");
        if records.is_empty() || !records.iter().all(|record| of_s3(&record)) {
            return Ok(None);
        }
        let created = |record: &&Value| {
            text(record, "/eventName").is_some_and(|name| name.starts_with("ObjectCreated:"))
        };
        records.iter().filter(created).map(|record| NOTIFICATION.read(record)).collect::<Result<_, _>>()?
    };
    let (of_the_log, others): (Vec<_>, Vec<_>) = told.into_iter().partition(ObjectRef::is_of_the_alert_log);
    for object in others {
        tracing::info!(%object, "not a file of a firewall's alert log");
    }
    Ok(Some(of_the_log))
}

impl Shape {
    fn read(&self, event: &Value) -> Result<ObjectRef, NoObject> {
        let text = |path: &str| event.pointer(path).and_then(Value::as_str).filter(|text| !text.is_empty());
        let key = text(self.key).ok_or(NoObject("it has no key"))?;
        let key = if self.key_is_encoded {
            let spaces = key.replace('+', " ");
            let decoded = percent_decode_str(&spaces).decode_utf8().map(Cow::into_owned);
            decoded.map_err(|_| NoObject("its key is no UTF-8"))?
        } else {
            key.to_owned()
        };
        Ok(ObjectRef {
            bucket: text(self.bucket).ok_or(NoObject("it has no bucket"))?.to_owned(),
            key,
            etag: text(self.etag).map(str::to_owned),
            at: text(self.at).and_then(|at| at.parse().ok()).unwrap_or(Timestamp::UNIX_EPOCH),
        })
    }
}

impl ObjectRef {
    /// By its key: `[prefix/]AWSLogs/<account>/network-firewall/alert/…/….log.gz`. Files of flows and of TLS inspection
    /// tell of no rule.
    fn is_of_the_alert_log(&self) -> bool {
        let Some((before, of_firewall)) = self.key.split_once("/network-firewall/") else { return false };
        let other = ["flow/", "tls/"].iter().any(|kind| of_firewall.starts_with(kind));
        before.contains("AWSLogs/") && of_firewall.ends_with(".log.gz") && !other
    }
}
