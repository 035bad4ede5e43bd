//! `Custom::StudioStorage`.

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::stack::Stack;
use crate::studio::State;

const STORAGE: &str = "Custom::StudioStorage";
const VPC: &str = "vpc-0a1b";
const FILES: &str = "fs-d-1";

/// A stack whose domain `d-1` has been deleted, and has left behind what domains leave behind.
async fn after_the_domain() -> Stack {
    let stack = Stack::new().await;
    stack.aws.studio.leave_behind("d-1", VPC);
    stack
}

fn properties(choice: &str) -> Value {
    json!({"VpcId": VPC, "HomeDirectories": choice})
}

fn deletion(stack: &Stack, choice: &str) -> Value {
    stack.deletion(STORAGE, &json!(format!("studio-storage-{VPC}")), properties(choice))
}

/// With so many seconds for all of it.
fn with_timeout(mut event: Value, seconds: u32) -> Value {
    event["ResourceProperties"]["ServiceTimeout"] = json!(seconds.to_string());
    event
}

async fn delete(stack: &Stack, choice: &str) -> Value {
    stack.send(deletion(stack, choice)).await
}

#[tokio::test]
async fn all_of_it_goes_when_the_homes_are_to_be_deleted() {
    let stack = after_the_domain().await;

    let answer = delete(&stack, "Delete").await;

    assert_eq!(answer["Status"], "SUCCESS", "{answer}");
    assert_eq!(stack.aws.studio.left(), Vec::<String>::new());
    insta::assert_snapshot!(stack.aws.studio.changes().join(" "), @"DeleteMountTarget DeleteMountTarget DeleteFileSystem RevokeSecurityGroupIngress RevokeSecurityGroupEgress DeleteSecurityGroup DeleteSecurityGroup");
}

#[tokio::test]
async fn the_file_system_alone_is_left_by_default_and_named() {
    let stack = after_the_domain().await;
    let mut event = deletion(&stack, "Retain");
    event["ResourceProperties"] = json!({"VpcId": VPC});

    let answer = stack.send(event).await;

    assert_eq!(stack.aws.studio.left(), [FILES]);
    assert_eq!(answer["Status"], "SUCCESS");
    let reason = answer["Reason"].as_str().unwrap();
    assert!(
        reason.starts_with("the home directories of the domain d-1 are kept in the file system fs-d-1"),
        "{reason}"
    );
}

#[tokio::test]
async fn nothing_of_a_domain_that_lives_is_touched() {
    let stack = after_the_domain().await;
    for status in ["InService", "Failed", "Delete_Failed", "Update_Failed", "Pending"] {
        stack.aws.studio.state.lock().unwrap().domains.insert("d-1".into(), status);
        let before = stack.aws.studio.left();
        let answer = delete(&stack, "Delete").await;
        assert_eq!((&answer["Status"], stack.aws.studio.left()), (&json!("SUCCESS"), before));
        assert!(answer["Reason"].as_str().unwrap().contains("its domain d-1 still lives"), "{answer}");
    }
    assert!(stack.aws.studio.changes().is_empty());
}

#[tokio::test]
async fn a_domain_that_is_being_deleted_is_waited_for() {
    let stack = after_the_domain().await;
    stack.aws.studio.state.lock().unwrap().domains.insert("d-1".into(), "Deleting");
    let studio = stack.aws.studio.clone();
    let gone = async {
        while studio.state.lock().unwrap().calls.iter().filter(|call| *call == "DescribeDomain").count() < 2 {
            tokio::task::yield_now().await;
        }
        assert!(studio.changes().is_empty());
        studio.state.lock().unwrap().domains.clear();
    };
    let (answer, ()) = tokio::join!(delete(&stack, "Delete"), gone);
    assert_eq!((&answer["Status"], stack.aws.studio.left()), (&json!("SUCCESS"), vec![]));
}

#[tokio::test]
async fn without_sagemakers_word_nothing_is_touched() {
    let stack = after_the_domain().await;
    for _ in 0..30 {
        stack.aws.studio.refuse("DescribeDomain", 400, "AccessDeniedException");
    }
    let answer = stack.send(with_timeout(deletion(&stack, "Delete"), 4)).await;
    assert_eq!(answer["Reason"], "DescribeDomain was refused with AccessDeniedException: no");
    assert!(stack.aws.studio.changes().is_empty());
}

#[tokio::test]
async fn other_vpcs_and_other_file_systems_are_left_alone() {
    let stack = after_the_domain().await;
    stack.aws.studio.leave_behind("d-2", "vpc-0ffe");
    // A file system that somebody has made for something else, in the same VPC.
    stack.aws.studio.leave_behind("d-3", VPC);
    let change = |state: &mut State| {
        state.file_systems.get_mut("fs-d-3").unwrap().managed_by = None;
        state.groups.retain(|id, _| !id.ends_with("d-3"));
    };
    change(&mut stack.aws.studio.state.lock().unwrap());

    assert_eq!(delete(&stack, "Delete").await["Status"], "SUCCESS");

    let left = stack.aws.studio.left();
    let of = |domain| left.iter().filter(|id| id.ends_with(domain)).count();
    assert_eq!((of("d-1"), of("d-2"), of("d-3")), (0, 7, 5), "{left:?}");
}

#[tokio::test]
async fn one_function_goes_on_where_another_was_ended() {
    let stack = after_the_domain().await;
    // The mount targets are gone, so the file system is in no VPC any more; then time is up.
    stack.aws.studio.state.lock().unwrap().mount_targets.clear();
    for _ in 0..60 {
        stack.aws.studio.refuse("DeleteFileSystem", 503, "ServiceUnavailable");
    }
    let answer = stack.send(with_timeout(deletion(&stack, "Delete"), 4)).await;
    assert_eq!(answer["Status"], "FAILED");
    assert!(answer["Reason"].as_str().unwrap().contains("DeleteFileSystem"), "{answer}");

    stack.aws.studio.state.lock().unwrap().refusals.clear();
    assert_eq!(delete(&stack, "Delete").await["Status"], "SUCCESS");
    assert_eq!(stack.aws.studio.left(), Vec::<String>::new());
}

#[tokio::test]
async fn what_still_uses_the_groups_is_named_when_time_is_up() {
    let stack = after_the_domain().await;
    stack.aws.studio.state.lock().unwrap().interfaces.insert("notebook".into(), vec!["sg-out-d-1".into()]);
    let answer = stack.send(with_timeout(deletion(&stack, "Retain"), 6)).await;
    let reason = "time is up: the network interface notebook (EFS mount target) is still there";
    assert_eq!(answer["Reason"], reason);
}

#[tokio::test]
async fn each_call_is_made_again_when_it_is_throttled() {
    let mut stories = JoinSet::new();
    for (operation, status, code) in [
        ("DescribeSecurityGroups", 503, "RequestLimitExceeded"),
        ("DescribeFileSystems", 429, "ThrottlingException"),
        ("DescribeMountTargets", 500, "InternalServerError"),
        ("DescribeDomain", 400, "ThrottlingException"),
        ("DeleteMountTarget", 504, "DependencyTimeout"),
        ("DeleteFileSystem", 409, "FileSystemInUse"),
        ("DescribeNetworkInterfaces", 400, "RequestLimitExceeded"),
        ("DescribeSecurityGroupRules", 500, "InternalError"),
        ("RevokeSecurityGroupEgress", 503, "Unavailable"),
        ("DeleteSecurityGroup", 400, "DependencyViolation"),
    ] {
        stories.spawn(async move {
            let stack = after_the_domain().await;
            stack.aws.studio.refuse(operation, status, code);
            let answer = delete(&stack, "Delete").await;
            assert_eq!((&answer["Status"], stack.aws.studio.left()), (&json!("SUCCESS"), vec![]), "{answer}");
            assert!(stack.aws.studio.state.lock().unwrap().refusals.is_empty(), "{operation} was not called");
        });
    }
    stories.join_all().await;
}

#[tokio::test]
async fn a_refusal_that_lasts_is_told_in_the_services_words() {
    let stack = after_the_domain().await;
    stack.aws.studio.refuse("DeleteMountTarget", 400, "BadRequest");
    let answer = delete(&stack, "Delete").await;
    assert_eq!(answer["Reason"], "DeleteMountTarget was refused with BadRequest: no");
}

#[tokio::test]
async fn a_permission_that_was_just_given_is_waited_for() {
    let stack = after_the_domain().await;
    for _ in 0..3 {
        stack.aws.studio.refuse("DeleteMountTarget", 403, "AccessDeniedException");
    }
    let answer = delete(&stack, "Delete").await;
    assert_eq!((&answer["Status"], stack.aws.studio.left()), (&json!("SUCCESS"), vec![]), "{answer}");
}

#[tokio::test]
async fn a_delete_that_finds_nothing_succeeds() {
    let stack = Stack::new().await;
    let answer = delete(&stack, "Delete").await;
    assert_eq!((&answer["Status"], &answer["Reason"]), (&json!("SUCCESS"), &json!(null)));
    assert!(stack.aws.studio.changes().is_empty());
}

#[tokio::test]
async fn until_then_nobody_is_called() {
    let stack = after_the_domain().await;
    let created = stack.send(stack.event("Create", STORAGE, properties("Retain"))).await;
    let id = &created["PhysicalResourceId"];
    assert_eq!((&created["Status"], id), (&json!("SUCCESS"), &json!("studio-storage-vpc-0a1b")));

    let mut event = stack.event("Update", STORAGE, properties("Delete"));
    event["PhysicalResourceId"] = id.clone();
    event["OldResourceProperties"] = properties("Retain");
    assert_eq!(stack.send(event).await["PhysicalResourceId"], *id);

    // Another VPC is another resource.
    let mut event = stack.event("Update", STORAGE, json!({"VpcId": "vpc-0ffe"}));
    event["PhysicalResourceId"] = id.clone();
    assert_eq!(stack.send(event).await["PhysicalResourceId"], "studio-storage-vpc-0ffe");
    assert!(stack.aws.studio.state.lock().unwrap().calls.is_empty());
}

#[tokio::test]
async fn a_create_that_failed_is_deleted_without_a_call() {
    let stack = Stack::new().await;
    let wrong = json!({"VpcId": "vpc-*", "HomeDirectories": "Delete"});
    let created = stack.send(stack.event("Create", STORAGE, wrong.clone())).await;
    assert_eq!(created["Reason"], "the property VpcId is \"vpc-*\": it must be the id of a VPC");
    let mut event = stack.event("Delete", STORAGE, wrong);
    event["PhysicalResourceId"] = created["PhysicalResourceId"].clone();
    assert_eq!(stack.send(event).await["Status"], "SUCCESS");
    assert!(stack.aws.studio.state.lock().unwrap().calls.is_empty());
}
