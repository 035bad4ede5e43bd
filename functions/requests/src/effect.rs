//! What a request would change, for those who decide about it. What can't be found out is said, and holds up
//! nothing.

use std::collections::BTreeSet;

use egress::bus::Bus;
use egress::firewall::Firewall;
use egress::ledger::{BlockedCount, Ledger, LedgerError, MOST_BLOCKED};
use egress::lifecycle::Draft;
use egress::reconcile::would_fit;
use egress::risk::registrable;
use jiff::{SignedDuration, Timestamp};

use crate::Requests;

/// Of so many registrable domains it is looked up what was blocked: more than a person asks for at once.
const MOST_DOMAINS: usize = 20;

impl<F: Firewall, L: Ledger, B: Bus> Requests<F, L, B> {
    pub(crate) async fn find_effect(&self, draft: &mut Draft) {
        let (now, days) = ((self.now)(), self.rulebook.config.risk.days);
        let request = draft.request().clone();
        let names: BTreeSet<String> = request.domains.iter().map(registrable).collect();
        let (live, room, blocked) = tokio::join!(
            self.ledger.live_grants(),
            would_fit(&self.firewall, &self.ledger, now, &request),
            self.blocked(&names, now, days),
        );
        let assessment = draft.assessment_mut();
        if names.len() > MOST_DOMAINS {
            assessment.unknown.push(format!("what was blocked is looked up for {MOST_DOMAINS} domains only"));
        }
        match live {
            Ok(live) => assessment.covered(&live, &self.rulebook.config, request.extends.as_ref()),
            Err(error) => assessment.unknown.push(format!("what lets it pass already: {error}")),
        }
        match room {
            Ok(room) => assessment.room = Some(room),
            Err(error) => assessment.unknown.push(format!("whether its rules fit: {error}")),
        }
        match blocked {
            Ok((counts, all)) => {
                if !all {
                    let more =
                        format!("more was blocked than the last {MOST_BLOCKED} times that are counted here");
                    assessment.unknown.push(more);
                }
                for domain in &request.domains {
                    assessment.would_have_let_through(domain, &counts, days);
                }
            }
            Err(error) => assessment.unknown.push(format!("what was blocked before: {error}")),
        }
        for unknown in &assessment.unknown {
            tracing::warn!(request_id = %request.id, unknown, "an effect of the request could not be found out");
        }
    }

    /// What was blocked, and whether that is all.
    async fn blocked(
        &self,
        names: &BTreeSet<String>,
        now: Timestamp,
        days: u32,
    ) -> Result<(Vec<BlockedCount>, bool), LedgerError> {
        let since = now - SignedDuration::from_hours(24 * i64::from(days));
        let (mut counts, mut all) = (Vec::new(), true);
        for name in names.iter().take(MOST_DOMAINS) {
            let mut found = self.ledger.blocked(name, since).await?;
            all &= found.len() < MOST_BLOCKED;
            counts.append(&mut found);
        }
        Ok((counts, all))
    }
}
