//! Who is to be in a Studio domain, and what comes next: the decisions, without a call.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::super::Next;
use super::removal;
use super::wanted::{Owner, Present, Wanted};
use crate::aws::sagemaker::{App, Profile, Space, Status};
use crate::protocol::answer::Done;

/// So much is begun in one step, so that the log shows how it goes on.
const AT_ONCE: usize = 20;
/// So often something is asked for whose beginning isn't seen.
const MOST_TRIES: u32 = 3;
/// So many names stand in what is waited for.
const NAMED: usize = 3;

/// What was begun for this request and may end otherwise: what has failed then fails again, what had failed
/// before is tried.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct State {
    /// How often it was asked for. A call may come to nothing, and a listing be late.
    asked: BTreeMap<String, u32>,
    /// What was seen on its way.
    seen: BTreeSet<String>,
}

/// What there is in the domain.
#[derive(Debug, Default)]
pub(crate) struct World {
    /// Security groups made for users of the domain, by the user's name; this resource's and others'.
    pub(crate) groups: BTreeMap<String, Group>,
    pub(crate) profiles: BTreeMap<String, Profile>,
    pub(crate) spaces: Vec<Space>,
    pub(crate) apps: Vec<App>,
    /// Why a user profile has failed, by name.
    pub(crate) reasons: BTreeMap<String, String>,
}

/// The security group of a user.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) id: String,
    /// Whether the apps of the user reach each other.
    pub(crate) lets_in: bool,
    /// The resource that it was made by.
    pub(crate) owner: Option<Owner>,
    /// The digest of the settings that the user's profile was last given.
    pub(crate) settings: Option<String>,
    /// Whether the request that made it has come to its end.
    pub(crate) finished: bool,
}

/// One thing to do. Those of one step don't depend on each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    MakeGroup {
        user: String,
    },
    LetIn {
        group: String,
    },
    MakeProfile {
        user: String,
        group: String,
    },
    /// Gives a profile that is there the settings and the tags that it is to have.
    Settle {
        user: String,
        group: String,
    },
    /// Marks the group as one of a request that has come to its end.
    Finish {
        group: String,
    },
    DeleteApp(App),
    DeleteSpace(String),
    DeleteProfile(String),
    DeleteGroup(String),
}

impl Step {
    /// What it begins that SageMaker goes on with by itself.
    fn begins(&self) -> Option<String> {
        match self {
            Self::MakeProfile { user, .. } => Some(made(user)),
            Self::Settle { user, .. } => Some(settled(user)),
            Self::DeleteProfile(user) => Some(deleted("user profile", user)),
            Self::DeleteSpace(space) => Some(deleted("space", space)),
            _ => None,
        }
    }
}

fn made(user: &str) -> String {
    format!("make {user}")
}

fn settled(user: &str) -> String {
    format!("settle {user}")
}

fn deleted(kind: &str, name: &str) -> String {
    format!("delete {kind} {name}")
}

impl State {
    fn has_begun(&self, what: &str) -> bool {
        self.seen.contains(what) || self.asked.get(what).is_some_and(|asked| *asked >= MOST_TRIES)
    }

    /// Whether its deletion was begun for this request.
    pub(super) fn has_deleted(&self, kind: &str, name: &str) -> bool {
        self.has_begun(&deleted(kind, name))
    }

    fn observe(&mut self, world: &World) {
        let profiles = world.profiles.iter().filter_map(|(user, profile)| match profile.status {
            Status::Pending => Some(made(user)),
            Status::Updating => Some(settled(user)),
            Status::Deleting => Some(deleted("user profile", user)),
            _ => None,
        });
        let spaces = world.spaces.iter().filter(|space| space.status == Status::Deleting);
        self.seen.extend(profiles.chain(spaces.map(|space| deleted("space", &space.name))));
    }

    fn remember(&mut self, next: &Next<Vec<Step>>) {
        let Next::Act(steps) = next else { return };
        for begun in steps.iter().filter_map(Step::begins) {
            *self.asked.entry(begun).or_default() += 1;
        }
    }
}

impl World {
    /// Why a user profile has failed.
    pub(super) fn reason(&self, user: &str) -> &str {
        self.reasons.get(user).map_or("SageMaker gives no reason", String::as_str)
    }
}

/// What comes next, for all users together.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    /// What is on its way, in words.
    pub(super) waits: Vec<String>,
    /// What won't come to an end, and why.
    pub(super) failures: Vec<String>,
}

impl Wanted {
    pub(crate) fn next(&self, state: &mut State, world: &World) -> Next<Vec<Step>> {
        state.observe(world);
        let next = match self {
            Self::Present(present) => present.next(state, world),
            Self::Cleared(cleared) => match cleared.plan(state, world).next() {
                Some(next) => next,
                None => Next::Done(Done { note: cleared.note(world), ..Done::default() }),
            },
            Self::Nothing => Next::Done(Done::default()),
        };
        state.remember(&next);
        next
    }

    /// The id that the resource has as soon as something of it is there.
    pub(crate) fn made(&self, world: &World) -> Option<String> {
        let Self::Present(present) = self else { return None };
        let own = world.groups.values().any(|group| group.owner.as_ref() == Some(&present.owner));
        own.then(|| present.id_so_far())
    }
}

impl Plan {
    /// Steps before waits, and both before failures: what can be done is done while other things are on
    /// their way, and whatever becomes of them.
    pub(super) fn next(mut self) -> Option<Next<Vec<Step>>> {
        if !self.steps.is_empty() {
            // A group may be held for long by the network interface of an app.
            self.steps.sort_by_key(|step| matches!(step, Step::DeleteGroup(_)));
            self.steps.truncate(AT_ONCE);
            return Some(Next::Act(self.steps));
        }
        let (count, named) = (self.waits.len(), self.waits.get(..NAMED).unwrap_or(&self.waits).join(", "));
        match count.checked_sub(NAMED) {
            _ if count == 0 && self.failures.is_empty() => None,
            _ if count == 0 => Some(Next::Failed(self.failures.join("; "))),
            None | Some(0) => Some(Next::Wait(named)),
            Some(more) => Some(Next::Wait(format!("{named} and {more} more"))),
        }
    }
}

impl Present {
    fn next(&self, state: &State, world: &World) -> Next<Vec<Step>> {
        if let Some(reason) = self.taken(world) {
            return Next::Failed(reason);
        }
        let mut plan = Plan::default();
        for user in &self.users {
            if let Err(reason) = self.user(user, state, world, &mut plan) {
                return Next::Failed(reason);
            }
        }
        if let Some(next) = plan.next() {
            return next;
        }
        // Nobody loses their work for an Update that fails and is taken back.
        let mut plan = Plan::default();
        let own = world.groups.iter().filter(|(_, group)| group.owner.as_ref() == Some(&self.owner));
        let known: BTreeSet<_> = self.users.iter().collect();
        for (user, group) in own.filter(|(user, _)| !known.contains(user)) {
            removal::user(user, &group.id, state, world, &mut plan);
        }
        if let Some(next) = plan.next() {
            return next;
        }
        let mut plan = Plan::default();
        let groups = self.users.iter().filter_map(|user| world.groups.get(user));
        let finish = |group: &Group| Step::Finish { group: group.id.clone() };
        plan.steps = groups.filter(|group| !group.finished).map(finish).collect();
        plan.next().unwrap_or_else(|| Next::Done(self.done(world)))
    }

    /// Why a name can't be had: it is somebody else's. Said before anything is made.
    fn taken(&self, world: &World) -> Option<String> {
        let elsewhere = |user: &&String| match world.groups.get(*user) {
            Some(group) => group.owner.as_ref() != Some(&self.owner),
            // One that this resource had before has lost its security group.
            None => world.profiles.contains_key(*user) && !self.before.contains(*user),
        };
        if let Some(reason) = self.written_otherwise(world) {
            return Some(reason);
        }
        let taken: Vec<_> = self.users.iter().filter(elsewhere).map(String::as_str).collect();
        (!taken.is_empty()).then(|| {
            format!(
                "there are user profiles already in {} that aren't this resource's: {}; delete them, or leave them out of UserProfileNames",
                self.domain,
                taken.join(", ")
            )
        })
    }

    /// SageMaker's names of user profiles "are not case sensitive" (`CreateUserProfile`).
    fn written_otherwise(&self, world: &World) -> Option<String> {
        let known: BTreeSet<_> = world.profiles.keys().chain(world.groups.keys()).collect();
        let otherwise = |user: &String| {
            known.iter().find(|known| **known != user && known.eq_ignore_ascii_case(user)).copied()
        };
        let (user, there) = self.users.iter().find_map(|user| Some((user, otherwise(user)?)))?;
        Some(format!(
            "the user profile {user} is in {} already as {there}: remove that one first, in an update of its own",
            self.domain
        ))
    }

    /// What is to be done for one user. An error says why there will be no such profile.
    fn user(&self, user: &str, state: &State, world: &World, plan: &mut Plan) -> Result<(), String> {
        let (user, profile) = (user.to_owned(), world.profiles.get(user));
        let Some(group) = world.groups.get(&user) else {
            plan.steps.push(Step::MakeGroup { user });
            return Ok(());
        };
        if !group.lets_in {
            plan.steps.push(Step::LetIn { group: group.id.clone() });
        }
        let has_settings = group.settings.as_ref() == Some(&self.settings.digest());
        match profile.map(|profile| profile.status) {
            // Without that rule its first app would not reach its kernels.
            None if group.lets_in => plan.steps.push(Step::MakeProfile { user, group: group.id.clone() }),
            None => {}
            Some(Status::InService) if has_settings => {}
            Some(Status::InService) => {
                plan.steps.push(Step::Settle { user, group: group.id.clone() });
            }
            Some(Status::UpdateFailed) if !state.has_begun(&settled(&user)) => {
                plan.steps.push(Step::Settle { user, group: group.id.clone() });
            }
            Some(Status::Failed) if !state.has_begun(&made(&user)) => {
                plan.steps.push(Step::DeleteProfile(user));
            }
            // Nobody loses spaces by staying.
            Some(Status::DeleteFailed) if !removal::has_spaces(&user, world) => {
                removal::profile(&user, state, world, plan);
            }
            Some(Status::Failed | Status::UpdateFailed | Status::DeleteFailed) => {
                let reason = world.reason(&user);
                return Err(format!("the user profile {user} has failed: {reason}"));
            }
            Some(Status::Deleting | Status::Deleted) => {
                plan.waits.push(format!("the user profile {user} of before is being deleted"));
            }
            Some(_) => plan.waits.push(format!("the user profile {user} is not ready yet")),
        }
        Ok(())
    }

    fn done(&self, world: &World) -> Done {
        let groups =
            self.users.iter().filter_map(|user| Some((user.clone(), world.groups.get(user)?.id.clone())));
        let groups: Vec<_> = groups.collect();
        let ids: Vec<_> = groups.iter().map(|(_, id)| id.as_str()).collect();
        let all = ("SecurityGroupIds".to_owned(), ids.join(","));
        let mut data = vec![("DomainId".to_owned(), self.domain.clone())];
        data.extend(groups);
        data.push(all);
        Done { physical_id: Some(self.physical_id()), data, ..Done::default() }
    }
}
