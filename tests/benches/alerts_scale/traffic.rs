//! An hour of blocked connections, made up: what 5,000 people's machines try.
//!
//! - Each person has five domains of their own choice, and goes elsewhere at every tenth time. How popular domains
//!   are follows Zipf's law.
//! - A program that is blocked tries again: pip five times with pauses that double, conda three times at two hosts, a
//!   browser with six connections at a time.
//! - 200 machines have an agent that asks for the same host every ten seconds.
//! - Three notebooks have a loop that connects 50,000 times, and five ask for 2,000 names that nobody has heard of.

use std::net::Ipv4Addr;

use tests::memory::Chance;

/// How many people there are.
const PEOPLE: usize = 5_000;
/// How many records there are in all.
const RECORDS: usize = 1_000_000;
/// How many domains are asked for, beside those that nobody has heard of.
const DOMAINS: usize = 20_000;
const FAVOURITES: usize = 5;
const HOUR: u32 = 3_600_000;
/// When a program tries, in milliseconds from its first time.
const PIP: [u32; 6] = [0, 250, 750, 1_750, 3_750, 7_750];
const CONDA: [u32; 4] = [0, 1_000, 3_000, 7_000];
const BROWSER: [u32; 12] = [0, 1, 2, 3, 4, 5, 300, 301, 302, 303, 304, 305];

/// A blocked connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    /// Milliseconds from the beginning of the hour.
    pub(crate) at: u32,
    pub(crate) person: usize,
    domain: usize,
    host: usize,
}

impl Seen {
    /// The person's address.
    pub(crate) fn source(&self) -> Ipv4Addr {
        let [.., high, low] = u32::try_from(self.person).unwrap().to_be_bytes();
        Ipv4Addr::new(10, 2, high, low)
    }

    /// The name that was asked for.
    pub(crate) fn name(&self) -> String {
        match self.domain {
            // One in two hundred is below a suffix where anybody can have a name.
            domain if domain % 200 == 199 => format!("person-{domain}.github.io"),
            domain if domain < DOMAINS => format!("host-{}.site-{domain}.com", self.host),
            unheard => format!("{:x}.net", Chance::new(u64::try_from(unheard).unwrap()).next_number()),
        }
    }
}

/// The hour, in the order of time.
pub(crate) fn hour(chance: &mut Chance) -> Vec<Seen> {
    let popularity = Popularity::new();
    let favourites: Vec<[usize; FAVOURITES]> =
        (0..PEOPLE).map(|_| std::array::from_fn(|_| popularity.pick(chance))).collect();
    let mut hour = Vec::with_capacity(RECORDS);
    storms(&mut hour, chance);
    while hour.len() < RECORDS {
        let person = chance.below(PEOPLE);
        let favourite = favourites[person][chance.below(FAVOURITES)];
        let domain = if chance.percent(10) { popularity.pick(chance) } else { favourite };
        let (hosts, tries): (usize, &[u32]) = match chance.below(3) {
            0 => (1, &PIP),
            1 => (2, &CONDA),
            _ => (1, &BROWSER),
        };
        let (first, host) = (time(chance), chance.below(3));
        for host in host..host + hosts {
            hour.extend(tries.iter().map(|pause| Seen { at: first + pause, person, domain, host }));
        }
    }
    hour.truncate(RECORDS);
    hour.retain(|seen| seen.at < HOUR);
    hour.sort_by_key(|seen| seen.at);
    hour
}

fn storms(hour: &mut Vec<Seen>, chance: &mut Chance) {
    for person in 0..200 {
        let first = u32::try_from(chance.below(10_000)).unwrap();
        hour.extend((0..360).map(|time| Seen { at: first + time * 10_000, person, domain: 1, host: 0 }));
    }
    for person in 200..203 {
        let first = time(chance) / 2;
        hour.extend((0..50_000).map(|time| Seen { at: first + time * 20, person, domain: person, host: 0 }));
    }
    for person in 203..208 {
        let first = time(chance) / 2;
        let unheard = |time| DOMAINS + person * 2_000 + usize::try_from(time).unwrap();
        hour.extend((0..2_000).map(|time| Seen {
            at: first + time * 500,
            person,
            domain: unheard(time),
            host: 0,
        }));
    }
}

fn time(chance: &mut Chance) -> u32 {
    u32::try_from(chance.below(usize::try_from(HOUR).unwrap())).unwrap()
}

/// Zipf's law: the second is asked for half as often as the first, the third a third.
struct Popularity(Vec<u64>);

impl Popularity {
    fn new() -> Self {
        let mut sum = 0;
        let share = |rank: u64| {
            sum += 1_000_000_000 / rank;
            sum
        };
        Self((1..=u64::try_from(DOMAINS).unwrap()).map(share).collect())
    }

    fn pick(&self, chance: &mut Chance) -> usize {
        let place = chance.next_number() % self.0[DOMAINS - 1];
        self.0.partition_point(|sum| *sum <= place)
    }
}
