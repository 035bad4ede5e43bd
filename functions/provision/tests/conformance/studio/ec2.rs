//! EC2: security groups, and the interfaces that use them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Answer, Input, State};

#[derive(Clone)]
pub(crate) struct Group {
    pub(crate) vpc: String,
    pub(crate) name: String,
    pub(crate) tags: BTreeMap<String, String>,
    /// For each rule, whether it is for egress, and the group or the addresses that it refers to.
    pub(crate) rules: BTreeMap<String, (bool, String)>,
}

const DONE: &str = "<R/>";

impl State {
    pub(super) fn of_groups(&mut self, operation: &str, of: &Input) -> Answer {
        let text = |name: &str| of[name].as_str().unwrap_or_default().to_owned();
        let missing = (400, "InvalidGroup.NotFound");
        match operation {
            "DescribeSecurityGroups" => return Ok(self.describe_groups(of)),
            "DescribeSecurityGroupRules" => return Ok(self.describe_rules(&text("Filter.1.Value.1"))),
            "CreateSecurityGroup" => return self.create_group(of),
            "AuthorizeSecurityGroupIngress" => {
                let id = text("GroupId");
                assert_eq!(text("IpPermissions.1.Groups.1.GroupId"), id);
                let ports =
                    format!("{}-{}", text("IpPermissions.1.FromPort"), text("IpPermissions.1.ToPort"));
                assert_eq!(
                    (text("IpPermissions.1.IpProtocol").as_str(), ports.as_str()),
                    ("tcp", "8192-65535")
                );
                let rules = &mut self.groups.get_mut(&id).ok_or(missing)?.rules;
                if rules.insert(format!("sgr-in-{id}"), (false, id)).is_some() {
                    return Err((400, "InvalidPermission.Duplicate"));
                }
            }
            "CreateTags" => {
                let group = self.groups.get_mut(&text("ResourceId.1")).ok_or(missing)?;
                group.tags.extend(tags(of, "Tag"));
            }
            "DeleteTags" => {
                let group = self.groups.get_mut(&text("ResourceId.1")).ok_or(missing)?;
                group.tags.retain(|key, _| !values(of, "Tag", ".Key").contains(key));
            }
            "RevokeSecurityGroupIngress" | "RevokeSecurityGroupEgress" => {
                let egress = operation.ends_with("Egress");
                let rules = &mut self.groups.get_mut(&text("GroupId")).ok_or(missing)?.rules;
                for rule in values(of, "SecurityGroupRuleId", "") {
                    assert_eq!(
                        rules.remove(&rule).ok_or((400, "InvalidSecurityGroupRuleId.NotFound"))?.0,
                        egress
                    );
                }
            }
            "DeleteSecurityGroup" => return self.delete_group(&text("GroupId")),
            other => panic!("{other} is not expected"),
        }
        Ok(DONE.to_owned())
    }

    fn create_group(&mut self, of: &Input) -> Answer {
        let text = |name: &str| of[name].as_str().unwrap_or_default().to_owned();
        let (name, vpc) = (text("GroupName"), text("VpcId"));
        if self.groups.values().any(|group| group.name == name && group.vpc == vpc) {
            return Err((400, "InvalidGroup.Duplicate"));
        }
        assert_eq!(text("TagSpecification.1.ResourceType"), "security-group");
        let id = format!("sg-{name}");
        let everything = (format!("sgr-out-{id}"), (true, "0.0.0.0/0".to_owned()));
        let tags = tags(of, "TagSpecification.1.Tag");
        self.groups.insert(id.clone(), Group { vpc, name, tags, rules: [everything].into() });
        Ok(format!("<R><groupId>{id}</groupId></R>"))
    }

    fn describe_groups(&self, of: &Input) -> String {
        let text = |name: &str| of[name].as_str().unwrap_or_default();
        assert_eq!(text("Filter.1.Name"), "vpc-id");
        let has_tag = |group: &Group| match (text("Filter.2.Name"), text("Filter.2.Value.1")) {
            ("tag-key", key) => group.tags.contains_key(key),
            (tag, value) => group.tags.get(tag.strip_prefix("tag:").unwrap()).is_some_and(|is| is == value),
        };
        let mut xml = String::new();
        let here = |group: &Group| group.vpc == text("Filter.1.Value.1") && has_tag(group);
        for (id, group) in self.groups.iter().filter(|(_, group)| here(group)) {
            let rules = |egress| {
                group.rules.values().filter(|rule| rule.0 == egress).map(|_| "<item/>").collect::<String>()
            };
            let (ingress, egress) = (rules(false), rules(true));
            let tag = |(key, value): (&String, &String)| {
                format!("<item><key>{key}</key><value>{value}</value></item>")
            };
            let tags: String = group.tags.iter().map(tag).collect();
            write!(
                xml,
                "<item><groupId>{id}</groupId><ipPermissions>{ingress}</ipPermissions><ipPermissionsEgress>{egress}</ipPermissionsEgress>\
                 <tagSet>{tags}</tagSet></item>"
            )
            .unwrap();
        }
        format!("<R><securityGroupInfo>{xml}</securityGroupInfo></R>")
    }

    fn describe_rules(&self, group: &str) -> String {
        let rules = self.groups.get(group).into_iter().flat_map(|group| &group.rules);
        let item = |(id, (egress, _)): (&String, &(bool, String))| {
            format!(
                "<item><securityGroupRuleId>{id}</securityGroupRuleId><isEgress>{egress}</isEgress></item>"
            )
        };
        format!("<R><securityGroupRuleSet>{}</securityGroupRuleSet></R>", rules.map(item).collect::<String>())
    }

    pub(super) fn describe_interfaces(&mut self, of: &Input) -> String {
        assert_eq!(of["Filter.1.Name"], "group-id");
        let asked = values(of, "Filter.1.Value", "");
        let using =
            self.interfaces.iter().filter(|(_, groups)| groups.iter().any(|group| asked.contains(group)));
        let item = |(id, _): (&String, &Vec<String>)| {
            format!(
                "<item><networkInterfaceId>{id}</networkInterfaceId><description>EFS mount target</description></item>"
            )
        };
        let xml: String = using.map(item).collect();
        // An interface outlives its mount target by a look.
        let mounted: Vec<_> = self.mount_targets.values().map(|target| target.interface.clone()).collect();
        self.interfaces.retain(|id, _| mounted.contains(id) || !id.starts_with("eni-"));
        format!("<R><networkInterfaceSet>{xml}</networkInterfaceSet></R>")
    }

    fn delete_group(&mut self, id: &str) -> Answer {
        let used = self.interfaces.values().flatten().any(|group| group == id);
        let others = self.groups.iter().filter(|(other, _)| *other != id);
        let named = others.flat_map(|(_, group)| group.rules.values()).any(|(_, to)| to == id);
        if used || named {
            return Err((400, "DependencyViolation"));
        }
        self.groups.remove(id).map(|_| DONE.to_owned()).ok_or((400, "InvalidGroup.NotFound"))
    }
}

/// The numbered values of a form: `Name.1`, `Name.2`, …
fn values(of: &Input, name: &str, ending: &str) -> Vec<String> {
    let numbered = (1..).map(|index| format!("{name}.{index}{ending}"));
    numbered.map_while(|name| of[name].as_str().map(ToOwned::to_owned)).collect()
}

fn tags(of: &Input, name: &str) -> BTreeMap<String, String> {
    values(of, name, ".Key").into_iter().zip(values(of, name, ".Value")).collect()
}
