//! Stories about what is packed for Lambda (`infra/package.py`).
#![cfg(test)]

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};
use std::{fs, io};

use anyhow::Context as _;

/// A folder from which functions are deployed: a binary, and two configurations.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> io::Result<Self> {
        let folder = Self(tempfile::tempdir()?);
        for (name, content) in
            [("intake", "the program"), ("a", "# ours\n"), ("b", "# theirs\n"), ("policy", "")]
        {
            fs::write(folder.at(name), content)?;
        }
        Ok(folder)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Packs intake with a configuration into `out`, and then runs a shell's command.
    fn pack(&self, config: &str, out: &str, then: &str) -> Command {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/package.py");
        let mut packing = Command::new("python3");
        packing.arg(script).args([
            "--binaries",
            "{name}",
            "--config",
            config,
            "--policy",
            "policy",
            "--out",
            out,
        ]);
        packing.args(["intake", "--", "sh", "-c", then]).current_dir(self.0.path()).stderr(Stdio::piped());
        packing
    }
}

#[test]
fn two_deployments_at_once_have_each_its_own_configuration() -> anyhow::Result<()> {
    // Given what one deployment uploads when it is alone,
    let folder = Folder::new()?;
    assert!(folder.pack("a", "alone", "true").status()?.success());
    // and the same deployment at its upload, which reads a pipe to its end first,
    assert!(Command::new("mkfifo").arg(folder.at("begun")).arg(folder.at("go")).status()?.success());
    let mut first =
        folder.pack("a", "out", "echo > begun; cat go; cp out/intake.zip uploaded.zip").spawn()?;
    fs::read(folder.at("begun"))?;
    // when another one begins with another configuration, and has to wait,
    let mut second = folder.pack("b", "out", "cp out/intake.zip other.zip").spawn()?;
    let mut said = String::new();
    BufReader::new(second.stderr.take().unwrap()).read_line(&mut said)?;
    assert_eq!(said, "package: waits for another deployment from this folder\n");
    fs::write(folder.at("go"), "")?;

    // then each has uploaded its own.
    assert!(first.wait()?.success() && second.wait()?.success());
    assert_eq!(fs::read(folder.at("uploaded.zip"))?, fs::read(folder.at("alone/intake.zip"))?);
    assert_ne!(fs::read(folder.at("other.zip"))?, fs::read(folder.at("uploaded.zip"))?);
    Ok(())
}

#[test]
fn the_same_input_is_the_same_zip_whenever_and_wherever_it_is_packed() -> anyhow::Result<()> {
    // Given the same files in another folder, of another time and with other rights,
    let (folder, other) = (Folder::new()?, Folder::new()?);
    for name in ["intake", "a", "policy"] {
        let file = fs::File::open(other.at(name))?;
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000))?;
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
    }
    // when both are packed,
    for folder in [&folder, &other] {
        assert!(folder.pack("a", "out", "true").status()?.success());
    }
    // then the zips are the same, byte for byte, and Lambda can run what is in it.
    let zip = fs::read(folder.at("out/intake.zip"))?;
    assert_eq!(zip, fs::read(other.at("out/intake.zip"))?);
    let list = "import sys, zipfile\n\
        for entry in zipfile.ZipFile(sys.argv[1]).infolist():\n    \
        print(entry.filename, oct(entry.external_attr >> 16), *entry.date_time)";
    let listed = Command::new("python3").args(["-c", list]).arg(folder.at("out/intake.zip")).output()?.stdout;
    assert_eq!(
        String::from_utf8(listed)?,
        "bootstrap 0o100755 1980 1 1 0 0 0\negress.toml 0o100644 1980 1 1 0 0 0\n"
    );
    // Packed again it isn't even written, and with another configuration it is.
    let said = |config| -> anyhow::Result<String> {
        let done = folder.pack(config, "out", "true").stdout(Stdio::piped()).output()?;
        Ok(String::from_utf8(done.stdout)?)
    };
    assert!(said("a")?.starts_with("intake: unchanged"));
    assert!(said("b")?.starts_with("intake: packed"));
    assert_ne!(fs::read(folder.at("out/intake.zip"))?, zip);
    Ok(())
}

/// Runs one of the Makefile's targets where there are no other programs than `tools`, each of which says how it is called.
fn make(arguments: &[&str], tools: &[&str]) -> anyhow::Result<(bool, String)> {
    let folder = tempfile::tempdir()?;
    for tool in tools {
        let file = folder.path().join(tool);
        fs::write(&file, format!("#!/bin/sh\necho {tool} \"$@\"\n"))?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755))?;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let make = std::env::split_paths(&path).map(|folder| folder.join("make")).find(|file| file.is_file());
    let mut command = Command::new(make.context("there is no make")?);
    command.arg("--no-print-directory").args(arguments).current_dir(root);
    command.env_clear().env("PATH", folder.path());
    let done = command.output()?;
    let said = [done.stdout, done.stderr].concat();
    Ok((done.status.success(), String::from_utf8(said)?))
}

#[test]
fn functions_are_built_for_arm64_and_with_a_switch_for_the_other() -> anyhow::Result<()> {
    let functions =
        "--locked --package provision --package intake --package requests --package alerts --package notify";
    for (arguments, architecture) in
        [(&["build"][..], "--arm64"), (&["build", "ARCHITECTURE=x86_64"], "--x86-64")]
    {
        let (built, said) = make(arguments, &["cargo", "cargo-lambda"])?;
        assert!(built, "{said}");
        assert_eq!(said, format!("cargo lambda build --release {architecture} {functions}\n"));
    }
    let (built, said) = make(&["build", "ARCHITECTURE=sparc"], &["cargo", "cargo-lambda"])?;
    assert!(!built && said.contains("ARCHITECTURE is arm64 or x86_64, not 'sparc'"), "{said}");
    Ok(())
}

#[test]
fn a_tool_that_is_missing_is_named_before_anything_else_happens() -> anyhow::Result<()> {
    for (tools, said) in
        [(&[][..], "cargo is needed"), (&["cargo"], "cargo-lambda is needed to build for AWS")]
    {
        let (deployed, told) = make(&["deploy", "CFN_ARTEFACT_S3_BUCKET=bucket"], tools)?;
        assert!(!deployed && told.starts_with(&format!("make: {said}")), "{told}");
    }
    Ok(())
}

#[test]
fn what_was_packed_of_the_configuration_is_kept_for_its_validation() -> anyhow::Result<()> {
    let folder = Folder::new()?;
    let mut packing = Command::new("python3");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/package.py");
    packing.arg(script).args([
        "--binaries",
        "{name}",
        "--config",
        "b",
        "--policy",
        "policy",
        "--keep",
        "kept",
    ]);
    assert!(packing.arg("intake").current_dir(folder.0.path()).status()?.success());
    assert_eq!(fs::read(folder.at("kept/egress.toml"))?, b"# theirs\n");
    assert_eq!(fs::read(folder.at("kept/policy.cedar"))?, b"");
    Ok(())
}

#[test]
fn an_upload_that_fails_says_why() -> anyhow::Result<()> {
    let folder = Folder::new()?;
    let done = folder.pack("a", "out", "echo no such bucket; exit 3").output()?;
    assert!(!done.status.success());
    assert_eq!(String::from_utf8(done.stderr)?, "no such bucket\npackage: sh ended with 3\n");
    Ok(())
}
