//! The whole stack deployed as a user does, deployed again, with another configuration, and deleted: what changes, and what
//! doesn't. The small stories, of what stops a deployment or a deletion, are in `local_aws/test_deployment.py`.

#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tests::lab::Engine;
use tests::stage::Stage;

const MINUTE: Duration = Duration::from_secs(2);
/// The article's parameters.
const DEFAULTS: [(&str, &str); 7] = [
    ("ProjectName", "sagemaker-studio-vpc-firewall"),
    ("DomainName", "sagemaker-anfw-domain"),
    ("UserProfileName", "anfw-user-profile"),
    ("VPCCIDR", "10.2.0.0/16"),
    ("FirewallSubnetCIDR", "10.2.1.0/24"),
    ("NATGatewaySubnetCIDR", "10.2.2.0/24"),
    ("SageMakerStudioSubnetCIDR", "10.2.3.0/24"),
];
/// The function that reads neither file.
const UNCONFIGURED: &str = "provision";

#[test]
fn no_parameter_is_required_and_those_of_the_article_have_its_defaults() -> Result<()> {
    let template = std::fs::read_to_string(root()?.join("infra/root.yaml"))?;
    let parameters = template.split_once("\nParameters:\n").context("no parameters")?.1;
    let mut defaults: Vec<(&str, Option<&str>)> = Vec::new();
    for line in parameters.lines().take_while(|line| line.is_empty() || line.starts_with(' ')) {
        let name = line.strip_prefix("  ").filter(|rest| !rest.starts_with(' '));
        if let Some(name) = name.and_then(|rest| rest.strip_suffix(':')) {
            defaults.push((name, None));
        } else if let Some(default) = line.strip_prefix("    Default: ") {
            defaults.last_mut().context("a default of nothing")?.1 = Some(default);
        }
    }
    ensure!(defaults.len() > DEFAULTS.len(), "{defaults:?}");
    let required: Vec<_> = defaults.iter().filter(|(_, default)| default.is_none()).collect();
    ensure!(required.is_empty(), "{required:?} have to be given");
    for (name, default) in DEFAULTS {
        ensure!(defaults.contains(&(name, Some(default))), "{name} in {defaults:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_changes_what_is_another_and_nothing_else() -> Result<()> {
    // Given a stack,
    let stage = Stage::set(Engine::Offline, MINUTE).await?;
    let folder = tempfile::tempdir()?;
    let outputs = stage.deploy_with(&[]).await?;
    let (functions, stack) = (functions(&stage).await?, stack(&stage).await?);
    let shown = stage.shows_outputs().await?;
    for (name, value) in &outputs {
        let is_shown =
            |line: &str| line.split_once(' ').is_some_and(|(one, rest)| one == name && rest.trim() == value);
        ensure!(shown.lines().any(is_shown), "{name} is not shown: {shown}");
    }

    // when it is deployed once more, then nothing at all changes.
    let said = stage.deployment(&[]).await?;
    ensure!(said.contains("is as it should be: nothing to change"), "{said}");
    assert_eq!(self::functions(&stage).await?, functions);
    assert_eq!(self::stack(&stage).await?, stack);

    // With other policies only the function that decides is another one,
    let policy = changed(folder.path(), "policy.cedar", "// Ours.\n")?;
    stage.deploy_with(&[("POLICY", &policy)]).await?;
    let decided = self::functions(&stage).await?;
    assert_eq!(differ(&functions, &decided), BTreeSet::from(["requests"]));

    // and with another egress.toml those that read it.
    let config = changed(folder.path(), "egress.toml", "# Ours.\n")?;
    stage.deploy_with(&[("POLICY", &policy), ("CONFIG", &config)]).await?;
    let configured = self::functions(&stage).await?;
    let all_but_one = decided.keys().map(String::as_str).filter(|name| *name != UNCONFIGURED);
    assert_eq!(differ(&decided, &configured), all_but_one.collect());
    ensure!(decided.contains_key(UNCONFIGURED), "{decided:?}");

    // When it is to be deleted while somebody's work is in a bucket, then nothing is, before they say so.
    let bucket = outputs.get("SageMakerS3bucketModels").context("no bucket")?;
    std::fs::write(folder.path().join("model"), "work")?;
    let (file, url) = (folder.path().join("model").display().to_string(), format!("s3://{bucket}/model"));
    stage.aws_command(&["s3", "cp", &file, &url]).await?;
    let network = stage.aws.network().await?;
    let refused = stage.delete_with(&[]).await.err().map(|error| format!("{error:#}")).unwrap_or_default();
    ensure!(refused.contains(&format!("there is something in {bucket}")), "{refused}");
    assert_eq!(stage.aws.network().await?, network);
    assert_eq!(self::functions(&stage).await?, configured);

    // Then all goes; the keys of KMS, which take their time, are named.
    let said = stage.delete_with(&[("EMPTY_BUCKETS", "true")]).await?;
    for name in ["KMSKeyEBSArn", "KMSKeyS3bucketsArn"] {
        let key = outputs.get(name).and_then(|arn| arn.rsplit('/').next()).context("no key")?;
        ensure!(said.contains(&format!("is left: KMS key {key} (")), "{key} is not named: {said}");
    }
    ensure!(!said.contains("is left: log group"), "{said}");
    let left = stage.resources().await?;
    ensure!(left.is_empty(), "left behind: {left:?}");
    stage.strike().await
}

/// The example's file with a line more, in a folder.
fn changed(folder: &Path, name: &str, line: &str) -> Result<String> {
    let text = std::fs::read_to_string(root()?.join("infra/config").join(name))?;
    let file = folder.join(name);
    std::fs::write(&file, text + line)?;
    Ok(file.display().to_string())
}

/// The checkout.
fn root() -> Result<&'static Path> {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the tests lie in the checkout")
}

/// What each function is: its code, and its environment.
async fn functions(stage: &Stage) -> Result<BTreeMap<String, Value>> {
    let query = "Functions[].[FunctionName, [CodeSha256, Environment.Variables]]";
    let rows = stage.aws_answer(&["lambda", "list-functions", "--query", query]).await?;
    let rows: Vec<(String, Value)> = serde_json::from_value(rows)?;
    let name = |name: &str| name.trim_start_matches("sagemaker-studio-vpc-firewall-").to_owned();
    Ok(rows.into_iter().map(|(function, about)| (name(&function), about)).collect())
}

/// The root stack, with the time of its last update.
async fn stack(stage: &Stage) -> Result<Value> {
    stage.aws_answer(&["cloudformation", "describe-stacks", "--stack-name", "sagemaker-studio-demo"]).await
}

/// The names of the functions that are not the same.
fn differ<'a>(before: &'a BTreeMap<String, Value>, after: &BTreeMap<String, Value>) -> BTreeSet<&'a str> {
    before
        .iter()
        .filter(|(name, about)| after.get(*name) != Some(*about))
        .map(|(name, _)| name.as_str())
        .collect()
}
