//! Suricata's alert records in the form in which Network Firewall writes them to its log.
//!
//! Three things are put right on the way. The rules' numbers become those of the rule groups again. Of
//! one packet's records, those behind the first that blocked it are left out, and so is a default
//! action's for a connection that a rule has blocked: in strict order evaluation ends there, while
//! Suricata goes on to log. And where the lab wrote a silent drop as a reset of the server's side, the
//! verdict is a drop. One thing stays as Suricata has it: the verdict of
//! a rule that passes with `alert` is `alert`, where Network Firewall's own records say `pass`.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::policy::{DEFAULT_ACTION, Origin};

/// How often the file is looked at.
const POLL: Duration = Duration::from_millis(40);

/// All records of a lab so far, and those who want the next ones.
#[derive(Debug, Default)]
pub(crate) struct Records {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    all: Vec<Value>,
    listeners: Vec<UnboundedSender<Value>>,
    origins: BTreeMap<u64, Origin>,
    /// For each connection the packet, by its time, that was last blocked.
    blocked: HashMap<u64, String>,
}

impl Records {
    /// The records so far.
    pub(crate) fn all(&self) -> Vec<Value> {
        self.lock().all.clone()
    }

    /// The records from here on.
    pub(crate) fn listen(&self) -> UnboundedReceiver<Value> {
        let (sender, receiver) = unbounded_channel();
        self.lock().listeners.push(sender);
        receiver
    }

    /// Makes rules known whose records are to come.
    pub(crate) fn know(&self, origins: BTreeMap<u64, Origin>) {
        self.lock().origins.extend(origins);
    }

    /// Ends all listening.
    fn close(&self) {
        self.lock().listeners.clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, line: &str, source: &Source) -> Result<()> {
        let mut event: Value = serde_json::from_str(line).with_context(|| format!("not JSON: {line}"))?;
        let mut state = self.lock();
        let number = event.pointer("/alert/signature_id").and_then(Value::as_u64);
        let origin = number.and_then(|number| state.origins.get(&number)).cloned();
        if text(&event, "/event_type") != "alert" || state.is_behind_a_block(&event, origin.as_ref()) {
            return Ok(());
        }
        if let Some(origin) = origin {
            restore(&mut event, &origin);
        }
        let record = source.wrap(&event)?;
        state.listeners.retain(|listener| listener.send(record.clone()).is_ok());
        state.all.push(record);
        Ok(())
    }
}

impl State {
    fn is_behind_a_block(&mut self, event: &Value, origin: Option<&Origin>) -> bool {
        let Some(flow) = event.get("flow_id").and_then(Value::as_u64) else { return false };
        let packet = text(event, "/timestamp");
        let is_default = origin.is_some_and(|origin| origin.group == DEFAULT_ACTION);
        if self.blocked.get(&flow).is_some_and(|blocked| is_default || blocked == packet) {
            return true;
        }
        if text(event, "/alert/action") == "blocked" {
            self.blocked.insert(flow, packet.to_owned());
        }
        false
    }
}

/// Gives a record the rule's own number, and the verdict that the policy meant.
fn restore(event: &mut Value, origin: &Origin) {
    if let Some(number) = event.pointer_mut("/alert/signature_id") {
        *number = origin.sid.into();
    }
    let verdict = event.get_mut("verdict").and_then(Value::as_object_mut);
    if let Some(verdict) = verdict.filter(|_| origin.silent) {
        verdict.remove("reject");
        verdict.remove("reject-target");
    }
}

/// The firewall that the records come from.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) firewall: String,
    pub(crate) availability_zone: String,
}

impl Source {
    fn wrap(&self, event: &Value) -> Result<Value> {
        let time = Timestamp::strptime("%Y-%m-%dT%H:%M:%S%.f%z", text(event, "/timestamp"))
            .context("a record without a time")?;
        Ok(json!({
            "firewall_name": self.firewall,
            "availability_zone": self.availability_zone,
            "event_timestamp": time.as_second().to_string(),
            "event": event,
        }))
    }
}

/// The text at a place in a record; empty if there is none.
pub(crate) fn text<'a>(event: &'a Value, place: &str) -> &'a str {
    event.pointer(place).and_then(Value::as_str).unwrap_or_default()
}

/// A task that follows Suricata's file.
#[derive(Debug)]
pub(crate) struct Follower {
    records: Arc<Records>,
    tail: Arc<Mutex<Tail>>,
    task: JoinHandle<()>,
}

impl Follower {
    /// Follows the file at `path` into `records`.
    pub(crate) fn start(path: PathBuf, source: Source, records: &Arc<Records>) -> Self {
        let tail = Arc::new(Mutex::new(Tail { path, source, read: 0, rest: Vec::new() }));
        let (own_tail, own_records) = (Arc::clone(&tail), Arc::clone(records));
        let task = tokio::spawn(async move {
            let mut ticks = interval(POLL);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                catch_up(&own_tail, &own_records);
            }
        });
        Self { records: Arc::clone(records), tail, task }
    }

    /// Reads what the file holds by now.
    pub(crate) fn catch_up(&self) {
        catch_up(&self.tail, &self.records);
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
        self.catch_up();
        self.records.close();
    }
}

fn catch_up(tail: &Mutex<Tail>, records: &Records) {
    let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
    if let Err(error) = tail.read_on(records) {
        eprintln!("the lab's alert records: {error:#}");
    }
}

/// How far a file has been read.
#[derive(Debug)]
struct Tail {
    path: PathBuf,
    source: Source,
    read: u64,
    /// The beginning of a line that isn't whole yet.
    rest: Vec<u8>,
}

impl Tail {
    fn read_on(&mut self, records: &Records) -> Result<()> {
        let Some(mut file) = open(&self.path)? else { return Ok(()) };
        file.seek(SeekFrom::Start(self.read))?;
        let length = file.read_to_end(&mut self.rest)?;
        self.read += u64::try_from(length)?;
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            records.take(String::from_utf8_lossy(&line).trim(), &self.source)?;
        }
        Ok(())
    }
}

fn open(path: &Path) -> Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}
