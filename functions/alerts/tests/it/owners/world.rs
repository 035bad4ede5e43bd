//! A VPC in which interfaces come and go, as EC2 would show it, and a store of spells in memory.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use alerts::owners::rules::{Groups, Interface, Profile};
use alerts::owners::spells::{REFRESHED, Spell, Spells};
use alerts::owners::{Ec2Owners, Network, Owners, Place, Span};
use alerts::windows::StoreError;
use egress::aws::signed::{CallError, StatusCode};
use egress::owner::Owner;
use jiff::{SignedDuration, Timestamp};

pub(crate) const VPC: &str = "vpc-1";

/// An interface with an address, from one time to another.
#[derive(Debug, Clone)]
pub(crate) struct Attachment {
    pub(crate) address: Ipv4Addr,
    pub(crate) interface: String,
    /// The user profile whose security group it has.
    pub(crate) person: String,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    /// Whether EC2 says since when.
    pub(crate) says_since: bool,
}

/// The world; its clones are the same one.
#[derive(Debug, Clone, Default)]
pub(crate) struct World(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    now: Mutex<Timestamp>,
    attachments: Mutex<Vec<Attachment>>,
    spells: Mutex<BTreeMap<(Ipv4Addr, Timestamp, String), Spell>>,
    calls: Mutex<Vec<String>>,
    failures: AtomicUsize,
    group_failures: AtomicUsize,
    reads: AtomicUsize,
    writes: AtomicUsize,
}

impl World {
    /// An instance of the function, which has seen nothing yet.
    pub(crate) fn instance(&self) -> Ec2Owners<Self, Self> {
        self.instance_at(Place::Vpc(VPC.to_owned()))
    }

    pub(crate) fn instance_at(&self, place: Place) -> Ec2Owners<Self, Self> {
        Ec2Owners::new(place, self.clone(), self.clone(), || 0.5)
    }

    pub(crate) fn attach(&self, attachment: Attachment) {
        self.0.attachments.lock().unwrap().push(attachment);
    }

    /// Another person's security group, on all interfaces of one.
    pub(crate) fn rename(&self, from: &str, to: &str) {
        for attachment in self.0.attachments.lock().unwrap().iter_mut().filter(|it| it.person == from) {
            attachment.person = to.to_owned();
        }
    }

    /// So many calls of EC2 fail from now on.
    pub(crate) fn fail(&self, calls: usize) {
        self.0.failures.store(calls, Ordering::SeqCst);
    }

    /// So many calls for security groups fail from now on.
    pub(crate) fn fail_groups(&self, calls: usize) {
        self.0.group_failures.store(calls, Ordering::SeqCst);
    }

    /// Whether EC2 says since when the interface has its address that had it then.
    pub(crate) fn says_since(&self, then: Timestamp) -> bool {
        let attachments = self.0.attachments.lock().unwrap();
        attachments.iter().any(|it| it.from <= then && then < it.to && it.says_since)
    }

    /// What EC2 was asked since the last time, and how often the store was read and written.
    pub(crate) fn calls(&self) -> (Vec<String>, usize, usize) {
        let (reads, writes) =
            (self.0.reads.swap(0, Ordering::SeqCst), self.0.writes.swap(0, Ordering::SeqCst));
        (std::mem::take(&mut *self.0.calls.lock().unwrap()), reads, writes)
    }

    /// Whose this address was at a time, asked by an instance at another.
    pub(crate) async fn ask(
        &self,
        instance: &Ec2Owners<Self, Self>,
        address: &str,
        span: impl Into<Span>,
        now: Timestamp,
    ) -> Owner {
        let address: IpAddr = address.parse().unwrap();
        let seen = BTreeMap::from([(address, span.into())]);
        self.ask_all(instance, &seen, now).await.remove(&address).unwrap()
    }

    pub(crate) async fn ask_all(
        &self,
        instance: &Ec2Owners<Self, Self>,
        seen: &BTreeMap<IpAddr, Span>,
        now: Timestamp,
    ) -> BTreeMap<IpAddr, Owner> {
        *self.0.now.lock().unwrap() = now;
        let owners = instance.owners(seen, now).await.unwrap();
        assert!(owners.keys().eq(seen.keys()));
        owners
    }

    fn asked(&self, what: String, failures: &AtomicUsize) -> Result<(), CallError> {
        self.0.calls.lock().unwrap().push(what);
        let left = |left: usize| left.checked_sub(1);
        match failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, left) {
            Ok(_) => Err(CallError::Refused {
                status: StatusCode::SERVICE_UNAVAILABLE,
                code: "RequestLimitExceeded".to_owned(),
                message: "Request limit exceeded.".to_owned(),
            }),
            Err(_) => Ok(()),
        }
    }
}

impl Network for World {
    async fn interfaces(&self, vpc: &str, addresses: &[Ipv4Addr]) -> Result<Vec<Interface>, CallError> {
        assert!(vpc == VPC && addresses.len() <= 199, "EC2 refuses more values");
        self.asked(format!("{} addresses", addresses.len()), &self.0.failures)?;
        let now = *self.0.now.lock().unwrap();
        let attachments = self.0.attachments.lock().unwrap();
        let there =
            attachments.iter().filter(|it| it.from <= now && now < it.to && addresses.contains(&it.address));
        let shown = |it: &Attachment| Interface {
            id: it.interface.clone(),
            addresses: vec![(it.address, true)],
            attached_at: it.says_since.then_some(it.from),
            description: String::new(),
            managed_by: None,
            groups: vec!["sg-nfs".to_owned(), format!("sg-{}", it.person)],
        };
        Ok(there.map(shown).collect())
    }

    async fn groups(&self, ids: &[String]) -> Result<Groups, CallError> {
        assert!(ids.len() <= 199, "EC2 refuses more values");
        self.asked(format!("{} groups", ids.len()), &self.0.group_failures)?;
        let profile = |id: &String| {
            let name = id.strip_prefix("sg-").unwrap().to_owned();
            (name != "nfs").then(|| Profile { domain: "d-1".to_owned(), name })
        };
        Ok(ids.iter().map(|id| (id.clone(), profile(id))).collect())
    }
}

impl Spells for World {
    async fn keep(&self, address: Ipv4Addr, spell: &Spell) -> Result<Option<Spell>, StoreError> {
        self.0.writes.fetch_add(1, Ordering::SeqCst);
        let mut spells = self.0.spells.lock().unwrap();
        let key = (address, spell.from, spell.interface.clone());
        let is_stale = |there: &Spell| there.seen_until <= spell.seen_until - REFRESHED;
        match spells.get(&key) {
            Some(there) if there.owner != spell.owner || !is_stale(there) => Ok(Some(there.clone())),
            _ => {
                spells.insert(key, spell.clone());
                Ok(None)
            }
        }
    }

    async fn last(&self, address: Ipv4Addr, by: Timestamp) -> Result<Option<Spell>, StoreError> {
        self.0.reads.fetch_add(1, Ordering::SeqCst);
        let spells = self.0.spells.lock().unwrap();
        let began = spells.range((address, Timestamp::MIN, String::new())..=(address, by, "~".to_owned()));
        Ok(began.last().map(|(_, spell)| spell.clone()))
    }
}

/// A time of the day, such as `09:15:03`.
pub(crate) fn at(time: &str) -> Timestamp {
    format!("2026-05-14T{time}Z").parse().unwrap()
}

/// So many seconds after midnight.
pub(crate) fn second(second: i64) -> Timestamp {
    at("00:00:00") + SignedDuration::from_secs(second)
}
