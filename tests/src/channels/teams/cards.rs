//! Adaptive Cards: the elements that this stand-in knows, and their properties
//! (<https://learn.microsoft.com/adaptive-cards/schema-explorer/adaptive-card>). A card that a bot's channel
//! messages are made of may open URLs and show or hide its parts: what it would have to be sent back for is
//! refused. Teams shows what it knows of a card, and drops the rest in silence, so what isn't known here is
//! refused as well.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// What an attachment with a card says it is.
pub(super) const CONTENT_TYPE: &str = "application/vnd.microsoft.card.adaptive";

/// The versions that Teams shows of a bot's cards
/// (<https://learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/cards/cards-reference#adaptive-card>).
const VERSIONS: [&str; 6] = ["1.0", "1.1", "1.2", "1.3", "1.4", "1.5"];

/// What every element can have.
const COMMON: [&str; 8] =
    ["type", "id", "isVisible", "separator", "spacing", "height", "fallback", "requires"];

/// The own properties of an element or an action, or nothing if it isn't known.
fn properties(kind: &str) -> Option<&'static [&'static str]> {
    Some(match kind {
        "AdaptiveCard" => &[
            "$schema",
            "version",
            "body",
            "actions",
            "fallbackText",
            "speak",
            "lang",
            "msteams",
            "minHeight",
            "rtl",
            "verticalContentAlignment",
        ],
        "TextBlock" => &[
            "text",
            "color",
            "fontType",
            "horizontalAlignment",
            "isSubtle",
            "maxLines",
            "size",
            "weight",
            "wrap",
            "style",
        ],
        "FactSet" => &["facts"],
        "Container" => &["items", "style", "bleed", "minHeight", "rtl", "verticalContentAlignment"],
        "ColumnSet" => &["columns", "style", "bleed", "minHeight", "horizontalAlignment"],
        "Column" => &["items", "style", "bleed", "minHeight", "width", "rtl", "verticalContentAlignment"],
        "ActionSet" => &["actions"],
        "RichTextBlock" => &["inlines", "horizontalAlignment"],
        "TextRun" => &[
            "text",
            "color",
            "fontType",
            "highlight",
            "isSubtle",
            "italic",
            "size",
            "strikethrough",
            "underline",
            "weight",
        ],
        "Action.OpenUrl" => &["title", "url", "iconUrl", "style", "tooltip", "isEnabled", "mode"],
        "Action.ShowCard" => &["title", "card", "iconUrl", "style", "tooltip", "isEnabled", "mode"],
        "Action.ToggleVisibility" => {
            &["title", "targetElements", "iconUrl", "style", "tooltip", "isEnabled", "mode"]
        }
        _ => return None,
    })
}

/// What is wrong with a card, one line each; nothing, when it is right.
pub(super) fn check(card: &Value) -> Vec<String> {
    let mut checker = Checker::default();
    checker.card(card, "card");
    let said =
        |card: &Value| card.get("fallbackText").and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    if !said(card) {
        checker.complain("card", "no fallbackText");
    }
    for (target, place) in std::mem::take(&mut checker.targets) {
        if !checker.ids.contains(&target) {
            checker.complain(&place, &format!("no element has the id {target}"));
        }
    }
    checker.complaints
}

#[derive(Debug, Default)]
struct Checker {
    complaints: Vec<String>,
    /// The ids of the elements.
    ids: BTreeSet<String>,
    /// The ids that are to be shown or hidden, and where that is said.
    targets: Vec<(String, String)>,
}

impl Checker {
    fn complain(&mut self, place: &str, what: &str) {
        self.complaints.push(format!("{place}: {what}"));
    }

    fn card(&mut self, card: &Value, place: &str) {
        let Some(card) = self.known(card, &["AdaptiveCard"], place) else { return };
        let version = card.get("version").and_then(Value::as_str).unwrap_or_default();
        if !VERSIONS.contains(&version) {
            self.complain(place, &format!("version {version:?}"));
        }
        self.elements(card, "body", place);
        self.actions(card, place);
    }

    /// An object of one of these types, with no other properties than that type has.
    fn known<'a>(&mut self, part: &'a Value, kinds: &[&str], place: &str) -> Option<&'a Map<String, Value>> {
        let part = part.as_object();
        let kind = part.and_then(|part| part.get("type")?.as_str()).unwrap_or_default();
        let (Some(part), Some(own)) = (part, properties(kind).filter(|_| kinds.contains(&kind))) else {
            self.complain(place, &format!("{kind:?} is none of {}", kinds.join(", ")));
            return None;
        };
        for name in
            part.keys().filter(|name| !COMMON.contains(&name.as_str()) && !own.contains(&name.as_str()))
        {
            self.complain(place, &format!("{kind} has no {name}"));
        }
        if let Some(id) = part.get("id").and_then(Value::as_str)
            && !self.ids.insert(id.to_owned())
        {
            self.complain(place, &format!("the id {id} stands twice"));
        }
        Some(part)
    }

    fn list<'a>(&mut self, part: &'a Map<String, Value>, name: &str, place: &str) -> &'a [Value] {
        let Some(Value::Array(list)) = part.get(name) else {
            self.complain(place, &format!("no list of {name}"));
            return &[];
        };
        list
    }

    fn string(&mut self, part: &Map<String, Value>, name: &str, place: &str) {
        if part.get(name).and_then(Value::as_str).is_none_or(str::is_empty) {
            self.complain(place, &format!("no {name}"));
        }
    }

    fn elements(&mut self, part: &Map<String, Value>, name: &str, place: &str) {
        for (index, element) in self.list(part, name, place).iter().enumerate() {
            self.element(element, &format!("{place}.{name}[{index}]"));
        }
    }

    fn element(&mut self, element: &Value, place: &str) {
        let kinds = ["TextBlock", "FactSet", "Container", "ColumnSet", "ActionSet", "RichTextBlock"];
        let Some(element) = self.known(element, &kinds, place) else { return };
        match element.get("type").and_then(Value::as_str).unwrap_or_default() {
            "TextBlock" => self.string(element, "text", place),
            "FactSet" => self.facts(element, place),
            "Container" => self.elements(element, "items", place),
            "ColumnSet" => {
                for (index, column) in self.list(element, "columns", place).iter().enumerate() {
                    let place = format!("{place}.columns[{index}]");
                    if let Some(column) = self.known(column, &["Column"], &place) {
                        self.elements(column, "items", &place);
                    }
                }
            }
            "ActionSet" => self.actions(element, place),
            _ => self.inlines(element, place),
        }
    }

    fn facts(&mut self, element: &Map<String, Value>, place: &str) {
        for (index, fact) in self.list(element, "facts", place).iter().enumerate() {
            let place = format!("{place}.facts[{index}]");
            match fact.as_object() {
                Some(fact) if fact.len() == 2 => {
                    self.string(fact, "title", &place);
                    self.string(fact, "value", &place);
                }
                _ => self.complain(&place, "not a title and a value"),
            }
        }
    }

    fn inlines(&mut self, element: &Map<String, Value>, place: &str) {
        for (index, inline) in self.list(element, "inlines", place).iter().enumerate() {
            let place = format!("{place}.inlines[{index}]");
            if inline.is_string() {
                continue;
            }
            if let Some(run) = self.known(inline, &["TextRun"], &place) {
                self.string(run, "text", &place);
            }
        }
    }

    fn actions(&mut self, part: &Map<String, Value>, place: &str) {
        let kinds = ["Action.OpenUrl", "Action.ShowCard", "Action.ToggleVisibility"];
        for (index, action) in part.get("actions").and_then(Value::as_array).into_iter().flatten().enumerate()
        {
            let place = format!("{place}.actions[{index}]");
            let Some(action) = self.known(action, &kinds, &place) else { continue };
            self.string(action, "title", &place);
            match action.get("type").and_then(Value::as_str).unwrap_or_default() {
                "Action.OpenUrl" => self.url(action, &place),
                "Action.ShowCard" => self.inner_card(action, &place),
                _ => self.targets(action, &place),
            }
        }
    }

    /// A card in a card: its version is the outer one's.
    fn inner_card(&mut self, action: &Map<String, Value>, place: &str) {
        let place = format!("{place}.card");
        let card = action.get("card").unwrap_or(&Value::Null);
        if let Some(card) = self.known(card, &["AdaptiveCard"], &place) {
            self.elements(card, "body", &place);
            self.actions(card, &place);
        }
    }

    fn url(&mut self, action: &Map<String, Value>, place: &str) {
        let url = action.get("url").and_then(Value::as_str).unwrap_or_default();
        if !["https://", "http://", "mailto:"].iter().any(|start| url.starts_with(start)) {
            self.complain(place, &format!("the url {url:?}"));
        }
    }

    fn targets(&mut self, action: &Map<String, Value>, place: &str) {
        for target in self.list(action, "targetElements", place) {
            let id = target.as_str().or_else(|| target.get("elementId")?.as_str()).unwrap_or_default();
            self.targets.push((id.to_owned(), place.to_owned()));
        }
    }
}
