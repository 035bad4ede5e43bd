//! What the attempts of one reconcile do without, since AWS has refused it.

use std::collections::BTreeMap;

use crate::firewall::{FirewallError, RuleGroup};
use crate::request::{LiveGrant, RequestId};
use crate::rules::Refusal;

/// How many grants a rule group is spared, one after the other, before it takes nothing new at all.
const MOST_SUSPECTS: usize = 3;

/// What isn't tried any more, by the rule group's ARN.
#[derive(Debug, Default)]
pub(super) struct Without(BTreeMap<String, Refusal>);

impl Without {
    /// AWS has refused what was planned for a rule group. First it is spared the one grant that is the likely
    /// cause, which may stand in another; after some of them, it takes nothing new.
    pub(super) fn refuse(&mut self, rule_group: String, suspect: Option<RequestId>, error: &FirewallError) {
        let reason = error.to_string();
        tracing::warn!(rule_group, ?suspect, reason, "what was planned for the rule group is refused");
        let refusal = self.0.entry(rule_group).or_insert_with(|| Refusal::Grants(BTreeMap::new()));
        match (refusal, suspect) {
            (Refusal::Grants(grants), Some(suspect)) if grants.len() < MOST_SUSPECTS => {
                grants.insert(suspect, reason);
            }
            (refusal, _) => *refusal = Refusal::Everything(reason),
        }
    }

    /// Whether a rule group takes anything new.
    pub(super) fn is_open(&self, rule_group: &str) -> bool {
        !matches!(self.0.get(rule_group), Some(Refusal::Everything(_)))
    }

    /// The likely cause when AWS refuses these new patterns of a rule group: of the grants that never stood and that
    /// it wasn't spared yet, one that waits, else the newest. Two may share a pattern: then one comes after the other.
    pub(super) fn suspect(
        &self,
        rule_group: &str,
        live: &[LiveGrant],
        added: &[String],
    ) -> Option<RequestId> {
        let is_in =
            |grant: &&LiveGrant| grant.domains.iter().any(|domain| added.contains(&domain.to_string()));
        let spared = |grant: &&LiveGrant| match self.0.get(rule_group) {
            Some(Refusal::Grants(grants)) => grants.contains_key(&grant.request_id),
            _ => false,
        };
        let new = live.iter().filter(|grant| !grant.active && !spared(grant)).filter(is_in);
        let suspect = new.max_by_key(|grant| (grant.waits, grant.approved_at, &grant.request_id));
        suspect.map(|grant| grant.request_id.clone())
    }

    /// What rule groups don't take. As long as one can't be read, none takes anything new: what stands in that one
    /// would get a second place.
    pub(super) fn refused(
        &self,
        groups: &[RuleGroup],
        unreadable: &BTreeMap<String, FirewallError>,
    ) -> BTreeMap<String, Refusal> {
        let Some((arn, error)) = unreadable.first_key_value() else { return self.0.clone() };
        let reason = format!("the grants group {arn} can't be read, so nothing new is opened: {error}");
        groups.iter().map(|group| (group.arn.clone(), Refusal::Everything(reason.clone()))).collect()
    }
}
