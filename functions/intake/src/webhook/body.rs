//! The fields of each action, and the detail of the event that they become.

use egress::events::{
    AlertsSilenced, Decision, DomainRequested, ExtensionRequested, GrantRevoked, ListOf, Question,
    QuestionAsked, RequestDecided, RequestWithdrawn, VERSION,
};
use egress::request::{ReplyTo, RequestId};
use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// `request`: somebody asks for domains.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Request {
    requester: String,
    #[serde(default)]
    domains: Vec<String>,
    preset: Option<String>,
    justification: String,
    ticket: Option<String>,
    #[serde(default, deserialize_with = "seconds")]
    duration: Option<u64>,
    break_glass: Option<String>,
    reply_to: Option<ReplyTo>,
}

/// `extend`: somebody asks for more time.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Extend {
    request_id: RequestId,
    requester: String,
    justification: String,
    #[serde(default, deserialize_with = "seconds")]
    duration: Option<u64>,
    reply_to: Option<ReplyTo>,
}

/// `decide`: an approver has decided.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Decide {
    request_id: RequestId,
    decision: Decision,
    approver: String,
    comment: Option<String>,
    reply_to: Option<ReplyTo>,
}

/// `revoke`: somebody ends a grant.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Revoke {
    request_id: RequestId,
    by: String,
    reason: String,
    reply_to: Option<ReplyTo>,
}

/// `withdraw`: the requester takes a pending request back.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Withdraw {
    request_id: RequestId,
    by: String,
    reply_to: Option<ReplyTo>,
}

/// `silence`: alerts about a domain rest.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Silence {
    by: String,
    domain: String,
    owner: Option<String>,
    #[serde(default, deserialize_with = "silence_seconds")]
    duration: Option<u64>,
    reply_to: Option<ReplyTo>,
}

/// `why`: why is a host blocked?
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Why {
    by: String,
    host: String,
    reply_to: Option<ReplyTo>,
}

/// `list`: which requests are there?
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct List {
    by: String,
    which: ListOf,
    reply_to: Option<ReplyTo>,
}

/// `status`: what became of a request?
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Status {
    by: String,
    request_id: RequestId,
    reply_to: Option<ReplyTo>,
}

impl Request {
    pub(super) fn detail(self, message_key: String) -> DomainRequested {
        let Self { requester, domains, preset, justification, ticket, duration, break_glass, reply_to } =
            self;
        DomainRequested {
            version: VERSION,
            message_key,
            requester,
            domains,
            preset,
            justification,
            ticket,
            duration_seconds: duration,
            break_glass,
            reply_to,
        }
    }
}

impl Extend {
    pub(super) fn detail(self, message_key: String) -> ExtensionRequested {
        let Self { request_id, requester, justification, duration, reply_to } = self;
        ExtensionRequested {
            version: VERSION,
            message_key,
            request_id,
            requester,
            justification,
            duration_seconds: duration,
            reply_to,
        }
    }
}

impl Decide {
    pub(super) fn detail(self, message_key: String) -> RequestDecided {
        let Self { request_id, decision, approver, comment, reply_to } = self;
        RequestDecided { version: VERSION, message_key, request_id, decision, approver, comment, reply_to }
    }
}

impl Revoke {
    pub(super) fn detail(self, message_key: String) -> GrantRevoked {
        let Self { request_id, by, reason, reply_to } = self;
        GrantRevoked { version: VERSION, message_key, request_id, by, reason, reply_to }
    }
}

impl Withdraw {
    pub(super) fn detail(self, message_key: String) -> RequestWithdrawn {
        let Self { request_id, by, reply_to } = self;
        RequestWithdrawn { version: VERSION, message_key, request_id, by, reply_to }
    }
}

impl Silence {
    pub(super) fn detail(self, message_key: String) -> AlertsSilenced {
        let Self { by, domain, owner, duration, reply_to } = self;
        AlertsSilenced {
            version: VERSION,
            message_key,
            by,
            domain,
            owner,
            duration_seconds: duration,
            reply_to,
        }
    }
}

impl Why {
    pub(super) fn detail(self, message_key: String) -> QuestionAsked {
        let Self { by, host, reply_to } = self;
        QuestionAsked { version: VERSION, message_key, by, question: Question::Why { host }, reply_to }
    }
}

impl List {
    pub(super) fn detail(self, message_key: String) -> QuestionAsked {
        let Self { by, which, reply_to } = self;
        QuestionAsked { version: VERSION, message_key, by, question: Question::List { which }, reply_to }
    }
}

impl Status {
    pub(super) fn detail(self, message_key: String) -> QuestionAsked {
        let Self { by, request_id, reply_to } = self;
        QuestionAsked {
            version: VERSION,
            message_key,
            by,
            question: Question::Status { request_id },
            reply_to,
        }
    }
}

/// A duration as people write it, `90m` or `8h`, in seconds.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    crate::message::seconds(&text).map(Some).map_err(D::Error::custom)
}

/// For how long alerts rest, as people write it, in seconds.
fn silence_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    crate::message::silence_seconds(&text).map(Some).map_err(D::Error::custom)
}
