//! What a request about the users of a domain wants.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use crate::protocol::properties::{Properties, PropertyError, quoted, wrong};
use crate::protocol::request::{Request, RequestType};

/// What the physical id has before the domain's id.
const ID: &str = "studio-users-";
/// The same of one whose Create has not come to its end: then only what it has made itself is deleted.
const UNFINISHED_ID: &str = "studio-users-unfinished-";
/// The longest name of a user profile (SageMaker, `CreateUserProfile`).
const LONGEST_NAME: usize = 63;
/// The most security groups beside a user's own: of the five of a network interface, SageMaker adds one for
/// NFS, and that of the domain's settings (`UserSettings`: they are "aggregated").
/// <https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_UserSettings.html>
const MOST_GROUPS: usize = 2;
/// Names of `Data` that are no user's.
const TAKEN_NAMES: [&str; 2] = ["DomainId", "SecurityGroupIds"];

/// What the keys of the tags begin with by which a user's security group is known.
pub(super) const OWN_TAGS: &str = "studio-egress:";

/// What a request wants.
#[derive(Debug)]
pub(crate) enum Wanted {
    Present(Present),
    Cleared(Cleared),
    /// A Create has failed before it knew a domain.
    Nothing,
}

/// Those who are to be in the domain.
#[derive(Debug)]
pub(crate) struct Present {
    pub(crate) domain: String,
    pub(crate) vpc: String,
    /// In the order in which they were named.
    pub(crate) users: Vec<String>,
    /// Those who were named before an Update.
    pub(crate) before: BTreeSet<String>,
    pub(crate) settings: Settings,
    pub(crate) owner: Owner,
    /// Tags that the properties had, and have no more.
    pub(crate) dropped_tags: Vec<String>,
    /// What CloudFormation knows the resource by until now.
    known_as: Option<String>,
}

/// What is to be gone.
#[derive(Debug)]
pub(crate) struct Cleared {
    pub(crate) domain: String,
    pub(crate) vpc: Option<String>,
    pub(crate) owner: Owner,
    /// All that is in the domain; otherwise what a failed Create has made.
    pub(crate) whole: bool,
    /// What a later request has brought to its end stays: the Create that failed has been made good.
    pub(crate) unfinished_only: bool,
}

/// What each user profile is given, beside its own security group.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) execution_role: String,
    pub(crate) security_groups: Vec<String>,
    pub(crate) tags: BTreeMap<String, String>,
}

/// Whose users they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) stack: String,
    pub(crate) resource: String,
}

impl Wanted {
    pub(crate) fn read(request: &Request) -> Result<Self, PropertyError> {
        if request.kind != RequestType::Delete {
            return Ok(Self::Present(Present::read(request)?));
        }
        let known = |prefix| request.physical_resource_id.as_deref().and_then(|id| id.strip_prefix(prefix));
        let (whole, domain) = match (known(UNFINISHED_ID), known(ID)) {
            (Some(domain), _) => (false, Some(domain.to_owned())),
            (None, Some(domain)) => (true, Some(domain.to_owned())),
            (None, None) => (false, domain(&request.properties).ok()),
        };
        let owner = Owner::of(request);
        let vpc = vpc(&request.properties).ok();
        let unfinished_only = known(UNFINISHED_ID).is_some();
        let cleared = |domain| Self::Cleared(Cleared { domain, vpc, owner, whole, unfinished_only });
        Ok(domain.map_or(Self::Nothing, cleared))
    }

    /// The domain and the VPC that are to be looked at.
    pub(crate) fn place(&self) -> Option<(&str, Option<&str>)> {
        match self {
            Self::Present(present) => Some((&present.domain, Some(&present.vpc))),
            Self::Cleared(cleared) => Some((&cleared.domain, cleared.vpc.as_deref())),
            Self::Nothing => None,
        }
    }
}

impl Present {
    fn read(request: &Request) -> Result<Self, PropertyError> {
        let properties = &request.properties;
        let settings = Settings {
            execution_role: execution_role(properties)?,
            security_groups: security_groups(properties)?,
            tags: tags(properties)?,
        };
        let old = &request.old_properties;
        // What was wrong before is no reason to refuse what is right now.
        let mut dropped_tags: Vec<_> = old.tags("Tags").unwrap_or_default().into_keys().collect();
        dropped_tags.retain(|key| !settings.tags.contains_key(key));
        let domain = domain(properties)?;
        let same_domain = self::domain(old).is_ok_and(|old| old == domain);
        let before = old.list("UserProfileNames").ok().filter(|_| same_domain).unwrap_or_default();
        Ok(Self {
            domain,
            vpc: vpc(properties)?,
            users: users(properties)?,
            before: before.into_iter().collect(),
            settings,
            owner: Owner::of(request),
            dropped_tags,
            known_as: request.physical_resource_id.clone(),
        })
    }

    /// Another domain is another resource: the Delete of the old one clears the old domain.
    pub(crate) fn physical_id(&self) -> String {
        format!("{ID}{}", self.domain)
    }

    /// The id of what is there already while it isn't all.
    pub(crate) fn id_so_far(&self) -> String {
        let known = self.known_as.as_ref().filter(|known| **known == self.physical_id());
        known.cloned().unwrap_or_else(|| format!("{UNFINISHED_ID}{}", self.domain))
    }
}

impl Settings {
    /// The same for the same settings. It is kept as a tag of the user's security group.
    pub(crate) fn digest(&self) -> String {
        let mut hash = Sha256::new();
        let tags = self.tags.iter().flat_map(|(key, value)| [key, value]);
        let parts = std::iter::once(&self.execution_role).chain(&self.security_groups);
        for part in parts.map(Some).chain([None]).chain(tags.map(Some)) {
            hash.update(part.map_or(usize::MAX, String::len).to_be_bytes());
            hash.update(part.map_or("", String::as_str));
        }
        let digest = hex::encode(hash.finalize());
        digest.get(..16).unwrap_or(&digest).to_owned()
    }
}

impl Owner {
    fn of(request: &Request) -> Self {
        Self { stack: request.stack_id.clone(), resource: request.logical_resource_id.clone() }
    }
}

fn domain(properties: &Properties) -> Result<String, PropertyError> {
    let id = properties.text("DomainId")?;
    let is_id = |rest: &str| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if id.len() <= LONGEST_NAME && id.strip_prefix("d-").is_some_and(is_id) {
        return Ok(id);
    }
    Err(wrong("DomainId", format!("is {}: it must be the id of a domain of SageMaker's", quoted(&id))))
}

fn vpc(properties: &Properties) -> Result<String, PropertyError> {
    properties.resource_id("VpcId", "vpc-", "a VPC")
}

fn execution_role(properties: &Properties) -> Result<String, PropertyError> {
    let arn = properties.text("ExecutionRole")?;
    if arn.starts_with("arn:") && arn.contains(":role/") {
        return Ok(arn);
    }
    Err(wrong("ExecutionRole", format!("is {}: it must be the ARN of a role", quoted(&arn))))
}

fn security_groups(properties: &Properties) -> Result<Vec<String>, PropertyError> {
    let groups = properties.list("SecurityGroupIds")?;
    if groups.len() <= MOST_GROUPS {
        return Ok(groups);
    }
    let problem =
        format!("has {} entries: beside a user's own there is room for {MOST_GROUPS}", groups.len());
    Err(wrong("SecurityGroupIds", problem))
}

fn tags(properties: &Properties) -> Result<BTreeMap<String, String>, PropertyError> {
    let tags = properties.tags("Tags")?;
    match tags.keys().find(|key| key.starts_with(OWN_TAGS)) {
        None => Ok(tags),
        Some(key) => Err(wrong("Tags", format!("has {}: such keys are the function's own", quoted(key)))),
    }
}

fn users(properties: &Properties) -> Result<Vec<String>, PropertyError> {
    let users = properties.list("UserProfileNames")?;
    let mut seen = BTreeSet::new();
    for user in &users {
        if TAKEN_NAMES.contains(&user.as_str()) {
            let problem = format!("has {}: that is the name of something else in the answer", quoted(user));
            return Err(wrong("UserProfileNames", problem));
        }
        if !is_name(user) {
            let must = format!("must be letters, digits and inner hyphens, at most {LONGEST_NAME}");
            return Err(wrong("UserProfileNames", format!("has {}: a name {must}", quoted(user))));
        }
        // The tags by which SageMaker says whose a network interface is have the name in lower case.
        if !seen.insert(user.to_ascii_lowercase()) {
            let problem = format!("has {} twice; names that differ in case alone are the same", quoted(user));
            return Err(wrong("UserProfileNames", problem));
        }
    }
    Ok(users)
}

fn is_name(name: &str) -> bool {
    (1..=LONGEST_NAME).contains(&name.len())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && !name.starts_with('-')
        && !name.ends_with('-')
}
