//! What stands on a button in Slack when it is shown, and comes back when it is pressed.

use serde::{Deserialize, Serialize};

/// The button that says yes; its value is the request's id.
pub const APPROVE: &str = "egress.approve";
/// The button that says no; its value is the request's id.
pub const DENY: &str = "egress.deny";
/// The button that takes a request back; its value is the request's id.
pub const WITHDRAW: &str = "egress.withdraw";
/// The button that opens the dialog in which somebody asks; its value is an [`Ask`].
pub const REQUEST: &str = "egress.request";
/// The button that lets alerts rest for a day; its value is an [`AlertGroup`].
pub const SILENCE: &str = "egress.silence";
/// The field beside the buttons in which a comment can be written: its block's id begins so, and its action's is it.
pub const COMMENT: &str = "egress.comment";

/// The longest value of a button, in characters
/// (<https://docs.slack.dev/reference/block-kit/block-elements/button-element>).
const LONGEST_VALUE: usize = 2_000;

/// What is filled in when the dialog opens.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// Domains.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<String>,
    /// A preset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<String>,
    /// For how long, as people write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<String>,
    /// A ticket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
}

impl Ask {
    /// As the value of a button; nothing where it is too long for one.
    pub fn value(&self) -> Option<String> {
        value(self)
    }

    /// Back from a button's value.
    pub fn of(value: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(value)
    }
}

/// The alerts that belong together: what is silenced by a button.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertGroup {
    /// What somebody registered, or an address.
    pub domain: String,
    /// Whose connections, by [`crate::owner::Owner::key`]; everybody's where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

impl AlertGroup {
    /// As the value of a button; nothing where it is too long for one.
    pub fn value(&self) -> Option<String> {
        value(self)
    }

    /// Back from a button's value.
    pub fn of(value: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(value)
    }
}

fn value<T: Serialize>(what: &T) -> Option<String> {
    let value = serde_json::to_string(what).ok()?;
    (value.chars().count() <= LONGEST_VALUE).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_on_a_button_comes_back_or_is_too_long_for_one() {
        let ask = |domains: usize| Ask {
            domains: vec!["api.github.com".to_owned(); domains],
            because: Some("I \"need\" it".to_owned()),
            ..Ask::default()
        };
        assert_eq!(Ask::of(&ask(20).value().unwrap()).unwrap(), ask(20));
        assert_eq!(ask(200).value(), None);
        assert!(Ask::of("{\"domain\": 1}").is_err());
        let group =
            |owner: usize| AlertGroup { domain: "pypi.org".to_owned(), owner: Some("x".repeat(owner)) };
        assert_eq!(AlertGroup::of(&group(400).value().unwrap()).unwrap(), group(400));
        assert_eq!(group(2_000).value(), None);
    }
}
