//! A function's process at a runtime API of our own
//! (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>): started, handed events one after the other, and
//! looked at while it works.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};

use crate::local_aws::LocalAws;

/// How long a function has to poll for its first event, and for an answer.
const LIMIT: Duration = Duration::from_mins(5);

/// What the function does at its runtime API.
#[derive(Debug)]
enum Seen {
    Polled,
    Answered { ok: bool, body: Bytes },
}

/// A running function, which ends when this is dropped.
#[derive(Debug)]
pub struct Function {
    child: Child,
    events: mpsc::Sender<Value>,
    seen: mpsc::UnboundedReceiver<Seen>,
    /// From its start to its first poll.
    pub start: Duration,
}

impl Function {
    /// Starts a program as a function, and waits for its first poll. Its log goes nowhere.
    pub async fn start(command: Command) -> anyhow::Result<Self> {
        let (events, waiting) = mpsc::channel(1);
        let (says, seen) = mpsc::unbounded_channel();
        let api = runtime_api(waiting, says).await?;
        let started = Instant::now();
        let child =
            with_lambda_s_environment(command, &api).spawn().context("the function can't be started")?;
        let mut function = Self { child, events, seen, start: Duration::ZERO };
        function.polls().await?;
        function.start = started.elapsed();
        Ok(function)
    }

    /// Hands it an event, and waits for its answer and its next poll; the answer, and how long that took.
    pub async fn handle(&mut self, event: Value) -> anyhow::Result<(Value, Duration)> {
        let began = Instant::now();
        self.events.send(event).await.context("nobody polls")?;
        let Seen::Answered { ok, body } = self.next().await? else {
            anyhow::bail!("it polls without an answer")
        };
        let took = began.elapsed();
        ensure!(ok, "it failed: {}", String::from_utf8_lossy(&body));
        self.polls().await?;
        Ok((serde_json::from_slice(&body).unwrap_or_default(), took))
    }

    /// The most memory that it has had, in kB.
    pub fn memory(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }

    /// The CPU time that it has taken, to a hundredth of a second (`proc_pid_stat(5)`, fields 14 and 15).
    pub fn cpu(&self) -> anyhow::Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
        let ticks: u64 = fields.map(str::parse::<u64>).sum::<Result<u64, std::num::ParseIntError>>()?;
        Ok(Duration::from_millis(10 * ticks))
    }

    async fn polls(&mut self) -> anyhow::Result<()> {
        let seen = self.next().await?;
        ensure!(matches!(seen, Seen::Polled), "it answers what it wasn't asked: {seen:?}");
        Ok(())
    }

    async fn next(&mut self) -> anyhow::Result<Seen> {
        let seen =
            tokio::time::timeout(LIMIT, self.seen.recv()).await.context("the function does nothing")?;
        seen.context("the runtime API is gone")
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A function in Python, by the same runtime API: its imports, and its first poll.
const PYTHON: &str = "
import os, urllib.request
import boto3
urllib.request.urlopen('http://' + os.environ['AWS_LAMBDA_RUNTIME_API'] + '/2018-06-01/runtime/invocation/next').read()
";

/// How long a function takes from its start to its first poll, and how long one in Python that imports boto3 does:
/// the medians of so many starts each, by turns, so that both meet the same machine.
pub async fn starts(
    count: usize,
    ours: impl Fn() -> Command,
    aws: &LocalAws,
) -> anyhow::Result<(Duration, Duration)> {
    let (mut own, mut python) = (Vec::new(), Vec::new());
    for _ in 0..count {
        own.push(Function::start(ours()).await?.start);
        let mut command = aws.command("python");
        command.args(["-c", PYTHON]);
        python.push(Function::start(command).await?.start);
    }
    Ok((median(own), median(python)))
}

/// The middle one of some times; zero of none.
pub fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// A function of this workspace, as the profile has built it that this program is of.
pub fn built(name: &str) -> anyhow::Result<PathBuf> {
    let mut binary = std::env::current_exe()?;
    binary.pop();
    binary.pop();
    let binary = binary.join(name);
    ensure!(binary.is_file(), "{} is not built", binary.display());
    Ok(binary)
}

fn with_lambda_s_environment(mut command: Command, api: &str) -> Command {
    command
        .env("AWS_LAMBDA_RUNTIME_API", api)
        .env("AWS_LAMBDA_FUNCTION_NAME", "function")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
        .stdout(Stdio::null());
    command
}

/// The runtime API, as far as a function needs it; its host and port.
async fn runtime_api(
    events: mpsc::Receiver<Value>,
    says: mpsc::UnboundedSender<Seen>,
) -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let events = Arc::new(Mutex::new(events));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (events, says) = (Arc::clone(&events), says.clone());
            let service = service_fn(move |request| answer(request, Arc::clone(&events), says.clone()));
            let connection = hyper::server::conn::http1::Builder::new();
            tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
        }
    });
    Ok(address)
}

async fn answer(
    request: Request<Incoming>,
    events: Arc<Mutex<mpsc::Receiver<Value>>>,
    says: mpsc::UnboundedSender<Seen>,
) -> anyhow::Result<Response<Full<Bytes>>> {
    if request.method() == Method::POST {
        let ok = request.uri().path().ends_with("/response");
        let body = request.into_body().collect().await?.to_bytes();
        says.send(Seen::Answered { ok, body })?;
        return Ok(Response::builder().status(202).body(Full::default())?);
    }
    says.send(Seen::Polled)?;
    let event = events.lock().await.recv().await.context("there are no more events")?;
    let deadline = Timestamp::now().as_millisecond() + 300_000;
    let response = Response::builder()
        .header("lambda-runtime-aws-request-id", "00000000-0000-4000-8000-000000000001")
        .header("lambda-runtime-deadline-ms", deadline)
        .header(
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:us-east-1:000000000000:function:function",
        );
    Ok(response.body(Full::from(event.to_string()))?)
}
