//! A message as a person sees it.

use serde_json::Value;

/// A message in a channel, with one person, or in a thread.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Where it stands: a channel (`19:…@thread.tacv2`), or a conversation with one person (`a:…`).
    pub channel: String,
    /// Its id in its channel.
    pub id: String,
    /// The message under which it stands in a thread.
    pub thread: Option<String>,
    /// What was sent last.
    pub activity: Value,
    /// How often it was edited.
    pub edits: usize,
}

impl Message {
    /// What a person reads: its text, then those of its cards, one a line.
    pub fn shown(&self) -> String {
        let text = self.activity.get("text").and_then(Value::as_str).filter(|text| !text.is_empty());
        let mut lines: Vec<_> = text.into_iter().collect();
        self.cards().for_each(|card| collect_texts(card, &mut lines));
        lines.join("\n")
    }

    /// Its Adaptive Cards.
    pub fn cards(&self) -> impl Iterator<Item = &Value> {
        let attachments = self.activity.get("attachments").and_then(Value::as_array);
        attachments.into_iter().flatten().filter_map(|attachment| attachment.get("content"))
    }

    /// What its buttons open: title and URL.
    pub fn links(&self) -> Vec<(String, String)> {
        let mut links = Vec::new();
        self.cards().for_each(|card| collect_links(card, &mut links));
        links
    }
}

fn collect_texts<'a>(part: &'a Value, lines: &mut Vec<&'a str>) {
    match part {
        Value::Array(parts) => parts.iter().for_each(|part| collect_texts(part, lines)),
        // A text among others, in a block of rich text.
        Value::String(text) => lines.push(text),
        Value::Object(object) => {
            let own = ["text", "title", "value"].iter().filter(|_| !object.contains_key("url"));
            lines.extend(own.filter_map(|name| object.get(*name)?.as_str()));
            let parts = ["body", "items", "columns", "facts", "inlines", "actions", "card"];
            parts.iter().filter_map(|name| object.get(*name)).for_each(|part| collect_texts(part, lines));
        }
        _ => {}
    }
}

fn collect_links(part: &Value, links: &mut Vec<(String, String)>) {
    let text = |name: &str| part.get(name).and_then(Value::as_str).map(str::to_owned);
    if let (Some("Action.OpenUrl"), Some(url)) = (text("type").as_deref(), text("url")) {
        links.push((text("title").unwrap_or_default(), url));
    }
    match part {
        Value::Array(parts) => parts.iter().for_each(|part| collect_links(part, links)),
        Value::Object(object) => object.values().for_each(|part| collect_links(part, links)),
        _ => {}
    }
}
