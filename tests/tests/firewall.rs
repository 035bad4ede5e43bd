//! What every firewall keeps to, held against the one in memory, on which the stories of `requests` run, and
//! against the one on Network Firewall.

#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use aws_sdk_networkfirewall::Client;
use aws_sdk_networkfirewall::types::{
    FirewallPolicy, GeneratedRulesType, LogDestinationConfig, LogDestinationType, LogType,
    LoggingConfiguration, RuleGroup as SdkRuleGroup, RuleGroupType, RuleOrder, RulesSource, RulesSourceList,
    StatefulEngineOptions, StatefulRuleGroupReference, StatefulRuleOptions, SubnetMapping, TargetType,
};
use egress::aws::NetworkFirewall;
use egress::firewall::{Content, Firewall, FirewallError, Flow, PolicyRules, RuleGroup, UpdateToken};
use tests::local_aws::{LocalAws, Options};
use tests::memory::MemoryFirewall;

const LIMIT: Duration = Duration::from_secs(10);

#[tokio::test]
async fn the_one_in_memory() {
    let firewall = MemoryFirewall::with_groups(vec![Content::Rules(rules(1..=1)), list(&[".kaggle.com"])]);
    firewall.set_capacity(10);
    firewall.set_sync_delay(Duration::from_millis(100));
    keeps_the_contract(&firewall).await;
    assert_eq!(firewall.flushed(), flows(25));
}

#[tokio::test]
async fn the_one_on_network_firewall() {
    let options = Options { delay: Duration::from_secs(2), ..Options::default() };
    let aws = LocalAws::with(options).await.unwrap();
    let stack = Stack::new(&aws).await;
    keeps_the_contract(&stack.edge()).await;

    // 25 sources are two operations in each of two zones, one after the other.
    let request = stack.client.list_flow_operations().firewall_arn(&stack.firewall);
    assert_eq!(request.send().await.unwrap().flow_operations().len(), 4);
    // The groups decide in the order of their priority, and what can't be judged is said.
    let policy = stack.edge().policy().await.unwrap();
    let names: Vec<&str> = policy.iter().map(|group| group.name.as_str()).collect();
    assert_eq!(names, ["guard", "grants-1", "grants-2"]);
    let why = "it has 5-tuple rules, which decide by addresses and ports, not by the name";
    assert_eq!(policy[0].rules, PolicyRules::Other(why.to_owned()));
    // Without the log of alerts, there is no evidence.
    stack.client.update_logging_configuration().firewall_arn(&stack.firewall).send().await.unwrap();
    assert!(!stack.edge().logs_alerts().await.unwrap());
    // A group of another shape can't hold grants.
    let guard = NetworkFirewall::new(stack.client.clone(), vec![stack.guard.clone()], stack.firewall.clone());
    let error = guard.read().await.all().unwrap_err();
    let shape = format!("{} has neither Suricata rules nor a domain list", stack.guard);
    assert_eq!(error, FirewallError::Shape(shape));
}

async fn keeps_the_contract<F: Firewall>(firewall: &F) {
    let before = reads_its_groups_in_their_order(firewall).await;
    tries_out_without_a_change(firewall, &before).await;
    let versions = writes_with_the_newest_token_only(firewall, before).await;
    says_when_all_groups_are_in_sync(firewall, versions).await;
    refuses_what_aws_refuses(firewall).await;
    assert!(firewall.logs_alerts().await.unwrap());
    firewall.flush(&[]).await.unwrap();
    firewall.flush(&flows(25)).await.unwrap();

    let policy = firewall.policy().await.unwrap();
    let grants: Vec<_> = policy.into_iter().filter(|group| group.name.starts_with("grants-")).collect();
    assert_eq!(grants[0].rules, PolicyRules::Text(rules(1..=3)));
    let (kind, targets) = ("ALLOWLIST".to_owned(), vec![".kaggle.com".to_owned(), "pypi.org".to_owned()]);
    let target_types = vec!["TLS_SNI".to_owned(), "HTTP_HOST".to_owned()];
    assert_eq!(grants[1].rules, PolicyRules::DomainList { kind, targets, target_types });
}

async fn reads_its_groups_in_their_order<F: Firewall>(firewall: &F) -> Vec<RuleGroup> {
    let groups = firewall.read().await.all().unwrap();
    assert_eq!(groups.len(), 2);
    assert_eq!(groups[0].content, Content::Rules(rules(1..=1)));
    assert_eq!(groups[1].content, list(&[".kaggle.com"]));
    // Two types for one entry, and one unit for HTTP.
    let units: Vec<_> = groups.iter().map(|group| (group.consumed, group.capacity)).collect();
    assert_eq!(units, [(1, 10), (3, 10)]);
    assert!(groups.iter().all(|group| group.changed_at.is_some()));
    groups
}

async fn tries_out_without_a_change<F: Firewall>(firewall: &F, before: &[RuleGroup]) {
    let [rules_group, list_group] = before else { panic!("two groups: {before:?}") };
    assert_eq!(firewall.try_out(&with(rules_group, Content::Rules(rules(1..=7)))).await, Ok(7));
    assert_eq!(firewall.try_out(&with(list_group, list(&["a.org", "b.org", "c.org"]))).await, Ok(7));
    assert_eq!(firewall.read().await.all().unwrap(), before);
}

/// Answers what the groups are written with.
async fn writes_with_the_newest_token_only<F: Firewall>(
    firewall: &F,
    before: Vec<RuleGroup>,
) -> BTreeMap<String, UpdateToken> {
    let contents = [Content::Rules(rules(1..=3)), list(&[".kaggle.com", "pypi.org"])];
    let mut versions = BTreeMap::new();
    for (old, content) in before.iter().zip(contents) {
        let group = with(old, content);
        let token = firewall.write(&group).await.unwrap();
        assert_eq!(firewall.write(&group).await, Err(FirewallError::StaleToken));
        assert_eq!(firewall.try_out(&group).await, Err(FirewallError::StaleToken));
        versions.insert(old.arn.clone(), token);
    }
    let after = firewall.read().await.all().unwrap();
    for (old, new) in before.iter().zip(&after) {
        assert_eq!(Some(&new.token), versions.get(&new.arn));
        assert_eq!((&new.arn, &new.settings, new.capacity), (&old.arn, &old.settings, old.capacity));
        assert!(new.changed_at >= old.changed_at);
    }
    let units: Vec<u64> = after.iter().map(|group| group.consumed).collect();
    assert_eq!(units, [3, 5]);
    versions
}

async fn refuses_what_aws_refuses<F: Firewall>(firewall: &F) {
    let groups = firewall.read().await.all().unwrap();
    let full = with(&groups[0], Content::Rules(rules(1..=11)));
    let twice = with(&groups[0], Content::Rules(rules(1..=1) + &rules(1..=1)));
    let star = with(&groups[1], list(&["*.example.org"]));
    let duplicate = with(&groups[1], list(&[".example.org", "example.org"]));
    for (group, words) in [
        (full, "the rule group is full: StatefulRules capacity exceeded, parameter: [11]"),
        (twice, "the firewall refuses the rules: stateful rule is invalid"),
        (star, "the firewall refuses the rules: Targets has invalid format, parameter: [*.example.org]"),
        (duplicate, "the firewall refuses the rules: Targets has duplicate values, parameter: [example.org]"),
    ] {
        let error = firewall.write(&group).await.unwrap_err();
        assert!(error.to_string().starts_with(words), "{error}");
        assert_eq!(firewall.try_out(&group).await, Err(error));
    }
    assert_eq!(firewall.read().await.all().unwrap(), groups);
}

async fn says_when_all_groups_are_in_sync<F: Firewall>(
    firewall: &F,
    versions: BTreeMap<String, UpdateToken>,
) {
    let started = Instant::now();
    assert!(!firewall.in_sync(&versions).await.unwrap(), "so soon after they were written");
    while !firewall.in_sync(&versions).await.unwrap() {
        assert!(started.elapsed() < LIMIT, "not in sync within {LIMIT:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for arn in versions.keys() {
        let mut older = versions.clone();
        older.insert(arn.clone(), UpdateToken("00000000-0000-4000-8000-000000000000".to_owned()));
        assert!(!firewall.in_sync(&older).await.unwrap());
    }
}

fn with(group: &RuleGroup, content: Content) -> RuleGroup {
    RuleGroup { content, ..group.clone() }
}

fn rules(sids: impl IntoIterator<Item = u32>) -> String {
    let rule = |sid| {
        format!("pass tls $HOME_NET any -> $EXTERNAL_NET any (tls.sni; content:\"a.example\"; sid:{sid};)\n")
    };
    sids.into_iter().map(rule).collect()
}

fn list(targets: &[&str]) -> Content {
    Content::DomainList(targets.iter().map(ToString::to_string).collect::<BTreeSet<_>>())
}

/// Connections of so many clients, each to a host of its own.
fn flows(hosts: u8) -> Vec<Flow> {
    let flow = |host| Flow {
        source: IpAddr::V4(Ipv4Addr::new(10, 2, 3, host)),
        destination: IpAddr::V4(Ipv4Addr::new(192, 0, 2, host)),
        port: 443,
    };
    (1..=hosts).map(flow).collect()
}

/// A firewall in two zones with two grants groups, behind a guard, on a local AWS.
struct Stack {
    client: Client,
    grants: Vec<String>,
    guard: String,
    firewall: String,
}

impl Stack {
    async fn new(aws: &LocalAws) -> Self {
        let client = Client::new(&aws.sdk_config());
        let text = RulesSource::builder().rules_string(rules(1..=1)).build();
        let targets = RulesSourceList::builder()
            .targets(".kaggle.com")
            .target_types(TargetType::TlsSni)
            .target_types(TargetType::HttpHost)
            .generated_rules_type(GeneratedRulesType::Allowlist);
        let targets = RulesSource::builder().rules_source_list(targets.build().unwrap()).build();
        let first = group(&client, "grants-1", text).await;
        let second = group(&client, "grants-2", targets).await;
        let guard = guard(aws);
        let policy = policy(&client, [(&second, 300), (&guard, 100), (&first, 200)]).await;
        let firewall = firewall(aws, &client, &policy).await;
        Self { client, grants: vec![first, second], guard, firewall }
    }

    fn edge(&self) -> NetworkFirewall {
        // A group that is named twice is one.
        let arns = [self.grants.as_slice(), &self.grants].concat();
        NetworkFirewall::new(self.client.clone(), arns, self.firewall.clone())
    }
}

async fn group(client: &Client, name: &str, source: RulesSource) -> String {
    let options = StatefulRuleOptions::builder().rule_order(RuleOrder::StrictOrder).build();
    let group = SdkRuleGroup::builder().rules_source(source).stateful_rule_options(options).build();
    let request = client.create_rule_group().rule_group_name(name).r#type(RuleGroupType::Stateful);
    let answer = request.capacity(10).rule_group(group).send().await.unwrap();
    answer.rule_group_response.unwrap().rule_group_arn
}

/// What the `aws` command prints.
fn command(aws: &LocalAws, arguments: &[&str]) -> String {
    let output = aws.command("aws").args(arguments).args(["--output", "text"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A group of 5-tuple rules; its ARN.
fn guard(aws: &LocalAws) -> String {
    let rules = r#"{"RulesSource": {"StatefulRules": [{"Action": "DROP", "Header": {"Protocol": "ICMP",
        "Source": "ANY", "SourcePort": "ANY", "Direction": "FORWARD", "Destination": "ANY",
        "DestinationPort": "ANY"}, "RuleOptions": [{"Keyword": "sid", "Settings": ["1"]}]}]},
        "StatefulRuleOptions": {"RuleOrder": "STRICT_ORDER"}}"#;
    let create =
        ["network-firewall", "create-rule-group", "--rule-group-name", "guard", "--type", "STATEFUL"];
    let rest = ["--capacity", "10", "--rule-group", rules, "--query", "RuleGroupResponse.RuleGroupArn"];
    command(aws, &[&create[..], &rest].concat())
}

async fn policy(client: &Client, groups: [(&String, i32); 3]) -> String {
    let reference = |(group, priority): (&String, i32)| {
        StatefulRuleGroupReference::builder().resource_arn(group).priority(priority).build().unwrap()
    };
    let options = StatefulEngineOptions::builder().rule_order(RuleOrder::StrictOrder).build();
    let policy = FirewallPolicy::builder()
        .stateless_default_actions("aws:forward_to_sfe")
        .stateless_fragment_default_actions("aws:forward_to_sfe")
        .stateful_engine_options(options)
        .set_stateful_rule_group_references(Some(groups.into_iter().map(reference).collect()))
        .build()
        .unwrap();
    let request = client.create_firewall_policy().firewall_policy_name("policy").firewall_policy(policy);
    request.send().await.unwrap().firewall_policy_response.unwrap().firewall_policy_arn
}

/// A firewall in two zones that logs alerts, and is ready; its ARN.
async fn firewall(aws: &LocalAws, client: &Client, policy: &str) -> String {
    let vpc = command(aws, &["ec2", "create-vpc", "--cidr-block", "10.2.0.0/16", "--query", "Vpc.VpcId"]);
    let mut request = client.create_firewall().firewall_name("firewall").firewall_policy_arn(policy);
    for (zone, cidr) in [("us-east-1a", "10.2.1.0/24"), ("us-east-1b", "10.2.2.0/24")] {
        let create = ["ec2", "create-subnet", "--query", "Subnet.SubnetId", "--vpc-id", &vpc];
        let place = ["--cidr-block", cidr, "--availability-zone", zone];
        let subnet = command(aws, &[&create[..], &place].concat());
        request = request.subnet_mappings(SubnetMapping::builder().subnet_id(subnet).build().unwrap());
    }
    let firewall = request.vpc_id(vpc).send().await.unwrap().firewall.unwrap().firewall_arn.unwrap();
    command(aws, &["logs", "create-log-group", "--log-group-name", "alerts"]);
    let alerts = LogDestinationConfig::builder()
        .log_type(LogType::Alert)
        .log_destination_type(LogDestinationType::CloudwatchLogs)
        .log_destination("logGroup", "alerts");
    let logging = LoggingConfiguration::builder().log_destination_configs(alerts.build().unwrap());
    let request = client.update_logging_configuration().firewall_arn(&firewall);
    request.logging_configuration(logging.build().unwrap()).send().await.unwrap();
    firewall
}
