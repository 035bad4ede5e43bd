//! What EC2 is asked: which interfaces have these addresses, and whose security groups these are.

use std::future::Future;
use std::net::Ipv4Addr;

use egress::aws::ec2::{Ec2, Element};
use egress::aws::signed::CallError;
use egress::owner::{DOMAIN_TAG, USER_TAG};

use super::rules::{Groups, Interface, Profile};

/// The most values that the filters of one call may have together are 200 (EC2 refuses more with
/// `FilterLimitExceeded`); one of them is the VPC.
pub(super) const MOST_VALUES: usize = 199;

const MANAGED_TAG: &str = "ManagedByAmazonSageMakerResource";

/// The network, as EC2 shows it.
pub trait Network {
    /// The interfaces in a VPC that have one of these addresses, of which there are at most 199.
    fn interfaces(
        &self,
        vpc: &str,
        addresses: &[Ipv4Addr],
    ) -> impl Future<Output = Result<Vec<Interface>, CallError>> + Send;

    /// Whose these security groups are, of which there are at most 199. What is gone is not in the answer.
    fn groups(&self, ids: &[String]) -> impl Future<Output = Result<Groups, CallError>> + Send;
}

impl Network for Ec2 {
    async fn interfaces(&self, vpc: &str, addresses: &[Ipv4Addr]) -> Result<Vec<Interface>, CallError> {
        let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        let filters = [("vpc-id", &[vpc.to_owned()][..]), ("addresses.private-ip-address", &addresses)];
        self.list("DescribeNetworkInterfaces", "networkInterfaceSet", &filters, interface).await
    }

    async fn groups(&self, ids: &[String]) -> Result<Groups, CallError> {
        let groups =
            self.list("DescribeSecurityGroups", "securityGroupInfo", &[("group-id", ids)], group).await?;
        Ok(groups.into_iter().collect())
    }
}

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_NetworkInterface.html>
fn interface(item: Element<'_, '_>) -> Option<Interface> {
    let address = |one: Element<'_, '_>| {
        let address = one.text("privateIpAddress")?.parse().ok()?;
        Some((address, one.text("primary").as_deref() == Some("true")))
    };
    Some(Interface {
        id: item.text("networkInterfaceId")?,
        addresses: item.items("privateIpAddressesSet").filter_map(address).collect(),
        attached_at: item
            .child("attachment")
            .and_then(|attachment| attachment.text("attachTime")?.parse().ok()),
        description: item.text("description").unwrap_or_default(),
        managed_by: tag(item, MANAGED_TAG),
        groups: item.items("groupSet").filter_map(|group| group.text("groupId")).collect(),
    })
}

fn group(item: Element<'_, '_>) -> Option<(String, Option<Profile>)> {
    let profile = tag(item, DOMAIN_TAG).zip(tag(item, USER_TAG));
    Some((item.text("groupId")?, profile.map(|(domain, name)| Profile { domain, name })))
}

fn tag(item: Element<'_, '_>, key: &str) -> Option<String> {
    let tag = item.items("tagSet").find(|tag| tag.text("key").as_deref() == Some(key))?;
    tag.text("value").filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use egress::aws::ec2::page;

    use super::super::rules::owner_of;
    use super::*;

    // As in EC2's API reference, shortened; the description and the tag as they were seen.
    const INTERFACES: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
        <DescribeNetworkInterfacesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
          <requestId>fc45294c-006b-457b-bab9-012f5b3b0e40</requestId>
          <networkInterfaceSet>
            <item>
              <networkInterfaceId>eni-0f62d866</networkInterfaceId>
              <subnetId>subnet-c53c87ac</subnetId><vpcId>vpc-cc3c87a5</vpcId>
              <description>[DO NOT DELETE] ENI managed by SageMaker for Studio Domain(d-1) - a09d79</description>
              <requesterManaged>true</requesterManaged><status>in-use</status>
              <privateIpAddress>10.2.3.10</privateIpAddress>
              <groupSet>
                <item><groupId>sg-1</groupId><groupName>studio-user-d-1-alice</groupName></item>
                <item><groupId>sg-2</groupId><groupName>outbound nfs</groupName></item>
              </groupSet>
              <attachment>
                <attachmentId>eni-attach-6537fc0c</attachmentId><instanceOwnerId>053230519467</instanceOwnerId>
                <status>attached</status><attachTime>2026-05-14T09:01:22.000Z</attachTime>
              </attachment>
              <tagSet><item>
                <key>ManagedByAmazonSageMakerResource</key>
                <value>arn:aws:sagemaker:eu-west-1:1:node/d-1/alice/ml.t3.medium-jupyterlab</value>
              </item></tagSet>
              <privateIpAddressesSet>
                <item><privateIpAddress>10.2.3.10</privateIpAddress><primary>true</primary></item>
                <item><privateIpAddress>10.2.3.11</privateIpAddress><primary>false</primary></item>
              </privateIpAddressesSet>
            </item>
            <item>
              <networkInterfaceId>eni-1</networkInterfaceId><description/><status>available</status>
              <privateIpAddressesSet><item><privateIpAddress>10.2.3.12</privateIpAddress><primary>true</primary></item></privateIpAddressesSet>
            </item>
          </networkInterfaceSet>
        </DescribeNetworkInterfacesResponse>"#;

    #[test]
    fn an_interface_is_read_with_its_addresses_groups_and_attachment() {
        let (interfaces, _) = page(INTERFACES, "networkInterfaceSet", interface).unwrap();
        let [studios, other] = &interfaces[..] else { panic!("{interfaces:?}") };
        let (first, second) = (Ipv4Addr::new(10, 2, 3, 10), Ipv4Addr::new(10, 2, 3, 11));
        let expected = Interface {
            id: "eni-0f62d866".to_owned(),
            addresses: vec![(first, true), (second, false)],
            attached_at: Some("2026-05-14T09:01:22Z".parse().unwrap()),
            description: "[DO NOT DELETE] ENI managed by SageMaker for Studio Domain(d-1) - a09d79"
                .to_owned(),
            managed_by: Some(
                "arn:aws:sagemaker:eu-west-1:1:node/d-1/alice/ml.t3.medium-jupyterlab".to_owned(),
            ),
            groups: vec!["sg-1".to_owned(), "sg-2".to_owned()],
        };
        assert_eq!(studios, &expected);
        assert_eq!((other.attached_at, other.managed_by.as_ref(), other.groups.len()), (None, None, 0));
    }

    #[test]
    fn a_group_is_somebodys_when_it_has_both_tags() {
        let tags = |tags: &[(&str, &str)]| {
            let tag =
                |(key, value): &(&str, &str)| format!("<item><key>{key}</key><value>{value}</value></item>");
            let tags: String = tags.iter().map(tag).collect();
            let body = format!(
                "<r><securityGroupInfo><item><groupId>sg-1</groupId><tagSet>{tags}</tagSet></item></securityGroupInfo></r>"
            );
            page(&body, "securityGroupInfo", group).unwrap().0.pop().unwrap().1
        };
        let (domain, name) = ("studio-egress:domain", "studio-egress:user-profile");
        let alice = Profile { domain: "d-1".to_owned(), name: "Alice".to_owned() };
        assert_eq!(tags(&[("Name", "x"), (name, "Alice"), (domain, "d-1")]), Some(alice));
        for others in [&[(domain, "d-1")][..], &[(name, "Alice")], &[(domain, "d-1"), (name, "")], &[]] {
            assert_eq!(tags(others), None);
        }
    }

    #[test]
    fn what_somebody_wrote_can_t_hide_others_and_is_shown_escaped() {
        // XML has no way to write these characters, and whoever writes it may not know.
        let description = format!("&#x1;\u{1b}[31m&#8238;&lt;b&gt;{}", "x".repeat(100_000));
        let hostile =
            INTERFACES.replace("<description/>", &format!("<description>{description}</description>"));
        let (interfaces, _) = page(&hostile, "networkInterfaceSet", interface).unwrap();
        let owners: Vec<_> = interfaces.iter().map(|one| owner_of(one, &Groups::new()).to_string()).collect();
        assert_eq!(owners[0], "space or user profile alice in d-1");
        assert!(
            owners[1].starts_with("interface eni-1 (\u{fffd}\u{fffd}[31m<U+202E><b>xxx"),
            "{}",
            owners[1]
        );
        assert_eq!(owners[1].chars().count(), "interface eni-1 ()".len() + 255);
    }
}
