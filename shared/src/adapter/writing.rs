//! What a ticket system is sent: templates of URLs and bodies. Whatever stands in a notice, the host is the one in
//! the configuration, the path keeps its parts, and the body is JSON of the template's own shape.

use std::borrow::Cow;
use std::collections::BTreeMap;

use minijinja::value::{Serde, Value, ValueKind};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use super::AdapterError;
use super::settings::{CallSettings, Method, Settings};
use crate::config::{BaseUrl, NotABase};
use crate::request::StateName;

/// What may stand in a part of a path as it is (RFC 3986, unreserved characters).
const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The kind of escaping of a URL, beside that of JSON.
const URL: AutoEscape = AutoEscape::Custom(Cow::Borrowed("url"));

/// The longest template, in bytes.
const LONGEST_TEMPLATE: usize = 4_000;
/// Stack for templates, in bytes: their compiler descends by recursion into `a.b.c` and `1 + 1 + 1`, and without
/// optimisation needs 1 kB for each byte of them; 500 macros in macros need under 2 MB.
const STACK: usize = 8 * 1024 * 1024;
/// The most steps of filling one, so that none goes on for ever. Those of the example need about ten.
const MOST_STEPS: u64 = 100_000;

/// What the templates know, and beside it `parts`: the ticket's name split at `#` and `/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// The ticket's name.
    pub ticket: String,
    /// The request's id; empty where the notice is about none.
    pub request_id: String,
    /// What the request is in: `pending`, `approved`, …; empty where the notice is about none.
    pub state: String,
    /// What it is about, in a few words.
    pub headline: String,
    /// The whole message, as lines.
    pub text: String,
    /// Who caused it; may be empty.
    pub by: String,
    /// What they said; may be empty.
    pub comment: String,
    /// When the grant ends, RFC 3339; may be empty.
    pub ends_at: String,
    /// The same for every delivery of the notice.
    pub event_id: String,
}

/// A call, as it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// The URL.
    pub url: String,
    /// Headers beside `content-type` and `authorization`.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: serde_json::Value,
}

/// Why a template can't be filled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the template of {field}.{part} can't be filled: {problem}")]
pub struct Unfilled {
    /// The field of its call: `answer`.
    pub field: String,
    /// The field in that: `url`, `headers` or `body`.
    pub part: &'static str,
    /// What is wrong.
    pub problem: String,
}

/// An adapter, ready to write.
#[derive(Debug)]
pub struct Writer {
    templates: Environment<'static>,
    answer: Option<CallTemplate>,
    transitions: BTreeMap<StateName, CallTemplate>,
}

#[derive(Debug)]
struct CallTemplate {
    field: String,
    method: Method,
    base: BaseUrl,
    headers: BTreeMap<String, String>,
}

impl Writer {
    /// Reads a table's templates, and tries each. The error is the first mistake, by the field of its call.
    pub fn new(adapter: &str, settings: &Settings) -> Result<Self, AdapterError> {
        let (writer, mistakes) = Self::compile(settings);
        let Some(Unfilled { field, part, problem }) = mistakes.into_iter().next() else { return Ok(writer) };
        Err(AdapterError { adapter: adapter.to_owned(), field, problem: format!("{part}: {problem}") })
    }

    /// All mistakes of a table in what is sent, each by its own field: `answer.url`.
    pub fn mistakes(adapter: &str, settings: &Settings) -> Vec<AdapterError> {
        let mistake = |Unfilled { field, part, problem }| AdapterError {
            adapter: adapter.to_owned(),
            field: format!("{field}.{part}"),
            problem,
        };
        Self::compile(settings).1.into_iter().map(mistake).collect()
    }

    /// A writer, and the mistakes with which nobody may use it.
    fn compile(settings: &Settings) -> (Self, Vec<Unfilled>) {
        let (mut writer, mut mistakes) = (Self::empty(), Vec::new());
        writer.answer = settings.answer.as_ref().and_then(|call| writer.add("answer", call, &mut mistakes));
        for (state, call) in &settings.transitions {
            let call = writer.add(&format!("transitions.{state}"), call, &mut mistakes);
            writer.transitions.extend(call.map(|call| (*state, call)));
        }
        (writer, mistakes)
    }

    fn empty() -> Self {
        let mut templates = Environment::new();
        // A misspelt name is an error, and not nothing.
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        templates.set_fuel(Some(MOST_STEPS));
        templates
            .set_auto_escape_callback(|name| if name.starts_with("url ") { URL } else { AutoEscape::Json });
        templates.set_formatter(|out, state, value| {
            if *state.auto_escape() == URL && value.kind() != ValueKind::Undefined {
                return Ok(write!(out, "{}", utf8_percent_encode(&value.to_string(), PART))?);
            }
            minijinja::escape_formatter(out, state, value)
        });
        Self { templates, answer: None, transitions: BTreeMap::new() }
    }

    /// The call that writes a notice on its ticket, where the adapter has one.
    pub fn answer(&self, facts: &Facts) -> Result<Option<Call>, Unfilled> {
        self.answer.as_ref().map(|call| self.fill(call, facts)).transpose()
    }

    /// The call that brings a ticket into what its request is in, where the adapter has one.
    pub fn transition(&self, state: StateName, facts: &Facts) -> Result<Option<Call>, Unfilled> {
        self.transitions.get(&state).map(|call| self.fill(call, facts)).transpose()
    }

    /// Adds a call's templates, and tries them as far as they are right.
    fn add(
        &mut self,
        field: &str,
        call: &CallSettings,
        mistakes: &mut Vec<Unfilled>,
    ) -> Option<CallTemplate> {
        let CallSettings { method, url, headers, body } = call;
        let before = mistakes.len();
        let mut wrong = |part, problem| mistakes.push(Unfilled { field: field.to_owned(), part, problem });
        let base = base(url).map_err(|error| wrong("url", error.to_string())).ok();
        for name in headers.iter().filter(|(name, value)| !can_be_set(name, value)).map(|(name, _)| name) {
            wrong("headers", format!("the header {name:?} can't be set here"));
        }
        for (part, text) in [("url", url), ("body", body)] {
            if let Err(problem) = self.add_template(part, field, text) {
                wrong(part, problem);
            }
        }
        let call =
            CallTemplate { field: field.to_owned(), method: *method, base: base?, headers: headers.clone() };
        if mistakes.len() == before {
            let example = Facts::example();
            mistakes.extend(self.fill_url(&call, &example).err());
            mistakes.extend(self.fill_body(&call, &example).err());
        }
        Some(call)
    }

    fn add_template(&mut self, part: &str, field: &str, text: &str) -> Result<(), String> {
        if text.len() > LONGEST_TEMPLATE {
            return Err(format!("it has more than {LONGEST_TEMPLATE} characters"));
        }
        let (name, text) = (format!("{part} {field}"), text.to_owned());
        let added = with_stack(|| self.templates.add_template_owned(name, text));
        added.map_err(|error| format!("{error:#}"))
    }

    fn fill(&self, call: &CallTemplate, facts: &Facts) -> Result<Call, Unfilled> {
        let (url, body) = (self.fill_url(call, facts)?, self.fill_body(call, facts)?);
        Ok(Call { method: call.method, url, headers: call.headers.clone(), body })
    }

    fn fill_url(&self, call: &CallTemplate, facts: &Facts) -> Result<String, Unfilled> {
        let url = self.fill_part("url", call, facts)?;
        // A server that decodes the path before it reads it would climb by the ticket's parts, too.
        let parts = facts.ticket.split(['#', '/']).chain(url.split(['/', '?']));
        let climbs = parts.into_iter().any(|part| part == "." || part == "..");
        if climbs || !call.base.holds(&url) {
            return Err(call.unfilled("url", format!("{url:?} leads elsewhere")));
        }
        Ok(url)
    }

    fn fill_body(&self, call: &CallTemplate, facts: &Facts) -> Result<serde_json::Value, Unfilled> {
        let body = self.fill_part("body", call, facts)?;
        serde_json::from_str(&body)
            .map_err(|error| call.unfilled("body", format!("the body is not JSON: {error}")))
    }

    fn fill_part(&self, part: &'static str, call: &CallTemplate, facts: &Facts) -> Result<String, Unfilled> {
        let parts: Vec<String> = facts.ticket.split(['#', '/']).map(str::to_owned).collect();
        let template = self.templates.get_template(&format!("{part} {}", call.field));
        template
            .and_then(|template| {
                with_stack(|| template.render(context! { parts, ..Value::from(Serde(facts)) }))
            })
            .map_err(|error| call.unfilled(part, format!("{error:#}")))
    }
}

impl CallTemplate {
    fn unfilled(&self, part: &'static str, problem: String) -> Unfilled {
        Unfilled { field: self.field.clone(), part, problem }
    }
}

/// Runs what descends into a template.
fn with_stack<T>(run: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(STACK, STACK, run)
}

/// Up to the path, the URL is no template's to change.
fn base(url: &str) -> Result<BaseUrl, NotABase> {
    let literal = url.split("{{").next().unwrap_or_default().split("{%").next().unwrap_or_default();
    BaseUrl::parse(literal.rfind('/').and_then(|end| literal.get(..=end)).unwrap_or_default())
}

/// Whether a header is one that a table may set.
fn can_be_set(name: &str, value: &str) -> bool {
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    let is_value = value.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    is_name && is_value && !["authorization", "content-type", "host"].contains(&name)
}

impl Facts {
    /// With which templates are tried.
    fn example() -> Self {
        let text = |text: &str| text.to_owned();
        Self {
            ticket: text("A/1#2"),
            request_id: text("req-0123456789ab"),
            state: text("pending"),
            headline: text("\"quoted\""),
            text: text("two\nlines"),
            by: text("bob"),
            comment: text("<b>"),
            ends_at: text("2026-01-01T00:00:00Z"),
            event_id: text("req-0123456789ab.1"),
        }
    }
}
