//! The secret by which a channel knows this function. It is read for each notice: those are few, and one that was
//! changed is used at once.

use std::future::Future;

use aws_sdk_secretsmanager::Client;
use egress::aws::with_causes;
use secrecy::SecretString;

/// The secret can't be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the channel's secret can't be read: {0}")]
pub struct SecretError(pub String);

/// Where the secret is kept.
pub trait Secret {
    /// Reads it.
    fn read(&self) -> impl Future<Output = Result<SecretString, SecretError>> + Send;
}

/// A secret in AWS Secrets Manager.
#[derive(Debug, Clone)]
pub struct SecretsManager {
    client: Client,
    arn: String,
}

impl SecretsManager {
    /// The secret of this ARN or name.
    pub fn new(client: Client, arn: String) -> Self {
        Self { client, arn }
    }
}

impl Secret for SecretsManager {
    async fn read(&self) -> Result<SecretString, SecretError> {
        let answer = self.client.get_secret_value().secret_id(&self.arn).send().await;
        let text = answer.map_err(|error| SecretError(with_causes(&error)))?.secret_string;
        let text = text.filter(|text| !text.trim().is_empty());
        text.map(|text| text.trim().into()).ok_or_else(|| SecretError(format!("{} has no text", self.arn)))
    }
}
