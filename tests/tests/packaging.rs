//! Stories about what is packed for Lambda (`infra/package.py`).
#![cfg(test)]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{fs, io};

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
