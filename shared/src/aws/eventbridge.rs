//! The bus on Amazon EventBridge.

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;

use super::with_causes;
use crate::bus::{Bus, BusError, Event};

/// Events that `PutEvents` takes in one call
/// (<https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html>).
const MOST_ENTRIES: usize = 10;

/// The stack's event bus.
#[derive(Debug, Clone)]
pub struct EventBridgeBus {
    client: Client,
    name: String,
}

impl EventBridgeBus {
    /// The bus of this name or ARN.
    pub fn new(client: Client, name: String) -> Self {
        Self { client, name }
    }

    fn entry(&self, event: &Event) -> PutEventsRequestEntry {
        PutEventsRequestEntry::builder()
            .event_bus_name(&self.name)
            .source(&event.source)
            .detail_type(&event.detail_type)
            .detail(event.detail.to_string())
            .build()
    }
}

impl Bus for EventBridgeBus {
    async fn publish(&self, events: &[Event]) -> Result<(), BusError> {
        let (mut failed, mut reason) = (Vec::new(), String::new());
        for (batch, events) in events.chunks(MOST_ENTRIES).enumerate() {
            let entries = events.iter().map(|event| self.entry(event)).collect();
            let answer = self.client.put_events().set_entries(Some(entries)).send().await;
            let refused: Vec<(usize, String)> = match answer {
                Err(error) => (0..events.len()).map(|place| (place, with_causes(&error))).collect(),
                Ok(answer) => answer
                    .entries()
                    .iter()
                    .enumerate()
                    .filter_map(|(place, entry)| {
                        Some((
                            place,
                            format!("{}: {}", entry.error_code()?, entry.error_message().unwrap_or_default()),
                        ))
                    })
                    .collect(),
            };
            for (place, why) in refused {
                failed.push(batch * MOST_ENTRIES + place);
                if reason.is_empty() {
                    reason = why;
                }
            }
        }
        match failed.len() {
            0 => Ok(()),
            all if all == events.len() => Err(BusError::Unavailable(reason)),
            _ => Err(BusError::Partly { failed, reason }),
        }
    }
}
