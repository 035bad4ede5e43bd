//! What goes wrong with a call, by a script or by a seed.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;

use super::{Chance, lock};

/// A call of an edge, by the trait's own name for it.
#[expect(missing_docs, reason = "each is the method of its trait")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Call {
    Read,
    Write,
    TryOut,
    InSync,
    Flush,
    Policy,
    LogsAlerts,
    Load,
    Commit,
    Answer,
    Refuse,
    Silence,
    Silences,
    History,
    LiveGrants,
    OpenRequests,
    Due,
    ClearDeadline,
    Cuts,
    CutDone,
    Outbox,
    Published,
    OwnTargets,
    ClaimTargets,
    ReleaseTargets,
    Evidence,
    Flows,
    Blocked,
    Publish,
}

type Meanwhile = Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// What goes wrong with one call.
pub enum Fault {
    /// It fails, and nothing has happened.
    FailBefore,
    /// It fails for its caller, and has happened.
    FailAfter,
    /// The caller dies before it happens.
    CrashBefore,
    /// The caller dies when it has happened.
    CrashAfter,
    /// It takes time to arrive.
    DelayBefore(Duration),
    /// Its answer takes time.
    DelayAfter(Duration),
    /// Something else happens first.
    Meanwhile(Meanwhile),
    /// It is refused as if another writer were at it (only [`Call::Write`] and [`Call::Commit`]).
    Contended,
    /// Of several things every second one fails (only [`Call::Publish`] has several).
    Partly,
}

impl Fault {
    /// Something else happens first, e.g. a hand edit, or a whole other invocation.
    pub fn meanwhile<T: Future<Output = ()> + Send + 'static>(
        what: impl FnOnce() -> T + Send + 'static,
    ) -> Self {
        Self::Meanwhile(Box::new(|| Box::pin(what())))
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FailBefore => f.write_str("FailBefore"),
            Self::FailAfter => f.write_str("FailAfter"),
            Self::CrashBefore => f.write_str("CrashBefore"),
            Self::CrashAfter => f.write_str("CrashAfter"),
            Self::DelayBefore(time) => write!(f, "DelayBefore({time:?})"),
            Self::DelayAfter(time) => write!(f, "DelayAfter({time:?})"),
            Self::Meanwhile(_) => f.write_str("Meanwhile"),
            Self::Contended => f.write_str("Contended"),
            Self::Partly => f.write_str("Partly"),
        }
    }
}

/// The faults that the calls of one invocation meet, and the calls that it made.
#[derive(Clone)]
pub struct Faults(Arc<Inner>);

struct Inner {
    next: Mutex<Box<dyn FnMut(Call) -> Option<Fault> + Send>>,
    latency: Duration,
    calls: Mutex<Vec<Call>>,
    crashed: Notify,
}

impl Faults {
    /// No faults.
    pub fn none() -> Self {
        Self::new(Duration::ZERO, |_| None)
    }

    /// No faults, but every call takes this time.
    pub fn latency(latency: Duration) -> Self {
        Self::new(latency, |_| None)
    }

    /// A list: each call takes the first entry that is for it.
    pub fn script(script: impl IntoIterator<Item = (Call, Fault)>) -> Self {
        let mut script: VecDeque<(Call, Fault)> = script.into_iter().collect();
        Self::new(Duration::ZERO, move |call| {
            let place = script.iter().position(|(wanted, _)| *wanted == call)?;
            script.remove(place).map(|(_, fault)| fault)
        })
    }

    /// So many of a hundred calls fail, crash or are slow, as the seed has it.
    pub fn seeded(seed: u64, of_hundred: usize) -> Self {
        let mut chance = Chance::new(seed);
        Self::new(Duration::ZERO, move |call| {
            if !chance.percent(of_hundred) {
                return None;
            }
            let time = Duration::from_millis(chance.next_number() % 3_000);
            Some(match chance.below(7) {
                0 => Fault::FailBefore,
                1 => Fault::FailAfter,
                2 => Fault::CrashBefore,
                3 => Fault::CrashAfter,
                4 if call == Call::Publish => Fault::Partly,
                4 if matches!(call, Call::Write | Call::Commit) => Fault::Contended,
                5 => Fault::DelayAfter(time),
                _ => Fault::DelayBefore(time),
            })
        })
    }

    /// Whatever `next` says of each call, after `latency`.
    pub fn new(latency: Duration, next: impl FnMut(Call) -> Option<Fault> + Send + 'static) -> Self {
        Self(Arc::new(Inner {
            next: Mutex::new(Box::new(next)),
            latency,
            calls: Mutex::default(),
            crashed: Notify::new(),
        }))
    }

    /// The calls that were made, in order.
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.0.calls).clone()
    }

    /// Runs an invocation to its end, or to the crash of one of its calls: then nothing.
    pub async fn until_crash<T>(&self, invocation: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.0.crashed.notified() => None,
            outcome = invocation => Some(outcome),
        }
    }

    /// A call begins. Other invocations get their turn here.
    pub(super) async fn begin(&self, call: Call) -> Option<Fault> {
        lock(&self.0.calls).push(call);
        if self.0.latency.is_zero() {
            tokio::task::yield_now().await;
        } else {
            tokio::time::sleep(self.0.latency).await;
        }
        let mut next = lock(&self.0.next);
        (*next)(call)
    }

    /// What comes of a call that has this effect and meets this fault. `failure` is how it fails.
    pub(super) async fn apply<T, E>(
        &self,
        fault: Option<Fault>,
        failure: impl FnOnce(String) -> E,
        effect: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        match fault {
            None | Some(Fault::Contended | Fault::Partly) => effect(),
            Some(Fault::FailBefore) => Err(failure("a fault that a test asked for".to_owned())),
            Some(Fault::FailAfter) => {
                effect()?;
                Err(failure("a fault that a test asked for, after the effect".to_owned()))
            }
            Some(Fault::CrashBefore) => self.crash().await,
            Some(Fault::CrashAfter) => {
                let _ = effect();
                self.crash().await
            }
            Some(Fault::DelayBefore(time)) => {
                tokio::time::sleep(time).await;
                effect()
            }
            Some(Fault::DelayAfter(time)) => {
                let outcome = effect();
                tokio::time::sleep(time).await;
                outcome
            }
            Some(Fault::Meanwhile(what)) => {
                what().await;
                effect()
            }
        }
    }

    /// [`Faults::begin`] and [`Faults::apply`].
    pub(super) async fn call<T, E>(
        &self,
        call: Call,
        failure: impl FnOnce(String) -> E,
        effect: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let fault = self.begin(call).await;
        self.apply(fault, failure, effect).await
    }

    async fn crash<T>(&self) -> T {
        self.0.crashed.notify_one();
        pending().await
    }
}

impl Default for Faults {
    fn default() -> Self {
        Self::none()
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults").field("calls", &self.calls()).finish_non_exhaustive()
    }
}
