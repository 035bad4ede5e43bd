//! The small programs that the lab calls (`ip`, `ethtool`, `git`, `python3`).

use std::ffi::OsStr;
use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Where the missing programs come from; every message about one of them ends with this.
pub(crate) const SETUP: &str = "`sudo tests/setup/packages.sh` installs what the firewall lab needs";

/// Runs a program to its end and returns what it printed.
pub(crate) fn output<S: AsRef<OsStr>>(program: &str, arguments: &[S]) -> Result<String> {
    finish(program, Command::new(program).args(arguments))
}

/// Runs a prepared command to its end and returns what it printed; `name` is for the messages.
pub(crate) fn finish(name: &str, command: &mut Command) -> Result<String> {
    let done = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{name} could not be started; {SETUP}"))?;
    if !done.status.success() {
        bail!("{name} failed ({}): {}", done.status, String::from_utf8_lossy(&done.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

/// Runs a program that reads its orders from stdin, one a line.
pub(crate) fn feed<S: AsRef<OsStr>>(program: &str, arguments: &[S], orders: &str) -> Result<()> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("{program} could not be started; {SETUP}"))?;
    child.stdin.take().context("no stdin")?.write_all(orders.as_bytes())?;
    let done = child.wait_with_output()?;
    if !done.status.success() {
        bail!("{program} failed: {}\nit was told:\n{orders}", String::from_utf8_lossy(&done.stderr).trim());
    }
    Ok(())
}
