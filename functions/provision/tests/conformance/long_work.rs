//! Work that is longer than an invocation.

use std::time::Duration;

use serde_json::{Value, json};

use crate::stack::Stack;

const GROUP: &str = "Custom::GrantRuleGroup";
const SHORT: Duration = Duration::from_secs(1);

/// A rule group that a policy refers to for as long as is said, and its deletion.
async fn held(refusals: u32) -> (Stack, Value) {
    let stack = Stack::new().await;
    let properties = json!({"RuleGroupName": "egress-grants-demo", "Capacity": "100"});
    let created = stack.send(stack.event("Create", GROUP, properties.clone())).await;
    stack.aws.firewall.change("egress-grants-demo-c100", |group| group.in_use = refusals);
    let deletion = stack.deletion(GROUP, &created["PhysicalResourceId"], properties);
    (stack, deletion)
}

#[tokio::test]
async fn another_invocation_goes_on_with_the_same_event_and_answers_once() {
    let (stack, deletion) = held(6).await;
    let before = stack.invocations();

    stack.invoke(deletion.clone(), SHORT).await.unwrap();

    // Nothing is answered yet, and the next event is this one and what is remembered.
    assert_eq!(stack.bucket.lock().unwrap().answers.len(), 1);
    let mut next = stack.aws.edge.lock().unwrap().later.pop_front().unwrap();
    let continuation = next["Continuation"].take();
    assert_eq!(continuation["Invocations"], 1);
    assert!(continuation["WaitingFor"].as_str().unwrap().contains("a firewall policy still refers to"));
    next.as_object_mut().unwrap().remove("Continuation");
    assert_eq!(next, deletion);

    next["Continuation"] = continuation;
    let answer = stack.send_in(SHORT, next).await;
    assert_eq!(answer["Status"], "SUCCESS");
    assert!(stack.invocations() - before > 2);
    assert!(stack.log().await.contains("another invocation goes on: "));
    assert!(!stack.log().await.contains("X-Amz-Signature"));
}

#[tokio::test]
async fn the_time_of_the_whole_request_is_not_that_of_an_invocation() {
    let (stack, mut deletion) = held(u32::MAX).await;
    deletion["ResourceProperties"]["ServiceTimeout"] = json!("6");
    let before = stack.invocations();

    let answer = stack.send_in(SHORT, deletion).await;

    assert_eq!(answer["Status"], "FAILED");
    assert!(answer["Reason"].as_str().unwrap().starts_with("time is up: a firewall policy still refers to"));
    assert!(stack.invocations() - before >= 4);
}

#[tokio::test]
async fn an_invocation_is_asked_for_again_while_lambda_is_busy() {
    let (stack, deletion) = held(6).await;
    stack.aws.edge.lock().unwrap().busy = 1;
    let answer = stack.send_in(Duration::from_secs(2), deletion).await;
    assert_eq!(answer["Status"], "SUCCESS");
    assert!(stack.log().await.contains("the next invocation is asked for again"));
}

#[tokio::test]
async fn where_nothing_can_go_on_the_request_fails_in_time() {
    let (stack, deletion) = held(u32::MAX).await;
    stack.aws.edge.lock().unwrap().busy = u32::MAX;
    let answer = stack.send_in(Duration::from_secs(3), deletion).await;
    assert_eq!(answer["Status"], "FAILED");
    let reason = answer["Reason"].as_str().unwrap();
    assert!(
        reason.starts_with("no other invocation can go on with this, since Invoke was refused with"),
        "{reason}"
    );
    assert!(reason.contains("a firewall policy still refers to"), "{reason}");
}

#[tokio::test]
async fn invocations_that_get_nowhere_come_to_an_end() {
    let (stack, mut deletion) = held(u32::MAX).await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    deletion["Continuation"] =
        json!({"Started": u64::try_from(now).unwrap(), "Invocations": 99, "WaitingFor": "x", "State": null});
    let answer = stack.send_in(SHORT, deletion).await;
    assert!(answer["Reason"].as_str().unwrap().starts_with("given up after 100 invocations: "), "{answer}");
}

#[tokio::test]
async fn what_is_remembered_comes_to_the_next_invocation() {
    let stack = Stack::new().await;
    stack.aws.studio.leave_behind("d-1", "vpc-0a1b");
    {
        // Nothing else leads to the file system any more, once its mount targets are gone.
        let mut state = stack.aws.studio.state.lock().unwrap();
        state.groups.clear();
        for _ in 0..8 {
            state.refusals.push_back(("DeleteFileSystem", 503, "ServiceUnavailable"));
        }
    }
    let properties = json!({"VpcId": "vpc-0a1b", "HomeDirectories": "Delete"});
    let deletion = stack.deletion("Custom::StudioStorage", &json!("studio-storage-vpc-0a1b"), properties);

    let answer = stack.send_in(Duration::from_secs(2), deletion).await;

    assert_eq!(answer["Status"], "SUCCESS", "{answer}");
    assert!(stack.invocations() > 1);
    assert!(stack.aws.studio.state.lock().unwrap().file_systems.is_empty());
}
