//! All that an operator decides, before any function gets it: a deployment asks [`validate`], and goes on with the
//! [`Version`], or fails with the [`Mistakes`]. It looks at everything that functions look at when they start, by the
//! same code.

mod file;
mod mistakes;

use std::fmt;

use sha2::{Digest, Sha256};

use crate::adapter::AdapterError;
use crate::adapter::reading::Reader;
use crate::adapter::writing::Writer;
use crate::config::{FieldPath, Reading, read};
use crate::policy::Policy;

pub use file::{File, Unreadable};
pub(crate) use mistakes::line_at;
pub use mistakes::{Mistake, Mistakes};

/// Which `egress.toml`, and which `policy.cedar`: twelve hexadecimal digits. The same bytes always have the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(String);

impl Version {
    /// The first twelve digits of SHA-256 over both, each behind its length in eight bytes, the most significant
    /// first: nothing that moves from the end of one to the start of the other keeps the version.
    pub fn of(egress_toml: &[u8], policy_cedar: &[u8]) -> Self {
        Self::of_files(&[egress_toml, policy_cedar])
    }

    /// That of `egress.toml` alone. Functions without policies have this one, so that other policies are no change of
    /// theirs.
    pub fn of_config(egress_toml: &[u8]) -> Self {
        Self::of_files(&[egress_toml])
    }

    fn of_files(files: &[&[u8]]) -> Self {
        let mut digest = Sha256::new();
        for bytes in files {
            digest.update((bytes.len() as u64).to_be_bytes());
            digest.update(bytes);
        }
        let digits = hex::encode(digest.finalize());
        Self(digits.get(..12).unwrap_or(&digits).to_owned())
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reads both files as functions do, and holds them against each other: TOML and its fields, what they mean, the
/// tables of the ticket systems with their paths and templates, Cedar against its schema, and the groups of which the
/// policies speak. Answers the version.
///
/// The error has the mistakes of both files. What isn't TOML, or isn't Cedar, is the only mistake of its file. A table in
/// which a field is none, or of a wrong type, is not looked at further, and after fifty of those neither is the file.
pub fn validate(egress_toml: &[u8], policy_cedar: &[u8]) -> Result<Version, Mistakes> {
    let (config, policy) = (read(egress_toml), Policy::of(policy_cedar));
    let mut mistakes = match (&config, &policy) {
        (Ok(config), Ok(policy)) if config.is_whole(&FieldPath::of(["groups"])) => {
            policy.lacking(&config.config)
        }
        _ => Vec::new(),
    };
    match config {
        Ok(config) => mistakes.extend(adapters(&config).into_iter().chain(config.mistakes)),
        Err(wrong) => mistakes.extend(Vec::from(wrong)),
    }
    mistakes.extend(policy.err().map(Vec::from).unwrap_or_default());
    Mistakes::none_in(mistakes)?;
    Ok(Version::of(egress_toml, policy_cedar))
}

/// What is wrong with the tables of ticket systems.
fn adapters(reading: &Reading<'_>) -> Vec<Mistake> {
    let mistake = |AdapterError { adapter, field, problem }| {
        let keys = ["adapters", &adapter].into_iter().chain(field.split('.'));
        reading.mistake(&FieldPath::of(keys), &problem)
    };
    let tables = reading.config.adapters.iter();
    let wrong = tables.flat_map(|(name, settings)| {
        Reader::mistakes(name, settings).into_iter().chain(Writer::mistakes(name, settings))
    });
    wrong.map(mistake).collect()
}
