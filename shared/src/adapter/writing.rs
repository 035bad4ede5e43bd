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
use crate::config::BaseUrl;
use crate::request::StateName;

/// What may stand in a part of a path as it is (RFC 3986, unreserved characters).
const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The kind of escaping of a URL, beside that of JSON.
const URL: AutoEscape = AutoEscape::Custom(Cow::Borrowed("url"));

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
#[error("the template of {field} can't be filled: {problem}")]
pub struct Unfilled {
    /// Its field.
    pub field: String,
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
    /// Reads a table's templates, and tries each.
    pub fn new(adapter: &str, settings: &Settings) -> Result<Self, AdapterError> {
        let mut templates = Environment::new();
        // A misspelt name is an error, and not nothing.
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        templates
            .set_auto_escape_callback(|name| if name.starts_with("url ") { URL } else { AutoEscape::Json });
        templates.set_formatter(|out, state, value| {
            if *state.auto_escape() == URL && value.kind() != ValueKind::Undefined {
                return Ok(write!(out, "{}", utf8_percent_encode(&value.to_string(), PART))?);
            }
            minijinja::escape_formatter(out, state, value)
        });
        let mut writer = Self { templates, answer: None, transitions: BTreeMap::new() };
        let wrong = |error: Unfilled| AdapterError {
            adapter: adapter.to_owned(),
            field: error.field,
            problem: error.problem,
        };
        if let Some(answer) = &settings.answer {
            writer.answer = Some(writer.add("answer".to_owned(), answer).map_err(wrong)?);
        }
        for (state, call) in &settings.transitions {
            let call = writer.add(format!("transitions.{state}"), call).map_err(wrong)?;
            writer.transitions.insert(*state, call);
        }
        Ok(writer)
    }

    /// The call that writes a notice on its ticket, where the adapter has one.
    pub fn answer(&self, facts: &Facts) -> Result<Option<Call>, Unfilled> {
        self.answer.as_ref().map(|call| self.fill(call, facts)).transpose()
    }

    /// The call that brings a ticket into what its request is in, where the adapter has one.
    pub fn transition(&self, state: StateName, facts: &Facts) -> Result<Option<Call>, Unfilled> {
        self.transitions.get(&state).map(|call| self.fill(call, facts)).transpose()
    }

    fn add(&mut self, field: String, call: &CallSettings) -> Result<CallTemplate, Unfilled> {
        let CallSettings { method, url, headers, body } = call;
        let unfilled = |problem: String| Unfilled { field: field.clone(), problem };
        // Up to the path, the URL is no template's to change.
        let literal = url.split("{{").next().unwrap_or_default().split("{%").next().unwrap_or_default();
        let base = literal.rfind('/').and_then(|end| literal.get(..=end)).unwrap_or_default();
        let base = BaseUrl::parse(base).map_err(|error| unfilled(error.to_string()))?;
        for (name, value) in headers {
            let is_name =
                !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
            let is_value = value.bytes().all(|byte| (b' '..=b'~').contains(&byte));
            if !is_name || !is_value || ["authorization", "content-type", "host"].contains(&name.as_str()) {
                return Err(unfilled(format!("the header {name:?} can't be set here")));
            }
        }
        for (kind, text) in [("url", url), ("json", body)] {
            let name = format!("{kind} {field}");
            let added = self.templates.add_template_owned(name, text.clone());
            added.map_err(|error| unfilled(format!("{error:#}")))?;
        }
        let call = CallTemplate { field, method: *method, base, headers: headers.clone() };
        self.fill(&call, &Facts::example())?;
        Ok(call)
    }

    fn fill(&self, call: &CallTemplate, facts: &Facts) -> Result<Call, Unfilled> {
        let unfilled = |problem: String| Unfilled { field: call.field.clone(), problem };
        let filled = |kind: &str| {
            let template = self.templates.get_template(&format!("{kind} {}", call.field))?;
            let parts: Vec<String> = facts.ticket.split(['#', '/']).map(str::to_owned).collect();
            template.render(context! { parts, ..Value::from(Serde(facts)) })
        };
        let url = filled("url").map_err(|error| unfilled(format!("{error:#}")))?;
        // A server that decodes the path before it reads it would climb by the ticket's parts, too.
        let parts = facts.ticket.split(['#', '/']).chain(url.split(['/', '?']));
        let climbs = parts.into_iter().any(|part| part == "." || part == "..");
        if climbs || !call.base.holds(&url) {
            return Err(unfilled(format!("{url:?} leads elsewhere")));
        }
        let body = filled("json").map_err(|error| unfilled(format!("{error:#}")))?;
        let body = serde_json::from_str(&body)
            .map_err(|error| unfilled(format!("the body is not JSON: {error}")))?;
        Ok(Call { method: call.method, url, headers: call.headers.clone(), body })
    }
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
