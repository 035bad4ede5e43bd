//! Stories about the local AWS: that its Network Firewall refuses what AWS refuses, walks the same states, and
//! that nothing of it outlives whoever started it.
#![cfg(test)]

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use aws_sdk_networkfirewall::Client;
use aws_sdk_networkfirewall::error::ProvideErrorMetadata;
use aws_sdk_networkfirewall::operation::describe_rule_group::DescribeRuleGroupOutput;
use aws_sdk_networkfirewall::types::{
    FirewallPolicy, FirewallStatusValue, GeneratedRulesType, PerObjectSyncStatus, RuleGroup, RuleGroupType,
    RuleOrder, RulesSource, RulesSourceList, StatefulEngineOptions, StatefulRuleGroupReference,
    StatefulRuleOptions, SubnetMapping, TargetType,
};
use tests::local_aws::{LocalAws, Options};
use tokio::sync::OnceCell;

const LIMIT: Duration = Duration::from_secs(10);
const STALE: &str = "00000000-0000-0000-0000-000000000000";

/// One instance for all stories of this program; its end is the end of the program's pipe to it.
async fn aws() -> &'static LocalAws {
    static AWS: OnceCell<LocalAws> = OnceCell::const_new();
    AWS.get_or_init(|| async { LocalAws::start().await.unwrap() }).await
}

async fn client() -> Client {
    Client::new(&aws().await.sdk_config())
}

fn strict(source: RulesSource) -> RuleGroup {
    let options = StatefulRuleOptions::builder().rule_order(RuleOrder::StrictOrder).build();
    RuleGroup::builder().rules_source(source).stateful_rule_options(options).build()
}

fn rules(sids: &[u32]) -> RuleGroup {
    let rule = |sid| {
        format!("pass tls $HOME_NET any -> $EXTERNAL_NET any (tls.sni; content:\"a.example\"; sid:{sid};)\n")
    };
    strict(RulesSource::builder().rules_string(sids.iter().map(rule).collect::<String>()).build())
}

fn domains(targets: &[&str]) -> RuleGroup {
    let list = RulesSourceList::builder()
        .set_targets(Some(targets.iter().map(ToString::to_string).collect()))
        .target_types(TargetType::HttpHost)
        .target_types(TargetType::TlsSni)
        .generated_rules_type(GeneratedRulesType::Allowlist)
        .build()
        .unwrap();
    strict(RulesSource::builder().rules_source_list(list).build())
}

/// Creates a group; its ARN, or the code and message of the refusal.
async fn create(name: &str, capacity: i32, group: RuleGroup) -> Result<String, (String, String)> {
    let request = client().await.create_rule_group().rule_group_name(name).r#type(RuleGroupType::Stateful);
    match request.capacity(capacity).rule_group(group).send().await {
        Ok(answer) => Ok(answer.rule_group_response.unwrap().rule_group_arn),
        Err(error) => Err(said(&error)),
    }
}

fn said(error: &impl ProvideErrorMetadata) -> (String, String) {
    (error.code().unwrap_or_default().to_owned(), error.message().unwrap_or_default().to_owned())
}

async fn describe(arn: &str) -> DescribeRuleGroupOutput {
    client().await.describe_rule_group().rule_group_arn(arn).send().await.unwrap()
}

async fn update(arn: &str, token: &str, group: RuleGroup, dry_run: bool) -> Result<String, (String, String)> {
    let request =
        client().await.update_rule_group().rule_group_arn(arn).update_token(token).rule_group(group);
    request.dry_run(dry_run).send().await.map(|answer| answer.update_token).map_err(|error| said(&error))
}

fn text(group: &DescribeRuleGroupOutput) -> &str {
    group.rule_group.as_ref().unwrap().rules_source.as_ref().unwrap().rules_string().unwrap()
}

#[tokio::test]
async fn a_token_is_good_for_one_update() {
    // Given a group that somebody has read, and somebody else has changed since,
    let arn = create("token", 10, rules(&[1])).await.unwrap();
    let read = describe(&arn).await.update_token;
    let newer = update(&arn, &read, rules(&[2]), false).await.unwrap();
    // when the first reader writes, it is refused, and the newer version stands.
    let (code, message) = update(&arn, &read, rules(&[3]), false).await.unwrap_err();
    assert_eq!(code, "InvalidTokenException");
    assert_eq!(message, "The token you provided is stale or isn't valid for the operation.");
    assert!(text(&describe(&arn).await).contains("sid:2;"));
    assert_eq!(describe(&arn).await.update_token, newer);
    assert_eq!(update(&arn, STALE, rules(&[3]), false).await.unwrap_err().0, "InvalidTokenException");
}

#[tokio::test]
async fn too_many_rules_are_refused_with_the_capacity_that_they_need() {
    let refused = |needed| {
        let message = format!(
            "StatefulRules capacity exceeded, parameter: [{needed}], context: RulesSource.StatefulRules"
        );
        Err(("InvalidRequestException".to_owned(), message))
    };
    assert_eq!(create("full", 2, rules(&[1, 2, 3])).await, refused(3));
    // Two types for each of two domains, and one more for HTTP.
    assert_eq!(create("full", 4, domains(&["a.example", ".b.example"])).await, refused(5));
    // What does fit says how much it takes.
    let arn = create("fits", 5, domains(&["a.example", ".b.example"])).await.unwrap();
    let about = describe(&arn).await.rule_group_response.unwrap();
    assert_eq!((about.consumed_capacity, about.capacity), (Some(5), Some(5)));
}

#[tokio::test]
async fn targets_are_refused_in_the_words_of_the_service() {
    let refused = |problem: &str, target: &str, index: u32| {
        let context = format!("context: RulesSource.RulesSourceList.Targets[{index}]");
        Err((
            "InvalidRequestException".to_owned(),
            format!("Targets has {problem}, parameter: [{target}], {context}"),
        ))
    };
    let duplicate = create("targets", 100, domains(&["a.example", ".a.example"])).await;
    assert_eq!(duplicate, refused("duplicate values", ".a.example", 1));
    for malformed in ["*.a.example", "https://a.example", "a.example:443"] {
        let answer = create("targets", 100, domains(&["ok.example", malformed])).await;
        assert_eq!(answer, refused("invalid format", malformed, 1));
    }
    // Names are compared as they are written.
    create("targets", 100, domains(&["a.example", "A.example"])).await.unwrap();
}

#[tokio::test]
async fn a_rule_without_a_sid_is_refused() {
    let text = "drop udp any any -> any 443 (msg:\"no sid\";)";
    let group = strict(RulesSource::builder().rules_string(text).build());
    let (_, message) = create("sidless", 10, group).await.unwrap_err();
    assert_eq!(message, format!("stateful rule is invalid, rule: {text}, reason: sid not assigned"));
}

#[tokio::test]
async fn a_dry_run_says_what_would_be_and_changes_nothing() {
    let arn = create("dry", 3, rules(&[1])).await.unwrap();
    let before = describe(&arn).await;
    update(&arn, &before.update_token, rules(&[1, 2]), true).await.unwrap();
    let (_, message) = update(&arn, &before.update_token, rules(&[1, 2, 3, 4]), true).await.unwrap_err();
    assert!(message.contains("parameter: [4]"), "{message}");
    let after = describe(&arn).await;
    assert_eq!((after.update_token.as_str(), text(&after)), (before.update_token.as_str(), text(&before)));

    let request = client().await.create_rule_group().rule_group_name("never").r#type(RuleGroupType::Stateful);
    let answer =
        request.capacity(30_000).rule_group(domains(&["a.example"])).dry_run(true).send().await.unwrap();
    assert_eq!(answer.rule_group_response.unwrap().consumed_capacity, Some(3));
    let gone = client().await.describe_rule_group().rule_group_name("never").r#type(RuleGroupType::Stateful);
    assert_eq!(said(&gone.send().await.unwrap_err()).0, "ResourceNotFoundException");
}

/// Creates a policy on the groups; its ARN.
async fn policy(name: &str, groups: &[&str]) -> String {
    let reference = |(group, priority): (&&str, i32)| {
        StatefulRuleGroupReference::builder().resource_arn(*group).priority(priority).build().unwrap()
    };
    let options = StatefulEngineOptions::builder().rule_order(RuleOrder::StrictOrder).build();
    let body = FirewallPolicy::builder()
        .stateless_default_actions("aws:forward_to_sfe")
        .stateless_fragment_default_actions("aws:forward_to_sfe")
        .stateful_default_actions("aws:drop_established_app_layer_to_server")
        .stateful_default_actions("aws:alert_established_app_layer_to_server")
        .stateful_engine_options(options)
        .set_stateful_rule_group_references(Some(groups.iter().zip(1..).map(reference).collect()))
        .build()
        .unwrap();
    let request = client().await.create_firewall_policy().firewall_policy_name(name).firewall_policy(body);
    request.send().await.unwrap().firewall_policy_response.unwrap().firewall_policy_arn
}

#[tokio::test]
async fn a_group_in_use_is_not_deleted() {
    let group = create("used", 10, rules(&[1])).await.unwrap();
    policy("user", &[&group]).await;
    let error = client().await.delete_rule_group().rule_group_arn(&group).send().await.unwrap_err();
    assert_eq!(said(&error).0, "InvalidOperationException");
    assert_eq!(describe(&group).await.rule_group_response.unwrap().number_of_associations, Some(1));
}

/// A firewall in two zones, whose VPC the `aws` command made; its ARN.
async fn firewall(aws: &LocalAws, name: &str, policy: &str) -> String {
    let ec2 = |arguments: &[&str]| {
        let output =
            aws.command("aws").arg("ec2").args(arguments).args(["--output", "text"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let vpc = ec2(&["create-vpc", "--cidr-block", "10.2.0.0/16", "--query", "Vpc.VpcId"]);
    let mut request =
        Client::new(&aws.sdk_config()).create_firewall().firewall_name(name).firewall_policy_arn(policy);
    for (zone, cidr) in [("us-east-1a", "10.2.1.0/24"), ("us-east-1b", "10.2.2.0/24")] {
        let place = ["--vpc-id", &vpc, "--cidr-block", cidr, "--availability-zone", zone];
        let subnet = ec2(&[&["create-subnet", "--query", "Subnet.SubnetId"], &place[..]].concat());
        request = request.subnet_mappings(SubnetMapping::builder().subnet_id(subnet).build().unwrap());
    }
    request.vpc_id(vpc).send().await.unwrap().firewall.unwrap().firewall_arn.unwrap()
}

/// For each zone the group's state and version, as `DescribeFirewall` shows them, and whether the firewall is ready.
async fn state(firewall: &str, group: &str) -> (bool, Vec<(PerObjectSyncStatus, String)>) {
    let answer = client().await.describe_firewall().firewall_arn(firewall).send().await.unwrap();
    let status = answer.firewall_status.unwrap();
    let zones = status.sync_states.unwrap().into_values().map(|zone| {
        let object = zone.config.unwrap().remove(group).unwrap();
        (object.sync_status.unwrap(), object.update_token.unwrap())
    });
    (status.status == FirewallStatusValue::Ready, zones.collect())
}

async fn until<F: Future<Output = bool>>(what: &str, mut probe: impl FnMut() -> F) {
    let started = Instant::now();
    while !probe().await {
        assert!(started.elapsed() < LIMIT, "{what}: not within {LIMIT:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_change_is_pending_and_then_in_sync_in_every_zone_with_its_token() {
    // Given a firewall that is ready,
    let group = create("synced", 10, rules(&[1])).await.unwrap();
    let firewall = firewall(aws().await, "walks", &policy("walks", &[&group]).await).await;
    assert!(!state(&firewall, &group).await.0, "it is ready at once");
    let in_sync = |zones: &[(PerObjectSyncStatus, String)]| {
        zones.len() == 2 && zones.iter().all(|(status, _)| *status == PerObjectSyncStatus::InSync)
    };
    until("the firewall is ready", || async {
        let (ready, zones) = state(&firewall, &group).await;
        ready && in_sync(&zones)
    })
    .await;
    // when a group of its policy is updated,
    let token = update(&group, &describe(&group).await.update_token, rules(&[1, 2]), false).await.unwrap();
    // then each zone has the new version at once, pending, and is in sync a little later.
    let (_, zones) = state(&firewall, &group).await;
    let pending = (PerObjectSyncStatus::Pending, token.clone());
    assert_eq!(zones, [pending.clone(), pending]);
    until("the change is in sync", || async { in_sync(&state(&firewall, &group).await.1) }).await;
    let versions: HashSet<_> =
        state(&firewall, &group).await.1.into_iter().map(|(_, version)| version).collect();
    assert_eq!(versions, HashSet::from([token]));
}

#[tokio::test]
async fn two_at_a_time_know_nothing_of_each_other() {
    let (first, second) = tokio::try_join!(LocalAws::start(), LocalAws::start()).unwrap();
    let groups = |aws: &LocalAws| Client::new(&aws.sdk_config()).list_rule_groups().send();
    let request = Client::new(&first.sdk_config()).create_rule_group().rule_group_name("mine").capacity(1);
    request.r#type(RuleGroupType::Stateful).rule_group(rules(&[1])).send().await.unwrap();
    assert_eq!(groups(&first).await.unwrap().rule_groups().len(), 1);
    assert_eq!(groups(&second).await.unwrap().rule_groups().len(), 0);
}

#[tokio::test]
async fn an_empty_account_has_nothing_in_it() {
    assert_eq!(LocalAws::start().await.unwrap().leftovers().await.unwrap(), []);
}

/// Runs the stories in Python (`tests/local_aws/test_*.py`) on an instance of their own.
async fn stories(module: &str) {
    let options = Options { minute: Duration::from_secs(1), enforce_iam: true, ..Options::default() };
    let aws = LocalAws::with(options).await.unwrap();
    let mut python = aws.command("python");
    python.args(["-m", "unittest", module]);
    let output = tokio::process::Command::from(python).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn stories_about_resources() {
    stories("local_aws.test_resources").await;
}

#[tokio::test]
async fn stories_about_policies() {
    stories("local_aws.test_policies").await;
}

#[tokio::test]
async fn stories_about_functions() {
    stories("local_aws.test_functions").await;
}

#[tokio::test]
async fn stories_about_custom_resources() {
    stories("local_aws.test_custom_resources").await;
}

#[tokio::test]
async fn stories_about_security_groups() {
    stories("local_aws.test_security_groups").await;
}

#[tokio::test]
async fn stories_about_queues() {
    stories("local_aws.test_queues").await;
}

#[tokio::test]
async fn stories_about_redrive() {
    stories("local_aws.test_redrive").await;
}

#[tokio::test]
async fn stories_about_deployments() {
    stories("local_aws.test_deployment").await;
}

#[tokio::test]
async fn stories_about_studio() {
    stories("local_aws.test_studio").await;
}

fn is_there(process: &str) -> bool {
    Path::new("/proc").join(process).exists()
}

#[tokio::test]
async fn nothing_is_left_of_one_that_is_dropped() {
    let aws = LocalAws::start().await.unwrap();
    let (process, log) = (aws.process_id().to_string(), aws.log().to_owned());
    assert!(is_there(&process) && log.exists());
    drop(aws);
    assert!(!is_there(&process) && !log.exists());
}

/// Makes the story of the killed owner that owner, in a process of its own.
const OWNER: &str = "EGRESS_TEST_IS_OWNER";

async fn own_one_until_killed() {
    let aws = LocalAws::start().await.unwrap();
    println!("\nstarted {} {}", aws.process_id(), aws.log().display());
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

#[tokio::test]
async fn nothing_is_left_when_its_owner_is_killed() {
    if std::env::var_os(OWNER).is_some() {
        return own_one_until_killed().await;
    }
    // Given another process that has started one,
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "nothing_is_left_when_its_owner_is_killed", "--nocapture"])
        .env(OWNER, "")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(owner.stdout.take().unwrap()).lines();
    let started = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("started ").map(str::to_owned))
        .unwrap();
    let (process, log) = started.split_once(' ').unwrap();
    assert!(is_there(process));
    // when that process is killed, which runs no code of its own any more,
    owner.kill().unwrap();
    owner.wait().unwrap();
    // then the local AWS and its files go as well.
    until("the process is gone", || async { !is_there(process) && !Path::new(log).exists() }).await;
}
