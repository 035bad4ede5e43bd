//! The firewall's rule group: read with its update token, written with that token, in sync or not.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How many connections can be ended with one operation, each by itself (the filters that `StartFlowFlush` takes).
pub const FLOWS_AT_ONCE: usize = 20;

/// What AWS gives out with each version of a rule group, and wants back with a write: a write with the
/// token of an older version is refused. That is the lock on which reconcile stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UpdateToken(pub String);

/// The content of a stateful rule group. Its shape decides how grants stand in it, not a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Suricata rules, all of them ours.
    Rules(String),
    /// A list of domains in which others have entries too.
    DomainList(BTreeSet<String>),
}

/// A rule group as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleGroup {
    /// Its ARN.
    pub arn: String,
    /// The token of this version.
    pub token: UpdateToken,
    /// What is in it.
    pub content: Content,
    /// What a write has to say again, since it replaces the whole group.
    pub settings: Settings,
    /// How many units of capacity it has.
    pub capacity: u64,
    /// How many units its content takes, as AWS counts; nobody knows after a change of it.
    pub consumed: u64,
    /// When it was last changed, by whomever.
    pub changed_at: Option<Timestamp>,
}

/// The grants groups, as they were read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RuleGroups {
    /// Those that could be read, in their configured order.
    pub groups: Vec<RuleGroup>,
    /// Those that couldn't, by their ARNs, and why.
    pub unreadable: BTreeMap<String, FirewallError>,
}

impl RuleGroups {
    /// All of them, or why one couldn't be read.
    pub fn all(self) -> Result<Vec<RuleGroup>, FirewallError> {
        match self.unreadable.into_values().next() {
            None => Ok(self.groups),
            Some(error) => Err(error),
        }
    }
}

/// What decides about a host beside the grants: a stateful rule group of the firewall's policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyGroup {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// What is in it.
    pub rules: PolicyRules,
}

/// The rules of a [`PolicyGroup`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyRules {
    /// Suricata rules.
    Text(String),
    /// A list of domains.
    DomainList {
        /// `ALLOWLIST`, `DENYLIST`, `REJECTLIST`, `ALERTLIST`.
        kind: String,
        /// The entries, as they stand there.
        targets: Vec<String>,
        /// What is compared: `TLS_SNI`, `HTTP_HOST`.
        target_types: Vec<String>,
    },
    /// Rules of another kind, or a group that can't be read: why it can't be judged.
    Other(String),
}

/// Connections from one address to one port of another, as the firewall knows them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Flow {
    /// Where they come from.
    pub source: IpAddr,
    /// Where they go to.
    pub destination: IpAddr,
    /// The destination's port.
    pub port: u16,
}

/// The rest of a rule group, which grants leave as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// Its description.
    pub description: Option<String>,
    /// The address sets that its rules name, e.g. `HOME_NET`.
    pub ip_sets: BTreeMap<String, Vec<String>>,
    /// The port sets that its rules name.
    pub port_sets: BTreeMap<String, Vec<String>>,
    /// The ARNs of the prefix lists and resource groups that its rules name.
    pub ip_set_references: BTreeMap<String, String>,
    /// `STRICT_ORDER` or `DEFAULT_ACTION_ORDER`.
    pub rule_order: Option<String>,
    /// In a domain list, what is compared: `TLS_SNI`, `HTTP_HOST`.
    pub target_types: Vec<String>,
    /// The type and id of the key that encrypts it, when it isn't AWS's own.
    pub encryption: Option<(String, Option<String>)>,
}

/// Why the firewall couldn't be read or changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FirewallError {
    /// Somebody else has written since the token was read: read again.
    #[error("the rule group has changed since it was read")]
    StaleToken,
    /// The content needs more than the rule group's capacity, which can't be changed.
    #[error(
        "the rule group is full: {0}; end grants that aren't needed, or deploy with a larger GrantCapacity"
    )]
    Full(String),
    /// AWS refuses the content for another reason. Trying again doesn't help.
    #[error("the firewall refuses the rules: {0}")]
    Refused(String),
    /// The rule group is of a shape that grants can't stand in (5-tuple or stateless rules, a deny list).
    #[error("the rule group can't hold grants: {0}")]
    Shape(String),
    /// AWS couldn't be reached, was busy, or the role lacks the permission. Trying again may help.
    #[error("the firewall can't be reached: {0}")]
    Unavailable(String),
}

/// The firewall, at the rule groups of it that hold grants.
pub trait Firewall {
    /// Reads the grants groups with their tokens.
    fn read(&self) -> impl Future<Output = RuleGroups> + Send;

    /// Replaces a whole rule group, if its token still is the newest; answers the new token.
    fn write(&self, group: &RuleGroup) -> impl Future<Output = Result<UpdateToken, FirewallError>> + Send;

    /// What [`Firewall::write`] would answer, without a change: how many units of capacity it would take.
    fn try_out(&self, group: &RuleGroup) -> impl Future<Output = Result<u64, FirewallError>> + Send;

    /// Whether every availability zone of the firewall works with these versions of the rule groups, by ARN.
    fn in_sync(
        &self,
        versions: &BTreeMap<String, UpdateToken>,
    ) -> impl Future<Output = Result<bool, FirewallError>> + Send;

    /// Ends open connections, any number; those that are still allowed are let pass when they come again.
    fn flush(&self, flows: &[Flow]) -> impl Future<Output = Result<(), FirewallError>> + Send;

    /// The stateful rule groups of the firewall's policy, in the order in which they decide.
    fn policy(&self) -> impl Future<Output = Result<Vec<PolicyGroup>, FirewallError>> + Send;

    /// Whether the firewall logs alerts, and so the uses of grants.
    fn logs_alerts(&self) -> impl Future<Output = Result<bool, FirewallError>> + Send;
}
