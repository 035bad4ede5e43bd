//! What CloudFormation can't do by itself: the whole stack with its people, made, changed, and deleted while they work,
//! on the local AWS with IAM enforced. The local services refuse what AWS refuses, so a wrong order fails: a subnet with an
//! interface in it, a security group that is used or referred to, a domain with profiles, a profile with apps or spaces.

#![cfg(test)]

use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use egress::request::StateName;
use serde_json::json;
use tests::lab::Engine;
use tests::stage::{Deployed, Stage};

const MINUTE: Duration = Duration::from_secs(2);
/// The user profile of the article, whose name is the parameter's and the Region.
const FIRST: &str = "anfw-user-profile-us-east-1";

#[tokio::test(flavor = "multi_thread")]
async fn people_come_and_go_and_a_stack_is_deleted_while_they_work() -> anyhow::Result<()> {
    // Given a stack with two people beside the first, and a live grant,
    let stage = Stage::set(Engine::Offline, MINUTE).await?;
    let retained = ("HOME_DIRECTORIES", "Retain");
    let people = |names| ("SM_ADDITIONAL_USER_PROFILE_NAMES", names);
    let outputs = stage.deploy_with(&[people("alice,bob"), retained]).await?;
    let mut deployed = Deployed::connect(&stage, outputs).await?;
    assert_eq!(profiles(&stage).await?, ["alice", FIRST, "bob"]);
    let asked = json!({
        "action": "request", "requester": "alice@example.com", "preset": "pypi", "justification": "scikit-learn",
    });
    let id = deployed.send("pypi-1", &asked).await?;
    deployed.until(&id, StateName::Active).await?;

    // when one of them leaves who works, another comes, and there is to be room for more grants,
    works(&stage, &deployed, "bob").await?;
    deployed.update(&stage, &[people("carol,alice"), ("GRANT_CAPACITY", "3000"), retained]).await?;

    // then that one is gone with apps, space and security group, and the grant is in the new rule group.
    assert_eq!(profiles(&stage).await?, ["alice", FIRST, "carol"]);
    assert!(deployed.output("GrantRuleGroupArn")?.ends_with("-c3000"));
    assert!(deployed.grants().await?.contains("files.pythonhosted.org"));
    let groups = stage.resources().await?;
    let of_bob = |id: &str| id.contains("bob");
    ensure!(!groups.iter().any(|resource| of_bob(&resource.id)), "{groups:?}");

    // And when the stack is deleted while people work in what they have made by hand,
    works(&stage, &deployed, "alice").await?;
    let domain = deployed.output("SageMakerStudioDomainId")?.to_owned();
    stage.sagemaker("create-user-profile", &domain, &["--user-profile-name", "by-hand"]).await?;
    works(&stage, &deployed, "by-hand").await?;
    let homes = deployed.output("HomeFileSystemId")?.to_owned();
    deployed.leave().await?;
    let said = stage.delete_with(&[]).await?;

    // then nothing is left but the home directories, which are named, and nothing was refused for want of a permission.
    ensure!(said.contains(&format!("is left: file system {homes}: the users' home directories")), "{said}");
    let left = stage.resources().await?;
    let left: Vec<_> = left.iter().map(|resource| (resource.kind.as_str(), resource.id.as_str())).collect();
    assert_eq!(left, [("AWS::EFS::FileSystem", homes.as_str())]);
    let said = std::fs::read_to_string(stage.aws.log())?;
    let refused: Vec<_> = said.lines().filter(|line| line.contains("not authorized to perform")).collect();
    ensure!(refused.is_empty(), "{refused:#?}");
    stage.aws_command(&["efs", "delete-file-system", "--file-system-id", &homes]).await?;
    stage.strike().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_with_a_mistake_fails_the_deployment_and_not_the_functions() -> anyhow::Result<()> {
    let stage = Stage::set(Engine::Offline, MINUTE).await?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let example = std::fs::read_to_string(root.join("infra/config/egress.toml"))?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("egress.toml");
    std::fs::write(&file, example.replace("default = \"8h\"", "default = \"8 parsecs\""))?;

    let failed = stage.deploy_with(&[("CONFIG", &file.display().to_string())]).await;

    let said = format!("{:#}", failed.err().unwrap_or_else(|| anyhow::anyhow!("it was deployed")));
    ensure!(said.contains("egress.toml line ") && said.contains("durations.default"), "{said}");
    stage.delete().await?;
    let left = stage.resources().await?;
    ensure!(left.is_empty(), "left behind: {left:?}");
    stage.strike().await
}

/// Somebody has a space with an app in it, and one of Studio Classic's apps beside it.
async fn works(stage: &Stage, deployed: &Deployed, user: &str) -> anyhow::Result<()> {
    let domain = deployed.output("SageMakerStudioDomainId")?;
    stage.works_in_a_space(domain, user).await?;
    let app = ["--app-type", "JupyterServer", "--app-name", "default", "--user-profile-name", user];
    stage.sagemaker("create-app", domain, &app).await
}

/// The names of the user profiles, in their order.
async fn profiles(stage: &Stage) -> anyhow::Result<Vec<String>> {
    let left = stage.resources().await?;
    let profiles = left.into_iter().filter(|resource| resource.kind == "AWS::SageMaker::UserProfile");
    let mut names: Vec<_> =
        profiles.map(|resource| resource.id.split('|').next().unwrap_or_default().to_owned()).collect();
    names.sort();
    Ok(names)
}
