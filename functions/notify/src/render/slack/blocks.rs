//! Blocks and their elements, within Slack's limits; and text in Slack's markup.

use serde_json::{Value, json};

use crate::render::cut;

/// The longest header, in characters (<https://docs.slack.dev/reference/block-kit/blocks/header-block>).
const LONGEST_HEADER: usize = 150;
/// The longest text of a section, in characters (<https://docs.slack.dev/reference/block-kit/blocks/section-block>).
const LONGEST_SECTION: usize = 3_000;
/// The longest field of a section, in characters.
const LONGEST_FIELD: usize = 2_000;
/// The longest text on a button, in characters
/// (<https://docs.slack.dev/reference/block-kit/block-elements/button-element>).
const LONGEST_BUTTON: usize = 75;

/// A text in which Slack's three signs are no signs.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Lines in somebody's own words: each is quoted.
pub(super) fn quoted(text: &str) -> String {
    let lines = text.lines().map(|line| format!(">{}", escaped(line)));
    lines.collect::<Vec<_>>().join("\n")
}

/// A line above all.
pub(super) fn header(text: &str) -> Value {
    json!({"type": "header", "text": {"type": "plain_text", "text": cut(text, LONGEST_HEADER), "emoji": false}})
}

/// A text in Slack's markup.
pub(super) fn markup(text: &str) -> Value {
    json!({"type": "section", "text": mrkdwn(text, LONGEST_SECTION)})
}

/// Texts side by side, at most ten.
pub(super) fn fields(texts: &[String]) -> Value {
    let fields: Vec<Value> = texts.iter().map(|text| mrkdwn(text, LONGEST_FIELD)).collect();
    json!({"type": "section", "fields": fields})
}

/// A text in small letters.
pub(super) fn context(text: &str) -> Value {
    json!({"type": "context", "elements": [mrkdwn(text, LONGEST_FIELD)]})
}

/// A button. Its value is at most 2,000 characters, and its id at most 255.
pub(super) fn button(action_id: &str, text: &str, value: &str, style: Option<&str>) -> Value {
    let text = cut(text, LONGEST_BUTTON);
    let mut button = json!({
        "type": "button", "action_id": action_id, "value": value,
        "text": {"type": "plain_text", "text": text, "emoji": false},
    });
    if let (Value::Object(button), Some(style)) = (&mut button, style) {
        button.insert("style".to_owned(), json!(style));
    }
    button
}

/// A question before a button does what it does.
pub(super) fn confirm(title: &str, text: &str) -> Value {
    let plain = |text: &str| json!({"type": "plain_text", "text": text});
    json!({"title": plain(title), "text": plain(text), "confirm": plain("Yes"), "deny": plain("No")})
}

fn mrkdwn(text: &str, longest: usize) -> Value {
    json!({"type": "mrkdwn", "text": cut(text, longest), "verbatim": true})
}
