//! What an hour costs by the list prices of us-east-1, without free tiers, as read in November 2026.
//!
//! What the firewall itself costs, its log's way into CloudWatch Logs included, comes on top of that with or without
//! alerts.

/// Of a million write units and of a million read units, on demand. <https://aws.amazon.com/dynamodb/pricing/on-demand/>
const WRITE_UNITS: f64 = 0.625;
const READ_UNITS: f64 = 0.125;
/// Of a million invocations, and of a GB for a second on arm64. <https://aws.amazon.com/lambda/pricing/>
const INVOCATIONS: f64 = 0.20;
const GB_SECOND: f64 = 0.000_013_333_4;
/// Of a million custom events, each of up to 64 KB. <https://aws.amazon.com/eventbridge/pricing/>
const EVENTS: f64 = 1.00;
/// The function's memory, in GB (infra/alerts.yaml).
const MEMORY: f64 = 0.5;

/// What it costs, in dollars.
pub(crate) struct Price {
    pub(crate) writes: f64,
    pub(crate) reads: f64,
    pub(crate) lambda: f64,
    pub(crate) events: f64,
}

impl Price {
    /// Of units, events, invocations, and how long those took in all.
    pub(crate) fn of(writes: f64, reads: f64, events: f64, invocations: f64, seconds: f64) -> Self {
        const MILLION: f64 = 1_000_000.0;
        Self {
            writes: writes / MILLION * WRITE_UNITS,
            reads: reads / MILLION * READ_UNITS,
            lambda: invocations / MILLION * INVOCATIONS + seconds * MEMORY * GB_SECOND,
            events: events / MILLION * EVENTS,
        }
    }

    /// All of it.
    pub(crate) fn sum(&self) -> f64 {
        self.writes + self.reads + self.lambda + self.events
    }
}
