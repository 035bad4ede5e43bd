//! What people read: a subject and a text for each event. Pure functions of the event.

mod blocked;
mod firewall;
mod request;

use jiff::Timestamp;

use crate::notice::Notice;
use crate::plain;

/// A message, as it is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its subject: at most 99 characters of printable ASCII.
    pub subject: String,
    /// Its text, plain.
    pub body: String,
    /// The same for every delivery of it, so that its readers can know it again.
    pub event_id: String,
    /// The event that it tells of, for the filters of subscriptions.
    pub detail_type: &'static str,
}

impl Message {
    /// What people read about an event.
    pub fn about(notice: &Notice) -> Self {
        match notice {
            Notice::RequestStateChanged(changed) => request::message(changed),
            Notice::AllowListChanged(changed) => firewall::changed(changed),
            Notice::DriftFound(found) => firewall::drift(found),
            Notice::TrafficBlocked(blocked) => blocked::message(blocked),
        }
    }
}

/// A text of one sentence, facts under labels, and what to do next.
#[derive(Debug, Default)]
struct Letter {
    sentence: String,
    facts: Vec<(&'static str, Vec<String>)>,
    next: Vec<String>,
}

impl Letter {
    fn new(sentence: String) -> Self {
        Self { sentence, ..Self::default() }
    }

    /// A fact of one line. What comes from outside has been made plain.
    fn fact(mut self, label: &'static str, text: impl Into<String>) -> Self {
        self.facts.push((label, vec![text.into()]));
        self
    }

    /// A fact that may be missing.
    fn fact_if(self, label: &'static str, text: Option<String>) -> Self {
        match text {
            Some(text) => self.fact(label, text),
            None => self,
        }
    }

    /// A fact of several lines; none, no fact.
    fn facts(mut self, label: &'static str, lines: Vec<String>) -> Self {
        if !lines.is_empty() {
            self.facts.push((label, lines));
        }
        self
    }

    /// A line of what to do next.
    fn next(mut self, line: impl Into<String>) -> Self {
        self.next.push(line.into());
        self
    }

    /// The text. Every line but the first of a fact is indented under it, so that none can pass for a
    /// fact of its own.
    fn text(&self) -> String {
        let width = self.facts.iter().map(|(label, _)| label.len()).max().unwrap_or_default() + 2;
        let mut lines = vec![self.sentence.clone(), String::new()];
        for (label, texts) in &self.facts {
            let labels = std::iter::once(format!("{label}:")).chain(std::iter::repeat(String::new()));
            lines.extend(
                labels.zip(texts).map(|(label, text)| format!("{label:width$}{text}").trim_end().to_owned()),
            );
        }
        if !self.next.is_empty() {
            lines.extend([String::new(), "What to do".to_owned()]);
            lines.extend(self.next.iter().map(|line| format!("  {line}")));
        }
        lines.push(String::new());
        lines.join("\n")
    }
}

/// Where commands go to, in the words of the stack.
const WEBHOOK: &str = "the webhook (the stack's output WebhookUrl), signed";

/// A time to the minute; UTC, since readers sit anywhere.
fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// A time to the second.
fn second(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A length of time, as `1h 30m`.
fn length(seconds: u64) -> String {
    humantime::format_duration(std::time::Duration::from_secs(seconds)).to_string()
}

/// The first few of many, and how many more.
fn some_of(all: &[String], most: usize) -> Vec<String> {
    let mut some: Vec<String> = all.iter().take(most).map(|text| plain::name(text)).collect();
    if let Some(more) = all.len().checked_sub(most).filter(|more| *more > 0) {
        some.push(format!("and {more} more"));
    }
    some
}

/// A value of a JSON example.
fn json(text: &str) -> String {
    serde_json::Value::from(plain::name(text)).to_string()
}
