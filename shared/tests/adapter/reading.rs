//! What ticket systems send.

use egress::adapter::reading::{Reader, Said};
use egress::adapter::settings::Settings;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{settings, shipped};

fn read(adapter: &str, body: &Value) -> Said {
    Reader::new(adapter, &shipped(adapter)).unwrap().read(body).unwrap()
}

fn issue(action: &str, more: &Value) -> Value {
    let form = "### Domains\n\n.github.com, api.github.com\n\n### Preset\n\n_No response_\n\n### Why\n\nClone the samples\n\n```\n## not a heading? it is\n```\n\n### For how long\n\n7d";
    let mut body = json!({
        "action": action, "repository": {"full_name": "example/studio-egress"}, "sender": {"id": 583_231, "login": "octocat", "type": "User"},
        "issue": {"number": 7, "state": "open", "labels": [{"name": "egress"}], "user": {"id": 583_231, "login": "octocat"}, "body": form}
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

#[test]
fn an_issue_of_a_form_asks() {
    insta::assert_debug_snapshot!(read("github", &issue("opened", &json!({}))), @r#"
    Request {
        ticket: "example/studio-egress#7",
        requester: "583231",
        domains: [
            ".github.com",
            "api.github.com",
        ],
        preset: None,
        justification: "Clone the samples",
        duration: Some(
            "7d",
        ),
    }
    "#);
}

#[test]
fn a_comment_is_heard_and_a_closed_issue_is_closed() {
    let comment = json!({"comment": {"body": "/approve fine", "user": {"id": 2}}});
    let said = Said::Comment {
        ticket: "example/studio-egress#7".to_owned(),
        by: "2".to_owned(),
        text: "/approve fine".to_owned(),
    };
    assert_eq!(read("github", &issue("created", &comment)), said);
    let mut closed = issue("closed", &json!({}));
    closed["issue"]["state"] = json!("closed");
    let mut by_the_app = closed.clone();
    by_the_app["sender"]["type"] = json!("Bot");
    assert_eq!(read("github", &by_the_app), Said::Nothing);
    assert!(matches!(read("github", &closed), Said::Closed { by, .. } if by == "583231"));
}

#[test]
fn only_its_author_s_edits_of_an_issue_ask() {
    let nothing = json!({});
    assert!(matches!(read("github", &issue("edited", &nothing)), Said::Request { .. }));
    let by_another = json!({"sender": {"id": 2, "type": "User"}});
    let comment = json!({"comment": {"id": 5, "body": "/approve", "user": {"id": 583_231}}});
    for other in [by_another, comment] {
        assert_eq!(read("github", &issue("edited", &other)), Said::Nothing);
    }
}

#[test]
fn any_of_the_labels_counts_and_what_we_do_ourselves_doesn_t() {
    let mut body = issue("opened", &json!({}));
    body["issue"]["labels"] = json!([{"name": "bug"}, {"name": "egress"}]);
    assert!(matches!(read("github", &body), Said::Request { .. }));
    let table = shipped("github");
    let ourselves = Settings { ourselves: vec!["583231".to_owned()], ..table };
    assert_eq!(Reader::new("github", &ourselves).unwrap().read(&body), Ok(Said::Nothing));
}

#[test]
fn two_lists_of_texts_are_never_one() {
    let reader = Reader::new("x", &settings("ticket = \"$.t\"\nid = [\"$.a\", \"$.b\"]")).unwrap();
    let id = |a: &str, b: &str| reader.id(&json!({"a": a, "b": b})).unwrap();
    assert_ne!(id("a#b", "c"), id("a", "b#c"));
    assert_eq!(id("a", "b").as_deref(), Some("a#b"));
}

#[test]
fn what_concerns_no_request_is_nothing() {
    let mut unlabelled = issue("opened", &json!({}));
    unlabelled["issue"]["labels"] = json!([{"name": "bug"}]);
    for body in
        [unlabelled, issue("labeled", &json!({})), json!({"zen": "Keep it logically awesome.", "hook_id": 1})]
    {
        assert_eq!(read("github", &body), Said::Nothing);
    }
}

#[test]
fn a_state_of_jira_s_decides_when_it_is_reached_and_not_when_something_else_changes() {
    let update = |items: Value| {
        json!({
            "webhookEvent": "jira:issue_updated", "user": {"accountId": "5b10"}, "changelog": {"items": items},
            "issue": {"key": "EGRESS-7", "fields": {"project": {"key": "EGRESS"}, "status": {"name": "Approved"}}}
        })
    };
    let approved = update(json!([{"fieldId": "status", "fromString": "Open", "toString": "Approved"}]));
    assert_eq!(
        read("jira", &approved),
        Said::Decided { ticket: "EGRESS-7".to_owned(), by: "5b10".to_owned(), approved: true, comment: None }
    );
    let relabelled = update(json!([{"fieldId": "labels", "toString": "Approved"}]));
    assert_eq!(read("jira", &relabelled), Said::Nothing);
}

#[test]
fn servicenow_and_a_desk_of_one_s_own_say_the_same_in_their_ways() {
    let servicenow = json!({
        "event": "updated", "number": "RITM0010001", "sys_id": "9d385017", "sys_mod_count": 4, "approval": "rejected",
        "approver": "bob@example.com", "comments": "use the mirror"
    });
    insta::assert_debug_snapshot!(read("servicenow", &servicenow), @r#"
    Decided {
        ticket: "RITM0010001#9d385017",
        by: "bob@example.com",
        approved: false,
        comment: Some(
            "use the mirror",
        ),
    }
    "#);
    let reader = Reader::new("servicenow", &shipped("servicenow")).unwrap();
    assert_eq!(reader.id(&servicenow).unwrap().as_deref(), Some("9d385017#rejected#bob@example.com"));
    let desk = json!({
        "kind": "ticket.created", "event_id": "e1",
        "ticket": {"id": "DESK-1", "author": {"email": "alice@example.com"}, "fields": {"domains": ["pypi.org", "files.pythonhosted.org"], "reason": "pip"}}
    });
    assert!(
        matches!(read("desk", &desk), Said::Request { domains, duration: None, .. } if domains.len() == 2)
    );
}

#[test]
fn what_is_missing_is_named_by_the_adapter_s_field() {
    let reader = Reader::new("github", &shipped("github")).unwrap();
    let mut body = issue("opened", &json!({}));
    body["issue"]["number"] = json!(null);
    assert_eq!(reader.read(&body).unwrap_err().to_string(), "there is nothing at ticket ($.issue.number)");
    // Who leaves out why is told so on the ticket.
    let mut body = issue("opened", &json!({}));
    body["issue"]["body"] = json!(null);
    assert!(
        matches!(reader.read(&body), Ok(Said::Request { justification, .. }) if justification.is_empty())
    );
}

#[test]
fn a_path_that_is_none_is_named() {
    let wrong = |more: &str| {
        let error = Reader::new("x", &settings(more)).unwrap_err();
        error.to_string().lines().next().unwrap_or_default().to_owned()
    };
    assert!(wrong("ticket = \"issue.key\"").starts_with("adapters.x.ticket: \"issue.key\" is no JSONPath"));
    assert_eq!(wrong("ticket = []"), "adapters.x.ticket: it is empty");
    let comments =
        "ticket = \"$.a\"\n[comments]\nwhen = { \"$.a[\" = [\"b\"] }\ntext = \"$.a\"\nby = \"$.a\"";
    assert!(wrong(comments).starts_with("adapters.x.comments.when: \"$.a[\" is no JSONPath"));
}

#[test]
fn all_mistakes_of_a_table_are_named_the_first_keeps_it_from_being_read() {
    let table = "ticket = \"a\"\nproof = { key = { header = \"x y\" } }\n[comments]\nwhen = { \"$.a[\" = [] }\ntext = \"$.a\"\nby = \"$[\"";
    let named = Reader::mistakes("x", &settings(table)).into_iter().map(|mistake| mistake.field);
    assert_eq!(named.collect::<Vec<_>>(), ["proof", "ticket", "comments.when", "comments.by"]);
    assert_eq!(Reader::new("x", &settings(table)).unwrap_err().field, "proof");
}

/// The parser's time doubles with each filter in another, and brackets take its stack.
#[test]
fn a_path_that_would_take_too_long_is_not_parsed() {
    let wrong =
        |path: &str| Reader::new("x", &settings(&format!("ticket = \"{path}\""))).unwrap_err().problem;
    for (path, problem) in [
        ("$[?".to_owned() + &"@[?".repeat(30) + "@.a" + &"]".repeat(31), "it has more than 4 filters"),
        ("$[?".to_owned() + &"(".repeat(32) + "@.a" + &")".repeat(32) + "]", "or than 32 brackets"),
        ("$.".to_owned() + &"a".repeat(1_000), "it has more than 1000 characters"),
    ] {
        assert!(wrong(&path).contains(problem), "{path}: {}", wrong(&path));
    }
}

/// Any JSON.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
        Just(json!("opened")),
        Just(json!("jira:issue_updated")),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        let name = prop_oneof![
            Just("action".to_owned()),
            Just("issue".to_owned()),
            Just("body".to_owned()),
            Just("labels".to_owned()),
            Just("fields".to_owned()),
            Just("ticket".to_owned()),
            Just("kind".to_owned()),
            "[a-z]{1,6}",
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..6)
                .prop_map(|fields| fields.into_iter().collect::<Value>()),
        ]
    })
}

proptest! {
    #[test]
    fn fuzz_no_body_is_too_strange_for_any_adapter(body in anything()) {
        for name in ["github", "jira", "servicenow", "desk"] {
            let reader = Reader::new(name, &shipped(name)).unwrap();
            let _ = (reader.read(&body), reader.id(&body));
        }
    }

    #[test]
    fn fuzz_no_form_is_too_strange(form in "(#{0,4} ?(Domains|Why|x)?\n|.{0,30}\n|```\n){0,20}") {
        let mut body = issue("opened", &json!({}));
        body["issue"]["body"] = json!(form);
        let reader = Reader::new("github", &shipped("github")).unwrap();
        if let Ok(Said::Request { domains, .. }) = reader.read(&body) {
            prop_assert!(domains.iter().all(|domain| !domain.is_empty() && !domain.contains(char::is_whitespace)));
        }
    }
}
