//! The firewall lab: a studio, an internet, and Suricata between them.
//!
//! ```text
//! studio 10.2.3.10 ── Suricata ── the internet: kaggle.com, github.com, pypi.org, …
//! ```
//!
//! A [`Policy`] is loaded as Network Firewall would evaluate it, real clients and [`Probe`]s try to get
//! out, and what was blocked comes as the records that the firewall would log. There are two engines:
//! [`Engine::Inline`] (root) puts Suricata between network namespaces; [`Engine::Offline`] (anyone) has it
//! judge captures of what the clients are about to say, and lets a proxy carry out the verdict.
//!
//! What neither reproduces: the time that a change takes to reach AWS's endpoints, capacity, rule groups
//! in other orders than [`policy`] says, and `StartFlowFlush`: a connection that passed once goes on
//! after its rule is gone. The offline engine judges a connection by what its client says first.

mod command;
mod configuration;
mod fetch;
mod hello;
mod internet;
mod network;
mod observe;
mod offline;
mod packets;
pub mod policy;
pub mod probe;
mod proxy;
mod records;
mod shipper;
mod studio;
mod suricata;
pub mod template;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::mpsc::UnboundedReceiver;

pub use fetch::fetch;
pub use internet::{GIT_REPOSITORY, PYTHON_PACKAGE};
pub use network::STUDIO;
pub use observe::Outcome;
pub use policy::{ListAction, Policy, RuleGroup};
pub use probe::Probe;
pub use shipper::Shipper;
pub use studio::{Run, Studio};
pub use suricata::version;
pub use template::{BlockAction, Template};

use configuration::Configuration;
use internet::{Host, Internet};
use network::Network;
use offline::{Judge, Judgement, concerns};
use proxy::{Proxy, Routes};
use records::{Follower, Records, Source, text};
use suricata::{Folder, Inline};

/// The VPC's range, which is `HOME_NET`.
const HOME_NET: &str = "10.2.0.0/16";
/// Rules of one load are numbered apart from those of the load before, whose records may still come.
const NUMBERS_A_LOAD: u64 = 100_000;
/// How long a blocked probe's record may take to be written.
const RECORD_PATIENCE: Duration = Duration::from_secs(1);

/// How Suricata is put between the studio and the internet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Between network namespaces; needs root.
    Inline,
    /// Asked about packet captures.
    Offline,
}

impl Engine {
    /// The best that this user may have; an error if Suricata is missing. Root inside a container may
    /// lack the right to make namespaces.
    pub fn detect() -> Result<Self> {
        version()?;
        let root = rustix::process::geteuid().is_root();
        let inline = root && command::output("unshare", &["--net", "true"]).is_ok();
        Ok(if inline { Self::Inline } else { Self::Offline })
    }

    /// `inline` or `offline`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inline => "inline",
            Self::Offline => "offline",
        }
    }
}

/// A running lab. All of it ends when this is dropped.
#[derive(Debug)]
pub struct Lab {
    // Dropped in this order: the file's follower last reads what the engine last wrote.
    engine: Running,
    _servers: internet::Running,
    follower: Follower,
    studio: Studio,
    records: Arc<Records>,
    hosts: Vec<Host>,
    loads: AtomicU64,
    folder: Folder,
    _directory: TempDir,
}

#[derive(Debug)]
enum Running {
    Inline { suricata: Inline, network: Network },
    Offline { judge: Arc<Judge>, _proxy: Proxy },
}

/// What came of a probe.
#[derive(Debug, Clone)]
pub struct Observation {
    /// The probe's name.
    pub probe: String,
    /// How it ended for the studio.
    pub outcome: Outcome,
    /// What the firewall logged about it, if anything.
    pub verdict: Option<Verdict>,
    /// How long it took.
    pub elapsed: Duration,
}

/// The firewall's word on a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// `drop` for what was blocked, `alert` for what was let through with a record.
    pub action: String,
    /// Whether the client was told.
    pub rejected: bool,
    /// The message of the rule that decided.
    pub signature: String,
}

impl Lab {
    /// Starts a lab whose firewall lets nothing through until a policy is loaded.
    pub async fn start(engine: Engine) -> Result<Self> {
        Self::with_hosts(engine, "lab-firewall", &[]).await
    }

    /// The same, with the firewall's name for the records, and with more hosts on the internet.
    pub async fn with_hosts(engine: Engine, firewall: &str, more: &[&str]) -> Result<Self> {
        version()?;
        let directory = own_directory()?;
        let folder = Folder(directory.path().to_owned());
        folder.prepare(&Configuration { home_net: HOME_NET, inline: engine == Engine::Inline })?;
        std::fs::write(folder.rules(), policy::CLOSED)?;
        let hosts = internet::hosts(more);
        let internet = Internet::create(directory.path())?;

        let (running, servers, studio) = match engine {
            Engine::Inline => {
                let network = Network::create(&hosts)?;
                let (servers, suricata) = tokio::try_join!(
                    internet.serve_inside(&network.internet, &hosts),
                    Inline::start(&folder, &network.firewall)
                )?;
                let studio = Studio::new(directory.path(), Some(&network.studio), None)?;
                (Running::Inline { suricata, network }, servers, studio)
            }
            Engine::Offline => {
                let (running, addresses) = internet.serve_locally().await?;
                let judge = Arc::new(Judge::new(&folder));
                let routes = Routes { hosts: hosts.clone(), servers: addresses, judge: Arc::clone(&judge) };
                let proxy = Proxy::start(routes).await?;
                let studio = Studio::new(directory.path(), None, Some(&format!("http://{}", proxy.address)))?;
                (Running::Offline { judge, _proxy: proxy }, running, studio)
            }
        };
        let records = Arc::new(Records::default());
        let source = Source { firewall: firewall.into(), availability_zone: "us-east-1a".into() };
        let follower = Follower::start(folder.records(), source, &records);
        Ok(Self {
            engine: running,
            _servers: servers,
            follower,
            studio,
            records,
            hosts,
            loads: AtomicU64::new(0),
            folder,
            _directory: directory,
        })
    }

    /// Which engine this lab has.
    pub fn engine(&self) -> Engine {
        match self.engine {
            Running::Inline { .. } => Engine::Inline,
            Running::Offline { .. } => Engine::Offline,
        }
    }

    /// The network namespace of the servers, where they have one: for who listens there.
    pub fn namespace_of_servers(&self) -> Option<&str> {
        match &self.engine {
            Running::Inline { network, .. } => Some(&network.internet),
            Running::Offline { .. } => None,
        }
    }

    /// Puts a policy into force, and returns how long that took. New connections follow it; those that
    /// passed before go on.
    pub async fn load(&self, policy: &Policy) -> Result<Duration> {
        let begun = Instant::now();
        let load = self.loads.fetch_add(1, Ordering::Relaxed);
        let rendered = policy.render(load * NUMBERS_A_LOAD + 1)?;
        self.records.know(rendered.origins);
        std::fs::write(self.folder.rules(), rendered.text)?;
        match &self.engine {
            Running::Inline { suricata, .. } => suricata.reload().await?,
            Running::Offline { judge, .. } => judge.check_rules().await?,
        }
        Ok(begun.elapsed())
    }

    /// Where clients run.
    pub fn studio(&self) -> &Studio {
        &self.studio
    }

    /// A host's address.
    pub fn address(&self, host: &str) -> Result<Ipv4Addr> {
        let found = self.hosts.iter().find(|(name, _)| name == host).map(|(_, address)| *address);
        found.with_context(|| format!("the lab's internet has no {host}"))
    }

    /// Sends a probe.
    pub async fn probe(&self, probe: &Probe) -> Result<Observation> {
        let mut observations = self.probes(std::slice::from_ref(probe)).await?;
        observations.pop().context("no observation")
    }

    /// Sends probes all at once.
    pub async fn probes(&self, probes: &[Probe]) -> Result<Vec<Observation>> {
        if probes.is_empty() {
            return Ok(Vec::new());
        }
        let before = self.records().len();
        let seen = match &self.engine {
            Running::Inline { network, .. } => observe::send(&network.studio, probes).await?,
            Running::Offline { judge, .. } => self.judged(judge, probes).await?,
        };
        let mut observations = Vec::new();
        for (probe, seen) in probes.iter().zip(seen) {
            let verdict = self.verdict(probe, &seen, before).await;
            let (outcome, elapsed) = (seen.outcome, seen.elapsed);
            observations.push(Observation { probe: probe.name.clone(), outcome, verdict, elapsed });
        }
        Ok(observations)
    }

    async fn judged(&self, judge: &Judge, probes: &[Probe]) -> Result<Vec<observe::Seen>> {
        let begun = Instant::now();
        let conversations: Vec<_> =
            probes.iter().map(|probe| judge.conversation(probe.target, probe.script.clone())).collect();
        let judgements = judge.judge(conversations.clone()).await?;
        let outcome = |judgement| match judgement {
            Judgement::Passed => Outcome::Answered,
            Judgement::Dropped => Outcome::TimedOut,
            Judgement::Rejected => Outcome::Reset,
        };
        let elapsed = begun.elapsed();
        Ok(conversations
            .iter()
            .zip(judgements)
            .map(|(one, judgement)| observe::Seen { outcome: outcome(judgement), port: one.port, elapsed })
            .collect())
    }

    /// The first record about a probe; one that was blocked has one, if its rule logs at all.
    async fn verdict(&self, probe: &Probe, seen: &observe::Seen, before: usize) -> Option<Verdict> {
        let find = |record: &Value| {
            let event = record.get("event").filter(|event| concerns(event, probe.target, seen.port));
            event.map(Verdict::of)
        };
        let patience = if seen.outcome == Outcome::Answered { Duration::ZERO } else { RECORD_PATIENCE };
        self.wait_for_record_since(before, patience, find).await
    }

    /// The records so far, as the firewall would log them.
    pub fn records(&self) -> Vec<Value> {
        self.follower.catch_up();
        self.records.all()
    }

    /// The records from now on; for a [`Shipper`].
    pub fn subscribe(&self) -> UnboundedReceiver<Value> {
        self.records.listen()
    }

    /// Waits at most `patience` for a record of which `find` makes something.
    pub async fn wait_for_record<T>(
        &self,
        patience: Duration,
        find: impl Fn(&Value) -> Option<T>,
    ) -> Option<T> {
        self.wait_for_record_since(0, patience, find).await
    }

    async fn wait_for_record_since<T>(
        &self,
        before: usize,
        patience: Duration,
        find: impl Fn(&Value) -> Option<T>,
    ) -> Option<T> {
        let limit = Instant::now() + patience;
        loop {
            let found = self.records().iter().skip(before).find_map(&find);
            if found.is_some() || Instant::now() >= limit {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// A folder that goes with the lab; those of killed labs go now.
fn own_directory() -> Result<TempDir> {
    const PREFIX: &str = "egress-lab-";
    for stale in network::left_behind(&std::env::temp_dir(), PREFIX) {
        // Another user's stays.
        let _ = std::fs::remove_dir_all(stale);
    }
    Ok(tempfile::Builder::new().prefix(&format!("{PREFIX}{}-", std::process::id())).tempdir()?)
}

impl Verdict {
    fn of(event: &Value) -> Self {
        Self {
            action: text(event, "/verdict/action").to_owned(),
            rejected: event.pointer("/verdict/reject").is_some(),
            signature: text(event, "/alert/signature").to_owned(),
        }
    }
}
