//! The properties that a template gives a resource. CloudFormation sends every number and every truth
//! value as a string, at any depth (aws-cloudformation/cloudformation-coverage-roadmap issue 1037);
//! people who invoke the function by hand send them as they are: both are taken.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde_json::{Map, Value};

/// The longest piece of a wrong value that is said back.
const SHOWN: usize = 60;

/// The properties by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Properties(Map<String, Value>);

/// A property that is missing, or isn't what it has to be. One sentence for the author of the template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the property {name} {problem}")]
pub(crate) struct PropertyError {
    name: String,
    problem: String,
}

impl Properties {
    /// The properties of an event; none when it has no map of them.
    pub(crate) fn new(value: Value) -> Self {
        match value {
            Value::Object(map) => Self(map),
            _ => Self::default(),
        }
    }

    /// A text that has to be there.
    pub(crate) fn text(&self, name: &str) -> Result<String, PropertyError> {
        self.optional_text(name)?.ok_or_else(|| wrong(name, "is missing, or empty"))
    }

    /// A text that may be left out; an empty one is none.
    pub(crate) fn optional_text(&self, name: &str) -> Result<Option<String>, PropertyError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                let text = scalar(value).ok_or_else(|| wrong_kind(name, value, "a text"))?;
                Ok(Some(text).filter(|text| !text.trim().is_empty()))
            }
        }
    }

    /// A whole number that has to be there.
    pub(crate) fn number(&self, name: &str, range: RangeInclusive<i32>) -> Result<i32, PropertyError> {
        let text = self.text(name)?;
        let number = text.trim().parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| {
            let (least, most) = (range.start(), range.end());
            wrong(name, format!("is {}: it must be a whole number from {least} to {most}", quoted(&text)))
        })
    }

    /// A list of texts, with at least one in it.
    pub(crate) fn texts(&self, name: &str) -> Result<Vec<String>, PropertyError> {
        if !self.0.contains_key(name) {
            return Err(wrong(name, "is missing"));
        }
        let texts = self.list(name)?;
        if texts.is_empty() { Err(wrong(name, "is an empty list")) } else { Ok(texts) }
    }

    /// A list of texts that may be empty, or left out. An empty text in it is none: that is what a
    /// parameter of CloudFormation's that is a list becomes when it is empty.
    pub(crate) fn list(&self, name: &str) -> Result<Vec<String>, PropertyError> {
        let (value, list) = match self.0.get(name) {
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(value @ Value::Array(list)) => (value, list),
            Some(value) => return Err(wrong_kind(name, value, "a list of texts")),
        };
        let texts: Option<Vec<String>> = list.iter().map(scalar).collect();
        let mut texts = texts.ok_or_else(|| wrong_kind(name, value, "a list of texts"))?;
        texts.retain(|text| !text.trim().is_empty());
        Ok(texts)
    }

    /// The id of a resource of EC2. It becomes the value of a filter, in which EC2 would take `vpc-*` for
    /// every VPC.
    pub(crate) fn resource_id(&self, name: &str, prefix: &str, what: &str) -> Result<String, PropertyError> {
        let id = self.text(name)?;
        let is_id = |rest: &str| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_alphanumeric());
        if id.strip_prefix(prefix).is_some_and(is_id) {
            return Ok(id);
        }
        Err(wrong(name, format!("is {}: it must be the id of {what}", quoted(&id))))
    }

    /// A map of other properties; none when it is left out.
    pub(crate) fn map(&self, name: &str) -> Result<Option<Self>, PropertyError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(map)) => Ok(Some(Self(map.clone()))),
            Some(other) => Err(wrong_kind(name, other, "a map")),
        }
    }

    /// The names of all of them.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Tags as CloudFormation writes them: a list of `Key` and `Value`. None when it is left out.
    pub(crate) fn tags(&self, name: &str) -> Result<BTreeMap<String, String>, PropertyError> {
        let list = match self.0.get(name) {
            None | Some(Value::Null) => return Ok(BTreeMap::new()),
            Some(Value::Array(list)) => list,
            Some(other) => return Err(wrong_kind(name, other, "a list of Key and Value")),
        };
        let tag = |entry: &Value| {
            let key = scalar(entry.get("Key")?).filter(|key| !key.is_empty())?;
            Some((key, entry.get("Value").and_then(scalar).unwrap_or_default()))
        };
        let read =
            |entry: &Value| tag(entry).ok_or_else(|| wrong_kind(name, entry, "a list of Key and Value"));
        list.iter().map(read).collect()
    }
}

impl PropertyError {
    /// The same of a property that is in another one.
    pub(crate) fn within(mut self, outer: &str) -> Self {
        self.name = format!("{outer}.{}", self.name);
        self
    }
}

/// A value that is no list and no map, as text.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The error that a property has a value that can't be.
pub(crate) fn wrong(name: &str, problem: impl Into<String>) -> PropertyError {
    PropertyError { name: name.to_owned(), problem: problem.into() }
}

fn wrong_kind(name: &str, value: &Value, expected: &str) -> PropertyError {
    let shown = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
    wrong(name, format!("is {}: it must be {expected}", quoted(&shown)))
}

/// A value for an error message: short, in one line, and with nothing in it that isn't plain text.
pub(crate) fn quoted(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("{shown:?}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn properties() -> Properties {
        Properties::new(json!({
            "Number": 5, "NumberAsText": "14", "Many": "many", "TooMany": "30001", "Truth": true, "Empty": " ",
            "List": ["a", 5], "NestedList": [["a"]], "EmptyList": [], "Map": {"a": "b"}, "Null": null,
            "Tags": [{"Key": "team", "Value": "data"}, {"Key": "cost", "Value": 7}], "NoTags": ["team"],
            "Long": "ü".repeat(500),
        }))
    }

    #[test]
    fn numbers_come_as_numbers_and_as_texts() {
        assert_eq!(properties().number("Number", 1..=30_000), Ok(5));
        assert_eq!(properties().number("NumberAsText", 1..=30_000), Ok(14));
        assert_eq!(properties().text("Truth").as_deref(), Ok("true"));
    }

    #[test]
    fn what_may_be_left_out_may_be_left_out() {
        for name in ["Missing", "Null", "Empty"] {
            assert_eq!(properties().optional_text(name), Ok(None), "{name}");
        }
        assert_eq!(properties().tags("Missing"), Ok(BTreeMap::new()));
    }

    #[test]
    fn lists_and_tags_are_read() {
        assert_eq!(properties().texts("List").unwrap(), ["a", "5"]);
        let tags = properties().tags("Tags").unwrap();
        assert_eq!(
            tags.into_iter().collect::<Vec<_>>(),
            [("cost".into(), "7".into()), ("team".into(), "data".into())]
        );
    }

    #[test]
    fn a_wrong_property_is_named() {
        let properties = properties();
        let errors = [
            properties.text("Missing").unwrap_err(),
            properties.text("Map").unwrap_err(),
            properties.number("Many", 1..=30_000).unwrap_err(),
            properties.number("TooMany", 1..=30_000).unwrap_err(),
            properties.number("Long", 1..=30_000).unwrap_err(),
            properties.texts("Missing").unwrap_err(),
            properties.texts("EmptyList").unwrap_err(),
            properties.texts("NestedList").unwrap_err(),
            properties.tags("NoTags").unwrap_err(),
        ];
        insta::assert_snapshot!(errors.map(|error| error.to_string()).join("\n"));
    }

    proptest! {
        #[test]
        fn a_number_is_in_its_range_or_refused(text in "\\PC*") {
            if let Ok(number) = Properties::new(json!({"N": text})).number("N", 1..=9) {
                prop_assert!((1..=9).contains(&number));
            }
        }
    }
}
