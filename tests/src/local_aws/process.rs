//! The process: a free port, its start, its end.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

use super::Options;
use super::venv::tests_directory;

// A cold start compiles Python's files, on a busy machine beside a build.
const START_LIMIT: Duration = Duration::from_mins(1);
const STOP_LIMIT: Duration = Duration::from_secs(3);
const POLL: Duration = Duration::from_millis(10);
const ATTEMPTS: usize = 10;
// `EXIT_PORT_TAKEN` in tests/local_aws/server.py.
const EXIT_PORT_TAKEN: i32 = 3;
const LOG_TAIL: u64 = 4_000;

/// The running process, which ends when this is dropped.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) port: u16,
    pub(super) log: PathBuf,
    child: Child,
    // Removed last, after the process that works in it has ended.
    _directory: TempDir,
}

/// Why a start came to nothing.
enum Failure {
    /// Somebody else took the port between its choice and its use.
    PortTaken,
    Other(anyhow::Error),
}

impl Process {
    /// Starts on a free port and waits until the services answer.
    pub(super) async fn start(venv: &Path, options: Options) -> anyhow::Result<Self> {
        for _ in 0..ATTEMPTS {
            let process = Self::spawn(venv, options)?;
            match process.ready().await {
                Ok(process) => return Ok(process),
                Err(Failure::PortTaken) => {}
                Err(Failure::Other(error)) => return Err(error),
            }
        }
        anyhow::bail!("no port stayed free until the local AWS took it, in {ATTEMPTS} attempts")
    }

    /// The id of the process and of its group.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    fn spawn(venv: &Path, options: Options) -> anyhow::Result<Self> {
        let directory = TempDir::with_prefix("local-aws-")?;
        let log = directory.path().join("local-aws.log");
        let output = File::create(&log)?;
        let port = free_port()?;
        let python = venv.join("bin/python");
        let child = Command::new(&python)
            .args(["-m", "local_aws", "--watch-stdin", "--port", &port.to_string()])
            .args(["--delay-ms", &options.delay.as_millis().to_string()])
            .args(["--minute-ms", &options.minute.as_millis().to_string()])
            .arg("--directory")
            .arg(directory.path())
            .env("PYTHONPATH", tests_directory())
            .env("AUTH", options.enforce_iam.to_string())
            .stdin(Stdio::piped())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0)
            .spawn()
            .with_context(|| format!("{} can't be run; tests/setup/venv.sh makes it", python.display()))?;
        Ok(Self { port, log, child, _directory: directory })
    }

    /// Waits until the health endpoint answers.
    async fn ready(mut self) -> Result<Self, Failure> {
        let started = Instant::now();
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) if status.code() == Some(EXIT_PORT_TAKEN) => return Err(Failure::PortTaken),
                Ok(Some(status)) => return Err(Failure::Other(self.ended(status))),
                Ok(None) => {}
                Err(error) => return Err(Failure::Other(error.into())),
            }
            if answers(self.port) {
                return Ok(self);
            }
            if started.elapsed() > START_LIMIT {
                let tail = self.log_tail();
                return Err(Failure::Other(anyhow::anyhow!(
                    "the local AWS did not answer within {START_LIMIT:?}; its log ends:\n{tail}"
                )));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    fn ended(&self, status: ExitStatus) -> anyhow::Error {
        anyhow::anyhow!("the local AWS ended at its start ({status}); its log ends:\n{}", self.log_tail())
    }

    fn log_tail(&self) -> String {
        let read = || -> std::io::Result<Vec<u8>> {
            let mut file = File::open(&self.log)?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL)))?;
            let mut tail = Vec::new();
            file.read_to_end(&mut tail)?;
            Ok(tail)
        };
        read().map_or_else(|error| error.to_string(), |tail| String::from_utf8_lossy(&tail).into_owned())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The end of its input stops it, and it stops its functions first.
        drop(self.child.stdin.take());
        let started = Instant::now();
        while started.elapsed() < STOP_LIMIT {
            if !matches!(self.child.try_wait(), Ok(None)) {
                break;
            }
            std::thread::sleep(POLL);
        }
        // Its group holds its functions too, should it not have come to stopping them.
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Whether the health endpoint answers 200 now.
fn answers(port: u16) -> bool {
    let ask = || -> std::io::Result<bool> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_millis(200))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream
            .write_all(b"GET /_ministack/health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer)?;
        Ok(answer == *b"HTTP/1.1 200")
    };
    ask().unwrap_or(false)
}
