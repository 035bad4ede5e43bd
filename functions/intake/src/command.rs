//! The words that people type to the app, in a chat or in a comment on a ticket, as what they want.

use egress::events::{Decision, ListOf};
use egress::request::RequestId;

use crate::message::{seconds, silence_seconds};

/// What the first word can be.
const VERBS: [&str; 11] = [
    "request", "extend", "revoke", "withdraw", "approve", "deny", "silence", "why", "status", "list", "help",
];

/// What somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Domains, or a preset.
    Request(Wish),
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
    /// That alerts rest, or are told again.
    Silence {
        /// About which domain, as it was typed.
        domain: String,
        /// Whose; everybody's where nobody is named.
        owner: Option<String>,
        /// For how long, in seconds; 0 to end it.
        duration: Option<u64>,
    },
    /// To know what became of a request.
    Status(RequestId),
    /// To know why a host is blocked.
    Why(String),
    /// To know which requests there are.
    List(ListOf),
}

/// What somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// Domains as they were typed.
    pub domains: Vec<String>,
    /// A preset, where no domains are named.
    pub preset: Option<String>,
    /// For how long, in seconds.
    pub duration: Option<u64>,
    /// A ticket.
    pub ticket: Option<String>,
    /// Why.
    pub because: String,
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
    /// Reads what was typed; nothing where somebody asks for help. Where it stands on a ticket, a request that isn't
    /// named is the ticket's own.
    pub fn parse(text: &str, own: Option<&RequestId>) -> Result<Option<Self>, CommandError> {
        let (before, because) = split_reason(text);
        let reason = || because.map(str::to_owned).ok_or(CommandError::Missing("`because` and the reason"));
        let mut words = Words { rest: before, own };
        let verb = words.next().unwrap_or_else(|| "help".to_owned()).to_lowercase();
        let command = match verb.as_str() {
            "help" => return Ok(None),
            "request" => Self::Request(words.request(reason()?)?),
            "extend" => Self::Extend { id: words.id()?, duration: words.duration()?, because: reason()? },
            "approve" => return decided(Decision::Approve, text, own).map(Some),
            "deny" => return decided(Decision::Deny, text, own).map(Some),
            "revoke" => Self::Revoke { id: words.id()?, because: reason()? },
            "withdraw" => Self::Withdraw(words.id()?),
            "silence" => words.silence()?,
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

    /// Whether who asks needs no name: nothing is changed by it.
    pub(crate) fn is_question(&self) -> bool {
        matches!(self, Self::Status(_) | Self::Why(_) | Self::List(_))
    }

    /// Whether it becomes a request, of which more than one thing is told, and over days.
    pub(crate) fn is_request(&self) -> bool {
        matches!(self, Self::Request(_) | Self::Extend { .. })
    }
}

/// The command in a comment on a ticket, without its `/`: what begins with one of our words, or with our name.
pub(crate) fn in_comment(text: &str) -> Option<&str> {
    let text = text.trim_start().strip_prefix('/')?;
    let first = text.split(char::is_whitespace).next().unwrap_or_default();
    let is = |word: &str| first.eq_ignore_ascii_case(word);
    if is("egress") { text.get(first.len()..) } else { VERBS.into_iter().any(is).then_some(text) }
}

/// A yes or a no. All behind the id is the comment, with or without `because`.
fn decided(decision: Decision, text: &str, own: Option<&RequestId>) -> Result<Command, CommandError> {
    let mut words = Words { rest: text, own };
    words.next();
    let id = words.id()?;
    words.takes("because");
    let comment = words.rest.trim();
    Ok(Command::Decide { id, decision, comment: (!comment.is_empty()).then(|| comment.to_owned()) })
}

/// The words that are left.
struct Words<'a> {
    rest: &'a str,
    own: Option<&'a RequestId>,
}

impl Words<'_> {
    /// The next word, without the quotes that an answer of ours has around what is to be typed.
    fn next(&mut self) -> Option<String> {
        loop {
            let rest = self.rest.trim_start();
            let (word, rest) = rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len()));
            self.rest = rest;
            let plain = word.replace('`', "");
            if word.is_empty() || !plain.is_empty() {
                return Some(plain).filter(|word| !word.is_empty());
            }
        }
    }

    /// The next word, where it is one that is looked for.
    fn next_if(&mut self, is_it: impl Fn(&str) -> bool) -> Option<String> {
        let mut ahead = Words { rest: self.rest, own: self.own };
        let word = ahead.next().filter(|word| is_it(word))?;
        self.rest = ahead.rest;
        Some(word)
    }

    /// Whether this word is next; then it is taken.
    fn takes(&mut self, word: &str) -> bool {
        self.next_if(|next| next.eq_ignore_ascii_case(word)).is_some()
    }

    fn request(&mut self, because: String) -> Result<Wish, CommandError> {
        let preset = if self.takes("preset") {
            Some(self.next().ok_or(CommandError::Missing("the preset's name"))?)
        } else {
            None
        };
        let (mut domains, mut ticket, mut duration) = (Vec::new(), None, None);
        loop {
            if duration.is_none() {
                duration = self.duration()?;
            }
            if ticket.is_none() && self.takes("ticket") {
                ticket = Some(self.next().ok_or(CommandError::Missing("the ticket's name"))?);
                continue;
            }
            let Some(word) = self.next() else { break };
            domains.extend(self::domains(&word));
        }
        match (domains.is_empty(), &preset) {
            (true, None) => Err(CommandError::Missing("a domain, or `preset` and its name,")),
            (false, Some(_)) => Err(CommandError::Both),
            _ => Ok(Wish { domains, preset, duration, ticket, because }),
        }
    }

    fn id(&mut self) -> Result<RequestId, CommandError> {
        let own = self.own;
        let named = self.next_if(|word| own.is_none() || word.to_lowercase().starts_with("req-"));
        match (named, own) {
            (Some(word), _) => {
                RequestId::try_from(word.to_ascii_lowercase()).map_err(|_| CommandError::Id(word))
            }
            (None, Some(own)) => Ok(own.clone()),
            (None, None) => Err(CommandError::Missing("the request's id")),
        }
    }

    /// The domain, and then for how long and whose, in any order.
    fn silence(&mut self) -> Result<Command, CommandError> {
        let domain = self.next().ok_or(CommandError::Missing("the domain"))?;
        let (mut owner, mut duration) = (None, None);
        loop {
            if duration.is_none() {
                duration = self.lasting(silence_seconds)?;
            }
            if owner.is_some() || !self.takes("owner") {
                return Ok(Command::Silence { domain, owner, duration });
            }
            owner = Some(self.next().ok_or(CommandError::Missing("whose alerts, behind `owner`,"))?);
        }
    }

    /// For how long a grant is to last.
    fn duration(&mut self) -> Result<Option<u64>, CommandError> {
        self.lasting(seconds)
    }

    /// `for` and its duration, which may have several words: `for 1h 30m`.
    fn lasting(
        &mut self,
        seconds: impl Fn(&str) -> Result<u64, String>,
    ) -> Result<Option<u64>, CommandError> {
        if !self.takes("for") {
            return Ok(None);
        }
        // A name that begins with a digit has a dot somewhere.
        let is_time = |word: &str| word.starts_with(|c: char| c.is_ascii_digit()) && !word.contains('.');
        let words: Vec<String> = std::iter::from_fn(|| self.next_if(is_time)).collect();
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

/// The domains in a text that has white space, commas or semicolons between them.
pub(crate) fn domains(text: &str) -> impl Iterator<Item = String> {
    let separates = |c: char| c.is_whitespace() || c == ',' || c == ';';
    text.split(separates).filter(|word| !word.is_empty()).map(str::to_owned)
}

/// The text before the word `because`, and all behind it.
fn split_reason(text: &str) -> (&str, Option<&str>) {
    const WORD: &str = "because";
    let mut at = 0;
    for word in text.split_inclusive(char::is_whitespace) {
        let end = at + word.len();
        if word.trim_end().eq_ignore_ascii_case(WORD) {
            let reason = text.get(end..).map(str::trim).filter(|reason| !reason.is_empty());
            return (text.get(..at).unwrap_or_default(), reason);
        }
        at = end;
    }
    (text, None)
}

#[cfg(test)]
mod tests;
