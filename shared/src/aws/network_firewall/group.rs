//! A rule group as AWS has it, and as we do.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_networkfirewall::error::BuildError;
use aws_sdk_networkfirewall::operation::describe_rule_group::DescribeRuleGroupOutput;
use aws_sdk_networkfirewall::types::{
    EncryptionConfiguration, EncryptionType, GeneratedRulesType, IpSet, IpSetReference, PortSet,
    ReferenceSets, RuleGroup as SdkRuleGroup, RuleGroupResponse, RuleOrder, RuleVariables, RulesSource,
    RulesSourceList, StatefulRuleOptions, TargetType,
};
use jiff::Timestamp;

use crate::firewall::{Content, FirewallError, RuleGroup, Settings, UpdateToken};

/// The answer of AWS in our own types.
pub(super) fn from_sdk(arn: &str, answer: DescribeRuleGroupOutput) -> Result<RuleGroup, FirewallError> {
    let group = answer.rule_group.ok_or_else(|| FirewallError::Shape(format!("{arn} is empty")))?;
    let response = answer.rule_group_response.as_ref();
    let mut settings = settings(&group, response);
    let source = group.rules_source.unwrap_or_else(|| RulesSource::builder().build());
    let content = match (source.rules_string, source.rules_source_list) {
        (Some(text), None) => Content::Rules(text),
        (None, Some(list)) if list.generated_rules_type == GeneratedRulesType::Allowlist => {
            settings.target_types =
                list.target_types.iter().map(|target| target.as_str().to_owned()).collect();
            Content::DomainList(list.targets.into_iter().collect())
        }
        (None, Some(list)) => {
            return Err(FirewallError::Shape(format!("{arn} is a {}", list.generated_rules_type)));
        }
        _ => {
            let what = format!("{arn} has neither Suricata rules nor a domain list");
            return Err(FirewallError::Shape(what));
        }
    };
    let units = |units: Option<i32>| units.and_then(|units| u64::try_from(units).ok()).unwrap_or_default();
    Ok(RuleGroup {
        arn: arn.to_owned(),
        token: UpdateToken(answer.update_token),
        content,
        settings,
        capacity: units(response.and_then(|response| response.capacity)),
        consumed: units(response.and_then(|response| response.consumed_capacity)),
        changed_at: response.and_then(changed_at),
    })
}

fn changed_at(response: &RuleGroupResponse) -> Option<Timestamp> {
    let time = response.last_modified_time?;
    Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?).ok()
}

fn settings(group: &SdkRuleGroup, response: Option<&RuleGroupResponse>) -> Settings {
    let (variables, references) = (group.rule_variables(), group.reference_sets());
    let encryption = response.and_then(|response| response.encryption_configuration());
    let order = group.stateful_rule_options().and_then(|options| options.rule_order());
    Settings {
        description: response.and_then(|response| response.description.clone()),
        ip_sets: sorted(variables.and_then(|sets| sets.ip_sets()), |set| set.definition().to_vec()),
        port_sets: sorted(variables.and_then(|sets| sets.port_sets()), |set| set.definition().to_vec()),
        ip_set_references: sorted(references.and_then(|sets| sets.ip_set_references()), |set| {
            set.reference_arn().unwrap_or_default().to_owned()
        }),
        rule_order: order.map(|order| order.as_str().to_owned()),
        encryption: encryption
            .filter(|encryption| encryption.r#type == EncryptionType::CustomerKms)
            .map(|encryption| (encryption.r#type.as_str().to_owned(), encryption.key_id.clone())),
        target_types: Vec::new(),
    }
}

fn sorted<V, W>(map: Option<&HashMap<String, V>>, value: impl Fn(&V) -> W) -> BTreeMap<String, W> {
    map.into_iter().flatten().map(|(name, set)| (name.clone(), value(set))).collect()
}

/// The whole rule group as AWS wants it back.
pub(super) fn to_sdk(group: &RuleGroup) -> Result<SdkRuleGroup, FirewallError> {
    let settings = &group.settings;
    let mut variables = RuleVariables::builder();
    for (name, definition) in &settings.ip_sets {
        let set = IpSet::builder().set_definition(Some(definition.clone())).build();
        variables = variables.ip_sets(name, set.map_err(wrong)?);
    }
    for (name, definition) in &settings.port_sets {
        variables =
            variables.port_sets(name, PortSet::builder().set_definition(Some(definition.clone())).build());
    }
    let mut references = ReferenceSets::builder();
    for (name, arn) in &settings.ip_set_references {
        references = references.ip_set_references(name, IpSetReference::builder().reference_arn(arn).build());
    }
    let has_variables = !settings.ip_sets.is_empty() || !settings.port_sets.is_empty();
    let order = settings
        .rule_order
        .as_deref()
        .map(|order| StatefulRuleOptions::builder().rule_order(RuleOrder::from(order)).build());
    Ok(SdkRuleGroup::builder()
        .rules_source(source_to_sdk(group)?)
        .set_rule_variables(has_variables.then(|| variables.build()))
        .set_reference_sets((!settings.ip_set_references.is_empty()).then(|| references.build()))
        .set_stateful_rule_options(order)
        .build())
}

fn source_to_sdk(group: &RuleGroup) -> Result<RulesSource, FirewallError> {
    let source = RulesSource::builder();
    match &group.content {
        Content::Rules(text) => Ok(source.rules_string(text).build()),
        Content::DomainList(targets) => {
            let types = group.settings.target_types.iter().map(|target| TargetType::from(target.as_str()));
            let list = RulesSourceList::builder()
                .set_targets(Some(targets.iter().cloned().collect()))
                .set_target_types(Some(types.collect()))
                .generated_rules_type(GeneratedRulesType::Allowlist)
                .build();
            Ok(source.rules_source_list(list.map_err(wrong)?).build())
        }
    }
}

/// The key as AWS wants it back.
pub(super) fn encryption_to_sdk(
    settings: &Settings,
) -> Result<Option<EncryptionConfiguration>, FirewallError> {
    let Some((key_type, key_id)) = &settings.encryption else { return Ok(None) };
    let key_type = EncryptionType::from(key_type.as_str());
    let key = EncryptionConfiguration::builder().r#type(key_type).set_key_id(key_id.clone()).build();
    key.map(Some).map_err(wrong)
}

/// A part of it is missing that AWS wants.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn wrong(error: BuildError) -> FirewallError {
    FirewallError::Shape(error.to_string())
}
