//! `Custom::GrantRuleGroup`.

use serde_json::{Value, json};

use crate::network_firewall::{Group, NetworkFirewall};
use crate::stack::{STACK, Stack};

const GROUP: &str = "Custom::GrantRuleGroup";
const SMALL: &str = "egress-grants-demo-c100";
const LARGE: &str = "egress-grants-demo-c200";
const GRANTED: &str = "pass tls any any -> any any (sid:1;)\npass http any any -> any any (sid:2;)\n";

fn properties(capacity: u32) -> Value {
    json!({"RuleGroupName": "egress-grants-demo", "Capacity": capacity.to_string()})
}

async fn create(stack: &Stack, capacity: u32) -> Value {
    stack.send(stack.event("Create", GROUP, properties(capacity))).await
}

async fn update(stack: &Stack, id: &str, from: Value, to: Value) -> Value {
    stack.send(stack.update(GROUP, &json!(id), from, to)).await
}

async fn delete(stack: &Stack, id: &str) -> Value {
    stack.send(stack.deletion(GROUP, &json!(id), properties(100))).await
}

fn grant(stack: &Stack, name: &str) {
    stack.aws.firewall.change(name, |group| group.content["RulesSource"]["RulesString"] = json!(GRANTED));
}

#[tokio::test]
async fn a_group_is_made_in_which_nothing_is_granted() {
    let stack = Stack::new().await;

    let answer = create(&stack, 100).await;

    let arn = NetworkFirewall::arn(SMALL);
    assert_eq!((&answer["Status"], &answer["PhysicalResourceId"]), (&json!("SUCCESS"), &json!(arn)));
    assert_eq!(answer["Data"], json!({"RuleGroupArn": arn, "RuleGroupName": SMALL, "Capacity": "100"}));
    let group = stack.aws.firewall.group(SMALL).unwrap();
    assert_eq!(group.capacity, 100);
    assert_eq!(group.content["StatefulRuleOptions"]["RuleOrder"], "STRICT_ORDER");
    assert_eq!(group.rules(), egress::rules::no_grants());
    assert_eq!(group.tags["studio-egress:stack"], STACK);
}

#[tokio::test]
async fn a_second_delivery_makes_no_second_group_and_is_answered_alike() {
    let stack = Stack::new().await;
    let event = stack.event("Create", GROUP, properties(100));
    let first = stack.send(event.clone()).await;
    grant(&stack, SMALL);
    let mut again = event;
    again["ResponseURL"] = stack.event("Create", GROUP, json!({}))["ResponseURL"].clone();

    assert_eq!(stack.send(again).await, first);

    assert_eq!(stack.aws.firewall.calls("CreateRuleGroup"), 1);
    assert_eq!(stack.aws.firewall.group(SMALL).unwrap().rules(), GRANTED);
}

#[tokio::test]
async fn somebody_elses_group_is_neither_taken_nor_deleted() {
    let stack = Stack::new().await;
    create(&stack, 100).await;
    stack
        .aws
        .firewall
        .change(SMALL, |group| _ = group.tags.insert("studio-egress:stack".into(), "another".into()));

    let answer = create(&stack, 100).await;
    assert_eq!(answer["Status"], "FAILED");
    assert!(answer["Reason"].as_str().unwrap().contains(SMALL), "{answer}");

    let id = answer["PhysicalResourceId"].as_str().unwrap();
    assert_eq!(delete(&stack, id).await["Status"], "SUCCESS");
    assert!(stack.aws.firewall.group(SMALL).is_some());
}

#[tokio::test]
async fn what_a_failed_create_made_is_found_by_its_delete() {
    let stack = Stack::new().await;
    create(&stack, 100).await;
    // The answer was lost: CloudFormation has no id of ours.
    assert_eq!(delete(&stack, "custom-unknown").await["Status"], "SUCCESS");
    assert!(stack.aws.firewall.group(SMALL).is_none());
}

#[tokio::test]
async fn a_larger_capacity_is_a_new_group_that_takes_the_grants_over() {
    let stack = Stack::new().await;
    create(&stack, 100).await;
    grant(&stack, SMALL);

    let old = NetworkFirewall::arn(SMALL);
    let answer = update(&stack, &old, properties(100), properties(200)).await;

    assert_eq!(answer["PhysicalResourceId"], NetworkFirewall::arn(LARGE));
    let Group { capacity, content, .. } = stack.aws.firewall.group(LARGE).unwrap();
    assert_eq!((capacity, &content), (200, &stack.aws.firewall.group(SMALL).unwrap().content));
    assert_eq!(delete(&stack, &old).await["Status"], "SUCCESS");
    assert!(stack.aws.firewall.group(SMALL).is_none() && stack.aws.firewall.group(LARGE).is_some());
}

#[tokio::test]
async fn an_update_that_is_rolled_back_finds_the_old_group_as_it_was() {
    let stack = Stack::new().await;
    create(&stack, 100).await;
    let (small, large) = (NetworkFirewall::arn(SMALL), NetworkFirewall::arn(LARGE));
    update(&stack, &small, properties(100), properties(200)).await;
    grant(&stack, SMALL);

    let answer = update(&stack, &large, properties(200), properties(100)).await;

    assert_eq!(answer["PhysicalResourceId"], small);
    assert_eq!(delete(&stack, &large).await["Status"], "SUCCESS");
    assert_eq!(stack.aws.firewall.group(SMALL).unwrap().rules(), GRANTED);
}

#[tokio::test]
async fn a_group_that_was_left_over_gets_the_rules_of_the_one_whose_place_it_takes() {
    let stack = Stack::new().await;
    create(&stack, 100).await;
    grant(&stack, SMALL);
    let (small, large) = (NetworkFirewall::arn(SMALL), NetworkFirewall::arn(LARGE));
    // The clean-up after the resize has failed, and then the grants have ended.
    update(&stack, &small, properties(100), properties(200)).await;
    stack.aws.firewall.change(LARGE, |group| {
        group.content["RulesSource"]["RulesString"] = json!(egress::rules::no_grants());
    });

    let mut back = properties(100);
    back["Description"] = json!("Ours");
    let answer = update(&stack, &large, properties(200), back).await;

    assert_eq!((&answer["Status"], &answer["PhysicalResourceId"]), (&json!("SUCCESS"), &json!(small)));
    let group = stack.aws.firewall.group(SMALL).unwrap();
    assert_eq!(group.rules(), egress::rules::no_grants());
    assert_eq!(group.description.as_deref(), Some("Ours"));
    assert_eq!(stack.aws.firewall.calls("UpdateRuleGroup"), 1);
}

#[tokio::test]
async fn a_group_that_was_left_over_and_is_too_small_is_not_taken() {
    let stack = Stack::new().await;
    create(&stack, 1).await;
    let (tiny, large) = (NetworkFirewall::arn("egress-grants-demo-c1"), NetworkFirewall::arn(LARGE));
    update(&stack, &tiny, properties(1), properties(200)).await;
    grant(&stack, LARGE);

    let answer = update(&stack, &large, properties(200), properties(1)).await;

    assert_eq!(answer["Status"], "FAILED");
    assert!(answer["Reason"].as_str().unwrap().contains("what is granted now takes 2"), "{answer}");
}

#[tokio::test]
async fn a_capacity_that_is_too_small_for_what_is_granted_changes_nothing() {
    let stack = Stack::new().await;
    create(&stack, 100).await;
    grant(&stack, SMALL);

    let small = NetworkFirewall::arn(SMALL);
    let answer = update(&stack, &small, properties(100), properties(1)).await;

    assert_eq!((&answer["Status"], &answer["PhysicalResourceId"]), (&json!("FAILED"), &json!(small)));
    insta::assert_snapshot!(answer["Reason"].as_str().unwrap(), @"the property Capacity is 1, and what is granted now takes 2 of arn:aws:network-firewall:eu-west-1:123456789012:stateful-rulegroup/egress-grants-demo-c100: give it more, or end grants first");
    assert_eq!(stack.aws.firewall.state.lock().unwrap().groups.len(), 1);
}

#[tokio::test]
async fn tags_and_description_change_in_place_and_the_rules_stay() {
    let stack = Stack::new().await;
    let mut from = properties(100);
    from["Tags"] = json!([{"Key": "team", "Value": "data"}, {"Key": "cost", "Value": "7"}]);
    stack.send(stack.event("Create", GROUP, from.clone())).await;
    grant(&stack, SMALL);
    let mut to = properties(100);
    to["Tags"] = json!([{"Key": "team", "Value": "science"}]);
    to["Description"] = json!("Ours");

    let answer = update(&stack, &NetworkFirewall::arn(SMALL), from, to).await;

    assert_eq!(answer["PhysicalResourceId"], NetworkFirewall::arn(SMALL));
    let group = stack.aws.firewall.group(SMALL).unwrap();
    assert_eq!(group.description.as_deref(), Some("Ours"));
    assert_eq!(group.tags["team"], "science");
    assert!(!group.tags.contains_key("cost") && group.tags.contains_key("studio-egress:stack"));
    assert_eq!(group.rules(), GRANTED);
}

#[tokio::test]
async fn a_delete_waits_until_nobody_refers_to_the_group() {
    let stack = Stack::new().await;
    create(&stack, 100).await;
    stack.aws.firewall.change(SMALL, |group| group.in_use = 3);
    assert_eq!(delete(&stack, &NetworkFirewall::arn(SMALL)).await["Status"], "SUCCESS");
    assert_eq!(stack.aws.firewall.calls("DeleteRuleGroup"), 4);
}

#[tokio::test]
async fn a_delete_says_what_holds_the_group_when_time_is_up() {
    let stack = Stack::new().await;
    create(&stack, 100).await;
    stack.aws.firewall.change(SMALL, |group| group.in_use = u32::MAX);
    let mut properties = properties(100);
    properties["ServiceTimeout"] = json!("4");

    let arn = json!(NetworkFirewall::arn(SMALL));
    let answer = stack.send(stack.deletion(GROUP, &arn, properties)).await;

    assert_eq!(answer["Status"], "FAILED");
    assert!(answer["Reason"].as_str().unwrap().contains("a firewall policy still refers to"), "{answer}");
}

#[tokio::test]
async fn a_group_that_is_gone_is_deleted() {
    let stack = Stack::new().await;
    assert_eq!(delete(&stack, &NetworkFirewall::arn(SMALL)).await["Status"], "SUCCESS");
    assert_eq!(stack.aws.firewall.calls("DeleteRuleGroup"), 0);
}

#[tokio::test]
async fn calls_that_are_throttled_are_made_again() {
    let stack = Stack::new().await;
    for (operation, status, code) in [
        ("DescribeRuleGroup", 400, "ThrottlingException"),
        ("CreateRuleGroup", 500, "InternalServerError"),
        ("CreateRuleGroup", 400, "ThrottlingException"),
        ("DescribeRuleGroup", 400, "ThrottlingException"),
    ] {
        stack.aws.firewall.refuse(operation, status, code, "later");
    }
    assert_eq!(create(&stack, 100).await["Status"], "SUCCESS");
    assert_eq!(stack.aws.firewall.calls("CreateRuleGroup"), 3);
}

#[tokio::test]
async fn a_refusal_that_lasts_is_told_in_the_services_words() {
    let stack = Stack::new().await;
    stack.aws.firewall.refuse("CreateRuleGroup", 400, "LimitExceededException", "too many rule groups");
    let answer = create(&stack, 100).await;
    assert_eq!(
        answer["Reason"],
        "CreateRuleGroup was refused with LimitExceededException: too many rule groups"
    );
}
