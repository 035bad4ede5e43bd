//! Studio, as somebody uses it who has a notebook open.

use super::{Deployed, Stage};

/// The user profile whose notebook the lab's is.
pub(super) const USER: &str = "alice";

impl Stage {
    /// Alice opens a notebook: an app in a space of her own. The first app in its subnet has the address of the lab's
    /// notebook.
    pub async fn opens_a_notebook(&self, deployed: &Deployed) -> anyhow::Result<()> {
        let domain = deployed.output("SageMakerStudioDomainId")?;
        self.works_in_a_space(domain, USER).await
    }

    /// Somebody has a space, with an app in it.
    pub async fn works_in_a_space(&self, domain: &str, user: &str) -> anyhow::Result<()> {
        let (space, owner) = (format!("{user}-space"), format!("OwnerUserProfileName={user}"));
        let space = ["--space-name", space.as_str()];
        let own = ["--space-sharing-settings", "SharingType=Private", "--ownership-settings", owner.as_str()];
        self.sagemaker("create-space", domain, &[&space[..], &own[..]].concat()).await?;
        let app = ["--app-type", "JupyterLab", "--app-name", "default"];
        self.sagemaker("create-app", domain, &[&app[..], &space[..]].concat()).await
    }

    /// Somebody uses SageMaker's own command, in a domain.
    pub async fn sagemaker(&self, command: &str, domain: &str, arguments: &[&str]) -> anyhow::Result<()> {
        self.aws_command(&[&["sagemaker", command, "--domain-id", domain], arguments].concat()).await
    }
}
