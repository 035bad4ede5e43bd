//! A function with a store of windows and a bus in memory, and what CloudWatch Logs would send it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use alerts::Alerts;
use alerts::batch::BatchId;
use alerts::blocked::Blocked;
use alerts::windows::{Claim, WindowError, Windows};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use egress::bus::{Bus, BusError, Event};
use egress::config::Config;
use egress::events::TrafficBlocked;
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use serde_json::{Value, json};

const CONFIG: &str = r#"
denied_domains = [".denied.org"]
[approval]
approvers = ["bob@example.com"]
[alerts]
window = "15m"
[presets.pypi]
description = "Python packages"
domains = ["pypi.org", "files.pythonhosted.org"]
"#;

/// Windows in memory: who claimed each, and what each batch has counted into it.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    windows: Mutex<HashMap<String, BTreeMap<String, u64>>>,
    claims: Mutex<HashMap<String, String>>,
    done: Mutex<BTreeSet<String>>,
    pub(crate) fail_done: AtomicBool,
}

fn key(blocked: &Blocked) -> String {
    format!("{} {} {}", blocked.source, blocked.destination, blocked.window_start)
}

impl Memory {
    /// What all batches together have counted, by source, destination and window.
    pub(crate) fn counts(&self) -> BTreeMap<String, u64> {
        let windows = self.windows.lock().unwrap();
        windows.iter().map(|(key, counts)| (key.clone(), counts.values().sum())).collect()
    }
}

impl Windows for Memory {
    async fn is_done(&self, batch: &BatchId) -> Result<bool, WindowError> {
        Ok(self.done.lock().unwrap().contains(batch.as_str()))
    }

    async fn claim(&self, blocked: &Blocked, batch: &BatchId, _now: Timestamp) -> Result<Claim, WindowError> {
        let key = key(blocked);
        let batch = batch.to_string();
        self.windows.lock().unwrap().entry(key.clone()).or_default().insert(batch.clone(), blocked.count);
        let mut claims = self.claims.lock().unwrap();
        let claimed_by = claims.entry(key).or_insert_with(|| batch.clone());
        Ok(if *claimed_by == batch { Claim::Ours } else { Claim::Theirs })
    }

    async fn done(&self, batch: &BatchId, _now: Timestamp) -> Result<(), WindowError> {
        if self.fail_done.load(Ordering::SeqCst) {
            return Err(WindowError { what: "marking a batch as done", cause: "told to fail".to_owned() });
        }
        self.done.lock().unwrap().insert(batch.to_string());
        Ok(())
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

/// The function.
pub(crate) fn function() -> Alerts<Memory, Kept> {
    Alerts { config: Config::parse(CONFIG).unwrap(), windows: Memory::default(), bus: Kept::default() }
}

/// What was told.
pub(crate) fn told(function: &Alerts<Memory, Kept>) -> Vec<TrafficBlocked> {
    let events = function.bus.events.lock().unwrap();
    let detail = |event: &Event| {
        assert_eq!((event.source.as_str(), event.detail_type.as_str()), ("egress.alerts", "TrafficBlocked"));
        serde_json::from_value(event.detail.clone()).unwrap()
    };
    events.iter().map(detail).collect()
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
