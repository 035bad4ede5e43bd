//! The firewall on AWS Network Firewall: one rule group of one firewall.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_networkfirewall::Client;
use aws_sdk_networkfirewall::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_networkfirewall::operation::describe_rule_group::DescribeRuleGroupOutput;
use aws_sdk_networkfirewall::types::{
    EncryptionConfiguration, EncryptionType, GeneratedRulesType, IpSet, IpSetReference, PerObjectSyncStatus,
    PortSet, ReferenceSets, RuleGroup as SdkRuleGroup, RuleOrder, RuleVariables, RulesSource,
    RulesSourceList, StatefulRuleOptions, TargetType,
};

use super::with_causes;
use crate::firewall::{Content, Firewall, FirewallError, RuleGroup, Settings, UpdateToken};

/// The longest text of rules, in bytes
/// (<https://docs.aws.amazon.com/network-firewall/latest/developerguide/quotas.html>).
const LONGEST_RULES: usize = 2_000_000;

/// One stateful rule group, and the firewall that works with it.
#[derive(Debug, Clone)]
pub struct NetworkFirewall {
    client: Client,
    rule_group_arn: String,
    firewall_arn: String,
}

impl NetworkFirewall {
    /// The rule group that grants are written to, and the firewall that is asked whether it is in sync.
    pub fn new(client: Client, rule_group_arn: String, firewall_arn: String) -> Self {
        Self { client, rule_group_arn, firewall_arn }
    }
}

impl Firewall for NetworkFirewall {
    async fn read(&self) -> Result<RuleGroup, FirewallError> {
        let answer = self.client.describe_rule_group().rule_group_arn(&self.rule_group_arn).send().await;
        rule_group(answer.map_err(|error| classify(&error))?)
    }

    async fn write(&self, group: &RuleGroup) -> Result<UpdateToken, FirewallError> {
        if let Content::Rules(text) = &group.content
            && text.len() > LONGEST_RULES
        {
            let (needed, limit) = (text.len(), LONGEST_RULES);
            return Err(FirewallError::Full(format!("the rules take {needed} bytes, and {limit} fit")));
        }
        let encryption = group.settings.encryption.as_ref().map(|(key_type, key_id)| {
            EncryptionConfiguration::builder()
                .r#type(EncryptionType::from(key_type.as_str()))
                .set_key_id(key_id.clone())
                .build()
        });
        let answer = self
            .client
            .update_rule_group()
            .rule_group_arn(&self.rule_group_arn)
            .update_token(&group.token.0)
            .rule_group(sdk_rule_group(group)?)
            .set_description(group.settings.description.clone())
            .set_encryption_configuration(
                encryption.transpose().map_err(|error| FirewallError::Shape(error.to_string()))?,
            )
            .send()
            .await
            .map_err(|error| classify(&error))?;
        Ok(UpdateToken(answer.update_token().to_owned()))
    }

    async fn in_sync(&self, token: &UpdateToken) -> Result<bool, FirewallError> {
        let answer = self.client.describe_firewall().firewall_arn(&self.firewall_arn).send().await;
        let answer = answer.map_err(|error| classify(&error))?;
        let zones = answer.firewall_status().and_then(|status| status.sync_states());
        // A zone's `UpdateToken` is the version that its status speaks of.
        let holds = |zone: &aws_sdk_networkfirewall::types::SyncState| {
            zone.config().and_then(|config| config.get(&self.rule_group_arn)).is_some_and(|object| {
                object.sync_status() == Some(&PerObjectSyncStatus::InSync)
                    && object.update_token() == Some(&token.0)
            })
        };
        Ok(zones.is_some_and(|zones| !zones.is_empty() && zones.values().all(holds)))
    }
}

/// What an error means for those who wait. Network Firewall tells the causes of an
/// `InvalidRequestException` apart only by its message.
fn classify<E, R>(error: &SdkError<E, R>) -> FirewallError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    let message = error.message().unwrap_or_default();
    match error.code() {
        Some("InvalidTokenException") => FirewallError::StaleToken,
        Some("InvalidRequestException") if message.contains("capacity exceeded") => {
            FirewallError::Full(message.to_owned())
        }
        Some("InvalidRequestException") => FirewallError::Refused(message.to_owned()),
        _ => FirewallError::Unavailable(with_causes(error)),
    }
}

/// The answer of AWS in our own types.
fn rule_group(answer: DescribeRuleGroupOutput) -> Result<RuleGroup, FirewallError> {
    let token = UpdateToken(answer.update_token);
    let response = answer.rule_group_response;
    let group = answer.rule_group.ok_or_else(|| FirewallError::Shape("it is empty".to_owned()))?;
    let mut settings = Settings {
        description: response.as_ref().and_then(|response| response.description.clone()),
        rule_order: group
            .stateful_rule_options
            .and_then(|options| options.rule_order)
            .map(|order| order.as_str().to_owned()),
        encryption: response
            .and_then(|response| response.encryption_configuration)
            .filter(|encryption| encryption.r#type == EncryptionType::CustomerKms)
            .map(|encryption| (encryption.r#type.as_str().to_owned(), encryption.key_id)),
        ..Settings::default()
    };
    if let Some(variables) = group.rule_variables {
        settings.ip_sets = sorted(variables.ip_sets, |set| set.definition);
        settings.port_sets = sorted(variables.port_sets, |set| set.definition.unwrap_or_default());
    }
    if let Some(references) = group.reference_sets {
        settings.ip_set_references =
            sorted(references.ip_set_references, |set| set.reference_arn.unwrap_or_default());
    }
    let source = group.rules_source.unwrap_or_else(|| RulesSource::builder().build());
    let content = match (source.rules_string, source.rules_source_list) {
        (Some(text), None) => Content::Rules(text),
        (None, Some(list)) if list.generated_rules_type == GeneratedRulesType::Allowlist => {
            settings.target_types =
                list.target_types.iter().map(|target| target.as_str().to_owned()).collect();
            Content::DomainList(list.targets.into_iter().collect())
        }
        (None, Some(list)) => {
            return Err(FirewallError::Shape(format!("it is a {}", list.generated_rules_type)));
        }
        _ => return Err(FirewallError::Shape("it has neither Suricata rules nor a domain list".to_owned())),
    };
    Ok(RuleGroup { token, content, settings })
}

/// The whole rule group as AWS wants it back.
fn sdk_rule_group(group: &RuleGroup) -> Result<SdkRuleGroup, FirewallError> {
    let wrong = |error: aws_sdk_networkfirewall::error::BuildError| FirewallError::Shape(error.to_string());
    let settings = &group.settings;
    let source = match &group.content {
        Content::Rules(text) => RulesSource::builder().rules_string(text).build(),
        Content::DomainList(targets) => {
            let types =
                settings.target_types.iter().map(|target| TargetType::from(target.as_str())).collect();
            let list = RulesSourceList::builder()
                .set_targets(Some(targets.iter().cloned().collect()))
                .set_target_types(Some(types))
                .generated_rules_type(GeneratedRulesType::Allowlist)
                .build()
                .map_err(wrong)?;
            RulesSource::builder().rules_source_list(list).build()
        }
    };
    let mut variables = RuleVariables::builder();
    for (name, definition) in &settings.ip_sets {
        variables = variables
            .ip_sets(name, IpSet::builder().set_definition(Some(definition.clone())).build().map_err(wrong)?);
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
        .rules_source(source)
        .set_rule_variables(has_variables.then(|| variables.build()))
        .set_reference_sets((!settings.ip_set_references.is_empty()).then(|| references.build()))
        .set_stateful_rule_options(order)
        .build())
}

fn sorted<V, W>(map: Option<HashMap<String, V>>, value: impl Fn(V) -> W) -> BTreeMap<String, W> {
    map.unwrap_or_default().into_iter().map(|(name, set)| (name, value(set))).collect()
}
