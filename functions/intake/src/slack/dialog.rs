//! The dialog in which somebody asks (<https://docs.slack.dev/reference/views/modal-views>).

use std::collections::BTreeMap;

use egress::config::{Config, Preset};
use egress::slack::{Ask, REQUEST};
use egress::text::visible;
use serde_json::{Value, json};

use super::payload::State;
use super::{Heard, Way};
use crate::command::{self, Command, CommandError, Wish};
use crate::message::seconds;
use crate::speaker::{Objection, Speaker};
use crate::words::Voice;

/// The blocks; each has one field of the same id.
pub(super) const DOMAINS: &str = "domains";
const PRESET: &str = "preset";
const DURATION: &str = "duration";
const TICKET: &str = "ticket";
const BECAUSE: &str = "because";

/// The longest texts of fields, in characters: as much as is taken of a request. Slack's own limit is 3,000.
const LONGEST: usize = 2_000;
const LONGEST_LINE: usize = 250;
/// The most choices of a menu, and the longest of its texts, in characters
/// (<https://docs.slack.dev/reference/block-kit/composition-objects/option-object>).
const MOST_CHOICES: usize = 100;
const LONGEST_CHOICE: usize = 75;

/// The dialog, with what is filled in.
pub(super) fn view(ask: &Ask, config: &Config) -> Value {
    let usual = humantime::format_duration(config.durations.default).to_string();
    let domains = field(&ask.domains.join("\n"), LONGEST, true, "github.com\n.huggingface.co");
    let duration = field(ask.duration.as_deref().unwrap_or_default(), LONGEST_LINE, false, &usual);
    let ticket = field(ask.ticket.as_deref().unwrap_or_default(), LONGEST_LINE, false, "OPS-1");
    let because = field(ask.because.as_deref().unwrap_or_default(), LONGEST, true, "What it is needed for");
    let mut blocks = vec![
        input(
            DOMAINS,
            "Domains",
            domains,
            true,
            Some("One a line. A dot in front: the name and all below it."),
        ),
        input(DURATION, "For how long", duration, true, None),
        input(TICKET, "Ticket", ticket, true, None),
        input(BECAUSE, "Why", because, false, None),
    ];
    if let Some(menu) = presets(ask, config) {
        blocks.insert(1, input(PRESET, "Or a preset", menu, true, None));
    }
    json!({
        "type": "modal",
        "callback_id": REQUEST,
        "title": text("Ask for domains"),
        "submit": text("Ask"),
        "close": text("Cancel"),
        "blocks": blocks,
    })
}

fn text(text: &str) -> Value {
    json!({"type": "plain_text", "text": text})
}

fn input(id: &str, label: &str, mut element: Value, optional: bool, hint: Option<&str>) -> Value {
    if let Value::Object(element) = &mut element {
        element.insert("action_id".to_owned(), json!(id));
    }
    let mut block = json!({"type": "input", "block_id": id, "label": text(label), "element": element, "optional": optional});
    if let (Value::Object(block), Some(hint)) = (&mut block, hint) {
        block.insert("hint".to_owned(), text(hint));
    }
    block
}

fn field(filled_in: &str, longest: usize, multiline: bool, placeholder: &str) -> Value {
    let mut field = json!({
        "type": "plain_text_input", "multiline": multiline, "max_length": longest, "placeholder": text(placeholder),
    });
    if let (Value::Object(field), false) = (&mut field, filled_in.is_empty()) {
        let filled_in: String = filled_in.chars().take(longest).collect();
        field.insert("initial_value".to_owned(), json!(filled_in));
    }
    field
}

/// The menu of presets; none where there are none. One whose name is too long for it has to be typed.
fn presets(ask: &Ask, config: &Config) -> Option<Value> {
    let fits = |(name, _): &(&String, &Preset)| name.chars().count() < LONGEST_CHOICE;
    let choice = |(name, preset): (&String, &Preset)| {
        let description = visible(&preset.description, LONGEST_CHOICE - 1);
        let mut choice = json!({"text": text(name), "value": name});
        if let (Value::Object(choice), false) = (&mut choice, description.is_empty()) {
            choice.insert("description".to_owned(), text(&description));
        }
        choice
    };
    let choices: Vec<Value> = config.presets.iter().filter(fits).take(MOST_CHOICES).map(choice).collect();
    let chosen =
        choices.iter().find(|choice| choice.get("value").and_then(Value::as_str) == ask.preset.as_deref());
    let mut menu = json!({"type": "static_select", "placeholder": text("None"), "options": choices});
    if let (Value::Object(menu), Some(chosen)) = (&mut menu, chosen) {
        menu.insert("initial_option".to_owned(), chosen.clone());
    }
    (!choices.is_empty()).then_some(menu)
}

/// What somebody has filled in: a request, or what is wrong with it.
pub(super) fn submitted(state: &State, speaker: &Speaker, config: &Config) -> Heard {
    let voice = Voice::plain("/egress ");
    let wrong = |block, text: String| Heard::Wrong(BTreeMap::from([(block, text)]));
    let wish = match wish(state) {
        Ok(wish) => wish,
        Err(errors) => return Heard::Wrong(errors),
    };
    match speaker.says(Command::Request(wish), config) {
        Ok(message) => Heard::Said(Box::new(message), Way::Submitted),
        Err(Objection::BadDomains { reasons, .. }) => wrong(DOMAINS, format!("{}.", reasons.join(". "))),
        Err(Objection::Field { field, reason }) => wrong(block_of(field.as_deref()), reason),
        Err(objection) => wrong(DOMAINS, voice.objection(&objection)),
    }
}

fn wish(state: &State) -> Result<Wish, BTreeMap<&'static str, String>> {
    let text = |block| state.text(block).map(str::to_owned);
    let domains: Vec<String> = command::domains(state.text(DOMAINS).unwrap_or_default()).collect();
    let (preset, mut errors) = (text(PRESET), BTreeMap::new());
    match (domains.is_empty(), &preset) {
        (true, None) => drop(errors.insert(DOMAINS, "Name a domain, or choose a preset.".to_owned())),
        (false, Some(_)) => drop(errors.insert(PRESET, CommandError::Both.to_string())),
        _ => {}
    }
    let duration = state.text(DURATION).map(seconds).transpose();
    if let Err(reason) = &duration {
        errors.insert(DURATION, reason.clone());
    }
    match duration {
        Ok(duration) if errors.is_empty() => Ok(Wish {
            domains,
            preset,
            duration,
            ticket: text(TICKET),
            because: text(BECAUSE).unwrap_or_default(),
        }),
        _ => Err(errors),
    }
}

/// The block of a field of the bus.
fn block_of(field: Option<&str>) -> &'static str {
    match field {
        Some("justification") => BECAUSE,
        Some("ticket") => TICKET,
        Some("preset") => PRESET,
        _ => DOMAINS,
    }
}
