//! All of AWS that the function calls, at one address, and what can go wrong on the way there.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::http::{Received, Reply};
use crate::network_firewall::NetworkFirewall;
use crate::studio::Studio;

/// The services.
#[derive(Clone, Default)]
pub(crate) struct Aws {
    pub(crate) firewall: NetworkFirewall,
    pub(crate) studio: Studio,
    pub(crate) edge: Arc<Mutex<Edge>>,
    /// Tells that the program is to be killed now.
    pub(crate) kill: Arc<Notify>,
}

/// What is the same for all of them.
#[derive(Default)]
pub(crate) struct Edge {
    /// Objects of S3 by bucket and key: `/bucket/key`.
    pub(crate) objects: BTreeMap<String, String>,
    /// The events with which the function has had itself invoked.
    pub(crate) later: VecDeque<Value>,
    /// How the next invocations of itself are refused.
    pub(crate) busy: u32,
    /// Every call.
    pub(crate) calls: Vec<String>,
    /// Which of them meets what, counted from 0.
    pub(crate) trouble: Option<(usize, Trouble)>,
}

/// What can happen to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It is refused, since there are too many.
    Throttled,
    /// It is carried out, and nobody hears of it.
    Lost,
    /// It is carried out, and the program ends before it hears of it.
    Killed,
}

impl Aws {
    pub(crate) async fn answer(&self, received: Received) -> Reply {
        let trouble = self.edge.lock().unwrap().arrived(&received);
        if trouble == Some(Trouble::Throttled) {
            return throttled(&received);
        }
        let reply = self.carry_out(&received);
        match trouble {
            Some(Trouble::Killed) => {
                self.kill.notify_one();
                std::future::pending().await
            }
            Some(Trouble::Lost) => Reply::Broken,
            _ => reply,
        }
    }

    fn carry_out(&self, received: &Received) -> Reply {
        match received.header("x-amz-target") {
            Some(target) if target.starts_with("NetworkFirewall") => self.firewall.answer(received),
            _ if received.line.contains("/2015-03-31/functions/") => {
                self.edge.lock().unwrap().invoke(received)
            }
            _ if received.line.starts_with("GET /artefacts/") => self.edge.lock().unwrap().object(received),
            _ => self.studio.answer(received),
        }
    }
}

impl Edge {
    fn arrived(&mut self, received: &Received) -> Option<Trouble> {
        let trouble = self.trouble.filter(|(at, _)| *at == self.calls.len());
        let target = received.header("x-amz-target").map(ToOwned::to_owned);
        self.calls.push(target.unwrap_or_else(|| received.line.clone()));
        trouble.map(|(_, trouble)| trouble)
    }

    fn invoke(&mut self, received: &Received) -> Reply {
        assert_eq!(
            received.line,
            "POST /2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Ademo-provision/invocations"
        );
        assert_eq!(received.header("x-amz-invocation-type"), Some("Event"));
        assert!(received.header("authorization").unwrap().contains("/eu-west-1/lambda/aws4_request"));
        if self.busy > 0 {
            self.busy -= 1;
            return Reply::Status(429, json!({"Type": "User", "message": "Rate Exceeded."}).to_string());
        }
        self.later.push_back(serde_json::from_slice(&received.body).unwrap());
        Reply::Status(202, String::new())
    }

    fn object(&self, received: &Received) -> Reply {
        assert!(received.header("authorization").unwrap().contains("/eu-west-1/s3/aws4_request"));
        assert!(received.header("x-amz-content-sha256").is_some());
        let path = received.line.strip_prefix("GET ").unwrap();
        match self.objects.get(path) {
            Some(text) => Reply::Status(200, text.clone()),
            None => Reply::Status(
                404,
                "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>"
                    .to_owned(),
            ),
        }
    }
}

/// As each service says it.
fn throttled(received: &Received) -> Reply {
    if received.header("x-amz-target").is_some() {
        return Reply::Status(
            400,
            json!({"__type": "ThrottlingException", "message": "Rate exceeded"}).to_string(),
        );
    }
    if received.line.contains("/2015-") {
        let code = "TooManyRequestsException";
        return Reply::Status(429, json!({"__type": code, "ErrorCode": code, "message": "no"}).to_string());
    }
    let code = if received.line.starts_with("GET") { "SlowDown" } else { "RequestLimitExceeded" };
    Reply::Status(
        503,
        format!(
            "<Response><Errors><Error><Code>{code}</Code><Message>later</Message></Error></Errors></Response>"
        ),
    )
}
