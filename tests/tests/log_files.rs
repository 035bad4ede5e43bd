//! Files of the firewall's log, read from a bucket on the local AWS; and the stack's own bucket for them.

#![cfg(test)]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use alerts::s3::{ObjectRef, Pieces};
use anyhow::ensure;
use egress::aws::S3;
use egress::aws::signed::Signed;
use jiff::Timestamp;
use serde_json::{Value, json};
use tests::inbox::Inbox;
use tests::lab::Engine;
use tests::local_aws::LocalAws;
use tests::stage::Stage;

const KEY: &str = "logs of the firewall/AWSLogs/1/network-firewall/alert/a+b=c.log.gz";

/// Runs the `aws` command; what it says.
async fn call(aws: &LocalAws, arguments: &[&str]) -> anyhow::Result<String> {
    let mut command = tokio::process::Command::from(aws.command("aws"));
    let output = command.args(arguments).output().await?;
    ensure!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// Records that deflate badly, so that the file is larger than what is read whole of S3.
fn records() -> String {
    let mut seed = 1_u64;
    let mut random = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{seed:016x}")
    };
    let record = |name: String| {
        format!(
            r#"{{"event":{{"event_type":"alert","src_ip":"10.2.3.10","tls":{{"sni":"{name}.org"}},"alert":{{"action":"blocked"}}}}}}"#
        )
    };
    (0..25_000).map(|_| record((0..20).map(|_| random()).collect::<Vec<_>>().join(".")) + "\n").collect()
}

#[tokio::test]
async fn a_file_is_read_as_it_comes_as_long_as_it_is_the_same() -> anyhow::Result<()> {
    let aws = LocalAws::start().await?;
    call(&aws, &["s3api", "create-bucket", "--bucket", "logs"]).await?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("records").display().to_string();
    std::fs::write(&path, records())?;
    ensure!(Command::new("gzip").arg(&path).status()?.success(), "gzip failed");
    let path = format!("{path}.gz");
    let length = std::fs::metadata(&path)?.len();
    ensure!(length > 4 * 1024 * 1024, "{length} bytes could be read whole");
    let put = [
        "s3api",
        "put-object",
        "--bucket",
        "logs",
        "--key",
        KEY,
        "--body",
        &path,
        "--query",
        "ETag",
        "--output",
        "text",
    ];
    let etag = call(&aws, &put).await?.trim_matches('"').to_owned();

    let s3 = S3::new(Signed::new(&aws.sdk_config()));
    let object =
        ObjectRef { bucket: "logs".to_owned(), key: KEY.to_owned(), etag: Some(etag), at: Timestamp::now() };
    let mut pieces = Pieces::open(&s3, &object).await?;
    let mut lines = Vec::new();
    while let Some((_, tally)) = pieces.next().await? {
        lines.push((tally.blocked, tally.unreadable.count()));
    }
    assert_eq!(lines, [(10_000, 0), (10_000, 0), (5_000, 0)]);

    for (object, reason) in [
        (ObjectRef { etag: Some("0a1b".to_owned()), ..object.clone() }, "PreconditionFailed"),
        (ObjectRef { key: "another".to_owned(), etag: None, ..object }, "NoSuchKey"),
    ] {
        let error = Pieces::open(&s3, &object).await.err().map(|error| error.to_string()).unwrap_or_default();
        ensure!(error.starts_with(&format!("{object} can't be read: ")) && error.contains(reason), "{error}");
    }
    Ok(())
}

/// A file of the firewall's log with a record of one blocked connection, as the firewall writes it.
fn file(folder: &Path, name: &str) -> anyhow::Result<String> {
    let now = Timestamp::now();
    let record = json!({
        "firewall_name": "by-hand", "availability_zone": "us-east-1a", "event_timestamp": now.as_second().to_string(),
        "event": {
            "timestamp": now.strftime("%Y-%m-%dT%H:%M:%S.000000+0000").to_string(), "flow_id": 1,
            "event_type": "alert", "proto": "TCP", "src_ip": "10.2.3.10", "src_port": 40_000,
            "dest_ip": "203.0.113.9", "dest_port": 443, "app_proto": "tls",
            "alert": {"action": "blocked", "signature_id": 4, "signature": "aws:alert_established action"},
            "verdict": {"action": "drop"}, "tls": {"sni": name, "version": "UNDETERMINED"},
        },
    });
    let path = folder.join("record").display().to_string();
    std::fs::write(&path, format!("{record}\n"))?;
    ensure!(Command::new("gzip").args(["--force", "--keep", &path]).status()?.success(), "gzip failed");
    Ok(format!("{path}.gz"))
}

/// Each log of the firewall, with the kind of its destination and its name.
async fn destinations(stage: &Stage, firewall: &str) -> anyhow::Result<String> {
    let query = "LoggingConfiguration.LogDestinationConfigs[].[LogType, LogDestinationType, values(LogDestination)[0]]";
    let describe = ["network-firewall", "describe-logging-configuration", "--firewall-arn", firewall];
    let answer = call(&stage.aws, &[&describe[..], &["--query", query, "--output", "text"]].concat()).await?;
    let mut lines: Vec<&str> = answer.lines().collect();
    lines.sort_unstable();
    Ok(lines.join("\n").replace('\t', " "))
}

/// What S3 answers about a bucket.
async fn about(stage: &Stage, bucket: &str, operation: &str) -> anyhow::Result<Value> {
    let answer = call(&stage.aws, &["s3api", operation, "--bucket", bucket, "--output", "json"]).await?;
    Ok(serde_json::from_str(&answer)?)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_goes_where_it_is_wanted_and_a_bucket_is_kept() -> anyhow::Result<()> {
    // Given the defaults, with which the alert log goes to a log group, and there is no flow log,
    let stage = Stage::set(Engine::Offline, Duration::from_secs(2)).await?;
    let outputs = stage.deploy_with(&[]).await?;
    let (firewall, topic) = (outputs["FirewallArn"].clone(), outputs["TopicArn"].clone());
    let group = outputs["AlertLogGroupName"].clone();
    assert_eq!(destinations(&stage, &firewall).await?, format!("ALERT CloudWatchLogs {group}"));
    ensure!(!outputs.contains_key("LogBucketName"), "a bucket that nobody wants");
    // where each log group has its days and the stack's key,
    let query = "logGroups[?!retentionInDays || !kmsKeyId].logGroupName";
    let bare =
        call(&stage.aws, &["logs", "describe-log-groups", "--query", query, "--output", "text"]).await?;
    assert_eq!(bare, "");

    // when both logs are wanted in a bucket,
    let both = [("ALERT_LOG_DESTINATION", "S3"), ("FLOW_LOG_DESTINATION", "S3")];
    let outputs = stage.deploy_with(&both).await?;
    // then they go there, and no log group is left for them;
    let bucket = outputs["LogBucketName"].clone();
    assert_eq!(destinations(&stage, &firewall).await?, format!("ALERT S3 {bucket}\nFLOW S3 {bucket}"));
    ensure!(!outputs.contains_key("AlertLogGroupName"), "a log group that nobody writes to");
    // the bucket is sealed by a key of its own, closed to the public and to what isn't TLS, and forgets;
    let encryption = about(&stage, &bucket, "get-bucket-encryption").await?;
    let rule =
        &encryption["ServerSideEncryptionConfiguration"]["Rules"][0]["ApplyServerSideEncryptionByDefault"];
    assert_eq!(rule["SSEAlgorithm"], "aws:kms");
    let access = about(&stage, &bucket, "get-public-access-block").await?;
    let switches = access["PublicAccessBlockConfiguration"].as_object().unwrap();
    assert!(switches.len() == 4 && switches.values().all(|on| on == &json!(true)), "{access}");
    assert_eq!(about(&stage, &bucket, "get-bucket-versioning").await?["Status"], "Enabled");
    let policy = about(&stage, &bucket, "get-bucket-policy").await?["Policy"].as_str().unwrap().to_owned();
    let statements = serde_json::from_str::<Value>(&policy)?["Statement"].as_array().unwrap().clone();
    let sids: Vec<_> = statements.iter().filter_map(|statement| statement["Sid"].as_str()).collect();
    assert_eq!(sids, ["AWSLogDeliveryAclCheck", "AWSLogDeliveryWrite", "OnlyByTls"]);
    let days = about(&stage, &bucket, "get-bucket-lifecycle-configuration").await?;
    let days: Vec<_> =
        days["Rules"].as_array().unwrap().iter().map(|rule| &rule["Expiration"]["Days"]).collect();
    assert_eq!(days[..2], [&json!(90), &json!(30)]);
    // and a file that comes there is told of.
    let mut inbox = Inbox::subscribe(&stage.aws.sdk_config(), &topic, "subscriber").await?;
    let folder = tempfile::tempdir()?;
    let key = "AWSLogs/000000000000/network-firewall/alert/us-east-1/by-hand/2026/11/28/12/1.log.gz";
    let path = file(folder.path(), "www.filed.example")?;
    call(&stage.aws, &["s3api", "put-object", "--bucket", &bucket, "--key", key, "--body", &path]).await?;
    let limit = Duration::from_mins(1);
    inbox.find(limit, |message| message.subject.contains("www.filed.example")).await?;
    inbox.close().await?;

    // When the alert log is wanted in a log group again, and no flow log, then it goes there,
    let back = [("ALERT_LOG_DESTINATION", "CloudWatchLogs"), ("FLOW_LOG_DESTINATION", "Off")];
    let outputs = stage.deploy_with(&back).await?;
    assert_eq!(outputs["AlertLogGroupName"], group);
    assert_eq!(destinations(&stage, &firewall).await?, format!("ALERT CloudWatchLogs {group}"));
    // and when all is deleted, then the bucket is left, with its file and the key by which it can be read.
    stage.delete().await?;
    let mut left: Vec<_> = stage.resources().await?.into_iter().map(|resource| resource.kind).collect();
    left.sort_unstable();
    assert_eq!(left, ["AWS::KMS::Key", "AWS::S3::Bucket"]);
    call(&stage.aws, &["s3api", "head-object", "--bucket", &bucket, "--key", key]).await?;
    stage.strike().await
}
