//! `Custom::StudioStorage`: what a Studio domain leaves behind. A domain makes a file system for home
//! directories, with a mount target in each of its subnets, and two security groups that refer to each
//! other; when it is deleted by CloudFormation all of that stays, and no subnet and no VPC with it can
//! go (aws-cloudformation/cloudformation-coverage-roadmap issue 1085). So this comes before the domain
//! in the stack, and is deleted after it.
//!
//! Properties: `VpcId`; `HomeDirectories`, `Retain` (the default) or `Delete`. The physical id has the
//! VPC in it. A Create and an Update do nothing.
//!
//! A Delete finds what it is about by the tag that SageMaker gives to all of it, which names the domain,
//! and by the VPC. It takes what is of a domain of which SageMaker itself says that there is none: the
//! order of the stack is no proof, since a template may retain its domain and a person may have made
//! another one in the same VPC. A file system that is kept loses its mount targets and nothing else.

mod plan;

use std::collections::BTreeSet;

use aws_sdk_efs::types::{FileSystemDescription, LifeCycleState, MountTargetDescription};
use aws_sdk_networkfirewall::error::ProvideErrorMetadata;
use egress::aws::signed::CallError;

use super::{Clients, Next, Problem, Resource};
use crate::protocol::properties::PropertyError;
use crate::protocol::request::Request;
use plan::{Act, Cleared, Domain, FileSystem, Group, MountTarget, State, Wanted, World, domain_of};

/// With the ARN of the domain, on all that SageMaker makes for one.
const MANAGED_TAG: &str = "ManagedByAmazonSageMakerResource";

/// What is cleared after a domain.
pub(crate) struct StudioStorage {
    clients: Clients,
    wanted: Wanted,
}

impl StudioStorage {
    pub(crate) fn new(request: &Request, clients: &Clients) -> Result<Self, PropertyError> {
        Ok(Self { clients: clients.clone(), wanted: Wanted::read(request)? })
    }

    /// The groups that SageMaker made in the VPC, each with its domain.
    async fn groups(&self, vpc: &[String]) -> Result<Vec<(String, Group)>, Problem> {
        let tag = [MANAGED_TAG.to_owned()];
        let found = self.clients.network.security_groups(&[("vpc-id", vpc), ("tag-key", &tag)]).await;
        let found = found.map_err(|error| Problem::of_call("DescribeSecurityGroups", &error))?;
        let read = |group: crate::aws::ec2::SecurityGroup| {
            let domain = domain_of(group.tags.get(MANAGED_TAG)?)?.to_owned();
            Some((domain, Group { id: group.id, has_rules: group.has_rules }))
        };
        Ok(found.into_iter().filter_map(read).collect())
    }

    /// The file systems of domains in the VPC, each with its domain. One without a mount target is in no
    /// VPC: it is of this one when its domain has groups here, or when it had mount targets before.
    async fn file_systems(
        &self,
        vpc: &str,
        domains: &BTreeSet<String>,
        state: &State,
    ) -> Result<Vec<(String, FileSystem)>, Problem> {
        let mut pages = self.clients.files.describe_file_systems().into_paginator().items().send();
        let mut found = Vec::new();
        while let Some(files) = pages.next().await {
            let files = files.map_err(|error| Problem::of("DescribeFileSystems", &error))?;
            let Some(domain) = managed_by(&files) else { continue };
            let known = domains.contains(domain) || state.file_systems.contains(files.file_system_id());
            let mount_targets = match files.number_of_mount_targets() {
                0 => Vec::new(),
                _ => self.mount_targets(files.file_system_id()).await?,
            };
            let here = |target: &MountTargetDescription| target.vpc_id() == Some(vpc);
            let elsewhere = mount_targets.iter().any(|target| !here(target));
            if !elsewhere && (known || !mount_targets.is_empty()) {
                found.push((domain.to_owned(), read_file_system(&files, &mount_targets)));
            }
        }
        Ok(found)
    }

    async fn mount_targets(&self, file_system: &str) -> Result<Vec<MountTargetDescription>, Problem> {
        let pages = self.clients.files.describe_mount_targets().file_system_id(file_system).into_paginator();
        match pages.items().send().collect::<Result<Vec<_>, _>>().await {
            Ok(targets) => Ok(targets),
            Err(error) if error.code() == Some("FileSystemNotFound") => Ok(Vec::new()),
            Err(error) => Err(Problem::of("DescribeMountTargets", &error)),
        }
    }

    /// Whether a domain lives.
    async fn domain(&self, id: &str, state: &State) -> Result<Domain, Problem> {
        if state.gone.contains(id) {
            return Ok(Domain::Gone);
        }
        let status = self.clients.studio.domain_status(id).await;
        Ok(match status.map_err(|error| Problem::of_call("DescribeDomain", &error))?.as_deref() {
            Some("Deleting") => Domain::Going,
            Some(_) => Domain::Lives,
            None => Domain::Gone,
        })
    }

    /// The interfaces that use one of the groups, in words.
    async fn interfaces(&self, groups: &[Group]) -> Result<Vec<String>, Problem> {
        let ids: Vec<_> = groups.iter().map(|group| group.id.clone()).collect();
        let found = self.clients.network.interfaces(&[("group-id", &ids)]).await;
        let found = found.map_err(|error| Problem::of_call("DescribeNetworkInterfaces", &error))?;
        let in_words =
            |interface: crate::aws::ec2::Interface| format!("{} ({})", interface.id, interface.description);
        Ok(found.into_iter().map(in_words).collect())
    }

    async fn remove_mount_target(&self, id: &str) -> Result<(), Problem> {
        match self.clients.files.delete_mount_target().mount_target_id(id).send().await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some("MountTargetNotFound") => Ok(()),
            Err(error) => Err(Problem::of("DeleteMountTarget", &error)),
        }
    }

    async fn delete_file_system(&self, id: &str) -> Result<(), Problem> {
        let Err(error) = self.clients.files.delete_file_system().file_system_id(id).send().await else {
            return Ok(());
        };
        match (error.code(), Problem::of("DeleteFileSystem", &error)) {
            (Some("FileSystemNotFound"), _) => Ok(()),
            // A mount target that is listed no more may be there for a moment yet.
            (Some("FileSystemInUse"), Problem::Lasting(what)) => Err(Problem::Passing(what)),
            (_, problem) => Err(problem),
        }
    }

    async fn revoke_rules(&self, group: &str) -> Result<(), Problem> {
        let rules = self.clients.network.rules(group).await;
        let rules = rules.map_err(|error| Problem::of_call("DescribeSecurityGroupRules", &error))?;
        for egress in [false, true] {
            let rules = rules.iter().filter(|rule| rule.egress == egress);
            let ids: Vec<_> = rules.map(|rule| rule.id.clone()).collect();
            if !ids.is_empty() {
                let answer = self.clients.network.revoke(group, egress, &ids).await;
                let direction = if egress { "Egress" } else { "Ingress" };
                let operation = format!("RevokeSecurityGroup{direction}");
                unless_gone(answer).map_err(|error| Problem::of_call(&operation, &error))?;
            }
        }
        Ok(())
    }

    async fn delete_group(&self, group: &str) -> Result<(), Problem> {
        let Err(error) = unless_gone(self.clients.network.delete_security_group(group).await) else {
            return Ok(());
        };
        Err(match Problem::of_call("DeleteSecurityGroup", &error) {
            // EC2 sees a rule or an interface for a moment longer than it shows it.
            Problem::Lasting(what) if error.code() == Some("DependencyViolation") => Problem::Passing(what),
            problem => problem,
        })
    }
}

impl Resource for StudioStorage {
    type World = World;
    type State = State;
    type Act = Act;

    async fn look(&self, state: &State) -> Result<World, Problem> {
        let mut world = World::default();
        let Wanted::Cleared(Cleared { vpc_id, keep }) = &self.wanted else { return Ok(world) };
        for (domain, group) in self.groups(std::slice::from_ref(vpc_id)).await? {
            world.homes.entry(domain).or_default().groups.push(group);
        }
        let domains = world.homes.keys().cloned().collect();
        for (domain, files) in self.file_systems(vpc_id, &domains, state).await? {
            world.homes.entry(domain).or_default().file_systems.push(files);
        }
        for (id, home) in &mut world.homes {
            home.domain = self.domain(id, state).await?;
            if home.is_down_to_groups(*keep) {
                home.interfaces = self.interfaces(&home.groups).await?;
            }
        }
        Ok(world)
    }

    fn next(&self, state: &mut State, world: &World) -> Next<Act> {
        world.remember(state);
        self.wanted.next(world)
    }

    async fn act(&self, act: Act) -> Result<(), Problem> {
        match act {
            Act::RemoveMountTargets(ids) => {
                for id in ids {
                    self.remove_mount_target(&id).await?;
                }
                Ok(())
            }
            Act::DeleteFileSystem(id) => self.delete_file_system(&id).await,
            Act::RevokeRules(groups) => {
                for group in groups {
                    self.revoke_rules(&group).await?;
                }
                Ok(())
            }
            Act::DeleteGroups(groups) => {
                for group in groups {
                    self.delete_group(&group).await?;
                }
                Ok(())
            }
        }
    }
}

/// The domain whose home directories are in a file system.
fn managed_by(files: &FileSystemDescription) -> Option<&str> {
    let tag = files.tags().iter().find(|tag| tag.key() == MANAGED_TAG)?;
    domain_of(tag.value())
}

fn read_file_system(files: &FileSystemDescription, mount_targets: &[MountTargetDescription]) -> FileSystem {
    let going = |state: &LifeCycleState| matches!(state, LifeCycleState::Deleting | LifeCycleState::Deleted);
    let read = |target: &MountTargetDescription| MountTarget {
        id: target.mount_target_id().to_owned(),
        going: going(target.life_cycle_state()),
    };
    FileSystem {
        id: files.file_system_id().to_owned(),
        key: files.kms_key_id().filter(|key| !key.is_empty()).map(ToOwned::to_owned),
        going: going(files.life_cycle_state()),
        mount_targets: mount_targets.iter().map(read).collect(),
    }
}

/// A security group or a rule that is gone needs nothing more: another delivery was faster.
fn unless_gone(answer: Result<(), CallError>) -> Result<(), CallError> {
    match answer {
        Err(error) if error.code().is_some_and(|code| code.ends_with(".NotFound")) => Ok(()),
        other => other,
    }
}
