//! The edges as one invocation meets them: what each call does is written down at the moment at which it
//! happens.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;

use egress::bus::{Bus, BusError, Event};
use egress::firewall::{Firewall, FirewallError, Flow, PolicyGroup, RuleGroup, RuleGroups, UpdateToken};
use egress::ledger::{
    BlockedCount, Cut, Deadline, Evidence, HistoryEntry, Ledger, LedgerError, OutboxEntry, OwnTargets,
    RefusedEvent, Silence, Transition,
};
use egress::request::{LiveGrant, Request, RequestId};
use jiff::Timestamp;

use super::invocation::{Invocation, Meets};
use super::record::What;

/// The firewall, as an invocation meets it.
#[derive(Debug, Clone)]
pub(super) struct SimulatedFirewall(pub(super) Arc<Invocation>);

impl SimulatedFirewall {
    async fn call<T>(
        &self,
        name: &str,
        effect: impl Future<Output = Result<T, FirewallError>>,
        did: impl FnOnce(&T) -> (String, Option<What>),
    ) -> Result<T, FirewallError> {
        self.0.call(name, (Meets::Nothing, None), FirewallError::Unavailable, effect, did).await
    }
}

impl Firewall for SimulatedFirewall {
    async fn read(&self) -> RuleGroups {
        let world = &self.0.world;
        let did = |read: &RuleGroups| {
            let versions = read.groups.iter().map(|group| format!(" {}", world.version(&group.arn)));
            (format!("versions{}", versions.collect::<String>()), Some(What::ReadGroups))
        };
        let read = self.call("read", async { Ok(world.firewall.read().await) }, did).await;
        read.unwrap_or_else(|error| world.firewall.unreadable(&error))
    }

    async fn write(&self, group: &RuleGroup) -> Result<UpdateToken, FirewallError> {
        let world = &self.0.world;
        let did = |_: &UpdateToken| {
            let (group, content) = (group.arn.clone(), group.content.clone());
            let said = format!("{group} is {} now", world.version(&group) + 1);
            (said, Some(What::Wrote { group, content }))
        };
        let also = (Meets::Contended, Some(FirewallError::StaleToken));
        self.0.call("write", also, FirewallError::Unavailable, world.firewall.write(group), did).await
    }

    async fn try_out(&self, group: &RuleGroup) -> Result<u64, FirewallError> {
        self.call("try out", self.0.world.firewall.try_out(group), |units| (format!("{units} units"), None))
            .await
    }

    async fn in_sync(&self, versions: &BTreeMap<String, UpdateToken>) -> Result<bool, FirewallError> {
        let did = |answer: &bool| (answer.to_string(), Some(What::LookedInSync));
        self.call("in sync", self.0.world.firewall.in_sync(versions), did).await
    }

    async fn flush(&self, flows: &[Flow]) -> Result<(), FirewallError> {
        let did = |(): &()| (format!("{} flows", flows.len()), Some(What::Flushed(flows.to_vec())));
        self.call("flush", self.0.world.firewall.flush(flows), did).await
    }

    async fn policy(&self) -> Result<Vec<PolicyGroup>, FirewallError> {
        self.call("policy", self.0.world.firewall.policy(), |_| (String::new(), None)).await
    }

    async fn logs_alerts(&self) -> Result<bool, FirewallError> {
        self.call("logs alerts", self.0.world.firewall.logs_alerts(), |_| (String::new(), None)).await
    }
}

/// The ledger, as an invocation meets it.
#[derive(Debug, Clone)]
pub(super) struct SimulatedLedger(pub(super) Arc<Invocation>);

impl SimulatedLedger {
    async fn call<T>(
        &self,
        name: &str,
        effect: impl Future<Output = Result<T, LedgerError>>,
        did: impl FnOnce(&T) -> (String, Option<What>),
    ) -> Result<T, LedgerError> {
        self.0.call(name, (Meets::Nothing, None), LedgerError::Unavailable, effect, did).await
    }

    /// A call that only reads.
    async fn look<T>(
        &self,
        name: &str,
        effect: impl Future<Output = Result<T, LedgerError>>,
        said: impl FnOnce(&T) -> String,
    ) -> Result<T, LedgerError> {
        self.call(name, effect, |found| (said(found), None)).await
    }
}

impl Ledger for SimulatedLedger {
    async fn load(&self, id: &RequestId) -> Result<Option<Request>, LedgerError> {
        let said = |found: &Option<Request>| match found {
            Some(request) => format!("{id} is {} in version {}", request.state, request.version),
            None => format!("{id} is not there"),
        };
        self.look("load", self.0.world.ledger.load(id), said).await
    }

    async fn commit(&self, transition: &Transition) -> Result<(), LedgerError> {
        let Transition { request, history, .. } = transition;
        let did = |(): &()| {
            let (id, version, state) = (&request.id, request.version, request.state);
            let said = format!("{id} {version}: {} by {}, now {state}", history.what, history.by);
            (said, Some(What::Committed(Box::new(transition.clone()))))
        };
        let also = (Meets::Contended, Some(LedgerError::Conflict));
        let effect = self.0.world.ledger.commit(transition);
        self.0.call("commit", also, LedgerError::Unavailable, effect, did).await
    }

    async fn answer(&self, message_key: &str, outbox: &OutboxEntry) -> Result<(), LedgerError> {
        let answered = What::Answered(message_key.to_owned(), outbox.clone());
        let did = |(): &()| (message_key.to_owned(), Some(answered));
        self.call("answer", self.0.world.ledger.answer(message_key, outbox), did).await
    }

    async fn refuse(&self, refused: &RefusedEvent, outbox: &OutboxEntry) -> Result<(), LedgerError> {
        let kept = What::Refused(refused.id.clone(), outbox.clone());
        let did = |(): &()| (refused.reason.clone(), Some(kept));
        self.call("refuse", self.0.world.ledger.refuse(refused, outbox), did).await
    }

    async fn silence(
        &self,
        silence: &Silence,
        message_key: &str,
        outbox: &OutboxEntry,
    ) -> Result<(), LedgerError> {
        let answered = What::Answered(message_key.to_owned(), outbox.clone());
        let did = |(): &()| (format!("{} until {}", silence.domain, silence.until), Some(answered));
        self.call("silence", self.0.world.ledger.silence(silence, message_key, outbox), did).await
    }

    async fn silences(&self, now: Timestamp) -> Result<Vec<Silence>, LedgerError> {
        self.look("silences", self.0.world.ledger.silences(now), |found| found.len().to_string()).await
    }

    async fn history(&self, id: &RequestId) -> Result<Vec<HistoryEntry>, LedgerError> {
        self.look("history", self.0.world.ledger.history(id), |_| id.to_string()).await
    }

    async fn live_grants(&self) -> Result<Vec<LiveGrant>, LedgerError> {
        let ids = |live: &Vec<LiveGrant>| {
            live.iter().map(|grant| grant.request_id.to_string()).collect::<Vec<_>>().join(" ")
        };
        self.look("live grants", self.0.world.ledger.live_grants(), ids).await
    }

    async fn open_requests(&self) -> Result<Vec<Request>, LedgerError> {
        self.look("open requests", self.0.world.ledger.open_requests(), |all| all.len().to_string()).await
    }

    async fn due(&self, now: Timestamp, after: Option<&Deadline>) -> Result<Vec<Deadline>, LedgerError> {
        self.look("due", self.0.world.ledger.due(now, after), |due| format!("{} until {now}", due.len()))
            .await
    }

    async fn clear_deadline(&self, deadline: &Deadline) -> Result<(), LedgerError> {
        let effect = self.0.world.ledger.clear_deadline(deadline);
        self.look("clear deadline", effect, |()| format!("{} {}", deadline.request_id, deadline.at)).await
    }

    async fn cuts(&self) -> Result<Vec<Cut>, LedgerError> {
        self.look("cuts", self.0.world.ledger.cuts(), |cuts| cuts.len().to_string()).await
    }

    async fn cut_done(&self, cut: &Cut) -> Result<(), LedgerError> {
        self.look("cut done", self.0.world.ledger.cut_done(cut), |()| cut.request_id.to_string()).await
    }

    async fn outbox(&self, until: Timestamp) -> Result<Vec<OutboxEntry>, LedgerError> {
        self.look("outbox", self.0.world.ledger.outbox(until), |left| format!("{} until {until}", left.len()))
            .await
    }

    async fn published(&self, entries: &[OutboxEntry]) -> Result<(), LedgerError> {
        self.look("published", self.0.world.ledger.published(entries), |()| entries.len().to_string()).await
    }

    async fn own_targets(&self, rule_group: &str) -> Result<OwnTargets, LedgerError> {
        let said = |own: &OwnTargets| format!("{:?} after {} claims", own.targets, own.claims);
        self.look("own targets", self.0.world.ledger.own_targets(rule_group), said).await
    }

    async fn claim_targets(&self, rule_group: &str, targets: &BTreeSet<String>) -> Result<(), LedgerError> {
        let claimed = What::Claimed(rule_group.to_owned(), targets.iter().cloned().collect());
        let did = |(): &()| (format!("{targets:?}"), Some(claimed));
        self.call("claim", self.0.world.ledger.claim_targets(rule_group, targets), did).await
    }

    async fn release_targets(
        &self,
        rule_group: &str,
        targets: &BTreeSet<String>,
        claims: u64,
    ) -> Result<(), LedgerError> {
        let released = What::Released(rule_group.to_owned(), targets.iter().cloned().collect());
        let did = |(): &()| (format!("{targets:?}"), Some(released));
        self.call("release", self.0.world.ledger.release_targets(rule_group, targets, claims), did).await
    }

    async fn evidence(&self, ids: &[RequestId]) -> Result<BTreeMap<RequestId, Evidence>, LedgerError> {
        self.look("evidence", self.0.world.ledger.evidence(ids), |found| found.len().to_string()).await
    }

    async fn flows(&self, id: &RequestId) -> Result<Vec<Flow>, LedgerError> {
        self.look("flows", self.0.world.ledger.flows(id), |flows| format!("{} of {id}", flows.len())).await
    }

    async fn blocked(&self, domain: &str, since: Timestamp) -> Result<Vec<BlockedCount>, LedgerError> {
        self.look("blocked", self.0.world.ledger.blocked(domain, since), |_| domain.to_owned()).await
    }
}

/// The bus, as an invocation meets it. What it takes is in the record.
#[derive(Debug, Clone)]
pub(super) struct SimulatedBus(pub(super) Arc<Invocation>);

impl Bus for SimulatedBus {
    async fn publish(&self, events: &[Event]) -> Result<(), BusError> {
        let invocation = &self.0;
        let meets = invocation.meets(Meets::Partly);
        invocation.arrive(meets).await;
        invocation.before("publish", meets, BusError::Unavailable).await?;
        let refused = |place: &usize| meets == Meets::Partly && place % 2 == 1;
        let failed: Vec<usize> = (0..events.len()).filter(refused).collect();
        let taken = events.iter().enumerate().filter(|(place, _)| !refused(place));
        let taken: Vec<Event> = taken.map(|(_, event)| event.clone()).collect();
        let kinds: Vec<&str> = taken.iter().map(|event| event.detail_type.as_str()).collect();
        invocation.line(&format!("publish: {}", kinds.join(" ")));
        invocation.world.note(Some(invocation.number), What::Published(taken));
        invocation.after("publish", meets, BusError::Unavailable).await?;
        if failed.is_empty() {
            return Ok(());
        }
        Err(BusError::Partly { failed, reason: "ThrottlingException".to_owned() })
    }
}
