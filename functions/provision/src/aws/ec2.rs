//! EC2: security groups and network interfaces.

use std::collections::BTreeMap;

use egress::aws::ec2::{Element, Filter, numbered};
use egress::aws::signed::{CallError, Signed};

/// The service.
#[derive(Debug, Clone)]
pub(crate) struct Ec2(egress::aws::ec2::Ec2);

/// A security group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SecurityGroup {
    pub(crate) id: String,
    /// Whether anything is let in, or out.
    pub(crate) has_rules: bool,
    /// Whether anything is let in.
    pub(crate) lets_in: bool,
    pub(crate) tags: BTreeMap<String, String>,
}

/// A rule of a security group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) id: String,
    pub(crate) egress: bool,
}

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Interface {
    pub(crate) id: String,
    pub(crate) description: String,
}

impl Ec2 {
    pub(crate) fn new(signed: Signed) -> Self {
        Self(egress::aws::ec2::Ec2::new(signed))
    }

    /// The security groups that every filter lets through.
    pub(crate) async fn security_groups(
        &self,
        filters: &[Filter<'_>],
    ) -> Result<Vec<SecurityGroup>, CallError> {
        self.0.list("DescribeSecurityGroups", "securityGroupInfo", filters, SecurityGroup::read).await
    }

    /// The rules of a security group.
    pub(crate) async fn rules(&self, group: &str) -> Result<Vec<Rule>, CallError> {
        let filters = [("group-id", &[group.to_owned()][..])];
        self.0.list("DescribeSecurityGroupRules", "securityGroupRuleSet", &filters, Rule::read).await
    }

    /// The network interfaces that every filter lets through.
    pub(crate) async fn interfaces(&self, filters: &[Filter<'_>]) -> Result<Vec<Interface>, CallError> {
        self.0.list("DescribeNetworkInterfaces", "networkInterfaceSet", filters, Interface::read).await
    }

    /// Makes a security group in a VPC. It lets everything out and nothing in.
    pub(crate) async fn create_security_group(
        &self,
        vpc: &str,
        name: &str,
        description: &str,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), CallError> {
        let mut form = vec![
            ("GroupName".to_owned(), name.to_owned()),
            ("GroupDescription".to_owned(), description.to_owned()),
            ("VpcId".to_owned(), vpc.to_owned()),
            ("TagSpecification.1.ResourceType".to_owned(), "security-group".to_owned()),
        ];
        form.extend(tag_form("TagSpecification.1.Tag", tags));
        self.0.call("CreateSecurityGroup", form).await.map(drop)
    }

    /// Lets TCP within a security group in, from one port to another.
    pub(crate) async fn let_in_within(&self, group: &str, ports: (u16, u16)) -> Result<(), CallError> {
        let (first, last) = ports;
        // On the wire the pairs of the SDKs' `UserIdGroupPairs` are `Groups`.
        let pairs = [
            ("GroupId", group.to_owned()),
            ("IpPermissions.1.IpProtocol", "tcp".to_owned()),
            ("IpPermissions.1.FromPort", first.to_string()),
            ("IpPermissions.1.ToPort", last.to_string()),
            ("IpPermissions.1.Groups.1.GroupId", group.to_owned()),
        ];
        let form = pairs.map(|(name, value)| (name.to_owned(), value)).into();
        self.0.call("AuthorizeSecurityGroupIngress", form).await.map(drop)
    }

    /// Gives a resource tags, beside those it has and in place of those of the same keys.
    pub(crate) async fn tag(&self, id: &str, tags: &BTreeMap<String, String>) -> Result<(), CallError> {
        let mut form = vec![("ResourceId.1".to_owned(), id.to_owned())];
        form.extend(tag_form("Tag", tags));
        self.0.call("CreateTags", form).await.map(drop)
    }

    /// Takes tags from a resource.
    pub(crate) async fn untag(&self, id: &str, keys: &[String]) -> Result<(), CallError> {
        let mut form = vec![("ResourceId.1".to_owned(), id.to_owned())];
        form.extend((1..).zip(keys).map(|(index, key): (u32, _)| (format!("Tag.{index}.Key"), key.clone())));
        self.0.call("DeleteTags", form).await.map(drop)
    }

    /// Takes rules out of a security group, all of one direction.
    pub(crate) async fn revoke(&self, group: &str, egress: bool, rules: &[String]) -> Result<(), CallError> {
        let action = if egress { "RevokeSecurityGroupEgress" } else { "RevokeSecurityGroupIngress" };
        let mut form = vec![("GroupId".to_owned(), group.to_owned())];
        form.extend(numbered("SecurityGroupRuleId", rules));
        self.0.call(action, form).await.map(drop)
    }

    /// Deletes a security group.
    pub(crate) async fn delete_security_group(&self, group: &str) -> Result<(), CallError> {
        self.0.call("DeleteSecurityGroup", vec![("GroupId".to_owned(), group.to_owned())]).await.map(drop)
    }
}

impl SecurityGroup {
    fn read(item: Element<'_, '_>) -> Option<Self> {
        let has = |set| item.items(set).next().is_some();
        let tag = |tag: Element<'_, '_>| Some((tag.text("key")?, tag.text("value").unwrap_or_default()));
        Some(Self {
            id: item.text("groupId")?,
            has_rules: has("ipPermissions") || has("ipPermissionsEgress"),
            lets_in: has("ipPermissions"),
            tags: item.items("tagSet").filter_map(tag).collect(),
        })
    }
}

impl Rule {
    fn read(item: Element<'_, '_>) -> Option<Self> {
        let egress = item.text("isEgress")? == "true";
        Some(Self { id: item.text("securityGroupRuleId")?, egress })
    }
}

impl Interface {
    fn read(item: Element<'_, '_>) -> Option<Self> {
        Some(Self {
            id: item.text("networkInterfaceId")?,
            description: item.text("description").unwrap_or_default(),
        })
    }
}

fn tag_form<'a>(
    name: &'a str,
    tags: &'a BTreeMap<String, String>,
) -> impl Iterator<Item = (String, String)> + 'a {
    (1..).zip(tags).flat_map(move |(index, (key, value)): (u32, _)| {
        [(format!("{name}.{index}.Key"), key.clone()), (format!("{name}.{index}.Value"), value.clone())]
    })
}

#[cfg(test)]
mod tests {
    use egress::aws::ec2::page;

    use super::*;

    // As in EC2's API reference, shortened.
    const GROUPS: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
        <DescribeSecurityGroupsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
          <requestId>1d62eae0</requestId>
          <securityGroupInfo><item>
            <groupId>sg-1</groupId><groupName>one &amp; only</groupName><vpcId>vpc-1</vpcId>
            <ipPermissions/>
            <ipPermissionsEgress><item><ipProtocol>tcp</ipProtocol><groups><item><groupId>sg-2</groupId></item></groups></item></ipPermissionsEgress>
            <tagSet><item><key>team</key><value>data</value></item><item><key>empty</key><value/></item></tagSet>
          </item><item><groupId>sg-2</groupId><ipPermissions/><ipPermissionsEgress/></item></securityGroupInfo>
        </DescribeSecurityGroupsResponse>"#;

    #[test]
    fn groups_are_read_with_their_tags_and_whether_they_have_rules() {
        let (groups, _) = page(GROUPS, "securityGroupInfo", SecurityGroup::read).unwrap();
        let tags = [("empty", ""), ("team", "data")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        let first = SecurityGroup { id: "sg-1".into(), has_rules: true, lets_in: false, tags: tags.into() };
        let second =
            SecurityGroup { id: "sg-2".into(), has_rules: false, lets_in: false, tags: BTreeMap::new() };
        assert_eq!(groups, [first, second]);
    }
}
