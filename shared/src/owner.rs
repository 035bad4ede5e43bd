//! Whose a connection is: the owner of the network interface that it came from.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// The tag of a user's security group that says the Studio domain.
pub const DOMAIN_TAG: &str = "studio-egress:domain";
/// The tag of a user's security group that says the user profile. By both of them an address leads to a person.
pub const USER_TAG: &str = "studio-egress:user-profile";

/// Whose network interface an address belonged to, at the time of a connection.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Owner {
    /// A user profile of SageMaker Studio.
    UserProfile {
        /// The Studio domain's id.
        domain: String,
        /// The profile's name.
        name: String,
    },
    /// A space of SageMaker Studio, or a user profile in lower case: which of the two, SageMaker's tag doesn't say.
    Space {
        /// The Studio domain's id.
        domain: String,
        /// Its name.
        name: String,
    },
    /// Somebody of a Studio domain; who, nothing says.
    Studio {
        /// The Studio domain's id.
        domain: String,
    },
    /// A network interface that isn't Studio's.
    Interface {
        /// Its id.
        id: String,
        /// What it is described as, at most 255 characters; may be empty.
        description: String,
    },
    /// Nobody knows.
    Unknown {
        /// Why not: a sentence.
        reason: String,
    },
}

impl Owner {
    /// What the owner's connections are grouped by: the same for all of an owner's addresses. Who is unknown is known
    /// by the address. It has no `#` in it.
    pub fn key(&self, source: IpAddr) -> String {
        let key = match self {
            Self::UserProfile { domain, name } => ["profile/", domain, "/", name].concat(),
            Self::Space { domain, name } => ["space/", domain, "/", name].concat(),
            // Of a domain there are many addresses, and of each address one user.
            Self::Studio { .. } | Self::Unknown { .. } => format!("address/{source}"),
            Self::Interface { id, .. } => format!("interface/{id}"),
        };
        if key.contains('#') { key.replace('#', "_") } else { key }
    }
}

impl Owner {
    /// Who is meant, by name first: `alice (user profile in d-…)`; none where nobody knows.
    pub fn whose(&self) -> Option<String> {
        match self {
            Self::UserProfile { domain, name } => Some(profile(domain, name)),
            Self::Space { domain, name } => Some(space(domain, name)),
            Self::Studio { domain } => Some(format!("somebody in {domain}")),
            Self::Interface { id, description } if description.is_empty() => Some(id.clone()),
            Self::Interface { id, description } => Some(format!("{id} ({description})")),
            Self::Unknown { .. } => None,
        }
    }
}

/// Who is meant by an [`Owner::key`]; what is none stays as it is.
pub fn whose_key(key: &str) -> String {
    let mut parts = key.splitn(3, '/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some("profile"), Some(domain), Some(name)) => profile(domain, name),
        (Some("space"), Some(domain), Some(name)) => space(domain, name),
        (Some("interface" | "address"), Some(rest), None) => rest.to_owned(),
        _ => key.to_owned(),
    }
}

fn profile(domain: &str, name: &str) -> String {
    format!("{name} (user profile in {domain})")
}

fn space(domain: &str, name: &str) -> String {
    format!("{name} (space or user profile in {domain})")
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UserProfile { domain, name } => write!(f, "user profile {name} in {domain}"),
            Self::Space { domain, name } => write!(f, "space or user profile {name} in {domain}"),
            Self::Studio { domain } => write!(f, "somebody in {domain}"),
            Self::Interface { id, description } if description.is_empty() => write!(f, "interface {id}"),
            Self::Interface { id, description } => write!(f, "interface {id} ({description})"),
            Self::Unknown { .. } => f.write_str("unknown"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_meant_by_a_key_is_who_it_was_made_of() {
        let (domain, name) = ("d-x".to_owned(), "alice".to_owned());
        let source = IpAddr::from([10, 2, 3, 4]);
        let owners = [
            Owner::UserProfile { domain: domain.clone(), name: name.clone() },
            Owner::Space { domain: domain.clone(), name },
            Owner::Interface { id: "eni-1".to_owned(), description: String::new() },
        ];
        for owner in owners {
            assert_eq!(Some(whose_key(&owner.key(source))), owner.whose());
        }
        // Of a domain there are many: whose it is, only the address says.
        for owner in [Owner::Studio { domain }, Owner::Unknown { reason: "x".to_owned() }] {
            assert_eq!(whose_key(&owner.key(source)), "10.2.3.4");
        }
        assert_eq!(whose_key("whatever"), "whatever");
    }
}
