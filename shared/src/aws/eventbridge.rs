//! The bus on Amazon EventBridge.

use std::ops::Range;

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;

use super::with_causes;
use crate::bus::{Bus, BusError, Event};

/// Events that `PutEvents` takes in one call
/// (<https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html>).
const MOST_ENTRIES: usize = 10;

/// Bytes that it takes in one call: a quarter of a MiB in the Regions with the lowest limit, less what the
/// envelope of each entry takes
/// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html>).
const MOST_BYTES: usize = 240_000;

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
        let entries: Vec<PutEventsRequestEntry> = events.iter().map(|event| self.entry(event)).collect();
        for range in batches(&entries) {
            let (first, entries) = (range.start, entries.get(range).unwrap_or_default().to_vec());
            let count = entries.len();
            let answer = self.client.put_events().set_entries(Some(entries)).send().await;
            let refused: Vec<(usize, String)> = match answer {
                Err(error) => (0..count).map(|place| (place, with_causes(&error))).collect(),
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
                failed.push(first + place);
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

/// Which entries go together: as many as one call takes, by their number and by their bytes.
fn batches(entries: &[PutEventsRequestEntry]) -> Vec<Range<usize>> {
    let mut batches: Vec<Range<usize>> = Vec::new();
    let mut bytes = 0;
    for (place, entry) in entries.iter().enumerate() {
        let size =
            [entry.source(), entry.detail_type(), entry.detail()].into_iter().flatten().map(str::len).sum();
        match batches.last_mut() {
            Some(last) if last.len() < MOST_ENTRIES && bytes + size <= MOST_BYTES => {
                last.end = place + 1;
                bytes += size;
            }
            _ => {
                batches.push(place..place + 1);
                bytes = size;
            }
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(sizes: &[usize]) -> Vec<PutEventsRequestEntry> {
        let entry = |size: &usize| PutEventsRequestEntry::builder().detail("x".repeat(*size)).build();
        sizes.iter().map(entry).collect()
    }

    #[test]
    fn a_call_has_at_most_ten_entries_and_its_bytes() {
        assert!(batches(&entries(&[])).is_empty());
        assert_eq!(batches(&entries(&[1; 21])), [0..10, 10..20, 20..21]);
        assert_eq!(batches(&entries(&[100_000, 100_000, 100_000, 10])), [0..2, 2..4]);
        assert_eq!(batches(&entries(&[300_000, 300_000])), [0..1, 1..2], "what is too large goes alone");
    }
}
