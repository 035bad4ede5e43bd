//! The seals of a history. Each entry's seal is a digest over the one before it and the entry itself, and the
//! last one stands in the request and in its events: an entry that is changed or taken away afterwards is
//! found by anybody who reads the row.

use sha2::{Digest, Sha256};

use crate::ledger::HistoryEntry;

/// What can be wrong with a history.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// A version is missing, or there twice.
    #[error("version {expected} is missing, or out of its place")]
    Gap {
        /// The version that should come.
        expected: u64,
    },
    /// An entry isn't what was sealed.
    #[error("the entry of version {version} was changed after it was written")]
    Changed {
        /// Its version.
        version: u64,
    },
}

/// The seal of an entry behind the one with the seal `before`; its own `seal` doesn't count.
pub fn seal(before: &str, entry: &HistoryEntry) -> Result<String, serde_json::Error> {
    let unsealed = HistoryEntry { seal: String::new(), ..entry.clone() };
    let digest = Sha256::new().chain_update(before).chain_update(serde_json::to_vec(&unsealed)?);
    Ok(hex::encode(digest.finalize()))
}

/// Whether a whole history is as it was written.
pub fn verify(history: &[HistoryEntry]) -> Result<(), Broken> {
    let mut before = "";
    for (entry, expected) in history.iter().zip(1..) {
        if entry.version != expected {
            return Err(Broken::Gap { expected });
        }
        if seal(before, entry).ok().as_deref() != Some(&entry.seal) {
            return Err(Broken::Changed { version: entry.version });
        }
        before = &entry.seal;
    }
    Ok(())
}
