//! The engine for those who aren't root: Suricata judges captures of what the studio is about to say.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::IpAddr;
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Context, Result};
use serde_json::Value;

use super::command::finish;
use super::packets::{Conversation, capture};
use super::probe::{Target, Turn};
use super::records::text;
use super::suricata::{Folder, read_capture};

/// What becomes of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// It goes on.
    Passed,
    /// It hears nothing more.
    Dropped,
    /// It is reset.
    Rejected,
}

/// Suricata, asked about one capture at a time.
#[derive(Debug)]
pub(crate) struct Judge {
    folder: Folder,
    ports: AtomicU16,
}

impl Judge {
    pub(crate) fn new(folder: &Folder) -> Self {
        Self { folder: folder.clone(), ports: AtomicU16::new(0) }
    }

    /// Has Suricata try the rules file; the error is its own.
    pub(crate) async fn check_rules(&self) -> Result<()> {
        let folder = self.folder.clone();
        tokio::task::spawn_blocking(move || {
            let mut command = Command::new("suricata");
            command.args(["-T", "--simulate-ips", "-c"]).arg(folder.configuration());
            command.arg("-l").arg(&folder.0);
            finish("suricata", &mut command).map(drop)
        })
        .await?
    }

    /// A conversation with a port of the studio that no other has.
    pub(crate) fn conversation(&self, target: Target, script: Vec<Turn>) -> Conversation {
        let port = 20_000 + self.ports.fetch_add(1, Ordering::Relaxed) % 40_000;
        Conversation { target, port, script }
    }

    /// Judges conversations, all in one run; the alert records go where the inline engine writes its own.
    pub(crate) async fn judge(&self, conversations: Vec<Conversation>) -> Result<Vec<Judgement>> {
        let folder = self.folder.clone();
        tokio::task::spawn_blocking(move || {
            let work = tempfile::tempdir_in(&folder.0)?;
            let file = work.path().join("conversations.pcap");
            fs::write(&file, capture(&conversations))?;
            read_capture(&folder, &file, work.path())?;
            let alerts = fs::read_to_string(work.path().join("eve.json")).unwrap_or_default();
            let drops = fs::read_to_string(work.path().join("drops.json")).unwrap_or_default();
            let mut records = OpenOptions::new().create(true).append(true).open(folder.records())?;
            records.write_all(alerts.as_bytes())?;
            let alerts = parse(&alerts)?;
            let drops = parse(&drops)?;
            Ok(conversations.iter().map(|one| judgement(one, &alerts, &drops)).collect())
        })
        .await?
    }
}

fn parse(lines: &str) -> Result<Vec<Value>> {
    lines
        .lines()
        .map(|line| serde_json::from_str(line).with_context(|| format!("not a record of Suricata's: {line}")))
        .collect()
}

fn judgement(conversation: &Conversation, alerts: &[Value], drops: &[Value]) -> Judgement {
    let of_this = |event: &&Value| concerns(event, conversation.target, conversation.port);
    // A reset to the server alone is the lab's way of writing a silent drop. Suricata calls the packet's source
    // the client, even if it is the server.
    let told = |event: &Value| match text(event, "/direction") {
        "to_client" => "to_server",
        _ => "to_client",
    };
    let rejected = |event: &Value| ["both", told(event)].contains(&text(event, "/verdict/reject-target"));
    // A client that waits for the server's first words says nothing of what follows them here, if they are blocked.
    let from_server = |event: &Value| text(event, "/src_ip").parse() == Ok(conversation.target.host());
    let waits = matches!(conversation.script.first(), Some(Turn::Server(_)))
        && drops.iter().find(of_this).is_some_and(from_server);
    if !waits && alerts.iter().chain(drops).filter(of_this).any(rejected) {
        Judgement::Rejected
    } else if drops.iter().any(|event| of_this(&event)) {
        Judgement::Dropped
    } else {
        Judgement::Passed
    }
}

/// Whether a record is about the conversation with `target` from the studio's `port`.
pub(crate) fn concerns(event: &Value, target: Target, port: u16) -> bool {
    let protocol = text(event, "/proto");
    let either = |value: Value, keys: [&str; 2]| keys.iter().any(|key| event.get(key) == Some(&value));
    let with_host =
        || ["/src_ip", "/dest_ip"].iter().any(|place| text(event, place).parse() == Ok(target.host()));
    match target {
        Target::Tcp(..) => protocol == "TCP" && either(port.into(), ["src_port", "dest_port"]),
        Target::Udp(..) => protocol == "UDP" && either(port.into(), ["src_port", "dest_port"]),
        Target::Icmp(IpAddr::V4(_)) => protocol == "ICMP" && with_host(),
        Target::Icmp(IpAddr::V6(_)) => protocol == "IPv6-ICMP" && with_host(),
        // A fragment has no ports, and of other protocols Suricata knows none.
        Target::Ip(..) | Target::Fragment(..) => with_host(),
    }
}
