//! A request for domains, and the grant that comes of it.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::domain::DomainPattern;
use crate::risk::Assessment;

/// The id of a request: `req-` and twelve lower-case hexadecimal digits. It is derived from the message
/// that asked, so a second delivery of that message is the same request. It may stand in a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RequestId(String);

/// A text that is not a request's id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a request id is req- and twelve hexadecimal digits, as in req-0123456789ab")]
pub struct NotARequestId;

impl RequestId {
    /// The id of the request that this message asks for.
    pub fn of_message(message_key: &str) -> Self {
        let digest = hex::encode(Sha256::digest(message_key.as_bytes()));
        Self(format!("req-{}", digest.get(..12).unwrap_or(&digest)))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RequestId {
    type Error = NotARequestId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let digits = text.strip_prefix("req-").ok_or(NotARequestId)?;
        let hexadecimal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if digits.len() == 12 && digits.bytes().all(hexadecimal) {
            Ok(Self(text))
        } else {
            Err(NotARequestId)
        }
    }
}

impl From<RequestId> for String {
    fn from(id: RequestId) -> Self {
        id.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a request is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StateName {
    /// It waits for an approver.
    Pending,
    /// It is allowed, and not yet known to be in sync in every availability zone.
    Approved,
    /// The firewall lets its domains pass, in every availability zone.
    Active,
    /// The grant is over.
    Ended,
    /// An approver said no.
    Denied,
    /// Nobody decided in time.
    Lapsed,
    /// The requester took it back.
    Withdrawn,
    /// A rule forbids it; nobody was asked.
    Refused,
}

impl StateName {
    /// Whether the firewall should let the request's domains pass.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Approved | Self::Active)
    }
}

impl fmt::Display for StateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Active => "active",
            Self::Ended => "ended",
            Self::Denied => "denied",
            Self::Lapsed => "lapsed",
            Self::Withdrawn => "withdrawn",
            Self::Refused => "refused",
        })
    }
}

/// How a grant came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    /// Its time was over.
    Expired,
    /// Somebody ended it.
    Revoked,
    /// An extension of it took its place.
    Superseded,
}

/// One approver's yes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// What they said with it. An approval from before these were kept has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// A domain of a request that can't be granted, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedDomain {
    /// What was typed, cut to 253 characters.
    pub text: String,
    /// Why not, for the person who typed it.
    pub reason: String,
}

/// Where an asker is to be answered, in the terms of the system that asked. Nothing but that system's
/// adapter reads it; here it is passed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplyTo {
    /// The way: `slack`, `jira`, …; at most 256 characters.
    pub via: String,
    /// The place there: a channel, a ticket, a URL; at most 2,000 characters.
    pub to: String,
}

/// A request as it is now. What it was before is in its history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Its id.
    pub id: RequestId,
    /// How many transitions it has seen: 1 when it is new. A write is refused unless this is still what
    /// was read.
    pub version: u64,
    /// What it is in.
    pub state: StateName,
    /// How it ended, when it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending: Option<Ending>,
    /// Who asked.
    pub requester: String,
    /// What is asked for.
    pub domains: Vec<DomainPattern>,
    /// What was asked for and can't be granted; then the request as a whole is refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused_domains: Vec<RefusedDomain>,
    /// The preset that was asked for by its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<String>,
    /// Why, in the requester's words.
    pub justification: String,
    /// The ticket that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// Why nobody could be waited for, where the glass was broken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_glass: Option<String>,
    /// For how long the grant lasts from its approval, in seconds.
    pub duration_seconds: u64,
    /// When it was asked.
    pub requested_at: Timestamp,
    /// When it lapses, if nobody decides until then.
    pub lapses_at: Timestamp,
    /// How often the approvers were reminded.
    #[serde(default)]
    pub reminders: u32,
    /// When they are reminded next, while it waits for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remind_at: Option<Timestamp>,
    /// How many distinct people have to say yes, by the policy when somebody last looked; 0 where nobody
    /// has to.
    pub approvals_needed: usize,
    /// Who said yes until now, each person once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<Approval>,
    /// When it was approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_at: Option<Timestamp>,
    /// When the grant ends by itself; from its approval on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
    /// The request whose grant it extends: once this one is active, it takes that one's place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extends: Option<RequestId>,
    /// How many extensions led to it: 0 for what is asked for the first time.
    #[serde(default)]
    pub extensions: u32,
    /// The extension that took its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<RequestId>,
    /// Why its rules can't stand in the firewall, as it was last told; none when they do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
    /// When the firewall first logged that it let something pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_used_at: Option<Timestamp>,
    /// How risky it is, and what it would change, as it was when it was asked.
    pub assessment: Assessment,
    /// Where who asked is to be answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<ReplyTo>,
    /// The seal of its last history entry.
    #[serde(default)]
    pub seal: String,
}

/// A grant that the firewall should let pass: a live request as reconcile needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveGrant {
    /// The request that it comes of.
    pub request_id: RequestId,
    /// Who asked for it.
    pub requester: String,
    /// What it allows.
    pub domains: Vec<DomainPattern>,
    /// When it was approved: of those that never stood, who was approved first is placed first.
    pub approved_at: Timestamp,
    /// When it ends by itself.
    pub ends_at: Timestamp,
    /// Whether it was in sync in every availability zone and its request is active.
    pub active: bool,
    /// Whether a use of it is known to its request.
    #[serde(default)]
    pub used: bool,
    /// Whether it is told that its rules don't fit.
    #[serde(default)]
    pub waits: bool,
    /// The request whose place it takes once it is active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extends: Option<RequestId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_message_asks_for_the_same_request() {
        let id = RequestId::of_message("webhook:4711");
        assert_eq!(id, RequestId::of_message("webhook:4711"));
        assert_ne!(id, RequestId::of_message("webhook:4712"));
        assert_eq!(RequestId::try_from(id.to_string()), Ok(id));
    }

    #[test]
    fn nothing_but_an_id_is_an_id() {
        for text in ["", "req-", "req-0123456789AB", "req-0123456789abc", "req-0123456789a;", "0123456789ab"]
        {
            assert_eq!(RequestId::try_from(text.to_owned()), Err(NotARequestId), "{text}");
        }
    }
}
