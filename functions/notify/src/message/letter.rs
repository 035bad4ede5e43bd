//! The form of every message: one sentence, facts under labels, and what to do next. Each channel shows it in its own
//! way ([`crate::render`]); mail, and whatever else shows plain text, by [`Letter::text`].

use super::act::{Act, Speech};

/// The longest fact, in bytes: SNS takes 256 KiB of a message and its attributes
/// (<https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>), and no letter has twenty facts.
const LONGEST_FACT: usize = 10_000;

/// A text of one sentence, facts under labels, and what to do next.
#[derive(Debug)]
pub(crate) struct Letter {
    /// What it is about, in a few words; made fit for a mail when it is sent.
    pub(crate) subject: String,
    /// What happened.
    pub(crate) sentence: String,
    /// What there is to know.
    pub(crate) facts: Vec<(&'static str, Vec<String>)>,
    /// What the reader can do.
    pub(crate) next: Vec<Step>,
}

/// Something that the reader can do: words, and what is said for it to be done.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) words: String,
    pub(crate) act: Option<Act>,
}

impl Letter {
    pub(super) fn new(subject: String, sentence: String) -> Self {
        Self { subject, sentence, facts: Vec::new(), next: Vec::new() }
    }

    /// A fact of one line. What comes from outside has been made plain.
    pub(super) fn fact(self, label: &'static str, text: impl Into<String>) -> Self {
        self.facts(label, vec![text.into()])
    }

    /// A fact that may be missing.
    pub(super) fn fact_if(self, label: &'static str, text: Option<String>) -> Self {
        match text {
            Some(text) => self.fact(label, text),
            None => self,
        }
    }

    /// A fact of several lines; none, no fact.
    pub(super) fn facts(mut self, label: &'static str, lines: Vec<String>) -> Self {
        if !lines.is_empty() {
            self.facts.push((label, bounded(lines)));
        }
        self
    }

    /// A line of what to do next.
    pub(super) fn next(mut self, line: impl Into<String>) -> Self {
        self.next.push(Step { words: line.into(), act: None });
        self
    }

    /// The same, for which something has to be said.
    pub(super) fn act(mut self, words: impl Into<String>, act: Act) -> Self {
        self.next.push(Step { words: words.into(), act: Some(act) });
        self
    }

    /// The text. Every line but the first of a fact is indented under it, so that none can pass for a
    /// fact of its own.
    pub(crate) fn text(&self, speech: Speech<'_>) -> String {
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
            lines.extend(self.to_do(speech).iter().map(|line| format!("  {line}")));
        }
        lines.push(String::new());
        lines.join("\n")
    }

    /// What to do, as lines: after what is said, where it is to be said.
    fn to_do(&self, speech: Speech<'_>) -> Vec<String> {
        let mut lines = Vec::new();
        for (place, Step { words, act }) in self.next.iter().enumerate() {
            lines.push(words.clone());
            lines.extend(act.iter().flat_map(|act| speech.says(act)).map(|said| format!("  {said}")));
            let more = self.next.get(place + 1).is_some_and(|next| next.act.is_some());
            if act.is_some() && !more {
                lines.extend(speech.addressee().map(str::to_owned));
            }
        }
        lines
    }
}

/// As many lines as are not too long together, and how many more there are.
fn bounded(mut lines: Vec<String>) -> Vec<String> {
    let mut bytes = 0;
    let fit = lines.iter().take_while(|line| {
        bytes += line.len();
        bytes <= LONGEST_FACT
    });
    let fit = fit.count();
    let more = lines.len() - fit;
    lines.truncate(fit);
    if more > 0 {
        lines.push(format!("and {} more", super::counted(more as u64, "line")));
    }
    lines
}
