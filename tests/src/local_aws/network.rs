//! The network of a deployment, as EC2 and its neighbours tell it.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::Context as _;
use serde::Deserialize;

/// The network of the account but the default VPC. Subnets go by their addresses.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Network {
    /// Each subnet.
    pub subnets: BTreeMap<String, Subnet>,
    /// Who sends what where, as in `10.2.3.0/24: 0.0.0.0/0 > NAT gateway in 10.2.2.0/24`, sorted. Local routes are left
    /// out.
    pub routes: Vec<String>,
    /// The subnets in which each service has an endpoint, joined by commas; for a gateway those that it has routes in.
    pub services: BTreeMap<String, String>,
    /// The allocation ids of the NAT gateways' addresses.
    pub addresses: Vec<String>,
    /// The subnets of Studio's `domain`, its `home directories` and its `jobs`, joined by commas.
    pub studio: BTreeMap<String, String>,
}

/// A subnet.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Subnet {
    /// Its id.
    pub id: String,
    /// Its Availability Zone.
    pub zone: String,
}

/// Reads it.
pub(super) async fn read(mut python: Command) -> anyhow::Result<Network> {
    python.args(["-m", "local_aws.network"]);
    let output = tokio::process::Command::from(python).kill_on_drop(true).output().await?;
    let errors = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "the network can't be read: {errors}");
    serde_json::from_slice(&output.stdout).context("what was told of the network can't be read")
}
