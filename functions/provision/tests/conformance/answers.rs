//! How a stack is answered, whatever the resource.

use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use lambda_runtime::{Context, LambdaEvent};
use provision::Provision;
use serde_json::{Value, json};

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

        // Lambda is told of no error, since another delivery would be refused, too.
        stack.invoke(stack.event("Delete", GROUP, properties()), MINUTE).await.unwrap();

        assert!(stack.log().await.contains(&format!("the answer was refused with {status}")));
        assert_eq!(stack.bucket.lock().unwrap().puts.len(), 1);
    }
}

#[tokio::test]
async fn a_bucket_that_is_gone_is_given_up_before_the_end() {
    let stack = Stack::new().await;
    stack.bucket.lock().unwrap().mishaps = vec![Reply::Broken; 100].into();
    let event = stack.event("Delete", GROUP, properties());
    let error = stack.invoke(event, Duration::from_secs(2)).await.unwrap_err();
    assert!(error.contains("tries"), "{error}");
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
        stack.invoke(event, MINUTE).await.unwrap();
    }
    let log = stack.log().await;
    assert_eq!(log.matches("CloudFormation was not answered").count(), 5, "{log}");
    assert!(log.contains("ResponseURL") && !log.contains("example.com"), "{log}");
    assert!(stack.aws.firewall.state.lock().unwrap().calls.is_empty());
}

#[tokio::test]
async fn an_unknown_resource_fails_and_can_be_rolled_back() {
    let stack = Stack::new().await;
    let created = stack.send(stack.event("Create", "Custom::Other", properties())).await;
    assert_eq!(created["Status"], "FAILED");
    insta::assert_snapshot!(created["Reason"].as_str().unwrap(), @r#"the resource type "Custom::Other" is not known here: Custom::EgressConfig, Custom::FirewallEndpoints, Custom::GrantRuleGroup, Custom::StudioStorage and Custom::StudioUsers are"#);

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
    assert_eq!(stack.aws.firewall.calls("CreateRuleGroup"), 0);
}

#[tokio::test]
async fn an_error_of_any_length_is_answered() {
    let stack = Stack::new().await;
    let name = "ü\"".repeat(100_000);
    let answer =
        stack.send(stack.event("Create", GROUP, json!({"RuleGroupName": name, "Capacity": 5}))).await;
    assert_eq!(answer["Status"], "FAILED");
}

#[tokio::test]
async fn the_address_is_in_no_log() {
    let stack = Stack::new().await;
    stack.bucket.lock().unwrap().mishaps = [Reply::Broken, Reply::Status(503, String::new())].into();
    stack.send(stack.event("Create", GROUP, properties())).await;

    let log = stack.log().await;
    assert!(log.contains("the answer is sent again") && log.contains("request-1"), "{log}");
    assert!(!log.contains("X-Amz-Signature") && !log.contains("c2VjcmV0"), "{log}");
}

#[tokio::test]
async fn an_answer_that_did_not_arrive_is_in_the_log() {
    let stack = Stack::new().await;
    stack.bucket.lock().unwrap().mishaps = [Reply::Status(403, String::new())].into();
    stack.invoke(stack.event("Delete", GROUP, properties()), MINUTE).await.unwrap();

    let log = stack.log().await;
    let line = log.lines().find(|line| line.contains("the answer was refused with 403")).unwrap_or(&log);
    assert!(line.contains("ERROR") && line.contains("request-1"), "{line}");
    assert!(!log.contains("X-Amz-Signature") && !log.contains("c2VjcmV0"), "{log}");
}

#[tokio::test]
async fn a_second_delivery_is_answered_alike_and_does_nothing_twice() {
    let stack = Stack::new().await;
    let event = stack.event("Create", GROUP, properties());
    stack.send(event.clone()).await;

    // The bucket takes one answer for each URL.
    stack.invoke(event, MINUTE).await.unwrap();

    assert!(stack.log().await.contains("the answer was refused with 403"));
    let bucket = stack.bucket.lock().unwrap();
    let [first, second] = bucket.puts.as_slice() else { panic!("{:?}", bucket.puts) };
    assert_eq!(first.body, second.body);
    assert_eq!(stack.aws.firewall.calls("CreateRuleGroup"), 1);
}

#[tokio::test]
async fn a_request_that_is_asked_again_is_answered_at_its_new_address() {
    let stack = Stack::new().await;
    let event = stack.event("Create", GROUP, properties());
    let first = stack.send(event.clone()).await;
    let mut again = event;
    again["ResponseURL"] = stack.event("Create", GROUP, json!({}))["ResponseURL"].clone();

    assert_eq!(stack.send(again).await, first);
    assert_eq!(
        stack.bucket.lock().unwrap().puts[1].line,
        "PUT /arn%3Aaws%7CGrants/2?X-Amz-Signature=c2VjcmV0%2b~"
    );
}

#[tokio::test]
async fn a_delivery_that_comes_after_cloudformations_time_does_nothing() {
    let stack = Stack::new().await;
    let mut event = stack.event("Create", GROUP, properties());
    let url = format!("{}&X-Amz-Date=20200101T000000Z", event["ResponseURL"].as_str().unwrap());
    event["ResponseURL"] = json!(url);
    let answer = stack.send(event).await;
    assert_eq!(answer["Reason"], "time is up: an answer of AWS");
    assert_eq!(stack.aws.firewall.calls("CreateRuleGroup"), 0);
}

#[tokio::test]
async fn two_deliveries_at_once_do_the_work_once() {
    let stack = Stack::new().await;
    let users = json!({
        "DomainId": "d-1", "VpcId": "vpc-0a1b", "UserProfileNames": ["alice", "bob"],
        "ExecutionRole": "arn:aws:iam::123456789012:role/notebooks",
    });
    for (resource, properties) in [(GROUP, properties()), ("Custom::StudioUsers", users)] {
        let first = stack.event("Create", resource, properties.clone());
        let mut second = first.clone();
        second["ResponseURL"] = stack.event("Create", resource, json!({}))["ResponseURL"].clone();
        let beside = stack.beside().await;
        let (one, other) = tokio::join!(stack.invoke(first, MINUTE), beside.invoke(second, MINUTE));
        one.unwrap();
        other.unwrap();
        let bucket = stack.bucket.lock().unwrap();
        let [.., one, other] = bucket.answers.as_slice() else { panic!("{:?}", bucket.answers) };
        assert_eq!(one, other);
        assert_eq!(one["Status"], "SUCCESS", "{one}");
    }
    assert_eq!(stack.aws.firewall.state.lock().unwrap().groups.len(), 1);
    assert_eq!(stack.aws.studio.state.lock().unwrap().groups.len(), 2);
}

#[tokio::test]
async fn data_is_not_echoed_where_the_template_says_so_and_never_logged() {
    let stack = Stack::new().await;
    let mut properties = properties();
    properties["NoEcho"] = json!("true");
    let answer = stack.send(stack.event("Create", GROUP, properties.clone())).await;
    assert_eq!(answer["NoEcho"], true);
    assert_eq!(answer["Data"]["Capacity"], "2000");
    assert!(!stack.log().await.contains("\"Capacity\""));
    properties["NoEcho"] = json!("false");
    let answer = stack.send(stack.event("Create", GROUP, properties)).await;
    assert_eq!(answer.get("NoEcho"), None);
}

#[tokio::test]
async fn names_and_texts_of_all_scripts_come_through() {
    let stack = Stack::new().await;
    let mut properties = properties();
    properties["Description"] = json!("Für die Übungen – 演習用");
    properties["Tags"] = json!([{"Key": "équipe", "Value": "данные"}, {"Key": "cost", "Value": true}]);
    let answer = stack.send(stack.event("Create", GROUP, properties)).await;
    assert_eq!(answer["Status"], "SUCCESS", "{answer}");
    let group = stack.aws.firewall.group("egress-grants-demo-c2000").unwrap();
    assert_eq!(group.description.as_deref(), Some("Für die Übungen – 演習用"));
    assert_eq!((group.tags["équipe"].as_str(), group.tags["cost"].as_str()), ("данные", "true"));
}

#[tokio::test]
async fn an_event_of_any_shape_is_answered_as_far_as_it_says_where() {
    let stack = Stack::new().await;
    for change in [
        json!({"RequestType": null}),
        json!({"RequestType": ["Create"]}),
        json!({"ResourceType": 5}),
        json!({"StackId": {"a": "b"}}),
        json!({"ResourceProperties": "x".repeat(100_000)}),
        json!({"OldResourceProperties": [1, 2], "RequestType": "Update", "PhysicalResourceId": 7}),
        json!({"Continuation": {"Started": "yesterday"}, "ResourceProperties": {}}),
    ] {
        let mut event = stack.event("Create", GROUP, json!({"Capacity": {"a": [1]}}));
        for (name, value) in change.as_object().unwrap() {
            event[name] = value.clone();
        }
        let answer = stack.send(event).await;
        assert_eq!(answer["Status"], "FAILED", "{answer}");
        assert!(answer["PhysicalResourceId"].as_str().is_some_and(|id| !id.is_empty()), "{answer}");
    }
    assert_eq!(stack.aws.firewall.calls("CreateRuleGroup"), 0);
}

#[tokio::test]
async fn a_panic_is_answered() {
    /// Credentials that nobody has thought of.
    #[derive(Debug)]
    struct Panics;

    impl ProvideCredentials for Panics {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            panic!("no such key ring")
        }
    }

    // Its own program has no such defect, so this is the function without its program.
    let stack = Stack::new().await;
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(Panics))
        .endpoint_url(stack.services())
        .build();
    let provision = Provision::new(&config, Some(stack.bucket_address().parse().unwrap()));
    let mut context = Context::default();
    context.deadline = 9_999_999_999_999;
    let users = json!({"DomainId": "d-1", "VpcId": "vpc-1", "ExecutionRole": "arn:aws:iam::1:role/a"});
    let event = stack.event("Create", "Custom::StudioUsers", users);

    provision.handle(LambdaEvent::new(event, context)).await.unwrap();

    let answer = stack.bucket.lock().unwrap().answers.pop().unwrap();
    assert_eq!(answer["Status"], "FAILED");
    assert_eq!(answer["Reason"], "the function has a defect, please report it: no such key ring");
}
