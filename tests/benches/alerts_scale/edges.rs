//! What else the function calls: EC2, which has an interface for each person; whose addresses were, in the table; the
//! bus. Nothing is in a bucket, and no line can't be read.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use alerts::dead_letters::{DeadLetters, DeadLettersError};
use alerts::owners::rules::{Groups, Interface, Profile};
use alerts::owners::spells::{REFRESHED, Spell, Spells};
use alerts::owners::{Ec2Owners, Network, Place};
use alerts::s3::{Content, Files, ObjectRef};
use alerts::windows::StoreError;
use egress::aws::signed::CallError;
use egress::bus::{Bus, BusError, Event};
use jiff::Timestamp;
use serde_json::Value;

use crate::counting::{Taken, count};

/// Where the function looks for owners.
pub(crate) type Owners = Ec2Owners<Ec2, Table>;

/// Of people whose addresses follow from their numbers.
pub(crate) fn owners(taken: &Arc<Mutex<Taken>>) -> Owners {
    let (ec2, table) = (Arc::clone(taken), Arc::clone(taken));
    let table = Table { taken: table, spells: Mutex::default() };
    Ec2Owners::new(Place::Vpc("vpc-1".to_owned()), Ec2(ec2), table, || 0.5)
}

/// EC2: each address has an interface, with a security group of its person.
#[derive(Debug)]
pub(crate) struct Ec2(Arc<Mutex<Taken>>);

impl Network for Ec2 {
    async fn interfaces(&self, _vpc: &str, addresses: &[Ipv4Addr]) -> Result<Vec<Interface>, CallError> {
        self.0.lock().unwrap().ec2 += 1;
        let interface = |address: &Ipv4Addr| Interface {
            id: format!("eni-{:017x}", u32::from(*address)),
            addresses: vec![(*address, true)],
            attached_at: "2026-05-14T07:00:00Z".parse().ok(),
            description: String::new(),
            managed_by: None,
            groups: vec![format!("sg-{address}")],
        };
        Ok(addresses.iter().map(interface).collect())
    }

    async fn groups(&self, ids: &[String]) -> Result<Groups, CallError> {
        self.0.lock().unwrap().ec2 += 1;
        let profile =
            |id: &String| Profile { domain: "d-0123456789ab".to_owned(), name: format!("person-{id}") };
        Ok(ids.iter().map(|id| (id.clone(), Some(profile(id)))).collect())
    }
}

/// Whose addresses were, in the table.
#[derive(Debug)]
pub(crate) struct Table {
    taken: Arc<Mutex<Taken>>,
    spells: Mutex<BTreeMap<(Ipv4Addr, Timestamp), Spell>>,
}

impl Spells for Table {
    async fn keep(&self, address: Ipv4Addr, spell: &Spell) -> Result<Option<Spell>, StoreError> {
        count(&self.taken, |taken| taken.write("owners", &format!("address#{address}"), 350));
        let mut spells = self.spells.lock().unwrap();
        let there = spells.get(&(address, spell.from));
        let fresh =
            there.filter(|there| there.seen_until > spell.seen_until.saturating_sub(REFRESHED).unwrap());
        if let Some(fresh) = fresh {
            return Ok(Some(fresh.clone()));
        }
        spells.insert((address, spell.from), spell.clone());
        Ok(None)
    }

    async fn last(&self, address: Ipv4Addr, by: Timestamp) -> Result<Option<Spell>, StoreError> {
        count(&self.taken, |taken| taken.read("owners", 350));
        let spells = self.spells.lock().unwrap();
        let last = spells.range((address, Timestamp::MIN)..=(address, by)).next_back();
        Ok(last.map(|(_, spell)| spell.clone()))
    }
}

/// The bus: the sizes of what was told, in bytes.
#[derive(Debug, Default)]
pub(crate) struct Told(pub(crate) Mutex<Vec<usize>>);

impl Bus for Told {
    async fn publish(&self, events: &[Event]) -> Result<(), BusError> {
        self.0.lock().unwrap().extend(events.iter().map(|event| event.detail.to_string().len()));
        Ok(())
    }
}

/// Nothing.
#[derive(Debug)]
pub(crate) struct Nothing;

impl Files for Nothing {
    type Content = Self;

    async fn open(&self, object: &ObjectRef) -> Result<Self, CallError> {
        Err(CallError::NotThrough(format!("there is no {object}")))
    }
}

impl Content for Nothing {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, CallError> {
        Ok(None)
    }
}

impl DeadLetters for Nothing {
    async fn keep(&self, letter: &Value) -> Result<(), DeadLettersError> {
        Err(DeadLettersError(letter.to_string()))
    }
}
