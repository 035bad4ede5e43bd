//! One invocation of the function: its clock, its chance, and what its calls of edges meet.

use std::fmt::Display;
use std::future::{Future, pending};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio::time::sleep;

use super::record::{Came, Invoked, What};
use super::world::World;
use crate::memory::{Chance, clock, lock};

tokio::task_local! {
    /// The invocation that is running: the core asks for the time and for chance by plain functions.
    pub(super) static RUNNING: Arc<Invocation>;
}

/// The time as the running invocation's machine has it.
pub(super) fn now() -> Timestamp {
    RUNNING.try_with(|invocation| invocation.now()).unwrap_or_default()
}

/// A number from 0 to 1, for the running invocation.
pub(super) fn jitter() -> f64 {
    RUNNING.try_with(|invocation| f64::from(invocation.draw(1_000)) / 1_000.0).unwrap_or(0.5)
}

/// One invocation of the function.
#[derive(Debug)]
pub(super) struct Invocation {
    pub(super) world: Arc<World>,
    pub(super) number: usize,
    /// Of a thousand calls, so many go wrong.
    trouble: u32,
    /// What its machine's clock is wrong by.
    skew: SignedDuration,
    chance: Mutex<Chance>,
    died: Notify,
}

/// What a call meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meets {
    Nothing,
    Throttled,
    AnswerLost,
    DiesBefore,
    DiesAfter,
    Contended,
    Partly,
    Slow,
}

impl Meets {
    fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Throttled => "throttled",
            Self::AnswerLost => "answer lost",
            Self::DiesBefore => "crash before the effect",
            Self::DiesAfter => "crash after the effect",
            Self::Contended => "contended (InvalidToken, TransactionConflict)",
            Self::Partly => "partly published",
            Self::Slow => "slow call",
        }
    }
}

impl Invocation {
    /// An invocation begins, for `what`.
    pub(super) fn begin(world: &Arc<World>, what: &str, tick: bool) -> Arc<Self> {
        let calm = world.is_calm();
        let (seed, number) = world.record(|record| {
            let what = what.to_owned();
            record.invocations.push(Invoked { what, tick, faulted: false, came: None, clock: None });
            (record.seed, record.invocations.len() - 1)
        });
        let mut chance = Chance::new(seed ^ Chance::new(number as u64 + 1).next_number());
        let trouble = if calm { 0 } else { u32::try_from(world.setting.trouble).unwrap_or(0) };
        let skew = match chance.below(100) {
            _ if trouble == 0 => 0,
            0..20 => i64::from(draw(&mut chance, 4_000)) - 2_000,
            20..23 => i64::from(draw(&mut chance, 60_000)) - 30_000,
            _ => 0,
        };
        if skew != 0 {
            world.count("clock wrong");
        }
        world.note(Some(number), What::Began);
        world.line(Some(number), &format!("begins: {what}; its clock is wrong by {skew} ms"));
        let skew = SignedDuration::from_millis(skew);
        let (world, chance) = (Arc::clone(world), Mutex::new(chance));
        Arc::new(Self { world, number, trouble, skew, chance, died: Notify::new() })
    }

    /// It has come to its end.
    pub(super) fn end(&self, came: Came, said: &str) {
        self.world.record(|record| {
            record.crashes += u64::from(came == Came::Died);
            if let Some(invoked) = record.invocations.get_mut(self.number) {
                invoked.came = Some(came);
            }
        });
        self.world.note(Some(self.number), What::Ended);
        self.world.line(Some(self.number), &format!("ends: {came:?} {said}"));
    }

    /// Until it dies of one of its calls.
    pub(super) async fn died(&self) {
        self.died.notified().await;
    }

    /// Whether it dies before it does anything.
    pub(super) fn is_stillborn(&self) -> bool {
        let stillborn = self.draw(1_000) < self.trouble;
        if stillborn {
            self.fault("dies before it begins");
        }
        stillborn
    }

    fn now(&self) -> Timestamp {
        let now = clock::now();
        let now = now.checked_add(self.skew).unwrap_or(now);
        self.world.record(|record| {
            if let Some(invoked) = record.invocations.get_mut(self.number) {
                let (first, last) = invoked.clock.unwrap_or((now, now));
                invoked.clock = Some((first.min(now), last.max(now)));
            }
        });
        now
    }

    fn draw(&self, end: u32) -> u32 {
        draw(&mut lock(&self.chance), end)
    }

    fn fault(&self, name: &'static str) {
        self.world.count(name);
        self.world.record(|record| {
            if let Some(invoked) = record.invocations.get_mut(self.number) {
                invoked.faulted = true;
            }
        });
    }

    /// What the next call meets: `also` can happen to it beside what can happen to every call.
    pub(super) fn meets(&self, also: Meets) -> Meets {
        if self.draw(1_000) >= self.trouble {
            return Meets::Nothing;
        }
        let meets = match self.draw(8) {
            0 | 1 => Meets::Throttled,
            2 => Meets::AnswerLost,
            3 => Meets::DiesBefore,
            4 => Meets::DiesAfter,
            5 => Meets::Slow,
            _ if also == Meets::Nothing => Meets::Throttled,
            _ => also,
        };
        self.fault(meets.name());
        meets
    }

    /// A call goes out: it takes its time to arrive.
    pub(super) async fn arrive(&self, meets: Meets) {
        self.world.record(|record| record.steps += 1);
        let most = u32::try_from(self.world.setting.slowest).unwrap_or(0);
        let usual = 1 + self.draw(most);
        let time = if meets == Meets::Slow { 1_000 + self.draw(30_000) } else { usual };
        sleep(Duration::from_millis(u64::from(time))).await;
    }

    /// One call, from its beginning to its answer. What it `did` is written down in the same moment.
    pub(super) async fn call<T, E: Display>(
        &self,
        name: &str,
        also: (Meets, Option<E>),
        failure: fn(String) -> E,
        effect: impl Future<Output = Result<T, E>>,
        did: impl FnOnce(&T) -> (String, Option<What>),
    ) -> Result<T, E> {
        let (also, refusal) = also;
        let meets = self.meets(also);
        self.arrive(meets).await;
        if let (Meets::Contended, Some(refusal)) = (meets, refusal) {
            self.line(&format!("{name}: {refusal} (it is said)"));
            return Err(refusal);
        }
        self.before(name, meets, failure).await?;
        let answer = effect.await;
        match &answer {
            Ok(answer) => {
                let (said, what) = did(answer);
                if let Some(what) = what {
                    self.world.note(Some(self.number), what);
                }
                self.line(&format!("{name}: {said}"));
            }
            Err(error) => self.line(&format!("{name}: {error}")),
        }
        self.after(name, meets, failure).await?;
        answer
    }

    pub(super) async fn before<E>(
        &self,
        name: &str,
        meets: Meets,
        failure: fn(String) -> E,
    ) -> Result<(), E> {
        match meets {
            Meets::Throttled => {
                self.line(&format!("{name}: throttled"));
                Err(failure("throttled".to_owned()))
            }
            Meets::DiesBefore => self.die(name).await,
            _ => Ok(()),
        }
    }

    pub(super) async fn after<E>(&self, name: &str, meets: Meets, failure: fn(String) -> E) -> Result<(), E> {
        match meets {
            Meets::AnswerLost => {
                self.line(&format!("{name}: its answer is lost"));
                Err(failure("the answer was lost".to_owned()))
            }
            Meets::DiesAfter => self.die(name).await,
            _ if self.draw(2) == 0 => {
                self.arrive_back().await;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    async fn arrive_back(&self) {
        let most = u32::try_from(self.world.setting.slowest).unwrap_or(0);
        sleep(Duration::from_millis(u64::from(self.draw(most)))).await;
    }

    async fn die<T>(&self, name: &str) -> T {
        self.line(&format!("{name}: it dies"));
        self.died.notify_one();
        pending().await
    }

    pub(super) fn line(&self, text: &str) {
        self.world.line(Some(self.number), text);
    }
}

fn draw(chance: &mut Chance, end: u32) -> u32 {
    u32::try_from(chance.below(end as usize)).unwrap_or(0)
}
