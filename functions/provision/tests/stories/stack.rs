//! A stack as CloudFormation runs it: it sends events to the function and reads the answers from its
//! bucket, which is strict; with the services that the function calls behind it.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use lambda_runtime::{Context, LambdaEvent};
use provision::{Provision, Unanswered};
use serde_json::{Value, json};

use crate::http::{Received, Reply, serve};
use crate::network_firewall::NetworkFirewall;
use crate::studio::Studio;

pub(crate) const STACK: &str = "arn:aws:cloudformation:eu-west-1:123456789012:stack/demo/1";

/// CloudFormation's side, the function, and the services behind it.
pub(crate) struct Stack {
    pub(crate) aws: NetworkFirewall,
    pub(crate) studio: Studio,
    pub(crate) bucket: Arc<Mutex<Bucket>>,
    address: String,
    provision: Provision,
    requests: Mutex<u32>,
}

/// Where answers arrive.
#[derive(Default)]
pub(crate) struct Bucket {
    /// What happens to the next PUTs before one is judged.
    pub(crate) mishaps: VecDeque<Reply>,
    /// Every PUT.
    pub(crate) puts: Vec<Received>,
    used: HashSet<String>,
}

impl Bucket {
    fn put(&mut self, received: Received) -> Reply {
        let reply = self.mishaps.pop_front().unwrap_or_else(|| match self.refusal(&received) {
            Some(reason) => Reply::Status(403, reason.to_owned()),
            None => Reply::Status(200, String::new()),
        });
        self.puts.push(received);
        reply
    }

    fn refusal(&mut self, received: &Received) -> Option<&'static str> {
        if !received.line.starts_with("PUT ") {
            Some("not a PUT")
        } else if received.header("content-type") != Some("") {
            Some("the content type is signed as empty")
        } else if received.header("transfer-encoding").is_some()
            || received.header("content-length").is_none()
        {
            Some("no length")
        } else if received.body.len() > 4_096 {
            Some("too long")
        } else if !self.used.insert(received.line.clone()) {
            Some("answered before")
        } else {
            None
        }
    }
}

impl Stack {
    pub(crate) async fn new() -> Self {
        let bucket = Arc::new(Mutex::new(Bucket::default()));
        let (aws, studio) = (NetworkFirewall::default(), Studio::default());
        let (firewall, rest) = (aws.clone(), studio.clone());
        let services = serve(move |received| match received.header("x-amz-target") {
            Some(target) if target.starts_with("NetworkFirewall") => firewall.answer(&received),
            _ => rest.answer(&received),
        });
        let config = config(services.await);
        let putting = Arc::clone(&bucket);
        let address = serve(move |received| putting.lock().unwrap().put(received)).await;
        let provision = Provision::new(&config, Some(address.parse().unwrap()));
        Self { aws, studio, bucket, address, provision, requests: Mutex::default() }
    }

    /// An event of the resource `Grants`; each is a request of its own.
    pub(crate) fn event(
        &self,
        request_type: &str,
        resource_type: &str,
        properties: impl Into<Value>,
    ) -> Value {
        let mut requests = self.requests.lock().unwrap();
        *requests += 1;
        json!({
            "RequestType": request_type,
            "ResponseURL": format!("{}/arn%3Aaws%7CGrants/{requests}?X-Amz-Signature=c2VjcmV0%2b~", self.address),
            "StackId": STACK,
            "RequestId": format!("request-{requests}"),
            "LogicalResourceId": "Grants",
            "ResourceType": resource_type,
            "ResourceProperties": properties.into(),
        })
    }

    /// Sends an event and reads what arrived in the bucket.
    pub(crate) async fn send(&self, event: Value) -> Value {
        self.invoke(event, Duration::from_mins(1)).await.unwrap();
        let bucket = self.bucket.lock().unwrap();
        serde_json::from_slice(&bucket.puts.last().unwrap().body).unwrap()
    }

    /// Sends an event to a function that has this much time.
    pub(crate) async fn invoke(&self, event: Value, time: Duration) -> Result<(), Unanswered> {
        let started = Instant::now();
        let mut context = Context::default();
        let end = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + time;
        context.deadline = end.as_millis().try_into().unwrap();
        let result = self.provision.handle(LambdaEvent::new(event, context)).await;
        assert!(started.elapsed() < time, "the function would have been ended");
        result
    }
}

/// The configuration with which a client finds the services here, and tries nothing again by itself.
fn config(services: String) -> SdkConfig {
    let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "tests");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(RetryConfig::disabled())
        .endpoint_url(services)
        .build()
}
