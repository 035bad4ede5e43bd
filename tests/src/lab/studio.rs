//! The studio: the clients that a notebook runs, real ones, with nothing of this machine's own
//! configuration, and each bounded in time.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::process::Command;

use super::command::{SETUP, output};
use crate::group::Group;

/// How a client fared.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its exit code; none if it had to be killed.
    pub status: Option<i32>,
    /// What it wrote, errors included.
    pub output: String,
    /// How long it took.
    pub elapsed: Duration,
}

impl Run {
    /// Whether the client got what it wanted.
    pub fn succeeded(&self) -> bool {
        self.status == Some(0)
    }
}

/// A place to run clients in.
#[derive(Debug)]
pub struct Studio {
    home: PathBuf,
    namespace: Option<String>,
    environment: Vec<(String, String)>,
    python: String,
    runs: AtomicU32,
}

impl Studio {
    /// A studio in a namespace, or behind a proxy; its home is under `folder`, where the authority's
    /// certificate is.
    pub(crate) fn new(folder: &Path, namespace: Option<&str>, proxy: Option<&str>) -> Result<Self> {
        let home = folder.join("home");
        std::fs::create_dir_all(&home)?;
        let ca = folder.join("ca.pem").display().to_string();
        std::fs::write(home.join("wgetrc"), format!("ca_certificate = {ca}\n"))?;
        // Asked once: a Python that is chosen by a wrapper takes longer to find than to start.
        let python = output("python3", &["-c", "import sys; print(sys.executable)"])?;
        let mut environment: Vec<(String, String)> = [
            ("HOME", home.display().to_string()),
            ("WGETRC", home.join("wgetrc").display().to_string()),
            ("CURL_CA_BUNDLE", ca.clone()),
            ("SSL_CERT_FILE", ca.clone()),
            ("GIT_SSL_CAINFO", ca.clone()),
            ("GIT_CONFIG_GLOBAL", "/dev/null".into()),
            ("GIT_CONFIG_SYSTEM", "/dev/null".into()),
            ("GIT_TERMINAL_PROMPT", "0".into()),
            ("PIP_CERT", ca),
            ("PIP_CONFIG_FILE", "/dev/null".into()),
            ("PIP_DISABLE_PIP_VERSION_CHECK", "1".into()),
            ("PIP_ROOT_USER_ACTION", "ignore".into()),
            ("LC_ALL", "C.UTF-8".into()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        environment.extend(std::env::var("PATH").ok().map(|path| ("PATH".into(), path)));
        for name in ["http_proxy", "https_proxy"] {
            environment.extend(proxy.map(|address| (name.to_owned(), address.to_owned())));
        }
        let namespace = namespace.map(ToOwned::to_owned);
        Ok(Self { home, namespace, environment, python: python.trim().into(), runs: AtomicU32::new(0) })
    }

    /// Runs a client in an empty folder, for at most `limit`; then it and all its children are killed.
    pub async fn run(&self, client: &[&str], limit: Duration) -> Result<Run> {
        let folder = self.home.join(format!("run-{}", self.runs.fetch_add(1, Ordering::Relaxed)));
        std::fs::create_dir_all(&folder)?;
        // `timeout` kills its whole process group: git and pip have children.
        let limit_text = format!("{:.1}", limit.as_secs_f32());
        let bounded = ["timeout", "--signal=KILL", &limit_text];
        let entered = self.namespace.iter().flat_map(|name| ["ip", "netns", "exec", name]);
        let mut words = entered.chain(bounded).chain(client.iter().copied());
        let program = words.next().unwrap_or("timeout");
        let mut command = Command::new(program);
        command.args(words).current_dir(&folder).env_clear().envs(self.environment.iter().cloned());
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());

        let begun = Instant::now();
        let child =
            command.spawn().with_context(|| format!("{} could not be started; {SETUP}", client.join(" ")))?;
        let group = Group::of(&child);
        let done = child.wait_with_output().await?;
        group.has_ended();
        let text = [done.stdout, done.stderr].concat();
        let killed = done.status.code().is_none_or(|code| code == 137);
        Ok(Run {
            status: done.status.code().filter(|_| !killed),
            output: String::from_utf8_lossy(&text).into_owned(),
            elapsed: begun.elapsed(),
        })
    }

    /// `wget URL`, one try of three seconds.
    pub async fn wget(&self, url: &str) -> Result<Run> {
        let client = ["wget", "--tries=1", "--timeout=3", "--no-hsts", "--output-document=-", url];
        self.run(&client, Duration::from_secs(5)).await
    }

    /// `git clone URL`, given up after four seconds.
    pub async fn git_clone(&self, url: &str) -> Result<Run> {
        self.run(&["git", "clone", url, "clone"], Duration::from_secs(4)).await
    }

    /// `pip install -U PACKAGE` into an empty folder, with two tries of three seconds.
    pub async fn pip_install(&self, package: &str) -> Result<Run> {
        let flags = ["--target=installed", "--no-cache-dir", "--retries=1", "--timeout=3", "--no-input"];
        let mut client = vec![self.python.as_str(), "-m", "pip", "install", "-U"];
        client.extend(flags);
        client.push(package);
        self.run(&client, Duration::from_secs(15)).await
    }
}
