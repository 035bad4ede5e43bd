//! What is to be done for the rule group of grants: the decisions, without a call.

use std::collections::BTreeMap;

use aws_sdk_networkfirewall::primitives::DateTime;
use aws_sdk_networkfirewall::types::{RuleGroup, RuleVariables};

use super::super::Next;
use super::variables;
use crate::protocol::answer::Done;
use crate::protocol::properties::{PropertyError, quoted, wrong};
use crate::protocol::request::{Request, RequestType};

/// The largest capacity that AWS gives a rule group.
const LARGEST_CAPACITY: i32 = 30_000;

/// The longest name that leaves room for the capacity (AWS: 128 characters).
const LONGEST_NAME: usize = 120;

/// The longest value of a tag.
const LONGEST_TAG: usize = 256;

/// By these tags a group is known as this resource's own, before CloudFormation has heard of it.
const STACK_TAG: &str = "studio-egress:stack";
const RESOURCE_TAG: &str = "studio-egress:resource";

const DESCRIPTION: &str =
    "Domains that were asked for and allowed, for a time. Written by a function, not by hand.";

/// What a request wants.
#[derive(Debug)]
pub(crate) enum Wanted {
    Present(Box<Present>),
    /// The group that CloudFormation knows is to go.
    AbsentArn(String),
    /// A Create has failed: what it may have made is to go.
    AbsentName {
        name: String,
        owner: Owner,
    },
    /// A Create has failed before it could make anything.
    Nothing,
}

/// The group that there is to be.
#[derive(Debug)]
pub(crate) struct Present {
    pub(super) name: String,
    capacity: i32,
    description: String,
    /// What the group's variables are to be, none of them or some; left out, they stay as they are.
    variables: Option<RuleVariables>,
    owner: Owner,
    tags: BTreeMap<String, String>,
    /// Tags that the properties had, and have no more.
    dropped_tags: Vec<String>,
    /// What CloudFormation knows the group by until now.
    known_as: Option<String>,
}

/// Whose group it is.
#[derive(Debug)]
pub(crate) struct Owner {
    stack: String,
    resource: String,
}

/// What there is.
#[derive(Debug, Default)]
pub(crate) struct World {
    /// The group that the request is about.
    pub(crate) target: Option<Group>,
    /// The group whose place it takes.
    pub(crate) current: Option<Group>,
}

/// A rule group, as far as it matters here.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) arn: String,
    pub(crate) state: State,
    pub(crate) consumed: i32,
    pub(crate) description: Option<String>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) rules: Option<RuleGroup>,
    pub(crate) token: String,
    pub(crate) changed_at: Option<DateTime>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    There,
    Going,
    Broken,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    Create {
        name: String,
        capacity: i32,
        content: Content,
    },
    /// With the token that the group had when it was looked at: what is written to it since then stays.
    TakeOver {
        arn: String,
        from: String,
        token: String,
    },
    /// The same rules, with the description and the variables that are wanted.
    Rewrite {
        arn: String,
    },
    Tag {
        arn: String,
        tags: BTreeMap<String, String>,
    },
    Untag {
        arn: String,
        keys: Vec<String>,
    },
    Delete {
        arn: String,
    },
}

/// What a new group starts with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    NothingGranted,
    /// The rules of this group.
    Of(String),
}

impl Wanted {
    pub(crate) fn read(request: &Request) -> Result<Self, PropertyError> {
        if request.kind != RequestType::Delete {
            return Ok(Self::Present(Box::new(Present::read(request)?)));
        }
        Ok(match (&request.physical_resource_id, Present::read(request)) {
            (Some(id), _) if id.starts_with("arn:") => Self::AbsentArn(id.clone()),
            (_, Ok(present)) => Self::AbsentName { name: present.name, owner: present.owner },
            (_, Err(_)) => Self::Nothing,
        })
    }

    pub(crate) fn next(&self, world: &World) -> Next<Act> {
        let (target, owned) = match (self, &world.target) {
            (Self::Present(present), target) => return present.next(target.as_ref(), world.current.as_ref()),
            (_, None) | (Self::Nothing, _) => return Next::Done(Done::default()),
            (Self::AbsentArn(_), Some(target)) => (target, true),
            (Self::AbsentName { owner, .. }, Some(target)) => (target, owner.owns(target)),
        };
        if !owned {
            return Next::Done(Done::default());
        }
        match target.state {
            State::Going => Next::Wait(format!("{} is being deleted", target.arn)),
            State::There | State::Broken => Next::Act(Act::Delete { arn: target.arn.clone() }),
        }
    }

    /// The group whose place the target takes or has taken.
    pub(crate) fn replaces(&self, target: Option<&Group>) -> Option<&str> {
        let Self::Present(present) = self else { return None };
        let known = present.known_as.as_deref()?;
        let other = known.starts_with("arn:") && target.is_none_or(|target| target.arn != known);
        other.then_some(known)
    }

    pub(crate) fn made(&self, world: &World) -> Option<String> {
        let Self::Present(present) = self else { return None };
        world.target.as_ref().filter(|target| present.owns(target)).map(|target| target.arn.clone())
    }

    pub(crate) fn description(&self) -> Option<&str> {
        if let Self::Present(present) = self { Some(&present.description) } else { None }
    }

    /// A group's content, with the variables that are wanted.
    pub(crate) fn with_variables(&self, mut rules: RuleGroup) -> RuleGroup {
        let Self::Present(present) = self else { return rules };
        if let Some(wanted) = &present.variables {
            rules.rule_variables = Some(wanted.clone()).filter(|wanted| !variables::same(wanted, None));
        }
        rules
    }

    pub(crate) fn tags(&self) -> impl Iterator<Item = (&str, &str)> {
        let tags = if let Self::Present(present) = self { Some(&present.tags) } else { None };
        tags.into_iter().flatten().map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

impl Present {
    fn read(request: &Request) -> Result<Self, PropertyError> {
        let properties = &request.properties;
        let name = properties.text("RuleGroupName")?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if name.len() > LONGEST_NAME || !name.chars().all(allowed) {
            let problem = format!(
                "is {}: it must be letters, digits and hyphens, at most {LONGEST_NAME}",
                quoted(&name)
            );
            return Err(wrong("RuleGroupName", problem));
        }
        let capacity = properties.number("Capacity", 1..=LARGEST_CAPACITY)?;
        let owner = Owner::of(request);
        let mut tags = properties.tags("Tags")?;
        tags.extend(owner.tags());
        // What was wrong before is no reason to refuse what is right now.
        let mut dropped_tags: Vec<_> =
            request.old_properties.tags("Tags").unwrap_or_default().into_keys().collect();
        dropped_tags.retain(|key| !tags.contains_key(key));
        Ok(Self {
            name: format!("{name}-c{capacity}"),
            capacity,
            description: properties.optional_text("Description")?.unwrap_or_else(|| DESCRIPTION.to_owned()),
            variables: variables::read(properties, &request.old_properties)?,
            owner,
            tags,
            dropped_tags,
            known_as: request.physical_resource_id.clone(),
        })
    }

    fn next(&self, target: Option<&Group>, current: Option<&Group>) -> Next<Act> {
        let Some(target) = target else { return self.create(current) };
        let arn = target.arn.clone();
        if !self.owns(target) {
            return Next::Failed(format!(
                "there is a rule group {arn} already, and it isn't this stack's: delete it, or choose another RuleGroupName"
            ));
        }
        let differs = |(key, value): &(&String, &String)| target.tags.get(*key) != Some(*value);
        let missing: BTreeMap<_, _> =
            self.tags.iter().filter(differs).map(|(key, value)| (key.clone(), value.clone())).collect();
        let keys: Vec<_> =
            self.dropped_tags.iter().filter(|key| target.tags.contains_key(*key)).cloned().collect();
        // First of all: whatever else is done to the group is a change of it, too.
        let behind = |current: &&Group| target.state == State::There && target.is_behind(current);
        if let Some(current) = current.filter(behind) {
            return self.take_over(target, current);
        }
        match target.state {
            State::Going => {
                Next::Wait(format!("{arn}, the one before this of the same name, is being deleted"))
            }
            State::Broken => Next::Failed(format!("AWS reports {arn} as being in the state ERROR")),
            State::There if !missing.is_empty() => Next::Act(Act::Tag { arn, tags: missing }),
            State::There if !keys.is_empty() => Next::Act(Act::Untag { arn, keys }),
            State::There if !self.describes(target) => Next::Act(Act::Rewrite { arn }),
            State::There => Next::Done(self.done(arn)),
        }
    }

    /// A new group, with the rules of the one that it replaces if they fit into it.
    fn create(&self, current: Option<&Group>) -> Next<Act> {
        let content = match current {
            Some(current) if !self.holds(current) => return Next::Failed(self.too_small_for(current)),
            Some(Group { arn, state: State::There, .. }) => Content::Of(arn.clone()),
            _ => Content::NothingGranted,
        };
        Next::Act(Act::Create { name: self.name.clone(), capacity: self.capacity, content })
    }

    /// The rules of the group that it replaces for one that was there before, if they fit into it.
    fn take_over(&self, target: &Group, current: &Group) -> Next<Act> {
        if !self.holds(current) {
            return Next::Failed(self.too_small_for(current));
        }
        let (arn, token) = (target.arn.clone(), target.token.clone());
        Next::Act(Act::TakeOver { arn, from: current.arn.clone(), token })
    }

    /// Whether the group has the description and the variables that are wanted.
    fn describes(&self, target: &Group) -> bool {
        let has = target.rules.as_ref().and_then(RuleGroup::rule_variables);
        let wanted = self.variables.as_ref();
        target.description.as_ref() == Some(&self.description)
            && wanted.is_none_or(|wanted| variables::same(wanted, has))
    }

    fn holds(&self, current: &Group) -> bool {
        current.consumed <= self.capacity
    }

    fn too_small_for(&self, Group { arn, consumed, .. }: &Group) -> String {
        format!(
            "the property Capacity is {}, and what is granted now takes {consumed} of {arn}: give it more, or end grants first",
            self.capacity
        )
    }

    /// Whether the group is the one that CloudFormation knows, or says itself that it is of this resource.
    fn owns(&self, group: &Group) -> bool {
        self.known_as.as_ref() == Some(&group.arn) || self.owner.owns(group)
    }

    fn done(&self, arn: String) -> Done {
        let data = [
            ("RuleGroupArn", arn.clone()),
            ("RuleGroupName", self.name.clone()),
            ("Capacity", self.capacity.to_string()),
        ];
        let data = data.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Done { physical_id: Some(arn), data, ..Done::default() }
    }
}

impl Group {
    /// Whether the group has other rules than the one whose place it takes, and isn't the one of the two
    /// that was changed last.
    fn is_behind(&self, current: &Self) -> bool {
        let newer = self.changed_at.zip(current.changed_at).is_some_and(|(own, other)| own > other);
        let source = |group: &Self| group.rules.as_ref().and_then(|rules| rules.rules_source().cloned());
        source(self) != source(current) && !newer
    }
}

impl Owner {
    fn of(request: &Request) -> Self {
        let cut = |text: &str| text.chars().take(LONGEST_TAG).collect();
        Self { stack: cut(&request.stack_id), resource: cut(&request.logical_resource_id) }
    }

    fn tags(&self) -> [(String, String); 2] {
        [(STACK_TAG.to_owned(), self.stack.clone()), (RESOURCE_TAG.to_owned(), self.resource.clone())]
    }

    fn owns(&self, group: &Group) -> bool {
        self.tags().iter().all(|(key, value)| group.tags.get(key) == Some(value))
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_networkfirewall::types::RulesSource;
    use serde_json::json;

    use super::*;

    fn wanted(request_type: &str, id: Option<&str>, capacity: &str) -> Wanted {
        let request = Request::read(json!({
            "RequestType": request_type, "StackId": "stack", "LogicalResourceId": "Grants", "PhysicalResourceId": id,
            "ResourceProperties": {"RuleGroupName": "grants", "Capacity": capacity},
        }));
        Wanted::read(&request).unwrap()
    }

    fn group(arn: &str, state: State) -> Group {
        let tags =
            [(STACK_TAG, "stack"), (RESOURCE_TAG, "Grants")].map(|(key, value)| (key.into(), value.into()));
        Group {
            arn: arn.into(),
            state,
            consumed: 50,
            description: Some(DESCRIPTION.into()),
            tags: tags.into(),
            rules: None,
            token: "token".into(),
            changed_at: None,
        }
    }

    fn world(target: Option<Group>, current: Option<Group>) -> World {
        World { target, current }
    }

    #[test]
    fn a_group_that_is_going_is_waited_for() {
        let going = world(Some(group("arn:a", State::Going)), None);
        assert!(matches!(wanted("Create", None, "100").next(&going), Next::Wait(_)));
        assert!(matches!(wanted("Delete", Some("arn:a"), "100").next(&going), Next::Wait(_)));
    }

    #[test]
    fn a_broken_group_is_told_and_can_be_deleted() {
        let broken = world(Some(group("arn:a", State::Broken)), None);
        assert!(matches!(wanted("Create", None, "100").next(&broken), Next::Failed(_)));
        let delete = Next::Act(Act::Delete { arn: "arn:a".into() });
        assert_eq!(wanted("Delete", Some("arn:a"), "100").next(&broken), delete);
    }

    #[test]
    fn a_group_that_lost_its_tags_is_still_the_one_that_the_stack_knows() {
        let untagged = Group { tags: BTreeMap::new(), ..group("arn:a", State::There) };
        let next = wanted("Update", Some("arn:a"), "100").next(&world(Some(untagged.clone()), None));
        assert!(matches!(next, Next::Act(Act::Tag { .. })), "{next:?}");
        assert!(matches!(wanted("Create", None, "100").next(&world(Some(untagged), None)), Next::Failed(_)));
    }

    #[test]
    fn the_rules_are_taken_over_when_they_fit_exactly() {
        let current = world(None, Some(group("arn:old", State::There)));
        let content = Content::Of("arn:old".into());
        let create = Next::Act(Act::Create { name: "grants-c50".into(), capacity: 50, content });
        assert_eq!(wanted("Update", Some("arn:old"), "50").next(&current), create);
        assert!(matches!(wanted("Update", Some("arn:old"), "49").next(&current), Next::Failed(_)));
    }

    fn changed(arn: &str, rules: &str, second: Option<i64>) -> Group {
        let source = RulesSource::builder().rules_string(rules).build();
        let rules = Some(RuleGroup::builder().rules_source(source).build());
        Group { rules, changed_at: second.map(DateTime::from_secs), ..group(arn, State::There) }
    }

    #[test]
    fn a_group_that_was_there_takes_the_rules_over_unless_it_was_changed_later() {
        let next = |rules: &str, second, current| {
            let world =
                world(Some(changed("arn:a", rules, second)), Some(changed("arn:old", "now", current)));
            wanted("Update", Some("arn:old"), "100").next(&world)
        };
        let take_over =
            Next::Act(Act::TakeOver { arn: "arn:a".into(), from: "arn:old".into(), token: "token".into() });
        for (second, current) in [(Some(1), Some(2)), (Some(2), Some(2)), (None, Some(2)), (Some(1), None)] {
            assert_eq!(next("before", second, current), take_over, "{second:?} {current:?}");
        }
        assert!(matches!(next("before", Some(3), Some(2)), Next::Done(_)));
        assert!(matches!(next("now", Some(1), Some(2)), Next::Done(_)));
    }

    #[test]
    fn a_group_that_is_gone_is_made_again_without_rules() {
        let content = Content::NothingGranted;
        let create = Next::Act(Act::Create { name: "grants-c50".into(), capacity: 50, content });
        assert_eq!(wanted("Update", Some("arn:old"), "50").next(&world(None, None)), create);
    }

    #[test]
    fn a_failure_names_the_group_that_is_there_already() {
        let there = world(Some(group("arn:a", State::Broken)), None);
        assert_eq!(wanted("Create", None, "100").made(&there).as_deref(), Some("arn:a"));
        assert_eq!(wanted("Create", None, "100").made(&world(None, None)), None);
        assert_eq!(wanted("Delete", Some("arn:a"), "100").made(&there), None);
    }
}
