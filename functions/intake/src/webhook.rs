//! What a webhook says: one of nine actions.

mod body;

use egress::events::EventError;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::message::Message;

/// Why a body says nothing that can be acted on. One sentence for its sender, with the field's name.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// Not a JSON object.
    #[error("the body is not a JSON object: {0}")]
    NotAnObject(serde_json::Error),
    /// Not one of the nine.
    #[error("action must be request, extend, decide, revoke, withdraw, silence, why, list or status")]
    Action,
    /// A field is missing, unknown, or of another kind.
    #[error("{0}")]
    Field(String),
    /// A field can't be what it is.
    #[error(transparent)]
    Event(#[from] EventError),
}

/// Reads the body of a delivery.
pub fn message(body: &[u8], delivery: &str) -> Result<Message, WebhookError> {
    let mut fields: Map<String, Value> = serde_json::from_slice(body).map_err(WebhookError::NotAnObject)?;
    let key = format!("webhook:{delivery}");
    let message = match fields.remove("action").as_ref().and_then(Value::as_str) {
        Some("request") => Message::Request(typed::<body::Request>(fields)?.detail(key)),
        Some("extend") => Message::Extend(typed::<body::Extend>(fields)?.detail(key)),
        Some("decide") => Message::Decide(typed::<body::Decide>(fields)?.detail(key)),
        Some("revoke") => Message::Revoke(typed::<body::Revoke>(fields)?.detail(key)),
        Some("withdraw") => Message::Withdraw(typed::<body::Withdraw>(fields)?.detail(key)),
        Some("silence") => Message::Silence(typed::<body::Silence>(fields)?.detail(key)),
        Some("why") => Message::Ask(typed::<body::Why>(fields)?.detail(key)),
        Some("list") => Message::Ask(typed::<body::List>(fields)?.detail(key)),
        Some("status") => Message::Ask(typed::<body::Status>(fields)?.detail(key)),
        _ => return Err(WebhookError::Action),
    };
    message.check()?;
    Ok(message)
}

/// The fields as their types; an error names the field that is wrong.
fn typed<T: DeserializeOwned>(fields: Map<String, Value>) -> Result<T, WebhookError> {
    serde_path_to_error::deserialize(Value::Object(fields)).map_err(|error| {
        let (path, cause) = (error.path().to_string(), error.into_inner());
        WebhookError::Field(if path == "." { cause.to_string() } else { format!("{path}: {cause}") })
    })
}

#[cfg(test)]
mod tests {
    use egress::events::Incoming;
    use egress::request::RequestId;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(body: &Value) -> Result<Message, WebhookError> {
        message(body.to_string().as_bytes(), "jira:4711")
    }

    /// The event of a body, which the function that it is meant for must be able to take.
    fn detail(body: &Value) -> Value {
        let event = read(body).unwrap().event().unwrap();
        let event = json!({"source": event.source, "detail-type": event.detail_type, "detail": event.detail});
        Incoming::read(event.clone()).unwrap();
        event
    }

    fn with(mut body: Value, more: Value) -> Value {
        let Value::Object(more) = more else { panic!("{more}") };
        body.as_object_mut().unwrap().extend(more);
        body
    }

    #[test]
    fn a_request_becomes_an_event() {
        let body = json!({
            "action": "request", "requester": "alice@example.com", "domains": [".github.com", "not a domain"],
            "justification": "clone the course", "ticket": "OPS-1", "duration": "1h 30m",
        });
        insta::assert_json_snapshot!(detail(&body));
        assert_eq!(read(&body).unwrap().request_id(), Some(RequestId::of_message("webhook:jira:4711")));
    }

    #[test]
    fn a_request_for_a_preset_may_leave_the_rest_out() {
        let body =
            json!({"action": "request", "requester": "alice", "preset": "pypi", "justification": "pip"});
        insta::assert_json_snapshot!(detail(&body));
    }

    #[test]
    fn who_breaks_the_glass_says_why_and_where_to_answer() {
        insta::assert_json_snapshot!(detail(&json!({
            "action": "request", "requester": "alice", "domains": ["github.com"], "justification": "hotfix",
            "break_glass": "production is down\nand nobody answers",
            "reply_to": {"via": "slack", "to": "C024BE91L"},
        })));
    }

    #[test]
    fn an_extension_is_a_request_of_its_own() {
        let body = json!({
            "action": "extend", "request_id": "req-0123456789ab", "requester": "alice", "justification": "two more days",
            "duration": "2d",
        });
        insta::assert_json_snapshot!(detail(&body));
        assert_eq!(read(&body).unwrap().request_id(), Some(RequestId::of_message("webhook:jira:4711")));
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
    fn questions_become_events() {
        insta::assert_json_snapshot!([
            detail(&json!({"action": "why", "by": "alice", "host": "https://github.com/x"})),
            detail(&json!({"action": "list", "by": "bob", "which": "unused"})),
            detail(&json!({"action": "status", "by": "alice", "request_id": "req-0123456789ab"})),
        ]);
    }

    #[test]
    fn a_silence_becomes_an_event() {
        let silence = |more: Value| {
            detail(&with(json!({"action": "silence", "by": "bob", "domain": "pypi.org"}), more))
        };
        insta::assert_json_snapshot!([
            silence(json!({})),
            silence(json!({"owner": "profile/d-x/alice", "duration": "1h 30m"})),
            silence(json!({"duration": "0"})),
        ]);
    }

    /// One of each action: its name, its body, the request that it is about.
    fn actions() -> Vec<(&'static str, Value, Option<RequestId>)> {
        let named = RequestId::try_from("req-0123456789ab".to_owned()).unwrap();
        let new = RequestId::of_message("webhook:jira:4711");
        let body = |fields: Value| with(json!({"request_id": named}), fields);
        vec![
            (
                "request",
                json!({"requester": "a", "preset": "pypi", "justification": "pip"}),
                Some(new.clone()),
            ),
            ("extend", body(json!({"requester": "a", "justification": "more"})), Some(new)),
            ("decide", body(json!({"decision": "approve", "approver": "b"})), Some(named.clone())),
            ("revoke", body(json!({"by": "b", "reason": "done"})), Some(named.clone())),
            ("withdraw", body(json!({"by": "a"})), Some(named.clone())),
            ("status", body(json!({"by": "a"})), Some(named.clone())),
            (
                "silence",
                json!({"by": "b", "domain": "pypi.org", "owner": "profile/d-x/alice", "duration": "1d"}),
                None,
            ),
            ("why", json!({"by": "a", "host": "github.com"}), None),
            ("list", json!({"by": "a", "which": "mine"}), None),
        ]
    }

    #[test]
    fn every_action_says_what_it_is_about_and_where_to_answer() {
        for (action, body, request_id) in actions() {
            let reply_to = json!({"via": "jira", "to": "OPS-1"});
            let body = with(body, json!({"action": action, "reply_to": reply_to}));
            let message = read(&body).unwrap();
            assert_eq!(detail(&body)["detail"]["reply_to"], reply_to, "{action}");
            assert_eq!((message.action(), message.request_id()), (action, request_id));
            assert_eq!(message.key(), "webhook:jira:4711");
        }
    }

    #[test]
    fn no_action_takes_a_field_that_is_not_its_own() {
        for (action, body, _) in actions() {
            for field in ["message_key", "version", "duration_seconds", "question", "kind"] {
                let body = with(body.clone(), json!({"action": action, field: 1}));
                let error = read(&body).unwrap_err().to_string();
                assert!(error.contains(&format!("unknown field `{field}`")), "{action}: {error}");
            }
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let request = |more| {
            let body =
                json!({"action": "request", "requester": "alice", "preset": "pypi", "justification": "pip"});
            with(body, more)
        };
        let decide = |id: &str, decision: &str| json!({"action": "decide", "request_id": id, "decision": decision, "approver": "bob"});
        let extend = |more| {
            let body = json!({"action": "extend", "request_id": "req-0123456789ab", "requester": "alice", "justification": "x"});
            with(body, more)
        };
        let why = |more| with(json!({"action": "why", "by": "alice", "host": "github.com"}), more);
        let silence = |more| with(json!({"action": "silence", "by": "bob", "domain": "pypi.org"}), more);
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
            request(json!({"break_glass": ""})),
            request(json!({"break_glass": "x".repeat(2_001)})),
            request(json!({"break_glass": true})),
            decide("req-1", "approve"),
            decide("req-0123456789ab", "maybe"),
            extend(json!({"request_id": "req-1"})),
            extend(json!({"justification": "\n"})),
            extend(json!({"duration": "0s"})),
            extend(json!({"domains": ["a.example"]})),
            silence(json!({"domain": "pypi"})),
            silence(json!({"owner": ""})),
            silence(json!({"duration": "31d"})),
            silence(json!({"duration": 0})),
            silence(json!({"duration": "1ms"})),
            why(json!({"host": ""})),
            why(json!({"host": "x".repeat(2_001)})),
            why(json!({"by": "a\nb"})),
            why(json!({"reply_to": "C024BE91L"})),
            why(json!({"reply_to": {"via": "slack"}})),
            why(json!({"reply_to": {"via": "", "to": "C024BE91L"}})),
            why(json!({"reply_to": {"via": "slack", "to": "C024BE91L", "thread": 1}})),
            json!({"action": "list", "by": "alice"}),
            json!({"action": "list", "by": "alice", "which": "all"}),
            json!({"action": "status", "by": "alice", "request_id": 5}),
        ];
        insta::assert_snapshot!(errors.map(|body| read(&body).unwrap_err().to_string()).join("\n"));
    }

    proptest! {
        #[test]
        fn fuzz_no_body_is_too_strange(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(message(&body, "d").is_err());
        }

        #[test]
        fn fuzz_no_field_is_too_strange(requester in "\\PC*", domain in ".*", duration in "\\PC{0,12}") {
            let body = json!({"action": "request", "requester": requester, "domains": [domain], "justification": "x", "duration": duration});
            let _ = read(&body);
        }

        #[test]
        fn fuzz_whatever_is_taken_can_be_acted_on(action in 0..9_usize, field in "[a-z_]{2,13}", text in ".{0,300}", nested: bool) {
            let (name, mut body, _) = actions().swap_remove(action);
            let value = if nested { json!({"via": text, "to": text}) } else { json!(text) };
            let known: Vec<String> = body.as_object().unwrap().keys().cloned().collect();
            // A field of this action more often than one of none.
            let field = known.get(field.len() % (known.len() + 2)).cloned().unwrap_or(field);
            body = with(body, json!({"action": name, field: value}));
            if let Ok(message) = read(&body) {
                let event = message.event().unwrap();
                let event = json!({"source": event.source, "detail-type": event.detail_type, "detail": event.detail});
                prop_assert!(Incoming::read(event).is_ok());
            }
        }
    }
}
