//! The edges' AWS implementations, one module for each service.

mod dynamodb;
mod eventbridge;
mod network_firewall;

pub use dynamodb::DynamoLedger;
pub use eventbridge::EventBridgeBus;
pub use network_firewall::NetworkFirewall;

use aws_config::{BehaviorVersion, SdkConfig};

/// The configuration of every AWS client, from the environment (Region, credentials, and
/// `AWS_ENDPOINT_URL` for a local AWS): load it once, so that clients share their connections.
pub async fn sdk_config() -> SdkConfig {
    aws_config::defaults(BehaviorVersion::v2026_01_12()).load().await
}

/// An SDK error with all its causes, on one line: the SDK's own `Display` is only `service error`.
fn with_causes<E: std::error::Error>(error: &E) -> String {
    aws_sdk_dynamodb::error::DisplayErrorContext(error).to_string()
}
