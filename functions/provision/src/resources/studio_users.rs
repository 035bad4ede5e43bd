//! `Custom::StudioUsers`: the people of a Studio domain, by a list of names. Each has a user profile and a
//! security group of their own, as AWS recommends; the group is also how an address leads to a person.
//! <https://docs.aws.amazon.com/sagemaker/latest/dg/studio-notebooks-and-internet-access.html>
//!
//! Properties: `DomainId`, `VpcId`, `UserProfileNames` (may be empty), `ExecutionRole` (an ARN);
//! `SecurityGroupIds` (up to 2, for everybody beside their own) and `Tags` may be left out. Data: `DomainId`,
//! each user's group by the user's name, and `SecurityGroupIds` in the order of the names. The physical id
//! has the domain in it; that of a Create that has failed says so, since its Delete takes what it has made
//! and nothing else.
//!
//! A user's security group lets the user's apps reach each other (TCP 8192-65535) and everything out, to the
//! firewall; NFS goes by groups that SageMaker adds. Its tags say whose it is and with which settings the
//! profile was made, so one listing tells what is to be done. A profile of the same name that isn't this
//! resource's is not taken over.
//!
//! Whoever is no longer on the list loses their apps, their spaces (shared ones that are theirs, too), their
//! profile and their group, in this order, once all others are as they are to be. A Delete clears the whole domain, since a domain with anything in
//! it can't be deleted: what people and administrators have made by hand goes, too. The users of another
//! resource of this kind are left.

mod plan;
mod removal;
#[cfg(test)]
mod tests;
mod wanted;

use std::collections::BTreeMap;

use egress::aws::signed::CallError;
use egress::owner::{DOMAIN_TAG, USER_TAG};
use futures_util::{StreamExt, stream};

use super::{Clients, Next, Problem, Resource};
use crate::aws::ec2::SecurityGroup;
use crate::aws::sagemaker::{Profile, Status, UserSettings};
use crate::protocol::properties::PropertyError;
use crate::protocol::request::Request;
use plan::{Group, State, Step, World};
use wanted::{Owner, Present, Settings, Wanted};

/// The tags of a user's security group, beside those that say whose it is.
const STACK_TAG: &str = "studio-egress:stack";
const RESOURCE_TAG: &str = "studio-egress:resource";
const SETTINGS_TAG: &str = "studio-egress:settings";
const FINISHED_TAG: &str = "studio-egress:finished";

/// By these ports a user's apps reach each other.
/// <https://docs.aws.amazon.com/sagemaker/latest/dg/studio-notebooks-and-internet-access.html>
const PORTS_OF_APPS: (u16, u16) = (8_192, 65_535);

/// So many calls that change something are on their way at a time. AWS publishes no rates for them; what is
/// too fast is refused, and done again.
const AT_A_TIME: usize = 5;

/// The people that a request wants in a domain, or wants gone.
pub(crate) struct StudioUsers {
    clients: Clients,
    wanted: Wanted,
}

impl StudioUsers {
    pub(crate) fn new(request: &Request, clients: &Clients) -> Result<Self, PropertyError> {
        Ok(Self { clients: clients.clone(), wanted: Wanted::read(request)? })
    }

    async fn groups(&self, domain: &str, vpc: &str) -> Result<BTreeMap<String, Group>, Problem> {
        let (vpc, domain) = ([vpc.to_owned()], [domain.to_owned()]);
        let tag = format!("tag:{DOMAIN_TAG}");
        let found = self.clients.network.security_groups(&[("vpc-id", &vpc), (&tag, &domain)]).await;
        let found = found.map_err(|error| Problem::of_call("DescribeSecurityGroups", &error))?;
        Ok(found.into_iter().filter_map(Group::read).collect())
    }

    /// SageMaker's words for each profile that has failed.
    async fn reasons(
        &self,
        domain: &str,
        profiles: &BTreeMap<String, Profile>,
    ) -> Result<BTreeMap<String, String>, Problem> {
        let mut reasons = BTreeMap::new();
        let failed = [Status::Failed, Status::UpdateFailed, Status::DeleteFailed];
        for user in
            profiles.values().filter(|profile| failed.contains(&profile.status)).map(|profile| &profile.name)
        {
            let reason = self.clients.studio.failure_reason(domain, user).await;
            let reason = reason.map_err(|error| Problem::of_call("DescribeUserProfile", &error))?;
            reasons.extend(reason.map(|reason| (user.clone(), reason)));
        }
        Ok(reasons)
    }

    async fn take(&self, domain: &str, step: &Step) -> Result<(), Problem> {
        let (studio, network) = (&self.clients.studio, &self.clients.network);
        let (operation, answer) = match step {
            Step::LetIn { group } => {
                ("AuthorizeSecurityGroupIngress", network.let_in_within(group, PORTS_OF_APPS).await)
            }
            Step::Finish { group } => {
                let tags = [(FINISHED_TAG.to_owned(), "true".to_owned())].into();
                ("CreateTags", network.tag(group, &tags).await)
            }
            Step::DeleteApp(app) => ("DeleteApp", studio.delete_app(domain, app).await),
            Step::DeleteSpace(space) => ("DeleteSpace", studio.delete_space(domain, space).await),
            Step::DeleteProfile(user) => ("DeleteUserProfile", studio.delete_profile(domain, user).await),
            Step::DeleteGroup(group) => ("DeleteSecurityGroup", network.delete_security_group(group).await),
            Step::MakeGroup { .. } | Step::MakeProfile { .. } | Step::Settle { .. } => {
                let Wanted::Present(present) = &self.wanted else { return Ok(()) };
                return self.make(present, step).await;
            }
        };
        done(operation, answer)
    }

    async fn make(&self, present: &Present, step: &Step) -> Result<(), Problem> {
        let Present { domain, settings, .. } = present;
        let (studio, network) = (&self.clients.studio, &self.clients.network);
        match step {
            Step::MakeGroup { user } => {
                let name = format!("studio-user-{domain}-{user}");
                let description = format!("Apps of the user profile {user} in {domain}");
                let tags = present.group_tags(user);
                let made = network.create_security_group(&present.vpc, &name, &description, &tags).await;
                done("CreateSecurityGroup", made)
            }
            Step::MakeProfile { user, group } => {
                let made = studio.create_profile(domain, user, &settings.of(group), &settings.tags).await;
                done("CreateUserProfile", made)?;
                // The group may be one of before, with what the settings were then.
                done("CreateTags", network.tag(group, &present.settings_tag()).await)
            }
            Step::Settle { user, group } => {
                let updated = studio.update_profile(domain, user, &settings.of(group)).await;
                done("UpdateUserProfile", updated)?;
                self.retag(present, user, group).await
            }
            _ => Ok(()),
        }
    }

    /// Tags of a profile and its group. That of the settings comes last: it says that all of it is done.
    async fn retag(&self, present: &Present, user: &str, group: &str) -> Result<(), Problem> {
        let (studio, network) = (&self.clients.studio, &self.clients.network);
        let Present { domain, settings, dropped_tags, .. } = present;
        if !settings.tags.is_empty() || !dropped_tags.is_empty() {
            let arn = studio.profile_arn(domain, user).await;
            let arn = arn.map_err(|error| Problem::of_call("DescribeUserProfile", &error))?;
            let arn = arn.ok_or_else(|| Problem::Passing(format!("the user profile {user} is gone")))?;
            if !settings.tags.is_empty() {
                done("AddTags", studio.tag(&arn, &settings.tags).await)?;
            }
            if !dropped_tags.is_empty() {
                done("DeleteTags", studio.untag(&arn, dropped_tags).await)?;
                done("DeleteTags", network.untag(group, dropped_tags).await)?;
            }
        }
        done("CreateTags", network.tag(group, &present.group_tags(user)).await)
    }
}

impl Resource for StudioUsers {
    type World = World;
    type State = State;
    type Act = Vec<Step>;

    async fn look(&self, _: &State) -> Result<World, Problem> {
        let Some((domain, vpc)) = self.wanted.place() else { return Ok(World::default()) };
        let studio = &self.clients.studio;
        let apps = studio.apps(domain).await.map_err(|error| Problem::of_call("ListApps", &error))?;
        let spaces = studio.spaces(domain).await.map_err(|error| Problem::of_call("ListSpaces", &error))?;
        let profiles = studio.profiles(domain).await;
        let profiles = profiles.map_err(|error| Problem::of_call("ListUserProfiles", &error))?;
        let profiles = profiles.into_iter().map(|profile| (profile.name.clone(), profile)).collect();
        let reasons = self.reasons(domain, &profiles).await?;
        let groups = match vpc {
            Some(vpc) => self.groups(domain, vpc).await?,
            None => BTreeMap::new(),
        };
        Ok(World { groups, profiles, spaces, apps, reasons })
    }

    fn next(&self, state: &mut State, world: &World) -> Next<Vec<Step>> {
        self.wanted.next(state, world)
    }

    /// All steps are tried, whatever becomes of one of them; then what won't pass is told before what may.
    async fn act(&self, steps: Vec<Step>) -> Result<(), Problem> {
        let Some((domain, _)) = self.wanted.place() else { return Ok(()) };
        let take = |step| async move { self.take(domain, &step).await };
        let taken = stream::iter(steps).map(take).buffer_unordered(AT_A_TIME);
        let problems: Vec<_> = taken.filter_map(async |taken| taken.err()).collect().await;
        let passing = |problem: &&Problem| matches!(problem, Problem::Passing(_));
        match problems.iter().find(|problem| !passing(problem)).or(problems.first()) {
            Some(problem) => Err(problem.clone()),
            None => Ok(()),
        }
    }

    fn made(&self, world: &World) -> Option<String> {
        self.wanted.made(world)
    }
}

impl Present {
    fn group_tags(&self, user: &str) -> BTreeMap<String, String> {
        let own = [
            ("Name", format!("studio-user-{user}")),
            (STACK_TAG, self.owner.stack.clone()),
            (RESOURCE_TAG, self.owner.resource.clone()),
            (DOMAIN_TAG, self.domain.clone()),
            (USER_TAG, user.to_owned()),
        ];
        let mut tags = self.settings.tags.clone();
        tags.extend(own.map(|(key, value)| (key.to_owned(), value)));
        tags.extend(self.settings_tag());
        tags
    }

    fn settings_tag(&self) -> BTreeMap<String, String> {
        [(SETTINGS_TAG.to_owned(), self.settings.digest())].into()
    }
}

impl Settings {
    fn of<'a>(&'a self, group: &'a str) -> UserSettings<'a> {
        let security_groups = std::iter::once(group).chain(self.security_groups.iter().map(String::as_str));
        UserSettings { execution_role: &self.execution_role, security_groups: security_groups.collect() }
    }
}

impl Group {
    /// A group, with the name of the user that it was made for.
    fn read(group: SecurityGroup) -> Option<(String, Self)> {
        let mut tags = group.tags;
        let user = tags.remove(USER_TAG)?;
        let owner = tags.remove(STACK_TAG).zip(tags.remove(RESOURCE_TAG));
        let read = Self {
            id: group.id,
            lets_in: group.lets_in,
            owner: owner.map(|(stack, resource)| Owner { stack, resource }),
            settings: tags.remove(SETTINGS_TAG),
            finished: tags.contains_key(FINISHED_TAG),
        };
        Some((user, read))
    }
}

/// What became of one call. What somebody else was faster with, or what something else is in the way of for
/// now, is seen by the next look.
fn done(operation: &str, answer: Result<(), CallError>) -> Result<(), Problem> {
    let Err(error) = answer else { return Ok(()) };
    match error.code().unwrap_or_default() {
        "InvalidPermission.Duplicate" => Ok(()),
        code if code.ends_with(".NotFound") && operation.starts_with("Delete") => Ok(()),
        "InvalidGroup.Duplicate"
        | "InvalidGroup.NotFound"
        | "DependencyViolation"
        | "ResourceInUse"
        | "ConflictException" => Err(Problem::Passing(format!("{operation} {error}"))),
        _ => Err(Problem::of_call(operation, &error)),
    }
}
