//! Each story of a resource, told once for each of its calls, of which that one meets trouble: refused since
//! there are too many, carried out without an answer, or the program killed in the middle of it and the
//! event delivered again. Each time it must end as without.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::aws::Trouble;
use crate::network_firewall::NetworkFirewall;
use crate::stack::Stack;

const MINUTE: Duration = Duration::from_mins(1);
/// So many are told at a time: most of their time is pauses.
const AT_A_TIME: usize = 16;

const GROUP: &str = "Custom::GrantRuleGroup";
const STORAGE: &str = "Custom::StudioStorage";
const USERS: &str = "Custom::StudioUsers";
const ENDPOINTS: &str = "Custom::FirewallEndpoints";
const CONFIG: &str = "Custom::EgressConfig";

/// A story: what there is before, and the event that is then told with trouble.
#[derive(Debug, Clone, Copy)]
enum Story {
    EndpointsCreated,
    GroupCreated,
    GroupResized,
    GroupChanged,
    GroupDeleted,
    UsersCreated,
    UsersChanged,
    UsersDeleted,
    StorageDeleted,
    ConfigCreated,
}

fn group(capacity: u32) -> Value {
    json!({"RuleGroupName": "egress-grants-demo", "Capacity": capacity.to_string()})
}

fn users(users: &[&str]) -> Value {
    let role = "arn:aws:iam::123456789012:role/notebooks";
    json!({"DomainId": "d-1", "VpcId": "vpc-0a1b", "UserProfileNames": users, "ExecutionRole": role})
}

impl Story {
    /// Tells the beginning; the event that comes next.
    async fn begin(self, stack: &Stack) -> Value {
        let small = json!(NetworkFirewall::arn("egress-grants-demo-c100"));
        match self {
            Self::EndpointsCreated => {
                let attachment = json!({"SubnetId": "subnet-1", "EndpointId": "vpce-1", "Status": "READY"});
                stack.aws.firewall.state.lock().unwrap().firewalls = [json!({
                    "Firewall": {"FirewallName": "demo", "FirewallPolicyArn": "arn:policy", "VpcId": "vpc-1", "FirewallId": "1", "SubnetMappings": [{"SubnetId": "subnet-1"}]},
                    "FirewallStatus": {"Status": "READY", "ConfigurationSyncStateSummary": "IN_SYNC", "SyncStates": {"eu-west-1a": {"Attachment": attachment}}},
                })].into();
                let arn = "arn:aws:network-firewall:eu-west-1:123456789012:firewall/demo";
                stack.event("Create", ENDPOINTS, json!({"FirewallArn": arn, "SubnetIds": ["subnet-1"]}))
            }
            Self::GroupCreated => stack.event("Create", GROUP, group(100)),
            Self::GroupResized | Self::GroupChanged | Self::GroupDeleted => {
                stack.send(stack.event("Create", GROUP, group(100))).await;
                let rules = "pass tls any any -> any any (sid:1;)\n";
                stack.aws.firewall.change("egress-grants-demo-c100", |group| {
                    group.content["RulesSource"]["RulesString"] = json!(rules);
                });
                let mut changed = group(100);
                changed["Description"] = json!("Ours");
                changed["Tags"] = json!([{"Key": "team", "Value": "data"}]);
                changed["RuleVariables"] = json!({"IPSets": {"HOME_NET": {"Definition": ["10.2.0.0/16"]}}});
                match self {
                    Self::GroupResized => stack.update(GROUP, &small, group(100), group(200)),
                    Self::GroupChanged => stack.update(GROUP, &small, group(100), changed),
                    _ => stack.deletion(GROUP, &small, group(100)),
                }
            }
            Self::UsersCreated => stack.event("Create", USERS, users(&["alice", "bob"])),
            Self::UsersChanged | Self::UsersDeleted => {
                stack.send(stack.event("Create", USERS, users(&["alice", "bob"]))).await;
                stack.aws.studio.state.lock().unwrap().people.add_space("d-1", "bobs", Some("bob"));
                let mut changed = users(&["alice", "carol"]);
                changed["Tags"] = json!([{"Key": "team", "Value": "data"}]);
                let id = json!("studio-users-d-1");
                match self {
                    Self::UsersChanged => stack.update(USERS, &id, users(&["alice", "bob"]), changed),
                    _ => stack.deletion(USERS, &id, users(&["alice", "bob"])),
                }
            }
            Self::StorageDeleted => {
                stack.aws.studio.leave_behind("d-1", "vpc-0a1b");
                let properties = json!({"VpcId": "vpc-0a1b", "HomeDirectories": "Delete"});
                stack.deletion(STORAGE, &json!("studio-storage-vpc-0a1b"), properties)
            }
            Self::ConfigCreated => stack.event("Create", CONFIG, crate::egress_config::properties(stack)),
        }
    }

    /// What there is after it, as far as it matters.
    fn end(stack: &Stack) -> Value {
        let groups = stack.aws.firewall.state.lock().unwrap().groups.clone();
        let groups: Vec<_> = groups
            .iter()
            .map(|(arn, group)| json!([arn, group.capacity, group.content, group.tags, group.description]))
            .collect();
        let state = stack.aws.studio.state.lock().unwrap();
        let profiles = state.people.profiles.iter();
        let profiles: Vec<_> =
            profiles.map(|(key, is)| json!([key, is.settings, is.tags, is.status])).collect();
        let security = state.groups.iter().map(|(id, group)| json!([id, group.tags, group.rules]));
        let security: Vec<_> = security.collect();
        drop(state);
        json!([groups, profiles, security, stack.aws.studio.left()])
    }

    async fn with(self, trouble: Trouble) {
        let without = Stack::new().await;
        let event = self.begin(&without).await;
        without.aws.edge.lock().unwrap().calls.clear();
        let (expected, answered) = {
            let answer = without.send(event).await;
            assert_eq!(answer["Status"], "SUCCESS", "{answer}");
            (Self::end(&without), answer)
        };
        let calls = without.aws.edge.lock().unwrap().calls.len();
        let (at_a_time, mut told) = (Arc::new(Semaphore::new(AT_A_TIME)), JoinSet::new());
        for call in 0..calls {
            let (at_a_time, expected, answered) =
                (Arc::clone(&at_a_time), expected.clone(), answered.clone());
            told.spawn(async move {
                let _turn = at_a_time.acquire().await.unwrap();
                let (end, answer) = self.told(call, trouble).await;
                assert_eq!(answer, answered, "{trouble:?} at call {call} of {calls}");
                assert_eq!(end, expected, "{trouble:?} at call {call} of {calls}");
            });
        }
        told.join_all().await;
    }

    async fn told(self, call: usize, trouble: Trouble) -> (Value, Value) {
        let stack = Stack::new().await;
        let event = self.begin(&stack).await;
        {
            let mut edge = stack.aws.edge.lock().unwrap();
            edge.calls.clear();
            edge.trouble = Some((call, trouble));
        }
        if trouble == Trouble::Killed {
            assert_eq!(stack.invoke(event.clone(), MINUTE).await, Err("it was killed".to_owned()));
        }
        let answer = stack.send(event).await;
        (Self::end(&stack), answer)
    }
}

/// The three cases of each story.
macro_rules! troubles {
    ($($story:ident: $throttled:ident, $lost:ident, $killed:ident;)*) => {$(
        #[tokio::test]
        async fn $throttled() {
            Story::$story.with(Trouble::Throttled).await;
        }

        #[tokio::test]
        async fn $lost() {
            Story::$story.with(Trouble::Lost).await;
        }

        #[tokio::test]
        async fn $killed() {
            Story::$story.with(Trouble::Killed).await;
        }
    )*};
}

troubles! {
    EndpointsCreated: endpoints_created_though_throttled, endpoints_created_though_answers_are_lost, endpoints_created_though_killed;
    GroupCreated: a_group_created_though_throttled, a_group_created_though_answers_are_lost, a_group_created_though_killed;
    GroupResized: a_group_resized_though_throttled, a_group_resized_though_answers_are_lost, a_group_resized_though_killed;
    GroupChanged: a_group_changed_though_throttled, a_group_changed_though_answers_are_lost, a_group_changed_though_killed;
    GroupDeleted: a_group_deleted_though_throttled, a_group_deleted_though_answers_are_lost, a_group_deleted_though_killed;
    UsersCreated: users_created_though_throttled, users_created_though_answers_are_lost, users_created_though_killed;
    UsersChanged: users_changed_though_throttled, users_changed_though_answers_are_lost, users_changed_though_killed;
    UsersDeleted: users_deleted_though_throttled, users_deleted_though_answers_are_lost, users_deleted_though_killed;
    StorageDeleted: storage_deleted_though_throttled, storage_deleted_though_answers_are_lost, storage_deleted_though_killed;
    ConfigCreated: a_configuration_validated_though_throttled, a_configuration_validated_though_answers_are_lost, a_configuration_validated_though_killed;
}
