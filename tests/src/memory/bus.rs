//! The bus in memory: what was published, in order, and how it may be delivered.

use std::sync::{Arc, Mutex};

use egress::bus::{Bus, BusError, Event};

use super::{Call, Chance, Fault, Faults, lock};

/// The bus.
#[derive(Debug, Clone, Default)]
pub struct MemoryBus {
    published: Arc<Mutex<Vec<Event>>>,
    faults: Faults,
}

impl MemoryBus {
    /// A bus on which nothing was published.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same bus, with these faults.
    #[must_use]
    pub fn with(&self, faults: &Faults) -> Self {
        Self { published: Arc::clone(&self.published), faults: faults.clone() }
    }

    /// All that was published, in order.
    pub fn published(&self) -> Vec<Event> {
        lock(&self.published).clone()
    }
}

/// How a bus delivers: every event at least once, some twice, in whatever order.
pub fn deliveries<T: Clone>(events: &[T], chance: &mut Chance) -> Vec<T> {
    let mut deliveries = events.to_vec();
    deliveries.extend(events.iter().filter(|_| chance.percent(30)).cloned());
    chance.shuffle(&mut deliveries);
    deliveries
}

impl Bus for MemoryBus {
    async fn publish(&self, events: &[Event]) -> Result<(), BusError> {
        let fault = self.faults.begin(Call::Publish).await;
        let partly = matches!(fault, Some(Fault::Partly));
        let publish = || {
            let refused = |place: &usize| partly && place % 2 == 1;
            let taken = events.iter().enumerate().filter(|(place, _)| !refused(place));
            lock(&self.published).extend(taken.map(|(_, event)| event.clone()));
            let failed: Vec<usize> = (0..events.len()).filter(refused).collect();
            match failed.len() {
                0 => Ok(()),
                all if all == events.len() => {
                    Err(BusError::Unavailable("a fault that a test asked for".to_owned()))
                }
                _ => Err(BusError::Partly { failed, reason: "a fault that a test asked for".to_owned() }),
            }
        };
        self.faults.apply(fault, BusError::Unavailable, publish).await
    }
}
