//! What the function calls for a Studio domain, in memory: SageMaker, EFS, and as much of EC2 as is in
//! their way. Each is spoken to over HTTP as the function does it, and refuses what AWS refuses: a file
//! system with mount targets, a security group that is used or referred to, a profile with apps or spaces.

mod ec2;
mod files;
mod people;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::http::{Received, Reply};
pub(crate) use ec2::Group;
pub(crate) use files::FileSystem;
use files::MountTarget;
use people::People;

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
    pub(crate) people: People,
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

/// How many more looks something is seen for that is being deleted.
type Going = Option<u32>;

type Answer = Result<String, (u16, &'static str)>;

/// The input of an operation: JSON, or a form's fields as a map.
type Input = Value;

impl Studio {
    /// The ids of all that is there.
    pub(crate) fn left(&self) -> Vec<String> {
        let state = self.state.lock().unwrap();
        let ids = state.file_systems.keys().chain(state.mount_targets.keys());
        let ids = ids.chain(state.interfaces.keys()).chain(state.groups.keys()).cloned();
        ids.chain(state.people.left()).collect()
    }

    pub(crate) fn refuse(&self, operation: &'static str, status: u16, code: &'static str) {
        self.state.lock().unwrap().refusals.push_back((operation, status, code));
    }

    /// The operations that were called and change something, in their order.
    pub(crate) fn changes(&self) -> Vec<String> {
        let state = self.state.lock().unwrap();
        let reads = |call: &&String| call.starts_with("Describe") || call.starts_with("List");
        state.calls.iter().filter(|call| !reads(call)).cloned().collect()
    }

    pub(crate) fn answer(&self, received: &Received) -> Reply {
        let mut state = self.state.lock().unwrap();
        let (operation, input) = operation(received);
        state.calls.push(operation.clone());
        let answer = match state.refusals.iter().position(|refusal| refusal.0 == operation) {
            Some(index) => state.refusals.remove(index).map(|(_, status, code)| Err((status, code))).unwrap(),
            None => state.carry_out(&operation, &input),
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
fn operation(received: &Received) -> (String, Input) {
    assert!(received.header("authorization").unwrap().starts_with("AWS4-HMAC-SHA256 "));
    let pairs =
        |text: &[u8]| form_urlencoded::parse(text).map(|(name, value)| (name.into(), json!(value))).collect();
    if let Some(target) = received.header("x-amz-target") {
        let input = serde_json::from_slice(&received.body).unwrap();
        return (target.strip_prefix("SageMaker.").unwrap().to_owned(), input);
    }
    let Some((method, path)) = received.line.split_once(" /2015-02-01/") else {
        let form = Value::Object(pairs(&received.body));
        return (form["Action"].as_str().unwrap().to_owned(), form);
    };
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let (kind, id) = path.split_once('/').unwrap_or((path, ""));
    let kind = match kind {
        "file-systems" => "FileSystem",
        "mount-targets" => "MountTarget",
        other => panic!("{other}"),
    };
    let mut parameters: serde_json::Map<_, _> = pairs(query.as_bytes());
    parameters.insert("Id".to_owned(), json!(id));
    match method {
        "GET" => (format!("Describe{kind}s"), parameters.into()),
        "DELETE" => (format!("Delete{kind}"), parameters.into()),
        other => panic!("{other}"),
    }
}

impl State {
    fn carry_out(&mut self, operation: &str, input: &Input) -> Answer {
        let text = |name: &str| input[name].as_str().unwrap_or_default().to_owned();
        match operation {
            "DescribeDomain" => match self.domains.get(&text("DomainId")) {
                Some(status) => Ok(json!({"DomainId": text("DomainId"), "Status": status}).to_string()),
                None => Err((400, "ResourceNotFound")),
            },
            "DescribeFileSystems" => Ok(self.describe_file_systems()),
            "DescribeMountTargets" => Ok(self.describe_mount_targets(&text("FileSystemId"))),
            "DeleteMountTarget" => {
                let target = self.mount_targets.get_mut(&text("Id")).ok_or((404, "MountTargetNotFound"))?;
                target.going.get_or_insert(2);
                Ok(String::new())
            }
            "DeleteFileSystem" => self.delete_file_system(&text("Id")),
            "DescribeNetworkInterfaces" => Ok(self.describe_interfaces(input)),
            _ if operation.contains("SecurityGroup")
                || operation.ends_with("eTags") && input["Action"].is_string() =>
            {
                self.of_groups(operation, input)
            }
            _ => self.of_people(operation, input),
        }
    }
}

/// One look at things of which some are going.
fn tick<Key: Ord, T>(things: &mut BTreeMap<Key, T>, going: fn(&mut T) -> &mut Going) {
    things.retain(|_, thing| {
        let going = going(thing);
        *going = going.map(|looks| looks.saturating_sub(1));
        *going != Some(0)
    });
}
