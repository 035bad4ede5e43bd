//! What Slack sends when somebody presses a button or sends a dialog, as far as it is of use
//! (<https://docs.slack.dev/reference/interaction-payloads>).

use std::collections::BTreeMap;

use serde::Deserialize;

/// One of them.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Payload {
    BlockActions(Pressed),
    ViewSubmission(Submitted),
    #[serde(other)]
    Other,
}

/// A press on a button.
#[derive(Debug, Deserialize)]
pub(super) struct Pressed {
    pub(super) user: User,
    pub(super) trigger_id: String,
    pub(super) response_url: Option<String>,
    #[serde(default)]
    pub(super) actions: Vec<Action>,
    pub(super) state: Option<State>,
}

/// A dialog that was sent.
#[derive(Debug, Deserialize)]
pub(super) struct Submitted {
    pub(super) user: User,
    pub(super) view: View,
}

#[derive(Debug, Deserialize)]
pub(super) struct User {
    pub(super) id: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Action {
    pub(super) action_id: String,
    #[serde(default)]
    pub(super) value: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct View {
    pub(super) id: String,
    pub(super) callback_id: String,
    pub(super) state: State,
}

/// What stands in the fields of a message or a dialog: by the ids of block and action.
#[derive(Debug, Deserialize)]
pub(super) struct State {
    values: BTreeMap<String, BTreeMap<String, Field>>,
}

#[derive(Debug, Deserialize)]
struct Field {
    value: Option<String>,
    selected_option: Option<Choice>,
}

#[derive(Debug, Deserialize)]
struct Choice {
    value: String,
}

impl State {
    /// What stands in a field; nothing where nobody has filled it in.
    pub(super) fn text(&self, block: &str) -> Option<&str> {
        let fields = self.values.get(block)?;
        fields.values().find_map(Field::text)
    }

    /// What stands in the first field whose block's id begins so, and whose action's id is it.
    pub(super) fn first(&self, prefix: &str) -> Option<&str> {
        let blocks = self.values.iter().filter(|(block, _)| block.starts_with(prefix));
        blocks.filter_map(|(_, fields)| fields.get(prefix)).find_map(Field::text)
    }
}

impl Field {
    fn text(&self) -> Option<&str> {
        let chosen = self.selected_option.as_ref().map(|choice| choice.value.as_str());
        self.value.as_deref().or(chosen).map(str::trim).filter(|text| !text.is_empty())
    }
}
