//! Why a command does nothing.

use jiff::Timestamp;

use crate::domain::PatternError;
use crate::request::{RequestId, StateName};

/// Why a command does nothing. Each is a sentence for the person who gave it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAllowed {
    /// The request is in a state in which this can't be done.
    #[error("{id} is {state}: it can't be {command} any more, or not yet")]
    State {
        /// The request.
        id: RequestId,
        /// What it is in.
        state: StateName,
        /// What was to be done.
        command: &'static str,
    },
    /// An extension has taken its place.
    #[error("{id} has ended: {by} extends it. That one can be {command}")]
    Superseded {
        /// The request.
        id: RequestId,
        /// The extension.
        by: RequestId,
        /// What was to be done.
        command: &'static str,
    },
    /// A policy forbids it.
    #[error("{id} can't be {command} by {by}: {reason}")]
    Forbidden {
        /// Who.
        by: String,
        /// The request.
        id: RequestId,
        /// What was to be done.
        command: &'static str,
        /// The policy's own reason.
        reason: String,
    },
    /// No policy permits it.
    #[error("{id} can't be {command} by {by}: no policy permits it")]
    NotPermitted {
        /// Who.
        by: String,
        /// The request.
        id: RequestId,
        /// What was to be done.
        command: &'static str,
    },
    /// No number of approvals is enough, by the policy as it is now.
    #[error("{id} can't be approved any more: by the policy, no number of approvals is enough")]
    NeverEnough {
        /// The request.
        id: RequestId,
    },
    /// Nobody decides about an own request.
    #[error("{by} has asked for {id}: somebody else has to decide about it")]
    OwnRequest {
        /// Who.
        by: String,
        /// The request.
        id: RequestId,
    },
    /// An approval counts once for each person.
    #[error("{by} has approved {id} already: another person has to")]
    ApprovedAlready {
        /// Who.
        by: String,
        /// The request.
        id: RequestId,
    },
    /// The time for a decision is over, and the clock hasn't said so yet.
    #[error("{id} has lapsed: nobody decided in time, so it has to be asked for again")]
    TooLate {
        /// The request.
        id: RequestId,
    },
    /// The operator has put one of its domains on the deny list since it was asked for.
    #[error("{id} can't be approved any more: {reason}")]
    Denied {
        /// The request.
        id: RequestId,
        /// Which domain, and which entry.
        reason: PatternError,
    },
    /// The grant lasts longer than what should extend it.
    #[error("the grant of {id} lasts until {until} already, which is longer: ask for more time than that")]
    LastsLonger {
        /// The request.
        id: RequestId,
        /// When its grant ends.
        until: Timestamp,
    },
    /// What it should extend was revoked.
    #[error("{id} can't be approved: what it extends, {original}, was revoked. It has to be asked for anew")]
    OriginalRevoked {
        /// The request.
        id: RequestId,
        /// The request that was revoked.
        original: RequestId,
    },
    /// The deadline lies in the future, or there is none.
    #[error("{id} has no deadline that has passed")]
    NotDue {
        /// The request.
        id: RequestId,
    },
    /// It has been done before.
    #[error("{id} has been {command} before: nothing is new")]
    NothingNew {
        /// The request.
        id: RequestId,
        /// What was to be done.
        command: &'static str,
    },
    /// An event could not be written as JSON.
    #[error("the event could not be written: {0}")]
    Event(String),
}

impl From<serde_json::Error> for NotAllowed {
    fn from(cause: serde_json::Error) -> Self {
        Self::Event(cause.to_string())
    }
}
