//! The design, broken on purpose: edges that undo one thing on which it stands. The simulation has to find each;
//! what it doesn't find, it doesn't look for.
//!
//! Nothing of this is in what is deployed: the flaws are put around the edges.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use egress::bus::Bus;
use egress::firewall::{
    Content, Firewall, FirewallError, Flow, PolicyGroup, RuleGroup, RuleGroups, UpdateToken,
};
use egress::ledger::{
    BlockedCount, Cut, Deadline, Evidence, HistoryEntry, Ledger, LedgerError, OutboxEntry, OwnTargets,
    RefusedEvent, Silence, Transition,
};
use egress::lifecycle::deadline;
use egress::request::{Ending, LiveGrant, Request, RequestId};
use egress::rules::no_grants;
use jiff::Timestamp;

use super::edges::{SimulatedBus, SimulatedFirewall, SimulatedLedger};
use super::invocation::Invocation;
use crate::memory::lock;

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// Nothing.
    None,
    /// The live grants are read before the rule groups and their tokens.
    GrantsBeforeToken,
    /// A stale token is answered with a fresh one and the same rules.
    StaleRulesWithFreshToken,
    /// Whether the firewall is in sync isn't waited for.
    AlwaysInSync,
    /// Events are published beside the transaction, after it.
    ToldBesideTheTransaction,
    /// A transition is written whatever version is there.
    NoVersionCheck,
    /// What a message has done is not noted.
    KeysIgnored,
    /// A history entry is changed after it was sealed.
    HistoryChanged,
    /// A revoke leaves the grant in the live ones.
    LiveRowLeft,
    /// Nobody notes that connections are to be cut.
    CutForgotten,
    /// Connections are cut once, and not again when the log brings more of them.
    CutOnce,
    /// The deadline of a grant is not written.
    DeadlineForgotten,
    /// What is put into a shared list isn't claimed.
    ClaimsForgotten,
    /// The sids that stand in the rules are not read back.
    SidsNotReadBack,
    /// What stands in a shared list is taken for ours, whosever it is.
    EverythingIsOurs,
    /// Of the live grants only the first page is read.
    FirstPageOnly,
    /// That a grant's time is over is left to its deadline.
    EndsIgnored,
    /// What is superseded is cut.
    SupersededIsCut,
    /// A transaction that failed is taken for done.
    FailureTakenForDone,
    /// What was published stays in the outbox.
    OutboxKept,
    /// The policies in force aren't those that the operator wrote.
    OtherPolicies,
    /// The operator's policies let everybody decide about everything. What no policy may allow has to hold
    /// all the same.
    GenerousPolicy,
}

/// How many live grants a page has for [`Flaw::FirstPageOnly`].
const FIRST_PAGE: usize = 2;

/// The edges of an invocation, with a flaw.
pub(super) fn flawed(invocation: &Arc<Invocation>, flaw: Flaw) -> (FlawedFirewall, FlawedLedger) {
    let ledger = FlawedLedger {
        sound: SimulatedLedger(Arc::clone(invocation)),
        bus: SimulatedBus(Arc::clone(invocation)),
        flaw,
        read_early: Arc::default(),
    };
    (FlawedFirewall { sound: SimulatedFirewall(Arc::clone(invocation)), ledger: ledger.clone() }, ledger)
}

/// The firewall, with a flaw.
#[derive(Debug)]
pub(super) struct FlawedFirewall {
    sound: SimulatedFirewall,
    ledger: FlawedLedger,
}

/// The ledger, with a flaw.
#[derive(Debug, Clone)]
pub(super) struct FlawedLedger {
    sound: SimulatedLedger,
    bus: SimulatedBus,
    flaw: Flaw,
    read_early: Arc<Mutex<Option<Vec<LiveGrant>>>>,
}

impl Firewall for FlawedFirewall {
    async fn read(&self) -> RuleGroups {
        if self.ledger.flaw == Flaw::GrantsBeforeToken {
            let live = self.ledger.sound.live_grants().await;
            *lock(&self.ledger.read_early) = live.ok();
        }
        let mut read = self.sound.read().await;
        if self.ledger.flaw == Flaw::SidsNotReadBack {
            let rules = read.groups.iter_mut().filter(|group| matches!(group.content, Content::Rules(_)));
            rules.for_each(|group| group.content = Content::Rules(no_grants()));
        }
        read
    }

    async fn write(&self, group: &RuleGroup) -> Result<UpdateToken, FirewallError> {
        let written = self.sound.write(group).await;
        if self.ledger.flaw != Flaw::StaleRulesWithFreshToken || written != Err(FirewallError::StaleToken) {
            return written;
        }
        let fresh = self.sound.read().await.groups.into_iter().find(|fresh| fresh.arn == group.arn);
        let token = fresh.map_or_else(|| group.token.clone(), |fresh| fresh.token);
        self.sound.write(&RuleGroup { token, ..group.clone() }).await
    }

    async fn try_out(&self, group: &RuleGroup) -> Result<u64, FirewallError> {
        self.sound.try_out(group).await
    }

    async fn in_sync(&self, versions: &BTreeMap<String, UpdateToken>) -> Result<bool, FirewallError> {
        if self.ledger.flaw == Flaw::AlwaysInSync {
            return Ok(true);
        }
        self.sound.in_sync(versions).await
    }

    async fn flush(&self, flows: &[Flow]) -> Result<(), FirewallError> {
        self.sound.flush(flows).await
    }

    async fn policy(&self) -> Result<Vec<PolicyGroup>, FirewallError> {
        self.sound.policy().await
    }

    async fn logs_alerts(&self) -> Result<bool, FirewallError> {
        self.sound.logs_alerts().await
    }
}

impl FlawedLedger {
    /// A transition as the flaw has it.
    fn spoilt(&self, transition: &Transition) -> Transition {
        let mut spoilt = transition.clone();
        let ended = transition.request.ending;
        match self.flaw {
            Flaw::ToldBesideTheTransaction => spoilt.outbox.clear(),
            Flaw::KeysIgnored => spoilt.message_key = None,
            Flaw::HistoryChanged if transition.history.comment.is_some() => spoilt.history.comment = None,
            Flaw::LiveRowLeft if ended == Some(Ending::Revoked) => {
                spoilt.live = as_if_live(&transition.request);
            }
            Flaw::CutForgotten => spoilt.cut = false,
            Flaw::SupersededIsCut => spoilt.cut |= ended == Some(Ending::Superseded),
            Flaw::DeadlineForgotten if transition.request.state.is_live() => spoilt.deadline = None,
            _ => {}
        }
        spoilt
    }

    /// Writes it over whatever is there.
    async fn overwrite(&self, mut transition: Transition) -> Result<(), LedgerError> {
        let Some(there) = self.sound.load(&transition.request.id).await? else {
            return Err(LedgerError::Conflict);
        };
        transition.request.version = there.version + 1;
        transition.history.version = there.version + 1;
        transition.deadline_before = deadline(&there);
        self.sound.commit(&transition).await
    }
}

fn as_if_live(request: &Request) -> Option<LiveGrant> {
    Some(LiveGrant {
        request_id: request.id.clone(),
        requester: request.requester.clone(),
        domains: request.domains.clone(),
        approved_at: request.approved_at?,
        ends_at: request.ends_at?,
        active: true,
        used: request.first_used_at.is_some(),
        waits: false,
        extends: request.extends.clone(),
    })
}

impl Ledger for FlawedLedger {
    async fn load(&self, id: &RequestId) -> Result<Option<Request>, LedgerError> {
        self.sound.load(id).await
    }

    async fn commit(&self, transition: &Transition) -> Result<(), LedgerError> {
        let spoilt = self.spoilt(transition);
        match self.sound.commit(&spoilt).await {
            Err(LedgerError::Conflict) if self.flaw == Flaw::NoVersionCheck => self.overwrite(spoilt).await,
            Ok(()) if self.flaw == Flaw::ToldBesideTheTransaction => {
                let events: Vec<_> = transition.outbox.iter().map(|entry| entry.event.clone()).collect();
                self.bus.publish(&events).await.map_err(|error| LedgerError::Unavailable(error.to_string()))
            }
            Err(LedgerError::Unavailable(_)) if self.flaw == Flaw::FailureTakenForDone => Ok(()),
            written => written,
        }
    }

    async fn answer(&self, message_key: &str, outbox: &OutboxEntry) -> Result<(), LedgerError> {
        if self.flaw == Flaw::KeysIgnored {
            let key = format!("{message_key}#{}", self.sound.0.number);
            return self.sound.answer(&key, outbox).await;
        }
        self.sound.answer(message_key, outbox).await
    }

    async fn refuse(&self, refused: &RefusedEvent, outbox: &OutboxEntry) -> Result<(), LedgerError> {
        self.sound.refuse(refused, outbox).await
    }

    async fn silence(
        &self,
        silence: &Silence,
        message_key: &str,
        outbox: &OutboxEntry,
    ) -> Result<(), LedgerError> {
        self.sound.silence(silence, message_key, outbox).await
    }

    async fn silences(&self, now: Timestamp) -> Result<Vec<Silence>, LedgerError> {
        self.sound.silences(now).await
    }

    async fn history(&self, id: &RequestId) -> Result<Vec<HistoryEntry>, LedgerError> {
        self.sound.history(id).await
    }

    async fn live_grants(&self) -> Result<Vec<LiveGrant>, LedgerError> {
        let early = lock(&self.read_early).take();
        let mut live = match early {
            Some(live) => live,
            None => self.sound.live_grants().await?,
        };
        match self.flaw {
            Flaw::FirstPageOnly => live.truncate(FIRST_PAGE),
            Flaw::EndsIgnored => live.iter_mut().for_each(|grant| grant.ends_at = Timestamp::MAX),
            _ => {}
        }
        Ok(live)
    }

    async fn open_requests(&self) -> Result<Vec<Request>, LedgerError> {
        self.sound.open_requests().await
    }

    async fn due(&self, now: Timestamp, after: Option<&Deadline>) -> Result<Vec<Deadline>, LedgerError> {
        self.sound.due(now, after).await
    }

    async fn clear_deadline(&self, deadline: &Deadline) -> Result<(), LedgerError> {
        self.sound.clear_deadline(deadline).await
    }

    async fn cuts(&self) -> Result<Vec<Cut>, LedgerError> {
        self.sound.cuts().await
    }

    async fn cut_done(&self, cut: &Cut) -> Result<(), LedgerError> {
        self.sound.cut_done(cut).await
    }

    async fn outbox(&self, until: Timestamp) -> Result<Vec<OutboxEntry>, LedgerError> {
        self.sound.outbox(until).await
    }

    async fn published(&self, entries: &[OutboxEntry]) -> Result<(), LedgerError> {
        if self.flaw == Flaw::OutboxKept {
            return Ok(());
        }
        self.sound.published(entries).await
    }

    async fn own_targets(&self, rule_group: &str) -> Result<OwnTargets, LedgerError> {
        let mut own = self.sound.own_targets(rule_group).await?;
        if self.flaw == Flaw::EverythingIsOurs {
            own.targets.extend(self.sound.0.world.targets(rule_group));
        }
        Ok(own)
    }

    async fn claim_targets(&self, rule_group: &str, targets: &BTreeSet<String>) -> Result<(), LedgerError> {
        if self.flaw == Flaw::ClaimsForgotten {
            return Ok(());
        }
        self.sound.claim_targets(rule_group, targets).await
    }

    async fn release_targets(
        &self,
        rule_group: &str,
        targets: &BTreeSet<String>,
        claims: u64,
    ) -> Result<(), LedgerError> {
        self.sound.release_targets(rule_group, targets, claims).await
    }

    async fn evidence(&self, ids: &[RequestId]) -> Result<BTreeMap<RequestId, Evidence>, LedgerError> {
        self.sound.evidence(ids).await
    }

    async fn flows(&self, id: &RequestId) -> Result<Vec<Flow>, LedgerError> {
        let flows = self.sound.flows(id).await?;
        if self.flaw == Flaw::CutOnce {
            let cuts = self.sound.cuts().await?;
            if let Some(cut) = cuts.iter().find(|cut| cut.request_id == *id) {
                self.sound.cut_done(cut).await?;
            }
        }
        Ok(flows)
    }

    async fn blocked(&self, domain: &str, since: Timestamp) -> Result<Vec<BlockedCount>, LedgerError> {
        self.sound.blocked(domain, since).await
    }
}
