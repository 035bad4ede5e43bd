//! EFS: the home directories of domains.

use serde_json::json;

use super::{Answer, Going, Group, MANAGED, State, Studio, tick};

#[derive(Clone)]
pub(crate) struct FileSystem {
    pub(crate) managed_by: Option<String>,
    going: Going,
}

#[derive(Clone)]
pub(crate) struct MountTarget {
    file_system: String,
    vpc: String,
    pub(super) interface: String,
    pub(super) going: Going,
}

impl Studio {
    /// What a deleted domain has left behind in a VPC.
    pub(crate) fn leave_behind(&self, domain: &str, vpc: &str) {
        let arn = format!("arn:aws:sagemaker:eu-west-1:123456789012:domain/{domain}");
        let name = |kind: &str| format!("{kind}-{domain}");
        let (inbound, outbound) = (name("sg-in"), name("sg-out"));
        let mut state = self.state.lock().unwrap();
        for (id, other, egress) in [(&inbound, &outbound, false), (&outbound, &inbound, true)] {
            let rule = |rule: u32| (format!("sgr-{rule}-{id}"), (egress, other.clone()));
            let group = Group {
                vpc: vpc.to_owned(),
                name: id.clone(),
                tags: [(MANAGED.to_owned(), arn.clone())].into(),
                rules: [rule(1), rule(2)].into(),
            };
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
}

impl State {
    pub(super) fn describe_file_systems(&mut self) -> String {
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
    pub(super) fn describe_mount_targets(&mut self, file_system: &str) -> String {
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

    pub(super) fn delete_file_system(&mut self, id: &str) -> Answer {
        if self.mount_targets.values().any(|target| target.file_system == id) {
            return Err((409, "FileSystemInUse"));
        }
        self.file_systems.get_mut(id).ok_or((404, "FileSystemNotFound"))?.going.get_or_insert(2);
        Ok(String::new())
    }
}

fn state(going: Going) -> &'static str {
    if going.is_some() { "deleting" } else { "available" }
}
