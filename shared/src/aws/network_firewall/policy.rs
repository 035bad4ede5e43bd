//! The firewall's policy: the stateful rule groups beside which grants stand.

use aws_sdk_networkfirewall::operation::describe_rule_group::DescribeRuleGroupOutput;
use aws_sdk_networkfirewall::types::{FirewallPolicy, RuleOrder, StatefulRuleGroupReference};
use futures_util::{StreamExt as _, stream};

use super::{NetworkFirewall, classify};
use crate::firewall::{FirewallError, PolicyGroup, PolicyRules};

/// How many groups are read at the same time: a policy has at most as many stateful ones
/// (<https://docs.aws.amazon.com/network-firewall/latest/developerguide/quotas.html>).
const AT_THE_SAME_TIME: usize = 20;

/// The policy's stateful rule groups, the one that decides first in front. In action order, where references
/// have no priority, they stand as the policy lists them, and behind the word that they can't be judged so, where that
/// makes a difference.
pub(super) async fn read(aws: &NetworkFirewall) -> Result<Vec<PolicyGroup>, FirewallError> {
    let firewall = aws.describe_firewall().await?.firewall;
    let arn = firewall.map(|firewall| firewall.firewall_policy_arn).unwrap_or_default();
    let answer = aws.client.describe_firewall_policy().firewall_policy_arn(arn).send().await;
    let policy = answer.map_err(|error| classify(&error))?.firewall_policy;
    let is_strict = policy.as_ref().is_some_and(is_strict);
    let mut references = policy.and_then(|policy| policy.stateful_rule_group_references).unwrap_or_default();
    references.sort_by_key(|reference| reference.priority);
    let groups = references.into_iter().map(|reference| group(aws, reference));
    let mut groups: Vec<PolicyGroup> = stream::iter(groups).buffered(AT_THE_SAME_TIME).collect().await;
    if !is_strict && !decides_as_if_strict(&groups) {
        groups.insert(0, in_action_order());
    }
    Ok(groups)
}

/// In action order, the default, what passes decides before what drops, wherever it stands.
fn is_strict(policy: &FirewallPolicy) -> bool {
    let order = policy.stateful_engine_options().and_then(|options| options.rule_order());
    order == Some(&RuleOrder::StrictOrder)
}

/// Whether a policy in action order does what the same groups do in strict order before a default drop: nothing in it
/// drops but allow lists, which drop what no rule passes, TLS by one and HTTP by one.
fn decides_as_if_strict(groups: &[PolicyGroup]) -> bool {
    let is_allowed = |rules: &PolicyRules, of_type: Option<&str>| match rules {
        PolicyRules::DomainList { kind, target_types, .. } => {
            kind == "ALLOWLIST" && of_type.is_none_or(|wanted| target_types.iter().any(|one| one == wanted))
        }
        PolicyRules::Text(text) => of_type.is_none() && text.lines().all(lets_pass),
        PolicyRules::Other(_) => false,
    };
    let drops_the_rest = |of_type| groups.iter().any(|group| is_allowed(&group.rules, Some(of_type)));
    groups.iter().all(|group| is_allowed(&group.rules, None))
        && ["TLS_SNI", "HTTP_HOST"].into_iter().all(drops_the_rest)
}

/// Whether a line of Suricata's has no rule that drops or rejects.
fn lets_pass(line: &str) -> bool {
    let action = line.split_whitespace().next().unwrap_or("#");
    action.starts_with('#') || ["pass", "alert"].contains(&action)
}

fn in_action_order() -> PolicyGroup {
    let because = "its policy is in action order, in which whatever passes decides before whatever drops";
    PolicyGroup {
        name: "the firewall's policy".to_owned(),
        arn: String::new(),
        rules: PolicyRules::Other(because.to_owned()),
    }
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

    #[test]
    fn in_action_order_only_what_lists_allow_can_be_judged() {
        let group = |rules| PolicyGroup { name: "group".to_owned(), arn: "arn".to_owned(), rules };
        let list = |kind: &str, types: &[&str]| {
            group(PolicyRules::DomainList {
                kind: kind.to_owned(),
                targets: vec![".kaggle.com".to_owned()],
                target_types: types.iter().map(|&one| one.to_owned()).collect(),
            })
        };
        let text = |text: &str| group(PolicyRules::Text(text.to_owned()));
        let allow = || list("ALLOWLIST", &["TLS_SNI", "HTTP_HOST"]);
        let pass =
            || text("# Grants.\n\npass tls any any -> any any (tls.sni; content:\"a.example\"; sid:1;)");
        assert!(decides_as_if_strict(&[allow()]));
        assert!(decides_as_if_strict(&[
            pass(),
            list("ALLOWLIST", &["TLS_SNI"]),
            list("ALLOWLIST", &["HTTP_HOST"])
        ]));
        // Nothing drops HTTP; nothing drops anything; something drops beside the lists, or may.
        assert!(!decides_as_if_strict(&[list("ALLOWLIST", &["TLS_SNI"])]));
        assert!(!decides_as_if_strict(&[pass()]));
        assert!(!decides_as_if_strict(&[]));
        assert!(!decides_as_if_strict(&[allow(), list("DENYLIST", &["TLS_SNI", "HTTP_HOST"])]));
        assert!(!decides_as_if_strict(&[allow(), text("drop tcp any any -> any 22 (sid:1;)")]));
        assert!(!decides_as_if_strict(&[allow(), group(PolicyRules::Other("managed".to_owned()))]));
    }
}
