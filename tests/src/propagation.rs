//! What AWS does between `UpdateRuleGroup` and a firewall's endpoints: the lab's Suricata gets what the
//! local Network Firewall has, whenever that changes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use aws_sdk_networkfirewall::Client;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::lab::{Lab, fetch};

/// How often the local Network Firewall is asked.
const LOOK: Duration = Duration::from_millis(50);

/// Which version of each object a firewall has: ARN to update token.
type Versions = BTreeMap<String, String>;

/// The task that carries changes over, until it is stopped.
#[derive(Debug)]
pub struct Propagation {
    client: Client,
    firewall: String,
    loaded: watch::Receiver<Versions>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Propagation {
    /// Loads the firewall's policy into the lab now, and from then on whenever it changes.
    pub async fn start(client: Client, firewall: &str, lab: Arc<Lab>) -> anyhow::Result<Self> {
        let mut versions = versions(&client, firewall).await?;
        lab.load(&fetch(&client, firewall).await?).await?;
        let (sender, loaded) = watch::channel(versions.clone());
        let (stop, mut stopped) = oneshot::channel();
        let (asked, name) = (client.clone(), firewall.to_owned());
        let task = tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = &mut stopped => return Ok(()),
                    () = tokio::time::sleep(LOOK) => {}
                }
                let now = self::versions(&asked, &name).await?;
                if now == versions {
                    continue;
                }
                match fetch(&asked, &name).await {
                    Ok(policy) => lab.load(&policy).await?,
                    Err(error) if now == self::versions(&asked, &name).await? => return Err(error),
                    // The policy was changed while it was read, and a group that it had may be gone.
                    Err(_) => continue,
                };
                versions = now;
                sender.send_replace(versions.clone());
            }
        });
        Ok(Self { client, firewall: firewall.to_owned(), loaded, stop, task })
    }

    /// Waits until the lab works with what the firewall has.
    pub async fn caught_up(&self, limit: Duration) -> anyhow::Result<()> {
        let started = Instant::now();
        loop {
            let now = versions(&self.client, &self.firewall).await?;
            // Looked at for this comparison alone: whoever looks, keeps the task from saying what it has loaded.
            if *self.loaded.borrow() == now {
                return Ok(());
            }
            ensure!(!self.task.is_finished(), "the lab gets no changes any more");
            ensure!(started.elapsed() < limit, "the lab has not got the firewall's rules after {limit:?}");
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Ends the task; its error, if it had one.
    pub async fn stop(self) -> anyhow::Result<()> {
        let _ = self.stop.send(());
        self.task.await?
    }
}

/// The versions as the firewall's sync states tell them.
async fn versions(client: &Client, firewall: &str) -> anyhow::Result<Versions> {
    let answer =
        client.describe_firewall().firewall_name(firewall).send().await.context("DescribeFirewall")?;
    let zones = answer.firewall_status().and_then(|status| status.sync_states()).into_iter().flatten();
    let objects = zones.filter_map(|(_, zone)| zone.config()).flatten();
    let version =
        |object: &aws_sdk_networkfirewall::types::PerObjectStatus| object.update_token().map(str::to_owned);
    Ok(objects.map(|(arn, object)| (arn.clone(), version(object).unwrap_or_default())).collect())
}
