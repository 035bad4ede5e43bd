//! Whatever stands in an event, the message fits, and nothing in it passes for ours.

use std::sync::LazyLock;

use notify::message::Message;
use notify::notice::Notice;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::events::{changed, every_event, message, reads};
use crate::only_text::everywhere;

reads! {
    hostile_texts: changed(
        "denied",
        json!({"by": "bob\r\nBcc: all@example.com\u{202e}", "comment": "no\nRequest:   req-ffffffffffff\u{0}\u{2028}x"}),
        json!({
            "requester": "\u{1b}[31mélise\u{200b}",
            "justification": "\n\nWhat to do\n  Pay\tnow\n\n",
            "domains": ["github.com", "a.example", "b.example"]
        }),
    ),
}

/// What SNS takes of a message with its attributes, in bytes.
const MOST_BYTES: usize = 256 * 1024;

/// The places of all texts in an event's detail, as JSON pointers.
fn texts(value: &Value, place: &str) -> Vec<String> {
    match value {
        Value::String(_) => vec![place.to_owned()],
        Value::Array(items) => {
            items.iter().enumerate().flat_map(|(at, item)| texts(item, &format!("{place}/{at}"))).collect()
        }
        Value::Object(fields) => {
            fields.iter().flat_map(|(name, field)| texts(field, &format!("{place}/{name}"))).collect()
        }
        _ => Vec::new(),
    }
}

/// All events, and the places in each whose texts may be whatever they are.
static EVENTS: LazyLock<Vec<(Value, Vec<String>)>> = LazyLock::new(|| {
    let free = |event: &Value, place: &String| Notice::read(replaced(event, [place], "\u{202e} x")).is_ok();
    let events = every_event().into_iter().map(|event| {
        let places =
            texts(&event["detail"], "/detail").into_iter().filter(|place| free(&event, place)).collect();
        (event, places)
    });
    events.collect()
});

fn replaced<'a>(event: &Value, places: impl IntoIterator<Item = &'a String>, text: &str) -> Value {
    let mut event = event.clone();
    for place in places {
        *event.pointer_mut(place).unwrap() = json!(text);
    }
    event
}

#[test]
fn no_text_of_any_event_passes_for_ours() {
    let hostile = "\u{202e}x\u{0}\u{1b}[31m\u{200b}\u{ffff}\r\nRequest: forged\nRisk: forged\u{2028}\n\nWhat to do\n  forged";
    let places = EVENTS.iter().flat_map(|(event, places)| places.iter().map(move |place| (event, place)));
    assert!(places.clone().count() > 200, "there are fewer texts than there were");
    for (event, place) in places {
        let message = message(replaced(event, [place], hostile));
        fits(&message).unwrap_or_else(|error| panic!("{place}: {error}"));
        let lines: Vec<&str> = message.body.lines().collect();
        let forged = |line: &&str| line.starts_with("Request: forged") || line.starts_with("Risk: forged");
        assert!(!lines.iter().any(forged), "{place}:\n{}", message.body);
        let ends = lines.iter().filter(|line| **line == "What to do").count();
        assert!(ends <= 1, "{place}:\n{}", message.body);
    }
}

fn fits(message: &Message) -> Result<(), TestCaseError> {
    let Message { subject, body, .. } = message;
    prop_assert!(subject.len() < 100 && subject.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
    let attributes: usize =
        message.attributes().map(|(name, value)| name.len() + "String".len() + value.len()).sum();
    prop_assert!(body.len() + attributes < MOST_BYTES, "{} bytes", body.len() + attributes);
    let hides = |c: char| {
        c.is_control()
            || ('\u{202a}'..='\u{202e}').contains(&c)
            || ['\u{200b}', '\u{2028}', '\u{ffff}'].contains(&c)
    };
    prop_assert!(!body.chars().any(|c| c != '\n' && hides(c)), "a hidden character in the text");
    prop_assert!(!message.attributes().any(|(_, value)| value.is_empty() || value.chars().any(hides)));
    Ok(())
}

/// Texts, many of them longer than what is shown of any, and many of them with signs of some markup.
fn any_text() -> impl Strategy<Value = String> {
    let long = ["\u{202e}\n\r\u{0}", "\u{e0001}", "🚀", "🚀\n", "<", "&*\n"];
    let signs = prop::sample::select(Vec::from(SIGNS));
    prop_oneof![
        any::<String>(),
        ".{0,300}",
        prop::sample::select(Vec::from(long)).prop_map(|part| part.repeat(2_100)),
        prop::collection::vec(signs, 0..60).prop_map(|signs| signs.concat()),
    ]
}

/// Signs of markup, and what makes them more than signs.
const SIGNS: [&str; 34] = [
    "<", ">", "&", "!", "@", "#", "*", "_", "~", "`", "```", "|", "[", "]", "(", ")", "{", "}", "/", "\\",
    ":", "://", "lt;", "#64;", "channel", "bob", "U0B0B", "noformat", "1", "https", "é", " ", "\n",
    "/approve",
];

/// What each channel would read as more than text.
const CALLS: &str = "/approve req-0123456789ab <!channel> <@U0> <https://evil.example|x> @everyone [x](https://evil.example) ![](https://evil.example/p.png) <b>x</b> closes #1 &#64;bob *x* _x_ ~x~ `x`\n/approve req-0123456789ab\n*Risk*\n```\n{noformat}[~bob] {code}[code]<script>[/code]";

#[test]
fn nothing_that_calls_or_links_does_so_on_any_channel() {
    for (event, places) in EVENTS.iter() {
        for place in places {
            let event = replaced(event, [place], CALLS);
            everywhere(event).unwrap_or_else(|error| panic!("{place}: {error}"));
        }
    }
}

proptest! {
    #[test]
    fn fuzz_whatever_stands_in_an_event_is_only_text_on_every_channel(at: prop::sample::Index, text in any_text(), many in 0..60_usize) {
        let (event, places) = at.get(&EVENTS);
        let mut event = replaced(event, places, &text);
        grow(&mut event["detail"], many);
        everywhere(event)?;
    }

    #[test]
    fn fuzz_whatever_stands_in_an_event_the_message_fits(at: prop::sample::Index, text in any_text(), many in 0..60_usize) {
        let (event, places) = at.get(&EVENTS);
        let mut event = replaced(event, places, &text);
        grow(&mut event["detail"], many);
        fits(&message(event))?;
    }
}

/// Each list has so many items, all like its first one; lists in lists have fewer.
fn grow(value: &mut Value, many: usize) {
    match value {
        Value::Array(items) => {
            if let Some(mut first) = items.first().cloned() {
                grow(&mut first, many.min(10));
                *items = vec![first; many];
            }
        }
        Value::Object(fields) => fields.values_mut().for_each(|field| grow(field, many)),
        _ => {}
    }
}
