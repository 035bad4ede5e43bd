//! Security Hub: alerts as findings, where security people look for them. Off, unless an operator switches it on.
//!
//! The alert is told first: what becomes of its finding holds up nobody. Then the batch waits for it. If it fails, the
//! batch fails, and is delivered again: it tells the same alerts under the same ids, which channels know, and imports
//! the same findings. What fails at every try is in the dead-letter queue, with the alarm.

use std::time::Duration;

use egress::aws::signed::{Call, CallError, Method, Protocol, Service, Signed};
use egress::events::{Severity, TrafficBlocked};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::asff::{NoProduct, Product, finding};

const SECURITY_HUB: Service =
    Service { host: "securityhub", signing_name: "securityhub", protocol: Protocol::Json };
const JSON: (&str, &str) = ("content-type", "application/json");
/// The most findings that one call takes.
/// <https://docs.aws.amazon.com/securityhub/latest/partnerguide/guidelines-batchimportfindings.html>
const MOST_FINDINGS: usize = 100;
/// How often a call is made: ten a second are taken of an account, for a short time thirty.
const MOST_TRIES: u32 = 3;
/// The longest pause before the second try; it doubles before the third.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Where findings go, and which.
#[derive(Debug, Clone)]
pub struct SecurityHub {
    signed: Signed,
    product: Product,
    project: String,
    least: Severity,
}

/// The environment doesn't say what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// Which alerts.
    #[error("SECURITY_HUB must be Off, Raised or All, and is {0:?}")]
    Which(String),
    /// The product.
    #[error("SECURITY_HUB_PRODUCT_ARN: {0}")]
    Product(#[from] NoProduct),
}

/// Why findings were not all imported. They can be imported again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// Security Hub doesn't take them, or nobody knows.
    #[error(transparent)]
    Call(#[from] CallError),
    /// It refused some (it answers 200 to that).
    #[error("{count} findings were refused; the first, {id}, with {code}: {message}")]
    Refused {
        /// How many.
        count: usize,
        /// The id of the first.
        id: String,
        /// Why that was.
        code: String,
        /// What it says of it.
        message: String,
    },
}

/// What `BatchImportFindings` answers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Imported {
    failed_count: usize,
    #[serde(default)]
    failed_findings: Vec<Failed>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Failed {
    id: String,
    error_code: String,
    error_message: String,
}

impl SecurityHub {
    /// As the environment says: `which` alerts become findings (`Off`, `Raised`, `All`), of what product.
    pub fn new(
        signed: Signed,
        which: &str,
        product: &str,
        project: &str,
    ) -> Result<Option<Self>, SettingError> {
        let least = match which {
            "Off" => return Ok(None),
            "Raised" => Severity::Raised,
            "All" => Severity::Normal,
            other => return Err(SettingError::Which(other.to_owned())),
        };
        Ok(Some(Self { signed, product: product.parse()?, project: project.to_owned(), least }))
    }

    /// Imports the findings of those alerts that become some. `jitter` gives numbers from 0 to 1.
    pub async fn import(&self, alerts: &[TrafficBlocked], jitter: fn() -> f64) -> Result<(), ImportError> {
        let findings = alerts.iter().filter(|alert| alert.severity >= self.least);
        let findings: Vec<Value> =
            findings.map(|alert| finding(alert, &self.product, &self.project)).collect();
        for some in findings.chunks(MOST_FINDINGS) {
            let answer = self.call(&json!({"Findings": some}), jitter).await?;
            let unreadable = |error: serde_json::Error| CallError::Unreadable(error.to_string());
            let Imported { failed_count, failed_findings } =
                serde_json::from_slice(&answer).map_err(unreadable)?;
            if failed_count > 0 {
                let Failed { id, error_code, error_message } =
                    failed_findings.into_iter().next().unwrap_or_default();
                return Err(ImportError::Refused {
                    count: failed_count,
                    id,
                    code: error_code,
                    message: error_message,
                });
            }
        }
        Ok(())
    }

    /// <https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchImportFindings.html>
    async fn call(&self, findings: &Value, jitter: fn() -> f64) -> Result<Vec<u8>, CallError> {
        let mut pause = FIRST_PAUSE;
        for _ in 1..MOST_TRIES {
            match self.post(findings).await {
                Err(error) if may_pass(&error) => {}
                answer => return answer,
            }
            sleep(pause.mul_f64(jitter().clamp(0.0, 1.0))).await;
            pause *= 2;
        }
        self.post(findings).await
    }

    async fn post(&self, findings: &Value) -> Result<Vec<u8>, CallError> {
        let body = findings.to_string().into_bytes();
        let call = Call { method: Method::POST, path: "/findings/import", headers: &[JSON], body };
        self.signed.send(SECURITY_HUB, call).await
    }
}

/// Whether another try may have another answer: it didn't get through, there were too many, or something is broken.
fn may_pass(error: &CallError) -> bool {
    match error {
        CallError::NotThrough(_) => true,
        CallError::Refused { status, .. } => status.as_u16() == 429 || status.is_server_error(),
        CallError::Unreadable(_) => false,
    }
}
