//! The three edges of `egress` in memory: stateful, as strict as AWS, and able to fail, crash, delay,
//! duplicate and reorder on command. Nothing in them depends on anything but the calls, tokio's time and
//! a seed, so with tokio's time paused a run can be repeated exactly.
//!
//! Clones of an edge share its state. An invocation that is to meet faults of its own gets clones with
//! [`Faults`] of their own (`with`).

mod bus;
mod chance;
pub mod clock;
mod faults;
mod firewall;
mod ledger;

pub use bus::{MemoryBus, deliveries};
pub use chance::Chance;
pub use faults::{Call, Fault, Faults};
pub use firewall::MemoryFirewall;
pub use ledger::MemoryLedger;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The state behind a lock, also when a test that failed has left it locked.
pub(crate) fn lock<T>(state: &Mutex<T>) -> MutexGuard<'_, T> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
