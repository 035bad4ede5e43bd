//! `Custom::FirewallEndpoints`: waits until a firewall is ready and answers its endpoint of each subnet,
//! in the order in which they were asked for. (CloudFormation's own `EndpointIds` have no order:
//! aws-cloudformation/cloudformation-coverage-roadmap issue 793.)
//!
//! Properties: `FirewallArn`, `SubnetIds`. Data: `Endpoint0`, `AvailabilityZone0`, `Endpoint1`, …, and
//! each endpoint by the name of its availability zone.

use std::collections::BTreeMap;

use aws_sdk_networkfirewall::Client;
use aws_sdk_networkfirewall::operation::describe_firewall::DescribeFirewallOutput;
use aws_sdk_networkfirewall::types::{self, AttachmentStatus, FirewallStatusValue, SyncState};

use super::{Never, Next, Problem, Resource};
use crate::protocol::answer::Done;
use crate::protocol::properties::PropertyError;
use crate::protocol::request::Request;

/// The endpoints that a request wants.
pub(crate) struct FirewallEndpoints {
    client: Client,
    wanted: Wanted,
}

#[derive(Debug)]
struct Wanted {
    firewall_arn: String,
    subnet_ids: Vec<String>,
}

/// A firewall, as far as it matters here.
#[derive(Debug)]
pub(crate) struct Firewall {
    ready: bool,
    /// The subnets that it is meant to have an endpoint in.
    subnets: Vec<String>,
    /// Its endpoints by subnet.
    attachments: BTreeMap<String, Attachment>,
}

#[derive(Debug)]
struct Attachment {
    availability_zone: String,
    endpoint_id: Option<String>,
    state: State,
    message: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ready,
    Coming,
    Failed,
}

impl FirewallEndpoints {
    pub(crate) fn new(request: &Request, client: Client) -> Result<Self, PropertyError> {
        let firewall_arn = request.properties.text("FirewallArn")?;
        let subnet_ids = request.properties.texts("SubnetIds")?;
        Ok(Self { client, wanted: Wanted { firewall_arn, subnet_ids } })
    }
}

impl Resource for FirewallEndpoints {
    type World = Firewall;
    type State = ();
    type Act = Never;

    async fn look(&self, (): &()) -> Result<Firewall, Problem> {
        let answer = self.client.describe_firewall().firewall_arn(&self.wanted.firewall_arn).send().await;
        answer.map(|output| Firewall::read(&output)).map_err(|error| Problem::of("DescribeFirewall", &error))
    }

    fn next(&self, (): &mut (), world: &Firewall) -> Next<Never> {
        self.wanted.next(world)
    }

    async fn act(&self, act: Never) -> Result<(), Problem> {
        match act {}
    }
}

impl Wanted {
    fn next(&self, firewall: &Firewall) -> Next<Never> {
        let mut data = Vec::new();
        let mut waiting = (!firewall.ready).then(|| format!("{} is not ready yet", self.firewall_arn));
        for (index, subnet) in self.subnet_ids.iter().enumerate() {
            match firewall.endpoint(subnet) {
                Ok(Some((zone, endpoint))) => {
                    data.push((format!("Endpoint{index}"), endpoint.to_owned()));
                    data.push((format!("AvailabilityZone{index}"), zone.to_owned()));
                    data.push((zone.to_owned(), endpoint.to_owned()));
                }
                Ok(None) => waiting = Some(format!("the firewall's endpoint in {subnet} is not ready yet")),
                Err(reason) => return Next::Failed(reason),
            }
        }
        match waiting {
            Some(what) => Next::Wait(what),
            None => Next::Done(Done { data, ..Done::default() }),
        }
    }
}

impl Firewall {
    /// The zone and the id of the endpoint in a subnet, once it is ready; an error when it never will be.
    fn endpoint(&self, subnet: &str) -> Result<Option<(&str, &str)>, String> {
        let Some(attachment) = self.attachments.get(subnet) else {
            let never = self.ready && !self.subnets.iter().any(|known| known == subnet);
            return if never { Err(self.not_there(subnet)) } else { Ok(None) };
        };
        match (attachment.state, &attachment.endpoint_id) {
            (State::Ready, Some(id)) => Ok(Some((&attachment.availability_zone, id))),
            (State::Ready | State::Coming, _) => Ok(None),
            (State::Failed, _) => {
                let cause = attachment.message.as_deref().unwrap_or("AWS gives no reason");
                Err(format!("the firewall's endpoint in {subnet} has failed: {cause}"))
            }
        }
    }

    fn not_there(&self, subnet: &str) -> String {
        let known = if self.subnets.is_empty() { "none".to_owned() } else { self.subnets.join(", ") };
        format!("the firewall has no endpoint in {subnet}: its subnets are {known}")
    }

    fn read(output: &DescribeFirewallOutput) -> Self {
        let mappings = output.firewall().map(types::Firewall::subnet_mappings).unwrap_or_default();
        let status = output.firewall_status();
        let sync_states = status.and_then(|status| status.sync_states());
        Self {
            ready: status.is_some_and(|status| *status.status() == FirewallStatusValue::Ready),
            subnets: mappings.iter().map(|mapping| mapping.subnet_id().to_owned()).collect(),
            attachments: sync_states.into_iter().flatten().filter_map(Attachment::read).collect(),
        }
    }
}

impl Attachment {
    /// What a firewall has in an availability zone, with the subnet.
    fn read((zone, state): (&String, &SyncState)) -> Option<(String, Self)> {
        let attachment = state.attachment()?;
        let state = match attachment.status()? {
            // A scaling endpoint goes on to serve.
            AttachmentStatus::Ready | AttachmentStatus::Scaling => State::Ready,
            AttachmentStatus::Failed | AttachmentStatus::Error => State::Failed,
            _ => State::Coming,
        };
        let read = Self {
            availability_zone: zone.clone(),
            endpoint_id: attachment.endpoint_id().map(ToOwned::to_owned),
            state,
            message: attachment.status_message().map(ToOwned::to_owned),
        };
        Some((attachment.subnet_id()?.to_owned(), read))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(subnets: &[&str]) -> Wanted {
        let subnet_ids = subnets.iter().map(|subnet| (*subnet).to_owned()).collect();
        Wanted { firewall_arn: "arn:firewall".to_owned(), subnet_ids }
    }

    fn firewall(ready: bool, attachments: &[(&str, &str, State)]) -> Firewall {
        let attachment = |&(subnet, zone, state): &(&str, &str, State)| {
            let (endpoint_id, message) = (Some(format!("vpce-{zone}")), Some("no free address".to_owned()));
            (
                subnet.to_owned(),
                Attachment { availability_zone: zone.to_owned(), endpoint_id, state, message },
            )
        };
        Firewall {
            ready,
            subnets: vec!["subnet-1".to_owned(), "subnet-2".to_owned()],
            attachments: attachments.iter().map(attachment).collect(),
        }
    }

    const BOTH: [(&str, &str, State); 2] =
        [("subnet-1", "eu-west-1b", State::Ready), ("subnet-2", "eu-west-1a", State::Ready)];

    #[test]
    fn endpoints_are_answered_in_the_order_of_the_subnets_and_by_zone() {
        let Next::Done(done) = wanted(&["subnet-2", "subnet-1"]).next(&firewall(true, &BOTH)) else {
            panic!()
        };
        let data: Vec<_> = done.data.iter().map(|(name, value)| format!("{name}={value}")).collect();
        insta::assert_snapshot!(data.join(" "), @"Endpoint0=vpce-eu-west-1a AvailabilityZone0=eu-west-1a eu-west-1a=vpce-eu-west-1a Endpoint1=vpce-eu-west-1b AvailabilityZone1=eu-west-1b eu-west-1b=vpce-eu-west-1b");
    }

    #[test]
    fn a_firewall_and_each_endpoint_is_waited_for() {
        let coming = [BOTH[0], ("subnet-2", "eu-west-1a", State::Coming)];
        for world in [firewall(false, &BOTH), firewall(true, &coming), firewall(true, &BOTH[..1])] {
            let next = wanted(&["subnet-1", "subnet-2"]).next(&world);
            assert!(matches!(next, Next::Wait(_)), "{next:?}");
        }
    }

    #[test]
    fn an_endpoint_that_failed_says_why() {
        let world = firewall(false, &[("subnet-1", "eu-west-1b", State::Failed)]);
        let reason = "the firewall's endpoint in subnet-1 has failed: no free address".to_owned();
        assert_eq!(wanted(&["subnet-1"]).next(&world), Next::Failed(reason));
    }

    #[test]
    fn a_subnet_of_another_firewall_is_not_waited_for() {
        let reason =
            "the firewall has no endpoint in subnet-9: its subnets are subnet-1, subnet-2".to_owned();
        assert_eq!(wanted(&["subnet-9"]).next(&firewall(true, &BOTH)), Next::Failed(reason));
    }
}
