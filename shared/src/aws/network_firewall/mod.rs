//! The firewall on AWS Network Firewall: the rule groups that hold grants, the firewall that works with them,
//! and its policy.
//!
//! It needs `DescribeRuleGroup` and `UpdateRuleGroup` on the rule groups; `DescribeFirewall`,
//! `DescribeLoggingConfiguration`, `StartFlowFlush` and `DescribeFlowOperation` on the firewall;
//! `DescribeFirewallPolicy` on its policy, and `DescribeRuleGroup` on the groups of that
//! (<https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsnetworkfirewall.html>).

mod flush;
mod group;
mod policy;

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_networkfirewall::Client;
use aws_sdk_networkfirewall::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_networkfirewall::operation::describe_firewall::DescribeFirewallOutput;
use aws_sdk_networkfirewall::operation::describe_rule_group::DescribeRuleGroupOutput;
use aws_sdk_networkfirewall::operation::update_rule_group::UpdateRuleGroupOutput;
use aws_sdk_networkfirewall::types::{LogType, PerObjectSyncStatus, SyncState};
use futures_util::future::join_all;

use super::with_causes;
use crate::firewall::{
    Content, Firewall, FirewallError, Flow, PolicyGroup, RuleGroup, RuleGroups, UpdateToken,
};
use crate::rules::LONGEST_RULES;

/// Stateful rule groups for grants, and the firewall that works with them.
#[derive(Debug, Clone)]
pub struct NetworkFirewall {
    client: Client,
    rule_group_arns: Vec<String>,
    firewall_arn: String,
}

impl NetworkFirewall {
    /// The rule groups that grants are written to, in the order in which they are filled, and the firewall
    /// that is asked whether it is in sync. A group that is named twice is one.
    pub fn new(client: Client, mut rule_group_arns: Vec<String>, firewall_arn: String) -> Self {
        let mut named = BTreeSet::new();
        rule_group_arns.retain(|arn| named.insert(arn.clone()));
        Self { client, rule_group_arns, firewall_arn }
    }

    async fn describe_group(&self, arn: &str) -> Result<DescribeRuleGroupOutput, FirewallError> {
        let answer = self.client.describe_rule_group().rule_group_arn(arn).send().await;
        answer.map_err(|error| classify(&error))
    }

    async fn describe_firewall(&self) -> Result<DescribeFirewallOutput, FirewallError> {
        let answer = self.client.describe_firewall().firewall_arn(&self.firewall_arn).send().await;
        answer.map_err(|error| classify(&error))
    }

    async fn update(&self, group: &RuleGroup, dry_run: bool) -> Result<UpdateRuleGroupOutput, FirewallError> {
        if let Content::Rules(text) = &group.content
            && text.len() > LONGEST_RULES
        {
            let needed = text.len();
            return Err(FirewallError::Full(format!(
                "the rules take {needed} bytes, and {LONGEST_RULES} fit"
            )));
        }
        let request = self
            .client
            .update_rule_group()
            .rule_group_arn(&group.arn)
            .update_token(&group.token.0)
            .rule_group(group::to_sdk(group)?)
            .set_description(group.settings.description.clone())
            .set_encryption_configuration(group::encryption_to_sdk(&group.settings)?)
            .dry_run(dry_run);
        request.send().await.map_err(|error| classify(&error))
    }
}

impl Firewall for NetworkFirewall {
    async fn read(&self) -> RuleGroups {
        let groups = self.rule_group_arns.iter().map(async |arn| {
            let answer = self.describe_group(arn).await?;
            group::from_sdk(arn, answer)
        });
        let mut read = RuleGroups::default();
        for (arn, group) in self.rule_group_arns.iter().zip(join_all(groups).await) {
            match group {
                Ok(group) => read.groups.push(group),
                Err(error) => _ = read.unreadable.insert(arn.clone(), error),
            }
        }
        read
    }

    async fn write(&self, group: &RuleGroup) -> Result<UpdateToken, FirewallError> {
        let answer = self.update(group, false).await?;
        Ok(UpdateToken(answer.update_token))
    }

    async fn try_out(&self, group: &RuleGroup) -> Result<u64, FirewallError> {
        let response = self.update(group, true).await?.rule_group_response;
        let units = response.and_then(|response| response.consumed_capacity).map(u64::try_from);
        let missing = || FirewallError::Unavailable("it doesn't say what the rules would take".to_owned());
        units.and_then(Result::ok).ok_or_else(missing)
    }

    async fn in_sync(&self, versions: &BTreeMap<String, UpdateToken>) -> Result<bool, FirewallError> {
        let answer = self.describe_firewall().await?;
        let zones = answer.firewall_status.and_then(|status| status.sync_states).unwrap_or_default();
        // A zone's `UpdateToken` is the version that its status speaks of.
        let works_with = |zone: &SyncState, arn: &String, token: &UpdateToken| {
            zone.config().and_then(|config| config.get(arn)).is_some_and(|object| {
                object.sync_status() == Some(&PerObjectSyncStatus::InSync)
                    && object.update_token() == Some(&token.0)
            })
        };
        let holds = |zone: &SyncState| versions.iter().all(|(arn, token)| works_with(zone, arn, token));
        Ok(!zones.is_empty() && zones.values().all(holds))
    }

    async fn flush(&self, flows: &[Flow]) -> Result<(), FirewallError> {
        flush::flush(self, flows).await
    }

    async fn policy(&self) -> Result<Vec<PolicyGroup>, FirewallError> {
        policy::read(self).await
    }

    async fn logs_alerts(&self) -> Result<bool, FirewallError> {
        let request = self.client.describe_logging_configuration().firewall_arn(&self.firewall_arn);
        let answer = request.send().await.map_err(|error| classify(&error))?;
        let logs = answer.logging_configuration.map(|logging| logging.log_destination_configs);
        Ok(logs.unwrap_or_default().iter().any(|log| log.log_type == LogType::Alert))
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
