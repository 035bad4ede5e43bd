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
            let ended = stream::iter(&due).map(|key| self.ended(key)).buffered(AT_ONCE);
            let ended: Vec<Option<Ended>> = ended.try_collect().await?;
            let ended: Vec<Ended> = ended.into_iter().flatten().collect();
            if ended.is_empty() {
                return Ok(figures);
            }
            self.tell_ended(&ended, now, &mut figures).await?;
            let close = |one: &Ended| {
                let (window, connections) = (one.window.clone(), one.counts.connections);
                async move { self.store.close(&window, connections).await }
            };
            stream::iter(&ended).map(close).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
            if all || began.elapsed() > LONGEST {
                return Ok(figures);
            }
        }
    }

    /// A window that is due, with all its counts; nothing where its digest was told a moment ago.
    async fn ended(&self, key: &WindowKey) -> Result<Option<Ended>, StoreError> {
        let Some(window) = self.store.whole(key).await?.filter(|window| window.item.due.is_some()) else {
            return Ok(None);
        };
        let Some(counts) = Counts::sum(window.batches.values()) else { return Ok(None) };
        let is_told = Owing::told(std::slice::from_ref(&window)).tells;
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
        let speaks = |one: &&Ended| {
            let Ended { window, counts, .. } = one;
            let raised = window.item.raiser.is_some();
            window.item.digested != Some(counts.connections)
                && !is_quiet(&known, &window.key(), counts, raised, now)
        };
        let telling: Vec<Ended> = ended.iter().filter(speaks).cloned().collect();
        let digests = digests(&telling, &self.config);
        figures.add_digests(ended.iter().map(Ended::suppressed_since).sum(), digests.len());
        let event = |digest| Event::new(source::ALERTS, "BlockedDigest", &digest);
        let events = digests.into_iter().map(event).collect::<Result<Vec<_>, _>>()?;
        if events.is_empty() { Ok(()) } else { Ok(self.bus.publish(&events).await?) }
    }
}
