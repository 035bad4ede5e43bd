//! Whether what stands in a notice is only text on each channel, and fits there.

use egress::slack::COMMENT;
use notify::notice::Notice;
use notify::render::slack::Shown;
use notify::render::{Reader, amazon_q, slack, teams, ticket};
use proptest::prelude::*;
use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag};
use serde_json::Value;

type Checked = Result<(), TestCaseError>;

/// Checks all that is made of an event.
pub(crate) fn everywhere(event: Value) -> Checked {
    let notice = Notice::read(event).unwrap();
    let config = crate::channels::config();
    in_slack(&slack::message(&notice, Reader::Channel, &config))?;
    in_slack(&slack::message(&notice, Reader::Requester, &config))?;
    in_slack(&slack::entry(&notice, &config))?;
    in_teams(&teams::message(&notice))?;
    in_teams(&teams::entry(&notice))?;
    in_amazon_q(&amazon_q::notification(&notice))?;
    let facts = ticket::facts(&notice, "OPS-1");
    for text in [&facts.text, &facts.headline, &facts.by, &facts.comment] {
        on_a_ticket(text)?;
    }
    Ok(())
}

/// The limits are those of <https://docs.slack.dev/reference/block-kit/blocks>.
fn in_slack(Shown { text, blocks }: &Shown) -> Checked {
    length(text, 3_000)?;
    slack_markup(text, false)?;
    prop_assert!((1..=50).contains(&blocks.len()), "{} blocks", blocks.len());
    let mut all = 0;
    for block in blocks {
        let kind = block["type"].as_str().unwrap();
        let texts = [vec![&block["text"]], list(&block["fields"]), list(&block["elements"])].concat();
        for text in texts.into_iter().filter(|text| text["text"].is_string()) {
            let longest = match kind {
                "header" => 150,
                "section" if block["fields"].is_array() => 2_000,
                _ => 3_000,
            };
            all += slack_text(text, longest)?;
        }
        prop_assert!(list(&block["fields"]).len() <= 10 && list(&block["elements"]).len() <= 25);
        match kind {
            "header" | "section" | "context" => {}
            "actions" => list(&block["elements"]).into_iter().try_for_each(button)?,
            "input" => prop_assert!(block["block_id"].as_str().unwrap().starts_with(COMMENT)),
            kind => prop_assert!(false, "{}", kind),
        }
    }
    // Found at some 13,200 (<https://github.com/slackapi/bolt-js/issues/2509>).
    prop_assert!(all <= 12_500, "{} characters", all);
    Ok(())
}

fn list(value: &Value) -> Vec<&Value> {
    value.as_array().into_iter().flatten().collect()
}

fn slack_text(object: &Value, longest: usize) -> Result<usize, TestCaseError> {
    let text = object["text"].as_str().unwrap();
    length(text, longest)?;
    if object["type"] == "mrkdwn" {
        prop_assert_eq!(&object["verbatim"], true);
        slack_markup(text, true)?;
    } else {
        prop_assert_eq!((&object["type"], &object["emoji"]), (&"plain_text".into(), &false.into()));
        prop_assert!(!text.chars().any(hides));
    }
    Ok(text.chars().count())
}

/// Whether all markup is ours: calls of who is known, times, labels, and what is to be typed.
fn slack_markup(text: &str, ours: bool) -> Checked {
    prop_assert!(!text.chars().any(|c| c != '\n' && hides(c)), "{}", text);
    for (_, after) in pieces(text, '<') {
        prop_assert!(ours && (after.starts_with("@U0B0B>") || after.starts_with("!date^")), "{}", text);
    }
    for (_, after) in pieces(text, '&') {
        prop_assert!(["amp;", "lt;", "gt;"].iter().any(|rest| after.starts_with(rest)), "{}", text);
    }
    let is_label = |line: &str| {
        let label = line.strip_prefix('*').and_then(|line| line.strip_suffix('*'));
        label.is_some_and(|label| label.chars().all(|c| c.is_ascii_alphabetic() || c == ' '))
    };
    for line in text.lines() {
        prop_assert!(!line.contains('*') || ours && is_label(line), "{}", text);
        let code = line.matches('`').count();
        prop_assert!(code == 0 || ours && code == 2 && line.starts_with('`'), "{}", text);
        prop_assert!(!line.contains('~'), "{}", text);
    }
    // Of a label of ours there is one, above what it labels; and of that, all lines of several are quoted.
    let [first, lines @ ..] = &text.lines().collect::<Vec<_>>()[..] else { return Ok(()) };
    prop_assert!(!lines.iter().any(|line| is_label(line)), "{}", text);
    let is_fact = is_label(first) && lines.len() > 1;
    prop_assert!(!is_fact || lines.iter().all(|line| line.starts_with('>')), "{}", text);
    Ok(())
}

fn button(button: &Value) -> Checked {
    length(button["text"]["text"].as_str().unwrap(), 75)?;
    length(button["value"].as_str().unwrap(), 2_000)?;
    prop_assert_eq!(&button["type"], "button");
    Ok(())
}

fn in_teams(activity: &Value) -> Checked {
    let size = activity.to_string().len();
    prop_assert!(size <= 25_000, "{} bytes", size);
    let card = &activity["attachments"][0]["content"];
    prop_assert!(card["actions"].is_null());
    for text in [&activity["summary"], &card["fallbackText"]] {
        length(text.as_str().unwrap(), 300)?;
        prop_assert!(!text.as_str().unwrap().chars().any(hides));
    }
    for element in list(&card["body"]) {
        match element["type"].as_str().unwrap() {
            "Container" => {
                for line in list(&element["items"]) {
                    let runs = in_one_line(line)?;
                    prop_assert!(runs.len() == 1 && runs[0]["weight"].is_null(), "{}", element);
                }
            }
            _ => drop(in_one_line(element)?),
        }
    }
    Ok(())
}

/// The runs of the one element in which no Markdown is read.
fn in_one_line(element: &Value) -> Result<Vec<&Value>, TestCaseError> {
    prop_assert_eq!(&element["type"], "RichTextBlock");
    let runs = list(&element["inlines"]);
    for run in &runs {
        let text = run["text"].as_str().unwrap();
        prop_assert!(!text.is_empty() && !text.chars().any(hides), "{}", text);
        prop_assert_eq!(&run["type"], "TextRun");
    }
    Ok(runs)
}

fn in_amazon_q(notification: &Value) -> Checked {
    let Value::Object(content) = &notification["content"] else { panic!("{notification}") };
    let text = |name: &str| content[name].as_str().unwrap();
    length(text("title"), 250)?;
    length(text("description"), 3_000)?;
    calm(text("title"))?;
    calm(text("description"))?;
    let [sentence, code, end] = text("description").split("```").collect::<Vec<_>>()[..] else {
        return Err(TestCaseError::fail(text("description").to_owned()));
    };
    prop_assert!(!code.contains('`') && end.is_empty());
    for text in [text("title"), sentence] {
        prop_assert!(!text.contains(|c: char| "*~`".contains(c)), "{}", text);
    }
    let steps = list(&content["nextSteps"]);
    prop_assert!(steps.len() <= 5);
    for step in steps {
        length(step.as_str().unwrap(), 500)?;
        calm(step.as_str().unwrap())?;
    }
    prop_assert!(!notification["metadata"]["threadId"].as_str().unwrap().chars().any(hides));
    Ok(())
}

fn on_a_ticket(text: &str) -> Checked {
    prop_assert!(text.chars().count() <= 15_000 && !text.contains('`'));
    calm(text)?;
    for line in text.lines() {
        prop_assert!(!line.trim_start().starts_with('/'), "{}", text);
    }
    // As the example configuration writes it, it is one block of code with all of it.
    let comment = format!("```text\n{text}\n```");
    let mut code = String::new();
    for event in Parser::new_ext(&comment, Options::all()) {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(_))) | Event::End(_) => {}
            Event::Text(text) => code.push_str(&text),
            event => prop_assert!(false, "{:?} in {}", event, text),
        }
    }
    prop_assert_eq!(code.trim_end_matches('\n'), text.trim_end_matches('\n'));
    // And where a template leaves the block out, it still is nothing else than text.
    for event in Parser::new_ext(text, Options::all()) {
        let is_more = matches!(
            event,
            Event::Start(Tag::Link { .. } | Tag::Image { .. } | Tag::HtmlBlock)
                | Event::Html(_)
                | Event::InlineHtml(_)
        );
        prop_assert!(!is_more, "{:?} in {}", event, text);
    }
    Ok(())
}

/// Whether nothing is left that calls, links, refers, or is HTML.
fn calm(text: &str) -> Checked {
    prop_assert!(!text.chars().any(|c| c != '\n' && hides(c)), "{}", text);
    prop_assert!(!text.contains(|c: char| "<>[]{}".contains(c)) && !text.contains("://"), "{}", text);
    let word = |text: &str| text.starts_with(char::is_alphanumeric);
    for (before, after) in pieces(text, '@') {
        let in_a_word = before.ends_with(|c: char| c.is_ascii_alphanumeric());
        prop_assert!(in_a_word || !after.starts_with(|c: char| c.is_alphanumeric() || c == '_'), "{}", text);
    }
    for (_, after) in pieces(text, '#') {
        prop_assert!(!word(after), "{}", text);
    }
    for (_, after) in pieces(text, '&') {
        prop_assert!(!word(after) && !after.starts_with('#'), "{}", text);
    }
    Ok(())
}

/// What stands before and after each of these signs.
fn pieces(text: &str, sign: char) -> impl Iterator<Item = (&str, &str)> {
    text.match_indices(sign).map(move |(at, sign)| (&text[..at], &text[at + sign.len()..]))
}

fn length(text: &str, longest: usize) -> Checked {
    let length = text.chars().count();
    prop_assert!((1..=longest).contains(&length), "{} characters, {} at most: {}", length, longest, text);
    Ok(())
}

/// What moves the cursor, turns the reading direction, or isn't seen.
fn hides(c: char) -> bool {
    c.is_control()
        || ('\u{202a}'..='\u{202e}').contains(&c)
        || ['\u{200b}', '\u{2028}', '\u{ffff}'].contains(&c)
}
