//! Blocks and their elements (<https://docs.slack.dev/reference/block-kit/blocks>). Their texts are made to fit by whoever
//! makes them: a cut of what is escaped could be one in the middle of an escape.

use serde_json::{Value, json};

use crate::render::cut;

/// The longest header, in characters (<https://docs.slack.dev/reference/block-kit/blocks/header-block>).
const LONGEST_HEADER: usize = 150;

/// A line above all.
pub(super) fn header(text: &str) -> Value {
    json!({"type": "header", "text": plain(&cut(text, LONGEST_HEADER))})
}

/// A text in Slack's markup: at most 3,000 characters
/// (<https://docs.slack.dev/reference/block-kit/blocks/section-block>).
pub(super) fn section(text: &str) -> Value {
    json!({"type": "section", "text": markup(text)})
}

/// Texts side by side: at most ten, of 2,000 characters each.
pub(super) fn fields(texts: &[String]) -> Value {
    let fields: Vec<Value> = texts.iter().map(|text| markup(text)).collect();
    json!({"type": "section", "fields": fields})
}

/// A text in small letters.
pub(super) fn context(text: &str) -> Value {
    json!({"type": "context", "elements": [markup(text)]})
}

/// Buttons in a row.
pub(super) fn actions(buttons: &[Value]) -> Value {
    json!({"type": "actions", "elements": buttons})
}

/// A button, with at most 75 characters on it, and a value of at most 2,000
/// (<https://docs.slack.dev/reference/block-kit/block-elements/button-element>). `more` is its style, and what is asked
/// before it does what it does.
pub(super) fn button(action_id: &str, text: &str, value: &str, more: Value) -> Value {
    let mut button = json!({"type": "button", "action_id": action_id, "value": value, "text": plain(text)});
    if let (Value::Object(button), Value::Object(more)) = (&mut button, more) {
        button.extend(more);
    }
    button
}

/// A field to write something in, if there is something to say
/// (<https://docs.slack.dev/reference/block-kit/blocks/input-block>).
pub(super) fn input(block_id: &str, action_id: &str, label: &str, placeholder: &str) -> Value {
    json!({
        "type": "input", "block_id": block_id, "optional": true, "label": plain(label),
        "element": {
            "type": "plain_text_input", "action_id": action_id, "max_length": LONGEST_INPUT,
            "placeholder": plain(placeholder),
        },
    })
}

/// The longest that can be written, in characters: as much as is taken of a comment. Slack's own limit is 3,000.
const LONGEST_INPUT: usize = 2_000;

/// What is asked before a button does what it does
/// (<https://docs.slack.dev/reference/block-kit/composition-objects/confirmation-dialog-object>).
pub(super) fn confirm(title: &str, text: &str, yes: &str) -> Value {
    json!({"title": plain(title), "text": plain(text), "confirm": plain(yes), "deny": plain("No")})
}

fn plain(text: &str) -> Value {
    json!({"type": "plain_text", "text": text, "emoji": false})
}

/// Since it is `verbatim`, Slack makes nothing of names and addresses in it
/// (<https://docs.slack.dev/reference/block-kit/composition-objects/text-object>).
fn markup(text: &str) -> Value {
    json!({"type": "mrkdwn", "text": text, "verbatim": true})
}
