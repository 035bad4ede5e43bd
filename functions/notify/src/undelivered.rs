//! Why a notice was not told: for now, or for good.

use std::fmt::Display;
use std::time::Duration;

use egress::text::visible;
use egress::web::{Answer, StatusCode, WebError};

use crate::ledger::LedgerError;
use crate::secrets::SecretError;

/// So much of another system's words for an error is repeated, in characters.
const QUOTED: usize = 300;

/// Why a notice was not told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undelivered {
    /// It may be told later.
    #[error("{why}")]
    Later {
        /// How long the other side wants to be left alone.
        after: Option<Duration>,
        /// Why.
        why: String,
    },
    /// It can't be told as things are: somebody has to put something right first.
    #[error("{why}")]
    Never {
        /// Why.
        why: String,
    },
}

impl Undelivered {
    /// May be told later, nobody says when.
    pub(crate) fn later(why: impl Display) -> Self {
        Self::Later { after: None, why: why.to_string() }
    }

    /// Can't be told as things are.
    pub(crate) fn never(why: impl Display) -> Self {
        Self::Never { why: why.to_string() }
    }
}

/// An answer of success; of any other, what it means for the notice.
pub(crate) fn successful(answer: Answer) -> Result<Answer, Undelivered> {
    if answer.status.is_success() {
        return Ok(answer);
    }
    let mut why = format!("it was answered with {}", answer.status);
    let said = quoted(&answer.body);
    if !said.is_empty() {
        why = format!("{why}: {said}");
    }
    // GitHub answers 403 to who calls too often, and says for how long.
    if may_pass(answer.status) || answer.retry_after.is_some() {
        Err(Undelivered::Later { after: answer.retry_after, why })
    } else {
        Err(Undelivered::Never { why })
    }
}

/// Whether the same call may be answered otherwise later: the other side is out of order, or busy with another call
/// about the same thing.
fn may_pass(status: StatusCode) -> bool {
    status.is_server_error()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT
                | StatusCode::CONFLICT
                | StatusCode::PRECONDITION_FAILED
                | StatusCode::TOO_EARLY
                | StatusCode::TOO_MANY_REQUESTS
        )
}

/// What another system says of an error, fit for a log.
pub(crate) fn quoted(body: &[u8]) -> String {
    visible(String::from_utf8_lossy(body).trim(), QUOTED)
}

impl From<WebError> for Undelivered {
    fn from(error: WebError) -> Self {
        match error {
            WebError::NoRoots(_) | WebError::Broken(_) | WebError::TooSlow(_) => Self::later(error),
            // It was received: sent again, it would be told again, and not be read any better.
            WebError::TooLarge(_) | WebError::Url | WebError::Header(_) => Self::never(error),
        }
    }
}

impl From<LedgerError> for Undelivered {
    fn from(error: LedgerError) -> Self {
        Self::later(error)
    }
}

impl From<SecretError> for Undelivered {
    fn from(error: SecretError) -> Self {
        Self::later(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_answer_means_for_the_notice() {
        let meaning = |status: u16, after: Option<u64>| {
            let status = StatusCode::from_u16(status).unwrap();
            let answer =
                Answer { status, retry_after: after.map(Duration::from_secs), body: b"no\n".to_vec() };
            match successful(answer) {
                Ok(_) => "told".to_owned(),
                Err(Undelivered::Later { after, .. }) => format!("later {:?}", after.map(|it| it.as_secs())),
                Err(Undelivered::Never { why }) => format!("never, {why}"),
            }
        };
        assert_eq!(meaning(200, None), "told");
        assert_eq!(meaning(201, Some(5)), "told");
        for status in [408, 409, 412, 425, 429, 500, 502, 503, 504] {
            assert_eq!(meaning(status, None), "later None", "{status}");
        }
        assert_eq!(meaning(429, Some(30)), "later Some(30)");
        assert_eq!(meaning(403, Some(60)), "later Some(60)");
        assert_eq!(meaning(404, None), "never, it was answered with 404 Not Found: no");
        for status in [301, 400, 401, 403, 410, 413] {
            assert!(meaning(status, None).starts_with("never"), "{status}");
        }
    }
}
