//! `Custom::EgressConfig`: what the operator decides, validated whole before any function gets it. A mistake
//! fails the deployment, and not the first request after it; the stack's events have its file, line and
//! reason.
//!
//! Properties: `Bucket`, the artefacts' bucket, and the keys of `egress.toml` (`ConfigKey`) and
//! `policy.cedar` (`PolicyKey`) in it. Data: `Version`, which is the same for the same texts, and `ConfigVersion`,
//! which is that of `egress.toml` alone. It makes nothing: the functions have the same texts in their packages.

use egress::aws::S3;
use egress::validation::{Version, validate};

use super::{Clients, Never, Next, Problem, Resource};
use crate::protocol::answer::Done;
use crate::protocol::properties::PropertyError;
use crate::protocol::request::Request;

/// The configuration that a request wants validated.
pub(crate) struct EgressConfig {
    objects: S3,
    bucket: String,
    config_key: String,
    policy_key: String,
}

/// The two texts.
pub(crate) struct Texts {
    config: Vec<u8>,
    policy: Vec<u8>,
}

impl EgressConfig {
    pub(crate) fn new(request: &Request, clients: &Clients) -> Result<Self, PropertyError> {
        Ok(Self {
            objects: clients.objects.clone(),
            bucket: request.properties.text("Bucket")?,
            config_key: request.properties.text("ConfigKey")?,
            policy_key: request.properties.text("PolicyKey")?,
        })
    }

    async fn read(&self, key: &str) -> Result<Vec<u8>, Problem> {
        let content = self.objects.get(&self.bucket, key).await;
        content.map_err(|error| Problem::of_call(&format!("GetObject of s3://{}/{key}", self.bucket), &error))
    }
}

impl Resource for EgressConfig {
    type World = Texts;
    type State = ();
    type Act = Never;

    async fn look(&self, (): &()) -> Result<Texts, Problem> {
        let (config, policy) = tokio::join!(self.read(&self.config_key), self.read(&self.policy_key));
        Ok(Texts { config: config?, policy: policy? })
    }

    fn next(&self, (): &mut (), texts: &Texts) -> Next<Never> {
        match validate(&texts.config, &texts.policy) {
            Ok(version) => {
                let of_config = Version::of_config(&texts.config);
                let data = vec![
                    ("ConfigVersion".to_owned(), of_config.to_string()),
                    ("Version".to_owned(), version.to_string()),
                ];
                Next::Done(Done { data, ..Done::default() })
            }
            Err(mistakes) => Next::Failed(mistakes.to_string()),
        }
    }

    async fn act(&self, act: Never) -> Result<(), Problem> {
        match act {}
    }
}
