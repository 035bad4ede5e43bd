//! Programs run to their end, or ended with whoever waited for it.

use std::ffi::OsStr;
use std::io::{Read, Seek};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::process::Command;

use crate::group::Group;

/// How long a command may take: a build of all functions, on a slow machine, is the longest.
const LIMIT: Duration = Duration::from_mins(10);

/// What of the user's environment the Makefile's targets get: what they find programs and caches by.
const PASSED_ON: [&str; 13] = [
    "PATH",
    "HOME",
    "USER",
    "LANG",
    "TMPDIR",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    // Other flags would be another build.
    "RUSTFLAGS",
    "XDG_CACHE_HOME",
    "EGRESS_CACHE",
    "EGRESS_VENV",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// Takes from a command the user's environment, which may name other parameters of the stack or another
/// account, and leaves what building and setting up need.
pub(super) fn isolate(command: &mut Command) {
    command.env_clear().envs(std::env::vars_os().filter(|(name, _)| is_passed_on(name)));
}

fn is_passed_on(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return false };
    PASSED_ON.contains(&name)
        || name.starts_with("CARGO_")
        || name.starts_with("PIP_")
        || name.to_ascii_lowercase().ends_with("_proxy")
}

/// Runs a command to its end, for at most [`LIMIT`], and answers what it said, which is in the error if it fails. It is
/// killed, with everything that it started, when nobody waits any more.
pub(super) async fn finish(command: &mut Command, name: &str) -> anyhow::Result<String> {
    // A file, and not a pipe, which lasts as long as the last of the children that holds it.
    let mut said = tempfile::tempfile()?;
    command.process_group(0).stdin(Stdio::null()).stdout(said.try_clone()?).stderr(said.try_clone()?);
    let mut child = command.spawn().with_context(|| format!("{name} could not be started"))?;
    let group = Group::of(&child);
    let status = tokio::time::timeout(LIMIT, child.wait()).await;
    let mut text = Vec::new();
    said.rewind()?;
    said.read_to_end(&mut text)?;
    let text = String::from_utf8_lossy(&text).into_owned();
    if let Ok(Ok(status)) = &status {
        group.has_ended();
        if status.success() {
            return Ok(text);
        }
    }
    let last: Vec<&str> = text.lines().rev().take(25).collect();
    let outcome = match status {
        Ok(status) => format!("failed ({})", status.with_context(|| format!("{name} can't be waited for"))?),
        Err(_) => format!("was not done after {LIMIT:?}"),
    };
    bail!("{name} {outcome}:\n{}", last.into_iter().rev().collect::<Vec<_>>().join("\n"))
}
