//! What a service says when it refuses, in each of the forms in which services say it.

use hyper::StatusCode;
use roxmltree::Document;
use serde::Deserialize;

use super::signed::CallError;

const UNNAMED: &str = "an unnamed error";
const NO_REASON: &str = "no reason given";

#[derive(Default, Deserialize)]
struct Said {
    #[serde(default, rename = "__type", alias = "Code")]
    code: String,
    #[serde(default, alias = "Message")]
    message: String,
}

/// In JSON, as SageMaker, Lambda and Security Hub do.
pub(super) fn json(status: StatusCode, body: &[u8]) -> CallError {
    let Said { code, message } = serde_json::from_slice(body).unwrap_or_default();
    // The code may stand behind the name of its model.
    let code = code.rsplit('#').next().unwrap_or_default();
    let or = |text: &str, other: &str| if text.is_empty() { other.to_owned() } else { text.to_owned() };
    CallError::Refused { status, code: or(code, UNNAMED), message: or(&message, NO_REASON) }
}

/// In XML, as EC2 and S3 do.
pub(super) fn xml(status: StatusCode, body: &[u8]) -> CallError {
    let body = String::from_utf8_lossy(body);
    let document = match Document::parse(&body) {
        Ok(document) => document,
        Err(_) if status.is_server_error() => {
            return CallError::NotThrough(format!("it was met with {status}"));
        }
        Err(error) => return CallError::Unreadable(error.to_string()),
    };
    let find = |name| document.descendants().find(|node| node.tag_name().name() == name);
    let text = |name| find(name).and_then(|node| node.text()).map(ToOwned::to_owned);
    CallError::Refused {
        status,
        code: text("Code").unwrap_or_else(|| UNNAMED.to_owned()),
        message: text("Message").unwrap_or_else(|| NO_REASON.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_in_json_has_its_code_however_it_is_written() {
        for (body, code) in [
            (r#"{"__type":"ResourceNotFound","Message":"no domain"}"#, "ResourceNotFound"),
            (r#"{"__type":"com.amazonaws.sagemaker#ResourceNotFound","message":"no"}"#, "ResourceNotFound"),
            (r#"{"Code":"InvalidAccessException","Message":"not subscribed"}"#, "InvalidAccessException"),
            ("<html>", "an unnamed error"),
        ] {
            assert_eq!(json(StatusCode::BAD_REQUEST, body.as_bytes()).code(), Some(code));
        }
    }

    #[test]
    fn a_refusal_in_xml_has_its_code_and_message() {
        let body = b"<Response><Errors><Error><Code>DependencyViolation</Code><Message>resource sg-1 has a dependent object</Message></Error></Errors></Response>";
        let error = xml(StatusCode::BAD_REQUEST, body);
        assert_eq!(error.code(), Some("DependencyViolation"));
        assert_eq!(
            error.to_string(),
            "was refused with DependencyViolation: resource sg-1 has a dependent object"
        );
    }
}
