//! Security Hub, as a stand-in on this machine has it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use alerts::security_hub::{SecurityHub, SettingError};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use egress::aws::signed::Signed;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const PRODUCT: &str = "arn:aws:securityhub:eu-west-1:123456789012:product/123456789012/default";

/// A request: its head as it was sent, and its body.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) head: String,
    pub(crate) body: Value,
}

impl Call {
    pub(crate) fn findings(&self) -> &[Value] {
        self.body["Findings"].as_array().unwrap()
    }
}

/// The stand-in.
#[derive(Debug)]
pub(crate) struct Hub {
    endpoint: String,
    calls: Arc<Mutex<Vec<Call>>>,
    replies: Arc<Mutex<VecDeque<(u16, Value)>>>,
}

impl Hub {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let hub = Self { endpoint, calls: Arc::default(), replies: Arc::default() };
        let (calls, replies) = (Arc::clone(&hub.calls), Arc::clone(&hub.replies));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let call = read(&mut stream).await;
                let (count, reply) = (call.findings().len(), replies.lock().unwrap().pop_front());
                calls.lock().unwrap().push(call);
                let (status, body) =
                    reply.unwrap_or_else(|| (200, json!({"FailedCount": 0, "SuccessCount": count})));
                let (body, close) = (body.to_string(), "connection: close\r\n");
                let head = format!("HTTP/1.1 {status} Said\r\n{close}content-length: {}\r\n\r\n", body.len());
                stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
            }
        });
        hub
    }

    /// What it answers to the calls to come; to all others, that it has imported everything.
    pub(crate) fn will(&self, replies: impl IntoIterator<Item = (u16, Value)>) {
        self.replies.lock().unwrap().extend(replies);
    }

    /// The calls since it was asked last.
    pub(crate) fn heard(&self) -> Vec<Call> {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }

    /// A client of it.
    pub(crate) fn client(&self, which: &str) -> Option<SecurityHub> {
        client(&self.endpoint, which, PRODUCT).unwrap()
    }
}

/// A client of what is at an endpoint.
pub(crate) fn client(
    endpoint: &str,
    which: &str,
    product: &str,
) -> Result<Option<SecurityHub>, SettingError> {
    let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "tests");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(endpoint)
        .build();
    SecurityHub::new(Signed::new(&config), which, product, "studio")
}

async fn read(stream: &mut TcpStream) -> Call {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        assert!(stream.read_buf(&mut bytes).await.unwrap() > 0, "a request without an end");
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    while bytes.len() < end + length.parse::<usize>().unwrap() {
        assert!(stream.read_buf(&mut bytes).await.unwrap() > 0, "a body without an end");
    }
    Call { head, body: serde_json::from_slice(&bytes[end..]).unwrap() }
}
