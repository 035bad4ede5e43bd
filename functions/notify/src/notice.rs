//! The events that people hear of.

use egress::events::{
    AllowListChanged, DriftFound, Envelope, EventError, RequestStateChanged, TrafficBlocked, read_detail,
    source,
};
use serde_json::Value;

/// Something that people hear of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A request has come into a state.
    RequestStateChanged(Box<RequestStateChanged>),
    /// The firewall lets other domains pass than before.
    AllowListChanged(AllowListChanged),
    /// Somebody changed the firewall by hand.
    DriftFound(DriftFound),
    /// Connections were blocked.
    TrafficBlocked(Box<TrafficBlocked>),
}

impl Notice {
    /// Reads an event of the bus.
    pub fn read(event: Value) -> Result<Self, EventError> {
        let Envelope { source, detail_type, detail } =
            serde_json::from_value(event).map_err(EventError::Envelope)?;
        match (source.as_str(), detail_type.as_str()) {
            (source::REQUESTS, "RequestStateChanged") => {
                read_detail(&detail_type, detail).map(|it| Self::RequestStateChanged(Box::new(it)))
            }
            (source::REQUESTS, "AllowListChanged") => {
                read_detail(&detail_type, detail).map(Self::AllowListChanged)
            }
            (source::REQUESTS, "DriftFound") => read_detail(&detail_type, detail).map(Self::DriftFound),
            (source::ALERTS, "TrafficBlocked") => {
                read_detail(&detail_type, detail).map(|it| Self::TrafficBlocked(Box::new(it)))
            }
            _ => Err(EventError::Unknown { source_name: source, detail_type }),
        }
    }
}
