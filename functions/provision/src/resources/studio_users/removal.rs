//! How people leave a domain: apps, spaces, profile, security group, in this order, since each is in the
//! way of the next.
//! <https://docs.aws.amazon.com/sagemaker/latest/dg/gs-studio-delete-domain.html>

use std::collections::BTreeSet;

use super::plan::{Plan, State, Step, World};
use super::wanted::Cleared;
use crate::aws::sagemaker::{App, Space, Status};

impl Cleared {
    /// What is left to do until nothing is there that would keep the domain from going.
    pub(super) fn plan(&self, state: &State, world: &World) -> Plan {
        let mut plan = Plan::default();
        let own = world.groups.iter().filter(|(_, group)| group.owner.as_ref() == Some(&self.owner));
        let own = own.filter(|(_, group)| !(self.unfinished_only && group.finished));
        if !self.whole {
            own.for_each(|(user, group)| self::user(user, &group.id, state, world, &mut plan));
            return plan;
        }
        let others = self.others(world);
        let is_others = |user: &str| others.contains(user);
        spaces(|space| !space.owner().is_some_and(is_others), state, world, &mut plan);
        for user in world.profiles.keys().filter(|user| !is_others(user)) {
            profile(user, state, world, &mut plan);
        }
        own.for_each(|(user, group)| self::group(user, &group.id, world, &mut plan));
        plan
    }

    /// What a person has to know when all is done.
    pub(super) fn note(&self, world: &World) -> String {
        let others: Vec<_> = self.others(world).into_iter().collect();
        if !self.whole || others.is_empty() {
            return String::new();
        }
        format!("the user profiles of another resource are left in {}: {}", self.domain, others.join(", "))
    }

    /// The users of another resource of this kind: they are its to remove.
    fn others<'a>(&self, world: &'a World) -> BTreeSet<&'a str> {
        let others = world.groups.iter().filter(|(_, group)| group.owner.as_ref() != Some(&self.owner));
        others.map(|(user, _)| user.as_str()).filter(|user| world.profiles.contains_key(*user)).collect()
    }
}

/// Everything of one user.
pub(super) fn user(user: &str, group: &str, state: &State, world: &World, plan: &mut Plan) {
    spaces(|space| space.owner() == Some(user), state, world, plan);
    profile(user, state, world, plan);
    self::group(user, group, world, plan);
}

/// The spaces that are meant, with the apps in them.
fn spaces(are_meant: impl Fn(&Space) -> bool, state: &State, world: &World, plan: &mut Plan) {
    for space in world.spaces.iter().filter(|space| are_meant(space)) {
        let in_it = |app: &&App| app.space_name.as_ref() == Some(&space.name);
        if apps(world.apps.iter().filter(in_it), plan) {
            continue;
        }
        match space.status {
            Status::Deleted => {}
            Status::Deleting => plan.waits.push(format!("the space {} is being deleted", space.name)),
            Status::Pending | Status::Updating => {
                plan.waits.push(format!("the space {} is changing", space.name));
            }
            Status::DeleteFailed if state.has_deleted("space", &space.name) => {
                plan.failures.push(format!("the space {} can't be deleted, says SageMaker", space.name));
            }
            _ => plan.steps.push(Step::DeleteSpace(space.name.clone())),
        }
    }
}

/// A profile goes as soon as its own apps and its spaces are gone.
pub(super) fn profile(user: &str, state: &State, world: &World, plan: &mut Plan) {
    let own = |app: &&App| app.space_name.is_none() && app.user_profile_name.as_deref() == Some(user);
    let has_apps = apps(world.apps.iter().filter(own), plan);
    let Some(profile) = world.profiles.get(user).filter(|_| !has_apps && !has_spaces(user, world)) else {
        return;
    };
    match profile.status {
        Status::Deleted => {}
        Status::Deleting => plan.waits.push(format!("the user profile {user} is being deleted")),
        Status::Pending | Status::Updating => plan.waits.push(format!("the user profile {user} is changing")),
        Status::DeleteFailed if state.has_deleted("user profile", user) => {
            plan.failures.push(format!("the user profile {user} can't be deleted: {}", world.reason(user)));
        }
        _ => plan.steps.push(Step::DeleteProfile(user.to_owned())),
    }
}

/// A security group goes last; EC2 refuses that while the network interface of an app outlives the app.
fn group(user: &str, group: &str, world: &World, plan: &mut Plan) {
    let has_profile = world.profiles.get(user).is_some_and(|profile| profile.status != Status::Deleted);
    if !has_profile && !has_spaces(user, world) {
        plan.steps.push(Step::DeleteGroup(group.to_owned()));
    }
}

pub(super) fn has_spaces(user: &str, world: &World) -> bool {
    world.spaces.iter().any(|space| space.owner() == Some(user) && space.status != Status::Deleted)
}

/// Whether some of the apps are in the way yet. One that has failed isn't, and can't be deleted.
fn apps<'a>(apps: impl Iterator<Item = &'a App>, plan: &mut Plan) -> bool {
    let mut in_the_way = false;
    for app in apps {
        match app.status {
            Status::Deleted | Status::Failed => continue,
            Status::InService => plan.steps.push(Step::DeleteApp(app.clone())),
            Status::Deleting => plan.waits.push(format!("the app {} is being deleted", place(app))),
            _ => plan.waits.push(format!("the app {} is neither running nor gone", place(app))),
        }
        in_the_way = true;
    }
    in_the_way
}

fn place(app: &App) -> String {
    let owner = app.space_name.as_ref().or(app.user_profile_name.as_ref()).map_or("?", String::as_str);
    format!("{owner}/{}/{}", app.kind, app.name)
}
