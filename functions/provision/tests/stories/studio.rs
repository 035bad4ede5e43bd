//! What a Studio domain leaves behind, in memory: SageMaker's word for whether the domain lives, EFS, and
//! as much of EC2 as holds the rest. Each is spoken to over HTTP as the function does it, and refuses
//! what AWS refuses: a file system with mount targets, a group that is used or referred to.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::http::{Received, Reply};

const MANAGED: &str = "ManagedByAmazonSageMakerResource";

/// The services.
#[derive(Clone, Default)]
pub(crate) struct Studio {
    pub(crate) state: Arc<Mutex<State>>,
}

#[derive(Default)]
pub(crate) struct State {
    /// Status by id.
    pub(crate) domains: BTreeMap<String, &'static str>,
    pub(crate) file_systems: BTreeMap<String, FileSystem>,
    pub(crate) mount_targets: BTreeMap<String, MountTarget>,
    /// The groups by interface.
    pub(crate) interfaces: BTreeMap<String, Vec<String>>,
    pub(crate) groups: BTreeMap<String, Group>,
    /// What the next call of an operation is refused with: its status and code.
    pub(crate) refusals: VecDeque<(&'static str, u16, &'static str)>,
    /// Every operation that was called.
    pub(crate) calls: Vec<String>,
}

#[derive(Clone)]
pub(crate) struct FileSystem {
    pub(crate) managed_by: Option<String>,
    going: Going,
}

#[derive(Clone)]
pub(crate) struct MountTarget {
    file_system: String,
    vpc: String,
    interface: String,
    going: Going,
}

#[derive(Clone)]
pub(crate) struct Group {
    vpc: String,
    managed_by: String,
    /// For each rule, whether it is for egress, and the group that it refers to.
    rules: BTreeMap<String, (bool, String)>,
}

/// How many more looks something is seen for that is being deleted.
type Going = Option<u32>;

type Answer = Result<String, (u16, &'static str)>;

impl Studio {
    /// What a deleted domain has left behind in a VPC.
    pub(crate) fn leave_behind(&self, domain: &str, vpc: &str) {
        let arn = format!("arn:aws:sagemaker:eu-west-1:123456789012:domain/{domain}");
        let name = |kind: &str| format!("{kind}-{domain}");
        let (inbound, outbound) = (name("sg-in"), name("sg-out"));
        let mut state = self.state.lock().unwrap();
        for (id, other, egress) in [(&inbound, &outbound, false), (&outbound, &inbound, true)] {
            let rule = |rule: u32| (format!("sgr-{rule}-{id}"), (egress, other.clone()));
            let group =
                Group { vpc: vpc.to_owned(), managed_by: arn.clone(), rules: [rule(1), rule(2)].into() };
            state.groups.insert(id.clone(), group);
        }
        state.file_systems.insert(name("fs"), FileSystem { managed_by: Some(arn), going: None });
        for zone in ["a", "b"] {
            let interface = format!("eni-{zone}-{domain}");
            state.interfaces.insert(interface.clone(), vec![inbound.clone()]);
            let target = MountTarget { file_system: name("fs"), vpc: vpc.to_owned(), interface, going: None };
            state.mount_targets.insert(format!("fsmt-{zone}-{domain}"), target);
        }
    }

    /// The ids of all that is there.
    pub(crate) fn left(&self) -> Vec<String> {
        let state = self.state.lock().unwrap();
        let ids = state.file_systems.keys().chain(state.mount_targets.keys());
        ids.chain(state.interfaces.keys()).chain(state.groups.keys()).cloned().collect()
    }

    pub(crate) fn refuse(&self, operation: &'static str, status: u16, code: &'static str) {
        self.state.lock().unwrap().refusals.push_back((operation, status, code));
    }

    /// The operations that were called and change something, in their order.
    pub(crate) fn changes(&self) -> Vec<String> {
        let state = self.state.lock().unwrap();
        state.calls.iter().filter(|call| !call.starts_with("Describe")).cloned().collect()
    }

    pub(crate) fn answer(&self, received: &Received) -> Reply {
        let mut state = self.state.lock().unwrap();
        let (operation, of) = operation(received);
        state.calls.push(operation.clone());
        let answer = match state.refusals.iter().position(|refusal| refusal.0 == operation) {
            Some(index) => state.refusals.remove(index).map(|(_, status, code)| Err((status, code))).unwrap(),
            None => state.carry_out(&operation, &of),
        };
        match answer {
            Ok(body) => Reply::Status(200, body),
            Err((status, code)) if received.line.contains("/2015-02-01/") => {
                Reply::Status(status, json!({"__type": code, "ErrorCode": code, "Message": "no"}).to_string())
            }
            Err((status, code)) if received.header("x-amz-target").is_some() => {
                Reply::Status(status, json!({"__type": code, "Message": "no"}).to_string())
            }
            Err((status, code)) => Reply::Status(
                status,
                format!(
                    "<Response><Errors><Error><Code>{code}</Code><Message>no</Message></Error></Errors></Response>"
                ),
            ),
        }
    }
}

/// What is asked for, and its parameters by name.
fn operation(received: &Received) -> (String, BTreeMap<String, String>) {
    assert!(received.header("authorization").unwrap().starts_with("AWS4-HMAC-SHA256 "));
    let pairs = |text: &[u8]| form_urlencoded::parse(text).into_owned().collect::<BTreeMap<_, _>>();
    if let Some(target) = received.header("x-amz-target") {
        let input: Value = serde_json::from_slice(&received.body).unwrap();
        let id = input["DomainId"].as_str().unwrap().to_owned();
        return (target.strip_prefix("SageMaker.").unwrap().to_owned(), [("Id".to_owned(), id)].into());
    }
    let Some((method, path)) = received.line.split_once(" /2015-02-01/") else {
        let form = pairs(&received.body);
        return (form["Action"].clone(), form);
    };
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let (kind, id) = path.split_once('/').unwrap_or((path, ""));
    let kind = match kind {
        "file-systems" => "FileSystem",
        "mount-targets" => "MountTarget",
        other => panic!("{other}"),
    };
    let mut parameters = pairs(query.as_bytes());
    parameters.insert("Id".to_owned(), id.to_owned());
    match method {
        "GET" => (format!("Describe{kind}s"), parameters),
        "DELETE" => (format!("Delete{kind}"), parameters),
        other => panic!("{other}"),
    }
}

impl State {
    fn carry_out(&mut self, operation: &str, of: &BTreeMap<String, String>) -> Answer {
        let id = || of.get("Id").or_else(|| of.get("GroupId")).unwrap().clone();
        match operation {
            "DescribeDomain" => match self.domains.get(&id()) {
                Some(status) => Ok(json!({"DomainId": id(), "Status": status}).to_string()),
                None => Err((400, "ResourceNotFound")),
            },
            "DescribeFileSystems" => Ok(self.describe_file_systems()),
            "DescribeMountTargets" => Ok(self.describe_mount_targets(&of["FileSystemId"])),
            "DeleteMountTarget" => {
                self.mount_targets.get_mut(&id()).ok_or((404, "MountTargetNotFound"))?.going.get_or_insert(2);
                Ok(String::new())
            }
            "DeleteFileSystem" => self.delete_file_system(&id()),
            "DescribeSecurityGroups" => Ok(self.describe_groups(&of["Filter.1.Value.1"])),
            "DescribeSecurityGroupRules" => Ok(self.describe_rules(&of["Filter.1.Value.1"])),
            "DescribeNetworkInterfaces" => Ok(self.describe_interfaces(of)),
            "RevokeSecurityGroupIngress" | "RevokeSecurityGroupEgress" => {
                let egress = operation.ends_with("Egress");
                let rules = &mut self.groups.get_mut(&id()).ok_or((400, "InvalidGroup.NotFound"))?.rules;
                for (_, rule) in of.iter().filter(|(name, _)| name.starts_with("SecurityGroupRuleId.")) {
                    assert_eq!(rules.remove(rule).unwrap().0, egress);
                }
                Ok("<R/>".to_owned())
            }
            "DeleteSecurityGroup" => self.delete_group(&id()),
            other => panic!("{other} is not expected"),
        }
    }

    fn describe_file_systems(&mut self) -> String {
        tick(&mut self.file_systems, |files| &mut files.going);
        let describe = |(id, files): (&String, &FileSystem)| {
            let targets = self.mount_targets.values().filter(|target| target.file_system == *id).count();
            let tags: Vec<_> =
                files.managed_by.iter().map(|arn| json!({"Key": MANAGED, "Value": arn})).collect();
            json!({
                "FileSystemId": id, "OwnerId": "123456789012", "CreationToken": id, "CreationTime": 1,
                "LifeCycleState": state(files.going), "NumberOfMountTargets": targets, "PerformanceMode": "generalPurpose",
                "SizeInBytes": {"Value": 1}, "Tags": tags, "KmsKeyId": "arn:key",
            })
        };
        json!({"FileSystems": self.file_systems.iter().map(describe).collect::<Vec<_>>()}).to_string()
    }

    /// What is gone from the list leaves its interface for one look more.
    fn describe_mount_targets(&mut self, file_system: &str) -> String {
        tick(&mut self.mount_targets, |target| &mut target.going);
        let targets = self.mount_targets.iter().filter(|(_, target)| target.file_system == file_system);
        let describe = |(id, target): (&String, &MountTarget)| {
            json!({
                "MountTargetId": id, "FileSystemId": file_system, "SubnetId": "subnet-1", "VpcId": target.vpc,
                "LifeCycleState": state(target.going), "NetworkInterfaceId": target.interface,
            })
        };
        json!({"MountTargets": targets.map(describe).collect::<Vec<_>>()}).to_string()
    }

    fn delete_file_system(&mut self, id: &str) -> Answer {
        if self.mount_targets.values().any(|target| target.file_system == id) {
            return Err((409, "FileSystemInUse"));
        }
        self.file_systems.get_mut(id).ok_or((404, "FileSystemNotFound"))?.going.get_or_insert(2);
        Ok(String::new())
    }

    fn describe_groups(&self, vpc: &str) -> String {
        let mut xml = String::new();
        for (id, group) in self.groups.iter().filter(|(_, group)| group.vpc == vpc) {
            let rules = |egress| {
                group.rules.values().filter(|rule| rule.0 == egress).map(|_| "<item/>").collect::<String>()
            };
            let (ingress, egress, arn) = (rules(false), rules(true), &group.managed_by);
            write!(
                xml,
                "<item><groupId>{id}</groupId><ipPermissions>{ingress}</ipPermissions><ipPermissionsEgress>{egress}</ipPermissionsEgress>\
                 <tagSet><item><key>{MANAGED}</key><value>{arn}</value></item></tagSet></item>"
            )
            .unwrap();
        }
        format!("<R><securityGroupInfo>{xml}</securityGroupInfo></R>")
    }

    fn describe_rules(&self, group: &str) -> String {
        let rules = self.groups.get(group).into_iter().flat_map(|group| &group.rules);
        let item = |(id, (egress, _)): (&String, &(bool, String))| {
            format!(
                "<item><securityGroupRuleId>{id}</securityGroupRuleId><isEgress>{egress}</isEgress></item>"
            )
        };
        format!("<R><securityGroupRuleSet>{}</securityGroupRuleSet></R>", rules.map(item).collect::<String>())
    }

    fn describe_interfaces(&mut self, of: &BTreeMap<String, String>) -> String {
        assert_eq!(of["Filter.1.Name"], "group-id");
        let asked: Vec<_> =
            of.iter().filter(|(name, _)| name.starts_with("Filter.1.Value")).map(|(_, id)| id).collect();
        let using =
            self.interfaces.iter().filter(|(_, groups)| groups.iter().any(|group| asked.contains(&group)));
        let item = |(id, _): (&String, &Vec<String>)| {
            format!(
                "<item><networkInterfaceId>{id}</networkInterfaceId><description>EFS mount target</description></item>"
            )
        };
        let xml: String = using.map(item).collect();
        // An interface outlives its mount target by a look.
        let mounted: Vec<_> = self.mount_targets.values().map(|target| target.interface.clone()).collect();
        self.interfaces.retain(|id, _| mounted.contains(id) || !id.starts_with("eni-"));
        format!("<R><networkInterfaceSet>{xml}</networkInterfaceSet></R>")
    }

    fn delete_group(&mut self, id: &str) -> Answer {
        let used = self.interfaces.values().flatten().any(|group| group == id);
        let others = self.groups.iter().filter(|(other, _)| *other != id);
        let named = others.flat_map(|(_, group)| group.rules.values()).any(|(_, to)| to == id);
        if used || named {
            return Err((400, "DependencyViolation"));
        }
        self.groups.remove(id).map(|_| "<R/>".to_owned()).ok_or((400, "InvalidGroup.NotFound"))
    }
}

/// One look at things of which some are going.
fn tick<T>(things: &mut BTreeMap<String, T>, going: fn(&mut T) -> &mut Going) {
    things.retain(|_, thing| {
        let going = going(thing);
        *going = going.map(|looks| looks.saturating_sub(1));
        *going != Some(0)
    });
}

fn state(going: Going) -> &'static str {
    if going.is_some() { "deleting" } else { "available" }
}
