//! SageMaker: whether a Studio domain lives. Its API is JSON 1.1.

use serde::Deserialize;
use serde_json::json;

use super::signed::{Answer, Service};
use super::{CallError, Signed};

const SAGEMAKER: Service = Service { host: "api.sagemaker", signing_name: "sagemaker" };
const JSON: (&str, &str) = ("content-type", "application/x-amz-json-1.1");

/// The service.
#[derive(Debug, Clone)]
pub(crate) struct SageMaker(Signed);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Domain {
    status: String,
}

#[derive(Default, Deserialize)]
struct Refusal {
    #[serde(default, rename = "__type")]
    code: String,
    #[serde(default, alias = "Message")]
    message: String,
}

impl SageMaker {
    pub(crate) fn new(signed: Signed) -> Self {
        Self(signed)
    }

    /// The status of a domain; none when SageMaker says that there is no such domain.
    pub(crate) async fn domain_status(&self, id: &str) -> Result<Option<String>, CallError> {
        let target = ("x-amz-target", "SageMaker.DescribeDomain");
        let answer = self.0.post(SAGEMAKER, &[JSON, target], json!({"DomainId": id}).to_string()).await?;
        if answer.status.is_success() {
            let domain: Domain = serde_json::from_str(&answer.body)
                .map_err(|error| CallError::Unreadable(error.to_string()))?;
            return Ok(Some(domain.status));
        }
        match refusal(&answer) {
            error if error.code() == Some("ResourceNotFound") => Ok(None),
            error => Err(error),
        }
    }
}

fn refusal(answer: &Answer) -> CallError {
    let Refusal { code, message } = serde_json::from_str(&answer.body).unwrap_or_default();
    // The code may stand behind the name of its model.
    let code = code.rsplit('#').next().unwrap_or_default();
    let or = |text: &str, other: &str| if text.is_empty() { other.to_owned() } else { text.to_owned() };
    CallError::Refused {
        status: answer.status,
        code: or(code, "an unnamed error"),
        message: or(&message, "no reason given"),
    }
}

#[cfg(test)]
mod tests {
    use hyper::StatusCode;

    use super::*;

    #[test]
    fn a_refusal_has_its_code_however_it_is_written() {
        for (body, code) in [
            (r#"{"__type":"ResourceNotFound","Message":"no domain"}"#, "ResourceNotFound"),
            (r#"{"__type":"com.amazonaws.sagemaker#ResourceNotFound","message":"no"}"#, "ResourceNotFound"),
            ("<html>", "an unnamed error"),
        ] {
            let answer = Answer { status: StatusCode::BAD_REQUEST, body: body.to_owned() };
            assert_eq!(refusal(&answer).code(), Some(code));
        }
    }
}
