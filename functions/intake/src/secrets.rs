//! The secrets that sign what comes. For a day after one was rotated, its previous version is good as well:
//! its senders can't all change at the same moment. A secret that has leaked is rotated twice: then it is
//! neither version, and signs no longer than the cache lasts.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::ProvideErrorMetadata;
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueOutput;
use egress::aws::with_causes;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

/// For how long a secret is used without asking again.
const LIFETIME: SignedDuration = SignedDuration::from_mins(5);

/// How soon a wrong signature can be a reason to ask again: not for every one that anybody sends.
const ASKED_AGAIN: SignedDuration = SignedDuration::from_secs(10);

/// How long its senders have, after a secret was rotated, to change to the new one.
const OVERLAP: SignedDuration = SignedDuration::from_hours(24);

/// The secrets that sign.
#[derive(Debug, Clone)]
pub struct Secrets {
    /// The one that new senders get.
    pub current: SecretString,
    /// The one before, if there is one.
    pub previous: Option<Previous>,
}

/// A secret that another one has replaced.
#[derive(Debug, Clone)]
pub struct Previous {
    /// The secret.
    pub secret: SecretString,
    /// When it was replaced.
    pub replaced_at: Timestamp,
}

impl Secrets {
    /// Those that are good at this time.
    pub(crate) fn good(&self, now: Timestamp) -> impl Iterator<Item = &SecretString> {
        let in_time = move |previous: &&Previous| now.duration_since(previous.replaced_at) < OVERLAP;
        let previous = self.previous.as_ref().filter(in_time);
        std::iter::once(&self.current).chain(previous.map(|previous| &previous.secret))
    }

    /// An adapter's own secrets, where these are JSON: `{"jira": "…", "github": "…"}`. Nothing where the current
    /// version has none for it: who is taken out is out at once. A previous version that can't be read has none.
    pub(crate) fn of_adapter(&self, adapter: &str) -> Result<Option<Self>, SecretError> {
        let own = |secret: &SecretString| {
            let all: BTreeMap<String, SecretString> = serde_json::from_str(secret.expose_secret())?;
            Ok(all.get(adapter).filter(|own| !own.expose_secret().is_empty()).cloned())
        };
        // Of an error of this kind the text could hold a part of the secret.
        let wrong =
            |error: serde_json::Error| SecretError(format!("not JSON of texts: {:?}", error.classify()));
        let Some(current) = own(&self.current).map_err(wrong)? else { return Ok(None) };
        let previous = self.previous.as_ref().and_then(|previous| {
            let secret = own(&previous.secret).unwrap_or_default()?;
            Some(Previous { secret, replaced_at: previous.replaced_at })
        });
        Ok(Some(Self { current, previous }))
    }

    /// The two versions as Secrets Manager describes them. A current one that doesn't say since when it
    /// exists leaves no time for the one before.
    fn of(current: Option<GetSecretValueOutput>, previous: Option<GetSecretValueOutput>) -> Option<Self> {
        let current = current?;
        let replaced_at = current.created_date.and_then(|at| Timestamp::from_second(at.secs()).ok());
        let previous = previous.and_then(text).zip(replaced_at);
        let previous = previous.map(|(secret, replaced_at)| Previous { secret, replaced_at });
        Some(Self { current: text(current)?, previous })
    }
}

fn text(version: GetSecretValueOutput) -> Option<SecretString> {
    // A file that a secret was read from ends in a line break.
    version.secret_string.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).map(Into::into)
}

/// The secret can't be had.
#[derive(Debug, Clone, thiserror::Error)]
#[error("a secret can't be read: {0}")]
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

    async fn version(&self, stage: &str) -> Result<Option<GetSecretValueOutput>, SecretError> {
        match self.client.get_secret_value().secret_id(&self.arn).version_stage(stage).send().await {
            Ok(output) => Ok(Some(output)),
            Err(error) if error.code() == Some("ResourceNotFoundException") => Ok(None),
            Err(error) => Err(SecretError(with_causes(&error))),
        }
    }
}

impl SecretSource for SecretsManager {
    async fn fetch(&self) -> Result<Secrets, SecretError> {
        let (current, previous) = tokio::try_join!(self.version("AWSCURRENT"), self.version("AWSPREVIOUS"))?;
        Secrets::of(current, previous).ok_or_else(|| SecretError(format!("{} has no text", self.arn)))
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

    use aws_sdk_secretsmanager::primitives::DateTime;

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

    fn version(text: &str, created: Option<i64>) -> GetSecretValueOutput {
        let created = created.map(DateTime::from_secs);
        GetSecretValueOutput::builder().secret_string(text).set_created_date(created).build()
    }

    fn good(current: GetSecretValueOutput, second: i64) -> Vec<String> {
        let secrets = Secrets::of(Some(current), Some(version("old", Some(0)))).unwrap();
        secrets.good(at(second)).map(|secret| secret.expose_secret().to_owned()).collect()
    }

    #[test]
    fn the_previous_secret_is_good_for_a_day_after_the_rotation() {
        let rotated = 1_767_225_600;
        let new = || version("new", Some(rotated));
        assert_eq!(good(new(), rotated + 86_399), ["new", "old"]);
        assert_eq!(good(new(), rotated + 86_400), ["new"]);
        assert_eq!(good(version("new", None), rotated), ["new"]);
    }

    #[test]
    fn a_version_without_a_text_is_no_secret() {
        let secrets = Secrets::of(Some(version("new", Some(0))), Some(version("", Some(0)))).unwrap();
        assert!(secrets.previous.is_none());
        assert!(Secrets::of(Some(version("", Some(0))), None).is_none());
        assert!(Secrets::of(None, Some(version("old", Some(0)))).is_none());
    }

    #[test]
    fn an_adapter_has_its_own_secret_and_one_that_was_taken_out_has_none() {
        let of = |current: &str, previous: &str| {
            let previous = Previous { secret: previous.into(), replaced_at: at(0) };
            let secrets = Secrets { current: current.into(), previous: Some(previous) };
            let own = secrets.of_adapter("jira")?;
            let good = own.iter().flat_map(|own| own.good(at(1)));
            Ok::<_, SecretError>(good.map(|secret| secret.expose_secret().to_owned()).collect::<Vec<_>>())
        };
        let both = r#"{"jira": "a", "github": "b"}"#;
        assert_eq!(of(both, r#"{"jira": "old"}"#).unwrap(), ["a", "old"]);
        assert_eq!(of(both, "a placeholder").unwrap(), ["a"]);
        for without in [r#"{"github": "b"}"#, r#"{"jira": ""}"#, "{}"] {
            assert_eq!(of(without, both).unwrap(), [""; 0], "{without}");
        }
        for wrong in ["a text", r#"["a"]"#, r#"{"jira": 5}"#] {
            assert!(!of(wrong, both).unwrap_err().to_string().contains("a text"), "{wrong}");
        }
    }

    #[test]
    fn a_secret_is_not_shown() {
        let previous = Previous { secret: "hidden".into(), replaced_at: at(0) };
        let secrets = Secrets { current: "hidden".into(), previous: Some(previous) };
        assert!(!format!("{secrets:?}").contains("hidden"));
    }
}
