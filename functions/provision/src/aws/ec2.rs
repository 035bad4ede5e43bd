//! EC2: security groups and network interfaces. Its query API of 2016-11-15: forms in, XML out.

use std::collections::BTreeMap;

use roxmltree::{Document, Node};

use super::signed::Service;
use super::{CallError, Signed, refusal};

const EC2: Service = Service { host: "ec2", signing_name: "ec2", is_s3: false };
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// The service.
#[derive(Debug, Clone)]
pub(crate) struct Ec2(Signed);

/// A filter: its name, and the values of which one has to be.
pub(crate) type Filter<'a> = (&'a str, &'a [String]);

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
        Self(signed)
    }

    /// The security groups that every filter lets through.
    pub(crate) async fn security_groups(
        &self,
        filters: &[Filter<'_>],
    ) -> Result<Vec<SecurityGroup>, CallError> {
        self.list("DescribeSecurityGroups", "securityGroupInfo", filters, SecurityGroup::read).await
    }

    /// The rules of a security group.
    pub(crate) async fn rules(&self, group: &str) -> Result<Vec<Rule>, CallError> {
        let filters = [("group-id", &[group.to_owned()][..])];
        self.list("DescribeSecurityGroupRules", "securityGroupRuleSet", &filters, Rule::read).await
    }

    /// The network interfaces that every filter lets through.
    pub(crate) async fn interfaces(&self, filters: &[Filter<'_>]) -> Result<Vec<Interface>, CallError> {
        self.list("DescribeNetworkInterfaces", "networkInterfaceSet", filters, Interface::read).await
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
        self.call("CreateSecurityGroup", form).await.map(drop)
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
        self.call("AuthorizeSecurityGroupIngress", form).await.map(drop)
    }

    /// Gives a resource tags, beside those it has and in place of those of the same keys.
    pub(crate) async fn tag(&self, id: &str, tags: &BTreeMap<String, String>) -> Result<(), CallError> {
        let mut form = vec![("ResourceId.1".to_owned(), id.to_owned())];
        form.extend(tag_form("Tag", tags));
        self.call("CreateTags", form).await.map(drop)
    }

    /// Takes tags from a resource.
    pub(crate) async fn untag(&self, id: &str, keys: &[String]) -> Result<(), CallError> {
        let mut form = vec![("ResourceId.1".to_owned(), id.to_owned())];
        form.extend((1..).zip(keys).map(|(index, key): (u32, _)| (format!("Tag.{index}.Key"), key.clone())));
        self.call("DeleteTags", form).await.map(drop)
    }

    /// Takes rules out of a security group, all of one direction.
    pub(crate) async fn revoke(&self, group: &str, egress: bool, rules: &[String]) -> Result<(), CallError> {
        let action = if egress { "RevokeSecurityGroupEgress" } else { "RevokeSecurityGroupIngress" };
        let mut form = vec![("GroupId".to_owned(), group.to_owned())];
        form.extend(numbered("SecurityGroupRuleId", rules));
        self.call(action, form).await.map(drop)
    }

    /// Deletes a security group.
    pub(crate) async fn delete_security_group(&self, group: &str) -> Result<(), CallError> {
        self.call("DeleteSecurityGroup", vec![("GroupId".to_owned(), group.to_owned())]).await.map(drop)
    }

    /// Every page of a listing.
    async fn list<T>(
        &self,
        action: &str,
        set: &str,
        filters: &[Filter<'_>],
        read: fn(Node<'_, '_>) -> Option<T>,
    ) -> Result<Vec<T>, CallError> {
        let mut rows = Vec::new();
        let mut token = None;
        loop {
            let mut form = filter_form(filters);
            form.extend(token.map(|token| ("NextToken".to_owned(), token)));
            let body = self.call(action, form).await?;
            let document = parse(&body)?;
            let answer = document.root_element();
            rows.extend(items(answer, set).filter_map(read));
            token = text(answer, "nextToken").filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(rows);
            }
        }
    }

    async fn call(&self, action: &str, form: Vec<(String, String)>) -> Result<String, CallError> {
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("Action", action)
            .append_pair("Version", "2016-11-15")
            .extend_pairs(form)
            .finish();
        let answer = self.0.post(EC2, &[FORM], body).await?;
        if answer.status.is_success() { Ok(answer.text()) } else { Err(refusal::xml(&answer)) }
    }
}

impl SecurityGroup {
    fn read(item: Node<'_, '_>) -> Option<Self> {
        let has = |set| items(item, set).next().is_some();
        let tag = |tag| Some((text(tag, "key")?, text(tag, "value").unwrap_or_default()));
        Some(Self {
            id: text(item, "groupId")?,
            has_rules: has("ipPermissions") || has("ipPermissionsEgress"),
            lets_in: has("ipPermissions"),
            tags: items(item, "tagSet").filter_map(tag).collect(),
        })
    }
}

impl Rule {
    fn read(item: Node<'_, '_>) -> Option<Self> {
        let egress = text(item, "isEgress")? == "true";
        Some(Self { id: text(item, "securityGroupRuleId")?, egress })
    }
}

impl Interface {
    fn read(item: Node<'_, '_>) -> Option<Self> {
        Some(Self {
            id: text(item, "networkInterfaceId")?,
            description: text(item, "description").unwrap_or_default(),
        })
    }
}

fn parse(body: &str) -> Result<Document<'_>, CallError> {
    Document::parse(body).map_err(|error| CallError::Unreadable(error.to_string()))
}

fn child<'a, 'input>(node: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    node.children().find(|child| child.tag_name().name() == name)
}

fn text(node: Node<'_, '_>, name: &str) -> Option<String> {
    child(node, name).map(|child| child.text().unwrap_or_default().trim().to_owned())
}

/// The items of a set; none when there is no such set.
fn items<'a, 'input: 'a>(node: Node<'a, 'input>, set: &str) -> impl Iterator<Item = Node<'a, 'input>> {
    let children = child(node, set).into_iter().flat_map(|set| set.children());
    children.filter(|child| child.tag_name().name() == "item")
}

fn filter_form(filters: &[Filter<'_>]) -> Vec<(String, String)> {
    let mut form = Vec::new();
    for (index, (name, values)) in (1..).zip(filters) {
        form.push((format!("Filter.{index}.Name"), (*name).to_owned()));
        form.extend(numbered(&format!("Filter.{index}.Value"), values));
    }
    form
}

fn numbered(name: &str, values: &[String]) -> impl Iterator<Item = (String, String)> {
    (1..).zip(values).map(move |(index, value): (u32, _)| (format!("{name}.{index}"), value.clone()))
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
        let document = parse(GROUPS).unwrap();
        let groups: Vec<_> =
            items(document.root_element(), "securityGroupInfo").filter_map(SecurityGroup::read).collect();
        let tags = [("empty", ""), ("team", "data")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        let first = SecurityGroup { id: "sg-1".into(), has_rules: true, lets_in: false, tags: tags.into() };
        let second =
            SecurityGroup { id: "sg-2".into(), has_rules: false, lets_in: false, tags: BTreeMap::new() };
        assert_eq!(groups, [first, second]);
    }

    #[test]
    fn filters_are_numbered_from_one() {
        let values = ["a".to_owned(), "b".to_owned()];
        let form = filter_form(&[("vpc-id", &values[..1]), ("group-id", &values)]);
        let names: Vec<_> = form.iter().map(|(name, value)| format!("{name}={value}")).collect();
        insta::assert_snapshot!(names.join(" "), @"Filter.1.Name=vpc-id Filter.1.Value.1=a Filter.2.Name=group-id Filter.2.Value.1=a Filter.2.Value.2=b");
    }
}
