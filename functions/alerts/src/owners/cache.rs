//! What this instance of the function has seen, so that EC2 isn't asked for each batch.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::Ipv4Addr;

use jiff::{SignedDuration, Timestamp};

use super::rules::Profile;
use super::spells::{CONFIRMED, Spell};

/// The most entries of each kind: 20,000 addresses are about 6 MB.
const MOST: usize = 20_000;
/// For how long a security group's tags hold: they seldom change.
const TAGS_HOLD: SignedDuration = SignedDuration::from_mins(10);

/// The cache.
#[derive(Debug)]
pub(super) struct Cache {
    addresses: HashMap<Ipv4Addr, Seen<Option<Spell>>>,
    groups: HashMap<String, Seen<Option<Profile>>>,
    most: usize,
}

/// What EC2 has said: somebody's, or nobody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said<T>(pub(super) Option<T>);

/// When it has.
#[derive(Debug, Clone)]
struct Seen<T> {
    what: T,
    at: Timestamp,
}

impl Default for Cache {
    fn default() -> Self {
        Self { addresses: HashMap::new(), groups: HashMap::new(), most: MOST }
    }
}

impl Cache {
    /// Whose an address is, where EC2 has shown it less than a minute ago; that it was nobody's
    /// says nothing of what came after.
    pub(super) fn current(&self, address: Ipv4Addr, until: Timestamp, now: Timestamp) -> Option<Said<Spell>> {
        let seen = self.addresses.get(&address).filter(|seen| seen.is_younger(CONFIRMED, now))?;
        match &seen.what {
            Some(spell) => Some(Said(Some(Spell { seen_until: seen.at, ..spell.clone() }))),
            None => (until <= seen.at).then_some(Said(None)),
        }
    }

    /// The last spell of an address that is known to be stored, as it is there.
    pub(super) fn stored(&self, address: Ipv4Addr) -> Option<Spell> {
        self.addresses.get(&address)?.what.clone()
    }

    /// EC2 has shown whose an address is now. The spell is as it is stored.
    pub(super) fn put(&mut self, address: Ipv4Addr, spell: Option<Spell>, now: Timestamp) {
        insert(&mut self.addresses, address, Seen { what: spell, at: now }, (self.most, CONFIRMED));
    }

    /// Whose a security group is, where EC2 has told that lately.
    pub(super) fn group(&self, id: &str, now: Timestamp) -> Option<Said<Profile>> {
        self.groups.get(id).filter(|seen| seen.is_younger(TAGS_HOLD, now)).map(|seen| Said(seen.what.clone()))
    }

    /// EC2 has told whose a security group is.
    pub(super) fn put_group(&mut self, id: String, profile: Option<Profile>, now: Timestamp) {
        insert(&mut self.groups, id, Seen { what: profile, at: now }, (self.most, TAGS_HOLD));
    }
}

impl<T> Seen<T> {
    fn is_younger(&self, than: SignedDuration, now: Timestamp) -> bool {
        now.duration_since(self.at) < than
    }
}

/// Puts one more; when there are too many, what is too old goes, and when none is, all go.
fn insert<K: Eq + Hash, T>(
    map: &mut HashMap<K, Seen<T>>,
    key: K,
    seen: Seen<T>,
    bounds: (usize, SignedDuration),
) {
    let (most, oldest) = bounds;
    if map.len() >= most && !map.contains_key(&key) {
        map.retain(|_, old| old.is_younger(oldest, seen.at));
        if map.len() >= most {
            map.clear();
        }
    }
    map.insert(key, seen);
}

#[cfg(test)]
mod tests {
    use egress::owner::Owner;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    fn spell() -> Spell {
        let owner = Owner::Studio { domain: "d-1".to_owned() };
        Spell { owner, interface: "eni-1".to_owned(), from: at(-100), seen_until: at(-50) }
    }

    const ONE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

    #[test]
    fn an_address_holds_for_a_minute_and_what_is_stored_of_it_for_longer() {
        let mut cache = Cache::default();
        assert_eq!((cache.current(ONE, at(0), at(0)), cache.stored(ONE)), (None, None));
        cache.put(ONE, Some(spell()), at(0));
        let confirmed = Spell { seen_until: at(0), ..spell() };
        assert_eq!(cache.current(ONE, at(59), at(59)), Some(Said(Some(confirmed))));
        assert_eq!(cache.current(ONE, at(59), at(60)), None);
        assert_eq!(cache.stored(ONE), Some(spell()));
    }

    #[test]
    fn that_nobody_had_an_address_holds_until_it_was_seen() {
        let mut cache = Cache::default();
        cache.put(ONE, None, at(0));
        assert_eq!(cache.current(ONE, at(0), at(59)), Some(Said(None)));
        assert_eq!(cache.current(ONE, at(1), at(59)), None);
    }

    #[test]
    fn a_group_holds_for_ten_minutes() {
        let mut cache = Cache::default();
        cache.put_group("sg-1".to_owned(), None, at(0));
        assert_eq!((cache.group("sg-1", at(599)), cache.group("sg-1", at(600))), (Some(Said(None)), None));
    }

    #[test]
    fn there_are_never_too_many() {
        let mut cache = Cache { most: 3, ..Cache::default() };
        for (number, second) in (0..).zip([0, 50, 70, 80, 90, 100]) {
            cache.put(Ipv4Addr::from_bits(number), None, at(second));
            assert!(cache.addresses.len() <= 3);
        }
        // The fourth made the first one go, the fifth all of them.
        let left: Vec<u32> =
            (0..6).filter(|n| cache.addresses.contains_key(&Ipv4Addr::from_bits(*n))).collect();
        assert_eq!(left, [4, 5]);
    }
}
