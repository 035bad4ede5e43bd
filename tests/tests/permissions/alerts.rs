//! `alerts`: what the firewall blocks, and where its log is.

use std::io::Write;

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use serde_json::{Value, json};

use egress::request::{RequestId, StateName};
use tests::stage::{Deployed, Stage};

use crate::trial::Trial;
use crate::{aws, stack_with};

/// So many batches are counted in a window's own item, as in `alerts`.
const FIRST_BATCHES: usize = 1;
/// The bucket that holds files of the firewall's log.
const LOG_BUCKET: &str = "firewall-log";

/// The function gets its log from a bucket, too, which a key of KMS encrypts. The root template gives it either that or
/// a log group.
pub(crate) async fn reads_a_bucket(stage: &Stage) -> anyhow::Result<()> {
    aws(stage, &["s3", "mb", &format!("s3://{LOG_BUCKET}")]).await?;
    let key = aws(stage, &["kms", "create-key", "--query", "KeyMetadata.Arn", "--output", "text"]).await?;
    let by_default = json!({"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key.trim()});
    let rules = json!({"Rules": [{"ApplyServerSideEncryptionByDefault": by_default}]}).to_string();
    let encrypt = ["s3api", "put-bucket-encryption", "--bucket", LOG_BUCKET];
    aws(stage, &[&encrypt[..], &["--server-side-encryption-configuration", &rules]].concat()).await?;
    let alerts = stack_with(stage, "LogBucketName", "SecurityHubFindings").await?;
    let kept = alerts["Parameters"].as_array().cloned().unwrap_or_default();
    let kept = kept.into_iter().map(|one| match one["ParameterKey"].as_str() {
        Some("LogBucketName") => json!({"ParameterKey": "LogBucketName", "ParameterValue": LOG_BUCKET}),
        Some("LogBucketKeyArn") => json!({"ParameterKey": "LogBucketKeyArn", "ParameterValue": key.trim()}),
        name => json!({"ParameterKey": name, "UsePreviousValue": true}),
    });
    let (name, kept) =
        (alerts["StackId"].as_str().context("a stack's id")?, kept.collect::<Value>().to_string());
    let update = ["cloudformation", "update-stack", "--stack-name", name, "--use-previous-template"];
    let more = ["--capabilities", "CAPABILITY_IAM", "--parameters", &kept];
    aws(stage, &[&update[..], &more[..]].concat()).await?;
    aws(stage, &["cloudformation", "wait", "stack-update-complete", "--stack-name", name]).await?;
    Ok(())
}

/// Somebody waits for an answer, which would explain alerts.
pub(crate) async fn somebody_waits(deployed: &Deployed) -> anyhow::Result<()> {
    let asks = json!({
        "action": "request", "requester": "alice@example.com", "domains": ["waits.example.org"], "justification": "a story",
    });
    let pending = deployed.send("pending", &asks).await?;
    deployed.until(&pending, StateName::Pending).await?;
    Ok(())
}

pub(crate) async fn does_nothing_without(trial: &mut Trial<'_>) -> anyhow::Result<()> {
    // Connections of a notebook and of somebody whom EC2 doesn't know any more, and the use of a grant.
    let blocked = async |trial: &Trial<'_>, run: String| {
        let unknown = record("10.2.3.77", &format!("other-{run}"));
        let used = crate::requests::used(&RequestId::of_message(&run), 9);
        let lines = [record("10.2.3.10", &run), unknown, used];
        trial.invoke(&delivery(&run, &lines)?).await
    };
    trial.logs_nothing_without(&["Log logs:CreateLogStream", "Log logs:PutLogEvents"], blocked).await?;
    trial
        .without(
            &[
                "ReadItems dynamodb:GetItem",
                "ReadManyItems dynamodb:BatchGetItem",
                "ReadPartitions dynamodb:Query",
                "WhoseAddresses ec2:DescribeNetworkInterfaces",
                "WhoseAddresses ec2:DescribeSecurityGroups",
                "CountInWindows dynamodb:UpdateItem",
                "Write dynamodb:PutItem address#*",
                "Write dynamodb:PutItem alert#batch#*",
                "Write dynamodb:PutItem use#*",
                "Publish events:PutEvents",
                "Findings securityhub:BatchImportFindings",
            ],
            blocked,
        )
        .await?;
    // More batches than a window's own item holds.
    let crowded = async |trial: &Trial<'_>, run: String| {
        let mut answers = Vec::new();
        for batch in 0..=FIRST_BATCHES {
            let batch = format!("{run}-{batch}");
            answers.push(trial.invoke(&delivery(&batch, &[record("10.2.3.10", &run)])?).await?);
        }
        anyhow::Ok(answers.join(" "))
    };
    trial.without(&["Write dynamodb:PutItem blocked#*"], crowded).await?;
    let unreadable = async |trial: &Trial<'_>, run: String| {
        trial.invoke(&delivery(&run, &["this is no JSON".to_owned()])?).await
    };
    trial.without(&["DeadLetters sqs:SendMessage"], unreadable).await?;
    let tick = async |trial: &Trial<'_>, _: String| {
        trial.invoke(&json!({"source": "aws.events", "detail-type": "Scheduled Event"})).await
    };
    trial.without(&["ReadDueWindows dynamodb:Query"], tick).await?;
    let file = async |trial: &Trial<'_>, run: String| {
        let key = format!("AWSLogs/000000000000/network-firewall/alert/us-east-1/{run}.log.gz");
        trial.put_object(LOG_BUCKET, &key, packed(&record("10.2.3.10", &run))?).await?;
        let detail = json!({"bucket": {"name": LOG_BUCKET}, "object": {"key": key}});
        let event = json!({"source": "aws.s3", "detail-type": "Object Created", "time": Timestamp::now(), "detail": detail});
        trial.invoke(&event).await
    };
    trial.without(&["ReadFilesOfTheLog s3:GetObject", "DecryptFilesOfTheLog kms:Decrypt"], file).await
}

/// A blocked connection from an address to a name of the run's own.
fn record(source: &str, run: &str) -> String {
    let now = Timestamp::now();
    json!({
        "firewall_name": "by-hand", "availability_zone": "us-east-1a", "event_timestamp": now.as_second().to_string(),
        "event": {
            "timestamp": now.strftime("%Y-%m-%dT%H:%M:%S.000000+0000").to_string(), "flow_id": 1,
            "event_type": "alert", "proto": "TCP", "src_ip": source, "src_port": 40_000,
            "dest_ip": "203.0.113.9", "dest_port": 443, "app_proto": "tls",
            "alert": {"action": "blocked", "signature_id": 4, "signature": "aws:alert_established action"},
            "verdict": {"action": "drop"}, "tls": {"sni": format!("{run}.example"), "version": "UNDETERMINED"},
        },
    })
    .to_string()
}

/// What CloudWatch Logs hands over.
pub(crate) fn delivery(run: &str, lines: &[String]) -> anyhow::Result<Value> {
    let now = Timestamp::now().as_millisecond();
    let event = |(number, line): (usize, &String)| json!({"id": format!("{run}-{number}"), "timestamp": now, "message": line});
    let events: Vec<Value> = lines.iter().enumerate().map(event).collect();
    let data = json!({
        "messageType": "DATA_MESSAGE", "owner": "000000000000", "logGroup": "alert", "logStream": run,
        "subscriptionFilters": ["all"], "logEvents": events,
    });
    Ok(json!({"awslogs": {"data": STANDARD.encode(packed(&data.to_string())?)}}))
}

fn packed(text: &str) -> anyhow::Result<Vec<u8>> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(text.as_bytes())?;
    Ok(packed.finish()?)
}
