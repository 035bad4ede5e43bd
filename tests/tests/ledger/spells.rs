//! Whose addresses were: in the table, and asked of EC2 on the local AWS.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use alerts::dynamodb::DynamoStore;
use alerts::owners::spells::{REFRESHED, Spell, Spells};
use alerts::owners::{Ec2Owners, Owners, Place, Span};
use anyhow::ensure;
use egress::aws::ec2::Ec2;
use egress::aws::signed::Signed;
use egress::owner::Owner;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tests::local_aws::LocalAws;

use crate::samples::noon;
use crate::table::Table;

const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 2, 3, 10);
const OTHER: Ipv4Addr = Ipv4Addr::new(10, 2, 3, 1);
const MINUTE: SignedDuration = SignedDuration::from_mins(1);

fn profile(name: &str) -> Owner {
    Owner::UserProfile { domain: "d-1".to_owned(), name: name.to_owned() }
}

fn spell(name: &str, interface: &str, from: Timestamp, seen_until: Timestamp) -> Spell {
    Spell { owner: profile(name), interface: interface.to_owned(), from, seen_until }
}

#[tokio::test]
async fn a_spell_is_written_once_and_goes_on() -> anyhow::Result<()> {
    let table = Table::start().await?;
    let store = DynamoStore::new(table.client.clone(), Table::name());
    let from = noon();
    let seen = |until: Timestamp| spell("alice", "eni-a", from, until);
    // The first time it is written; as long as that is fresh, it is answered;
    let first = seen(from + MINUTE);
    assert_eq!(store.keep(ADDRESS, &first).await?, None);
    let a_moment_before = seen(first.seen_until + REFRESHED - SignedDuration::from_micros(1));
    assert_eq!(store.keep(ADDRESS, &a_moment_before).await?, Some(first.clone()));
    // then it is written that it goes on, and by nobody who saw it before that.
    let later = seen(first.seen_until + REFRESHED);
    assert_eq!(store.keep(ADDRESS, &later).await?, None);
    assert_eq!(store.keep(ADDRESS, &first).await?, Some(later.clone()));
    // Another owner doesn't take it over, however long that is ago.
    let stolen = spell("bob", "eni-a", from, later.seen_until + SignedDuration::from_hours(9));
    assert_eq!(store.keep(ADDRESS, &stolen).await?, Some(later));
    let kept = table.items().await?;
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0]["sk"].as_s().unwrap(), &format!("{:020}#eni-a", from.as_microsecond()));
    let expires = kept[0]["expires_at"].as_n().unwrap().parse::<i64>()?;
    assert_eq!(expires, (first.seen_until + REFRESHED).as_second() + 15 * 86_400);
    Ok(())
}

#[tokio::test]
async fn the_last_spell_that_had_begun_is_found() -> anyhow::Result<()> {
    let table = Table::start().await?;
    let store = DynamoStore::new(table.client.clone(), Table::name());
    let nobody = Owner::Unknown { reason: "Somebody's \"group\"#2".to_owned() };
    let spells = [
        spell("alice", "eni-a", noon(), noon() + MINUTE),
        Spell { owner: nobody, ..spell("", "eni-b", noon() + MINUTE * 10, noon() + MINUTE * 11) },
        spell("carol", "eni-c", noon() + MINUTE * 10, noon() + MINUTE * 12),
    ];
    for spell in &spells {
        assert_eq!(store.keep(ADDRESS, spell).await?, None);
    }
    store.keep(OTHER, &spell("dave", "eni-d", noon() + MINUTE * 20, noon() + MINUTE * 21)).await?;
    let last = async |minutes: i32| store.last(ADDRESS, noon() + MINUTE * minutes).await;
    assert_eq!(last(-1).await?, None);
    for (minutes, number) in [(0, 0), (9, 0), (10, 2), (600, 2)] {
        assert_eq!(last(minutes).await?.as_ref(), Some(&spells[number]), "after {minutes} minutes");
    }
    Ok(())
}

/// A domain of Studio with two people, of whom one has a security group of her own, and their apps.
async fn studio(aws: &LocalAws) -> anyhow::Result<(String, String)> {
    let made = async |command: &[&str]| call(aws, command).await;
    let vpc = text(&made(&["ec2", "create-vpc", "--cidr-block", "10.2.0.0/16"]).await?["Vpc"]["VpcId"]);
    let subnet = ["ec2", "create-subnet", "--vpc-id", &vpc, "--cidr-block", "10.2.3.0/24"];
    let subnet = text(&made(&subnet).await?["Subnet"]["SubnetId"]);
    let settings = "ExecutionRole=arn:aws:iam::000000000000:role/studio";
    let domain = [
        "sagemaker",
        "create-domain",
        "--domain-name",
        "one",
        "--auth-mode",
        "IAM",
        "--vpc-id",
        &vpc,
        "--subnet-ids",
        &subnet,
        "--app-network-access-type",
        "VpcOnly",
        "--default-user-settings",
        settings,
    ];
    let domain = text(&made(&domain).await?["DomainId"]);
    let tags = format!(
        "ResourceType=security-group,Tags=[{{Key=studio-egress:domain,Value={domain}}},{{Key=studio-egress:user-profile,Value=Alice}}]"
    );
    let group = [
        "ec2",
        "create-security-group",
        "--vpc-id",
        &vpc,
        "--group-name",
        "a",
        "--description",
        "a",
        "--tag-specifications",
        &tags,
    ];
    let group = text(&made(&group).await?["GroupId"]);
    for (name, settings) in [("Alice", format!("SecurityGroups={group}")), ("Bob", settings.to_owned())] {
        let profile = ["--domain-id", &domain, "--user-profile-name", name];
        let create =
            [&["sagemaker", "create-user-profile", "--user-settings", &settings][..], &profile].concat();
        made(&create).await?;
        let app = ["sagemaker", "create-app", "--app-type", "JupyterServer", "--app-name", "default"];
        // A profile takes a moment to be there.
        let app = [&app[..], &profile].concat();
        eventually(async || made(&app).await.is_ok()).await?;
    }
    Ok((vpc, domain))
}

async fn call(aws: &LocalAws, arguments: &[&str]) -> anyhow::Result<Value> {
    let mut command = tokio::process::Command::from(aws.command("aws"));
    let output = command.args(arguments).args(["--output", "json"]).output().await?;
    ensure!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout).unwrap_or_default())
}

/// Asks until it is so.
async fn eventually(is_so: impl AsyncFn() -> bool) -> anyhow::Result<()> {
    for _ in 0..100 {
        if is_so().await {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    anyhow::bail!("it didn't become so")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn an_app_s_address_leads_to_a_person_also_when_the_app_is_gone() -> anyhow::Result<()> {
    // Given two people who work in Studio,
    let table = Table::start().await?;
    let (vpc, domain) = studio(&table.aws).await?;
    let store = DynamoStore::new(table.client.clone(), Table::name());
    let ec2 = Ec2::new(Signed::new(&table.aws.sdk_config()));
    let owners = || Ec2Owners::new(Place::Vpc(vpc.clone()), ec2.clone(), store.clone(), || 0.5);
    let rows = call(&table.aws, &["ec2", "describe-network-interfaces"]).await?;
    let rows = rows["NetworkInterfaces"].as_array().cloned().unwrap_or_default();
    let of_studio = |row: &&Value| text(&row["Description"]).contains("Studio Domain");
    let addresses: Vec<IpAddr> =
        rows.iter().filter(of_studio).filter_map(|row| text(&row["PrivateIpAddress"]).parse().ok()).collect();
    let now = Timestamp::now();
    let span = Span::from(now);
    let mut seen: BTreeMap<IpAddr, Span> = addresses.iter().map(|address| (*address, span)).collect();
    seen.insert("10.2.3.250".parse()?, span);

    // when it is asked whose they are, then one is known by the group, the other by the tag of the interface.
    let found = owners().owners(&seen, now).await?;
    let names: Vec<String> = addresses.iter().map(|address| found[address].to_string()).collect();
    assert_eq!(
        names,
        [format!("user profile Alice in {domain}"), format!("space or user profile bob in {domain}")]
    );
    assert_eq!(found[&"10.2.3.250".parse::<IpAddr>()?].to_string(), "unknown");

    // And when the apps are gone, whoever asks finds the same.
    for name in ["Alice", "Bob"] {
        let app = ["--domain-id", &domain, "--user-profile-name", name, "--app-type", "JupyterServer"];
        call(&table.aws, &[&["sagemaker", "delete-app", "--app-name", "default"][..], &app].concat()).await?;
    }
    let there =
        ["ec2", "describe-network-interfaces", "--filters", "Name=description,Values=*Studio Domain*"];
    let are_gone = |rows: Value| rows["NetworkInterfaces"].as_array().is_some_and(Vec::is_empty);
    eventually(async || call(&table.aws, &there).await.is_ok_and(are_gone)).await?;
    assert_eq!(owners().owners(&seen, Timestamp::now() + SignedDuration::from_hours(1)).await?, found);
    Ok(())
}
