//! Where something stands in an `egress.toml`: its keys, and its line.

use std::fmt;

use serde_path_to_error::Segment;
use toml::Spanned;
use toml::de::DeValue;

use crate::text::visible;

/// How much of a key is shown, in characters.
const LONGEST_KEY: usize = 60;

/// The way from the whole file to a field of it. As text it is what TOML's dotted keys are; the line says which
/// item of a list it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FieldPath(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Item(usize),
}

impl FieldPath {
    /// The field behind these keys.
    pub(crate) fn of<'a>(keys: impl IntoIterator<Item = &'a str>) -> Self {
        Self(keys.into_iter().map(|key| Step::Key(key.to_owned())).collect())
    }

    /// The field whose key, value or heading begins at this place of the text of `root`, in bytes; or the whole file.
    pub(super) fn at(place: usize, root: &Spanned<DeValue<'_>>) -> Self {
        let mut steps = Vec::new();
        descend(root.get_ref(), place, &mut steps);
        Self(steps)
    }

    /// An item of this list, the first of which is 0.
    pub(super) fn item(mut self, index: usize) -> Self {
        self.0.push(Step::Item(index));
        self
    }

    pub(super) fn steps(&self) -> &[Step] {
        &self.0
    }

    /// The section and the entry in which it is: what can be taken out of a file without leaving half of something.
    pub(super) fn entry(&self) -> Self {
        Self(self.0.iter().take(2).take_while(|step| matches!(step, Step::Key(_))).cloned().collect())
    }

    /// Whether this leads through the other, or the other through this.
    pub(super) fn touches(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(one, other)| one == other)
    }

    /// Where in the text of `root` it begins, in bytes: its key, or the item of a list. Of a field that isn't there, where
    /// the key of the nearest table around it does that is.
    pub(super) fn place(&self, root: &Spanned<DeValue<'_>>) -> Option<usize> {
        let (mut here, mut place) = (root.get_ref(), None);
        for step in &self.0 {
            let found = match (step, here) {
                (Step::Key(key), DeValue::Table(table)) => {
                    table.get_key_value(key.as_str()).map(|(key, value)| (key.span().start, value.get_ref()))
                }
                (Step::Item(index), DeValue::Array(items)) => {
                    items.get(*index).map(|item| (item.span().start, item.get_ref()))
                }
                _ => None,
            };
            let Some((start, value)) = found else { break };
            (here, place) = (value, Some(start));
        }
        place
    }
}

/// Goes on along the path to what begins at a place, below a value.
fn descend(value: &DeValue<'_>, place: usize, path: &mut Vec<Step>) -> bool {
    let mut is_below = |step, starts: &[usize], below: &Spanned<DeValue<'_>>| {
        path.push(step);
        let found = starts.contains(&place) || descend(below.get_ref(), place, path);
        if !found {
            path.pop();
        }
        found
    };
    match value {
        DeValue::Table(table) => table.iter().any(|(key, below)| {
            let step = Step::Key(key.get_ref().to_string());
            is_below(step, &[key.span().start, below.span().start], below)
        }),
        DeValue::Array(items) => items
            .iter()
            .enumerate()
            .any(|(index, below)| is_below(Step::Item(index), &[below.span().start], below)),
        _ => false,
    }
}

impl From<&serde_path_to_error::Path> for FieldPath {
    /// As far as the path is known.
    fn from(path: &serde_path_to_error::Path) -> Self {
        let step = |segment: &Segment| match segment {
            Segment::Seq { index } => Some(Step::Item(*index)),
            Segment::Map { key } => Some(Step::Key(key.clone())),
            Segment::Enum { variant } => Some(Step::Key(variant.clone())),
            Segment::Unknown => None,
        };
        Self(path.iter().map_while(step).collect())
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        for step in &self.0 {
            let Step::Key(key) = step else { continue };
            let bare = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            if !key.is_empty() && key.len() <= LONGEST_KEY && key.bytes().all(bare) {
                write!(f, "{between}{key}")?;
            } else {
                write!(f, "{between}{:?}", visible(key, LONGEST_KEY))?;
            }
            between = ".";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use toml::de::DeTable;

    use super::*;
    use crate::validation::line_at;

    const TEXT: &str = r#"top = 1
[groups]
approvers = [
  "bob",
  "carol",
]
[ identities . "bob@example.com" ]
slack = "U1"
[routes]
mail.to = "mail"
mail.tells = ["alerts"]
chat = { to = { slack = "C1" }, tells = [
  "requests",
] }
[adapters.desk.request]
when = { "$.a.b" = ["c"] }
[[list]]
a = 1
[[list]]
a = 2
"#;

    fn root() -> Spanned<DeValue<'static>> {
        Spanned::new(0..TEXT.len(), DeValue::Table(DeTable::parse(TEXT).unwrap().into_inner()))
    }

    fn line(path: &FieldPath) -> Option<usize> {
        path.place(&root()).map(|place| line_at(TEXT.as_bytes(), place))
    }

    #[test]
    fn a_field_has_the_line_of_its_key_or_of_what_is_around_it() {
        for (keys, expected) in [
            (&["top"][..], Some(1)),
            (&["top", "below"], Some(1)),
            (&["groups"], Some(2)),
            (&["groups", "approvers"], Some(3)),
            (&["groups", "missing"], Some(2)),
            (&["identities", "bob@example.com"], Some(7)),
            (&["identities", "bob@example.com", "slack"], Some(8)),
            (&["routes", "mail"], Some(10)),
            (&["routes", "mail", "tells"], Some(11)),
            (&["routes", "chat", "to", "slack"], Some(12)),
            (&["adapters"], Some(15)),
            (&["adapters", "desk", "ticket"], Some(15)),
            (&["adapters", "desk", "request", "when", "$.a.b"], Some(16)),
            (&["missing"], None),
            (&[], None),
        ] {
            assert_eq!(line(&FieldPath::of(keys.iter().copied())), expected, "{keys:?}");
        }
        assert_eq!(line(&FieldPath::of(["groups", "approvers"]).item(1)), Some(5));
        assert_eq!(line(&FieldPath::of(["groups", "approvers"]).item(2)), Some(3));
        assert_eq!(line(&FieldPath::of(["routes", "chat", "tells"]).item(0)), Some(13));
        assert_eq!(line(&FieldPath::of(["list"]).item(1)), Some(19));
    }

    #[test]
    fn a_place_belongs_to_the_field_that_begins_there() {
        for (begins, field) in [
            ("top", "top"),
            ("1", "top"),
            ("[groups]", "groups"),
            ("approvers", "groups.approvers"),
            ("\"carol\"", "groups.approvers"),
            ("\"bob@example", "identities.\"bob@example.com\""),
            ("[ identities", "identities.\"bob@example.com\""),
            ("mail.to", "routes.mail"),
            ("{ slack", "routes.chat.to"),
            ("\"C1\"", "routes.chat.to.slack"),
            ("\"$.a.b", "adapters.desk.request.when.\"$.a.b\""),
            ("[adapters", "adapters.desk.request"),
            ("proved", ""),
        ] {
            let place = TEXT.find(begins).unwrap_or(TEXT.len());
            assert_eq!(FieldPath::at(place, &root()).to_string(), field, "{begins}");
        }
        assert_eq!(
            FieldPath::at(TEXT.find("\"carol\"").unwrap(), &root()),
            FieldPath::of(["groups", "approvers"]).item(1)
        );
    }

    #[test]
    fn a_path_is_written_as_toml_has_it() {
        let long = "x".repeat(100);
        for (keys, text) in [
            (["routes", "approvers", "tells"], "routes.approvers.tells".to_owned()),
            (["identities", "bob@example.com", "slack"], "identities.\"bob@example.com\".slack".to_owned()),
            (["", "a\"b", "\u{202e}\n"], "\"\".\"a\\\"b\".\"<U+202E> \"".to_owned()),
            (["a", &long, "b"], format!("a.\"{}…\".b", &long[..60])),
        ] {
            assert_eq!(FieldPath::of(keys).to_string(), text);
        }
        assert_eq!(FieldPath::of(["groups", "approvers"]).item(1).to_string(), "groups.approvers");
    }
}
