//! An event that can't be taken is kept, and told of; it is never tried again.

use egress::bus::{Bus, Event};
use egress::events::{self, EventRefused, Sender};
use egress::firewall::Firewall;
use egress::ledger::{Ledger, OutboxEntry, RefusedEvent};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::work::Work;
use crate::{Firewalled, Requests, RequestsError};

/// How much of an event is kept, in characters.
const KEPT: usize = 8_000;
/// How much of the reason is told and kept, in characters: it can quote the event.
const LONGEST_REASON: usize = 1_000;
/// How much of a field's name, in characters: it can be any that the sender has thought of.
const LONGEST_FIELD: usize = 256;
/// The longest `detail-type` (`PutEvents` takes no longer one).
const LONGEST_TYPE: usize = 128;

impl<F: Firewall, L: Ledger, B: Bus> Requests<F, L, B> {
    pub(crate) async fn refuse(
        &self,
        event: &Value,
        reason: &str,
        field: Option<String>,
        work: &mut Work,
    ) -> Result<Firewalled, RequestsError> {
        let reason: String = reason.chars().take(LONGEST_REASON).collect();
        let field = field.map(|field| field.chars().take(LONGEST_FIELD).collect());
        tracing::warn!(reason, "an event was refused");
        // The bus's time where there is one: so every delivery of the event is told of in the same words.
        let now = (self.now)();
        let at = events::sent_at(event, now).unwrap_or(now);
        let text = event.to_string();
        let digest = hex::encode(Sha256::digest(text.as_bytes()));
        let Sender { by, reply_to, .. } = Sender::of(event);
        let detail_type = event.get("detail-type").and_then(Value::as_str).unwrap_or_default();
        let told = EventRefused {
            version: events::VERSION,
            event_id: format!("refused.{digest}"),
            at,
            detail_type: detail_type.chars().take(LONGEST_TYPE).collect(),
            reason: reason.clone(),
            field,
            by,
            reply_to,
        };
        let entry = OutboxEntry {
            id: told.event_id.clone(),
            at,
            event: Event::new(events::source::REQUESTS, "EventRefused", &told)?,
        };
        let event = text.chars().take(KEPT).collect();
        let refused = RefusedEvent { id: digest, at, reason: reason.clone(), event };
        self.ledger.refuse(&refused, &entry).await?;
        work.unpublished.push(entry);
        work.outcome.refused = Some(reason);
        Ok(Firewalled::Untouched)
    }
}
