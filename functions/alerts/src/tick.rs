//! Once a minute: the digests of windows that are over.

use std::time::{Duration, Instant};

use egress::aws::windows::WindowKey;
use egress::bus::{Bus, Event};
use egress::counts::Counts;
use egress::events::source;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;

use crate::digest::{Ended, digests};
use crate::figures::Figures;
use crate::findings::Names;
use crate::plan::Owing;
use crate::quiet::is_quiet;
use crate::windows::{AT_ONCE, StoreError, Windows};
use crate::{Alerts, AlertsError};

/// So long after its end a window is summed up: CloudWatch Logs delivers within seconds, and no invocation that began
/// before the end still counts apart. What comes later makes another digest.
const SETTLED: Duration = Duration::from_mins(2);
/// The most windows that are read before they are told.
const MOST_WINDOWS: usize = 1_000;
/// So long a tick goes on with what is due: another one comes each minute.
const LONGEST: Duration = Duration::from_secs(40);

impl<S: Windows, B: Bus, O, D, F> Alerts<S, B, O, D, F> {
    /// Tells what is due. What it can't finish, the next tick does.
    pub(crate) async fn tick(&self, now: Timestamp) -> Result<Figures, AlertsError> {
        let (mut figures, began) = (Figures::default(), Instant::now());
        let until = now.saturating_sub(SETTLED).unwrap_or(Timestamp::MIN);
        loop {
            let due = self.store.due(until, MOST_WINDOWS).await?;
            let all = due.len() < MOST_WINDOWS;
            let (ended, unread) = self.all_ended(&due).await;
            if !ended.is_empty() {
                self.tell_ended(&ended, now, &mut figures).await?;
                let close = |one: &Ended| {
                    let (window, connections) = (one.window.clone(), one.counts.connections);
                    async move { self.store.close(&window, connections).await }
                };
                stream::iter(&ended).map(close).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
            }
            if all || ended.is_empty() || began.elapsed() > LONGEST {
                return unread.map_or(Ok(figures), |error| Err(error.into()));
            }
        }
    }

    /// Windows that are due, and why one of them can't be read: it stays due, and doesn't hold up the others.
    async fn all_ended(&self, due: &[WindowKey]) -> (Vec<Ended>, Option<StoreError>) {
        let read = stream::iter(due).map(|key| self.ended(key)).buffered(AT_ONCE).collect::<Vec<_>>().await;
        let (mut ended, mut unread) = (Vec::new(), None);
        for (key, one) in due.iter().zip(read) {
            match one {
                Ok(one) => ended.extend(one),
                Err(error) => {
                    tracing::error!(%error, domain = &*key.domain, owner = &*key.owner, start = %key.start, "a window that is due can't be read");
                    unread = Some(error);
                }
            }
        }
        (ended, unread)
    }

    /// A window that is due, with all its counts; nothing where its digest was told a moment ago.
    async fn ended(&self, key: &WindowKey) -> Result<Option<Ended>, StoreError> {
        let Some(mut window) = self.store.whole(key).await?.filter(|window| window.item.due.is_some()) else {
            return Ok(None);
        };
        let Some(counts) = Counts::sum(window.batches.values()) else { return Ok(None) };
        // They are summed up, and there may be thousands of windows.
        window.batches.clear();
        let is_told = !Owing::told(std::slice::from_ref(&window)).is_nothing();
        Ok(Some(Ended { window, counts, is_told }))
    }

    /// Tells of those that are not kept quiet. What was told before, in full, is not told again.
    async fn tell_ended(
        &self,
        ended: &[Ended],
        now: Timestamp,
        figures: &mut Figures,
    ) -> Result<(), AlertsError> {
        let known = self.store.known(now).await?;
        let names = Names::of(ended.iter().map(Ended::names));
        let speaks = |one: &&Ended| {
            let Ended { window, counts, .. } = one;
            let raised = window.item.raiser.is_some() || !one.findings(&names, &self.config).is_empty();
            window.item.digested != Some(counts.connections)
                && !is_quiet(&known, &window.key(), counts, raised, now)
        };
        let telling: Vec<&Ended> = ended.iter().filter(speaks).collect();
        let digests = digests(&telling, &names, &self.config);
        figures.add_digests(ended.iter().map(Ended::suppressed_since).sum(), digests.len());
        let event = |digest| Event::new(source::ALERTS, "BlockedDigest", &digest);
        let events = digests.into_iter().map(event).collect::<Result<Vec<_>, _>>()?;
        if events.is_empty() { Ok(()) } else { Ok(self.bus.publish(&events).await?) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_invocation_that_began_before_the_end_of_a_window_still_runs_when_it_is_summed_up() {
        let template = include_str!("../../../infra/alerts.yaml");
        let timeouts = template.lines().filter_map(|line| line.trim().strip_prefix("Timeout: "));
        let timeouts: Vec<u64> = timeouts.map(|seconds| seconds.parse().unwrap()).collect();
        assert!(matches!(timeouts[..], [seconds] if seconds < SETTLED.as_secs()), "{timeouts:?}");
    }
}
