//! What is said to get something done, in the words of each way to say it.

use egress::request::RequestId;
use serde_json::Value;

use crate::plain;

/// Something that can be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    /// A decision about a request.
    Decide(RequestId),
    /// More time for a grant.
    Extend(RequestId),
    /// The end of a grant.
    Revoke(RequestId),
    /// A request for what was blocked.
    Ask {
        /// The narrowest name that would do.
        pattern: String,
        /// The preset that holds it, which is asked for instead.
        preset: Option<String>,
    },
}

/// A way to say something to the function that takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speech {
    /// The generic webhook's JSON.
    Webhook,
    /// A slash command of Slack's.
    Slack,
    /// A message to the outgoing webhook in Teams.
    Teams,
    /// A comment on a ticket.
    Ticket,
    /// The words alone, whichever way they are said.
    Words,
}

impl Speech {
    /// What is said for it, one of these.
    pub(crate) fn says(self, act: &Act) -> Vec<String> {
        match self {
            Self::Webhook => json(act),
            Self::Slack => words(act).into_iter().map(|words| format!("/egress {words}")).collect(),
            Self::Teams => words(act).into_iter().map(|words| format!("@Egress {words}")).collect(),
            Self::Ticket => words(act).into_iter().map(|words| format!("/{words}")).collect(),
            Self::Words => words(act),
        }
    }

    /// To whom it is said, where that isn't plain from the words.
    pub(super) fn addressee(self) -> Option<&'static str> {
        match self {
            Self::Webhook => Some("to the webhook (the stack's output WebhookUrl), signed."),
            Self::Slack | Self::Teams | Self::Ticket | Self::Words => None,
        }
    }
}

fn words(act: &Act) -> Vec<String> {
    match act {
        Act::Decide(id) => vec![format!("approve {id} <why>"), format!("deny {id} <why>")],
        Act::Extend(id) => vec![format!("extend {id} for 8h because <why>")],
        Act::Revoke(id) => vec![format!("revoke {id} because <why>")],
        Act::Ask { preset: Some(preset), .. } => {
            vec![format!("request preset {} because <what for>", plain::name(preset))]
        }
        Act::Ask { pattern, preset: None } => {
            vec![format!("request {} for 8h because <what for>", plain::name(pattern))]
        }
    }
}

fn json(act: &Act) -> Vec<String> {
    match act {
        Act::Decide(id) => ["approve", "deny"]
            .map(|decision| {
                format!(
                    r#"{{"action":"decide","request_id":"{id}","decision":"{decision}","approver":"<you>","comment":"<why>"}}"#
                )
            })
            .to_vec(),
        Act::Extend(id) => vec![format!(
            r#"{{"action":"extend","request_id":"{id}","requester":"<you>","justification":"<why>","duration":"8h"}}"#
        )],
        Act::Revoke(id) => {
            vec![format!(r#"{{"action":"revoke","request_id":"{id}","by":"<you>","reason":"<why>"}}"#)]
        }
        Act::Ask { pattern, preset } => {
            let what = match preset {
                Some(preset) => format!("\"preset\":{}", quoted(preset)),
                None => format!("\"domains\":[{}]", quoted(pattern)),
            };
            vec![format!(
                r#"{{"action":"request","requester":"<you>",{what},"justification":"<what for>","duration":"8h"}}"#
            )]
        }
    }
}

/// A value of a JSON example.
fn quoted(text: &str) -> String {
    Value::from(plain::name(text)).to_string()
}
