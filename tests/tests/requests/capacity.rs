//! What doesn't fit into the firewall waits, is told of, and keeps nobody else.

use std::collections::BTreeMap;

use egress::firewall::Content;
use egress::request::StateName;
use requests::Gauges;
use tests::memory::{Call, Fault, Faults};

use crate::harness::{MINUTE, Stage, approve, ask, ask_preset, id, revoke, tick};

#[tokio::test(start_paused = true)]
async fn rules_that_aws_refuses_keep_nothing_from_being_closed() {
    let stage = Stage::new();
    stage.happens(ask_preset("a", "pypi")).await;
    let Content::Rules(text) = stage.firewall.content() else { panic!("not rules") };
    stage.firewall.set_longest_text(text.len());

    // What is new is refused, and waits.
    stage.happens(ask("b", &["one.example.com", "two.example.com", "three.example.com"])).await;
    let outcome = stage.happens(approve("b")).await;
    assert_eq!(stage.state("b"), StateName::Approved);
    assert!(outcome.unplaced.concat().contains("RulesString is too long"), "{:?}", outcome.unplaced);

    // It keeps no other, also none that came later and none that comes with it.
    stage.firewall.set_longest_text(text.len() + 800);
    stage.happens(ask("c", &["c.example.com"])).await;
    stage.happens(approve("c")).await;
    assert_eq!((stage.state("b"), stage.state("c")), (StateName::Approved, StateName::Active));

    // What ends is closed all the same.
    stage.happens(revoke("a", "alice")).await;
    assert_eq!(stage.lets_pass(), ["c.example.com"]);
}

#[tokio::test(start_paused = true)]
async fn what_doesn_t_fit_stays_approved_and_keeps_nobody_else() {
    let stage = Stage::new();
    stage.firewall.set_capacity(6);
    stage.happens(ask_preset("a", "pypi")).await;
    stage.happens(ask("b", &["one.example.com", "two.example.com"])).await;
    let room = stage.request("b").assessment.room.unwrap();
    assert_eq!((room.needed, room.left, room.fits), (4, 2, false), "who decides knows it before");
    let outcome = stage.happens(approve("b")).await;
    assert_eq!(stage.state("b"), StateName::Approved);
    insta::assert_snapshot!(outcome.unplaced.join("\n").replace(id("b").as_str(), "req-b"));
    assert_eq!(outcome.gauges.unwrap().waiting_grants, 1);

    // It is told once, however often it is looked at.
    stage.tick_after(MINUTE).await;
    let waits = stage.told().iter().filter(|line| line.starts_with("GrantWaits")).count();
    assert_eq!(waits, 1);

    // A smaller one that fits is not held up.
    stage.happens(ask("c", &["three.example.com"])).await;
    stage.happens(approve("c")).await;
    assert_eq!(stage.state("c"), StateName::Active);
    stage.happens(revoke("c", "alice")).await;

    // What ends is closed, although what waits still doesn't fit.
    stage.firewall.set_capacity(3);
    stage.happens(revoke("a", "alice")).await;
    assert!(stage.lets_pass().is_empty());

    // And with room, what waits is opened.
    stage.firewall.set_capacity(4);
    stage.tick().await;
    assert_eq!(stage.state("b"), StateName::Active);
    stage.is_settled();
}

#[tokio::test(start_paused = true)]
async fn several_groups_are_filled_in_their_order_and_nothing_is_moved() {
    let stage = Stage::of_groups(2);
    stage.firewall.set_capacity(4);
    for name in ["a", "b", "c"] {
        stage.happens(ask(name, &[&format!("{name}.example.com")])).await;
        stage.happens(approve(name)).await;
        assert_eq!(stage.state(name), StateName::Active);
    }
    assert_eq!(stage.firewall.patterns_of(0), ["a.example.com", "b.example.com"]);
    assert_eq!(stage.firewall.patterns_of(1), ["c.example.com"]);
    // What gets free is used again; what stands stays where it stands.
    stage.happens(revoke("a", "bob")).await;
    stage.happens(ask("d", &["d.example.com"])).await;
    stage.happens(approve("d")).await;
    assert_eq!(stage.firewall.patterns_of(0), ["b.example.com", "d.example.com"]);
    assert_eq!(stage.firewall.patterns_of(1), ["c.example.com"]);
    stage.is_settled();
}

#[tokio::test(start_paused = true)]
async fn two_that_share_what_aws_refuses_wait_and_keep_nobody() {
    let stage = Stage::new();
    stage.happens(ask_preset("a", "pypi")).await;
    let Content::Rules(text) = stage.firewall.content() else { panic!("not rules") };
    stage.firewall.set_longest_text(text.len());
    for (name, other) in [("b", "b.example.com"), ("c", "c.example.com")] {
        stage.happens(ask(name, &["shared.example.com", other])).await;
        stage.happens(approve(name)).await;
    }
    assert_eq!((stage.state("b"), stage.state("c")), (StateName::Approved, StateName::Approved));
    stage.happens(revoke("a", "alice")).await;
    stage.firewall.set_longest_text(2_000_000);
    stage.tick().await;
    assert_eq!((stage.state("b"), stage.state("c")), (StateName::Active, StateName::Active));
    stage.is_settled();
}

#[tokio::test(start_paused = true)]
async fn four_that_share_what_aws_refuses_don_t_keep_what_has_ended_from_being_closed() {
    let stage = Stage::new();
    stage.happens(ask_preset("a", "pypi")).await;
    let Content::Rules(text) = stage.firewall.content() else { panic!("not rules") };
    stage.firewall.set_longest_text(text.len());
    for name in ["b", "c", "d", "e"] {
        stage
            .happens(ask(name, &["shared.example.com", "another-shared.example.com", "a-third.example.com"]))
            .await;
        stage.happens(approve(name)).await;
    }
    assert!(stage.lets_pass().contains(&"pypi.org".to_owned()));
    stage.happens(revoke("a", "alice")).await;
    assert!(!stage.lets_pass().contains(&"pypi.org".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn what_came_of_it_is_counted_of_what_failed_too() {
    let stage = Stage::new();
    stage.firewall.set_capacity(10);
    let (_, figures) = stage.counted(ask("a", &["a.example.com"]), &Faults::none()).await;
    assert_eq!(figures.reached, BTreeMap::from([(StateName::Pending, 1)]));

    // An approved grant is active when every zone is in sync; that takes its time.
    let (_, figures) = stage.counted(approve("a"), &Faults::none()).await;
    let both = BTreeMap::from([(StateName::Approved, 1), (StateName::Active, 1)]);
    assert_eq!((figures.reached, figures.milliseconds_to_active.len()), (both, 1));
    let gauges = Gauges { live_grants: 1, waiting_grants: 0, capacity_left: 8 };
    assert_eq!(figures.gauges, Some(gauges));

    // What is not in sync yet is not active; the tick finds it a minute later.
    stage.happens(ask("b", &["b.example.com"])).await;
    let broken = Faults::script([(Call::InSync, Fault::FailBefore)]);
    let (done, figures) = stage.counted(approve("b"), &broken).await;
    assert!(done.is_err(), "{done:?}");
    assert_eq!(figures.reached, BTreeMap::from([(StateName::Approved, 1)]));
    assert_eq!(figures.gauges.map(|gauges| gauges.capacity_left), Some(6));
    tests::memory::clock::pass(MINUTE).await;
    let (_, figures) = stage.counted(tick(), &Faults::none()).await;
    let took = figures.milliseconds_to_active;
    assert!(took.len() == 1 && took.iter().all(|took| (60_000..90_000).contains(took)), "{took:?}");
}
