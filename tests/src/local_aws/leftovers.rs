//! What a deployment left behind.

use std::process::Command;

use anyhow::Context as _;
use serde::Deserialize;

/// A resource that is still there.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leftover {
    /// Its CloudFormation type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its id, name or ARN.
    pub id: String,
}

/// Asks every service that a stack may touch.
pub(super) async fn list(mut python: Command) -> anyhow::Result<Vec<Leftover>> {
    python.args(["-m", "local_aws.leftovers"]);
    let output = tokio::process::Command::from(python).kill_on_drop(true).output().await?;
    let errors = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "the left-overs can't be listed: {errors}");
    serde_json::from_slice(&output.stdout).context("the list of left-overs can't be read")
}
