//! The secret that signs webhooks. While it is rotated, its previous version is good as well: its
//! senders can't all change at the same moment.

use std::sync::Arc;

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::{DisplayErrorContext, ProvideErrorMetadata};
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use tokio::sync::Mutex;

/// For how long a secret is used without asking again.
const LIFETIME: SignedDuration = SignedDuration::from_mins(5);

/// How soon a wrong signature can be a reason to ask again: not for every one that anybody sends.
const ASKED_AGAIN: SignedDuration = SignedDuration::from_secs(10);

/// The secrets that are good now.
#[derive(Debug, Clone)]
pub struct Secrets {
    /// The one that new senders get.
    pub current: SecretString,
    /// The one before, if there is one.
    pub previous: Option<SecretString>,
}

impl Secrets {
    pub(crate) fn all(&self) -> impl Iterator<Item = &SecretString> {
        std::iter::once(&self.current).chain(&self.previous)
    }
}

/// The secret can't be had.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the secret of the webhooks can't be read: {0}")]
pub struct SecretError(pub String);

/// Where the secrets are kept.
pub trait SecretSource {
    /// Reads them.
    fn fetch(&self) -> impl Future<Output = Result<Secrets, SecretError>> + Send;
}

/// A secret in AWS Secrets Manager, its versions by their stages.
#[derive(Debug)]
pub struct SecretsManager {
    client: Client,
    arn: String,
}

impl SecretsManager {
    /// The secret of this ARN or name.
    pub fn new(client: Client, arn: String) -> Self {
        Self { client, arn }
    }

    async fn version(&self, stage: &str) -> Result<Option<SecretString>, SecretError> {
        match self.client.get_secret_value().secret_id(&self.arn).version_stage(stage).send().await {
            Ok(output) => Ok(output.secret_string.filter(|text| !text.is_empty()).map(Into::into)),
            Err(error) if error.code() == Some("ResourceNotFoundException") => Ok(None),
            Err(error) => Err(SecretError(DisplayErrorContext(error).to_string())),
        }
    }
}

impl SecretSource for SecretsManager {
    async fn fetch(&self) -> Result<Secrets, SecretError> {
        let (current, previous) = tokio::try_join!(self.version("AWSCURRENT"), self.version("AWSPREVIOUS"))?;
        let none = || SecretError(format!("{} has no text", self.arn));
        Ok(Secrets { current: current.ok_or_else(none)?, previous })
    }
}

/// The secrets, kept for a while.
#[derive(Debug)]
pub struct SecretCache<S> {
    source: S,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    secrets: Option<(Arc<Secrets>, Timestamp)>,
    /// When the source was last asked, whatever it said.
    asked: Option<Timestamp>,
}

impl<S: SecretSource> SecretCache<S> {
    /// A cache with nothing in it.
    pub fn new(source: S) -> Self {
        Self { source, kept: Mutex::default() }
    }

    /// The secrets, not much older than now.
    pub async fn known(&self, now: Timestamp) -> Result<Arc<Secrets>, SecretError> {
        let mut kept = self.kept.lock().await;
        match &kept.secrets {
            Some((secrets, fetched)) if now.duration_since(*fetched) < LIFETIME => Ok(Arc::clone(secrets)),
            _ => self.fetch(&mut kept, now).await,
        }
    }

    /// The secrets as they are now; none when they were asked for just before.
    pub async fn newer(&self, now: Timestamp) -> Result<Option<Arc<Secrets>>, SecretError> {
        let mut kept = self.kept.lock().await;
        if kept.asked.is_some_and(|asked| now.duration_since(asked) < ASKED_AGAIN) {
            return Ok(None);
        }
        self.fetch(&mut kept, now).await.map(Some)
    }

    async fn fetch(&self, kept: &mut Kept, now: Timestamp) -> Result<Arc<Secrets>, SecretError> {
        kept.asked = Some(now);
        let secrets = Arc::new(self.source.fetch().await?);
        kept.secrets = Some((Arc::clone(&secrets), now));
        Ok(secrets)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex as Lock;

    use secrecy::ExposeSecret;

    use super::*;

    /// A secret that is another one each time.
    struct Rotating(Lock<u32>);

    impl SecretSource for Rotating {
        async fn fetch(&self) -> Result<Secrets, SecretError> {
            let mut version = self.0.lock().unwrap();
            *version += 1;
            Ok(Secrets { current: version.to_string().into(), previous: None })
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[tokio::test]
    async fn a_secret_is_kept_for_five_minutes() {
        let cache = SecretCache::new(Rotating(Lock::default()));
        for (second, version) in [(0, "1"), (299, "1"), (300, "2"), (301, "2")] {
            assert_eq!(cache.known(at(second)).await.unwrap().current.expose_secret(), version);
        }
    }

    #[tokio::test]
    async fn a_newer_one_is_asked_for_every_ten_seconds_at_most() {
        let cache = SecretCache::new(Rotating(Lock::default()));
        cache.known(at(0)).await.unwrap();
        assert!(cache.newer(at(9)).await.unwrap().is_none());
        assert_eq!(cache.newer(at(10)).await.unwrap().unwrap().current.expose_secret(), "2");
        assert!(cache.newer(at(11)).await.unwrap().is_none());
        assert_eq!(cache.known(at(12)).await.unwrap().current.expose_secret(), "2");
    }

    #[test]
    fn a_secret_is_not_shown() {
        let secrets = Secrets { current: "hidden".into(), previous: Some("hidden".into()) };
        assert!(!format!("{secrets:?}").contains("hidden"));
    }
}
