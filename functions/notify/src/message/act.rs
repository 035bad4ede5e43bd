//! What is said to get something done, in the words of each way to say it.

use egress::request::RequestId;
use egress::slack::{AlertGroup, Ask};
use serde_json::{Value, json};

use super::length;
use crate::plain;

/// For how long is asked where nothing says it, in seconds.
const USUAL: u64 = 8 * 3_600;

/// For how long alerts rest where somebody has read them.
pub(crate) const A_DAY: &str = "1d";

/// Something that can be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    /// A decision about a request.
    Decide(RequestId),
    /// Who asked takes it back.
    Withdraw(RequestId),
    /// More time for a grant.
    Extend(RequestId),
    /// The end of a grant.
    Revoke(RequestId),
    /// A request.
    Ask(Ask),
    /// Alerts rest for a day.
    Silence(AlertGroup),
}

/// A way to say something to the function that takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speech<'a> {
    /// The generic webhook's JSON.
    Webhook,
    /// A slash command of Slack's.
    Slack,
    /// A message to the outgoing webhook in Teams, which is whatever its operator has named it.
    Teams,
    /// A comment on a ticket, on which its own request needs no name.
    Ticket {
        /// The request that the ticket asked for.
        own: Option<&'a RequestId>,
    },
    /// The words alone, whichever way they are said.
    Words,
}

impl Speech<'_> {
    /// What is said for it, one of these.
    pub(crate) fn says(self, act: &Act) -> Vec<String> {
        match self {
            Self::Webhook => json(act),
            Self::Slack => said("/egress ", act, None),
            Self::Teams => said("@Egress ", act, None),
            // In a list: no line of ours on a ticket begins with a `/`, as only commands do.
            Self::Ticket { own } => said("- /", act, own),
            Self::Words => said("", act, None),
        }
    }

    /// To whom it is said, where that isn't plain from the words.
    pub(super) fn addressee(self) -> Option<&'static str> {
        match self {
            Self::Webhook => Some("to the webhook (the stack's output WebhookUrl), signed."),
            Self::Slack | Self::Teams | Self::Ticket { .. } | Self::Words => None,
        }
    }
}

/// The words behind what begins a command; `own` is the request that is meant where none is named.
fn said(prefix: &str, act: &Act, own: Option<&RequestId>) -> Vec<String> {
    let about = |id: &RequestId, verb: &str, rest: &str| {
        let id = if own == Some(id) { "" } else { id.as_str() };
        let words = [verb, id, rest].into_iter().filter(|word| !word.is_empty());
        words.collect::<Vec<_>>().join(" ")
    };
    let words = match act {
        Act::Decide(id) => vec![about(id, "approve", "<why>"), about(id, "deny", "<why>")],
        Act::Withdraw(id) => vec![about(id, "withdraw", "")],
        Act::Extend(id) => vec![about(id, "extend", "for 8h because <why>")],
        Act::Revoke(id) => vec![about(id, "revoke", "because <why>")],
        Act::Ask(ask) => vec![asking(ask)],
        Act::Silence(group) => vec![silencing(group)],
    };
    words.into_iter().map(|words| format!("{prefix}{words}")).collect()
}

fn asking(ask: &Ask) -> String {
    match &ask.preset {
        Some(preset) => format!("request preset {} because <what for>", plain::name(preset)),
        None => format!("request {} for {} because <what for>", domains(ask).join(" "), duration(ask)),
    }
}

fn silencing(AlertGroup { domain, owner }: &AlertGroup) -> String {
    let owner = owner.as_ref().map(|owner| format!(" owner {}", plain::name(owner))).unwrap_or_default();
    format!("silence {} for {A_DAY}{owner}", plain::name(domain))
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
        Act::Withdraw(id) => vec![format!(r#"{{"action":"withdraw","request_id":"{id}","by":"<you>"}}"#)],
        Act::Extend(id) => vec![format!(
            r#"{{"action":"extend","request_id":"{id}","requester":"<you>","justification":"<why>","duration":"8h"}}"#
        )],
        Act::Revoke(id) => {
            vec![format!(r#"{{"action":"revoke","request_id":"{id}","by":"<you>","reason":"<why>"}}"#)]
        }
        Act::Ask(ask) => {
            let what = match &ask.preset {
                Some(preset) => format!("\"preset\":{}", Value::from(plain::name(preset))),
                None => format!("\"domains\":{}", json!(domains(ask))),
            };
            let duration = duration(ask);
            vec![format!(
                r#"{{"action":"request","requester":"<you>",{what},"justification":"<what for>","duration":"{duration}"}}"#
            )]
        }
        Act::Silence(AlertGroup { domain, owner }) => {
            let (domain, owner) = (plain::name(domain), owner.as_ref().map(|owner| plain::name(owner)));
            let owner = owner.map(|owner| format!(",\"owner\":{}", Value::from(owner))).unwrap_or_default();
            let domain = Value::from(domain);
            vec![format!(
                r#"{{"action":"silence","by":"<you>","domain":{domain}{owner},"duration":"{A_DAY}"}}"#
            )]
        }
    }
}

fn domains(ask: &Ask) -> Vec<String> {
    ask.domains.iter().map(|domain| plain::name(domain)).collect()
}

/// For how long: ours, not what somebody typed.
fn duration(ask: &Ask) -> String {
    ask.duration.clone().unwrap_or_else(|| length(USUAL))
}
