//! The firewall's policy: the stateful rule groups beside which grants stand.

use aws_sdk_networkfirewall::operation::describe_rule_group::DescribeRuleGroupOutput;
use aws_sdk_networkfirewall::types::StatefulRuleGroupReference;
use futures_util::{StreamExt as _, stream};

use super::{NetworkFirewall, classify};
use crate::firewall::{FirewallError, PolicyGroup, PolicyRules};

/// How many groups are read at the same time: a policy has at most as many stateful ones
/// (<https://docs.aws.amazon.com/network-firewall/latest/developerguide/quotas.html>).
const AT_THE_SAME_TIME: usize = 20;

/// The policy's stateful rule groups, the one that decides first in front. In action order, where references
/// have no priority, they stand as the policy lists them.
pub(super) async fn read(aws: &NetworkFirewall) -> Result<Vec<PolicyGroup>, FirewallError> {
    let firewall = aws.describe_firewall().await?.firewall;
    let arn = firewall.map(|firewall| firewall.firewall_policy_arn).unwrap_or_default();
    let answer = aws.client.describe_firewall_policy().firewall_policy_arn(arn).send().await;
    let policy = answer.map_err(|error| classify(&error))?.firewall_policy;
    let mut references = policy.and_then(|policy| policy.stateful_rule_group_references).unwrap_or_default();
    references.sort_by_key(|reference| reference.priority);
    let groups = references.into_iter().map(|reference| group(aws, reference));
    Ok(stream::iter(groups).buffered(AT_THE_SAME_TIME).collect().await)
}

async fn group(aws: &NetworkFirewall, reference: StatefulRuleGroupReference) -> PolicyGroup {
    let arn = reference.resource_arn;
    let name = arn.rsplit('/').next().unwrap_or(&arn).to_owned();
    let rules = if is_managed(&arn) {
        PolicyRules::Other("its rules are managed by AWS or a partner and can't be read".to_owned())
    } else {
        match aws.describe_group(&arn).await {
            Ok(answer) => rules(answer),
            Err(error) => PolicyRules::Other(format!("it can't be read: {error}")),
        }
    };
    PolicyGroup { name, arn, rules }
}

/// Whether a group belongs to AWS: then `aws-managed` stands where an account's own have its twelve digits.
fn is_managed(arn: &str) -> bool {
    arn.split(':').nth(4).is_some_and(|account| account.ends_with("-managed"))
}

fn rules(answer: DescribeRuleGroupOutput) -> PolicyRules {
    let source = answer.rule_group.and_then(|group| group.rules_source);
    let Some(source) = source else { return PolicyRules::Other("its rules aren't shown".to_owned()) };
    match (source.rules_string, source.rules_source_list) {
        (Some(text), _) => PolicyRules::Text(text),
        (None, Some(list)) => PolicyRules::DomainList {
            kind: list.generated_rules_type.as_str().to_owned(),
            targets: list.targets,
            target_types: list.target_types.iter().map(|target| target.as_str().to_owned()).collect(),
        },
        (None, None) if source.stateful_rules.is_some_and(|rules| !rules.is_empty()) => PolicyRules::Other(
            "it has 5-tuple rules, which decide by addresses and ports, not by the name".to_owned(),
        ),
        (None, None) => PolicyRules::Other("its rules aren't shown".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_of_aws_is_told_from_an_account_s_own() {
        let arn = |account| format!("arn:aws:network-firewall:eu-west-1:{account}:stateful-rulegroup/name");
        assert!(is_managed(&arn("aws-managed")));
        assert!(!is_managed(&arn("000000000000")));
        assert!(!is_managed("no-arn"));
    }
}
