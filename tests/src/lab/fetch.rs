//! A firewall's policy as AWS gives it, read into [`Policy`].

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use aws_sdk_networkfirewall::Client;
use aws_sdk_networkfirewall::types::{
    GeneratedRulesType, RuleGroup as AwsRuleGroup, RuleOrder, RuleVariables, RulesSourceList,
    StatefulRuleGroupReference, TargetType,
};

use super::policy::{DomainList, ListAction, Order, Policy, Protocol, RuleGroup, Source};

/// Reads the policy of the firewall `name`: `DescribeFirewall`, `DescribeFirewallPolicy`, and
/// a `DescribeRuleGroup` for each group in the order of their priorities.
pub async fn fetch(client: &Client, name: &str) -> Result<Policy> {
    let answer = client
        .describe_firewall()
        .firewall_name(name)
        .send()
        .await
        .with_context(|| format!("DescribeFirewall {name}"))?;
    let arn = answer.firewall().context("DescribeFirewall: no firewall")?.firewall_policy_arn();
    let answer = client
        .describe_firewall_policy()
        .firewall_policy_arn(arn)
        .send()
        .await
        .with_context(|| format!("DescribeFirewallPolicy {arn}"))?;
    let policy = answer.firewall_policy().context("DescribeFirewallPolicy: no policy")?;
    let order = match policy.stateful_engine_options().and_then(|options| options.rule_order()) {
        Some(RuleOrder::StrictOrder) => Order::Strict,
        Some(RuleOrder::DefaultActionOrder) | None => Order::Action,
        Some(other) => bail!("the lab knows no rule order {}", other.as_str()),
    };

    let mut references = policy.stateful_rule_group_references().to_vec();
    references.sort_by_key(StatefulRuleGroupReference::priority);
    let mut groups = Vec::new();
    for reference in &references {
        groups.push(rule_group(client, reference.resource_arn()).await?);
    }
    let variables = policy.policy_variables().and_then(|variables| variables.rule_variables());
    Ok(Policy {
        order,
        home_net: variables.and_then(|sets| sets.get("HOME_NET")).map(|set| set.definition().to_vec()),
        default_actions: policy.stateful_default_actions().to_vec(),
        groups,
    })
}

async fn rule_group(client: &Client, arn: &str) -> Result<RuleGroup> {
    let answer = client
        .describe_rule_group()
        .rule_group_arn(arn)
        .send()
        .await
        .with_context(|| format!("DescribeRuleGroup {arn}"))?;
    let group = answer.rule_group().context("DescribeRuleGroup: no rule group")?;
    Ok(RuleGroup {
        name: arn.to_owned(),
        variables: group.rule_variables().map(variables).unwrap_or_default(),
        source: source(group).with_context(|| format!("rule group {arn}"))?,
    })
}

fn variables(sets: &RuleVariables) -> BTreeMap<String, Vec<String>> {
    let addresses = sets.ip_sets().into_iter().flatten();
    let ports = sets.port_sets().into_iter().flatten();
    addresses
        .map(|(name, set)| (name.clone(), set.definition().to_vec()))
        .chain(ports.map(|(name, set)| (name.clone(), set.definition().to_vec())))
        .collect()
}

fn source(group: &AwsRuleGroup) -> Result<Source> {
    let source = group.rules_source().context("no rules source")?;
    if let Some(text) = source.rules_string() {
        return Ok(Source::Rules(text.to_owned()));
    }
    if let Some(list) = source.rules_source_list() {
        return Ok(Source::Domains(domain_list(list)?));
    }
    if !source.stateful_rules().is_empty() {
        let rules = source.stateful_rules().iter().map(five_tuple);
        return Ok(Source::Rules(rules.collect::<Result<Vec<_>>>()?.join("\n")));
    }
    bail!("neither rules, nor a domain list, nor 5-tuple rules")
}

fn domain_list(list: &RulesSourceList) -> Result<DomainList> {
    let protocol = |kind: &TargetType| match kind {
        TargetType::HttpHost => Ok(Protocol::HttpHost),
        TargetType::TlsSni => Ok(Protocol::TlsSni),
        other => bail!("the lab has no rules for the target type {}", other.as_str()),
    };
    Ok(DomainList {
        action: match list.generated_rules_type() {
            GeneratedRulesType::Allowlist => ListAction::Allow,
            GeneratedRulesType::Denylist => ListAction::Deny,
            GeneratedRulesType::Rejectlist => ListAction::Reject,
            GeneratedRulesType::Alertlist => ListAction::Alert,
            other => bail!("the lab has no rules for the list type {}", other.as_str()),
        },
        protocols: list.target_types().iter().map(protocol).collect::<Result<_>>()?,
        targets: list.targets().to_vec(),
    })
}

/// A rule of Network Firewall's own 5-tuple form, in Suricata's language.
fn five_tuple(rule: &aws_sdk_networkfirewall::types::StatefulRule) -> Result<String> {
    let header = rule.header().context("a 5-tuple rule without a header")?;
    let arrow = if header.direction().as_str() == "ANY" { "<>" } else { "->" };
    let options: String = rule
        .rule_options()
        .iter()
        .map(|option| match option.settings() {
            [] => format!("{}; ", option.keyword()),
            settings => format!("{}:{}; ", option.keyword(), settings.join(",")),
        })
        .collect();
    Ok(format!(
        "{} {} {} {} {arrow} {} {} ({})",
        rule.action().as_str().to_lowercase(),
        header.protocol().as_str().to_lowercase(),
        any(header.source()),
        any(header.source_port()),
        any(header.destination()),
        any(header.destination_port()),
        options.trim_end()
    ))
}

fn any(field: &str) -> &str {
    if field == "ANY" { "any" } else { field }
}
