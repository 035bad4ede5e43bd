//! The blocks and elements of Block Kit that this stand-in knows, and their fields.

use serde::Deserialize;

/// A block: <https://docs.slack.dev/reference/block-kit/blocks>.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[expect(dead_code, reason = "some are known so that they are taken, and change nothing here")]
pub(super) enum Block {
    Header {
        text: Text,
        block_id: Option<String>,
    },
    Section {
        text: Option<Text>,
        fields: Option<Vec<Text>>,
        accessory: Option<Element>,
        expand: Option<bool>,
        block_id: Option<String>,
    },
    Context {
        elements: Vec<Text>,
        block_id: Option<String>,
    },
    Actions {
        elements: Vec<Element>,
        block_id: Option<String>,
    },
    Divider {
        block_id: Option<String>,
    },
    Input {
        label: Text,
        element: Element,
        hint: Option<Text>,
        optional: Option<bool>,
        dispatch_action: Option<bool>,
        block_id: Option<String>,
    },
}

/// A text: <https://docs.slack.dev/reference/block-kit/composition-objects/text-object>.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[expect(dead_code, reason = "some are known so that they are taken, and change nothing here")]
pub(super) enum Text {
    PlainText { text: String, emoji: Option<bool> },
    Mrkdwn { text: String, verbatim: Option<bool> },
}

/// An element: <https://docs.slack.dev/reference/block-kit/block-elements>.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[expect(dead_code, reason = "some are known so that they are taken, and change nothing here")]
pub(super) enum Element {
    Button {
        text: Text,
        action_id: Option<String>,
        value: Option<String>,
        url: Option<String>,
        style: Option<Style>,
        confirm: Option<Confirm>,
        accessibility_label: Option<String>,
    },
    PlainTextInput {
        action_id: Option<String>,
        initial_value: Option<String>,
        multiline: Option<bool>,
        min_length: Option<usize>,
        max_length: Option<usize>,
        placeholder: Option<Text>,
        focus_on_load: Option<bool>,
    },
    StaticSelect {
        action_id: Option<String>,
        options: Vec<Choice>,
        initial_option: Option<Choice>,
        placeholder: Option<Text>,
        confirm: Option<Confirm>,
        focus_on_load: Option<bool>,
    },
    RadioButtons {
        action_id: Option<String>,
        options: Vec<Choice>,
        initial_option: Option<Choice>,
        confirm: Option<Confirm>,
    },
    Checkboxes {
        action_id: Option<String>,
        options: Vec<Choice>,
        initial_options: Option<Vec<Choice>>,
        confirm: Option<Confirm>,
    },
    Overflow {
        action_id: Option<String>,
        options: Vec<Choice>,
        confirm: Option<Confirm>,
    },
}

/// What a button looks like.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Style {
    Primary,
    Danger,
}

/// What asks once more: <https://docs.slack.dev/reference/block-kit/composition-objects/confirmation-dialog-object>.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "they are Slack's")]
pub(super) struct Confirm {
    pub(super) title: Text,
    pub(super) text: Text,
    pub(super) confirm: Text,
    pub(super) deny: Text,
    #[expect(dead_code, reason = "that it can be read is the check")]
    style: Option<Style>,
}

/// What can be chosen: <https://docs.slack.dev/reference/block-kit/composition-objects/option-object>.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Choice {
    pub(super) text: Text,
    pub(super) value: String,
    pub(super) description: Option<Text>,
}

impl Element {
    pub(super) fn action_id(&self) -> Option<&str> {
        let (Self::Button { action_id, .. }
        | Self::PlainTextInput { action_id, .. }
        | Self::StaticSelect { action_id, .. }
        | Self::RadioButtons { action_id, .. }
        | Self::Checkboxes { action_id, .. }
        | Self::Overflow { action_id, .. }) = self;
        action_id.as_deref()
    }

    /// In a row of actions, or beside a section.
    pub(super) fn can_be_pressed(&self) -> bool {
        !matches!(self, Self::PlainTextInput { .. })
    }

    /// In an input.
    pub(super) fn can_be_filled_in(&self) -> bool {
        !matches!(self, Self::Button { .. } | Self::Overflow { .. })
    }
}
