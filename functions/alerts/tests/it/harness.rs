//! A function with a store and a bus in memory, and what CloudWatch Logs would send it.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::IpAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::memory::Memory;
use crate::s3::Bucket;
use alerts::Alerts;
use alerts::dead_letters::{DeadLetters, DeadLettersError};
use alerts::owners::{Owners, Span};
use alerts::windows::StoreError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use egress::bus::{Bus, BusError, Event};
use egress::config::Config;
use egress::events::{BlockedDigest, GrantUsed, TrafficBlocked};
use egress::owner::Owner;
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const CONFIG: &str = r#"
denied_domains = [".denied.org"]
[groups]
approvers = ["bob@example.com"]
[presets.pypi]
description = "Python packages"
domains = ["pypi.org", "files.pythonhosted.org"]
"#;

/// Whose addresses are, as the test says; `10.2.3.10` is Alice's.
#[derive(Debug)]
pub(crate) struct People(pub(crate) Mutex<BTreeMap<IpAddr, Owner>>);

impl Default for People {
    fn default() -> Self {
        Self(Mutex::new(BTreeMap::from([("10.2.3.10".parse().unwrap(), profile("alice"))])))
    }
}

/// A user profile of the domain `d-1`.
pub(crate) fn profile(name: &str) -> Owner {
    Owner::UserProfile { domain: "d-1".to_owned(), name: name.to_owned() }
}

impl Owners for People {
    async fn owners(
        &self,
        seen: &BTreeMap<IpAddr, Span>,
        _now: Timestamp,
    ) -> Result<BTreeMap<IpAddr, Owner>, StoreError> {
        let known = self.0.lock().unwrap();
        let unknown = || Owner::Unknown { reason: "Nobody has this address.".to_owned() };
        Ok(seen.keys().map(|ip| (*ip, known.get(ip).cloned().unwrap_or_else(unknown))).collect())
    }
}

/// A bus that keeps what it is given.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) events: Mutex<Vec<Event>>,
    pub(crate) fail: AtomicBool,
}

impl Bus for Kept {
    async fn publish(&self, events: &[Event]) -> Result<(), BusError> {
        if self.fail.load(Ordering::SeqCst) {
            return Err(BusError::Unavailable("told to fail".to_owned()));
        }
        self.events.lock().unwrap().extend_from_slice(events);
        Ok(())
    }
}

/// The queue of dead letters.
#[derive(Debug, Default)]
pub(crate) struct Letters(pub(crate) Mutex<Vec<Value>>);

impl DeadLetters for Letters {
    async fn keep(&self, letter: &Value) -> Result<(), DeadLettersError> {
        self.0.lock().unwrap().push(letter.clone());
        Ok(())
    }
}

/// The function on edges in memory.
pub(crate) type Function = Alerts<Memory, Kept, People, Letters, Bucket>;

/// The function.
pub(crate) fn function() -> Function {
    function_with("")
}

/// The function, with more in its configuration.
pub(crate) fn function_with(more: &str) -> Function {
    Alerts {
        config: Config::parse(&format!("{CONFIG}{more}")).unwrap(),
        store: Memory::new(),
        bus: Kept::default(),
        owners: People::default(),
        files: Bucket::default(),
        dead_letters: Letters::default(),
        security_hub: None,
        jitter: || 0.5,
    }
}

/// What was told of blocked connections.
pub(crate) fn told(function: &Function) -> Vec<TrafficBlocked> {
    events(function, "TrafficBlocked")
}

/// What was told of windows that are over.
pub(crate) fn digests(function: &Function) -> Vec<BlockedDigest> {
    events(function, "BlockedDigest")
}

/// What was told of first uses.
pub(crate) fn first_uses(function: &Function) -> Vec<GrantUsed> {
    events(function, "GrantUsed")
}

fn events<T: DeserializeOwned>(function: &Function, detail_type: &str) -> Vec<T> {
    let events = function.bus.events.lock().unwrap();
    let detail = |event: &Event| {
        assert_eq!(event.source, "egress.alerts");
        serde_json::from_value(event.detail.clone()).unwrap()
    };
    events.iter().filter(|event| event.detail_type == detail_type).map(detail).collect()
}

/// The clock's event.
pub(crate) fn tick() -> Value {
    json!({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}})
}

pub(crate) fn now() -> Timestamp {
    "2026-05-14T09:20:00Z".parse().unwrap()
}

/// Lines with ids, as a subscription delivers them.
pub(crate) fn delivery(lines: &[(String, String)]) -> Value {
    let event = |(id, message): &(String, String)| json!({"id": id, "timestamp": 1_778_750_700_974_i64, "message": message});
    enveloped(&json!({
        "messageType": "DATA_MESSAGE",
        "owner": "123456789012",
        "logGroup": "/aws/vendedlogs/network-firewall/demo/alert",
        "logStream": "/aws/network-firewall/alert/demo_2026-05-14-09",
        "subscriptionFilters": ["alerts"],
        "logEvents": lines.iter().map(event).collect::<Vec<_>>(),
    }))
}

pub(crate) fn enveloped(envelope: &Value) -> Value {
    packed(&[envelope.to_string().as_bytes()])
}

/// Each part a gzip member of its own.
pub(crate) fn packed(parts: &[&[u8]]) -> Value {
    let mut deflated = Vec::new();
    for part in parts {
        let mut gzip = GzEncoder::new(&mut deflated, Compression::default());
        gzip.write_all(part).unwrap();
        gzip.finish().unwrap();
    }
    json!({"awslogs": {"data": STANDARD.encode(deflated)}})
}

/// Lines get ids: their places, behind a prefix.
pub(crate) fn numbered(prefix: &str, lines: impl IntoIterator<Item = String>) -> Vec<(String, String)> {
    lines.into_iter().enumerate().map(|(place, line)| (format!("{prefix}-{place}"), line)).collect()
}

/// A record of a blocked TLS connection.
pub(crate) fn blocked(source: &str, name: &str, at: &str, flow_id: u64) -> String {
    json!({
        "firewall_name": "demo", "availability_zone": "eu-west-1a", "event_timestamp": "1778750700",
        "event": {
            "timestamp": at, "flow_id": flow_id, "event_type": "alert",
            "src_ip": source, "src_port": 40_000, "dest_ip": "198.51.100.1", "dest_port": 443, "proto": "TCP",
            "app_proto": "tls", "tls": {"sni": name},
            "alert": {"action": "blocked", "signature_id": 9_900_001, "signature": "egress last word: TLS"},
            "verdict": {"action": "drop"}
        }
    })
    .to_string()
}

/// A record of a TLS connection that a rule of these grants lets pass.
pub(crate) fn passed(grants: &[&str], source: &str, name: &str, at: &str, flow_id: u64) -> String {
    json!({
        "firewall_name": "demo", "availability_zone": "eu-west-1a", "event_timestamp": "1778750700",
        "event": {
            "timestamp": at, "flow_id": flow_id, "event_type": "alert",
            "src_ip": source, "src_port": 40_000, "dest_ip": "198.51.100.1", "dest_port": 443, "proto": "TCP",
            "app_proto": "tls", "tls": {"sni": name},
            "alert": {
                "action": "allowed", "signature_id": 1_000_000, "signature": "egress grant",
                "metadata": {"grant": grants}
            },
            "verdict": {"action": "pass"}
        }
    })
    .to_string()
}
