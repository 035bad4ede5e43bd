//! The firewall lab's own stories. Each is told on every engine that this user may have: on captures
//! always, and inline between namespaces as root.
#![cfg(test)]

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use aws_sdk_cloudwatchlogs::Client as Logs;
use aws_sdk_networkfirewall::Client;
use aws_sdk_networkfirewall::types::{
    FirewallPolicy, GeneratedRulesType, RuleGroup as AwsRuleGroup, RuleGroupType, RuleOrder, RulesSource,
    RulesSourceList, StatefulEngineOptions, StatefulRuleGroupReference, StatefulRuleOptions, SubnetMapping,
    TargetType,
};
use tests::lab::policy::Source;
use tests::lab::{
    BlockAction, Engine, GIT_REPOSITORY, Lab, Outcome, PYTHON_PACKAGE, Policy, Probe, RuleGroup, Shipper,
    Template, fetch,
};
use tests::local_aws::LocalAws;
use tokio::io::{AsyncBufReadExt, BufReader};

fn engines() -> Result<Vec<Engine>> {
    Ok(match Engine::detect()? {
        Engine::Inline => vec![Engine::Offline, Engine::Inline],
        Engine::Offline => vec![Engine::Offline],
    })
}

/// The policy that the templates deploy, with these names granted beside the baseline's.
fn policy(granted: &[&str]) -> Result<Policy> {
    Template { allowed: &[".kaggle.com"], denied: &[], block: BlockAction::Reject, granted }.policy()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_allowed_name_answers_and_another_is_told_at_once() -> Result<()> {
    for engine in engines()? {
        let lab = Lab::start(engine).await?;
        lab.load(&policy(&[])?).await?;

        for url in ["https://kaggle.com", "https://www.kaggle.com", "http://kaggle.com"] {
            let allowed = lab.studio().wget(url).await?;
            assert!(allowed.succeeded(), "{engine:?} {url}: {}", allowed.output);
            assert!(allowed.output.contains("Kaggle"), "{}", allowed.output);
        }
        for url in ["https://github.com", "http://github.com", "https://kaggle.com.example.com"] {
            let refused = lab.studio().wget(url).await?;
            assert!(!refused.succeeded(), "{engine:?} {url} is not allowed");
        }
        let (kaggle, github) = (lab.address("kaggle.com")?, lab.address("github.com")?);
        let told = [
            Probe::tls_to("github.com", github),
            Probe::http_to("github.com", github),
            Probe::tls_to("kaggle.com.example.com", kaggle),
        ];
        for refused in lab.probes(&told).await? {
            assert_eq!(refused.outcome, Outcome::Reset, "{engine:?}: {refused:?}");
            assert!(refused.verdict.is_some_and(|verdict| verdict.rejected), "{engine:?} {}", refused.probe);
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_tls_and_http_to_names_gets_out() -> Result<()> {
    for engine in engines()? {
        let lab = Lab::start(engine).await?;
        let (host, kaggle) = (lab.address("github.com")?, lab.address("kaggle.com")?);
        lab.load(&Policy::default()).await?;
        let probes = Probe::forbidden(host);
        for open in lab.probes(&probes).await? {
            assert_eq!(open.outcome, Outcome::Answered, "{engine:?} without a policy: {open:?}");
        }

        lab.load(&policy(&[".github.com"])?).await?;
        for blocked in lab.probes(&probes).await? {
            assert_ne!(blocked.outcome, Outcome::Answered, "{engine:?}: {blocked:?}");
            let verdict = blocked.verdict.with_context(|| format!("no record of {}", blocked.probe))?;
            assert_eq!(verdict.action, "drop", "{engine:?} {}: {verdict:?}", blocked.probe);
            assert!(verdict.signature.starts_with("egress "), "{engine:?} {}: {verdict:?}", blocked.probe);
        }
        let allowed = [
            Probe::tls_to("kaggle.com", kaggle),
            Probe::tls_to("github.com", host),
            Probe::tls_in_two_segments("www.kaggle.com", kaggle),
            Probe::http_to("kaggle.com", kaggle),
        ];
        for passed in lab.probes(&allowed).await? {
            assert_eq!(passed.outcome, Outcome::Answered, "{engine:?}: {passed:?}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_rejected_before_the_grants_is_told_at_once_and_nothing_reaches_the_server() -> Result<()> {
    for engine in engines()? {
        let lab = Lab::start(engine).await?;
        let (denied, granted) = (&["gist.github.com"], &[".github.com"]);
        let block = BlockAction::Reject;
        lab.load(&Template { allowed: &["kaggle.com"], denied, block, granted }.policy()?).await?;
        let host = lab.address("github.com")?;
        let mut heard = match lab.namespace_of_servers() {
            Some(namespace) => Some(Sniffer::start(namespace).await?),
            None => None,
        };

        let probes = [
            Probe::ssh_on_443(host),
            Probe::raw_tcp(host),
            Probe::dns_over_tcp(host),
            Probe::tls_to_address(host),
            Probe::http_to_address(host),
            Probe::tls_to("gist.github.com", host),
            Probe::tls_in_two_records("gist.github.com", host),
            Probe::http_to("gist.github.com", host),
        ];
        for told in lab.probes(&probes).await? {
            assert_eq!(told.outcome, Outcome::Reset, "{engine:?}: {told:?}");
            assert!(engine == Engine::Offline || told.elapsed < Duration::from_secs(1), "{told:?}");
            let verdict = told.verdict.with_context(|| format!("no record of {}", told.probe))?;
            assert!(verdict.rejected && verdict.action == "drop", "{engine:?} {}: {verdict:?}", told.probe);
            let blocks = ["egress guard: ", "matching TLS rejectlisted", "matching HTTP rejectlisted"];
            assert!(blocks.iter().any(|block| verdict.signature.starts_with(block)), "{verdict:?}");
        }
        assert_eq!(lab.records().len(), probes.len(), "{engine:?}: {:#?}", lab.records());

        // The first that anybody hears is what is allowed.
        let allowed = lab.probe(&Probe::http_to("kaggle.com", lab.address("kaggle.com")?)).await?;
        assert_eq!(allowed.outcome, Outcome::Answered, "{engine:?}: {allowed:?}");
        if let Some(heard) = &mut heard {
            let first = heard.next().await?;
            assert!(first.contains("Host: kaggle.com"), "{first}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn git_and_pip_work_once_their_names_are_granted() -> Result<()> {
    for engine in engines()? {
        let lab = Lab::start(engine).await?;
        let repository = format!("https://github.com/{GIT_REPOSITORY}.git");
        lab.load(&policy(&[])?).await?;
        let clone = lab.studio().git_clone(&repository).await?;
        assert!(!clone.succeeded(), "{engine:?}: {clone:?}");
        // It was told so: nobody had to stop it.
        assert!(clone.status.is_some(), "{engine:?}: {clone:?}");
        let install = lab.studio().pip_install(PYTHON_PACKAGE).await?;
        assert!(!install.succeeded(), "{engine:?}: {install:?}");

        lab.load(&policy(&[".github.com", "pypi.org", "files.pythonhosted.org"])?).await?;
        let clone = lab.studio().git_clone(&repository).await?;
        assert!(clone.succeeded(), "{engine:?}: {clone:?}");
        let install = lab.studio().pip_install(PYTHON_PACKAGE).await?;
        assert!(install.succeeded(), "{engine:?}: {install:?}");
        assert!(install.output.contains("Successfully installed scikit-learn"), "{}", install.output);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn records_have_the_firewalls_form_and_say_who_decided() -> Result<()> {
    for engine in engines()? {
        let lab = Lab::with_hosts(engine, "the-firewall", &[]).await?;
        lab.load(&policy(&[".github.com"])?).await?;
        let granted = lab.probe(&Probe::tls_to("github.com", lab.address("github.com")?)).await?;
        let refused = lab.probe(&Probe::tls_to("pypi.org", lab.address("pypi.org")?)).await?;
        assert_eq!((granted.outcome, refused.outcome), (Outcome::Answered, Outcome::Reset), "{engine:?}");
        assert!(refused.verdict.is_some_and(|verdict| verdict.rejected), "{engine:?}");

        let of = |name: &'static str| {
            move |record: &serde_json::Value| (record["event"]["tls"]["sni"] == name).then(|| record.clone())
        };
        let patience = Duration::from_secs(2);
        let used = lab.wait_for_record(patience, of("github.com")).await.context("no record of the use")?;
        assert_eq!(used["firewall_name"], "the-firewall");
        assert_eq!(used["event"]["alert"]["action"], "allowed");
        assert_eq!(used["event"]["alert"]["signature_id"], 1_000_000);
        assert_eq!(used["event"]["alert"]["metadata"]["grant"][0], "req-0123456789ab");
        assert_eq!(used["event"]["verdict"]["action"], "alert");

        let blocked =
            lab.wait_for_record(patience, of("pypi.org")).await.context("no record of the block")?;
        assert_eq!(blocked["event"]["alert"]["action"], "blocked");
        assert_eq!(blocked["event"]["alert"]["signature_id"], 9_900_001);
        assert_eq!(blocked["event"]["verdict"]["action"], "drop");
        assert_eq!(blocked["event"]["src_ip"], "10.2.3.10");

        lab.probe(&Probe::http_to("pypi.org", lab.address("pypi.org")?)).await?;
        let of_http =
            |record: &serde_json::Value| record["event"]["http"]["hostname"].as_str().map(str::to_owned);
        assert_eq!(lab.wait_for_record(patience, of_http).await.as_deref(), Some("pypi.org"));
        let time = blocked["event_timestamp"].as_str().context("the time is text")?;
        assert!(time.parse::<i64>()? > 1_700_000_000);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_default_action_drops_in_silence_and_logs_once() -> Result<()> {
    for engine in engines()? {
        let lab = Lab::start(engine).await?;
        let mut bare = policy(&[])?;
        bare.groups.retain(|group| group.name == "Baseline");
        lab.load(&bare).await?;
        let (github, kaggle) = (lab.address("github.com")?, lab.address("kaggle.com")?);
        let split = lab.probe(&Probe::tls_in_two_segments("kaggle.com", kaggle)).await?;
        assert_eq!(split.outcome, Outcome::Answered, "{engine:?}: {split:?}");
        for probe in [Probe::tls_to("github.com", github), Probe::http_to("github.com", github)] {
            let dropped = lab.probe(&probe).await?;
            assert_eq!(dropped.outcome, Outcome::TimedOut, "{engine:?}: {dropped:?}");
            let verdict = dropped.verdict.context("no record")?;
            assert_eq!(verdict.signature, "aws:alert_established_app_layer_to_server action");
            assert_eq!((verdict.action.as_str(), verdict.rejected), ("drop", false));
        }
        assert_eq!(lab.records().len(), 2, "{engine:?}: {:#?}", lab.records());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_that_suricata_refuses_are_an_error() -> Result<()> {
    for engine in engines()? {
        let lab = Lab::start(engine).await?;
        let rule = "pass tls $HOME_NET any -> $EXTERNAL_NET any (tls.nonsense; content:\"x\"; sid:1;)";
        let policy = Policy { groups: vec![RuleGroup::rules("broken", rule)], ..Policy::default() };
        let error = lab.load(&policy).await.expect_err("a keyword that doesn't exist");
        assert!(format!("{error:#}").contains("nonsense"), "{engine:?}: {error:#}");
    }
    Ok(())
}

/// As root, this program starts itself again to have a lab that it can kill.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_lab_is_cleared_away_by_the_next() -> Result<()> {
    const SELF: &str = "a_killed_lab_is_cleared_away_by_the_next";
    const VICTIM: &str = "LAB_TO_BE_KILLED";
    if Engine::detect()? == Engine::Offline {
        return Ok(()); // Nothing of an offline lab outlives its process but a folder.
    }
    if std::env::var_os(VICTIM).is_some() {
        let _lab = Lab::start(Engine::Inline).await?;
        eprintln!("ready");
        std::future::pending::<()>().await;
    }
    let mut victim = tokio::process::Command::new(std::env::current_exe()?)
        .args(["--exact", SELF, "--nocapture"])
        .env(VICTIM, "yes")
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let id = format!("egr-{}-", victim.id().context("no process id")?);
    let mut lines = BufReader::new(victim.stderr.take().context("no output")?).lines();
    while lines.next_line().await?.context("the lab to be killed ended by itself")? != "ready" {}
    assert_eq!(namespaces(&id)?, 3);

    assert!(!firewall_processes(&id)?.is_empty());

    victim.kill().await?;
    let limit = Instant::now() + Duration::from_secs(5);
    while !firewall_processes(&id)?.is_empty() {
        assert!(Instant::now() < limit, "Suricata outlives its lab");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let _next = Lab::start(Engine::Inline).await?;
    assert_eq!(namespaces(&id)?, 0);
    Ok(())
}

fn namespaces(prefix: &str) -> Result<usize> {
    let names = std::fs::read_dir("/run/netns")?.flatten().map(|entry| entry.file_name());
    Ok(names.filter(|name| name.to_string_lossy().starts_with(prefix)).count())
}

fn ec2(aws: &LocalAws, arguments: &[&str]) -> Result<String> {
    let done = aws.command("aws").arg("ec2").args(arguments).arg("--output=text").output()?;
    anyhow::ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    Ok(String::from_utf8(done.stdout)?.trim().to_owned())
}

/// A firewall on the local AWS, with a group of rules and a domain list.
async fn deploy(aws: &LocalAws, client: &Client) -> Result<()> {
    let strict = StatefulRuleOptions::builder().rule_order(RuleOrder::StrictOrder).build();
    let list = RulesSourceList::builder()
        .targets(".kaggle.com")
        .target_types(TargetType::TlsSni)
        .generated_rules_type(GeneratedRulesType::Allowlist)
        .build()?;
    let rejects =
        "reject tls $HOME_NET any -> $EXTERNAL_NET any (msg:\"refused\"; ssl_state:client_hello; sid:1;)";
    let sources = [
        ("refuse", 1000, RulesSource::builder().rules_string(rejects).build()),
        ("allow", 300, RulesSource::builder().rules_source_list(list).build()),
    ];
    let options = StatefulEngineOptions::builder().rule_order(RuleOrder::StrictOrder).build();
    let mut policy = FirewallPolicy::builder()
        .stateless_default_actions("aws:forward_to_sfe")
        .stateless_fragment_default_actions("aws:forward_to_sfe")
        .stateful_default_actions("aws:drop_established_app_layer_to_server")
        .stateful_engine_options(options);
    for (name, priority, source) in sources {
        let group =
            AwsRuleGroup::builder().rules_source(source).stateful_rule_options(strict.clone()).build();
        let request = client.create_rule_group().rule_group_name(name).r#type(RuleGroupType::Stateful);
        let answer = request.capacity(100).rule_group(group).send().await?;
        let arn = answer.rule_group_response().context("no rule group")?.rule_group_arn();
        let reference = StatefulRuleGroupReference::builder().resource_arn(arn).priority(priority).build()?;
        policy = policy.stateful_rule_group_references(reference);
    }
    let request = client.create_firewall_policy().firewall_policy_name("policy");
    let answer = request.firewall_policy(policy.build()?).send().await?;
    let arn = answer.firewall_policy_response().context("no policy")?.firewall_policy_arn();
    let request = client.create_firewall().firewall_name("the-firewall").firewall_policy_arn(arn);
    let vpc = ec2(aws, &["create-vpc", "--cidr-block=10.2.0.0/16", "--query=Vpc.VpcId"])?;
    let in_vpc = format!("--vpc-id={vpc}");
    let create = ["create-subnet", "--cidr-block=10.2.1.0/24", "--query=Subnet.SubnetId", &in_vpc];
    let subnet = SubnetMapping::builder().subnet_id(ec2(aws, &create)?).build()?;
    request.vpc_id(vpc).subnet_mappings(subnet).send().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_comes_from_aws_and_its_records_go_there() -> Result<()> {
    let aws = LocalAws::start().await?;
    let (firewalls, logs) = (Client::new(&aws.sdk_config()), Logs::new(&aws.sdk_config()));
    deploy(&aws, &firewalls).await?;
    logs.create_log_group().log_group_name("alerts").send().await?;

    let policy = fetch(&firewalls, "the-firewall").await?;
    assert!(matches!(policy.groups[0].source, Source::Domains(_)), "by priority: {policy:?}");
    let lab = Lab::with_hosts(Engine::detect()?, "the-firewall", &[]).await?;
    lab.load(&policy).await?;
    let shipper = Shipper::start(logs.clone(), "alerts", "the-firewall", lab.subscribe());
    let names = ["kaggle.com", "github.com"];
    let probes = names.map(|name| lab.address(name).map(|address| Probe::tls_to(name, address)));
    let seen = lab.probes(&probes.into_iter().collect::<Result<Vec<_>>>()?).await?;
    assert_eq!((seen[0].outcome, seen[1].outcome), (Outcome::Answered, Outcome::Reset));

    assert_eq!(shipper.stop().await?, 1);
    let streams = logs.describe_log_streams().log_group_name("alerts").send().await?;
    let stream = streams.log_streams()[0].log_stream_name().context("a stream without a name")?;
    assert!(stream.starts_with("/aws/network-firewall/alert/the-firewall_20"), "{stream}");
    let request = logs.get_log_events().log_group_name("alerts").log_stream_name(stream);
    let events = request.send().await?;
    let record: serde_json::Value =
        serde_json::from_str(events.events()[0].message().context("no message")?)?;
    assert_eq!(record["event"]["tls"]["sni"], "github.com");
    assert_eq!(record["event"]["alert"]["signature"], "refused");
    Ok(())
}

/// What comes out of the studio over TCP, seen where the servers are.
struct Sniffer {
    lines: tokio::io::Lines<BufReader<tokio::process::ChildStdout>>,
    _child: tokio::process::Child,
}

impl Sniffer {
    const SCRIPT: &str = r#"
import socket
packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
packets.bind(("eth0", 0))
print("ready", flush=True)
while True:
    packet = packets.recv(65535)[14:]
    segment = packet[4 * (packet[0] & 15):int.from_bytes(packet[2:4], "big")]
    said = segment[4 * (segment[12] >> 4):] if packet[9] == 6 else b""
    if packet[12] == 10 and said:
        print(said, flush=True)
"#;

    async fn start(namespace: &str) -> Result<Self> {
        let mut child = tokio::process::Command::new("ip")
            .args(["netns", "exec", namespace, "python3", "-c", Self::SCRIPT])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let lines = BufReader::new(child.stdout.take().context("no output")?).lines();
        let mut sniffer = Self { lines, _child: child };
        anyhow::ensure!(sniffer.next().await? == "ready", "it hears nothing");
        Ok(sniffer)
    }

    async fn next(&mut self) -> Result<String> {
        let line = tokio::time::timeout(Duration::from_secs(5), self.lines.next_line()).await;
        line.context("nothing was heard")??.context("it has ended")
    }
}

fn firewall_processes(prefix: &str) -> Result<String> {
    let namespace = format!("{prefix}0-fw");
    let done = std::process::Command::new("ip").args(["netns", "pids", &namespace]).output()?;
    Ok(String::from_utf8(done.stdout)?)
}
