//! How a stack is answered, whatever the resource.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lambda_runtime::tracing::subscriber::{self, util::SubscriberInitExt};
use serde_json::{Value, json};
use tracing::subscriber::DefaultGuard;

use crate::http::Reply;
use crate::stack::{STACK, Stack};

const GROUP: &str = "Custom::GrantRuleGroup";
const MINUTE: Duration = Duration::from_mins(1);

fn properties() -> Value {
    json!({"ServiceToken": "arn:aws:lambda:…", "RuleGroupName": "egress-grants-demo", "Capacity": "2000"})
}

#[tokio::test]
async fn the_answer_is_exactly_what_the_url_is_signed_for() {
    let stack = Stack::new().await;
    stack.send(stack.event("Create", GROUP, properties())).await;

    let bucket = stack.bucket.lock().unwrap();
    let [put] = bucket.puts.as_slice() else { panic!("{:?}", bucket.puts) };
    assert_eq!(put.line, "PUT /arn%3Aaws%7CGrants/1?X-Amz-Signature=c2VjcmV0%2b~");
    let mut headers: Vec<_> = put.headers.iter().map(|(name, _)| name.as_str()).collect();
    headers.sort_unstable();
    assert_eq!(headers, ["content-length", "content-type", "host"]);
    assert_eq!(put.header("content-length"), Some(put.body.len().to_string().as_str()));
}

#[tokio::test]
async fn what_identifies_the_request_comes_back_as_it_was() {
    let stack = Stack::new().await;
    let answer = stack.send(stack.event("Create", "Custom::Other", json!({}))).await;
    assert_eq!(answer["StackId"], STACK);
    assert_eq!(answer["RequestId"], "request-1");
    assert_eq!(answer["LogicalResourceId"], "Grants");
}

#[tokio::test]
async fn an_answer_is_sent_again_while_the_bucket_fails() {
    let stack = Stack::new().await;
    let fails = || Reply::Status(500, "<Error/>".to_owned());
    stack.bucket.lock().unwrap().mishaps = [fails(), Reply::Broken, fails()].into();

    let answer = stack.send(stack.event("Delete", GROUP, properties())).await;

    assert_eq!(answer["Status"], "SUCCESS");
    assert_eq!(stack.bucket.lock().unwrap().puts.len(), 4);
}

#[tokio::test]
async fn an_answer_is_sent_again_when_the_bucket_was_too_busy_or_waited_too_long() {
    let stack = Stack::new().await;
    let late =
        "<Error><Code>RequestTimeout</Code><Message>Your socket connection … was not read</Message></Error>";
    let mishaps = [(408, ""), (429, ""), (400, late)];
    stack.bucket.lock().unwrap().mishaps =
        mishaps.map(|(status, body)| Reply::Status(status, body.to_owned())).into();

    let answer = stack.send(stack.event("Delete", GROUP, properties())).await;

    assert_eq!(answer["Status"], "SUCCESS");
    assert_eq!(stack.bucket.lock().unwrap().puts.len(), 4);
}

#[tokio::test]
async fn an_answer_that_is_refused_is_not_sent_again() {
    for (status, code) in [(403, "RequestTimeTooSkewed"), (400, "ExpiredToken"), (404, "NoSuchBucket")] {
        let stack = Stack::new().await;
        let body = format!("<Error><Code>{code}</Code></Error>");
        stack.bucket.lock().unwrap().mishaps = [Reply::Status(status, body)].into();

        let error = stack.invoke(stack.event("Delete", GROUP, properties()), MINUTE).await.unwrap_err();

        assert!(error.to_string().contains(&status.to_string()), "{error}");
        assert_eq!(stack.bucket.lock().unwrap().puts.len(), 1);
    }
}

#[tokio::test]
async fn a_bucket_that_is_gone_is_given_up_before_the_end() {
    let stack = Stack::new().await;
    stack.bucket.lock().unwrap().mishaps = vec![Reply::Broken; 100].into();
    let event = stack.event("Delete", GROUP, properties());
    let error = stack.invoke(event, Duration::from_secs(2)).await.unwrap_err();
    assert!(error.to_string().contains("tries"), "{error}");
}

#[tokio::test]
async fn nothing_is_done_for_somebody_who_cant_be_answered() {
    let stack = Stack::new().await;
    for url in [
        json!(null),
        json!(["x"]),
        json!("no url"),
        json!("https://example.com/bucket"),
        json!("http://127.0.0.1:1/"),
    ] {
        let mut event = stack.event("Create", GROUP, properties());
        event["ResponseURL"] = url;
        let error = stack.invoke(event, MINUTE).await.unwrap_err().to_string();
        assert!(error.contains("ResponseURL") && !error.contains("example.com"), "{error}");
    }
    assert!(stack.aws.state.lock().unwrap().calls.is_empty());
}

#[tokio::test]
async fn an_unknown_resource_fails_and_can_be_rolled_back() {
    let stack = Stack::new().await;
    let created = stack.send(stack.event("Create", "Custom::Other", properties())).await;
    assert_eq!(created["Status"], "FAILED");
    insta::assert_snapshot!(created["Reason"].as_str().unwrap(), @r#"the resource type "Custom::Other" is not known here: Custom::FirewallEndpoints, Custom::GrantRuleGroup and Custom::StudioStorage are"#);

    let mut event = stack.event("Delete", "Custom::Other", properties());
    event["PhysicalResourceId"] = created["PhysicalResourceId"].clone();
    let deleted = stack.send(event).await;
    assert_eq!(deleted["Status"], "SUCCESS");
    assert_eq!(deleted["PhysicalResourceId"], created["PhysicalResourceId"]);
}

#[tokio::test]
async fn an_unknown_request_is_answered() {
    let stack = Stack::new().await;
    let answer = stack.send(stack.event("Import", GROUP, properties())).await;
    assert_eq!(answer["Status"], "FAILED");
    insta::assert_snapshot!(answer["Reason"].as_str().unwrap(), @r#"the RequestType is "Import": it must be Create, Update or Delete"#);
}

#[tokio::test]
async fn a_wrong_property_is_named_and_can_be_rolled_back() {
    let stack = Stack::new().await;
    for (wrong, named) in [
        (json!({"Capacity": "2000"}), "RuleGroupName"),
        (json!({"RuleGroupName": "x", "Capacity": "many"}), "Capacity"),
        (json!({"RuleGroupName": "x;y", "Capacity": 5}), "RuleGroupName"),
        (json!({"RuleGroupName": "x", "Capacity": 5, "Tags": "team"}), "Tags"),
        (json!("x"), "RuleGroupName"),
    ] {
        let answer = stack.send(stack.event("Create", GROUP, wrong.clone())).await;
        assert_eq!(answer["Status"], "FAILED");
        assert!(answer["Reason"].as_str().unwrap().contains(&format!("the property {named} ")), "{answer}");
        assert_eq!(stack.send(stack.event("Delete", GROUP, wrong)).await["Status"], "SUCCESS");
    }
    assert_eq!(stack.aws.calls("CreateRuleGroup"), 0);
}

#[tokio::test]
async fn an_error_of_any_length_is_answered() {
    let stack = Stack::new().await;
    let name = "ü\"".repeat(100_000);
    let answer =
        stack.send(stack.event("Create", GROUP, json!({"RuleGroupName": name, "Capacity": 5}))).await;
    assert_eq!(answer["Status"], "FAILED");
}

/// Everything that is written, for a look at it afterwards.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// Writes what this thread logs from now on into it, with all that the function ever shows.
    fn start(&self) -> DefaultGuard {
        let writer = self.clone();
        let filter = subscriber::EnvFilter::new(provision::log_filter("TRACE"));
        subscriber::fmt()
            .json()
            .with_env_filter(filter)
            .with_writer(move || writer.clone())
            .finish()
            .set_default()
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

#[tokio::test]
async fn the_address_is_in_no_log() {
    let log = Log::default();
    let _logging = log.start();

    let stack = Stack::new().await;
    stack.bucket.lock().unwrap().mishaps = [Reply::Broken, Reply::Status(503, String::new())].into();
    stack.send(stack.event("Create", GROUP, properties())).await;

    let log = log.text();
    assert!(log.contains("the answer is sent again") && log.contains("request-1"), "{log}");
    assert!(!log.contains("X-Amz-Signature") && !log.contains("c2VjcmV0"), "{log}");
}

#[tokio::test]
async fn an_answer_that_did_not_arrive_is_in_the_log() {
    let log = Log::default();
    let _logging = log.start();

    let stack = Stack::new().await;
    stack.bucket.lock().unwrap().mishaps = [Reply::Status(403, String::new())].into();
    stack.invoke(stack.event("Delete", GROUP, properties()), MINUTE).await.unwrap_err();

    let log = log.text();
    let line = log.lines().find(|line| line.contains("the answer was refused with 403")).unwrap_or(&log);
    assert!(line.contains("ERROR") && line.contains("request-1"), "{line}");
    assert!(!log.contains("X-Amz-Signature") && !log.contains("c2VjcmV0"), "{log}");
}
