//! A stack as CloudFormation runs it: it sends events to the function and reads the answers from its
//! bucket; with the services that the function calls behind it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{Mutex as AsyncMutex, watch};

use crate::aws::Aws;
use crate::bucket::Bucket;
use crate::function::Function;
use crate::http::serve;

pub(crate) const STACK: &str = "arn:aws:cloudformation:eu-west-1:123456789012:stack/demo/1";

/// CloudFormation's side, the function, and the services behind it.
pub(crate) struct Stack {
    pub(crate) aws: Aws,
    pub(crate) bucket: Arc<Mutex<Bucket>>,
    address: String,
    services: String,
    /// The program, while it runs.
    function: AsyncMutex<Option<Function>>,
    requests: Mutex<u32>,
    invocations: watch::Sender<u32>,
    log: Mutex<String>,
}

impl Stack {
    pub(crate) async fn new() -> Self {
        let bucket = Arc::new(Mutex::new(Bucket::default()));
        let aws = Aws::default();
        let behind = aws.clone();
        let services = serve(move |received| {
            let aws = behind.clone();
            Box::pin(async move { aws.answer(received).await })
        });
        let services = services.await;
        let putting = Arc::clone(&bucket);
        let address = serve(move |received| {
            let reply = putting.lock().unwrap().put(received);
            Box::pin(async { reply })
        });
        Self {
            aws,
            bucket,
            address: address.await,
            services,
            function: AsyncMutex::default(),
            requests: Mutex::default(),
            invocations: watch::Sender::default(),
            log: Mutex::default(),
        }
    }

    /// Another program at the same time, with everything else the same.
    pub(crate) async fn beside(&self) -> Self {
        Self {
            aws: self.aws.clone(),
            bucket: Arc::clone(&self.bucket),
            address: self.address.clone(),
            services: self.services.clone(),
            function: AsyncMutex::new(Some(Function::start(&self.services, &self.address).await)),
            requests: Mutex::default(),
            invocations: watch::Sender::default(),
            log: Mutex::default(),
        }
    }

    /// Where AWS is.
    pub(crate) fn services(&self) -> String {
        format!("http://{}", self.services)
    }

    /// Where answers arrive.
    pub(crate) fn bucket_address(&self) -> String {
        format!("http://{}", self.address)
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
            "ResponseURL": format!("http://{}/arn%3Aaws%7CGrants/{requests}?X-Amz-Signature=c2VjcmV0%2b~", self.address),
            "StackId": STACK,
            "RequestId": format!("request-{requests}"),
            "LogicalResourceId": "Grants",
            "ResourceType": resource_type,
            "ResourceProperties": properties.into(),
        })
    }

    /// An Update of a resource that is known by an id.
    pub(crate) fn update(&self, resource_type: &str, id: &Value, from: Value, to: Value) -> Value {
        let mut event = self.event("Update", resource_type, to);
        event["PhysicalResourceId"] = id.clone();
        event["OldResourceProperties"] = from;
        event
    }

    /// A Delete of a resource that is known by an id.
    pub(crate) fn deletion(&self, resource_type: &str, id: &Value, properties: Value) -> Value {
        let mut event = self.event("Delete", resource_type, properties);
        event["PhysicalResourceId"] = id.clone();
        event
    }

    /// Sends an event, and every event by which the function goes on; the answer that has arrived then.
    pub(crate) async fn send(&self, event: Value) -> Value {
        self.send_in(Duration::from_mins(1), event).await
    }

    /// The same with this much time for each invocation.
    pub(crate) async fn send_in(&self, time: Duration, event: Value) -> Value {
        let before = self.bucket.lock().unwrap().answers.len();
        let mut next = Some(event);
        while let Some(event) = next {
            self.invoke(event, time).await.unwrap();
            next = self.aws.edge.lock().unwrap().later.pop_front();
        }
        let bucket = self.bucket.lock().unwrap();
        assert_eq!(bucket.answers.len(), before + 1, "one answer");
        bucket.answers.last().unwrap().clone()
    }

    /// Sends an event to a function that has this much time.
    pub(crate) async fn invoke(&self, event: Value, time: Duration) -> Result<(), String> {
        let mut function = self.function.lock().await;
        if function.is_none() {
            *function = Some(Function::start(&self.services, &self.address).await);
        }
        let running = function.as_mut().unwrap();
        self.invocations.send_modify(|count| *count += 1);
        let ended = tokio::select! {
            ended = running.invoke(event, time) => Some(ended),
            () = self.aws.kill.notified() => None,
        };
        if let Some(ended) = ended {
            return ended;
        }
        running.kill().await;
        self.log.lock().unwrap().push_str(&running.log());
        *function = None;
        Err("it was killed".to_owned())
    }

    /// How many invocations there were.
    pub(crate) fn invocations(&self) -> u32 {
        *self.invocations.borrow()
    }

    /// Waits until so many invocations have begun.
    pub(crate) async fn invoked(&self, count: u32) {
        self.invocations.subscribe().wait_for(|now| *now >= count).await.unwrap();
    }

    /// What the function has written.
    pub(crate) async fn log(&self) -> String {
        let function = self.function.lock().await;
        self.log.lock().unwrap().clone() + &function.as_ref().map(Function::log).unwrap_or_default()
    }

    /// The most memory that the function has had, in kB.
    pub(crate) async fn memory(&self) -> u64 {
        self.function.lock().await.as_ref().unwrap().memory()
    }
}
