//! `Custom::GrantRuleGroup`: the rule group that the granted domains are in. The stack owns that it
//! exists, its capacity and its tags; what is in it belongs to the function `requests`, so no update of
//! the stack takes a grant back.
//!
//! Properties: `RuleGroupName`, `Capacity`; `Description`, `Tags` and `RuleVariables` (as of
//! `AWS::NetworkFirewall::RuleGroup`) may be left out. Data: `RuleGroupArn`, `RuleGroupName`, `Capacity`. The
//! physical id is the ARN.
//!
//! A capacity can't be changed, so the group's name has it at its end, and another capacity is another
//! group: an Update makes that with the rules of the old one and answers its ARN, the stack puts it into
//! the policy and into the environment of `requests`, and CloudFormation deletes the old one at last. The
//! other group may be there already: an Update is being rolled back to it, or an earlier clean-up couldn't
//! delete it. Then it gets the old one's rules, unless it was changed after the old one: `requests` writes
//! to one of the two, and that is the one that is right.
//!
//! While the stack updates, `requests` writes to the old group until it has its new environment. If the
//! policy has the new group before that, what is granted in between doesn't pass yet and, worse, what ends
//! in between passes still: the firewall goes by the new group, whose rules are those of the moment of the
//! Update. The first minute tick with the new environment writes the new group as it should be.

mod plan;
mod variables;

use aws_sdk_networkfirewall::Client;
use aws_sdk_networkfirewall::error::ProvideErrorMetadata;
use aws_sdk_networkfirewall::operation::describe_rule_group::DescribeRuleGroupOutput;
use aws_sdk_networkfirewall::types::{
    ResourceStatus, RuleGroup, RuleGroupType, RuleOrder, RulesSource, StatefulRuleOptions, Tag,
};

use super::{Next, Problem, Resource};
use crate::protocol::properties::PropertyError;
use crate::protocol::request::Request;
use plan::{Act, Content, Group, State, Wanted, World};

const NOT_FOUND: &str = "ResourceNotFoundException";

/// The group that a request wants, or wants gone.
pub(crate) struct GrantRuleGroup {
    client: Client,
    wanted: Wanted,
}

/// How a rule group is asked for.
enum By<'a> {
    Arn(&'a str),
    Name(&'a str),
}

impl GrantRuleGroup {
    pub(crate) fn new(request: &Request, client: Client) -> Result<Self, PropertyError> {
        Ok(Self { client, wanted: Wanted::read(request)? })
    }

    /// A group with its rules and its token; none when it isn't there.
    async fn describe(&self, by: By<'_>) -> Result<Option<DescribeRuleGroupOutput>, Problem> {
        let call = self.client.describe_rule_group();
        let call = match by {
            By::Arn(arn) => call.rule_group_arn(arn),
            By::Name(name) => call.rule_group_name(name).r#type(RuleGroupType::Stateful),
        };
        match call.send().await {
            Ok(output) => Ok(Some(output)),
            Err(error) if error.code() == Some(NOT_FOUND) => Ok(None),
            Err(error) => Err(Problem::of("DescribeRuleGroup", &error)),
        }
    }

    async fn group(&self, by: By<'_>) -> Result<Option<Group>, Problem> {
        Ok(self.describe(by).await?.and_then(Group::read))
    }

    async fn create(&self, name: &str, capacity: i32, content: Content) -> Result<(), Problem> {
        let rules = match content {
            Content::NothingGranted => nothing_granted(),
            Content::Of(arn) => self.rules_of(&arn).await?.0,
        };
        let call = self.client.create_rule_group().rule_group_name(name).r#type(RuleGroupType::Stateful);
        let rules = self.wanted.with_variables(rules);
        let call = call.capacity(capacity).rule_group(rules).set_tags(Some(self.tags()));
        let answer = call.set_description(self.wanted.description().map(ToOwned::to_owned)).send().await;
        answer.map(drop).map_err(|error| match Problem::of("CreateRuleGroup", &error) {
            // Another delivery of the same request was faster: the next look finds what it has made.
            Problem::Lasting(what) if exists(&error) => Problem::Passing(what),
            problem => problem,
        })
    }

    /// The rules of a group, and the token with which they may be written back.
    async fn rules_of(&self, arn: &str) -> Result<(RuleGroup, String), Problem> {
        let gone = || Problem::Passing(format!("{arn} is gone"));
        let output = self.describe(By::Arn(arn)).await?.ok_or_else(gone)?;
        let rules = output.rule_group().cloned().ok_or_else(gone)?;
        Ok((rules, output.update_token().to_owned()))
    }

    async fn rewrite(&self, arn: &str) -> Result<(), Problem> {
        let (rules, token) = self.rules_of(arn).await?;
        self.write(arn, rules, token).await
    }

    /// Writes a group whole: AWS takes rules, variables and description together.
    async fn write(&self, arn: &str, rules: RuleGroup, token: String) -> Result<(), Problem> {
        let rules = self.wanted.with_variables(rules);
        let call = self.client.update_rule_group().rule_group_arn(arn).rule_group(rules).update_token(token);
        let answer = call.set_description(self.wanted.description().map(ToOwned::to_owned)).send().await;
        answer.map(drop).map_err(|error| match Problem::of("UpdateRuleGroup", &error) {
            // Grants were written in between.
            Problem::Lasting(what) if error.code() == Some("InvalidTokenException") => Problem::Passing(what),
            problem => problem,
        })
    }

    async fn delete(&self, arn: &str) -> Result<(), Problem> {
        let Err(error) = self.client.delete_rule_group().rule_group_arn(arn).send().await else {
            return Ok(());
        };
        if error.code() == Some(NOT_FOUND) {
            return Ok(());
        }
        Err(match Problem::of("DeleteRuleGroup", &error) {
            // A policy that gives it up may be on its way.
            Problem::Lasting(what) if error.code() == Some("InvalidOperationException") => {
                Problem::Passing(format!("a firewall policy still refers to {arn}: {what}"))
            }
            problem => problem,
        })
    }

    fn tags(&self) -> Vec<Tag> {
        self.wanted.tags().filter_map(|(key, value)| tag(key, value)).collect()
    }
}

impl Resource for GrantRuleGroup {
    type World = World;
    type State = ();
    type Act = Act;

    async fn look(&self, (): &()) -> Result<World, Problem> {
        let target = match &self.wanted {
            Wanted::Present(present) => self.group(By::Name(&present.name)).await?,
            Wanted::AbsentArn(arn) => self.group(By::Arn(arn)).await?,
            Wanted::AbsentName { name, .. } => self.group(By::Name(name)).await?,
            Wanted::Nothing => None,
        };
        let current = match self.wanted.replaces(target.as_ref()) {
            Some(arn) => self.group(By::Arn(arn)).await?,
            None => None,
        };
        Ok(World { target, current })
    }

    fn next(&self, (): &mut (), world: &World) -> Next<Act> {
        self.wanted.next(world)
    }

    async fn act(&self, act: Act) -> Result<(), Problem> {
        match act {
            Act::Create { name, capacity, content } => self.create(&name, capacity, content).await,
            Act::TakeOver { arn, from, token } => {
                let (rules, _) = self.rules_of(&from).await?;
                self.write(&arn, rules, token).await
            }
            Act::Rewrite { arn } => self.rewrite(&arn).await,
            Act::Tag { arn, tags } => {
                let tags = tags.iter().filter_map(|(key, value)| tag(key, value)).collect();
                let answer = self.client.tag_resource().resource_arn(arn).set_tags(Some(tags)).send().await;
                answer.map(drop).map_err(|error| Problem::of("TagResource", &error))
            }
            Act::Untag { arn, keys } => {
                let answer =
                    self.client.untag_resource().resource_arn(arn).set_tag_keys(Some(keys)).send().await;
                answer.map(drop).map_err(|error| Problem::of("UntagResource", &error))
            }
            Act::Delete { arn } => self.delete(&arn).await,
        }
    }

    fn made(&self, world: &World) -> Option<String> {
        self.wanted.made(world)
    }
}

impl Group {
    fn read(output: DescribeRuleGroupOutput) -> Option<Self> {
        let response = output.rule_group_response?;
        let tags = response.tags().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned()));
        Some(Self {
            arn: response.rule_group_arn().to_owned(),
            state: match response.rule_group_status() {
                Some(ResourceStatus::Deleting) => State::Going,
                Some(ResourceStatus::Error) => State::Broken,
                _ => State::There,
            },
            consumed: response.consumed_capacity().unwrap_or_default(),
            description: response.description().map(ToOwned::to_owned),
            tags: tags.collect(),
            rules: output.rule_group,
            token: output.update_token,
            changed_at: response.last_modified_time,
        })
    }
}

fn tag(key: &str, value: &str) -> Option<Tag> {
    Tag::builder().key(key).value(value).build().ok()
}

/// Whether a Create was refused since there is such a group. Only the message tells this
/// `InvalidRequestException` from the others.
fn exists(error: &impl ProvideErrorMetadata) -> bool {
    error.message().is_some_and(|message| message.contains("already exists"))
}

/// The content of a group in which nothing is granted.
fn nothing_granted() -> RuleGroup {
    let source = RulesSource::builder().rules_string(egress::rules::no_grants()).build();
    let options = StatefulRuleOptions::builder().rule_order(RuleOrder::StrictOrder).build();
    RuleGroup::builder().rules_source(source).stateful_rule_options(options).build()
}
