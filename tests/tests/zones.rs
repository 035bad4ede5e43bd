//! The stack in one, two and three Availability Zones, with the firewall before and after the NAT gateways, deployed to the
//! local AWS as a user does and changed from one to the other. What has to be there stands in the tables below, written by
//! hand from the article's stack, and is held against what EC2 and the others tell by their APIs.
//!
//! It is one test on one stack: an update takes seconds, and two deployments at once would pack their functions in turns.

#![cfg(test)]

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use aws_sdk_networkfirewall::Client;
use aws_sdk_networkfirewall::types::{RuleGroup, RuleGroupType, RuleOrder, RulesSource, StatefulRuleOptions};
use tests::demo::OUTPUTS_OF_THE_ARTICLE;
use tests::lab::Engine;
use tests::local_aws::Network;
use tests::stage::Stage;

const MINUTE: Duration = Duration::from_secs(2);
const BEFORE: &str = "BeforeNATGateway";
const AFTER: &str = "AfterNATGateway";

/// What there is of each kind: in the article's stack, here in one zone, and more in each further zone. A VPC has a route
/// table and a security group by itself; a domain has two for NFS, a file system, and an interface in each zone.
const RESOURCES: [(&str, usize, usize, usize); 17] = [
    ("AWS::EC2::VPC", 1, 1, 0),
    ("AWS::EC2::InternetGateway", 1, 1, 0),
    ("AWS::EC2::Subnet", 3, 3, 3),
    ("AWS::EC2::RouteTable", 5, 5, 3),
    ("AWS::EC2::NatGateway", 1, 1, 1),
    ("AWS::EC2::EIP", 1, 1, 1),
    // S3's, ten of other services, and the firewall's; here two services more.
    ("AWS::EC2::VPCEndpoint", 12, 14, 1),
    // Of each endpoint but that of S3, of the NAT gateway, and of the home directories.
    ("AWS::EC2::NetworkInterface", 13, 15, 15),
    // Here users have a group in common, and each has one more: the first, and Alice.
    ("AWS::EC2::SecurityGroup", 5, 8, 0),
    ("AWS::NetworkFirewall::Firewall", 1, 1, 0),
    ("AWS::NetworkFirewall::FirewallPolicy", 1, 1, 0),
    ("AWS::NetworkFirewall::RuleGroup", 1, 4, 0),
    ("AWS::SageMaker::Domain", 1, 1, 0),
    ("AWS::SageMaker::UserProfile", 1, 2, 0),
    ("AWS::EFS::FileSystem", 1, 1, 0),
    ("AWS::S3::Bucket", 2, 2, 0),
    // Here the topics and the log groups have one, too.
    ("AWS::KMS::Key", 2, 4, 0),
];

/// Each zone's subnets: the firewall's, the NAT gateway's, Studio's. The first three are the article's.
const SUBNETS: [(&str, [&str; 3]); 3] = [
    ("us-east-1a", ["10.2.1.0/24", "10.2.2.0/24", "10.2.3.0/24"]),
    ("us-east-1b", ["10.2.4.0/24", "10.2.5.0/24", "10.2.6.0/24"]),
    ("us-east-1c", ["10.2.7.0/24", "10.2.8.0/24", "10.2.9.0/24"]),
];

/// Studio, firewall, NAT gateway, internet; and back.
const ROUTES_BEFORE: [[&str; 4]; 3] = [
    [
        "10.2.3.0/24: 0.0.0.0/0 > endpoint in 10.2.1.0/24",
        "10.2.1.0/24: 0.0.0.0/0 > NAT gateway in 10.2.2.0/24",
        "10.2.2.0/24: 0.0.0.0/0 > internet",
        "10.2.2.0/24: 10.2.3.0/24 > endpoint in 10.2.1.0/24",
    ],
    [
        "10.2.6.0/24: 0.0.0.0/0 > endpoint in 10.2.4.0/24",
        "10.2.4.0/24: 0.0.0.0/0 > NAT gateway in 10.2.5.0/24",
        "10.2.5.0/24: 0.0.0.0/0 > internet",
        "10.2.5.0/24: 10.2.6.0/24 > endpoint in 10.2.4.0/24",
    ],
    [
        "10.2.9.0/24: 0.0.0.0/0 > endpoint in 10.2.7.0/24",
        "10.2.7.0/24: 0.0.0.0/0 > NAT gateway in 10.2.8.0/24",
        "10.2.8.0/24: 0.0.0.0/0 > internet",
        "10.2.8.0/24: 10.2.9.0/24 > endpoint in 10.2.7.0/24",
    ],
];

/// Studio, NAT gateway, firewall, internet; and back. The first zone's are the article's.
const ROUTES_AFTER: [[&str; 4]; 3] = [
    [
        "10.2.3.0/24: 0.0.0.0/0 > NAT gateway in 10.2.2.0/24",
        "10.2.2.0/24: 0.0.0.0/0 > endpoint in 10.2.1.0/24",
        "10.2.1.0/24: 0.0.0.0/0 > internet",
        "internet: 10.2.2.0/24 > endpoint in 10.2.1.0/24",
    ],
    [
        "10.2.6.0/24: 0.0.0.0/0 > NAT gateway in 10.2.5.0/24",
        "10.2.5.0/24: 0.0.0.0/0 > endpoint in 10.2.4.0/24",
        "10.2.4.0/24: 0.0.0.0/0 > internet",
        "internet: 10.2.5.0/24 > endpoint in 10.2.4.0/24",
    ],
    [
        "10.2.9.0/24: 0.0.0.0/0 > NAT gateway in 10.2.8.0/24",
        "10.2.8.0/24: 0.0.0.0/0 > endpoint in 10.2.7.0/24",
        "10.2.7.0/24: 0.0.0.0/0 > internet",
        "internet: 10.2.8.0/24 > endpoint in 10.2.7.0/24",
    ],
];

/// Studio's subnets, by the number of zones.
const STUDIO: [&str; 3] = ["10.2.3.0/24", "10.2.3.0/24,10.2.6.0/24", "10.2.3.0/24,10.2.6.0/24,10.2.9.0/24"];

/// The services that have an endpoint: the article's, and the last two.
const SERVICES: [&str; 13] = [
    "com.amazonaws.us-east-1.s3",
    "com.amazonaws.us-east-1.sagemaker.api",
    "com.amazonaws.us-east-1.sagemaker.runtime",
    "aws.sagemaker.us-east-1.notebook",
    "com.amazonaws.us-east-1.sts",
    "com.amazonaws.us-east-1.ssm",
    "com.amazonaws.us-east-1.monitoring",
    "com.amazonaws.us-east-1.logs",
    "com.amazonaws.us-east-1.ecr.dkr",
    "com.amazonaws.us-east-1.ecr.api",
    "com.amazonaws.us-east-1.servicecatalog",
    "com.amazonaws.us-east-1.kms",
    "aws.sagemaker.us-east-1.studio",
];

#[tokio::test(flavor = "multi_thread")]
async fn zones_and_switches() -> Result<()> {
    let stage = Stage::set(Engine::Offline, MINUTE).await?;
    a_stack_has_as_many_zones_as_are_asked_for_and_traffic_stays_in_each(&stage).await?;
    what_is_switched_on_is_kept_from_being_changed_by_mistake(&stage).await?;
    // And nothing is left of it.
    stage.delete().await?;
    let left = stage.resources().await?;
    ensure!(left.is_empty(), "left behind: {left:?}");
    stage.strike().await
}

async fn a_stack_has_as_many_zones_as_are_asked_for_and_traffic_stays_in_each(stage: &Stage) -> Result<()> {
    // Given the defaults, with which the stack has one zone,
    let outputs = stage.deploy_with(&[]).await?;
    for name in OUTPUTS_OF_THE_ARTICLE {
        ensure!(outputs.get(name).is_some_and(|value| !value.is_empty()), "there is no output {name}");
    }
    let first = as_in_the_tables(stage, &outputs, 1, BEFORE).await?;

    // when the number of zones and the firewall's place change, one by one and both at once,
    for (zones, placement) in [(1, AFTER), (2, AFTER), (2, BEFORE), (3, BEFORE), (3, AFTER), (1, BEFORE)] {
        let number = zones.to_string();
        let parameters = [("AVAILABILITY_ZONES", number.as_str()), ("FIREWALL_PLACEMENT", placement)];
        let changed = stage.deploy_with(&parameters).await?;

        // then each is as the tables say, and nothing that was there was made anew.
        let network = as_in_the_tables(stage, &changed, zones, placement).await?;
        for (name, value) in outputs.iter().filter(|(name, _)| *name != "SageMakerStudioSubnetIds") {
            assert_eq!(changed.get(name), Some(value), "{name} in {zones} zones, {placement}");
        }
        let kept = first.subnets.iter().all(|(name, subnet)| network.subnets.get(name) == Some(subnet));
        ensure!(kept, "{:?} are not as they were: {:?}", first.subnets, network.subnets);
        ensure!(first.addresses.iter().all(|address| network.addresses.contains(address)), "another address");
    }
    Ok(())
}

async fn what_is_switched_on_is_kept_from_being_changed_by_mistake(stage: &Stage) -> Result<()> {
    // Given a stack in one zone with all switches on, and rule groups of the operator's own,
    let own = [rule_group(stage, "own-b").await?, rule_group(stage, "own-a").await?];
    let protections = ["DELETE_PROTECTION", "SUBNET_CHANGE_PROTECTION", "FIREWALL_POLICY_CHANGE_PROTECTION"];
    let mut on: Vec<_> = protections.iter().map(|name| (*name, "true")).collect();
    let joined = own.join(",");
    on.extend([("ADDITIONAL_RULE_GROUP_ARNS", joined.as_str()), ("ALARM_EMAIL", "operators@example.com")]);
    let outputs = stage.deploy_with(&on).await?;
    assert_eq!(switches(stage, &outputs).await?, [true; 3]);
    assert_eq!(mail(stage, &outputs).await?, ["operators@example.com"]);
    let groups = groups(stage, &outputs).await?;
    let names: Vec<_> = groups.iter().map(String::as_str).collect();
    let grants = "egress-grants-sagemaker-studio-vpc-firewall-c2000";
    let (guard, baseline, last) = (
        "egress-guard-sagemaker-studio-vpc-firewall",
        "domain-allow-sagemaker-sagemaker-studio-vpc-firewall",
        "egress-last-word-sagemaker-studio-vpc-firewall",
    );
    assert_eq!(names, [guard, grants, baseline, "own-b", "own-a", last]);

    // when somebody wants another zone, or no stack, then that is refused, and all is as it was.
    let before = stage.aws.network().await?;
    refused(stage.deploy_with(&[("AVAILABILITY_ZONES", "2")]).await, "SubnetChangeProtection is enabled")?;
    refused(stage.delete().await, "DeleteProtection is on")?;
    assert_eq!(stage.aws.network().await?, before);

    // With the switches off the zone comes in the same deployment, with addresses of one's own,
    let mut off: Vec<_> = protections.iter().map(|name| (*name, "false")).collect();
    off.extend([
        ("AVAILABILITY_ZONES", "2"),
        ("SECOND_ZONE_CIDRS", "10.2.16.0/24,10.2.17.0/24,10.2.18.0/24"),
    ]);
    off.extend([("ADDITIONAL_RULE_GROUP_ARNS", ""), ("ALARM_EMAIL", "")]);
    let outputs = stage.deploy_with(&off).await?;
    assert_eq!(switches(stage, &outputs).await?, [false; 3]);
    ensure!(mail(stage, &outputs).await?.is_empty(), "the address is still subscribed");
    for arn in own {
        stage.aws_command(&["network-firewall", "delete-rule-group", "--rule-group-arn", &arn]).await?;
    }
    let before = stage.aws.network().await?;
    let second = [
        "10.2.16.0/24: 0.0.0.0/0 > NAT gateway in 10.2.17.0/24",
        "10.2.17.0/24: 0.0.0.0/0 > internet",
        "10.2.17.0/24: 10.2.18.0/24 > endpoint in 10.2.16.0/24",
        "10.2.18.0/24: 0.0.0.0/0 > endpoint in 10.2.16.0/24",
    ];
    let mut routes = [ROUTES_BEFORE[0], second].concat();
    routes.sort_unstable();
    assert_eq!(before.routes, routes);

    // and it doesn't go again under protection, nor while somebody works.
    let fewer = [("AVAILABILITY_ZONES", "1"), ("SUBNET_CHANGE_PROTECTION", "true")];
    refused(stage.deploy_with(&fewer).await, "SubnetChangeProtection is on")?;
    let domain = outputs.get("SageMakerStudioDomainId").context("no domain")?;
    stage.works_in_a_space(domain, "alice").await?;
    refused(stage.deploy_with(&fewer[..1]).await, "apps that are not deleted")?;
    assert_eq!(stage.aws.network().await?, before);
    Ok(())
}

/// Holds everything against the tables.
async fn as_in_the_tables(
    stage: &Stage,
    outputs: &BTreeMap<String, String>,
    zones: usize,
    placement: &str,
) -> Result<Network> {
    let about = format!("{zones} zones, {placement}");
    let network = stage.aws.network().await?;
    let mut routes: Vec<_> = if placement == BEFORE { ROUTES_BEFORE } else { ROUTES_AFTER }
        .into_iter()
        .take(zones)
        .flatten()
        .collect();
    routes.sort_unstable();
    assert_eq!(network.routes, routes, "{about}");

    let places = |(zone, subnets): (&'static str, [&'static str; 3])| subnets.map(|subnet| (subnet, zone));
    let wanted: BTreeMap<_, _> = SUBNETS.into_iter().take(zones).flat_map(places).collect();
    let found: BTreeMap<_, _> =
        network.subnets.iter().map(|(name, subnet)| (name.as_str(), subnet.zone.as_str())).collect();
    assert_eq!(found, wanted, "{about}");

    let studio = STUDIO[zones - 1];
    let services = SERVICES.map(|service| (service.to_owned(), studio.to_owned())).into_iter().collect();
    assert_eq!(network.services, services, "{about}");
    let users = ["domain", "home directories", "jobs"].map(|user| (user.to_owned(), studio.to_owned()));
    assert_eq!(network.studio, users.into_iter().collect(), "{about}");

    let id = |name: &str| network.subnets.get(name).map(|subnet| subnet.id.as_str());
    let ids: Vec<_> = studio.split(',').filter_map(id).collect();
    assert_eq!(outputs.get("SageMakerStudioSubnetIds"), Some(&ids.join(",")), "{about}");
    assert_eq!(outputs.get("SageMakerStudioSubnetId").map(String::as_str), id("10.2.3.0/24"), "{about}");

    let all = stage.resources().await?;
    for (kind, article, one, more) in RESOURCES {
        let count = all.iter().filter(|resource| resource.kind == kind).count();
        assert_eq!(count, one + more * (zones - 1), "{kind} in {about}");
        ensure!(count >= article, "{count} of {kind}, and the article has {article}");
    }
    assert_eq!(network.addresses.len(), zones, "{about}");
    Ok(network)
}

/// That something failed with these words.
fn refused<T>(result: Result<T>, words: &str) -> Result<()> {
    let Err(error) = result else { anyhow::bail!("it was done, and nobody said {words:?}") };
    let said = format!("{error:#}");
    ensure!(said.contains(words), "not {words:?}, but: {said}");
    Ok(())
}

/// A rule group as an operator makes one; its ARN.
async fn rule_group(stage: &Stage, name: &str) -> Result<String> {
    let pass = "pass tls $HOME_NET any -> $EXTERNAL_NET any (tls.sni; content:\"own.example\"; sid:1;)";
    let source = RulesSource::builder().rules_string(pass).build();
    let strict = StatefulRuleOptions::builder().rule_order(RuleOrder::StrictOrder).build();
    let group = RuleGroup::builder().rules_source(source).stateful_rule_options(strict).build();
    let create = Client::new(&stage.aws.sdk_config()).create_rule_group().rule_group_name(name);
    let answer = create.r#type(RuleGroupType::Stateful).capacity(10).rule_group(group).send().await?;
    Ok(answer.rule_group_response.context("no rule group")?.rule_group_arn)
}

/// Whether the firewall is protected from its deletion, and from changes of its subnets and of its policy.
async fn switches(stage: &Stage, outputs: &BTreeMap<String, String>) -> Result<[bool; 3]> {
    let arn = outputs.get("FirewallArn").context("no firewall")?;
    let answer = Client::new(&stage.aws.sdk_config()).describe_firewall().firewall_arn(arn).send().await?;
    let firewall = answer.firewall.context("no firewall")?;
    Ok([
        firewall.delete_protection,
        firewall.subnet_change_protection,
        firewall.firewall_policy_change_protection,
    ])
}

/// The names of the policy's rule groups, in the order in which they are asked.
async fn groups(stage: &Stage, outputs: &BTreeMap<String, String>) -> Result<Vec<String>> {
    let arn = outputs.get("FirewallPolicyArn").context("no policy")?;
    let describe = Client::new(&stage.aws.sdk_config()).describe_firewall_policy().firewall_policy_arn(arn);
    let policy = describe.send().await?.firewall_policy.context("no policy")?;
    let mut references = policy.stateful_rule_group_references.unwrap_or_default();
    references.sort_by_key(|reference| reference.priority);
    let name = |arn: &str| arn.rsplit('/').next().unwrap_or(arn).to_owned();
    Ok(references.iter().map(|reference| name(reference.resource_arn())).collect())
}

/// The addresses that are subscribed to the topic by mail.
async fn mail(stage: &Stage, outputs: &BTreeMap<String, String>) -> Result<Vec<String>> {
    let topic = outputs.get("TopicArn").context("no topic")?;
    let client = aws_sdk_sns::Client::new(&stage.aws.sdk_config());
    let found = client.list_subscriptions_by_topic().topic_arn(topic).send().await?.subscriptions;
    let by_mail = found.into_iter().flatten().filter(|item| item.protocol() == Some("email"));
    Ok(by_mail.filter_map(|item| item.endpoint).collect())
}
