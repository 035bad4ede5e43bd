//! Whatever comes and goes, and whenever it is asked for: nobody is named who did not have the address.

use egress::owner::Owner;
use jiff::SignedDuration;
use proptest::collection::vec;
use proptest::prelude::*;

use super::world::{Attachment, World, second};

const ADDRESS: &str = "10.2.3.10";
/// Somebody may be named for so long after they had the address: in a spell that was not seen to end.
const AFTER: i64 = 300;
/// The clocks of the firewall and EC2.
const CLOCKS: i64 = 5;

/// Who had the address, one after the other: seconds without anybody, seconds with, who, whether EC2 says since when.
fn history() -> impl Strategy<Value = Vec<(i64, i64, u8, bool)>> {
    // Nobody gets an address that was somebody else's less than a minute and some seconds ago.
    vec((70..2_000_i64, 1..4_000_i64, 0..3_u8, prop::bool::weighted(0.8)), 1..8)
}

/// A connection of one of the history's, at a part of its time, delivered so many seconds later; and by which instance
/// of the function.
fn connections() -> impl Strategy<Value = Vec<(prop::sample::Index, f64, i64, usize)>> {
    let late = prop_oneof![0..30_i64, 0..900_i64, 0..20_000_i64];
    vec((any::<prop::sample::Index>(), 0.0..1.0, late, 0..3_usize), 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn nobody_is_named_who_did_not_have_the_address(history in history(), connections in connections()) {
        let world = World::default();
        let mut apps: Vec<(i64, i64, String)> = Vec::new();
        let mut now = 0;
        for (number, (gap, lasts, person, says_since)) in (0..).zip(history) {
            let (from, to) = (now + gap, now + gap + lasts);
            let (interface, person) = (format!("eni-{number}"), format!("user-{person}"));
            let (address, person) = (ADDRESS.parse().unwrap(), person);
            apps.push((from, to, person.clone()));
            world.attach(Attachment { address, interface, person, from: second(from), to: second(to), says_since });
            now = to;
        }
        // Each connection is delivered, and once more much later; in the order of their deliveries.
        let mut deliveries = Vec::new();
        for (number, (app, part, late, instance)) in connections.iter().enumerate() {
            let (from, to, _) = app.get(&apps);
            #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "seconds of a day")]
            let made = from + ((to - from) as f64 * part) as i64;
            for delivered in [made + late, made + late + 5_000] {
                deliveries.push((delivered, made, number, *instance));
            }
        }
        deliveries.sort_unstable();
        let instances = [world.instance(), world.instance(), world.instance()];
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut found = std::collections::BTreeMap::new();
        for (delivered, made, number, instance) in deliveries {
            // The firewall's clock is a second or two off.
            let logged = second(made) + SignedDuration::from_secs(i64::try_from(number % 3).unwrap() - 1);
            let answer = runtime.block_on(world.ask(&instances[instance], ADDRESS, logged, second(delivered)));
            let named = match answer {
                Owner::UserProfile { name, .. } => Some(name),
                Owner::Unknown { .. } => None,
                other => panic!("{other:?}"),
            };
            if let Some(name) = &named {
                let had = |(from, to, person): &(i64, i64, String)| {
                    person == name && from - CLOCKS - 1 <= made && made <= to + AFTER + 1
                };
                prop_assert!(apps.iter().any(had), "{name} at {made}, {apps:?}");
            }
            let (_, to, person) = apps.iter().find(|(from, to, _)| (*from..*to).contains(&made)).unwrap();
            let says_since = world.says_since(second(made));
            if delivered < *to && says_since {
                prop_assert_eq!(named.as_ref(), Some(person), "at {}, delivered at {}", made, delivered);
            }
            // What was found once is found again.
            if let Some(before) = found.get(&number) {
                prop_assert_eq!(named.as_ref(), Some(before), "again at {}", delivered);
            } else if let Some(name) = named {
                found.insert(number, name);
            }
        }
    }
}
