//! Grants in a domain list that others use too.

use egress::firewall::Content;
use egress::request::StateName;
use tests::memory::{Call, Fault, Faults};

use crate::harness::{MINUTE, Stage, approve, ask, ask_preset, revoke, strings, tick};

fn targets(stage: &Stage, change: impl FnOnce(&mut std::collections::BTreeSet<String>)) {
    stage.firewall.edit(|content| {
        if let Content::DomainList(targets) = content {
            change(targets);
        }
    });
}

async fn granted(stage: &Stage, name: &str, domains: &[&str]) {
    stage.happens(ask(name, domains)).await;
    stage.happens(approve(name)).await;
}

#[tokio::test(start_paused = true)]
async fn ours_come_and_go_and_theirs_stay() {
    let stage = Stage::shared_list(&[".kaggle.com", "Intranet.Example.com"]);
    granted(&stage, "a", &[".github.com", "api.github.com"]).await;
    assert_eq!(stage.state("a"), StateName::Active);
    assert_eq!(
        stage.firewall.patterns(),
        strings(&[".github.com", ".kaggle.com", "Intranet.Example.com", "api.github.com"])
    );
    stage.happens(revoke("a", "bob")).await;
    assert_eq!(stage.firewall.patterns(), strings(&[".kaggle.com", "Intranet.Example.com"]));
    assert_eq!(stage.own_targets(), strings(&[]));
}

#[tokio::test(start_paused = true)]
async fn what_others_have_already_stays_theirs() {
    let stage = Stage::shared_list(&[".kaggle.com"]);
    granted(&stage, "a", &[".kaggle.com", "kaggle.com"]).await;
    assert_eq!(stage.state("a"), StateName::Active);
    assert_eq!(stage.firewall.writes(), 0);
    stage.happens(revoke("a", "bob")).await;
    assert_eq!(stage.firewall.patterns(), strings(&[".kaggle.com"]));
}

#[tokio::test(start_paused = true)]
async fn a_grant_whose_room_others_have_taken_is_not_active_any_more_and_that_is_told() {
    // Given a grant that an entry of others serves,
    let stage = Stage::shared_list(&[".kaggle.com"]);
    stage.firewall.set_capacity(9);
    granted(&stage, "a", &[".kaggle.com"]).await;
    assert_eq!(stage.state("a"), StateName::Active);
    // when they take it out and fill the list,
    let others = ["one.example.com", "two.example.com", "three.example.com", "four.example.com"];
    targets(&stage, |targets| *targets = strings(&others));
    for _ in 0..3 {
        stage.tick_after(MINUTE).await;
    }
    // then it is said once that it waits,
    assert_eq!(stage.state("a"), StateName::Approved);
    let told = || stage.told().into_iter().filter(|line| line.starts_with("GrantWaits")).count();
    assert_eq!(told(), 1);
    // and with room it is active again.
    targets(&stage, |targets| _ = targets.remove("one.example.com"));
    stage.tick_after(MINUTE).await;
    assert_eq!(stage.state("a"), StateName::Active);
    assert!(stage.lets_pass().contains(&".kaggle.com".to_owned()));
    stage.is_settled();
}

#[tokio::test(start_paused = true)]
async fn of_a_name_with_and_without_its_dot_only_the_wider_stands() {
    let stage = Stage::shared_list(&[".kaggle.com"]);
    granted(&stage, "a", &["github.com"]).await;
    granted(&stage, "b", &[".github.com"]).await;
    assert_eq!(stage.firewall.patterns(), strings(&[".github.com", ".kaggle.com"]));
    assert_eq!((stage.state("a"), stage.state("b")), (StateName::Active, StateName::Active));
    stage.happens(revoke("b", "bob")).await;
    assert_eq!(stage.firewall.patterns(), strings(&["github.com", ".kaggle.com"]));
    assert_eq!(stage.own_targets(), strings(&["github.com"]));
}

#[tokio::test(start_paused = true)]
async fn what_can_t_be_placed_holds_nobody_up() {
    let stage = Stage::shared_list(&["github.com"]);
    granted(&stage, "a", &[".github.com"]).await;
    granted(&stage, "b", &["example.com"]).await;
    assert_eq!((stage.state("a"), stage.state("b")), (StateName::Approved, StateName::Active));
    // Once the entry is widened, as the log says, the grant is active.
    targets(&stage, |targets| *targets = strings(&[".github.com", "example.com"]));
    stage.tick().await;
    assert_eq!(stage.state("a"), StateName::Active);
}

#[tokio::test(start_paused = true)]
async fn what_somebody_removes_comes_back_and_what_somebody_adds_stays() {
    let stage = Stage::shared_list(&[".kaggle.com"]);
    stage.happens(ask_preset("a", "pypi")).await;
    targets(&stage, |targets| *targets = strings(&[".kaggle.com", "pypi.org", "added.example.com"]));
    stage.tick().await;
    assert_eq!(
        stage.firewall.patterns(),
        strings(&[".kaggle.com", "pypi.org", "files.pythonhosted.org", "added.example.com"])
    );
    insta::assert_snapshot!(stage.told().join("\n"));
}

#[tokio::test(start_paused = true)]
async fn a_writer_in_between_is_no_hand_edit() {
    let stage = Stage::shared_list(&[".kaggle.com"]);
    let other = stage.clone();
    let faults = Faults::script([(
        Call::Write,
        Fault::meanwhile(|| async move {
            targets(&other, |targets| _ = targets.insert("added.example.com".to_owned()));
        }),
    )]);
    stage.invoke(ask_preset("a", "pypi"), &faults).await.unwrap().unwrap();
    assert_eq!(stage.state("a"), StateName::Active);
    assert!(!stage.told().iter().any(|line| line.starts_with("DriftFound")), "{:?}", stage.told());
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_goes_and_comes_at_once_is_still_ours_and_goes_in_the_end() {
    // While one invocation takes the entry out, another is granted the same name, and puts it back
    // before the first has given up its claim.
    for call in [Call::Write, Call::ReleaseTargets] {
        let stage = Stage::shared_list(&[".kaggle.com"]);
        granted(&stage, "a", &["github.com"]).await;
        stage.happens(ask("b", &["github.com"])).await;
        let other = stage.clone();
        let faults = Faults::script([(
            call,
            Fault::meanwhile(|| async move {
                other.happens(approve("b")).await;
            }),
        )]);
        stage.invoke(revoke("a", "bob"), &faults).await.unwrap().unwrap();
        assert_eq!(stage.firewall.patterns(), strings(&[".kaggle.com", "github.com"]), "{call:?}");
        assert_eq!(stage.state("b"), StateName::Active);
        assert_eq!(stage.own_targets(), strings(&["github.com"]), "{call:?}");

        stage.happens(revoke("b", "bob")).await;
        stage.tick_after(MINUTE).await;
        assert_eq!(stage.firewall.patterns(), strings(&[".kaggle.com"]), "{call:?}: nobody's grant is open");
    }
}

#[tokio::test(start_paused = true)]
async fn who_looked_before_a_grant_came_doesn_t_take_its_entry_for_left_over() {
    let stage = Stage::shared_list(&[".kaggle.com"]);
    stage.happens(ask("a", &["github.com"])).await;
    let other = stage.clone();
    let faults = Faults::script([(
        Call::OwnTargets,
        Fault::meanwhile(|| async move {
            other.happens(approve("a")).await;
        }),
    )]);
    stage.invoke(tick(), &faults).await.unwrap().unwrap();
    assert_eq!(stage.own_targets(), strings(&["github.com"]));
    stage.happens(revoke("a", "bob")).await;
    assert_eq!(stage.firewall.patterns(), strings(&[".kaggle.com"]));
}
