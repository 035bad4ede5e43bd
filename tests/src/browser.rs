//! A page as a headless Chromium shows it: what a reader could not read of it, and a picture.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde::Deserialize;
use tokio::process::Command;

/// How long Chromium may take for a page.
const LIMIT: Duration = Duration::from_mins(1);
/// Looks at the page from within.
const LOOK: &str = include_str!("browser/look.js");

/// What was seen of a page.
#[derive(Debug, Deserialize)]
pub struct Seen {
    /// How many elements with texts there are.
    pub texts: usize,
    /// What is cut off, runs out of the page, or is too small or too pale: a line each.
    pub complaints: Vec<String>,
}

/// Looks at a page in a window of so many pixels' width, and takes a picture of its whole height.
pub async fn look(page: &Path, width: u32, picture: &Path) -> anyhow::Result<Seen> {
    let directory = tempfile::tempdir()?;
    let looking = directory.path().join("page.html");
    let text = std::fs::read_to_string(page).with_context(|| format!("{} can't be read", page.display()))?;
    std::fs::write(&looking, format!("{text}<script>{LOOK}</script>"))?;
    let size = |height: u32| format!("--window-size={width},{height}");
    let dom = chromium(directory.path(), &[&size(1_000), "--dump-dom", &url(&looking)]).await?;
    let seen = dom.rsplit_once("id=\"looked-at\"").and_then(|(_, rest)| rest.split_once('>'));
    let seen =
        seen.and_then(|(_, rest)| rest.split_once("</script>")).context("the page was not looked at")?.0;
    let screenshot = format!("--screenshot={}", picture.display());
    chromium(directory.path(), &[&size(HIGHEST), &screenshot, "--hide-scrollbars", &url(page)]).await?;
    ensure!(picture.is_file(), "Chromium made no picture");
    Ok(serde_json::from_str(seen)?)
}

/// The height of a picture, in pixels: more than the report has.
const HIGHEST: u32 = 6_000;

fn url(file: &Path) -> String {
    format!("file://{}", file.display())
}

/// Runs Chromium to its end; what it prints. Nothing of it reaches for a network.
async fn chromium(directory: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let mut command = Command::new("chromium");
    command
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--disable-quic", "--host-resolver-rules=MAP * ~NOTFOUND"])
        .arg(format!("--user-data-dir={}", directory.join("profile").display()))
        .args(arguments)
        .env("HOME", directory)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let ran = tokio::time::timeout(LIMIT, command.output()).await.context("Chromium does not end")?;
    let ran = ran.context("chromium can't be run; tests/setup/packages.sh installs it")?;
    ensure!(ran.status.success(), "Chromium failed: {}", String::from_utf8_lossy(&ran.stderr));
    Ok(String::from_utf8_lossy(&ran.stdout).into_owned())
}
