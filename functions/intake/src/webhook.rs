//! What a webhook says: one of three actions, as the event of the bus that it becomes.

use egress::bus::Event;
use egress::events::{
    Decision, DomainRequested, EventError, GrantRevoked, RequestDecided, RequestWithdrawn, VERSION, source,
};
use egress::request::RequestId;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// The shortest grant, in seconds.
const SHORTEST: u64 = 60;

/// A webhook that was read and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Somebody asks for domains.
    Request(DomainRequested),
    /// An approver has decided.
    Decide(RequestDecided),
    /// Somebody ends a grant.
    Revoke(GrantRevoked),
    /// The requester takes a pending request back.
    Withdraw(RequestWithdrawn),
}

/// Why a body says nothing that can be acted on. One sentence for its sender, with the field's name.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// Not a JSON object.
    #[error("the body is not a JSON object: {0}")]
    NotAnObject(serde_json::Error),
    /// Not one of the three.
    #[error("action must be request, decide, revoke or withdraw")]
    Action,
    /// A field is missing, unknown, or of another kind.
    #[error("{0}")]
    Field(String),
    /// A field can't be what it is.
    #[error(transparent)]
    Event(#[from] EventError),
    /// The event can't be written down.
    #[error("the event can't be written: {0}")]
    Write(#[from] serde_json::Error),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    requester: String,
    #[serde(default)]
    domains: Vec<String>,
    preset: Option<String>,
    justification: String,
    ticket: Option<String>,
    #[serde(default, rename = "duration", deserialize_with = "seconds")]
    duration_seconds: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Decide {
    request_id: RequestId,
    decision: Decision,
    approver: String,
    comment: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Revoke {
    request_id: RequestId,
    by: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Withdraw {
    request_id: RequestId,
    by: String,
}

impl Message {
    /// Reads the body of a delivery.
    pub fn read(body: &[u8], delivery: &str) -> Result<Self, WebhookError> {
        let mut fields: Map<String, Value> =
            serde_json::from_slice(body).map_err(WebhookError::NotAnObject)?;
        let message_key = format!("webhook:{delivery}");
        let message = match fields.remove("action").as_ref().and_then(Value::as_str) {
            Some("request") => Self::Request(requested(typed(fields)?, message_key)),
            Some("decide") => Self::Decide(decided(typed(fields)?, message_key)),
            Some("revoke") => Self::Revoke(revoked(typed(fields)?, message_key)),
            Some("withdraw") => Self::Withdraw(withdrawn(typed(fields)?, message_key)),
            _ => return Err(WebhookError::Action),
        };
        message.check()?;
        Ok(message)
    }

    fn check(&self) -> Result<(), EventError> {
        match self {
            Self::Request(detail) => detail.check(),
            Self::Decide(detail) => detail.check(),
            Self::Revoke(detail) => detail.check(),
            Self::Withdraw(detail) => detail.check(),
        }
    }

    /// The event that it becomes.
    pub fn event(&self) -> Result<Event, WebhookError> {
        Ok(match self {
            Self::Request(detail) => Event::new(source::INTAKE, "DomainRequested", detail)?,
            Self::Decide(detail) => Event::new(source::INTAKE, "RequestDecided", detail)?,
            Self::Revoke(detail) => Event::new(source::INTAKE, "GrantRevoked", detail)?,
            Self::Withdraw(detail) => Event::new(source::INTAKE, "RequestWithdrawn", detail)?,
        })
    }

    /// The request that it is about: for a new one the id that it will have.
    pub fn request_id(&self) -> RequestId {
        match self {
            Self::Request(detail) => RequestId::of_message(&detail.message_key),
            Self::Decide(detail) => detail.request_id.clone(),
            Self::Revoke(detail) => detail.request_id.clone(),
            Self::Withdraw(detail) => detail.request_id.clone(),
        }
    }

    /// The action, as the webhook calls it.
    pub fn action(&self) -> &'static str {
        match self {
            Self::Request(_) => "request",
            Self::Decide(_) => "decide",
            Self::Revoke(_) => "revoke",
            Self::Withdraw(_) => "withdraw",
        }
    }
}

fn requested(body: Request, message_key: String) -> DomainRequested {
    let Request { requester, domains, preset, justification, ticket, duration_seconds } = body;
    DomainRequested {
        version: VERSION,
        message_key,
        requester,
        domains,
        preset,
        justification,
        ticket,
        duration_seconds,
    }
}

fn decided(body: Decide, message_key: String) -> RequestDecided {
    let Decide { request_id, decision, approver, comment } = body;
    RequestDecided { version: VERSION, message_key, request_id, decision, approver, comment }
}

fn revoked(body: Revoke, message_key: String) -> GrantRevoked {
    let Revoke { request_id, by, reason } = body;
    GrantRevoked { version: VERSION, message_key, request_id, by, reason }
}

fn withdrawn(body: Withdraw, message_key: String) -> RequestWithdrawn {
    let Withdraw { request_id, by } = body;
    RequestWithdrawn { version: VERSION, message_key, request_id, by }
}

/// The fields as their types; an error names the field that is wrong.
fn typed<T: DeserializeOwned>(fields: Map<String, Value>) -> Result<T, WebhookError> {
    serde_path_to_error::deserialize(Value::Object(fields)).map_err(|error| {
        let (path, cause) = (error.path().to_string(), error.into_inner());
        WebhookError::Field(if path == "." { cause.to_string() } else { format!("{path}: {cause}") })
    })
}

/// A duration as people write it, `90m` or `8h`, in seconds.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    let duration = humantime::parse_duration(&text).map_err(D::Error::custom)?;
    if duration.as_secs() < SHORTEST {
        return Err(D::Error::custom("a grant lasts at least a minute"));
    }
    Ok(Some(duration.as_secs()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(body: &Value) -> Result<Message, WebhookError> {
        Message::read(body.to_string().as_bytes(), "jira:4711")
    }

    fn detail(body: &Value) -> Value {
        let event = read(body).unwrap().event().unwrap();
        json!({"source": event.source, "detail-type": event.detail_type, "detail": event.detail})
    }

    #[test]
    fn a_request_becomes_an_event() {
        let body = json!({
            "action": "request", "requester": "alice@example.com", "domains": [".github.com", "not a domain"],
            "justification": "clone the course", "ticket": "OPS-1", "duration": "1h 30m",
        });
        insta::assert_json_snapshot!(detail(&body));
        assert_eq!(read(&body).unwrap().request_id(), RequestId::of_message("webhook:jira:4711"));
    }

    #[test]
    fn a_request_for_a_preset_may_leave_the_rest_out() {
        let body =
            json!({"action": "request", "requester": "alice", "preset": "pypi", "justification": "pip"});
        insta::assert_json_snapshot!(detail(&body));
    }

    #[test]
    fn decisions_revocations_and_withdrawals_become_events() {
        insta::assert_json_snapshot!([
            detail(
                &json!({"action": "decide", "request_id": "req-0123456789ab", "decision": "deny", "approver": "bob", "comment": "no"})
            ),
            detail(
                &json!({"action": "revoke", "request_id": "req-0123456789ab", "by": "bob", "reason": "done"})
            ),
            detail(&json!({"action": "withdraw", "request_id": "req-0123456789ab", "by": "alice"})),
        ]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let request = |more: Value| {
            let mut body =
                json!({"action": "request", "requester": "alice", "preset": "pypi", "justification": "pip"});
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            body
        };
        let decide = |id: &str, decision: &str| json!({"action": "decide", "request_id": id, "decision": decision, "approver": "bob"});
        let errors = [
            json!([]),
            json!({"requester": "alice"}),
            json!({"action": "delete"}),
            json!({"action": "request"}),
            request(json!({"requester": 5})),
            request(json!({"requester": " "})),
            request(json!({"preset": null})),
            request(json!({"preset": null, "domains": []})),
            request(json!({"domains": ["a.example"]})),
            request(json!({"preset": null, "domains": ["a.example", 5]})),
            request(json!({"duration": 60})),
            request(json!({"duration": "soon"})),
            request(json!({"duration": "59s"})),
            request(json!({"approver": "alice"})),
            decide("req-1", "approve"),
            decide("req-0123456789ab", "maybe"),
        ];
        insta::assert_snapshot!(errors.map(|body| read(&body).unwrap_err().to_string()).join("\n"));
    }

    proptest! {
        #[test]
        fn no_body_is_too_strange(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Message::read(&body, "d").is_err());
        }

        #[test]
        fn no_field_is_too_strange(requester in "\\PC*", domain in ".*", duration in "\\PC{0,12}") {
            let body = json!({"action": "request", "requester": requester, "domains": [domain], "justification": "x", "duration": duration});
            let _ = read(&body);
        }
    }
}
