//! `Custom::StudioUsers`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::stack::Stack;

const USERS: &str = "Custom::StudioUsers";
const DOMAIN: &str = "d-1";
const ROLE: &str = "arn:aws:iam::123456789012:role/notebooks";
const ALICE: &str = "sg-studio-user-d-1-alice";

fn properties(users: &[&str]) -> Value {
    json!({"DomainId": DOMAIN, "VpcId": "vpc-0a1b", "UserProfileNames": users, "ExecutionRole": ROLE})
}

fn id() -> Value {
    json!("studio-users-d-1")
}

async fn create(stack: &Stack, users: &[&str]) -> Value {
    stack.send(stack.event("Create", USERS, properties(users))).await
}

async fn update(stack: &Stack, from: Value, to: Value) -> Value {
    stack.send(stack.update(USERS, &id(), from, to)).await
}

/// The names of the profiles in the domain, the one of the deleted left out.
fn profiles(stack: &Stack) -> Vec<String> {
    let state = stack.aws.studio.state.lock().unwrap();
    state.people.profiles.keys().map(|(_, name)| name.clone()).collect()
}

fn reason(answer: &Value) -> &str {
    answer["Reason"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn everybody_gets_a_profile_with_a_security_group_of_their_own() {
    let stack = Stack::new().await;
    let mut properties = properties(&["alice", "Bob-2"]);
    properties["SecurityGroupIds"] = json!(["sg-shared"]);
    properties["Tags"] = json!([{"Key": "team", "Value": "data"}]);

    let answer = stack.send(stack.event("Create", USERS, properties)).await;

    assert_eq!((&answer["Status"], &answer["PhysicalResourceId"]), (&json!("SUCCESS"), &id()), "{answer}");
    let bob = "sg-studio-user-d-1-Bob-2";
    let ids = format!("{ALICE},{bob}");
    let expected = json!({"DomainId": DOMAIN, "SecurityGroupIds": ids, "alice": ALICE, "Bob-2": bob});
    assert_eq!(answer["Data"], expected);
    let state = stack.aws.studio.state.lock().unwrap();
    let alice = &state.people.profiles[&(DOMAIN.to_owned(), "alice".to_owned())];
    assert_eq!(alice.settings, json!({"ExecutionRole": ROLE, "SecurityGroups": [ALICE, "sg-shared"]}));
    assert_eq!((alice.status, &alice.tags["team"]), ("InService", &"data".to_owned()));
    let rules: Vec<_> = state.groups[ALICE].rules.values().cloned().collect();
    assert_eq!(rules, [(false, ALICE.to_owned()), (true, "0.0.0.0/0".to_owned())]);
}

#[tokio::test]
async fn a_list_may_be_empty() {
    let stack = Stack::new().await;
    // What an empty parameter of CloudFormation's becomes.
    let answer = create(&stack, &[""]).await;
    assert_eq!((&answer["Status"], &answer["PhysicalResourceId"]), (&json!("SUCCESS"), &id()));
    assert!(stack.aws.studio.changes().is_empty());
}

#[tokio::test]
async fn why_a_profile_failed_reaches_the_stack_and_its_rollback_clears_it() {
    let stack = Stack::new().await;
    stack.aws.studio.state.lock().unwrap().people.fail =
        [("bob".to_owned(), "the role can't be assumed")].into();

    let answer = create(&stack, &["alice", "bob"]).await;

    assert_eq!(answer["Status"], "FAILED");
    assert_eq!(reason(&answer), "the user profile bob has failed: the role can't be assumed");
    // What was there before in the domain is nobody's business but its own.
    let made = &answer["PhysicalResourceId"];
    assert_eq!(*made, "studio-users-unfinished-d-1");
    stack.aws.studio.state.lock().unwrap().people.add_profile(DOMAIN, "by-hand");
    let answer = stack.send(stack.deletion(USERS, made, properties(&["alice", "bob"]))).await;
    assert_eq!(answer["Status"], "SUCCESS", "{answer}");
    assert_eq!(stack.aws.studio.left(), ["profile by-hand"]);
}

#[tokio::test]
async fn somebody_elses_profile_is_neither_taken_over_nor_deleted() {
    let stack = Stack::new().await;
    stack.aws.studio.state.lock().unwrap().people.add_profile(DOMAIN, "alice");

    let answer = create(&stack, &["alice", "bob"]).await;

    assert_eq!(answer["Status"], "FAILED");
    insta::assert_snapshot!(reason(&answer), @"there are user profiles already in d-1 that aren't this resource's: alice; delete them, or leave them out of UserProfileNames");
    assert!(stack.aws.studio.changes().is_empty());
    let id = answer["PhysicalResourceId"].clone();
    let answer = stack.send(stack.deletion(USERS, &id, properties(&["alice", "bob"]))).await;
    assert_eq!((&answer["Status"], profiles(&stack)), (&json!("SUCCESS"), vec!["alice".to_owned()]));
}

#[tokio::test]
async fn what_a_create_made_whose_answer_was_lost_is_found_by_its_delete() {
    let stack = Stack::new().await;
    create(&stack, &["alice"]).await;
    stack.aws.studio.state.lock().unwrap().people.add_profile(DOMAIN, "by-hand");
    // CloudFormation has no id of ours, so only what is certainly ours goes.
    let answer = stack.send(stack.deletion(USERS, &json!("custom-unknown"), properties(&["alice"]))).await;
    assert_eq!((&answer["Status"], profiles(&stack)), (&json!("SUCCESS"), vec!["by-hand".to_owned()]));
}

#[tokio::test]
async fn an_update_adds_and_removes_and_leaves_the_others_alone() {
    let stack = Stack::new().await;
    create(&stack, &["alice", "bob"]).await;
    {
        let people = &mut stack.aws.studio.state.lock().unwrap().people;
        people.add_profile(DOMAIN, "by-hand");
        people.add_space(DOMAIN, "bobs", Some("bob"));
        people.add_space(DOMAIN, "alices", Some("alice"));
        people.add_app(DOMAIN, ("UserProfileName", "bob"), "classic", "InService");
        people.add_app(DOMAIN, ("UserProfileName", "bob"), "broken", "Failed");
        people.add_app(DOMAIN, ("UserProfileName", "bob"), "gone", "Deleted");
    }
    stack.aws.studio.state.lock().unwrap().calls.clear();

    let answer = update(&stack, properties(&["alice", "bob"]), properties(&["carol", "alice"])).await;

    assert_eq!((&answer["Status"], &answer["PhysicalResourceId"]), (&json!("SUCCESS"), &id()), "{answer}");
    assert_eq!(answer["Data"]["SecurityGroupIds"], "sg-studio-user-d-1-carol,sg-studio-user-d-1-alice");
    assert_eq!(profiles(&stack), ["alice", "by-hand", "carol"]);
    let left = stack.aws.studio.left();
    assert!(
        left.contains(&"space alices".to_owned()) && !left.iter().any(|id| id.contains("bob")),
        "{left:?}"
    );
    let changes = stack.aws.studio.changes();
    let first = |operation: &str| changes.iter().position(|change| change == operation).unwrap();
    assert!(first("DeleteApp") < first("DeleteSpace") && first("DeleteSpace") < first("DeleteUserProfile"));
    assert!(first("DeleteUserProfile") < first("DeleteSecurityGroup"));
    assert!(!changes.contains(&"UpdateUserProfile".to_owned()), "{changes:?}");
}

#[tokio::test]
async fn changed_settings_and_tags_change_in_place() {
    let stack = Stack::new().await;
    let mut before = properties(&["alice"]);
    before["Tags"] = json!([{"Key": "team", "Value": "data"}, {"Key": "cost", "Value": 7}]);
    stack.send(stack.event("Create", USERS, before.clone())).await;
    let mut after = properties(&["alice"]);
    after["ExecutionRole"] = json!("arn:aws:iam::123456789012:role/others");
    after["Tags"] = json!([{"Key": "team", "Value": "science"}]);

    let answer = update(&stack, before.clone(), after.clone()).await;

    assert_eq!(answer["Status"], "SUCCESS", "{answer}");
    {
        let state = stack.aws.studio.state.lock().unwrap();
        let alice = &state.people.profiles[&(DOMAIN.to_owned(), "alice".to_owned())];
        assert_eq!(alice.settings["ExecutionRole"], "arn:aws:iam::123456789012:role/others");
        assert_eq!(alice.tags, [("team".to_owned(), "science".to_owned())].into());
        assert_eq!(state.groups[ALICE].tags.get("team").map(String::as_str), Some("science"));
        assert!(!state.groups[ALICE].tags.contains_key("cost"));
    }
    let updates =
        |stack: &Stack| stack.aws.studio.changes().iter().filter(|call| *call == "UpdateUserProfile").count();
    assert_eq!(updates(&stack), 1);
    // The update is rolled back, and then nothing is changed twice.
    update(&stack, after, before.clone()).await;
    update(&stack, before.clone(), before).await;
    assert_eq!(updates(&stack), 2);
}

#[tokio::test]
async fn an_update_that_fails_is_rolled_back_to_those_who_were_there() {
    let stack = Stack::new().await;
    create(&stack, &["alice"]).await;
    {
        let people = &mut stack.aws.studio.state.lock().unwrap().people;
        people.fail = [("bob".to_owned(), "no more profiles")].into();
        people.add_space(DOMAIN, "alices", Some("alice"));
    }

    // Alice would go, too, and loses nothing before all else is done.
    let (one, two) = (properties(&["alice"]), properties(&["bob"]));
    let failed = update(&stack, one.clone(), two.clone()).await;
    assert_eq!((&failed["Status"], &failed["PhysicalResourceId"]), (&json!("FAILED"), &id()));
    assert_eq!(reason(&failed), "the user profile bob has failed: no more profiles");

    assert_eq!(update(&stack, two, one).await["Status"], "SUCCESS");
    assert_eq!(profiles(&stack), ["alice"]);
    assert!(stack.aws.studio.left().contains(&"space alices".to_owned()));
}

#[tokio::test]
async fn what_had_failed_before_is_tried_again_once() {
    let stack = Stack::new().await;
    create(&stack, &["alice", "bob"]).await;
    {
        let people = &mut stack.aws.studio.state.lock().unwrap().people;
        for (name, status) in [("alice", "Failed"), ("bob", "Delete_Failed")] {
            people.profiles.get_mut(&(DOMAIN.to_owned(), name.to_owned())).unwrap().status = status;
        }
    }
    // Both are made anew.
    let same = properties(&["alice", "bob"]);
    assert_eq!(update(&stack, same.clone(), same.clone()).await["Status"], "SUCCESS");
    assert_eq!(profiles(&stack), ["alice", "bob"]);

    // One that can't be deleted however often says why.
    stack.aws.studio.state.lock().unwrap().people.cannot_go =
        [("bob".to_owned(), "its volume is in use")].into();
    let answer = stack.send(stack.deletion(USERS, &id(), same)).await;
    assert_eq!(reason(&answer), "the user profile bob can't be deleted: its volume is in use");
    assert_eq!(profiles(&stack), ["bob"]);
}

#[tokio::test]
async fn who_stays_with_spaces_in_a_profile_that_could_not_be_deleted_is_told_why() {
    let stack = Stack::new().await;
    create(&stack, &["bob"]).await;
    {
        let people = &mut stack.aws.studio.state.lock().unwrap().people;
        people.add_space(DOMAIN, "bobs", Some("bob"));
        people.cannot_go = [("bob".to_owned(), "its volume is in use")].into();
        let bob = people.profiles.get_mut(&(DOMAIN.to_owned(), "bob".to_owned())).unwrap();
        bob.status = "Delete_Failed";
    }
    let answer = update(&stack, properties(&["bob"]), properties(&["bob"])).await;
    assert_eq!(reason(&answer), "the user profile bob has failed: its volume is in use");
    assert!(stack.aws.studio.left().contains(&"space bobs".to_owned()));
}

#[tokio::test]
async fn a_create_that_was_made_good_loses_nothing_by_the_delete_of_the_failed_one() {
    let stack = Stack::new().await;
    stack.aws.studio.state.lock().unwrap().people.fail = [("bob".to_owned(), "no more profiles")].into();
    let failed = create(&stack, &["alice", "bob"]).await["PhysicalResourceId"].clone();
    stack.aws.studio.state.lock().unwrap().people.fail.clear();
    assert_eq!(create(&stack, &["alice", "bob"]).await["Status"], "SUCCESS");

    let deleted = stack.send(stack.deletion(USERS, &failed, properties(&["alice", "bob"]))).await;

    assert_eq!((&deleted["Status"], profiles(&stack).len()), (&json!("SUCCESS"), 2));
}

#[tokio::test]
async fn a_name_that_is_there_in_other_letters_is_not_waited_for() {
    let stack = Stack::new().await;
    create(&stack, &["alice"]).await;
    let answer = update(&stack, properties(&["alice"]), properties(&["Alice"])).await;
    assert_eq!(
        reason(&answer),
        "the user profile Alice is in d-1 already as alice: remove that one first, in an update of its own"
    );
    assert_eq!(profiles(&stack), ["alice"]);
}

#[tokio::test]
async fn a_deletion_that_was_throttled_is_no_deletion_that_failed() {
    let stack = Stack::new().await;
    create(&stack, &["bob"]).await;
    {
        let mut state = stack.aws.studio.state.lock().unwrap();
        let bob = state.people.profiles.get_mut(&(DOMAIN.to_owned(), "bob".to_owned())).unwrap();
        bob.status = "Delete_Failed";
        state.refusals.push_back(("DeleteUserProfile", 400, "ThrottlingException"));
    }
    let answer = stack.send(stack.deletion(USERS, &id(), properties(&["bob"]))).await;
    assert_eq!((&answer["Status"], stack.aws.studio.left()), (&json!("SUCCESS"), vec![]), "{answer}");
}

#[tokio::test]
async fn another_domain_is_another_resource_and_the_old_ones_delete_hurts_nothing() {
    let stack = Stack::new().await;
    create(&stack, &["alice"]).await;
    let mut other = properties(&["alice"]);
    other["DomainId"] = json!("d-2");

    let answer = update(&stack, properties(&["alice"]), other).await;
    assert_eq!(
        (&answer["Status"], &answer["PhysicalResourceId"]),
        (&json!("SUCCESS"), &json!("studio-users-d-2"))
    );

    let deleted = stack.send(stack.deletion(USERS, &id(), properties(&["alice"]))).await;
    assert_eq!(deleted["Status"], "SUCCESS");
    let left = stack.aws.studio.left();
    assert_eq!(left, ["sg-studio-user-d-2-alice", "profile alice"]);
}

#[tokio::test]
async fn a_delete_clears_the_whole_domain_of_what_was_made_by_hand_too() {
    let stack = Stack::new().await;
    create(&stack, &["alice"]).await;
    {
        let people = &mut stack.aws.studio.state.lock().unwrap().people;
        people.page = 4;
        for number in 0..6 {
            people.add_profile(DOMAIN, &format!("by-hand-{number}"));
            people.add_space(DOMAIN, &format!("space-{number}"), Some("alice"));
        }
        people.add_space(DOMAIN, "of-nobody", None);
        people.add_app(DOMAIN, ("UserProfileName", "alice"), "broken", "Failed");
        people.add_app("d-other", ("UserProfileName", "zoe"), "elsewhere", "InService");
        people.add_profile("d-other", "zoe");
    }

    let answer = stack.send(stack.deletion(USERS, &id(), properties(&["alice"]))).await;

    assert_eq!(answer["Status"], "SUCCESS", "{answer}");
    assert_eq!(stack.aws.studio.left(), ["profile zoe", "app elsewhere"]);
}

#[tokio::test]
async fn the_users_of_another_resource_are_left_and_named() {
    let stack = Stack::new().await;
    create(&stack, &["alice"]).await;
    let mut other = stack.event("Create", USERS, properties(&["dave"]));
    other["LogicalResourceId"] = json!("Guests");
    stack.send(other).await;

    let answer = stack.send(stack.deletion(USERS, &id(), properties(&["alice"]))).await;

    assert_eq!(answer["Status"], "SUCCESS");
    assert_eq!(reason(&answer), "the user profiles of another resource are left in d-1: dave");
    assert_eq!(stack.aws.studio.left(), ["sg-studio-user-d-1-dave", "profile dave"]);
}

#[tokio::test]
async fn a_group_waits_for_the_interfaces_of_the_last_app() {
    let stack = Stack::new().await;
    create(&stack, &["alice"]).await;
    stack.aws.studio.state.lock().unwrap().interfaces.insert("notebook".into(), vec![ALICE.into()]);
    let mut deletion = stack.deletion(USERS, &id(), properties(&["alice"]));
    deletion["ResourceProperties"]["ServiceTimeout"] = json!(5);

    let answer = stack.send(deletion).await;

    assert_eq!(answer["Status"], "FAILED");
    assert!(
        reason(&answer).starts_with("time is up: DeleteSecurityGroup was refused with DependencyViolation"),
        "{answer}"
    );
    stack.aws.studio.state.lock().unwrap().interfaces.clear();
    assert_eq!(stack.send(stack.deletion(USERS, &id(), properties(&["alice"]))).await["Status"], "SUCCESS");
    assert_eq!(stack.aws.studio.left(), Vec::<String>::new());
}

#[tokio::test]
async fn many_people_are_made_with_few_looks() {
    let stack = Stack::new().await;
    let names: Vec<_> = (0..60).map(|number| format!("user-{number}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();

    let answer = stack.send(stack.event("Create", USERS, properties(&names))).await;

    assert_eq!((&answer["Status"], profiles(&stack).len()), (&json!("SUCCESS"), 60), "{answer}");
    assert_eq!(answer["Data"]["user-0"], "sg-studio-user-d-1-user-0");
    assert!(reason(&answer).starts_with("the last "), "{answer}");
    let calls = stack.aws.studio.state.lock().unwrap().calls.clone();
    let looks = calls.iter().filter(|call| *call == "ListApps").count();
    assert!(looks < 40, "{looks} looks");
    let memory = stack.memory().await;
    assert!(memory < 96_000, "{memory} kB");
}

#[tokio::test]
async fn a_wrong_property_is_named() {
    let stack = Stack::new().await;
    let mut found = Vec::new();
    for (name, value) in [
        ("DomainId", json!("*")),
        ("DomainId", json!(null)),
        ("VpcId", json!("vpc-*")),
        ("UserProfileNames", json!("alice")),
        ("UserProfileNames", json!(["alice", "al ice"])),
        ("UserProfileNames", json!(["alice", "-bob"])),
        ("UserProfileNames", json!(["alice", "ALICE"])),
        ("UserProfileNames", json!(["ü".repeat(5_000)])),
        ("UserProfileNames", json!([["alice"]])),
        ("ExecutionRole", json!("notebooks")),
        ("UserProfileNames", json!(["DomainId"])),
        ("SecurityGroupIds", json!(["sg-1", "sg-2", "sg-3"])),
        ("Tags", json!("team")),
        ("Tags", json!([{"Key": "studio-egress:stack", "Value": "another"}])),
    ] {
        let mut properties = properties(&["alice"]);
        properties[name] = value;
        let answer = stack.send(stack.event("Create", USERS, properties)).await;
        assert_eq!(answer["Status"], "FAILED");
        found.push(reason(&answer).to_owned());
    }
    insta::assert_snapshot!(found.join("\n"));
    assert!(stack.aws.studio.changes().is_empty());
}

#[tokio::test]
async fn a_deletion_that_takes_longer_than_an_invocation_is_gone_on_with() {
    let stack = Stack::new().await;
    create(&stack, &["alice"]).await;
    stack.aws.studio.state.lock().unwrap().interfaces.insert("notebook".into(), vec![ALICE.into()]);
    let before = stack.invocations();
    let free = async {
        stack.invoked(before + 3).await;
        stack.aws.studio.state.lock().unwrap().interfaces.clear();
    };

    let deletion = stack.deletion(USERS, &id(), properties(&["alice"]));
    let (answer, ()) = tokio::join!(stack.send_in(Duration::from_secs(2), deletion), free);

    assert_eq!((&answer["Status"], stack.aws.studio.left()), (&json!("SUCCESS"), vec![]), "{answer}");
    assert!(stack.invocations() - before >= 3);
    assert!(stack.log().await.contains("another invocation goes on: DeleteSecurityGroup"));
}
