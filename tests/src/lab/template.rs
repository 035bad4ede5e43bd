//! The policy that the templates deploy: the rules of `infra/firewall.yaml` and those that the functions
//! write into the grants' group, for these parameters.

use anyhow::{Context, Result, bail, ensure};
use egress::domain::DomainPattern;
use egress::request::RequestId;

use super::HOME_NET;
use super::policy::{DomainList, ListAction, Policy, Protocol, RuleGroup, Source};
use crate::granted::rules_for;

const TEMPLATE: &str = include_str!("../../../infra/firewall.yaml");

/// The template's parameters that decide what passes, and what is granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Template<'a> {
    /// `AllowedDomains`.
    pub allowed: &'a [&'a str],
    /// `DeniedDomains`.
    pub denied: &'a [&'a str],
    /// `BlockAction`.
    pub block: BlockAction,
    /// What the functions have granted; all of it for the request [`REQUEST`].
    pub granted: &'a [&'a str],
}

/// The template's `BlockAction`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockAction {
    /// The client is told.
    Reject,
    /// The client is left waiting.
    Drop,
}

/// The request that the granted domains are granted for.
pub const REQUEST: &str = "req-0123456789ab";

impl Template<'_> {
    /// The policy, its rule groups in the order of their priorities.
    pub fn policy(&self) -> Result<Policy> {
        let mut references = references()?;
        references.sort_unstable();
        let groups = references.into_iter().map(|(_, resource)| self.group(resource));
        Ok(Policy {
            home_net: Some(vec![HOME_NET.to_owned()]),
            default_actions: entries("StatefulDefaultActions:")?
                .iter()
                .map(|&entry| entry.to_owned())
                .collect(),
            groups: groups.filter_map(Result::transpose).collect::<Result<_>>()?,
            ..Policy::default()
        })
    }

    /// What a resource of the template becomes; nothing where its condition isn't met.
    fn group(&self, resource: &str) -> Result<Option<RuleGroup>> {
        let domains =
            |targets: &[&str]| (!targets.is_empty()).then(|| self.list(resource, targets)).transpose();
        match resource {
            "Guard" | "LastWord" => Ok(Some(RuleGroup::rules(resource, &self.text(resource)?))),
            "DenyList" => domains(self.denied),
            "Baseline" => domains(self.allowed),
            "Grants" => Ok(Some(RuleGroup::rules(resource, &self.grants()?))),
            // The operator's own: there are none by default.
            select if select.ends_with("!Ref AdditionalRuleGroupArns]") => Ok(None),
            other => bail!("the lab knows no rule group {other}"),
        }
    }

    fn grants(&self) -> Result<String> {
        let domains = self.granted.iter().map(|name| DomainPattern::parse(name)).collect::<Result<_, _>>()?;
        rules_for(RequestId::try_from(REQUEST.to_owned())?, domains).context("the rules have become a list")
    }

    /// The rules of a resource, as CloudFormation sends them.
    fn text(&self, resource: &str) -> Result<String> {
        let block = self.either("reject", "drop");
        let (_, text) = resource_of(resource)?.split_once("RulesString:").context("no RulesString")?;
        let (_, text) = text.split_once("|\n").context("the rules are no block")?;
        let indent = text.len() - text.trim_start().len();
        let own = text.lines().take_while(|line| line.trim().is_empty() || depth(line) >= indent);
        let lines: Vec<&str> = own.map(|line| line.get(indent..).unwrap_or_default()).collect();
        Ok(lines.join("\n").replace("${Block}", block))
    }

    /// A domain list as the template has it.
    fn list(&self, resource: &str, targets: &[&str]) -> Result<RuleGroup> {
        let text = resource_of(resource)?;
        let value = |key: &str| {
            let line = text.lines().find_map(|line| line.trim().strip_prefix(key));
            line.map(str::trim).with_context(|| format!("{resource} has no {key}"))
        };
        let action = match self.chosen(value("GeneratedRulesType:")?) {
            "ALLOWLIST" => ListAction::Allow,
            "DENYLIST" => ListAction::Deny,
            "REJECTLIST" => ListAction::Reject,
            other => bail!("{resource}: the lab has no list {other}"),
        };
        let protocols = value("TargetTypes:")?.trim_matches(['[', ']']).split(", ").map(|kind| match kind {
            "HTTP_HOST" => Ok(Protocol::HttpHost),
            "TLS_SNI" => Ok(Protocol::TlsSni),
            other => bail!("{resource}: the lab has no target type {other}"),
        });
        let list = DomainList {
            action,
            protocols: protocols.collect::<Result<_>>()?,
            targets: targets.iter().map(|&target| target.to_owned()).collect(),
        };
        Ok(RuleGroup { source: Source::Domains(list), ..RuleGroup::rules(resource, "") })
    }

    /// A value that may hang on `BlockAction`: `!If [Rejects, this, that]`.
    fn chosen(&self, value: &'static str) -> &'static str {
        let choice = value.strip_prefix("!If [Rejects, ").and_then(|rest| rest.strip_suffix(']'));
        choice.and_then(|both| both.split_once(", ")).map_or(value, |(this, that)| self.either(this, that))
    }

    fn either<'s>(&self, if_rejected: &'s str, if_dropped: &'s str) -> &'s str {
        match self.block {
            BlockAction::Reject => if_rejected,
            BlockAction::Drop => if_dropped,
        }
    }
}

/// The text of a resource of the template.
fn resource_of(name: &str) -> Result<&'static str> {
    let (_, rest) = TEMPLATE.split_once(&format!("\n  {name}:\n")).with_context(|| format!("no {name}"))?;
    let end = rest.lines().take_while(|line| line.trim().is_empty() || depth(line) > 2);
    let length = end.map(|line| line.len() + 1).sum::<usize>();
    Ok(rest.get(..length).unwrap_or(rest))
}

/// The policy's rule groups: each one's priority and resource.
fn references() -> Result<Vec<(u16, &'static str)>> {
    let (mut found, mut priority) = (Vec::new(), None);
    for line in entries("StatefulRuleGroupReferences:")? {
        if let Some(number) = line.strip_prefix("Priority: ") {
            priority = Some(number.parse()?);
        } else if let Some(arn) = line.strip_prefix("ResourceArn: ") {
            let name = arn.trim_start_matches("!Ref ").trim_start_matches("!GetAtt ");
            let name = name.split('.').next().unwrap_or(name);
            found.push((priority.take().context("a rule group without a priority")?, name));
        }
    }
    ensure!(!found.is_empty(), "the policy has no rule groups");
    Ok(found)
}

/// What stands below a key of the policy, a line an entry.
fn entries(key: &str) -> Result<Vec<&'static str>> {
    let mut lines = resource_of("Policy")?.lines().skip_while(|line| line.trim() != key);
    let depth_of_key = depth(lines.next().with_context(|| format!("the policy has no {key}"))?);
    let below = lines.take_while(|line| depth(line) > depth_of_key);
    Ok(below.map(|line| line.trim().trim_start_matches("- ")).collect())
}

fn depth(line: &str) -> usize {
    line.len() - line.trim_start().len()
}
