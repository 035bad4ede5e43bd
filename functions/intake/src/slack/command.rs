//! The words behind a slash command, as what somebody wants.

use egress::events::{Decision, ListOf};
use egress::request::RequestId;

use crate::message::seconds;

/// What somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Domains, or a preset.
    Request {
        /// As they were typed.
        domains: Vec<String>,
        /// A preset, where no domains are named.
        preset: Option<String>,
        /// For how long, in seconds.
        duration: Option<u64>,
        /// A ticket.
        ticket: Option<String>,
        /// Why.
        because: String,
    },
    /// More time.
    Extend {
        /// For which request.
        id: RequestId,
        /// How much, in seconds.
        duration: Option<u64>,
        /// Why.
        because: String,
    },
    /// To decide about a request.
    Decide {
        /// Which.
        id: RequestId,
        /// How.
        decision: Decision,
        /// Why.
        comment: Option<String>,
    },
    /// To end a grant.
    Revoke {
        /// Which.
        id: RequestId,
        /// Why.
        because: String,
    },
    /// To take a request back.
    Withdraw(RequestId),
    /// To know what became of a request.
    Status(RequestId),
    /// To know why a host is blocked.
    Why(String),
    /// To know which requests there are.
    List(ListOf),
}

/// Why the words mean nothing. A sentence for the person who typed them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The first word is none of ours.
    #[error("`{0}` is nothing that I know")]
    Verb(String),
    /// Something is missing.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// Not an id.
    #[error("`{0}` is no request's id: those look like req-0123456789ab")]
    Id(String),
    /// Not a duration.
    #[error("`for {0}`: {1}")]
    Duration(String, String),
    /// A word where none belongs.
    #[error("`{0}` is one word too many")]
    TooMany(String),
    /// Not a list.
    #[error("`{0}` is no list: there are mine, pending, live and unused")]
    List(String),
    /// A preset beside domains.
    #[error("ask for a preset or for domains, not for both")]
    Both,
}

impl Command {
    /// Reads what was typed behind the command; nothing where somebody asks for help.
    pub fn parse(text: &str) -> Result<Option<Self>, CommandError> {
        let (text, because) = split_reason(text);
        let mut words =
            Words(text.split_whitespace().map(unlinked).collect::<Vec<_>>().into_iter().peekable());
        let because = because.map(unescaped).filter(|because| !because.is_empty());
        let reason = || because.clone().ok_or(CommandError::Missing("`because` and the reason"));
        let verb = words.next().unwrap_or_else(|| "help".to_owned()).to_lowercase();
        let command = match verb.as_str() {
            "help" => return Ok(None),
            "request" => words.request(reason()?)?,
            "extend" => Self::Extend { id: words.id()?, duration: words.duration()?, because: reason()? },
            "approve" => Self::Decide { id: words.id()?, decision: Decision::Approve, comment: because },
            "deny" => Self::Decide { id: words.id()?, decision: Decision::Deny, comment: because },
            "revoke" => Self::Revoke { id: words.id()?, because: reason()? },
            "withdraw" => Self::Withdraw(words.id()?),
            "status" => Self::Status(words.id()?),
            "why" => Self::Why(words.next().ok_or(CommandError::Missing("the host"))?),
            "list" => Self::List(words.list()?),
            _ => return Err(CommandError::Verb(verb)),
        };
        match words.next() {
            None => Ok(Some(command)),
            Some(word) => Err(CommandError::TooMany(word)),
        }
    }
}

/// The words that are left.
struct Words(std::iter::Peekable<std::vec::IntoIter<String>>);

impl Words {
    fn next(&mut self) -> Option<String> {
        self.0.next()
    }

    /// Whether this word is next; then it is taken.
    fn takes(&mut self, word: &str) -> bool {
        self.0.next_if(|next| next.eq_ignore_ascii_case(word)).is_some()
    }

    fn request(&mut self, because: String) -> Result<Command, CommandError> {
        let preset = if self.takes("preset") {
            Some(self.next().ok_or(CommandError::Missing("the preset's name"))?)
        } else {
            None
        };
        let (mut domains, mut ticket, mut duration) = (Vec::new(), None, None);
        while let Some(word) = self.0.peek() {
            match word.to_ascii_lowercase().as_str() {
                "for" if duration.is_none() => duration = self.duration()?,
                "ticket" if ticket.is_none() => {
                    self.next();
                    ticket = Some(self.next().ok_or(CommandError::Missing("the ticket's name"))?);
                }
                _ => domains.extend(
                    self.next()
                        .iter()
                        .flat_map(|word| word.split(','))
                        .filter(|word| !word.is_empty())
                        .map(str::to_owned),
                ),
            }
        }
        match (domains.is_empty(), &preset) {
            (true, None) => Err(CommandError::Missing("a domain, or `preset` and its name,")),
            (false, Some(_)) => Err(CommandError::Both),
            _ => Ok(Command::Request { domains, preset, duration, ticket, because }),
        }
    }

    fn id(&mut self) -> Result<RequestId, CommandError> {
        let word = self.next().ok_or(CommandError::Missing("the request's id"))?;
        RequestId::try_from(word.to_ascii_lowercase()).map_err(|_| CommandError::Id(word))
    }

    /// `for` and its duration, which may have several words: `for 1h 30m`.
    fn duration(&mut self) -> Result<Option<u64>, CommandError> {
        if !self.takes("for") {
            return Ok(None);
        }
        let mut words = Vec::new();
        while let Some(word) = self.0.next_if(|word| word.starts_with(|first: char| first.is_ascii_digit())) {
            words.push(word);
        }
        if words.is_empty() {
            return Err(CommandError::Missing("a duration behind `for`, such as 8h,"));
        }
        let text = words.join(" ");
        seconds(&text).map(Some).map_err(|reason| CommandError::Duration(text, reason))
    }

    fn list(&mut self) -> Result<ListOf, CommandError> {
        let Some(word) = self.next() else { return Ok(ListOf::Mine) };
        match word.to_ascii_lowercase().as_str() {
            "mine" => Ok(ListOf::Mine),
            "pending" => Ok(ListOf::Pending),
            "live" => Ok(ListOf::Live),
            "unused" => Ok(ListOf::Unused),
            _ => Err(CommandError::List(word)),
        }
    }
}

/// The text before the word `because`, and all behind it.
fn split_reason(text: &str) -> (&str, Option<&str>) {
    const WORD: &str = "because";
    let mut at = 0;
    for word in text.split_inclusive(char::is_whitespace) {
        let end = at + word.len();
        if word.trim_end().eq_ignore_ascii_case(WORD) {
            return (text.get(..at).unwrap_or_default(), text.get(end..).map(str::trim));
        }
        at = end;
    }
    (text, None)
}

/// A word without the link that Slack may have made of it, `<http://github.com|github.com>`
/// (<https://docs.slack.dev/messaging/formatting-message-text>), and without the quotes that an answer has around
/// it.
fn unlinked(word: &str) -> String {
    let word = word.replace('`', "");
    let word = word.as_str();
    let link = word.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
    unescaped(link.map_or(word, |link| link.rsplit_once('|').map_or(link, |(_, label)| label)))
}

/// The three signs that Slack escapes.
fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_can_be_said() {
        let said = [
            "",
            "help",
            "request github.com because I clone the samples",
            "Request .github.com, api.github.com for 7d ticket OPS-1 Because of a & b",
            "request for 1h 30m github.com because x",
            "request preset pypi because pip",
            "request <http://github.com|github.com> <https://huggingface.co> because I &lt;3 it &amp;amp; you",
            "extend req-0123456789ab because not done",
            "extend REQ-0123456789AB for 2d because not done",
            "approve req-0123456789ab",
            "deny req-0123456789ab because no",
            "revoke req-0123456789ab because done",
            "withdraw req-0123456789ab",
            "status req-0123456789ab",
            "why https://github.com/x",
            "list",
            "list unused",
        ];
        let read = said.map(|text| format!("{text}\n    {:?}", Command::parse(text).unwrap()));
        insta::assert_snapshot!(read.join("\n"));
    }

    #[test]
    fn what_means_nothing_is_answered_with_what_is_missing_or_wrong() {
        let said = [
            "open github.com",
            "request github.com",
            "request github.com because",
            "request because x",
            "request preset because x",
            "request preset pypi github.com because x",
            "request github.com for because x",
            "request github.com for 7 because x",
            "request github.com for 5s because x",
            "request github.com ticket because x",
            "extend because x",
            "extend req-1 because x",
            "extend req-0123456789ab 2d because x",
            "approve",
            "withdraw req-0123456789ab now",
            "why",
            "list all",
        ];
        let read = said.map(|text| format!("{text}\n    {}", Command::parse(text).unwrap_err()));
        insta::assert_snapshot!(read.join("\n"));
    }

    proptest! {
        #[test]
        fn nothing_that_anybody_types_is_too_strange(text in ".{0,300}") {
            let _ = Command::parse(&text);
        }

        #[test]
        fn nor_words_of_ours_in_any_order(
            words in proptest::collection::vec(
                prop_oneof![
                    Just("request"), Just("extend"), Just("for"), Just("7d"), Just("because"), Just("preset"),
                    Just("req-0123456789ab"), Just("github.com"), Just("ticket"), Just("<a|b>"), Just("<|>"), Just(","),
                ],
                0..12,
            )
        ) {
            let _ = Command::parse(&words.join(" "));
        }
    }
}
