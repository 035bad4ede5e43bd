//! All that an operator decides, as a deployment looks at it.

#![cfg(test)]

mod anything;
mod lines;
mod mistakes;

use egress::validation::{Mistakes, Version, validate};

const TOML: &str = include_str!("../../../infra/config/egress.toml");
const CEDAR: &str = include_str!("../../../infra/config/policy.cedar");

/// The smallest there is.
const SMALLEST: &str = "[groups]\napprovers = [\"bob\"]\n";
/// A policy that speaks of no group.
const ASKING: &str = "@id(\"ask\") permit (principal, action == Egress::Action::\"Request\", resource);\n";

fn check(toml: &str, cedar: &str) -> Result<Version, Mistakes> {
    validate(toml.as_bytes(), cedar.as_bytes())
}

/// What is said of a configuration that isn't taken.
fn mistakes(toml: &str) -> Mistakes {
    check(toml, ASKING).unwrap_err()
}

#[test]
fn what_is_shipped_is_valid() {
    check(TOML, CEDAR).unwrap();
    check(SMALLEST, ASKING).unwrap();
}

#[test]
fn a_version_is_that_of_both_texts_and_of_nothing_else() {
    let version = check(SMALLEST, ASKING).unwrap();
    assert_eq!(check(SMALLEST, ASKING).unwrap(), version);
    insta::assert_snapshot!(version, @"f13790bc1f9c");
    let comment = "# moved\n";
    let (behind, before) = (format!("{SMALLEST}{comment}"), format!("{comment}{ASKING}"));
    let moved = Version::of(SMALLEST.as_bytes(), before.as_bytes());
    let versions = [version, check(&behind, ASKING).unwrap(), moved, check(TOML, ASKING).unwrap()];
    for (place, version) in versions.iter().enumerate() {
        assert_eq!(versions.iter().position(|other| other == version), Some(place));
        assert!(
            version.as_str().len() == 12 && version.as_str().bytes().all(|byte| byte.is_ascii_hexdigit())
        );
    }
}
