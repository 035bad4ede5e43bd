//! The function's own program, at a runtime API of the tests'
//! (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>).

use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{Mutex as AsyncMutex, mpsc};
use tokio::time::timeout;

use crate::http::{Received, Reply, serve};

/// The name by which the function is invoked.
pub(crate) const ARN: &str = "arn:aws:lambda:eu-west-1:123456789012:function:demo-provision";

/// How long a program may take to start, on a busy machine.
const TO_START: Duration = Duration::from_secs(30);

/// A running program, which ends with the test.
pub(crate) struct Function {
    child: Child,
    events: mpsc::UnboundedSender<(Value, u64)>,
    ended: mpsc::UnboundedReceiver<Ended>,
    log: Arc<Mutex<Vec<u8>>>,
}

/// How an invocation ended.
#[derive(Debug)]
enum Ended {
    Well,
    With(String),
}

impl Function {
    /// Starts the program, with AWS and CloudFormation's bucket at these addresses.
    pub(crate) async fn start(services: &str, bucket: &str) -> Self {
        let (events, waiting) = mpsc::unbounded_channel();
        let (says, ended) = mpsc::unbounded_channel();
        let api = runtime_api(waiting, says).await;
        let mut child = Command::new(env!("CARGO_BIN_EXE_provision"))
            .env_clear()
            .envs([
                ("AWS_LAMBDA_RUNTIME_API", api.as_str()),
                ("AWS_LAMBDA_FUNCTION_NAME", "demo-provision"),
                ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
                ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
                ("AWS_LAMBDA_LOG_LEVEL", "TRACE"),
                ("AWS_REGION", "eu-west-1"),
                ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
                ("AWS_SECRET_ACCESS_KEY", "c2VjcmV0"),
                ("AWS_CONFIG_FILE", "/dev/null"),
                ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
                ("AWS_ENDPOINT_URL", &format!("http://{services}")),
                ("RESPONSE_ENDPOINT", &format!("http://{bucket}")),
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let log = Arc::default();
        tokio::spawn(keep(BufReader::new(child.stdout.take().unwrap()), Arc::clone(&log)));
        Self { child, events, ended, log }
    }

    /// Hands it an event, with this much time. An error is what it told Lambda, or that its time was over.
    pub(crate) async fn invoke(&mut self, event: Value, time: Duration) -> Result<(), String> {
        let end = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + time;
        self.events.send((event, end.as_millis().try_into().unwrap())).unwrap();
        match timeout(time.max(TO_START), self.ended.recv()).await {
            Ok(Some(Ended::Well)) if end < SystemTime::now().duration_since(UNIX_EPOCH).unwrap() => {
                Err("its time was over".to_owned())
            }
            Ok(Some(Ended::Well)) => Ok(()),
            Ok(Some(Ended::With(error))) => Err(error),
            Ok(None) | Err(_) => Err("nothing was answered".to_owned()),
        }
    }

    /// Ends it as Lambda does when it has to: without a word.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// What it has written.
    pub(crate) fn log(&self) -> String {
        String::from_utf8(self.log.lock().unwrap().clone()).unwrap()
    }

    /// The most memory that it has had, in kB.
    pub(crate) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id().unwrap())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

async fn keep(mut from: impl AsyncReadExt + Unpin, log: Arc<Mutex<Vec<u8>>>) {
    let mut bytes = [0; 4_096];
    while let Ok(count) = from.read(&mut bytes).await {
        if count == 0 {
            return;
        }
        log.lock().unwrap().extend_from_slice(&bytes[..count]);
    }
}

/// The runtime API; its host and port.
async fn runtime_api(
    events: mpsc::UnboundedReceiver<(Value, u64)>,
    says: mpsc::UnboundedSender<Ended>,
) -> String {
    let events = Arc::new(AsyncMutex::new(events));
    serve(move |received| {
        let (events, says) = (Arc::clone(&events), says.clone());
        Box::pin(async move { answer(received, &events, &says).await })
    })
    .await
}

async fn answer(
    received: Received,
    events: &AsyncMutex<mpsc::UnboundedReceiver<(Value, u64)>>,
    says: &mpsc::UnboundedSender<Ended>,
) -> Reply {
    if received.line == "GET /2018-06-01/runtime/invocation/next" {
        let Some((event, deadline)) = events.lock().await.recv().await else { return Reply::Broken };
        let headers = format!(
            "content-type: application/json\r\nlambda-runtime-aws-request-id: 1\r\nlambda-runtime-deadline-ms: {deadline}\r\nlambda-runtime-invoked-function-arn: {ARN}\r\n"
        );
        return Reply::With(200, headers, event.to_string());
    }
    let ended = if received.line.ends_with("/response") {
        Ended::Well
    } else {
        Ended::With(String::from_utf8_lossy(&received.body).into_owned())
    };
    // Nobody listens any more when the test is over.
    let _ = says.send(ended);
    Reply::Status(202, json!({"status": "OK"}).to_string())
}
