//! Whose a network interface is: what EC2 shows of it, and the rules that read it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use egress::owner::Owner;
use egress::text::visible;
use jiff::Timestamp;

/// What SageMaker writes before the id of a Studio domain, as it was seen: AWS documents none of it.
const OF_STUDIO: &str = "[DO NOT DELETE] ENI managed by SageMaker for Studio Domain(";
/// The longest name that SageMaker gives to a domain, a user profile or a space
/// (<https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateUserProfile.html>).
const LONGEST_NAME: usize = 63;
/// The longest description of a network interface
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateNetworkInterface.html>).
const LONGEST_DESCRIPTION: usize = 255;
/// The longest id of a resource of EC2's is `eni-` and 17 digits.
const LONGEST_ID: usize = 32;

/// A network interface, as EC2 shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its id.
    pub id: String,
    /// Its addresses, and whether each is its primary one, which it keeps for life.
    pub addresses: Vec<(Ipv4Addr, bool)>,
    /// When it was attached to what it is attached to.
    pub attached_at: Option<Timestamp>,
    /// What it is described as; may be empty.
    pub description: String,
    /// Its tag `ManagedByAmazonSageMakerResource`.
    pub managed_by: Option<String>,
    /// The ids of its security groups.
    pub groups: Vec<String>,
}

/// Whose a security group is, by the tags that `Custom::StudioUsers` gives it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Profile {
    /// The Studio domain's id.
    pub domain: String,
    /// The user profile's name.
    pub name: String,
}

/// Security groups by their ids, and whose each is.
pub type Groups = BTreeMap<String, Option<Profile>>;

/// Whose an interface is: the first rule that knows holds. What stands in tags and descriptions is whatever somebody
/// wrote there, so it is shown escaped and cut.
pub fn owner_of(interface: &Interface, groups: &Groups) -> Owner {
    let profiles: BTreeSet<&Profile> =
        interface.groups.iter().filter_map(|id| groups.get(id)?.as_ref()).collect();
    let mut profiles = profiles.into_iter();
    match (profiles.next(), profiles.next()) {
        (Some(Profile { domain, name }), None) => {
            return Owner::UserProfile { domain: shown(domain), name: shown(name) };
        }
        (Some(one), Some(another)) => {
            let (one, another) = (shown(&one.name), shown(&another.name));
            let reason = format!(
                "Its network interface has the security groups of several user profiles, of {one} and {another} for two."
            );
            return Owner::Unknown { reason };
        }
        (None, _) => {}
    }
    let node = interface.managed_by.as_deref().and_then(node);
    let space = node.map(|(domain, name)| Owner::Space { domain: shown(domain), name: shown(name) });
    let studio = || studio(&interface.description).map(|domain| Owner::Studio { domain: shown(domain) });
    space.or_else(studio).unwrap_or_else(|| Owner::Interface {
        id: shown_id(interface),
        // With the mark of what is cut.
        description: visible(&interface.description, LONGEST_DESCRIPTION - 1),
    })
}

/// The interface's id, as it is kept and shown.
pub(super) fn shown_id(interface: &Interface) -> String {
    visible(&interface.id, LONGEST_ID)
}

fn shown(name: &str) -> String {
    visible(name, LONGEST_NAME)
}

/// Domain and owner of an instance of Studio's, `arn:aws:sagemaker:<Region>:<account>:node/<domain>/<owner>/<rest>`,
/// as it was seen.
fn node(arn: &str) -> Option<(&str, &str)> {
    let resource = arn.strip_prefix("arn:")?.splitn(5, ':').nth(4)?;
    let mut parts = resource.strip_prefix("node/")?.split('/');
    let (domain, owner) = (parts.next()?, parts.next()?);
    (is_domain(domain) && !owner.is_empty() && parts.next().is_some()).then_some((domain, owner))
}

/// The domain that a description names.
fn studio(description: &str) -> Option<&str> {
    let (domain, _) = description.strip_prefix(OF_STUDIO)?.split_once(')')?;
    is_domain(domain).then_some(domain)
}

/// <https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeDomain.html>
fn is_domain(id: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    id.len() <= LONGEST_NAME
        && id.strip_prefix("d-").is_some_and(|rest| !rest.is_empty() && rest.bytes().all(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: &str = "arn:aws:sagemaker:us-east-1:064592191516:node/d-g7djlrunxivy/default-20230916t105232/system-jupyterserverorkernelgateway";
    const STUDIO: &str = "[DO NOT DELETE] ENI managed by SageMaker for Studio Domain(d-g7djlrunxivy) - a09d795df1d5926f328cb6564db19ab2";

    fn owner(groups: &[&str], managed_by: Option<&str>, description: &str) -> Owner {
        let profile = |domain: &str, name: &str| Some(Profile { domain: domain.into(), name: name.into() });
        let known: Groups = [
            ("sg-alice", profile("d-1", "Alice")),
            ("sg-alice-2", profile("d-1", "Alice")),
            ("sg-bob", profile("d-1", "bob")),
            ("sg-alice-elsewhere", profile("d-2", "Alice")),
            ("sg-nfs", None),
        ]
        .map(|(id, profile)| (id.to_owned(), profile))
        .into();
        let interface = Interface {
            id: "eni-1".to_owned(),
            addresses: Vec::new(),
            attached_at: None,
            description: description.to_owned(),
            managed_by: managed_by.map(str::to_owned),
            groups: groups.iter().map(|&id| id.to_owned()).collect(),
        };
        owner_of(&interface, &known)
    }

    #[test]
    fn the_first_rule_that_knows_holds() {
        for (groups, managed_by, description, expected) in [
            (&["sg-nfs", "sg-alice"][..], Some(NODE), STUDIO, "user profile Alice in d-1"),
            (&["sg-alice", "sg-alice-2"], None, "", "user profile Alice in d-1"),
            (
                &["sg-nfs"],
                Some(NODE),
                STUDIO,
                "space or user profile default-20230916t105232 in d-g7djlrunxivy",
            ),
            (&["sg-of-another-vpc"], None, STUDIO, "somebody in d-g7djlrunxivy"),
            (&[], None, "", "interface eni-1"),
            (&[], None, "AWS Lambda VPC ENI-crawler", "interface eni-1 (AWS Lambda VPC ENI-crawler)"),
            (&["sg-alice", "sg-bob"], Some(NODE), STUDIO, "unknown"),
            (&["sg-alice", "sg-alice-elsewhere"], Some(NODE), STUDIO, "unknown"),
        ] {
            assert_eq!(
                owner(groups, managed_by, description).to_string(),
                expected,
                "{groups:?} {description}"
            );
        }
        let Owner::Unknown { reason } = owner(&["sg-bob", "sg-alice"], None, "") else {
            panic!("not unknown")
        };
        insta::assert_snapshot!(reason, @"Its network interface has the security groups of several user profiles, of Alice and bob for two.");
    }

    #[test]
    fn what_is_written_in_another_way_is_not_read() {
        for arn in [
            "",
            "arn:aws:sagemaker:us-east-1:064592191516:domain/d-1",
            "arn:aws:sagemaker:us-east-1:064592191516:node/d-1",
            "arn:aws:sagemaker:us-east-1:064592191516:node/d-1/alice",
            "arn:aws:sagemaker:us-east-1:064592191516:node/d-1//system",
            "arn:aws:sagemaker:us-east-1:064592191516:node/e-1/alice/system",
            "arn:aws:sagemaker:us-east-1:064592191516:node/d-/alice/system",
            "arn:aws:sagemaker:node/d-1/alice/system",
            "node/d-1/alice/system",
        ] {
            assert_eq!(node(arn), None, "{arn}");
        }
        assert_eq!(node("arn:aws-cn:sagemaker:cn-north-1:1:node/d-1/a:b/c/d"), Some(("d-1", "a:b")));
        for description in ["Studio Domain(d-1)", &STUDIO.replace(')', ""), &STUDIO.replace("d-", "D-")] {
            assert_eq!(studio(description), None, "{description}");
        }
    }

    #[test]
    fn what_somebody_wrote_is_escaped_and_cut() {
        let long = format!("\u{202e}a\nb{}", "x".repeat(100_000));
        let Owner::Interface { description, .. } = owner(&[], None, &long) else { panic!("no interface") };
        assert_eq!(description.chars().count(), 255);
        assert!(description.starts_with("<U+202E>a bxxx"), "{description}");
        let Owner::Space { name, .. } = owner(&[], Some(&NODE.replace("default", &long)), "") else {
            panic!("no space")
        };
        assert!(name.starts_with("<U+202E>a bxxx") && name.chars().count() == 64, "{name}");
    }
}
