//! Whose connections were, in a VPC where addresses are used again.

mod anything;
mod world;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use alerts::owners::{Place, Span};
use egress::owner::Owner;

use world::{Attachment, VPC, World, at};

const ADDRESS: &str = "10.2.3.10";

/// A person's app, with the address from one time to another.
fn app(interface: &str, person: &str, from: &str, to: &str) -> Attachment {
    Attachment {
        address: ADDRESS.parse().unwrap(),
        interface: interface.to_owned(),
        person: person.to_owned(),
        from: at(from),
        to: at(to),
        says_since: true,
    }
}

/// Alice has the address until ten, bob from five past.
fn alice_and_bob() -> World {
    let world = World::default();
    world.attach(app("eni-a", "alice", "09:00:00", "10:00:00"));
    world.attach(app("eni-b", "bob", "10:05:00", "11:00:00"));
    world
}

fn name(owner: &Owner) -> &str {
    match owner {
        Owner::UserProfile { name, .. } => name,
        Owner::Unknown { reason } => reason,
        other => panic!("nobody is a {other:?} here"),
    }
}

#[tokio::test]
async fn a_connection_is_whose_the_address_was_then_and_stays_so() {
    let world = alice_and_bob();
    // Given that events of both were delivered, each a little later than they were made,
    let events = [
        ("09:30:00", "09:30:20", "alice"),
        ("09:56:00", "09:56:20", "alice"),
        ("09:59:00", "10:01:00", "alice"),
        ("10:06:00", "10:06:30", "bob"),
    ];
    let instance = world.instance();
    for (event, delivered, person) in events {
        assert_eq!(name(&world.ask(&instance, ADDRESS, at(event), at(delivered)).await), person, "{event}");
        world.calls();
    }

    // when they are delivered again, while bob has the address and after he is gone, to the same instance and to others,
    for again in ["10:07:00", "10:30:00", "11:30:00", "23:00:00"] {
        for instance in [&instance, &world.instance()] {
            // then they are whose they were.
            for (event, _, person) in events {
                assert_eq!(
                    name(&world.ask(instance, ADDRESS, at(event), at(again)).await),
                    person,
                    "{event} at {again}"
                );
            }
        }
    }
}

#[tokio::test]
async fn nobody_is_named_for_a_time_of_which_nobody_knows() {
    let world = alice_and_bob();
    let instance = world.instance();
    // Nobody asked while alice was there.
    let before = world.ask(&instance, ADDRESS, at("09:30:00"), at("10:10:00")).await;
    insta::assert_snapshot!(name(&before), @"The network interface that has this address now came after that, and none is remembered for that time.");
    // The clocks may be some seconds apart.
    assert_eq!(name(&world.ask(&instance, ADDRESS, at("10:04:55"), at("10:20:00")).await), "bob");
    assert_eq!(world.ask(&instance, ADDRESS, at("10:04:54"), at("10:20:00")).await, before);
    let after = world.ask(&instance, ADDRESS, at("11:10:00"), at("11:10:10")).await;
    insta::assert_snapshot!(name(&after), @"No network interface has this address any more, and none is remembered for that time.");
    // Bob's was last seen at 10:20: for five minutes from then he is believed to have stayed.
    assert_eq!(name(&world.ask(&instance, ADDRESS, at("10:25:00"), at("11:20:00")).await), "bob");
    assert_eq!(world.ask(&instance, ADDRESS, at("10:25:01"), at("11:20:00")).await, after);
    let other = world.ask(&instance, "2001:db8::1", at("11:20:00"), at("11:20:00")).await;
    insta::assert_snapshot!(name(&other), @"Only IPv4 addresses are looked for.");
}

#[tokio::test]
async fn a_batch_in_which_an_address_changes_hands_names_neither() {
    let world = alice_and_bob();
    let instance = world.instance();
    world.ask(&instance, ADDRESS, at("09:58:00"), at("09:59:00")).await;
    let span = |first, last| Span { first: at(first), last: at(last) };
    let both = world.ask(&instance, ADDRESS, span("09:59:30", "10:06:00"), at("10:07:00")).await;
    insta::assert_snapshot!(name(&both), @"The address changed hands while these connections were made.");
    for (span, person) in [(span("09:58:00", "10:01:00"), "alice"), (span("10:05:10", "10:06:00"), "bob")] {
        assert_eq!(name(&world.ask(&instance, ADDRESS, span, at("10:07:00")).await), person);
    }
    let half = world.ask(&instance, ADDRESS, span("10:04:10", "10:06:00"), at("10:07:00")).await;
    assert!(name(&half).ends_with("none is remembered for that time."), "{half:?}");
}

#[tokio::test]
async fn an_address_is_looked_up_once_a_minute_and_written_every_four() {
    let world = alice_and_bob();
    let instance = world.instance();
    let mut asked = Vec::new();
    for (minute, second) in (10..16).flat_map(|minute| [0, 20, 40].map(|second| (minute, second))) {
        let now = at(&format!("09:{minute}:{second:02}"));
        assert_eq!(name(&world.ask(&instance, ADDRESS, now, now).await), "alice");
        asked.push(match world.calls() {
            (calls, 0, 0) if calls.is_empty() => "-".to_owned(),
            (calls, reads, writes) => {
                format!("{minute}: {}, {reads} reads, {writes} writes", calls.join(", "))
            }
        });
    }
    insta::assert_snapshot!(asked.join("\n"), @"
    10: 1 addresses, 2 groups, 0 reads, 1 writes
    -
    -
    11: 1 addresses, 0 reads, 0 writes
    -
    -
    12: 1 addresses, 0 reads, 0 writes
    -
    -
    13: 1 addresses, 0 reads, 0 writes
    -
    -
    14: 1 addresses, 0 reads, 1 writes
    -
    -
    15: 1 addresses, 0 reads, 0 writes
    -
    -
    ");
}

#[tokio::test]
async fn another_instance_writes_nothing_that_stands_there() {
    let world = alice_and_bob();
    world.ask(&world.instance(), ADDRESS, at("09:10:00"), at("09:10:00")).await;
    world.calls();
    let instance = world.instance();
    world.ask(&instance, ADDRESS, at("09:12:00"), at("09:12:00")).await;
    assert_eq!(world.calls(), (vec!["1 addresses".to_owned(), "2 groups".to_owned()], 0, 1));
    // By the other's write it knows when the next one is due.
    world.ask(&instance, ADDRESS, at("09:13:30"), at("09:13:30")).await;
    assert_eq!(world.calls(), (vec!["1 addresses".to_owned()], 0, 0));
}

#[tokio::test]
async fn all_addresses_of_a_batch_are_looked_up_together() {
    let world = World::default();
    let span = Span::from(at("09:10:00"));
    let addresses = (0..500).map(|number| IpAddr::V4(Ipv4Addr::from_bits(0x0a02_0000 + number)));
    let seen: BTreeMap<IpAddr, Span> = addresses.map(|address| (address, span)).collect();
    for (number, address) in (0..).zip(seen.keys()) {
        let IpAddr::V4(address) = *address else { continue };
        let (interface, person) = (format!("eni-{number}"), format!("user-{}", number % 300));
        world.attach(Attachment { address, interface, person, ..app("", "", "09:00:00", "10:00:00") });
    }
    let owners = world.ask_all(&world.instance(), &seen, at("09:10:10")).await;
    assert!(owners.values().all(|owner| name(owner).starts_with("user-")));
    let (mut calls, reads, writes) = world.calls();
    calls.sort();
    assert_eq!(
        calls,
        ["1 groups", "101 groups", "102 addresses", "199 addresses", "199 addresses", "199 groups"]
    );
    assert_eq!((reads, writes), (0, 500));
}

#[tokio::test(start_paused = true)]
async fn ec2_is_asked_twice_and_then_nobody_is_named_who_is_not_remembered() {
    let world = alice_and_bob();
    let instance = world.instance();
    // One failure is nothing.
    world.fail(1);
    assert_eq!(name(&world.ask(&instance, ADDRESS, at("09:10:00"), at("09:10:00")).await), "alice");
    assert_eq!(world.calls().0, ["1 addresses", "1 addresses", "2 groups"]);

    // Two are, where nobody is remembered; and the next batch asks again.
    let bob = at("10:06:00");
    for failures in [2, 4] {
        world.fail(failures);
        for _ in 0..failures / 2 {
            let unknown = world.ask(&instance, ADDRESS, bob, bob).await;
            insta::allow_duplicates! {
                insta::assert_snapshot!(name(&unknown), @"EC2 could not be asked: the call was refused with RequestLimitExceeded: Request limit exceeded.");
            }
            assert_eq!(world.calls().0, ["1 addresses", "1 addresses"]);
        }
    }
    assert_eq!(name(&world.ask(&instance, ADDRESS, bob, bob).await), "bob");
    // A batch that is delivered again finds who it found, whatever EC2 says.
    world.fail(usize::MAX);
    let later = at("23:00:00");
    assert_eq!(name(&world.ask(&instance, ADDRESS, at("09:10:00"), later).await), "alice");
    assert_eq!(name(&world.ask(&instance, ADDRESS, bob, later).await), "bob");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_kept_of_an_interface_whose_groups_can_t_be_read() {
    let world = alice_and_bob();
    // The interfaces are shown, then both calls for the groups fail.
    let instance = world.instance();
    world.fail_groups(2);
    let unknown = world.ask(&instance, ADDRESS, at("09:10:00"), at("09:10:00")).await;
    assert!(matches!(&unknown, Owner::Unknown { reason } if reason.starts_with("EC2 could not be asked")));
    assert_eq!(world.calls(), (vec!["1 addresses".into(), "2 groups".into(), "2 groups".into()], 1, 0));
}

#[tokio::test]
async fn an_interface_that_becomes_anothers_was_the_first_ones_until_then() {
    let world = alice_and_bob();
    let instance = world.instance();
    let ask = async |instance, event: &str, now: &str| {
        name(&world.ask(instance, ADDRESS, at(event), at(now)).await).to_owned()
    };
    assert_eq!(ask(&instance, "09:10:00", "09:10:00").await, "alice");
    world.rename("alice", "alice-renamed");
    assert_eq!(ask(&instance, "09:10:30", "09:10:30").await, "alice");
    // Told to be alice's until five minutes after that was written, the other's from then on.
    let other = world.instance();
    for instance in [&instance, &other] {
        assert_eq!(ask(instance, "09:40:00", "09:40:00").await, "alice-renamed");
        assert_eq!(ask(instance, "09:16:00", "09:40:00").await, "alice-renamed");
        assert_eq!(ask(instance, "09:14:00", "09:40:00").await, "alice");
        assert_eq!(ask(instance, "09:14:00", "12:00:00").await, "alice");
    }
    assert_eq!(ask(&instance, "09:40:00", "12:00:00").await, "alice-renamed");
}

#[tokio::test]
async fn an_interface_that_is_attached_to_nothing_counts_from_when_it_was_seen() {
    let world = World::default();
    world.attach(Attachment { says_since: false, ..app("eni-a", "alice", "09:00:00", "10:00:00") });
    let instance = world.instance();
    let unknown = world.ask(&instance, ADDRESS, at("09:05:00"), at("09:10:00")).await;
    assert!(name(&unknown).starts_with("The network interface that has this address now came after"));
    assert_eq!(name(&world.ask(&instance, ADDRESS, at("09:10:00"), at("09:10:30")).await), "alice");
    // Others find when that was, and don't begin anew.
    let other = world.instance();
    assert_eq!(name(&world.ask(&other, ADDRESS, at("09:11:00"), at("09:50:00")).await), "alice");
    assert_eq!(name(&world.ask(&other, ADDRESS, at("09:30:00"), at("12:00:00")).await), "alice");
}

#[tokio::test]
async fn where_nobody_can_know_nobody_is_asked() {
    let (behind, unset) = (Place::new(VPC, "AfterNATGateway").unwrap(), Place::new("", "").unwrap());
    for place in [behind, unset] {
        let world = alice_and_bob();
        let owner =
            world.ask(&world.instance_at(place.clone()), ADDRESS, at("09:30:00"), at("09:30:00")).await;
        let Place::Nowhere(reason) = place else { panic!("{place:?}") };
        assert_eq!(name(&owner), reason);
        assert_eq!(world.calls(), (vec![], 0, 0));
    }
}

#[test]
fn the_parameters_say_where_to_look() {
    let place = |vpc, placement| match Place::new(vpc, placement) {
        Ok(Place::Vpc(vpc)) => vpc,
        Ok(Place::Nowhere(reason)) => reason.to_owned(),
        Err(error) => error.to_string(),
    };
    let said = [
        place(VPC, "BeforeNATGateway"),
        place(VPC, ""),
        place(VPC, "AfterNATGateway"),
        place("", "AfterNATGateway"),
        place("", "BeforeNATGateway"),
        place(VPC, "Beside"),
    ];
    insta::assert_snapshot!(said.join("\n"), @r#"
    vpc-1
    vpc-1
    The firewall stands behind the NAT gateway, and so sees only the NAT gateway's address.
    The firewall stands behind the NAT gateway, and so sees only the NAT gateway's address.
    These functions were deployed without the id of the VPC (the parameter VPCId), so nobody looks for its interfaces.
    the placement "Beside" is not known: BeforeNATGateway and AfterNATGateway are
    "#);
}
