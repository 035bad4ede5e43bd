//! Network Firewall in memory, spoken to over HTTP as the SDK does: rule groups, and firewalls whose
//! descriptions are given one after the other.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::http::{Received, Reply};

const ARN: &str = "arn:aws:network-firewall:eu-west-1:123456789012:stateful-rulegroup/";

/// The service.
#[derive(Clone, Default)]
pub(crate) struct NetworkFirewall {
    pub(crate) state: Arc<Mutex<State>>,
}

#[derive(Default)]
pub(crate) struct State {
    /// By ARN.
    pub(crate) groups: BTreeMap<String, Group>,
    /// What `DescribeFirewall` answers, one after the other; the last again and again.
    pub(crate) firewalls: VecDeque<Value>,
    /// What the next call of an operation is refused with: its status, code and message.
    pub(crate) refusals: VecDeque<(&'static str, u16, &'static str, &'static str)>,
    /// Every operation that was called.
    pub(crate) calls: Vec<String>,
    /// The time, which goes on by a second with every change of a group.
    clock: u64,
}

#[derive(Clone, Default)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) capacity: u64,
    pub(crate) description: Option<String>,
    pub(crate) content: Value,
    pub(crate) tags: BTreeMap<String, String>,
    /// When its content was last changed.
    pub(crate) changed_at: u64,
    /// How many more tries of a deletion are refused.
    pub(crate) in_use: u32,
}

type Answer = Result<Value, (u16, &'static str, String)>;

impl NetworkFirewall {
    pub(crate) fn answer(&self, received: &Received) -> Reply {
        self.state.lock().unwrap().answer(received)
    }

    /// The ARN that a group of this name has.
    pub(crate) fn arn(name: &str) -> String {
        format!("{ARN}{name}")
    }

    pub(crate) fn group(&self, name: &str) -> Option<Group> {
        self.state.lock().unwrap().groups.get(&Self::arn(name)).cloned()
    }

    pub(crate) fn change(&self, name: &str, change: impl FnOnce(&mut Group)) {
        let mut state = self.state.lock().unwrap();
        let now = state.tick();
        let group = state.groups.get_mut(&Self::arn(name)).unwrap();
        group.changed_at = now;
        change(group);
    }

    pub(crate) fn refuse(
        &self,
        operation: &'static str,
        status: u16,
        code: &'static str,
        message: &'static str,
    ) {
        self.state.lock().unwrap().refusals.push_back((operation, status, code, message));
    }

    /// How often an operation was called.
    pub(crate) fn calls(&self, operation: &str) -> usize {
        self.state.lock().unwrap().calls.iter().filter(|call| *call == operation).count()
    }
}

impl State {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    fn answer(&mut self, received: &Received) -> Reply {
        let target = received.header("x-amz-target").unwrap();
        let operation = target.strip_prefix("NetworkFirewall_20201112.").unwrap();
        self.calls.push(operation.to_owned());
        match self.carry_out(operation, &serde_json::from_slice(&received.body).unwrap()) {
            Ok(body) => Reply::Status(200, body.to_string()),
            Err((status, code, message)) => {
                Reply::Status(status, json!({"__type": code, "Message": message}).to_string())
            }
        }
    }

    fn carry_out(&mut self, operation: &str, input: &Value) -> Answer {
        if self.refusals.front().is_some_and(|refusal| refusal.0 == operation) {
            let (_, status, code, message) = self.refusals.pop_front().unwrap();
            return Err((status, code, message.to_owned()));
        }
        let now = self.tick();
        match operation {
            "DescribeFirewall" if self.firewalls.len() > 1 => Ok(self.firewalls.pop_front().unwrap()),
            "DescribeFirewall" => Ok(self.firewalls[0].clone()),
            "CreateRuleGroup" => self.create(input),
            "DescribeRuleGroup" => self.existing(input).map(|(arn, group)| group.describe(arn)),
            "UpdateRuleGroup" => self.existing(input).map(|(arn, group)| {
                group.content = input["RuleGroup"].clone();
                group.description = input["Description"].as_str().map(ToOwned::to_owned);
                group.changed_at = now;
                group.describe(arn)
            }),
            "TagResource" => self.existing(input).map(|(_, group)| {
                group.tags.extend(read_tags(&input["Tags"]));
                json!({})
            }),
            "UntagResource" => self.existing(input).map(|(_, group)| {
                group.tags.retain(|key, _| !input["TagKeys"].as_array().unwrap().contains(&json!(key)));
                json!({})
            }),
            "DeleteRuleGroup" => self.delete(input),
            other => panic!("{other} is not known here"),
        }
    }

    fn create(&mut self, input: &Value) -> Answer {
        let name = input["RuleGroupName"].as_str().unwrap().to_owned();
        let arn = NetworkFirewall::arn(&name);
        if self.groups.contains_key(&arn) {
            let message = "A resource with the specified name already exists".to_owned();
            return Err((400, "InvalidRequestException", message));
        }
        assert_eq!(input["Type"], "STATEFUL");
        let group = Group {
            name,
            capacity: input["Capacity"].as_u64().unwrap(),
            description: input["Description"].as_str().map(ToOwned::to_owned),
            content: input["RuleGroup"].clone(),
            tags: read_tags(&input["Tags"]),
            changed_at: self.tick(),
            in_use: 0,
        };
        let answer = group.describe(&arn);
        self.groups.insert(arn, group);
        Ok(answer)
    }

    fn delete(&mut self, input: &Value) -> Answer {
        let (arn, group) = self.existing(input)?;
        if group.in_use > 0 {
            group.in_use -= 1;
            return Err((
                400,
                "InvalidOperationException",
                "Unable to delete, the object is in use".to_owned(),
            ));
        }
        let (arn, answer) = (arn.clone(), group.describe(arn));
        self.groups.remove(&arn);
        Ok(answer)
    }

    fn existing(&mut self, input: &Value) -> Result<(&String, &mut Group), (u16, &'static str, String)> {
        let arn = input["RuleGroupArn"].as_str().or_else(|| input["ResourceArn"].as_str());
        let arn = arn.map_or_else(
            || NetworkFirewall::arn(input["RuleGroupName"].as_str().unwrap()),
            ToOwned::to_owned,
        );
        let found = self.groups.iter_mut().find(|(known, _)| **known == arn);
        found.ok_or_else(|| (400, "ResourceNotFoundException", format!("no {arn}")))
    }
}

impl Group {
    pub(crate) fn rules(&self) -> &str {
        self.content["RulesSource"]["RulesString"].as_str().unwrap()
    }

    fn describe(&self, arn: &str) -> Value {
        let tags: Vec<_> = self.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
        json!({
            "UpdateToken": "4a8b3c58-0000-4000-8000-000000000001",
            "RuleGroup": self.content,
            "RuleGroupResponse": {
                "RuleGroupArn": arn, "RuleGroupName": self.name, "RuleGroupId": "1", "Type": "STATEFUL",
                "Capacity": self.capacity, "ConsumedCapacity": self.rules().matches("sid:").count(),
                "RuleGroupStatus": "ACTIVE", "Description": self.description, "Tags": tags,
                "LastModifiedTime": self.changed_at,
            },
        })
    }
}

fn read_tags(tags: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    tags.as_array().into_iter().flatten().map(|tag| (text(&tag["Key"]), text(&tag["Value"]))).collect()
}
