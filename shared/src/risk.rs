//! How risky a request is, and what it would change: what an approver should know before deciding.
//!
//! [`assess`] says what the names alone say. Then [`Assessment::covered`] adds what lets them pass already, and
//! [`Assessment::would_have_let_through`] what was blocked of them. [`sentences`] says it all to people.

mod blocked;
mod words;

use std::cmp::Reverse;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::words::sentences;
use crate::config::Config;
use crate::domain::{DomainPattern, counted_under, shared_suffix, suffix_below};
use crate::request::{LiveGrant, RequestId};

/// The most that is listed of anything: an assessment is part of one item of the ledger, for each domain.
const MOST: usize = 10;

/// How much harm a domain can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Risk {
    /// One host of somebody known.
    #[default]
    Low,
    /// Every host below a name.
    Medium,
    /// Names that strangers share, and names that look like others.
    High,
}

/// What is known about a request before it is decided.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Assessment {
    /// The highest of its domains'.
    pub risk: Risk,
    /// Each domain, in the request's order.
    pub domains: Vec<DomainAssessment>,
    /// Whether its rules would fit into the firewall.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<Room>,
    /// What could not be found out, and why: sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
}

/// What is known about one domain of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainAssessment {
    /// The domain.
    pub domain: DomainPattern,
    /// How much harm it can do.
    pub risk: Risk,
    /// Why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// Narrower patterns that would have let everything pass that was blocked; none where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub narrower: Vec<DomainPattern>,
    /// What lets it pass already.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub covered_by: Vec<Cover>,
    /// What it would have let through; none where nothing was blocked, or nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked: Option<BlockedBefore>,
}

/// Something about a domain that an approver should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Finding {
    /// It opens every host below the name.
    Subdomains,
    /// It lies below a suffix where anybody can have a name (the Public Suffix List's private part).
    SharedHosting {
        /// The suffix.
        suffix: String,
    },
    /// It opens names below a public suffix, each of which may be somebody else's.
    AbovePublicSuffix {
        /// One of the suffixes that it opens; a `*` in it stands for any label.
        suffix: String,
    },
    /// A host where anybody can upload, by the operator's list.
    AnybodyCanUpload {
        /// The entry of the list.
        entry: DomainPattern,
    },
    /// It is read in letters beyond ASCII, which may look like others.
    International {
        /// How a person reads it.
        reads: String,
    },
}

/// What lets a domain pass already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Cover {
    /// A preset has it: whoever asks for that gets it at once.
    Preset {
        /// The preset's name.
        name: String,
    },
    /// A live grant.
    Grant {
        /// Its request.
        request_id: RequestId,
        /// Who asked for it.
        requester: String,
        /// When it ends.
        ends_at: Timestamp,
    },
}

/// What was blocked in the last days that a domain would let pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockedBefore {
    /// How many days were looked at.
    pub days: u32,
    /// How many connections.
    pub connections: u64,
    /// Whose, as far as alerts knew, the busiest first, at most ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<String>,
    /// How many those are in all.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub owner_count: usize,
    /// The addresses whose connections are nobody's that is known, the busiest first, at most ten.
    pub sources: Vec<String>,
    /// How many those are in all.
    pub source_count: usize,
    /// To which hosts, the busiest first, at most ten.
    pub hosts: Vec<String>,
    /// To how many hosts in all.
    pub host_count: usize,
    /// The last of them.
    pub last_seen: Timestamp,
}

/// Whether nothing has to be said of a number.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// The capacity that a request needs, and what is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// How many units of capacity its rules take that don't stand yet.
    pub needed: u64,
    /// How many units are left in all grants groups.
    pub left: u64,
    /// Whether AWS would take the rules, as a dry run of the update says.
    pub fits: bool,
}

/// What the names alone say. What the ledger and the firewall know is added to it by whoever can ask them.
pub fn assess(domains: &[DomainPattern], config: &Config) -> Assessment {
    let domains: Vec<_> = domains.iter().map(|domain| assess_domain(domain, config)).collect();
    let risk = domains.iter().map(|domain| domain.risk).max().unwrap_or_default();
    Assessment { risk, domains, ..Assessment::default() }
}

/// The name under which the ledger keeps what was blocked of a domain's hosts. It has all of them for whatever
/// can be asked for; only a pattern above public suffixes has hosts that are counted under other names.
pub fn registrable(domain: &DomainPattern) -> String {
    counted_under(domain.name())
}

impl Assessment {
    /// Says for each domain which presets and which live grants let it pass already, the grant that ends first
    /// last; the request's `own` grant doesn't count.
    pub fn covered(&mut self, live: &[LiveGrant], config: &Config, own: Option<&RequestId>) {
        for assessed in &mut self.domains {
            let presets = presets_with(&assessed.domain, config);
            assessed.covered_by =
                presets.chain(grants_with(&assessed.domain, live, own)).take(MOST).collect();
        }
    }
}

impl Finding {
    /// How much harm it makes possible.
    pub fn risk(&self) -> Risk {
        match self {
            Self::Subdomains => Risk::Medium,
            Self::SharedHosting { .. }
            | Self::AbovePublicSuffix { .. }
            | Self::AnybodyCanUpload { .. }
            | Self::International { .. } => Risk::High,
        }
    }
}

fn assess_domain(domain: &DomainPattern, config: &Config) -> DomainAssessment {
    let findings = findings(domain, config);
    DomainAssessment {
        domain: domain.clone(),
        risk: findings.iter().map(Finding::risk).max().unwrap_or_default(),
        findings,
        narrower: Vec::new(),
        covered_by: Vec::new(),
        blocked: None,
    }
}

fn findings(domain: &DomainPattern, config: &Config) -> Vec<Finding> {
    let name = domain.name();
    let uploads = &config.risk.anybody_can_upload;
    let upload = uploads.iter().find(|entry| entry.covers(domain) || domain.covers(entry));
    let international = name.split('.').any(|label| label.starts_with("xn--"));
    [
        domain.includes_subdomains().then_some(Finding::Subdomains),
        shared_suffix(name).map(|suffix| Finding::SharedHosting { suffix: suffix.to_owned() }),
        suffix_below(domain).map(|suffix| Finding::AbovePublicSuffix { suffix }),
        upload.map(|entry| Finding::AnybodyCanUpload { entry: entry.clone() }),
        international.then(|| Finding::International { reads: domain.to_unicode() }),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn presets_with(domain: &DomainPattern, config: &Config) -> impl Iterator<Item = Cover> {
    let with =
        config.presets.iter().filter(|(_, preset)| preset.domains.iter().any(|one| one.covers(domain)));
    with.map(|(name, _)| Cover::Preset { name: name.clone() })
}

fn grants_with(
    domain: &DomainPattern,
    live: &[LiveGrant],
    own: Option<&RequestId>,
) -> impl Iterator<Item = Cover> {
    let covers = |grant: &&LiveGrant| grant.domains.iter().any(|one| one.covers(domain));
    let others = live.iter().filter(|grant| own != Some(&grant.request_id));
    let mut grants: Vec<_> = others.filter(covers).collect();
    grants.sort_by_key(|grant| (Reverse(grant.ends_at), &grant.request_id));
    grants.into_iter().map(|grant| Cover::Grant {
        request_id: grant.request_id.clone(),
        requester: grant.requester.clone(),
        ends_at: grant.ends_at,
    })
}
