//! What becomes of a Studio domain's home directories: the stack's own templates and function on the
//! local AWS, with the permissions that the function has.

#![cfg(test)]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tests::local_aws::{LocalAws, Options};

const BUCKET: &str = "artefacts";
const TEMPLATE: &str = "tests/tests/home_directories.yaml";

#[tokio::test]
async fn by_default_a_deleted_stack_leaves_the_home_file_system_and_nothing_else() -> anyhow::Result<()> {
    // Given a stack with a domain, whose file system has an interface in the stack's subnet,
    let aws = LocalAws::with(Options { enforce_iam: true, ..Options::default() }).await?;
    let file_system = deploy(&aws)?;
    assert_eq!(file_systems(&aws)?, [(file_system.clone(), 1)]);

    // when the stack is deleted,
    run(python(&aws).args(["infra/stack.py", "delete", "--stack-name", "homes"]));

    // then nothing is left but the file system, which has no mount target any more,
    let left = aws.leftovers().await?.into_iter().filter(|resource| resource.id != BUCKET);
    let left: Vec<_> = left.map(|resource| (resource.kind, resource.id)).collect();
    assert_eq!(left, [("AWS::EFS::FileSystem".to_owned(), file_system.clone())]);
    assert_eq!(file_systems(&aws)?, [(file_system.clone(), 0)]);
    // and CloudFormation was told so.
    let log = std::fs::read_to_string(aws.log())?;
    let told = log.lines().find(|line| line.contains("Storage answered SUCCESS: the home directories of"));
    assert!(told.is_some_and(|line| line.contains(&file_system)), "{told:?}");
    Ok(())
}

/// Packs the function and deploys the stack, as `make deploy` does; the home file system's id.
fn deploy(aws: &LocalAws) -> anyhow::Result<String> {
    let folder = tempfile::tempdir()?;
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (packaged, outputs) = (file("packaged.yaml"), file("outputs.json"));
    run(command(aws, "aws").args(["s3", "mb", &format!("s3://{BUCKET}")]));
    run(python(aws).args(["infra/package.py", "provision", "--binaries"]).arg(binaries()?.join("{name}")));
    run(command(aws, "aws")
        .args(["cloudformation", "package", "--template-file", TEMPLATE, "--s3-bucket", BUCKET])
        .args(["--output-template-file", &packaged]));
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
    run(python(aws)
        .args(["infra/stack.py", "deploy", "--stack-name", "homes", "--template", &packaged])
        .args(["--parameter", &format!("Architecture={architecture}"), "--json", &outputs]));
    let outputs: Value = serde_json::from_str(&std::fs::read_to_string(outputs)?)?;
    Ok(outputs["HomeFileSystemId"].as_str().expect("an output").to_owned())
}

/// The file systems in the account, each with the number of its mount targets.
fn file_systems(aws: &LocalAws) -> anyhow::Result<Vec<(String, u64)>> {
    let answer: Value =
        serde_json::from_str(&run(command(aws, "aws").args(["efs", "describe-file-systems"])))?;
    let row =
        |row: &Value| Some((row["FileSystemId"].as_str()?.to_owned(), row["NumberOfMountTargets"].as_u64()?));
    Ok(answer["FileSystems"].as_array().into_iter().flatten().filter_map(row).collect())
}

/// Where the functions are that `make build PROFILE=dev` built: beside this test's own folder.
fn binaries() -> anyhow::Result<PathBuf> {
    let test = std::env::current_exe()?;
    Ok(test.ancestors().nth(2).expect("a test is in target/debug/deps").to_owned())
}

fn python(aws: &LocalAws) -> Command {
    command(aws, "python")
}

fn command(aws: &LocalAws, program: &str) -> Command {
    let mut command = aws.command(program);
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the checkout"));
    command
}

/// What a command says, which has to succeed.
fn run(command: &mut Command) -> String {
    let output = command.output().expect("the program can be started");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}\n{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}
