//! A message as a person sees it.

use serde_json::{Value, json};

use super::TEAM;

/// A message in a channel, in a conversation with one person, or in a thread.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Where it stands: a channel (`C…`), or a conversation with one person (`D…`).
    pub channel: String,
    /// What it was posted to: the same, or the person (`U…`).
    pub posted_to: String,
    /// Its id in its channel, e.g. `1405894322.002768`.
    pub ts: String,
    /// The message under which it stands in a thread.
    pub thread: Option<String>,
    /// Its text: all of it where there are no blocks, and else what notifications show.
    pub text: String,
    /// Its blocks.
    pub blocks: Vec<Value>,
    /// What goes with it for programs: `event_type` and `event_payload`.
    pub metadata: Option<Value>,
    /// How often it was edited.
    pub edits: usize,
}

/// A button of a message.
#[derive(Debug, Clone, PartialEq)]
pub struct Button {
    /// What stands on it.
    pub text: String,
    /// What a click is told by.
    pub action_id: String,
    /// What a click brings with it.
    pub value: String,
    /// What it opens.
    pub url: Option<String>,
    /// `primary`, `danger`, or nothing.
    pub style: Option<String>,
}

impl Message {
    /// What a person reads: the texts of the blocks, one a line, or the text where there are none.
    pub fn shown(&self) -> String {
        if self.blocks.is_empty() {
            return self.text.clone();
        }
        self.blocks.iter().flat_map(texts).collect::<Vec<_>>().join("\n")
    }

    /// Its buttons, in their order.
    pub fn buttons(&self) -> Vec<Button> {
        self.blocks.iter().flat_map(elements).filter_map(button).collect()
    }

    /// The message as it stands in an answer.
    pub(super) fn answer(&self) -> Value {
        let mut answer = json!({
            "type": "message", "subtype": "bot_message", "bot_id": "B0STANDIN", "team": TEAM,
            "ts": self.ts, "text": self.text, "blocks": self.blocks,
        });
        if let (Value::Object(answer), Some(thread)) = (&mut answer, &self.thread) {
            answer.insert("thread_ts".to_owned(), json!(thread));
        }
        answer
    }
}

/// The elements of a block: those of a row, and the one beside a section.
fn elements(block: &Value) -> Vec<&Value> {
    let row = block.get("elements").and_then(Value::as_array);
    row.into_iter().flatten().chain(block.get("accessory")).collect()
}

fn button(element: &Value) -> Option<Button> {
    let text = |name: &str| element.get(name).and_then(Value::as_str).map(str::to_owned);
    (text("type")? == "button").then(|| Button {
        text: element.pointer("/text/text").and_then(Value::as_str).unwrap_or_default().to_owned(),
        action_id: text("action_id").unwrap_or_default(),
        value: text("value").unwrap_or_default(),
        url: text("url"),
        style: text("style"),
    })
}

/// The texts of a block, buttons left out.
fn texts(block: &Value) -> Vec<&str> {
    let fields = block.get("fields").and_then(Value::as_array).into_iter().flatten();
    let own = block.get("text").into_iter().chain(fields);
    let in_row = block.get("elements").and_then(Value::as_array).into_iter().flatten();
    // An element whose text is an object is a button.
    own.chain(in_row).filter_map(|text| text.get("text")?.as_str()).collect()
}
