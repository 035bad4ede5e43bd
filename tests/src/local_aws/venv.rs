//! The Python environment.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;

/// The folder `tests/`, which holds the Python packages and scripts.
pub(super) fn tests_directory() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The environment's folder: `EGRESS_VENV`, or what `tests/setup/venv.sh` makes.
pub(super) fn path() -> anyhow::Result<PathBuf> {
    if let Some(given) = std::env::var_os("EGRESS_VENV") {
        return Ok(given.into());
    }
    let script = tests_directory().join("setup/venv.sh");
    let output = Command::new(&script)
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("{} can't be run", script.display()))?;
    anyhow::ensure!(output.status.success(), "{} failed, see its message above", script.display());
    Ok(PathBuf::from(String::from_utf8(output.stdout)?.trim_end()))
}
