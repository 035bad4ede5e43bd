//! What people read at once, and why something isn't taken, in the markup of the place where they read it.

use std::fmt::Write as _;
use std::time::Duration;

use egress::events::{Decision, Question, silence};
use egress::slack::Ask;
use egress::text::visible;

use crate::message::Message;
use crate::speaker::Objection;

/// The longest text, in characters: the systems take more, and nobody reads it.
const LONGEST: usize = 3_000;
/// How much of each text of somebody else's is shown, in characters.
const LONGEST_QUOTE: usize = 300;
/// To who has said something that could not be put on the bus.
pub(crate) const NOT_NOW: &str = "That could not be taken now. Say it again in a moment.";

/// How people are spoken to in one place.
#[derive(Debug, Clone)]
pub(crate) struct Voice {
    /// What is typed before a command.
    prefix: String,
    /// How a request is named there.
    id: &'static str,
    markup: Markup,
    /// Whether questions of somebody who isn't known are answered there.
    answers_strangers: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Markup {
    /// <https://docs.slack.dev/messaging/formatting-message-text>
    Slack,
    /// Markdown (<https://learn.microsoft.com/microsoftteams/platform/bots/how-to/format-your-bot-messages>).
    Teams,
    /// None: whoever shows it has to escape.
    Plain,
}

impl Voice {
    /// In Slack, behind a slash command.
    pub(crate) fn slack(command: &str) -> Self {
        Self { markup: Markup::Slack, ..Self::plain(&format!("{command} ")) }
    }

    /// In Teams, behind the name of the outgoing webhook.
    pub(crate) fn teams(name: &str) -> Self {
        Self { markup: Markup::Teams, ..Self::plain(&format!("@{name} ")) }
    }

    /// On a ticket, where a request that isn't named is the ticket's own.
    pub(crate) fn ticket() -> Self {
        Self { id: "[req-…]", answers_strangers: false, ..Self::plain("/") }
    }

    /// In a text that is written elsewhere.
    pub(crate) fn plain(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned(), id: "req-…", markup: Markup::Plain, answers_strangers: true }
    }

    /// What can be said.
    pub(crate) fn help(&self) -> String {
        let id = self.id;
        let lines = [
            "request github.com .huggingface.co for 7d because …".to_owned(),
            "request preset pypi because …".to_owned(),
            format!("extend {id} for 2d because …"),
            format!("withdraw {id}"),
            format!("approve {id} …"),
            format!("deny {id} …"),
            format!("revoke {id} because …"),
            "silence pypi.org [for 1d] [owner …]".to_owned(),
            format!("status {id}"),
            "why github.com".to_owned(),
            "list [mine|pending|live|unused]".to_owned(),
        ];
        let mut lines: Vec<String> = lines.iter().map(|line| self.typed(line)).collect();
        lines.push("A silence lasts a day where nothing else is said; `for 0` ends it.".to_owned());
        lines.push("`github.com` is that host alone, `.github.com` it and all below it.".to_owned());
        lines.join(self.line_break())
    }

    /// Why something isn't taken, and what to do.
    pub(crate) fn objection(&self, objection: &Objection) -> String {
        cut(match objection {
            Objection::Help => self.help(),
            Objection::Unclear(reason) | Objection::Field { reason, .. } => {
                format!("{}. {} says what can be said.", self.shown(reason), self.typed("help"))
            }
            Objection::Stranger { channel, id } => {
                let entry = format!("\"…\" = {{ {channel} = \"{id}\" }}");
                let all_the_same = " Questions (`status`, `why`, `list`) are answered all the same.";
                format!(
                    "I don't know who you are. Ask whoever runs this to add {} to `[identities]` in egress.toml, with your address for the dots.{}",
                    self.shown(&entry),
                    if self.answers_strangers { all_the_same } else { "" },
                )
            }
            Objection::BadDomains { reasons, rest } => self.bad_domains(reasons, rest),
        })
    }

    /// Which domains can't be granted and why, and how to ask for the others.
    fn bad_domains(&self, reasons: &[String], rest: &Ask) -> String {
        let reasons: Vec<String> = reasons.iter().map(|reason| format!("• {}", self.shown(reason))).collect();
        let mut text =
            format!("Nothing was asked for:{0}{1}", self.line_break(), reasons.join(self.line_break()));
        if !rest.domains.is_empty() {
            // Writing to a text can't fail.
            let _ = write!(text, "{}The others can be asked for: {}", self.line_break(), self.asking(rest));
        }
        text
    }

    /// How to ask where no dialog can be opened.
    pub(crate) fn instead(&self, ask: &Ask) -> String {
        let example =
            Ask { domains: vec!["github.com".to_owned(), ".huggingface.co".to_owned()], ..Ask::default() };
        let ask = if ask.domains.is_empty() && ask.preset.is_none() { &example } else { ask };
        cut(format!("No dialog can be opened now. Type {}", self.asking(ask)))
    }

    /// What to type to ask for something. Of what is filled in, only what fits into a code on one line.
    fn asking(&self, ask: &Ask) -> String {
        let what =
            ask.preset.as_ref().map_or_else(|| ask.domains.join(" "), |preset| format!("preset {preset}"));
        let duration = ask.duration.as_ref().map(|duration| format!(" for {duration}")).unwrap_or_default();
        self.typed(&format!("request {what}{duration} because …"))
    }

    /// That it is taken, and what comes next.
    pub(crate) fn taken(&self, message: &Message) -> String {
        let id = message.request_id().map(|id| id.to_string()).unwrap_or_default();
        let said = match message {
            Message::Request(asked) => {
                let what = asked
                    .preset
                    .as_ref()
                    .map_or_else(|| asked.domains.join(", "), |preset| format!("the preset {preset}"));
                format!("Asked for {}: {id}.", self.shown(&what))
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
            Message::Silence(asked) => {
                let domain = self.shown(&asked.domain);
                match asked.duration_seconds.unwrap_or(silence::USUAL) {
                    0 => format!("Alerts about {domain} are to be told again."),
                    seconds => format!("Alerts about {domain} are to rest for {}.", length(seconds)),
                }
            }
            Message::Ask(asked) => match &asked.question {
                Question::Why { host } => {
                    format!("Looking why {} is blocked, or passes.", self.shown(host))
                }
                Question::Status { .. } | Question::List { .. } => "Looking.".to_owned(),
            },
            Message::Close(_) | Message::NotTaken(_) => String::new(),
        };
        cut(format!("{said} A message of this app says what comes of it."))
    }

    /// What is to be typed, as code, which nothing in it can end.
    fn typed(&self, line: &str) -> String {
        let line = visible(&format!("{}{line}", self.prefix), LONGEST).replace('`', "'");
        format!("`{}`", if self.markup == Markup::Slack { without_entities(&line) } else { line })
    }

    /// A text that others chose, as a text: nobody is called by it, and nothing becomes a link.
    fn shown(&self, text: &str) -> String {
        let text = visible(text.trim(), LONGEST_QUOTE);
        match self.markup {
            Markup::Slack => without_entities(&text),
            Markup::Teams => without_entities(&without_markdown(&text)),
            Markup::Plain => text,
        }
    }

    fn line_break(&self) -> &'static str {
        if self.markup == Markup::Teams { "\n\n" } else { "\n" }
    }
}

/// A length of time, as `1day`.
fn length(seconds: u64) -> String {
    humantime::format_duration(Duration::from_secs(seconds)).to_string()
}

/// Escapes what HTML and Slack read as theirs.
fn without_entities(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Escapes what Markdown reads as its own inside a line.
fn without_markdown(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        if "\\`*_~#|[]()!".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// Not more than anybody reads, also of what was put together of many texts.
pub(crate) fn cut(text: String) -> String {
    if text.chars().count() <= LONGEST {
        return text;
    }
    text.chars().take(LONGEST - 1).chain(['…']).collect()
}
