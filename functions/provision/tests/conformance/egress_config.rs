//! `Custom::EgressConfig`.

use serde_json::{Value, json};

use crate::stack::Stack;

const CONFIG: &str = "Custom::EgressConfig";
const EXAMPLE: &str = include_str!("../../../../infra/config/egress.toml");
const POLICY: &str = include_str!("../../../../infra/config/policy.cedar");

/// The example configuration, in the artefacts' bucket.
pub(crate) fn properties(stack: &Stack) -> Value {
    with(stack, EXAMPLE, POLICY)
}

fn with(stack: &Stack, config: &str, policy: &str) -> Value {
    let objects = [("/artefacts/demo/egress.toml", config), ("/artefacts/demo/policy.cedar", policy)];
    let objects = objects.map(|(path, text)| (path.to_owned(), text.to_owned()));
    stack.aws.edge.lock().unwrap().objects = objects.into();
    json!({"Bucket": "artefacts", "ConfigKey": "demo/egress.toml", "PolicyKey": "demo/policy.cedar"})
}

#[tokio::test]
async fn the_version_is_that_of_the_texts() {
    let stack = Stack::new().await;
    let created = stack.send(stack.event("Create", CONFIG, properties(&stack))).await;
    assert_eq!(created["Status"], "SUCCESS", "{created}");
    let version = |answer: &Value, name: &str| answer["Data"][name].as_str().unwrap().to_owned();
    assert_eq!(version(&created, "Version").len(), 12);

    // Other policies are another version of both, and the same of egress.toml.
    let (id, before) = (created["PhysicalResourceId"].clone(), properties(&stack));
    let after = with(&stack, EXAMPLE, &format!("{POLICY}\n// Ours\n"));
    let updated = stack.send(stack.update(CONFIG, &id, before.clone(), after)).await;
    assert_eq!(updated["PhysicalResourceId"], id);
    assert_ne!(version(&updated, "Version"), version(&created, "Version"));
    assert_eq!(version(&updated, "ConfigVersion"), version(&created, "ConfigVersion"));

    let after = with(&stack, &format!("{EXAMPLE}\n# Ours\n"), POLICY);
    let updated = stack.send(stack.update(CONFIG, &id, before, after)).await;
    assert_ne!(version(&updated, "Version"), version(&created, "Version"));
    assert_ne!(version(&updated, "ConfigVersion"), version(&created, "ConfigVersion"));
}

#[tokio::test]
async fn a_mistake_fails_the_deployment_with_its_file_line_and_reason() {
    let stack = Stack::new().await;
    let config = EXAMPLE.replace("default = \"8h\"", "default = \"8 parsecs\"");
    let policy = POLICY.replacen("\npermit", "\npermits", 1);
    let answer = stack.send(stack.event("Create", CONFIG, with(&stack, &config, &policy))).await;
    assert_eq!(answer["Status"], "FAILED");
    insta::assert_snapshot!(answer["Reason"].as_str().unwrap());
    // What failed to be made is deleted.
    let id = &answer["PhysicalResourceId"];
    assert_eq!(stack.send(stack.deletion(CONFIG, id, json!({}))).await["Status"], "SUCCESS");
}

#[tokio::test]
async fn an_object_that_isnt_there_is_named() {
    let stack = Stack::new().await;
    let mut properties = properties(&stack);
    properties["PolicyKey"] = json!("demo/püblic.cedar");
    let answer = stack.send(stack.event("Create", CONFIG, properties)).await;
    assert_eq!(
        answer["Reason"],
        "GetObject of s3://artefacts/demo/püblic.cedar was refused with NoSuchKey: The specified key does not exist."
    );
}

#[tokio::test]
async fn texts_of_any_kind_are_answered() {
    let stack = Stack::new().await;
    for (config, policy) in
        [("", ""), ("\0", "\0"), ("a = [", "permit("), (&"[[".repeat(90_000), &"(".repeat(90_000))]
    {
        let answer = stack.send(stack.event("Create", CONFIG, with(&stack, config, policy))).await;
        assert_eq!(answer["Status"], "FAILED", "{config:.9} {policy:.9}");
    }
}
