//! Suricata: the engine that AWS Network Firewall runs, started inline or asked about a capture.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep, timeout};

use super::command::{SETUP, finish};
use super::configuration::Configuration;

/// How long Suricata may take to start, or to answer a command.
const PATIENCE: Duration = Duration::from_secs(20);

/// A lab's folder as Suricata sees it: its configuration, the rules and what it writes.
#[derive(Debug, Clone)]
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    /// The configuration file.
    pub(crate) fn configuration(&self) -> PathBuf {
        self.0.join("suricata.yaml")
    }
    /// The rules in force.
    pub(crate) fn rules(&self) -> PathBuf {
        self.0.join("policy.rules")
    }
    /// The alert records.
    pub(crate) fn records(&self) -> PathBuf {
        self.0.join("eve.json")
    }
    fn socket(&self) -> PathBuf {
        self.0.join("suricata.socket")
    }
    fn log(&self) -> PathBuf {
        self.0.join("suricata.log")
    }

    /// Writes the configuration and the small files that it names.
    pub(crate) fn prepare(&self, configuration: &Configuration<'_>) -> Result<()> {
        for empty in ["classification.config", "reference.config", "threshold.config"] {
            fs::write(self.0.join(empty), "")?;
        }
        Ok(fs::write(self.configuration(), configuration.render(&self.0))?)
    }
}

/// Suricata in line, in a namespace. It dies with this value, and with this process.
#[derive(Debug)]
pub(crate) struct Inline {
    folder: Folder,
    pid: Pid,
    supervisor: Option<JoinHandle<()>>,
}

impl Inline {
    /// Starts Suricata in `namespace` and waits until it takes commands, so packets flow.
    pub(crate) async fn start(folder: &Folder, namespace: &str) -> Result<Self> {
        let log = fs::File::create(folder.log())?;
        let mut command = Command::new("ip");
        // The signal at the parent's death is one thread's: hence a thread that lives as long as the child.
        command
            .args(["netns", "exec", namespace, "setpriv", "--pdeathsig", "KILL", "suricata", "--af-packet"])
            .arg("-c")
            .arg(folder.configuration())
            .arg("-l")
            .arg(&folder.0)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let (started, when_started) = tokio::sync::oneshot::channel();
        let supervisor =
            std::thread::Builder::new().name("suricata".into()).spawn(move || match command.spawn() {
                Ok(mut child) => {
                    let _ = started.send(Ok(child.id()));
                    let _ = child.wait();
                }
                Err(error) => drop(started.send(Err(error))),
            })?;
        let id = when_started.await?.with_context(|| format!("cannot start Suricata; {SETUP}"))?;
        let pid = i32::try_from(id).ok().and_then(Pid::from_raw).context("Suricata has no process id")?;
        let inline = Self { folder: folder.clone(), pid, supervisor: Some(supervisor) };
        inline.wait_until_up().await?;
        Ok(inline)
    }

    async fn wait_until_up(&self) -> Result<()> {
        let limit = Instant::now() + PATIENCE;
        while self.command("uptime").await.is_err() {
            let ended = self.supervisor.as_ref().is_none_or(JoinHandle::is_finished);
            if ended || Instant::now() > limit {
                let log = fs::read_to_string(self.folder.log()).unwrap_or_default();
                let what = if ended { "ended" } else { "did not come up" };
                bail!("Suricata {what}; its log:\n{log}");
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Has Suricata read its rules again; they are in force when this returns.
    pub(crate) async fn reload(&self) -> Result<()> {
        self.command("reload-rules").await?;
        let failed = self.command("ruleset-failed-rules").await?;
        match failed.as_array().filter(|rules| !rules.is_empty()) {
            None => Ok(()),
            Some(rules) => bail!("Suricata refuses {} of the rules: {}", rules.len(), json!(rules)),
        }
    }

    /// One command over Suricata's socket: a greeting with the protocol's version, then the command;
    /// each message is JSON on a line.
    async fn command(&self, name: &str) -> Result<Value> {
        let talk = async {
            let stream = UnixStream::connect(self.folder.socket()).await?;
            let (reader, mut writer) = stream.into_split();
            let mut answers = BufReader::new(reader);
            let mut answer = Value::Null;
            for message in [json!({"version": "0.2"}), json!({"command": name})] {
                writer.write_all(format!("{message}\n").as_bytes()).await?;
                let mut line = String::new();
                answers.read_line(&mut line).await?;
                answer = serde_json::from_str(&line).with_context(|| format!("not an answer: {line:?}"))?;
                if answer.get("return").and_then(Value::as_str) != Some("OK") {
                    bail!("Suricata answers `{name}` with {answer}");
                }
            }
            Ok(answer.get_mut("message").map(Value::take).unwrap_or_default())
        };
        timeout(PATIENCE, talk).await.with_context(|| format!("Suricata does not answer `{name}`"))?
    }
}

impl Drop for Inline {
    fn drop(&mut self) {
        let _ = kill_process(self.pid, Signal::KILL);
        if let Some(supervisor) = self.supervisor.take() {
            let _ = supervisor.join();
        }
    }
}

/// Lets Suricata read a capture under the rules in force; its records go to `output`.
pub(crate) fn read_capture(folder: &Folder, capture: &Path, output: &Path) -> Result<()> {
    let arguments: [OsString; 10] = [
        "-c".into(),
        folder.configuration().into(),
        "-r".into(),
        capture.into(),
        "--simulate-ips".into(),
        "-l".into(),
        output.into(),
        "-k".into(),
        "none".into(),
        "--runmode=single".into(),
    ];
    finish("suricata", Command::new("suricata").args(arguments)).map(drop)
}

/// Which Suricata is there; the error says how to get one that will do.
pub fn version() -> Result<String> {
    let done = match Command::new("suricata").arg("-V").output() {
        Err(error) if error.kind() == ErrorKind::NotFound => bail!("Suricata is not installed; {SETUP}"),
        done => done.context("Suricata cannot be run")?,
    };
    let line = String::from_utf8_lossy(&done.stdout).trim().to_owned();
    let number = line.split_whitespace().find(|word| word.starts_with(|first: char| first.is_ascii_digit()));
    let major =
        number.and_then(|number| number.split('.').next()).and_then(|major| major.parse::<u32>().ok());
    ensure!(major >= Some(7), "Network Firewall runs Suricata 7, and so must the lab; here is `{line}`");
    Ok(line)
}
