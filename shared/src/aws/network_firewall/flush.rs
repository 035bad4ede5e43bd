//! Ending open connections: AWS calls it flushing flows from the firewall's state table.
//!
//! An operation is for one availability zone: with the zone it covers the firewall's endpoint there and all
//! that are associated with it
//! (<https://docs.aws.amazon.com/network-firewall/latest/developerguide/flow-operations-flush.html>). A
//! firewall takes one at a time in each zone
//! (<https://docs.aws.amazon.com/network-firewall/latest/developerguide/firewall-flow-operations.html>).

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use aws_sdk_networkfirewall::error::BuildError;
use aws_sdk_networkfirewall::operation::start_flow_flush::StartFlowFlushOutput;
use aws_sdk_networkfirewall::types::{Address, FlowFilter, FlowOperationStatus};
use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use super::{NetworkFirewall, with_causes};
use crate::firewall::{FLOWS_AT_ONCE, FirewallError, Flow};

/// How long it is waited for operations that have to end before the next can begin, in all.
const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// How long an operation is tried to be started, since others' may be running.
const OTHERS_WAIT: Duration = Duration::from_secs(30);
/// The pause between two looks at an operation.
const PAUSE: Duration = Duration::from_secs(1);

/// Begins to end these connections in every zone. That it is done isn't waited for, except where there are
/// more of them than one operation takes.
pub(super) async fn flush(aws: &NetworkFirewall, flows: &[Flow]) -> Result<(), FirewallError> {
    if flows.is_empty() {
        return Ok(());
    }
    let filters = filters(flows).map_err(|error| unavailable(error.to_string()))?;
    let status = aws.describe_firewall().await?.firewall_status;
    let zones = status.and_then(|status| status.sync_states).unwrap_or_default();
    if zones.is_empty() {
        return Err(unavailable("it has no endpoint in any availability zone"));
    }
    let end = Instant::now() + LONGEST_WAIT;
    // A zone in which it fails keeps no other from it.
    join_all(zones.keys().map(|zone| flush_zone(aws, zone, &filters, end))).await.into_iter().collect()
}

/// One filter for each connection; of more than one operation takes, one for each source and port, or for each
/// destination and port, whichever are fewer. What else goes from or to there ends with them, and comes again
/// where it is still allowed.
fn filters(flows: &[Flow]) -> Result<Vec<FlowFilter>, BuildError> {
    type Named = BTreeSet<(Option<IpAddr>, Option<IpAddr>, u16)>;
    let exact: Named =
        flows.iter().map(|flow| (Some(flow.source), Some(flow.destination), flow.port)).collect();
    let chosen = if exact.len() <= FLOWS_AT_ONCE {
        exact
    } else {
        let sources: Named = flows.iter().map(|flow| (Some(flow.source), None, flow.port)).collect();
        let destinations: Named =
            flows.iter().map(|flow| (None, Some(flow.destination), flow.port)).collect();
        if sources.len() <= destinations.len() { sources } else { destinations }
    };
    let filter = |(source, destination, port): (Option<IpAddr>, Option<IpAddr>, u16)| {
        let filter = FlowFilter::builder().destination_port(port.to_string());
        let filter = filter.set_source_address(source.map(address).transpose()?);
        Ok(filter.set_destination_address(destination.map(address).transpose()?).build())
    };
    chosen.into_iter().map(filter).collect()
}

/// An address as the block that it is alone in: AWS takes blocks.
fn address(address: IpAddr) -> Result<Address, BuildError> {
    let bits = if address.is_ipv4() { 32 } else { 128 };
    Address::builder().address_definition(format!("{address}/{bits}")).build()
}

async fn flush_zone(
    aws: &NetworkFirewall,
    zone: &str,
    filters: &[FlowFilter],
    end: Instant,
) -> Result<(), FirewallError> {
    let mut running: Option<String> = None;
    for batch in filters.chunks(FLOWS_AT_ONCE) {
        if let Some(operation) = running {
            wait_for(aws, zone, &operation, end).await?;
        }
        let answer = start(aws, zone, batch).await?;
        if answer.flow_operation_status == Some(FlowOperationStatus::Failed) {
            return Err(unavailable(format!("in {zone} the connections could not be ended")));
        }
        running = answer.flow_operation_id;
    }
    Ok(())
}

/// Starts an operation; where that is refused, again for some seconds: others' may be running in the zone.
async fn start(
    aws: &NetworkFirewall,
    zone: &str,
    filters: &[FlowFilter],
) -> Result<StartFlowFlushOutput, FirewallError> {
    let end = Instant::now() + OTHERS_WAIT;
    loop {
        let request = aws.client.start_flow_flush().firewall_arn(&aws.firewall_arn);
        let request = request.availability_zone(zone).set_flow_filters(Some(filters.to_vec()));
        match request.send().await {
            Ok(answer) => return Ok(answer),
            Err(error) if Instant::now() + PAUSE < end => {
                tracing::info!(zone, error = with_causes(&error), "an operation could not be started yet");
                sleep(PAUSE).await;
            }
            Err(error) => return Err(unavailable(with_causes(&error))),
        }
    }
}

/// Waits until an operation is done, so that the next can begin.
async fn wait_for(
    aws: &NetworkFirewall,
    zone: &str,
    operation: &str,
    end: Instant,
) -> Result<(), FirewallError> {
    loop {
        let request = aws.client.describe_flow_operation().firewall_arn(&aws.firewall_arn);
        let request = request.availability_zone(zone).flow_operation_id(operation);
        let answer = request.send().await.map_err(|error| unavailable(with_causes(&error)))?;
        match answer.flow_operation_status {
            Some(FlowOperationStatus::Completed) => return Ok(()),
            None | Some(FlowOperationStatus::InProgress) if Instant::now() + PAUSE < end => {
                sleep(PAUSE).await;
            }
            None | Some(FlowOperationStatus::InProgress) => {
                let seconds = LONGEST_WAIT.as_secs();
                return Err(unavailable(format!(
                    "in {zone} it has taken more than {seconds} seconds to end the first of the connections"
                )));
            }
            Some(status) => {
                let why = answer.status_message.unwrap_or_default();
                return Err(unavailable(format!(
                    "in {zone} not all connections could be ended: {status} {why}"
                )));
            }
        }
    }
}

/// Trying again may help: AWS takes one operation at a time, and others may have begun one.
fn unavailable(what: impl Into<String>) -> FirewallError {
    FirewallError::Unavailable(what.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A filter as `source → destination:port`.
    fn shown(flows: impl IntoIterator<Item = (String, &'static str, u16)>) -> Vec<String> {
        let flow = |(source, destination, port): (String, &str, u16)| Flow {
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
            port,
        };
        let flows: Vec<Flow> = flows.into_iter().map(flow).collect();
        let address =
            |address: Option<&Address>| address.map_or("any", Address::address_definition).to_owned();
        let shown = |filter: &FlowFilter| {
            let (source, destination) =
                (address(filter.source_address()), address(filter.destination_address()));
            format!("{source} → {destination}:{}", filter.destination_port().unwrap())
        };
        filters(&flows).unwrap().iter().map(shown).collect()
    }

    #[test]
    fn few_connections_are_named_each_once() {
        let flows = [
            ("10.2.3.4".to_owned(), "192.0.2.1", 443),
            ("2001:db8::1".to_owned(), "2001:db8::2", 80),
            ("10.2.3.4".to_owned(), "192.0.2.1", 443),
        ];
        assert_eq!(shown(flows), ["10.2.3.4/32 → 192.0.2.1/32:443", "2001:db8::1/128 → 2001:db8::2/128:80"]);
    }

    #[test]
    fn of_many_only_where_they_come_from_or_go_is_named_whichever_are_fewer() {
        let sources = (1..=21).map(|host| (format!("10.2.3.{host}"), "192.0.2.1", 443));
        assert_eq!(shown(sources), ["any → 192.0.2.1/32:443"]);
        let ports = (1..=21).flat_map(|port| {
            [("10.2.3.4".to_owned(), "192.0.2.1", port), ("10.2.3.4".to_owned(), "192.0.2.2", port)]
        });
        let shown = shown(ports);
        assert_eq!((shown.len(), shown.first().unwrap().as_str()), (21, "10.2.3.4/32 → any:1"));
    }
}
