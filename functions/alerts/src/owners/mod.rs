//! Whose a connection was: the owner of the network interface that had its source's address when it was made.
//!
//! EC2 says who has an address now; the log tells of before. So what EC2 says is kept as spells ([`spells`]) before
//! anything is told by it: a batch that is delivered again, minutes or days later, finds the same owners, whoever
//! has the addresses by then. Where one address changes hands within a minute, the first delivery may name the one
//! who had it before.
//!
//! Round trips for all addresses of a batch, of which up to 199 go into one call: none where all were looked up in the
//! last minute; else one for the interfaces, one for the security groups that were not seen in the last ten minutes,
//! and one for the store: a write for a spell that is new or was not written for four minutes, a read for an address
//! that somebody else has by now. An interface that is attached to nothing, or is another's than before, takes one or
//! two more.

mod cache;
mod ec2;
pub mod rules;
pub mod spells;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use egress::aws::signed::CallError;
use egress::owner::Owner;
use egress::text::visible;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;
use tokio::time::sleep;

pub use self::ec2::Network;
pub use self::spells::Span;

use self::cache::{Cache, Said};
use self::ec2::MOST_VALUES;
use self::rules::{Groups, Interface, owner_of, shown_id};
use self::spells::{NotKnown, REMEMBERED, Spell, Spells, later, latest_begin, owner_during};
use crate::windows::{AT_ONCE, StoreError};

/// Calls of EC2 that are on their way at once: its rates are for all of an account's.
const CALLS_AT_ONCE: usize = 4;
/// The pause before EC2 is asked a second time, and up to twice that.
const PAUSE: Duration = Duration::from_millis(200);
/// The longest reason of EC2's that is told, in characters.
const LONGEST_REASON: usize = 200;

const BEHIND_NAT: &str =
    "The firewall stands behind the NAT gateway, and so sees only the NAT gateway's address.";
const NO_VPC: &str = "These functions were deployed without the id of the VPC (the parameter VPCId), so nobody looks for its interfaces.";
const IPV6: &str = "Only IPv4 addresses are looked for.";

/// Says whose connections were.
pub trait Owners {
    /// The owners of these addresses, at the times of a batch's connections. An address that had several of them
    /// in that time is nobody's: a batch of CloudWatch Logs spans seconds, one of S3 some minutes.
    fn owners(
        &self,
        seen: &BTreeMap<IpAddr, Span>,
        now: Timestamp,
    ) -> impl Future<Output = Result<BTreeMap<IpAddr, Owner>, StoreError>> + Send;
}

/// Where the addresses of the log are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In this VPC.
    Vpc(String),
    /// Nowhere, for this reason.
    Nowhere(&'static str),
}

/// A placement of the firewall that isn't known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the placement {0:?} is not known: BeforeNATGateway and AfterNATGateway are")]
pub struct UnknownPlacement(String);

impl Place {
    /// What the template's parameters `VPCId` and `FirewallPlacement` say, each empty where it isn't set.
    pub fn new(vpc: &str, placement: &str) -> Result<Self, UnknownPlacement> {
        match (placement, vpc) {
            ("AfterNATGateway", _) => Ok(Self::Nowhere(BEHIND_NAT)),
            ("BeforeNATGateway" | "", "") => Ok(Self::Nowhere(NO_VPC)),
            ("BeforeNATGateway" | "", vpc) => Ok(Self::Vpc(vpc.to_owned())),
            (other, _) => Err(UnknownPlacement(other.to_owned())),
        }
    }
}

/// Looks owners up at EC2, and remembers them.
#[derive(Debug)]
pub struct Ec2Owners<N, S> {
    place: Place,
    network: N,
    spells: S,
    jitter: fn() -> f64,
    cache: Mutex<Cache>,
}

/// The interface that has an address now.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Holder {
    interface: String,
    owner: Owner,
    /// Since when it has the address, where EC2 says that.
    since: Option<Timestamp>,
}

/// What EC2 says of an address.
type Answer = Result<Option<Holder>, CallError>;

impl<N: Network + Send + Sync, S: Spells + Send + Sync> Owners for Ec2Owners<N, S> {
    async fn owners(
        &self,
        seen: &BTreeMap<IpAddr, Span>,
        now: Timestamp,
    ) -> Result<BTreeMap<IpAddr, Owner>, StoreError> {
        let vpc = match &self.place {
            Place::Vpc(vpc) => vpc,
            Place::Nowhere(reason) => {
                return Ok(seen.keys().map(|address| (*address, unknown(*reason))).collect());
            }
        };
        let cached = self.cached(seen, now);
        let asked = |address: &Ipv4Addr| !cached.contains_key(address);
        let asked: Vec<Ipv4Addr> = seen.keys().filter_map(v4).filter(asked).collect();
        let answers = self.ask(vpc, &asked, now).await;
        let mut owners = Vec::new();
        for (address, span) in seen {
            let cached = v4(address).and_then(|address| cached.get(&address));
            let answer = v4(address).and_then(|address| answers.get(&address));
            owners.push(self.owner(*address, *span, (cached, answer), now));
        }
        stream::iter(owners).buffer_unordered(AT_ONCE).try_collect().await
    }
}

impl<N: Network + Send + Sync, S: Spells + Send + Sync> Ec2Owners<N, S> {
    /// Looks for addresses there. `jitter` gives numbers from 0 to 1, for the pause between two tries.
    pub fn new(place: Place, network: N, spells: S, jitter: fn() -> f64) -> Self {
        Self { place, network, spells, jitter, cache: Mutex::default() }
    }

    /// The cache; nothing in it is ever half done.
    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whose addresses are, of which EC2 need not be asked.
    fn cached(&self, seen: &BTreeMap<IpAddr, Span>, now: Timestamp) -> BTreeMap<Ipv4Addr, Said<Spell>> {
        let cache = self.cache();
        let current = |(address, span): (&IpAddr, &Span)| {
            let address = v4(address)?;
            Some((address, cache.current(address, span.last, now)?))
        };
        seen.iter().filter_map(current).collect()
    }

    /// What EC2 says of addresses.
    async fn ask(&self, vpc: &str, addresses: &[Ipv4Addr], now: Timestamp) -> BTreeMap<Ipv4Addr, Answer> {
        let mut calls = Vec::new();
        for some in addresses.chunks(MOST_VALUES) {
            calls.push(self.ask_once(vpc, some, now));
        }
        let answers: Vec<Vec<_>> = stream::iter(calls).buffer_unordered(CALLS_AT_ONCE).collect().await;
        answers.into_iter().flatten().collect()
    }

    async fn ask_once(&self, vpc: &str, addresses: &[Ipv4Addr], now: Timestamp) -> Vec<(Ipv4Addr, Answer)> {
        let holders = self.holders(vpc, addresses, now).await.inspect_err(|error| {
            tracing::warn!(%error, addresses = addresses.len(), "EC2 could not be asked whose addresses these are");
        });
        let answer = |address: &Ipv4Addr| match &holders {
            Ok(holders) => Ok(holders.get(address).cloned()),
            Err(error) => Err(error.clone()),
        };
        addresses.iter().map(|address| (*address, answer(address))).collect()
    }

    /// The interfaces that have these addresses now.
    async fn holders(
        &self,
        vpc: &str,
        addresses: &[Ipv4Addr],
        now: Timestamp,
    ) -> Result<BTreeMap<Ipv4Addr, Holder>, CallError> {
        let mut interfaces = self.twice(|| self.network.interfaces(vpc, addresses)).await?;
        let groups = self.groups(&interfaces, now).await?;
        // Where one goes and another comes, the one that came last.
        interfaces.sort_by_key(|interface| interface.attached_at);
        let mut holders = BTreeMap::new();
        for interface in &interfaces {
            let (id, owner) = (shown_id(interface), owner_of(interface, &groups));
            for (address, is_primary) in &interface.addresses {
                // Another address than the first may have come to the interface long after it was attached.
                let since = interface.attached_at.filter(|_| *is_primary);
                holders.insert(*address, Holder { interface: id.clone(), owner: owner.clone(), since });
            }
        }
        Ok(holders)
    }

    /// Whose the interfaces' security groups are.
    async fn groups(&self, interfaces: &[Interface], now: Timestamp) -> Result<Groups, CallError> {
        let ids: BTreeSet<&String> = interfaces.iter().flat_map(|interface| &interface.groups).collect();
        let mut groups = Groups::new();
        let mut asked = Vec::new();
        for id in ids {
            match self.cache().group(id, now) {
                Some(Said(profile)) => drop(groups.insert(id.clone(), profile)),
                None => asked.push(id.clone()),
            }
        }
        for some in asked.chunks(MOST_VALUES) {
            let found = self.twice(|| self.network.groups(some)).await?;
            for id in some {
                let profile = found.get(id).cloned().flatten();
                self.cache().put_group(id.clone(), profile.clone(), now);
                groups.insert(id.clone(), profile);
            }
        }
        Ok(groups)
    }

    async fn twice<T, F: Future<Output = Result<T, CallError>>>(
        &self,
        ask: impl Fn() -> F,
    ) -> Result<T, CallError> {
        if let Ok(answer) = ask().await {
            return Ok(answer);
        }
        sleep(PAUSE.mul_f64(1.0 + (self.jitter)().clamp(0.0, 1.0))).await;
        ask().await
    }

    /// Whose an address was, by what is cached or what EC2 has answered.
    async fn owner(
        &self,
        address: IpAddr,
        span: Span,
        (cached, answer): (Option<&Said<Spell>>, Option<&Answer>),
        now: Timestamp,
    ) -> Result<(IpAddr, Owner), StoreError> {
        let Some(v4) = v4(&address) else { return Ok((address, unknown(IPV6))) };
        let current = match (cached, answer) {
            (Some(Said(current)), _) => current.clone(),
            (None, Some(Ok(holder))) => self.current(v4, holder.as_ref(), now).await?,
            (None, Some(Err(_)) | None) => None,
        };
        let current = current.as_ref();
        let last = self.spell(v4, span.last, current).await?;
        let first = match &last {
            Some(spell) if !spell.began_by(span.first) => self.spell(v4, span.first, current).await?,
            _ => last.clone(),
        };
        let owner = owner_during(span, first.as_ref(), last.as_ref());
        Ok((address, owner.unwrap_or_else(|not_known| unknown(why(not_known, answer, current.is_some())))))
    }

    /// The spell that goes on now by EC2's answer, stored and cached.
    async fn current(
        &self,
        address: Ipv4Addr,
        holder: Option<&Holder>,
        now: Timestamp,
    ) -> Result<Option<Spell>, StoreError> {
        let stored = match holder {
            Some(holder) => Some(self.kept(address, holder, now).await?),
            None => None,
        };
        self.cache().put(address, stored.clone(), now);
        Ok(stored.map(|spell| Spell { seen_until: now, ..spell }))
    }

    /// The last spell that had begun by then: the one that goes on now, or one of the store's.
    async fn spell(
        &self,
        address: Ipv4Addr,
        at: Timestamp,
        current: Option<&Spell>,
    ) -> Result<Option<Spell>, StoreError> {
        match current.filter(|spell| spell.began_by(at)) {
            Some(spell) => Ok(Some(spell.clone())),
            None => self.spells.last(address, latest_begin(at)).await,
        }
    }

    /// The spell of the interface that has an address now, as it is stored from now on.
    async fn kept(&self, address: Ipv4Addr, holder: &Holder, now: Timestamp) -> Result<Spell, StoreError> {
        let cached = self.cache().stored(address).filter(|spell| holder.is_in(spell));
        if let Some(spell) = cached.as_ref().filter(|spell| spell.is_fresh(now)) {
            return Ok(spell.clone());
        }
        if let Some(from) = cached.map(|spell| spell.from).or(holder.since) {
            let spell = holder.spell(from, now);
            match self.spells.keep(address, &spell).await? {
                None => return Ok(spell),
                Some(there) if there.owner == spell.owner => return Ok(there),
                // The interface has become another's.
                Some(_) => {}
            }
        }
        let last = self.spells.last(address, now).await?;
        let spell = holder.spell(holder.begins_after(last.as_ref(), now), now);
        Ok(self.spells.keep(address, &spell).await?.unwrap_or(spell))
    }
}

impl Holder {
    fn spell(&self, from: Timestamp, now: Timestamp) -> Spell {
        Spell { owner: self.owner.clone(), interface: self.interface.clone(), from, seen_until: now }
    }

    /// Whether a spell is this one's.
    fn is_in(&self, spell: &Spell) -> bool {
        self.interface == spell.interface
            && self.owner == spell.owner
            && self.since.is_none_or(|since| since <= spell.from)
    }

    /// When its spell begins of which EC2 doesn't say when it does.
    fn begins_after(&self, last: Option<&Spell>, now: Timestamp) -> Timestamp {
        match last {
            Some(last) if self.is_in(last) => last.from,
            // Until then it was told to be the other's.
            Some(last) if last.interface == self.interface => now.min(later(last.seen_until, REMEMBERED)),
            _ => now,
        }
    }
}

fn why(not_known: NotKnown, answer: Option<&Answer>, is_anybodys: bool) -> String {
    match (not_known, answer) {
        (NotKnown::ChangedHands, _) => format!("{not_known}."),
        (_, Some(Err(error))) => {
            format!(
                "EC2 could not be asked: the call {}.",
                visible(error.to_string().trim_end_matches('.'), LONGEST_REASON)
            )
        }
        _ if is_anybodys => {
            format!("The network interface that has this address now came after that, and {not_known}.")
        }
        _ => format!("No network interface has this address any more, and {not_known}."),
    }
}

fn v4(address: &IpAddr) -> Option<Ipv4Addr> {
    if let IpAddr::V4(address) = address { Some(*address) } else { None }
}

fn unknown(reason: impl Into<String>) -> Owner {
    Owner::Unknown { reason: reason.into() }
}
