//! What is wrong with an operator's files, as a person reads it: in a function's log, and in a stack's events.

use std::fmt;

use super::File;
use crate::text::visible;

/// How much is said, in bytes: it has to fit into an answer to CloudFormation, which has at most 4,096, with the
/// ids that stand beside it
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html>).
const LONGEST: usize = 3_000;
/// The longest reason of one mistake, in characters: several times that fits.
const LONGEST_REASON: usize = 500;
/// Room for how many more there are, in bytes.
const HOW_MANY_MORE: usize = 40;

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mistake {
    file: File,
    line: Option<usize>,
    reason: String,
}

/// Mistakes, in the order of files and lines; at least one. As text they are one a line, in at most 3,000 bytes,
/// and what didn't fit is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistakes(Vec<Mistake>);

impl Mistake {
    /// A mistake, with its line where that is known.
    pub(crate) fn new(file: File, line: Option<usize>, reason: &str) -> Self {
        Self { file, line, reason: visible(reason.trim(), LONGEST_REASON) }
    }

    /// The file that it is in.
    pub fn file(&self) -> File {
        self.file
    }

    /// Its line, the first of which is 1; none where what is wrong is that something is missing, or the whole.
    pub fn line(&self) -> Option<usize> {
        self.line
    }

    /// What is wrong: the field, where it is one, and why. One line of at most 501 characters, in which nothing
    /// hides.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl Mistakes {
    /// Nothing, where there is no mistake.
    pub(crate) fn none_in(mistakes: Vec<Mistake>) -> Result<(), Self> {
        if mistakes.is_empty() { Ok(()) } else { Err(mistakes.into()) }
    }

    /// All of them, those that don't fit into the text included.
    pub fn iter(&self) -> impl Iterator<Item = &Mistake> {
        self.0.iter()
    }
}

impl From<Mistake> for Mistakes {
    fn from(mistake: Mistake) -> Self {
        Self(vec![mistake])
    }
}

impl From<Vec<Mistake>> for Mistakes {
    fn from(mut mistakes: Vec<Mistake>) -> Self {
        mistakes.sort();
        mistakes.dedup();
        Self(mistakes)
    }
}

impl From<Mistakes> for Vec<Mistake> {
    fn from(mistakes: Mistakes) -> Self {
        mistakes.0
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{} line {line}: {}", self.file, self.reason),
            None => write!(f, "{}: {}", self.file, self.reason),
        }
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut room = LONGEST;
        for (before, mistake) in self.0.iter().enumerate() {
            let more = self.0.len() - before;
            let line = format!("{}{mistake}", if before == 0 { "" } else { "\n" });
            let reserved = if more == 1 { 0 } else { HOW_MANY_MORE };
            let Some(left) = room.checked_sub(line.len()).filter(|left| *left >= reserved) else {
                return write!(f, "\n… and {more} more");
            };
            room = left;
            f.write_str(&line)?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

/// The line in which a byte of a text stands, the first of which is 1.
pub(crate) fn line_at(text: &[u8], position: usize) -> usize {
    text.iter().take(position).filter(|byte| **byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(count: usize, reason: &str) -> Mistakes {
        let mistake = |line| Mistake::new(File::EgressToml, Some(line), reason);
        Mistakes::none_in((1..=count).map(mistake).collect()).unwrap_err()
    }

    #[test]
    fn they_are_told_by_file_and_line_and_once() {
        let found = vec![
            Mistake::new(File::PolicyCedar, Some(2), "b"),
            Mistake::new(File::EgressToml, Some(10), "a\n\u{202e}z"),
            Mistake::new(File::PolicyCedar, None, "c"),
            Mistake::new(File::EgressToml, Some(9), "a"),
            Mistake::new(File::EgressToml, Some(9), "a"),
        ];
        insta::assert_snapshot!(Mistakes::none_in(found).unwrap_err(), @r"
        egress.toml line 9: a
        egress.toml line 10: a <U+202E>z
        policy.cedar: c
        policy.cedar line 2: b
        ");
        assert_eq!(Mistakes::none_in(Vec::new()), Ok(()));
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        for (count, reason) in [(1, 499), (1, 5_000), (2, 5_000), (100, 40), (101, 3), (90_000, 1)] {
            for letter in ["a", "ä", "😀"] {
                let mistakes = mistakes(count, &letter.repeat(reason));
                let text = mistakes.to_string();
                assert!(text.len() <= LONGEST, "{}", text.len());
                let told = text.lines().filter(|line| line.starts_with("egress.toml line ")).count();
                let rest =
                    if told == count { String::new() } else { format!("\n… and {} more", count - told) };
                assert!(told > 0 && text.ends_with(&rest), "{count} {reason}: {text}");
            }
        }
    }
}
