//! What people read at once, in Slack's own markup (<https://docs.slack.dev/messaging/formatting-message-text>).

use egress::events::{Decision, Question};
use egress::text::visible;

use crate::message::Message;

/// The longest text, in characters: Slack takes more, and nobody reads it.
const LONGEST: usize = 3_000;
/// How much of each text of somebody else's is shown, in characters.
const LONGEST_QUOTE: usize = 300;

/// What can be said.
pub(super) fn help(command: &str) -> String {
    let lines = [
        "request github.com .huggingface.co for 7d because …",
        "request preset pypi because …",
        "extend req-… for 2d because …",
        "withdraw req-…",
        "approve req-… because …",
        "deny req-… because …",
        "revoke req-… because …",
        "status req-…",
        "why github.com",
        "list [mine|pending|live|unused]",
    ];
    let command = shown(command);
    let lines = lines.map(|line| format!("`{command} {line}`"));
    format!("{}\n`github.com` is that host alone, `.github.com` it and all below it.", lines.join("\n"))
}

/// What is wrong with what was typed.
pub(super) fn not_understood(command: &str, reason: &str) -> String {
    cut(format!("{}. `{} help` says what can be said.", shown(reason), shown(command)))
}

/// To whoever the configuration doesn't know.
pub(super) fn unknown_person(user_id: &str) -> String {
    format!(
        "I don't know who you are. Ask whoever runs this to add your Slack id, {}, to `identities` in egress.toml. Questions (`status`, `why`, `list`) are answered all the same.",
        shown(user_id)
    )
}

/// Which domains can't be granted and why, and how to ask for the others.
pub(super) fn bad_domains(command: &str, reasons: &[String], good: &[&str]) -> String {
    let reasons: Vec<String> = reasons.iter().map(|reason| format!("• {}", shown(reason))).collect();
    let rest = if good.is_empty() {
        String::new()
    } else {
        let good: Vec<String> = good.iter().map(|domain| shown(domain)).collect();
        format!("\nThe others can be asked for: `{} request {} because …`", shown(command), good.join(" "))
    };
    cut(format!("Nothing was asked for:\n{}{rest}", reasons.join("\n")))
}

/// That it is taken, and what comes next.
pub(super) fn taken(message: &Message) -> String {
    let id = message.request_id().map(|id| id.to_string()).unwrap_or_default();
    let said = match message {
        Message::Request(asked) => {
            let what = asked
                .preset
                .as_ref()
                .map_or_else(|| asked.domains.join(", "), |preset| format!("the preset {preset}"));
            format!("Asked for {}: {id}.", shown(&what))
        }
        Message::Extend(asked) => format!("Asked for more time for {}: {id}.", asked.request_id),
        Message::Decide(decided) => {
            let word = match decided.decision {
                Decision::Approve => "Yes",
                Decision::Deny => "No",
            };
            format!("{word} to {id}.")
        }
        Message::Revoke(_) => format!("{id} is to be revoked."),
        Message::Withdraw(_) => format!("{id} is to be withdrawn."),
        Message::Ask(asked) => match &asked.question {
            Question::Why { host } => format!("Looking why {} is blocked, or passes.", shown(host)),
            Question::Status { .. } | Question::List { .. } => "Looking.".to_owned(),
        },
    };
    cut(format!("{said} What comes of it is in the notices."))
}

/// A text that others chose, as a text: nobody is called by it, and nothing becomes a link.
fn shown(text: &str) -> String {
    visible(text.trim(), LONGEST_QUOTE).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn cut(text: String) -> String {
    if text.chars().count() <= LONGEST {
        return text;
    }
    text.chars().take(LONGEST - 1).chain(['…']).collect()
}
