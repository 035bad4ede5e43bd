//! Alert records into CloudWatch Logs, in near real time, as a firewall's logging configuration has them.

use anyhow::{Context, Result};
use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::operation::create_log_stream::CreateLogStreamError;
use aws_sdk_cloudwatchlogs::types::InputLogEvent;
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// The limits of one `PutLogEvents`: events, and bytes with 26 more for each event.
const MOST_EVENTS: usize = 10_000;
const MOST_BYTES: usize = 1_048_576;
const EVENT_OVERHEAD: usize = 26;

/// Ships records until it is stopped, or until there can be no more.
#[derive(Debug)]
pub struct Shipper {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<usize>>,
}

impl Shipper {
    /// Ships `records` to the log group of that name, into a stream an hour as Network Firewall names
    /// them: `/aws/network-firewall/alert/<firewall>_YYYY-MM-DD-HH`.
    pub fn start(
        client: Client,
        log_group: &str,
        firewall: &str,
        mut records: UnboundedReceiver<Value>,
    ) -> Self {
        let mut log =
            Log { client, group: log_group.into(), firewall: firewall.into(), stream: String::new() };
        let (stop, mut stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let (mut shipped, mut batch) = (0, Vec::new());
            loop {
                let open = tokio::select! {
                    biased;
                    count = records.recv_many(&mut batch, MOST_EVENTS) => count > 0,
                    _ = &mut stopped => {
                        records.close();
                        continue;
                    }
                };
                if !open {
                    return Ok(shipped);
                }
                shipped += batch.len();
                log.put(batch.drain(..)).await?;
            }
        });
        Self { stop, task }
    }

    /// Ships what has come so far, and ends. Returns the number of records shipped in all.
    pub async fn stop(self) -> Result<usize> {
        let _ = self.stop.send(());
        self.task.await?
    }
}

struct Log {
    client: Client,
    group: String,
    firewall: String,
    /// The stream that is known to exist.
    stream: String,
}

impl Log {
    async fn put(&mut self, records: impl Iterator<Item = Value>) -> Result<()> {
        let now = Timestamp::now();
        let stream = format!("/aws/network-firewall/alert/{}_{}", self.firewall, now.strftime("%Y-%m-%d-%H"));
        self.make_stream(stream).await?;
        let (mut events, mut bytes) = (Vec::new(), 0);
        for record in records {
            let message = record.to_string();
            let size = message.len() + EVENT_OVERHEAD;
            if bytes + size > MOST_BYTES || events.len() == MOST_EVENTS {
                self.put_batch(std::mem::take(&mut events)).await?;
                bytes = 0;
            }
            bytes += size;
            events.push(InputLogEvent::builder().timestamp(now.as_millisecond()).message(message).build()?);
        }
        self.put_batch(events).await
    }

    async fn put_batch(&self, events: Vec<InputLogEvent>) -> Result<()> {
        let request = self.client.put_log_events().log_group_name(&self.group).log_stream_name(&self.stream);
        let answer = request.set_log_events(Some(events)).send().await;
        answer.map(drop).with_context(|| format!("PutLogEvents to {}", self.group))
    }

    async fn make_stream(&mut self, stream: String) -> Result<()> {
        if self.stream == stream {
            return Ok(());
        }
        let request = self.client.create_log_stream().log_group_name(&self.group).log_stream_name(&stream);
        if let Err(error) = request.send().await {
            let exists = error
                .as_service_error()
                .is_some_and(CreateLogStreamError::is_resource_already_exists_exception);
            if !exists {
                return Err(error).with_context(|| format!("CreateLogStream in {}", self.group));
            }
        }
        self.stream = stream;
        Ok(())
    }
}
