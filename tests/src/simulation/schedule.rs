//! A run: what people do goes over the bus, Lambda invokes, the clock ticks, and in the end everything that is
//! left is delivered, with nothing going wrong any more.
//!
//! Lambda is as it is documented: an asynchronous event is delivered at least once and in no order; when the
//! function fails or dies it is invoked again after one minute and after two more; then the event is a dead
//! letter, which an operator sends again. The tick is not tried again: the next one is its retry.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use egress::ledger::Ledger;
use egress::lifecycle::Rulebook;
use egress::request::RequestId;
use jiff::Timestamp;
use requests::Requests;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::broken::{Flaw, flawed};
use super::edges::SimulatedBus;
use super::invocation::{Invocation, RUNNING, jitter, now};
use super::people::{Deed, Script};
use super::record::{Came, End, LeadsTo, Sent, What};
use super::world::World;
use crate::memory::{Chance, clock, lock};

const MINUTE: Duration = Duration::from_mins(1);
/// After this an invocation is ended by Lambda: the function's `Timeout`.
const TIMEOUT: Duration = Duration::from_mins(5);
/// How many ticks it may take until nothing is left to do.
const MOST_TICKS: u32 = 60;
/// How many ticks there are at least when nothing goes wrong any more: what was left behind is a minute old
/// then, and late uses have come in.
const LEAST_TICKS: u32 = 4;

/// What happens next.
enum Next {
    Deed(Deed),
    Tick,
}

/// Lambda, with the function on it.
struct Lambda {
    world: Arc<World>,
    rulebook: Rulebook,
    flaw: Flaw,
    permits: Semaphore,
    chance: Mutex<Chance>,
    dead_letters: Mutex<Vec<(String, Value)>>,
    uses: Mutex<BTreeSet<RequestId>>,
}

/// Plays a run to its end.
pub(super) async fn play(world: &Arc<World>, rulebook: Rulebook, flaw: Flaw, mut chance: Chance) {
    let script = Script::write(Chance::new(chance.next_number()), &world.setting);
    let mut plan: Vec<(Duration, Next)> =
        script.into_iter().map(|(at, deed)| (at, Next::Deed(deed))).collect();
    plan.extend(ticks(world, &mut chance).into_iter().map(|at| (at, Next::Tick)));
    plan.sort_by_key(|(at, _)| *at);
    let lambda = Arc::new(Lambda {
        world: Arc::clone(world),
        rulebook,
        flaw,
        permits: Semaphore::new(world.setting.concurrency),
        chance: Mutex::new(chance),
        dead_letters: Mutex::default(),
        uses: Mutex::default(),
    });
    let mut running = JoinSet::new();
    for (at, next) in plan {
        sleep(at.saturating_sub(world.elapsed())).await;
        match next {
            Next::Tick => _ = running.spawn(Arc::clone(&lambda).tick()),
            Next::Deed(deed) => lambda.happens(deed, &mut running),
        }
    }
    world.calm_down();
    lambda.finish(running).await;
}

/// When the minute tick comes: a little late, sometimes not at all, sometimes twice.
fn ticks(world: &World, chance: &mut Chance) -> Vec<Duration> {
    let (mut ticks, mut minute) = (Vec::new(), MINUTE);
    while minute < world.setting.length + 3 * MINUTE {
        let at = minute + Duration::from_millis(chance.below(3_000) as u64);
        match chance.below(100) {
            _ if world.setting.is_calm() => ticks.push(at),
            0..10 => world.count("tick missing"),
            10..16 => {
                world.count("tick twice");
                ticks.extend([at, at]);
            }
            _ => ticks.push(at),
        }
        minute += MINUTE;
    }
    ticks
}

impl Lambda {
    fn happens(self: &Arc<Self>, deed: Deed, running: &mut JoinSet<()>) {
        match deed {
            Deed::Says(event, sent) => self.send(event, sent, running),
            Deed::Edits(place, what) => self.world.edit(place, what),
            Deed::ClockSteps(by) => self.world.step(by),
            Deed::Uses { id, lag } => {
                let Some(flow) = self.world.connect(&id) else { return };
                let lambda = Arc::clone(self);
                running.spawn(async move {
                    let used_at = clock::now();
                    sleep(lag).await;
                    lambda.world.ledger.use_grant(&id, flow.clone(), used_at);
                    lambda.world.line(None, &format!("the log has a use of {id}"));
                    lambda.world.note(None, What::Logged(id.clone(), flow));
                    lambda.first_use(&id, used_at).await;
                });
            }
        }
    }

    /// Alerts tell of the first use of a grant.
    async fn first_use(&self, id: &RequestId, at: Timestamp) {
        if !lock(&self.uses).insert(id.clone()) {
            return;
        }
        let detail = json!({
            "version": 1, "event_id": format!("first-use:{id}"), "request_id": id, "at": at,
            "host": "github.com", "source": "10.2.0.1",
        });
        let event = json!({"source": "egress.alerts", "detail-type": "GrantUsed", "detail": detail});
        let what = format!("GrantUsed {id}");
        self.world.record(|record| {
            record.sent.push(Sent { leads_to: LeadsTo::Use(id.clone()), what: what.clone() });
        });
        self.deliver(stamped(event), what).await;
    }

    /// Puts an event on the bus: from now on it may come late, twice and in any order, but it comes.
    fn send(self: &Arc<Self>, event: Value, sent: Sent, running: &mut JoinSet<()>) {
        let (event, what) = (stamped(event), sent.what.clone());
        self.world.line(None, &format!("on the bus: {what}"));
        self.world.record(|record| record.sent.push(sent));
        let mut times = vec![self.delay()];
        if self.percent(12) {
            self.world.count("event twice");
            times.push(self.delay());
        }
        for time in times {
            let (lambda, event, what) = (Arc::clone(self), event.clone(), what.clone());
            running.spawn(async move {
                sleep(time).await;
                lambda.deliver(event, what).await;
            });
        }
    }

    fn delay(&self) -> Duration {
        let usual = if self.world.setting.crowded { 300 } else { 2_000 };
        let (usual, late) = (self.below(usual), self.below(130_000));
        if self.percent(8) {
            self.world.count("event late");
            return Duration::from_millis(late);
        }
        Duration::from_millis(usual)
    }

    /// Invokes until it is worked off, three times at most.
    async fn deliver(&self, event: Value, what: String) {
        for retry in 0..3 {
            sleep(retry * MINUTE).await;
            if self.invoke(event.clone(), &what, false).await {
                return;
            }
        }
        self.world.count("dead letter");
        self.world.line(None, &format!("a dead letter: {what}"));
        lock(&self.dead_letters).push((what, event));
    }

    async fn tick(self: Arc<Self>) {
        self.tick_once().await;
    }

    async fn tick_once(&self) -> bool {
        let event = json!({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}});
        self.invoke(event, "tick", true).await
    }

    /// One invocation; whether it came to a good end.
    async fn invoke(&self, event: Value, what: &str, tick: bool) -> bool {
        // A tick that has waited for a minute isn't delivered any more.
        let patience = if tick { MINUTE } else { 3_600 * MINUTE };
        let Ok(Ok(_permit)) = timeout(patience, self.permits.acquire()).await else {
            self.world.count("tick dropped");
            return false;
        };
        let invocation = Invocation::begin(&self.world, what, tick);
        if invocation.is_stillborn() {
            invocation.end(Came::Died, "before it did anything");
            return false;
        }
        let (firewall, ledger) = flawed(&invocation, self.flaw);
        let bus = SimulatedBus(Arc::clone(&invocation));
        let rulebook = self.rulebook.clone();
        let requests = Requests { firewall, ledger, bus, rulebook, now, jitter };
        // On the heap, since without optimisation it is large, and moved often.
        let mut handling = Box::pin(requests.handle(event));
        let handled = RUNNING.scope(Arc::clone(&invocation), async {
            tokio::select! {
                biased;
                () = invocation.died() => None,
                () = sleep(TIMEOUT) => None,
                handled = &mut handling => Some(handled),
            }
        });
        match handled.await {
            Some(Ok(_)) => invocation.end(Came::Done, ""),
            Some(Err(ref error)) => invocation.end(Came::Failed, &error.to_string()),
            None => invocation.end(Came::Died, ""),
        }
        self.world.record(|record| {
            record.invocations.get(invocation.number).is_some_and(|invoked| invoked.came == Some(Came::Done))
        })
    }

    /// Nothing goes wrong any more: what is on its way comes to its end, an operator sends the dead letters
    /// again, and the clock ticks until nothing is left to do.
    async fn finish(&self, mut running: JoinSet<()>) {
        while let Some(ended) = running.join_next().await {
            if let Err(error) = ended {
                self.complain(format!("an invocation panicked: {error}"));
            }
        }
        let dead_letters = std::mem::take(&mut *lock(&self.dead_letters));
        for (what, event) in dead_letters {
            self.world.line(None, &format!("sent again: {what}"));
            if !self.invoke(event, &what, false).await {
                self.complain(format!("a dead letter failed again: {what}"));
            }
        }
        self.settle().await;
        if self.percent(50) {
            // Long after, when everything has ended.
            sleep(120 * MINUTE).await;
            self.settle().await;
        }
        let end = self.look().await;
        self.world.record(|record| record.end = end);
    }

    async fn settle(&self) {
        for ticks in 1..=MOST_TICKS {
            sleep(MINUTE).await;
            let before = self.changes();
            if !self.tick_once().await {
                self.complain("a tick failed although nothing went wrong".to_owned());
            }
            let left = self.world.ledger.outbox(Timestamp::MAX).await.unwrap_or_default();
            let quiet = self.changes() == before && left.is_empty();
            if quiet && ticks >= LEAST_TICKS {
                return;
            }
        }
        self.complain(format!("after {MOST_TICKS} ticks there still is something to do"));
    }

    /// How often the ledger's requests and the firewall were changed.
    fn changes(&self) -> usize {
        let is_change = |what: &What| matches!(what, What::Committed(_) | What::Wrote { .. });
        self.world.record(|record| record.facts.iter().filter(|fact| is_change(&fact.what)).count())
    }

    /// What the ledger holds.
    async fn look(&self) -> End {
        let ledger = &self.world.ledger;
        let mut end = End { now: clock::now(), ..End::default() };
        let ids: Vec<RequestId> = self.world.record(|record| {
            let committed = record.facts.iter().filter_map(|fact| match &fact.what {
                What::Committed(transition) => Some(transition.request.id.clone()),
                _ => None,
            });
            committed.collect()
        });
        for id in ids {
            if end.requests.contains_key(&id) {
                continue;
            }
            if let Ok(Some(request)) = ledger.load(&id).await {
                end.requests.insert(id.clone(), request);
            }
            end.history.insert(id.clone(), ledger.history(&id).await.unwrap_or_default());
        }
        end.live = ledger.live_grants().await.unwrap_or_default();
        end.outbox = ledger.outbox(Timestamp::MAX).await.unwrap_or_default();
        end.cuts = ledger.cuts().await.unwrap_or_default();
        end.deadlines = ledger.due(Timestamp::MAX, None).await.unwrap_or_default();
        end
    }

    fn complain(&self, what: String) {
        self.world.line(None, &what);
        self.world.record(|record| record.unsettled.push(what));
    }

    fn percent(&self, of_hundred: usize) -> bool {
        lock(&self.chance).percent(of_hundred)
    }

    fn below(&self, end: usize) -> u64 {
        lock(&self.chance).below(end) as u64
    }
}

/// An event with the time at which the bus took it.
fn stamped(mut event: Value) -> Value {
    let time = clock::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    if let Some(fields) = event.as_object_mut() {
        fields.insert("time".to_owned(), json!(time));
    }
    event
}
