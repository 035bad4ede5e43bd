//! The limits of Block Kit. Lengths are in characters. The numbers are those of <https://docs.slack.dev/reference/block-kit/blocks>,
//! `…/block-elements` and `…/composition-objects`, and the same in Slack's own types
//! (`packages/types/src/block-kit` of <https://github.com/slackapi/node-slack-sdk>).

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use super::kit::{Block, Choice, Confirm, Element, Text};

/// The longest texts.
const HEADER: usize = 150;
const SECTION: usize = 3_000;
const FIELD: usize = 2_000;
const INPUT_LABEL: usize = 2_000;
const TEXT_OBJECT: usize = 3_000;
const BUTTON: usize = 75;
const OPTION: usize = 75;
const PLACEHOLDER: usize = 150;
const CONFIRM_TITLE: usize = 100;
const CONFIRM_TEXT: usize = 300;
const CONFIRM_BUTTON: usize = 30;
/// The longest strings.
const ID: usize = 255;
const VALUE: usize = 2_000;
const URL: usize = 3_000;
/// (75 in Slack's types, 150 in its documentation.)
const OPTION_VALUE: usize = 150;
/// The most elements.
const FIELDS: usize = 10;
const CONTEXT: usize = 10;
const ACTIONS: usize = 25;
const SELECT: usize = 100;
const CHOICES: usize = 10;
const OVERFLOW: usize = 5;

/// What is wrong with blocks that stand at `place`, one line each, as Slack words it; nothing, when they
/// are right. There are at most `most`.
pub(super) fn check(blocks: &[Value], most: usize, place: &str) -> Vec<String> {
    let mut checker = Checker::default();
    checker.count(blocks.len(), 0..=most, place);
    for (index, block) in blocks.iter().enumerate() {
        let place = format!("{place}/{index}");
        match Block::deserialize(block) {
            Ok(block) => checker.block(&block, &place),
            Err(error) => checker.complain(&error.to_string(), &place),
        }
    }
    checker.complaints
}

/// What is wrong with one plain text of at most `most` characters that stands at `place`.
pub(super) fn check_plain(text: &Value, most: usize, place: &str) -> Vec<String> {
    let mut checker = Checker::default();
    match Text::deserialize(text) {
        Ok(text) => checker.plain(&text, most, place),
        Err(error) => checker.complain(&error.to_string(), place),
    }
    checker.complaints
}

/// The length of all texts in blocks together.
pub(super) fn length(blocks: &[Value]) -> usize {
    blocks.iter().map(length_in).sum()
}

fn length_in(value: &Value) -> usize {
    match value {
        Value::Object(object) => object
            .iter()
            .map(|(name, value)| match value {
                Value::String(text) if name == "text" => text.chars().count(),
                _ => length_in(value),
            })
            .sum(),
        Value::Array(values) => length(values),
        _ => 0,
    }
}

#[derive(Debug, Default)]
struct Checker {
    complaints: Vec<String>,
    /// The ids of the blocks until now.
    blocks: BTreeSet<String>,
}

impl Checker {
    fn complain(&mut self, what: &str, place: &str) {
        self.complaints.push(format!("{what} [json-pointer:{place}]"));
    }

    fn count(&mut self, count: usize, allowed: std::ops::RangeInclusive<usize>, place: &str) {
        if count > *allowed.end() {
            self.complain(&format!("no more than {} items allowed", allowed.end()), place);
        } else if count < *allowed.start() {
            self.complain(&format!("no fewer than {} items allowed", allowed.start()), place);
        }
    }

    fn length(&mut self, text: &str, least: usize, most: usize, place: &str) {
        let length = text.chars().count();
        if length > most {
            self.complain(&format!("must be less than {} characters", most + 1), place);
        } else if length < least {
            self.complain(&format!("must be more than {} characters", least - 1), place);
        }
    }

    fn text(&mut self, text: &Text, most: usize, place: &str) {
        let (Text::PlainText { text, .. } | Text::Mrkdwn { text, .. }) = text;
        self.length(text, 1, most, &format!("{place}/text"));
    }

    fn plain(&mut self, text: &Text, most: usize, place: &str) {
        if matches!(text, Text::Mrkdwn { .. }) {
            self.complain("must be plain_text", &format!("{place}/type"));
        }
        self.text(text, most, place);
    }

    fn block(&mut self, block: &Block, place: &str) {
        self.block_id(block, place);
        match block {
            Block::Header { text, .. } => self.plain(text, HEADER, &format!("{place}/text")),
            Block::Section { text, fields, accessory, .. } => {
                self.section(text.as_ref(), fields.as_deref(), place);
                if let Some(element) = accessory {
                    self.element(element, element.can_be_pressed(), &format!("{place}/accessory"));
                }
            }
            Block::Context { elements, .. } => {
                self.count(elements.len(), 1..=CONTEXT, &format!("{place}/elements"));
                for (index, text) in elements.iter().enumerate() {
                    self.text(text, TEXT_OBJECT, &format!("{place}/elements/{index}"));
                }
            }
            Block::Actions { elements, .. } => {
                self.count(elements.len(), 1..=ACTIONS, &format!("{place}/elements"));
                self.row(elements, &format!("{place}/elements"));
            }
            Block::Divider { .. } => {}
            Block::Input { label, element, hint, .. } => {
                self.plain(label, INPUT_LABEL, &format!("{place}/label"));
                if let Some(hint) = hint {
                    self.plain(hint, INPUT_LABEL, &format!("{place}/hint"));
                }
                self.element(element, element.can_be_filled_in(), &format!("{place}/element"));
            }
        }
    }

    fn block_id(&mut self, block: &Block, place: &str) {
        let (Block::Header { block_id, .. }
        | Block::Section { block_id, .. }
        | Block::Context { block_id, .. }
        | Block::Actions { block_id, .. }
        | Block::Divider { block_id }
        | Block::Input { block_id, .. }) = block;
        let Some(id) = block_id else { return };
        self.length(id, 1, ID, &format!("{place}/block_id"));
        if !self.blocks.insert(id.clone()) {
            self.complain("block_id is not unique", &format!("{place}/block_id"));
        }
    }

    fn section(&mut self, text: Option<&Text>, fields: Option<&[Text]>, place: &str) {
        if text.is_none() && fields.is_none() {
            self.complain("missing required field: text or fields", place);
        }
        if let Some(text) = text {
            self.text(text, SECTION, &format!("{place}/text"));
        }
        if let Some(fields) = fields {
            self.count(fields.len(), 1..=FIELDS, &format!("{place}/fields"));
        }
        for (index, field) in fields.into_iter().flatten().enumerate() {
            self.text(field, FIELD, &format!("{place}/fields/{index}"));
        }
    }

    /// The elements of one block of actions.
    fn row(&mut self, elements: &[Element], place: &str) {
        let mut ids = BTreeSet::new();
        for (index, element) in elements.iter().enumerate() {
            let place = format!("{place}/{index}");
            self.element(element, element.can_be_pressed(), &place);
            if element.action_id().is_some_and(|id| !ids.insert(id)) {
                self.complain("action_id is not unique in its block", &format!("{place}/action_id"));
            }
        }
    }

    /// An element, in a block that it fits or doesn't.
    fn element(&mut self, element: &Element, fits: bool, place: &str) {
        if !fits {
            self.complain("an element that this block can't have", place);
        }
        if let Some(id) = element.action_id() {
            self.length(id, 1, ID, &format!("{place}/action_id"));
        }
        self.content(element, place);
    }

    fn content(&mut self, element: &Element, place: &str) {
        match element {
            Element::Button { text, value, url, confirm, accessibility_label, .. } => {
                self.plain(text, BUTTON, &format!("{place}/text"));
                let strings = [
                    ("value", value, VALUE),
                    ("url", url, URL),
                    ("accessibility_label", accessibility_label, BUTTON),
                ];
                for (name, string, most) in strings {
                    self.length(string.as_deref().unwrap_or_default(), 0, most, &format!("{place}/{name}"));
                }
                self.confirm(confirm.as_ref(), place);
            }
            Element::PlainTextInput { placeholder, min_length, max_length, .. } => {
                self.placeholder(placeholder.as_ref(), place);
                for (name, length) in [("min_length", min_length), ("max_length", max_length)] {
                    if length.is_some_and(|length| length > TEXT_OBJECT) {
                        self.complain("must be at most 3000", &format!("{place}/{name}"));
                    }
                }
            }
            Element::StaticSelect { options, placeholder, confirm, .. } => {
                self.placeholder(placeholder.as_ref(), place);
                self.options(options, 1..=SELECT, place);
                self.confirm(confirm.as_ref(), place);
            }
            Element::RadioButtons { options, confirm, .. } | Element::Checkboxes { options, confirm, .. } => {
                self.options(options, 1..=CHOICES, place);
                self.confirm(confirm.as_ref(), place);
            }
            Element::Overflow { options, confirm, .. } => {
                self.options(options, 1..=OVERFLOW, place);
                self.confirm(confirm.as_ref(), place);
            }
        }
    }

    fn placeholder(&mut self, text: Option<&Text>, place: &str) {
        if let Some(text) = text {
            self.plain(text, PLACEHOLDER, &format!("{place}/placeholder"));
        }
    }

    fn options(&mut self, options: &[Choice], allowed: std::ops::RangeInclusive<usize>, place: &str) {
        self.count(options.len(), allowed, &format!("{place}/options"));
        for (index, option) in options.iter().enumerate() {
            let place = format!("{place}/options/{index}");
            self.text(&option.text, OPTION, &format!("{place}/text"));
            self.length(&option.value, 1, OPTION_VALUE, &format!("{place}/value"));
            if let Some(description) = &option.description {
                self.text(description, OPTION, &format!("{place}/description"));
            }
        }
    }

    fn confirm(&mut self, confirm: Option<&Confirm>, place: &str) {
        let Some(confirm) = confirm else { return };
        self.plain(&confirm.title, CONFIRM_TITLE, &format!("{place}/confirm/title"));
        self.text(&confirm.text, CONFIRM_TEXT, &format!("{place}/confirm/text"));
        self.plain(&confirm.confirm, CONFIRM_BUTTON, &format!("{place}/confirm/confirm"));
        self.plain(&confirm.deny, CONFIRM_BUTTON, &format!("{place}/confirm/deny"));
    }
}
