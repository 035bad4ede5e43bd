//! A function with a store and a bus in memory, and what CloudWatch Logs would send it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use alerts::Alerts;
use alerts::batch::BatchId;
use alerts::blocked::Blocked;
use alerts::evidence::{Counted, Evidence, Part};
use alerts::windows::{Claim, StoreError, Windows};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use egress::aws::evidence::{FlowSeen, Used};
use egress::bus::{Bus, BusError, Event};
use egress::config::Config;
use egress::events::{GrantUsed, TrafficBlocked};
use egress::firewall::Flow;
use egress::request::RequestId;
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const CONFIG: &str = r#"
denied_domains = [".denied.org"]
[groups]
approvers = ["bob@example.com"]
[alerts]
window = "15m"
[presets.pypi]
description = "Python packages"
domains = ["pypi.org", "files.pythonhosted.org"]
"#;

/// The store in memory: who claimed each window and what each batch has counted into it, what is counted of
/// each grant.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    windows: Mutex<HashMap<String, BTreeMap<String, u64>>>,
    claims: Mutex<HashMap<String, String>>,
    used: Mutex<BTreeMap<RequestId, Used>>,
    flows: Mutex<BTreeMap<RequestId, BTreeMap<Flow, Timestamp>>>,
    counted: Mutex<BTreeSet<(String, usize)>>,
    done: Mutex<BTreeSet<String>>,
    pub(crate) fail_done: AtomicBool,
    /// How many parts may still be counted before it fails.
    pub(crate) parts_left: AtomicUsize,
    /// How often a part was overtaken.
    pub(crate) overtaken: AtomicUsize,
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

    /// What is counted of a grant.
    pub(crate) fn used(&self, grant: &str) -> Option<Used> {
        self.used.lock().unwrap().get(&id(grant)).cloned()
    }

    /// How many connections are counted, of all grants.
    pub(crate) fn connections(&self) -> BTreeMap<RequestId, u64> {
        let used = self.used.lock().unwrap();
        used.iter().map(|(grant, used)| (grant.clone(), used.connections)).collect()
    }

    /// The connections that are kept of a grant, as `source → destination:port`.
    pub(crate) fn flows(&self, grant: &str) -> Vec<String> {
        let flows = self.flows.lock().unwrap();
        let shown = |Flow { source, destination, port }: &Flow| format!("{source} → {destination}:{port}");
        flows.get(&id(grant)).into_iter().flat_map(BTreeMap::keys).map(shown).collect()
    }
}

impl Windows for Memory {
    async fn is_done(&self, batch: &BatchId) -> Result<bool, StoreError> {
        Ok(self.done.lock().unwrap().contains(batch.as_str()))
    }

    async fn claim(&self, blocked: &Blocked, batch: &BatchId, _now: Timestamp) -> Result<Claim, StoreError> {
        let key = key(blocked);
        let batch = batch.to_string();
        self.windows.lock().unwrap().entry(key.clone()).or_default().insert(batch.clone(), blocked.count);
        let mut claims = self.claims.lock().unwrap();
        let claimed_by = claims.entry(key).or_insert_with(|| batch.clone());
        Ok(if *claimed_by == batch { Claim::Ours } else { Claim::Theirs })
    }

    async fn done(&self, batch: &BatchId, _now: Timestamp) -> Result<(), StoreError> {
        if self.fail_done.load(Ordering::SeqCst) {
            return Err(StoreError { what: "marking a batch as done", cause: "told to fail".to_owned() });
        }
        self.done.lock().unwrap().insert(batch.to_string());
        Ok(())
    }
}

impl Evidence for Memory {
    async fn used(&self, grants: &BTreeSet<&RequestId>) -> Result<BTreeMap<RequestId, Used>, StoreError> {
        let used = self.used.lock().unwrap().clone();
        // Here other invocations get their turn, between the reading and the writing.
        tokio::task::yield_now().await;
        Ok(used.into_iter().filter(|(grant, _)| grants.contains(grant)).collect())
    }

    async fn count(&self, part: &Part<'_>, _now: Timestamp) -> Result<Counted, StoreError> {
        let left = |left: usize| left.checked_sub(1);
        if self.parts_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, left).is_err() {
            return Err(StoreError { what: "counting uses of grants", cause: "told to fail".to_owned() });
        }
        assert!(part.grants.len() < 100, "DynamoDB takes a hundred items at once");
        let (mut counted, mut used) = (self.counted.lock().unwrap(), self.used.lock().unwrap());
        if counted.contains(&(part.batch.to_string(), part.number)) {
            return Ok(Counted::Before);
        }
        let connections = |grant| used.get(grant).map(|used| used.connections);
        if part.grants.iter().any(|count| connections(&count.grant) != count.before) {
            self.overtaken.fetch_add(1, Ordering::SeqCst);
            return Ok(Counted::Overtaken);
        }
        counted.insert((part.batch.to_string(), part.number));
        used.extend(part.grants.iter().map(|count| (count.grant.clone(), count.after.clone())));
        Ok(Counted::Now)
    }

    async fn keep(&self, grant: &RequestId, flow: &FlowSeen, _now: Timestamp) -> Result<(), StoreError> {
        self.flows.lock().unwrap().entry(grant.clone()).or_default().insert(flow.flow(), flow.last_seen);
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
    let store = Memory { parts_left: AtomicUsize::new(usize::MAX), ..Memory::default() };
    Alerts { config: Config::parse(CONFIG).unwrap(), store, bus: Kept::default(), jitter: || 0.5 }
}

/// What was told of blocked connections.
pub(crate) fn told(function: &Alerts<Memory, Kept>) -> Vec<TrafficBlocked> {
    events(function, "TrafficBlocked")
}

/// What was told of first uses.
pub(crate) fn first_uses(function: &Alerts<Memory, Kept>) -> Vec<GrantUsed> {
    events(function, "GrantUsed")
}

fn events<T: DeserializeOwned>(function: &Alerts<Memory, Kept>, detail_type: &str) -> Vec<T> {
    let events = function.bus.events.lock().unwrap();
    let detail = |event: &Event| {
        assert_eq!(event.source, "egress.alerts");
        serde_json::from_value(event.detail.clone()).unwrap()
    };
    events.iter().filter(|event| event.detail_type == detail_type).map(detail).collect()
}

fn id(grant: &str) -> RequestId {
    RequestId::try_from(grant.to_owned()).unwrap()
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
