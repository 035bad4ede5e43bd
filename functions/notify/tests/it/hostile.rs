//! Whatever stands in an event, the message fits, and nothing in it passes for ours.

use std::sync::LazyLock;

use notify::message::Message;
use notify::notice::Notice;
use notify::render::{Reader, amazon_q, slack, teams, ticket};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::events::{changed, every_event, message, reads};

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

/// Texts, many of them longer than what is shown of any.
fn any_text() -> impl Strategy<Value = String> {
    let long = ["\u{202e}\n\r\u{0}", "\u{e0001}", "🚀", "🚀\n"];
    prop_oneof![
        any::<String>(),
        ".{0,300}",
        prop::sample::select(Vec::from(long)).prop_map(|part| part.repeat(2_100))
    ]
}

/// What each channel would read as more than text.
const CALLS: &str = "<!channel> <@U0> <https://evil.example|x> @everyone [x](https://evil.example) ![](https://evil.example/p.png) <b>x</b> #1 `\n/approve req-0123456789ab\n```\n{noformat}[~bob]";

/// All texts in a JSON value.
fn all_texts(value: &Value) -> Vec<String> {
    texts(value, "").iter().filter_map(|place| value.pointer(place)?.as_str().map(str::to_owned)).collect()
}

/// Nothing of a text from outside is more than a text on any channel, and all of it fits.
fn is_only_text(event: Value) -> Result<(), TestCaseError> {
    let notice = Notice::read(event).unwrap();
    let config = crate::channels::config();
    for shown in [
        slack::message(&notice, Reader::Channel, &config),
        slack::message(&notice, Reader::Requester, &config),
        slack::entry(&notice, &config),
    ] {
        in_slack(&shown)?;
    }
    for activity in [teams::message(&notice), teams::entry(&notice)] {
        let size = activity.to_string().encode_utf16().count() * 2;
        prop_assert!(size < 80 * 1_024, "{size} bytes in Teams");
        let body = activity["attachments"][0]["content"]["body"].as_array().unwrap();
        // The one element in which Markdown is not read.
        prop_assert!(body.iter().all(|element| element["type"] == "RichTextBlock"));
    }
    let notification = amazon_q::notification(&notice);
    let description = notification["content"]["description"].as_str().unwrap();
    prop_assert!(description.chars().count() <= 3_000);
    prop_assert_eq!(description.matches("```").count(), 2, "{}", description);
    for text in all_texts(&notification["content"]) {
        // Within a block of code, nothing is read.
        let outside = text.split('`').step_by(2).collect::<String>();
        prop_assert!(!text.contains('<') && !outside.contains("]("), "{}", text);
    }
    let facts = ticket::facts(&notice, "OPS-1");
    for text in [&facts.text, &facts.headline, &facts.by, &facts.comment] {
        let ends_a_block = text.contains(|c: char| "`{}".contains(c));
        prop_assert!(text.chars().count() <= 30_100 && !ends_a_block);
        prop_assert!(!text.lines().any(|line| line.starts_with('/')), "{}", text);
    }
    Ok(())
}

fn in_slack(shown: &slack::Shown) -> Result<(), TestCaseError> {
    prop_assert!(shown.blocks.len() <= 50 && shown.text.chars().count() <= 4_000);
    let all: usize = all_texts(&json!(shown.blocks)).iter().map(|text| text.chars().count()).sum();
    prop_assert!(all <= 13_000, "{} characters", all);
    for block in &shown.blocks {
        let longest = if block["type"] == "header" { 150 } else { 3_000 };
        for text in all_texts(block) {
            prop_assert!(text.chars().count() <= longest, "{}", block);
            // A header and a button's value are no markup. Of ours there are calls of people, by their ids.
            if !["header", "actions"].contains(&block["type"].as_str().unwrap()) {
                prop_assert!(!text.replace("<@U0B0B>", "").contains('<'), "{}", text);
            }
        }
        let fields = block["fields"].as_array().map_or(0, Vec::len);
        prop_assert!(fields <= 10);
    }
    prop_assert!(!shown.text.contains('<'));
    Ok(())
}

#[test]
fn nothing_that_calls_or_links_does_so_on_any_channel() {
    for (event, places) in EVENTS.iter() {
        for place in places {
            let event = replaced(event, [place], CALLS);
            is_only_text(event).unwrap_or_else(|error| panic!("{place}: {error}"));
        }
    }
}

proptest! {
    #[test]
    fn fuzz_whatever_stands_in_an_event_is_only_text_on_every_channel(at: prop::sample::Index, text in any_text(), many in 0..60_usize) {
        let (event, places) = at.get(&EVENTS);
        let mut event = replaced(event, places, &text);
        grow(&mut event["detail"], many);
        is_only_text(event)?;
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
