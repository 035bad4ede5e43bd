//! What a ticket system sends, as what somebody says. The body is proved before it comes here, and is a stranger's
//! all the same: whatever stands in it comes to one of few things, or to an error that names the field.

mod compile;

use serde_json::Value;
use serde_json_path::JsonPath;

use super::AdapterError;
use super::settings::Settings;
use compile::Compile;

/// The longest text of a field that is read, in characters: more than any that is taken.
const LONGEST: usize = 10_000;
/// The most texts of a list that are read: more than may be asked for at once.
const MOST: usize = 100;
/// What GitHub writes where nothing was filled in
/// (<https://docs.github.com/communities/using-templates-to-encourage-useful-issues-and-pull-requests/syntax-for-issue-forms>).
const NO_RESPONSE: &str = "_No response_";

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// Nothing that concerns a request.
    Nothing,
    /// A ticket asks for domains.
    Request {
        /// The ticket.
        ticket: String,
        /// Who asks, by the system's id.
        requester: String,
        /// The domains as they were typed.
        domains: Vec<String>,
        /// A preset.
        preset: Option<String>,
        /// Why.
        justification: String,
        /// For how long, as it was typed.
        duration: Option<String>,
    },
    /// A ticket has come into a state that decides.
    Decided {
        /// The ticket.
        ticket: String,
        /// Who decided, by the system's id.
        by: String,
        /// Whether it is a yes.
        approved: bool,
        /// What they said.
        comment: Option<String>,
    },
    /// A ticket was closed.
    Closed {
        /// The ticket.
        ticket: String,
        /// Who closed it, by the system's id.
        by: String,
        /// The state it is in.
        state: String,
    },
    /// Somebody has written a comment.
    Comment {
        /// The ticket.
        ticket: String,
        /// Who, by the system's id.
        by: String,
        /// What.
        text: String,
    },
}

impl Said {
    /// Who says it, by the system's id.
    fn by(&self) -> Option<&String> {
        match self {
            Self::Nothing => None,
            Self::Request { requester, .. } => Some(requester),
            Self::Decided { by, .. } | Self::Closed { by, .. } | Self::Comment { by, .. } => Some(by),
        }
    }
}

/// What a message lacks, by the field of the adapter that should find it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is nothing at {field} ({path})")]
pub struct Missing {
    /// The adapter's field.
    pub field: &'static str,
    /// Its path.
    pub path: String,
}

/// An adapter, ready to read.
#[derive(Debug)]
pub struct Reader {
    ticket: Vec<Path>,
    id: Vec<Path>,
    request: Option<RequestReader>,
    states: Option<StateReader>,
    comments: Option<CommentReader>,
    ourselves: Vec<String>,
}

#[derive(Debug)]
struct RequestReader {
    when: Conditions,
    requester: Path,
    domains: Option<Place>,
    preset: Option<Place>,
    justification: Place,
    duration: Option<Place>,
}

#[derive(Debug)]
struct StateReader {
    when: Conditions,
    state: Path,
    by: Path,
    comment: Option<Path>,
    approved: Vec<String>,
    denied: Vec<String>,
    closed: Vec<String>,
}

#[derive(Debug)]
struct CommentReader {
    when: Conditions,
    text: Path,
    by: Path,
}

/// A JSONPath with the field that it is of.
#[derive(Debug)]
struct Path {
    field: &'static str,
    path: JsonPath,
}

/// A path, and the heading under which its text stands.
#[derive(Debug)]
struct Place {
    path: Path,
    section: Option<String>,
}

#[derive(Debug)]
struct Conditions(Vec<(Path, Vec<String>)>);

impl Reader {
    /// Reads a table's paths. The error is the first mistake.
    pub fn new(adapter: &str, settings: &Settings) -> Result<Self, AdapterError> {
        let (reader, mistakes) = Self::compile(adapter, settings);
        mistakes.into_iter().next().map_or(Ok(reader), Err)
    }

    /// All mistakes of a table in how what it sends is proved and read.
    pub fn mistakes(adapter: &str, settings: &Settings) -> Vec<AdapterError> {
        Self::compile(adapter, settings).1
    }

    /// A reader, and the mistakes with which nobody may use it.
    fn compile(adapter: &str, settings: &Settings) -> (Self, Vec<AdapterError>) {
        let Settings { proof, ticket, id, request, states, comments, ourselves, .. } = settings;
        let mut compile = Compile::new(adapter);
        compile.proof(proof.as_ref());
        let reader = Self {
            ticket: compile.paths("ticket", ticket),
            id: id.as_ref().map(|id| compile.paths("id", id)).unwrap_or_default(),
            request: request.as_ref().map(|request| compile.request(request)),
            states: states.as_ref().map(|states| compile.states(states)),
            comments: comments.as_ref().map(|comments| compile.comments(comments)),
            ourselves: ourselves.clone(),
        };
        (reader, compile.mistakes)
    }

    /// What a message says; what we have done ourselves says nothing.
    pub fn read(&self, body: &Value) -> Result<Said, Missing> {
        let said = self.said(body)?;
        Ok(if said.by().is_some_and(|by| self.ourselves.contains(by)) { Said::Nothing } else { said })
    }

    fn said(&self, body: &Value) -> Result<Said, Missing> {
        let ticket = || joined(&self.ticket, body);
        if let Some(request) = self.request.as_ref().filter(|request| request.when.are_true(body)) {
            return request.read(ticket()?, body);
        }
        if let Some(comments) = self.comments.as_ref().filter(|comments| comments.when.are_true(body)) {
            let (text, by) = (comments.text.needed(body)?, comments.by.needed(body)?);
            return Ok(Said::Comment { ticket: ticket()?, by, text });
        }
        match self.states.as_ref().filter(|states| states.when.are_true(body)) {
            Some(states) => states.read(ticket, body),
            None => Ok(Said::Nothing),
        }
    }

    /// What makes a message the same as another delivery of it, where the adapter says.
    pub fn id(&self, body: &Value) -> Result<Option<String>, Missing> {
        if self.id.is_empty() { Ok(None) } else { joined(&self.id, body).map(Some) }
    }
}

impl RequestReader {
    fn read(&self, ticket: String, body: &Value) -> Result<Said, Missing> {
        let one = |place: &Option<Place>| place.as_ref().and_then(|place| place.text(body));
        let domains = self.domains.as_ref().map(|place| place.texts(body)).unwrap_or_default();
        let separates = |c: char| c.is_whitespace() || c == ',' || c == ';';
        let domains = domains.iter().flat_map(|text| text.split(separates)).filter(|word| !word.is_empty());
        Ok(Said::Request {
            ticket,
            requester: self.requester.needed(body)?,
            domains: domains.take(MOST).map(str::to_owned).collect(),
            preset: one(&self.preset),
            // Who has left it out is told so, on the ticket.
            justification: self.justification.text(body).unwrap_or_default(),
            duration: one(&self.duration),
        })
    }
}

impl StateReader {
    fn read(&self, ticket: impl Fn() -> Result<String, Missing>, body: &Value) -> Result<Said, Missing> {
        // A message that speaks of no state is about something else of the ticket.
        let Some(state) = self.state.text(body) else { return Ok(Said::Nothing) };
        let is = |states: &[String]| states.contains(&state);
        let (approved, denied) = (is(&self.approved), is(&self.denied));
        if approved || denied {
            let comment = self.comment.as_ref().and_then(|path| path.text(body));
            return Ok(Said::Decided { ticket: ticket()?, by: self.by.needed(body)?, approved, comment });
        }
        if is(&self.closed) {
            return Ok(Said::Closed { ticket: ticket()?, by: self.by.needed(body)?, state });
        }
        Ok(Said::Nothing)
    }
}

impl Conditions {
    fn are_true(&self, body: &Value) -> bool {
        let is_true = |(path, texts): &(Path, Vec<String>)| {
            let found = path.texts(body);
            found.iter().any(|found| texts.contains(found)) || (found.is_empty() && texts.is_empty())
        };
        self.0.iter().all(is_true)
    }
}

impl Path {
    /// All texts to which it leads; those of a list, too.
    fn texts(&self, body: &Value) -> Vec<String> {
        let mut texts = Vec::new();
        for found in self.path.query(body).iter().take(MOST) {
            match found {
                Value::Array(items) => texts.extend(items.iter().take(MOST).filter_map(text)),
                other => texts.extend(text(other)),
            }
        }
        texts
    }

    fn text(&self, body: &Value) -> Option<String> {
        self.texts(body).into_iter().next()
    }

    fn needed(&self, body: &Value) -> Result<String, Missing> {
        self.text(body).ok_or_else(|| self.missing())
    }

    fn missing(&self) -> Missing {
        Missing { field: self.field, path: self.path.to_string() }
    }
}

impl Place {
    fn texts(&self, body: &Value) -> Vec<String> {
        let texts = self.path.texts(body);
        match &self.section {
            None => texts,
            Some(heading) => texts.iter().filter_map(|text| under(text, heading)).collect(),
        }
    }

    fn text(&self, body: &Value) -> Option<String> {
        self.texts(body).into_iter().next()
    }
}

/// A value as a text; nothing where there is none.
fn text(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().chars().take(LONGEST).collect(),
        Value::Number(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    Some(text).filter(|text| !text.is_empty() && text != NO_RESPONSE)
}

/// What stands in Markdown under a heading, up to the next one; without the fences of a block of code, which some
/// fields of a form put around it.
fn under(text: &str, heading: &str) -> Option<String> {
    let title = |line: &str| {
        let rest = line.trim_start_matches('#');
        (rest.len() < line.len() && rest.starts_with(' ')).then(|| rest.trim().to_owned())
    };
    let mut lines = text.lines().skip_while(|line| title(line).as_deref() != Some(heading));
    lines.next()?;
    let section = lines.take_while(|line| title(line).is_none());
    let lines: Vec<&str> = section.filter(|line| !line.trim_start().starts_with("```")).collect();
    self::text(&Value::String(lines.join("\n")))
}

/// The texts of several paths, each of which must lead to one. No two lists of them are one text.
fn joined(paths: &[Path], body: &Value) -> Result<String, Missing> {
    let texts: Vec<String> = paths.iter().map(|path| path.needed(body)).collect::<Result<_, _>>()?;
    let last = texts.len().saturating_sub(1);
    let part =
        |(place, text): (usize, &String)| if place < last { text.replace('#', "%23") } else { text.clone() };
    Ok(texts.iter().enumerate().map(part).collect::<Vec<_>>().join("#"))
}
