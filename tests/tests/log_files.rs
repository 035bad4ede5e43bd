//! Files of the firewall's log, read from a bucket on the local AWS.

#![cfg(test)]

use std::process::Command;

use alerts::s3::{ObjectRef, Pieces};
use anyhow::ensure;
use egress::aws::S3;
use egress::aws::signed::Signed;
use jiff::Timestamp;
use tests::local_aws::LocalAws;

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
