//! What the hosts serve: a front page, a git repository and a Python package index, all real.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::lab::command::finish;

/// The repository that the article clones, under the path that it has on github.com.
pub const GIT_REPOSITORY: &str = "aws-samples/amazon-sagemaker-studio-vpc-networkfirewall";
/// The package that the article installs.
pub const PYTHON_PACKAGE: &str = "scikit-learn";

const WHEEL: &str = "scikit_learn-0.0.0+lab-py3-none-any.whl";
const WHEEL_INFO: &str = "scikit_learn-0.0.0+lab.dist-info";

/// Writes all sites into `sites`; `work` is for what is needed on the way.
pub(super) fn create(sites: &Path, work: &Path) -> Result<()> {
    let page = "<!doctype html><title>Kaggle</title><h1>Kaggle, as the lab's internet has it</h1>\n";
    write(&sites.join("kaggle.com/index.html"), page)?;
    repository(&sites.join("github.com"), &work.join("repository"))?;
    package_index(sites, &work.join("wheel"))
}

/// A bare repository with the files that git's plain HTTP protocol reads.
fn repository(site: &Path, work: &Path) -> Result<()> {
    fs::create_dir_all(work)?;
    write(&work.join("README.md"), "# A stand-in for the article's repository, made by the firewall lab\n")?;
    write(&work.join("Makefile"), "deploy:\n\t@echo the real one deploys the stack\n")?;
    git(work, &["init", "--quiet", "--initial-branch=main"])?;
    git(work, &["add", "."])?;
    git(work, &["commit", "--quiet", "--message=The article's stack"])?;
    let bare = site.join(format!("{GIT_REPOSITORY}.git"));
    let target = bare.to_str().context("the lab's folder has no plain name")?;
    git(work, &["clone", "--quiet", "--bare", "--no-hardlinks", ".", target])?;
    git(&bare, &["repack", "--quiet", "-ad"])?;
    git(&bare, &["update-server-info"])
}

fn git(folder: &Path, arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("git");
    command.current_dir(folder).args(arguments);
    for who in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{who}_NAME"), "Lab").env(format!("GIT_{who}_EMAIL"), "lab@example.com");
    }
    // What the user has configured (signing, templates, hooks) is not for this repository.
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    finish("git", &mut command).map(drop)
}

/// A page that lists one wheel (PEP 503), and the wheel on the host that holds the files.
fn package_index(sites: &Path, work: &Path) -> Result<()> {
    write(&work.join("sklearn/__init__.py"), "__version__ = \"0.0.0+lab\"\n")?;
    let info = work.join(WHEEL_INFO);
    write(
        &info.join("METADATA"),
        "Metadata-Version: 2.1\nName: scikit-learn\nVersion: 0.0.0+lab\nSummary: A stand-in of the firewall lab\n",
    )?;
    write(
        &info.join("WHEEL"),
        "Wheel-Version: 1.0\nGenerator: lab\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    )?;
    write(
        &info.join("RECORD"),
        format!(
            "sklearn/__init__.py,,\n{WHEEL_INFO}/METADATA,,\n{WHEEL_INFO}/WHEEL,,\n{WHEEL_INFO}/RECORD,,\n"
        ),
    )?;
    // A wheel is a zip file, and Python, which pip needs anyway, can make one.
    let zip = ["-m", "zipfile", "-c", WHEEL, "sklearn", WHEEL_INFO];
    finish("python3", Command::new("python3").current_dir(work).args(zip))?;

    let wheel = fs::read(work.join(WHEEL))?;
    let sum = hex::encode(Sha256::digest(&wheel));
    let path = format!("packages/{WHEEL}");
    let link = format!("https://files.pythonhosted.org/{}#sha256={sum}", path.replace('+', "%2B"));
    let page =
        format!("<!doctype html><title>Links for {PYTHON_PACKAGE}</title><a href=\"{link}\">{WHEEL}</a>\n");
    write(&sites.join(format!("pypi.org/simple/{PYTHON_PACKAGE}/index.html")), &page)?;
    write(&sites.join("files.pythonhosted.org").join(path), wheel)
}

fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    let folder = path.parent().context("a file without a folder")?;
    fs::create_dir_all(folder)?;
    fs::write(path, content).with_context(|| format!("cannot write {}", path.display()))
}
