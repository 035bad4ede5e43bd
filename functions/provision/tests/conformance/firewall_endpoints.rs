//! `Custom::FirewallEndpoints`.

use serde_json::{Value, json};

use crate::stack::Stack;

const ENDPOINTS: &str = "Custom::FirewallEndpoints";

fn properties() -> Value {
    json!({"FirewallArn": "arn:aws:network-firewall:eu-west-1:123456789012:firewall/demo", "SubnetIds": ["subnet-2", "subnet-1"]})
}

fn firewall(status: &str, first: &Value, second: &Value) -> Value {
    json!({
        "Firewall": {
            "FirewallName": "demo", "FirewallPolicyArn": "arn:policy", "VpcId": "vpc-1", "FirewallId": "1",
            "SubnetMappings": [{"SubnetId": "subnet-1"}, {"SubnetId": "subnet-2"}],
        },
        "FirewallStatus": {
            "Status": status,
            "ConfigurationSyncStateSummary": "IN_SYNC",
            "SyncStates": {
                "eu-west-1b": {"Attachment": first},
                "eu-west-1a": {"Attachment": second},
            },
        },
    })
}

fn attachment(subnet: &str, status: &str) -> Value {
    json!({"SubnetId": subnet, "EndpointId": format!("vpce-of-{subnet}"), "Status": status, "StatusMessage": "no free address"})
}

#[tokio::test]
async fn the_endpoints_are_answered_when_all_are_ready() {
    let stack = Stack::new().await;
    let (first, second) = (attachment("subnet-1", "READY"), attachment("subnet-2", "READY"));
    stack.aws.firewall.state.lock().unwrap().firewalls = [
        firewall("PROVISIONING", &json!(null), &json!(null)),
        firewall("PROVISIONING", &first, &attachment("subnet-2", "CREATING")),
        firewall("READY", &first, &second),
    ]
    .into();

    let answer = stack.send(stack.event("Create", ENDPOINTS, properties())).await;

    let expected = json!({
        "Endpoint0": "vpce-of-subnet-2", "AvailabilityZone0": "eu-west-1a", "eu-west-1a": "vpce-of-subnet-2",
        "Endpoint1": "vpce-of-subnet-1", "AvailabilityZone1": "eu-west-1b", "eu-west-1b": "vpce-of-subnet-1",
    });
    assert_eq!(answer["Data"], expected);
    assert_eq!(stack.aws.firewall.calls("DescribeFirewall"), 3);
}

#[tokio::test]
async fn an_endpoint_that_failed_says_why() {
    let stack = Stack::new().await;
    let (first, second) = (attachment("subnet-1", "FAILED"), attachment("subnet-2", "CREATING"));
    stack.aws.firewall.state.lock().unwrap().firewalls = [firewall("PROVISIONING", &first, &second)].into();
    let answer = stack.send(stack.event("Create", ENDPOINTS, properties())).await;
    assert_eq!(answer["Status"], "FAILED");
    assert_eq!(answer["Reason"], "the firewall's endpoint in subnet-1 has failed: no free address");
}

#[tokio::test]
async fn a_firewall_that_never_gets_ready_is_answered_before_the_end() {
    let stack = Stack::new().await;
    stack.aws.firewall.state.lock().unwrap().firewalls =
        [firewall("PROVISIONING", &json!(null), &json!(null))].into();

    let mut properties = properties();
    properties["ServiceTimeout"] = json!("4");

    let answer = stack.send(stack.event("Create", ENDPOINTS, properties)).await;

    assert_eq!(answer["Status"], "FAILED");
    assert!(answer["Reason"].as_str().unwrap().starts_with("time is up: "), "{answer}");
}

#[tokio::test]
async fn a_firewall_that_isnt_there_is_not_waited_for() {
    let stack = Stack::new().await;
    stack.aws.firewall.refuse("DescribeFirewall", 400, "ResourceNotFoundException", "no such firewall");
    let answer = stack.send(stack.event("Create", ENDPOINTS, properties())).await;
    let reason = "DescribeFirewall was refused with ResourceNotFoundException: no such firewall";
    assert_eq!(answer["Reason"], reason);
}

#[tokio::test]
async fn a_delete_asks_nobody() {
    let stack = Stack::new().await;
    let answer = stack.send(stack.event("Delete", ENDPOINTS, json!({}))).await;
    assert_eq!(answer["Status"], "SUCCESS");
    assert!(stack.aws.firewall.state.lock().unwrap().calls.is_empty());
}
