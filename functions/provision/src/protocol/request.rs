//! What CloudFormation asks. Nothing in it is typed before it can be answered: a field that is missing
//! or of another kind is a failure that its stack hears of, never an event that can't be read.

use std::time::Duration;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::continuation::{self, Continuation};
use super::properties::Properties;
use super::response_url::ResponseUrl;

/// How long CloudFormation waits for an answer where a template doesn't say, in seconds, and at most.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-customresource.html>
const LONGEST: i32 = 3_600;

/// What is to happen to the resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RequestType {
    Create,
    Update,
    Delete,
    /// Anything else, as it was written.
    Unknown(String),
}

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) kind: RequestType,
    pub(crate) response_url: ResponseUrl,
    pub(crate) stack_id: String,
    pub(crate) id: String,
    pub(crate) logical_resource_id: String,
    pub(crate) resource_type: String,
    /// What the resource was last said to be; never with a Create.
    pub(crate) physical_resource_id: Option<String>,
    pub(crate) properties: Properties,
    /// The properties before an Update; empty otherwise.
    pub(crate) old_properties: Properties,
    /// What an earlier invocation has left to this one.
    pub(crate) continuation: Option<Continuation>,
}

impl Request {
    /// Reads an event, whatever it is.
    pub(crate) fn read(event: Value) -> Self {
        let Value::Object(mut event) = event else { return Self::read(Value::Object(Map::new())) };
        let mut take = |name: &str| event.remove(name).unwrap_or_default();
        Self {
            kind: match text(take("RequestType")).as_str() {
                "Create" => RequestType::Create,
                "Update" => RequestType::Update,
                "Delete" => RequestType::Delete,
                other => RequestType::Unknown(other.to_owned()),
            },
            response_url: ResponseUrl::new(text(take("ResponseURL"))),
            stack_id: text(take("StackId")),
            id: text(take("RequestId")),
            logical_resource_id: text(take("LogicalResourceId")),
            resource_type: text(take("ResourceType")),
            physical_resource_id: Some(text(take("PhysicalResourceId"))).filter(|id| !id.is_empty()),
            properties: Properties::new(take("ResourceProperties")),
            old_properties: Properties::new(take("OldResourceProperties")),
            continuation: Continuation::read(take(continuation::FIELD)),
        }
    }

    /// How long CloudFormation waits for the answer, from when it asked.
    pub(crate) fn service_timeout(&self) -> Duration {
        let seconds = self.properties.number("ServiceTimeout", 1..=LONGEST).unwrap_or(LONGEST);
        Duration::from_secs(u64::from(seconds.unsigned_abs()))
    }

    /// Whether the resource's `Data` is not to be shown (`NoEcho`, as for the stack's own parameters).
    pub(crate) fn no_echo(&self) -> bool {
        self.properties.optional_text("NoEcho").is_ok_and(|text| text.as_deref() == Some("true"))
    }

    /// The id that the resource has until it is given a better one: the same for every delivery of its
    /// Create, and not that of any other resource.
    pub(crate) fn default_physical_id(&self) -> String {
        let mut hash = Sha256::new();
        for part in [&self.stack_id, &self.logical_resource_id] {
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
        let digest = hex::encode(hash.finalize());
        format!("custom-{}", digest.get(..32).unwrap_or(&digest))
    }
}

fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_read_and_its_address_is_not_shown() {
        let request = Request::read(json!({
            "RequestType": "Update",
            "ResponseURL": "https://example.com/answer?X-Amz-Signature=secret",
            "StackId": "arn:aws:cloudformation:us-east-1:123456789012:stack/demo/1",
            "RequestId": "r-1",
            "LogicalResourceId": "Grants",
            "ResourceType": "Custom::GrantRuleGroup",
            "PhysicalResourceId": "arn:group",
            "ResourceProperties": {"Capacity": "2000"},
            "OldResourceProperties": {"Capacity": "1000"},
        }));
        insta::assert_debug_snapshot!(request, @r#"
        Request {
            kind: Update,
            response_url: ResponseUrl(…),
            stack_id: "arn:aws:cloudformation:us-east-1:123456789012:stack/demo/1",
            id: "r-1",
            logical_resource_id: "Grants",
            resource_type: "Custom::GrantRuleGroup",
            physical_resource_id: Some(
                "arn:group",
            ),
            properties: Properties(
                {
                    "Capacity": String("2000"),
                },
            ),
            old_properties: Properties(
                {
                    "Capacity": String("1000"),
                },
            ),
            continuation: None,
        }
        "#);
    }

    #[test]
    fn the_default_id_is_of_the_stack_and_the_resource_alone() {
        let id = |stack: &str, resource: &str, request: &str| {
            let event = json!({"StackId": stack, "LogicalResourceId": resource, "RequestId": request});
            Request::read(event).default_physical_id()
        };
        assert_eq!(id("stack", "A", "1"), id("stack", "A", "2"));
        assert_ne!(id("stack", "A", "1"), id("stack", "B", "1"));
        assert_ne!(id("stack", "A", "1"), id("stackA", "", "1"));
    }

    #[test]
    fn cloudformation_waits_as_long_as_the_template_says_and_an_hour_otherwise() {
        for (timeout, seconds) in [
            (json!("1000"), 1_000),
            (json!(60), 60),
            (json!(null), 3_600),
            (json!("soon"), 3_600),
            (json!(-1), 3_600),
        ] {
            let request = Request::read(json!({"ResourceProperties": {"ServiceTimeout": timeout}}));
            assert_eq!(request.service_timeout(), Duration::from_secs(seconds), "{timeout}");
        }
    }

    #[test]
    fn an_event_is_continued_with_all_that_it_had() {
        let event = json!({"RequestType": "Delete", "RequestId": "r-1", "ResourceProperties": {"A": "b"}});
        let left = Continuation {
            started: 1_764_288_000_000,
            invocations: 1,
            waiting_for: "an app".to_owned(),
            state: json!({"gone": ["d-1"]}),
        };
        let mut next = left.event(event.clone());
        assert_eq!(Request::read(next.clone()).continuation, Some(left));
        next.as_object_mut().unwrap().remove("Continuation");
        assert_eq!(next, event);
        assert_eq!(Request::read(json!({"Continuation": "x"})).continuation, None);
    }

    #[test]
    fn any_json_is_a_request() {
        for event in
            [json!(null), json!([]), json!("Create"), json!({"RequestType": ["Create"], "StackId": 5})]
        {
            assert!(matches!(Request::read(event).kind, RequestType::Unknown(_)));
        }
    }

    proptest! {
        #[test]
        fn no_text_in_a_field_is_lost(text in ".*") {
            let request = Request::read(json!({"RequestType": text, "StackId": text, "RequestId": text}));
            prop_assert_eq!(request.stack_id, text.clone());
            prop_assert_eq!(request.id, text);
        }
    }
}
