//! A batch's blocked connections are counted, and what it owes of them is told.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;

use egress::events::TrafficBlocked;
use egress::owner::Owner;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;
use tokio::sync::OnceCell;

use crate::Alerts;
use crate::alert::{self, Owed};
use crate::batch::BatchId;
use crate::blocked::Connections;
use crate::figures::{Figures, Reason};
use crate::findings::Names;
use crate::groups::Group;
use crate::plan::{Claims, Owing, Plan, plan};
use crate::quiet::{earlier, is_quiet};
use crate::windows::{AT_ONCE, Known, StoreError, Windows};

/// So many groups of a batch are logged one by one.
const MOST_LOGGED: usize = 50;

/// Writes into the log who was blocked from what, for the saved queries: the largest groups, and the rest as one.
fn log(batch: &BatchId, groups: &[Group<'_>]) {
    let mut largest: Vec<&Group<'_>> = groups.iter().collect();
    largest.sort_by_key(|group| Reverse(group.counts.connections));
    for group in largest.iter().take(MOST_LOGGED) {
        let (first, connections) = (&group.first, group.counts.connections);
        let owner = group.owner.whose().unwrap_or_else(|| first.source.to_string());
        let (domain, reason) = (&*group.key.domain, Reason::of(group).name());
        tracing::info!(%batch, owner, source = %first.source, domain, destination = %first.destination, reason, connections, "blocked");
    }
    let rest: Vec<u64> = largest.iter().skip(MOST_LOGGED).map(|group| group.counts.connections).collect();
    if !rest.is_empty() {
        let (groups, connections) = (rest.len(), rest.iter().sum::<u64>());
        tracing::info!(%batch, owner = "others", domain = "others", reason = "Others", groups, connections, "blocked");
    }
}

impl<S: Windows, B, O, D, F> Alerts<S, B, O, D, F> {
    /// Counts the connections of a batch; answers the alerts that it owes.
    pub(crate) async fn count(
        &self,
        batch: &BatchId,
        connections: &Connections,
        owners: &BTreeMap<IpAddr, Owner>,
        now: Timestamp,
        figures: &mut Figures,
    ) -> Result<Vec<TrafficBlocked>, StoreError> {
        let groups = connections.groups(owners, self.config.alerts.window);
        figures.add_blocked(&groups);
        log(batch, &groups);
        let names =
            Names::of(groups.iter().map(|one| (&*one.key.owner, one.key.start, one.counts.host_count)));
        let known = OnceCell::new();
        // What is told of an owner and a domain depends on the windows before: those are counted one after the other.
        let mut chains: BTreeMap<(&str, &str), Vec<&Group<'_>>> = BTreeMap::new();
        for group in &groups {
            chains.entry((&group.key.owner, &group.key.domain)).or_default().push(group);
        }
        let owed =
            stream::iter(chains.into_values()).map(|chain| self.owed(batch, chain, &names, &known, now));
        let owed: Vec<Vec<Owed<'_>>> = owed.buffered(AT_ONCE).try_collect().await?;
        let requests = known.get().map(|known| known.requests.as_slice()).unwrap_or_default();
        let alerts = alert::alerts(owed.into_iter().flatten().collect(), requests, &self.config);
        for alert in &alerts {
            figures.add_alert(alert.first_seen, now);
        }
        Ok(alerts)
    }

    /// Counts the groups of an owner and a domain; answers those of which the batch has something to tell.
    async fn owed<'a>(
        &self,
        batch: &BatchId,
        groups: Vec<&'a Group<'_>>,
        names: &Names<'_>,
        known: &OnceCell<Known>,
        now: Timestamp,
    ) -> Result<Vec<Owed<'a>>, StoreError> {
        let mut owed = Vec::new();
        for group in groups {
            let findings =
                names.findings(&group.key, &group.counts, group.first.is_named, &self.config.alerts.raise);
            let owing = self.count_group(batch, group, !findings.is_empty(), known, now).await?;
            if !owing.is_nothing() {
                let oldest = self.store.oldest(&group.key.domain).await?;
                let is_new = oldest.is_none_or(|oldest| oldest == group.key);
                owed.push(Owed { group, owing, findings, is_new });
            }
        }
        Ok(owed)
    }

    /// Counts a group; answers what the batch has to tell of it.
    async fn count_group(
        &self,
        batch: &BatchId,
        group: &Group<'_>,
        raised: bool,
        known: &OnceCell<Known>,
        now: Timestamp,
    ) -> Result<Owing, StoreError> {
        let there = self.store.window(&group.key).await?;
        let before = there.as_ref().map(|window| Owing::of(window, batch.as_str())).unwrap_or_default();
        let open = Owing::open(there.as_ref(), raised);
        let claims = if open.is_nothing() {
            Claims::default()
        } else {
            self.claims(group, open, raised, known, now).await?
        };
        if !before.is_nothing() {
            // It tells again what it told, with the same explanations.
            known.get_or_try_init(|| self.store.known(now)).await?;
        }
        match plan(there.as_ref(), group, batch.as_str(), claims, now) {
            Plan::Done => Ok(before),
            Plan::Apart => self.store.count_apart(group, batch, now).await.map(|()| before),
            Plan::Late => self.store.count_late(group, batch, now).await.map(|()| before),
            Plan::InWindow(claims) => self.store.count(group, batch, claims, now).await,
        }
    }

    /// What of a window is to be claimed, of that which nobody has.
    async fn claims(
        &self,
        group: &Group<'_>,
        open: Owing,
        raised: bool,
        known: &OnceCell<Known>,
        now: Timestamp,
    ) -> Result<Claims, StoreError> {
        let known = known.get_or_try_init(|| self.store.known(now)).await?;
        if is_quiet(known, &group.key, &group.counts, raised, now) {
            return Ok(Claims::default());
        }
        let earlier = earlier(&group.key, self.config.alerts.window, self.config.alerts.repeat);
        let earlier = if earlier.is_empty() { Vec::new() } else { self.store.windows(&earlier).await? };
        Ok(open.claims(Owing::told(&earlier)))
    }
}
