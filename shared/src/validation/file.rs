//! An operator's files: where they lie, and how large they may be.

use std::fmt;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::mistakes::{Mistake, line_at};

/// A file that an operator writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum File {
    /// [`crate::config`].
    EgressToml,
    /// [`crate::policy`].
    PolicyCedar,
}

/// Why a file can't be read.
#[derive(Debug, thiserror::Error)]
#[error("{path} can't be read: {cause}")]
pub struct Unreadable {
    /// Where it was looked for.
    pub path: PathBuf,
    /// Why not.
    pub cause: io::Error,
}

impl File {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::EgressToml => "egress.toml",
            Self::PolicyCedar => "policy.cedar",
        }
    }

    /// The largest that is read, in bytes: a thousand people with their ids elsewhere are about 150,000; of the policies
    /// each is evaluated with every question.
    pub fn largest(self) -> usize {
        match self {
            Self::EgressToml => 300_000,
            Self::PolicyCedar => 100_000,
        }
    }

    /// The variable that names another place for it.
    fn variable(self) -> &'static str {
        match self {
            Self::EgressToml => "EGRESS_CONFIG",
            Self::PolicyCedar => "EGRESS_POLICY",
        }
    }

    /// Reads the file that lies beside the function (`$LAMBDA_TASK_ROOT`), or where its variable says.
    pub(crate) fn of_the_function(self) -> Result<Vec<u8>, Unreadable> {
        let path = match std::env::var_os(self.variable()) {
            Some(path) => PathBuf::from(path),
            None => Path::new(&std::env::var_os("LAMBDA_TASK_ROOT").unwrap_or_default()).join(self.name()),
        };
        self.at(&path)
    }

    /// Reads a file; of one that is too large, one byte more than it may have.
    fn at(self, path: &Path) -> Result<Vec<u8>, Unreadable> {
        let mut bytes = Vec::new();
        std::fs::File::open(path)
            .and_then(|file| file.take(self.largest() as u64 + 1).read_to_end(&mut bytes))
            .map_err(|cause| Unreadable { path: path.to_owned(), cause })?;
        Ok(bytes)
    }

    /// The text of a file that is not too large.
    pub(crate) fn text(self, bytes: &[u8]) -> Result<&str, Mistake> {
        if bytes.len() > self.largest() {
            let reason = format!("it is larger than {} bytes", self.largest());
            return Err(Mistake::new(self, None, &reason));
        }
        std::str::from_utf8(bytes).map_err(|error| {
            let line = line_at(bytes, error.valid_up_to());
            Mistake::new(self, Some(line), "it is not text in UTF-8")
        })
    }
}

impl fmt::Display for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_as_far_as_it_is_seen_to_be_too_large() {
        for file in [File::EgressToml, File::PolicyCedar] {
            let endless = file.at(Path::new("/dev/zero")).unwrap();
            assert_eq!(endless.len(), file.largest() + 1);
            assert!(file.text(&endless).unwrap_err().to_string().contains("larger than"));
            assert!(file.text(endless.get(1..).unwrap()).is_ok());
        }
        let missing = File::PolicyCedar.at(Path::new("/nowhere/policy.cedar")).unwrap_err().to_string();
        assert!(missing.starts_with("/nowhere/policy.cedar can't be read: "), "{missing}");
    }

    #[test]
    fn what_is_not_utf_8_is_told_by_its_line() {
        insta::assert_snapshot!(File::EgressToml.text(b"# a\n# b\xff").unwrap_err(), @"egress.toml line 2: it is not text in UTF-8");
    }
}
