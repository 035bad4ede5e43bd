//! Teams: Adaptive Cards (<https://learn.microsoft.com/adaptive-cards/schema-explorer/adaptive-card>), of a version that
//! bots may send (<https://learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/cards/cards-reference>).
//!
//! Every text is a `TextRun`, in which no Markdown is read
//! (<https://learn.microsoft.com/adaptive-cards/authoring-cards/text-features>): nothing from outside becomes a link, or
//! calls anybody, and nothing has to be escaped. What clients make of a line's end in one differs
//! (<https://github.com/microsoft/AdaptiveCards/issues/4914>), so each line is a block of its own. Texts of several lines
//! stand on another ground, so that none of them passes for a fact of ours.
//!
//! Cards have no buttons, since an outgoing webhook takes none: they say what to write.

use serde_json::{Value, json};

use super::{MORE, cut, facts, facts_of_an_entry};
use crate::message::act::Speech;
use crate::message::letter as letter_of;
use crate::message::letter::{Letter, Step};
use crate::notice::Notice;

/// What goes into an attachment.
const CARD: &str = "application/vnd.microsoft.card.adaptive";
/// The largest activity, in bytes of UTF-8. A bot's message has 80 KB in UTF-16 at most, as Microsoft advises
/// (<https://learn.microsoft.com/microsoftteams/platform/bots/how-to/format-your-bot-messages>), one of an incoming webhook
/// 28 KB: what fits there fits everywhere.
const LARGEST: usize = 25_000;
/// The longest texts, in characters: the summary, the title, a line.
const LONGEST_SUMMARY: usize = 300;
const LONGEST_TITLE: usize = 400;
const LONGEST_LINE: usize = 1_500;

/// The one message about a request as it is by this notice, or the whole message of any other notice: an activity.
pub fn message(notice: &Notice) -> Value {
    let letter = letter_of(notice);
    let title = run(&letter.subject, LONGEST_TITLE, Look::Title);
    let above = vec![line(&[title], "Default"), sentence(&letter)];
    let below = letter.next.iter().flat_map(step).collect();
    activity(&letter.subject, above, facts(&letter), below)
}

/// One entry of the thread below it: what just happened, by whom, with the comment.
pub fn entry(notice: &Notice) -> Value {
    let letter = letter_of(notice);
    let above = vec![sentence(&letter)];
    // Who is to decide, or to look, need not look for the message above.
    let has_to_do = matches!(notice, Notice::DecisionAwaited(_) | Notice::GlassBroken(_));
    let below = letter.next.iter().filter(|_| has_to_do).flat_map(step).collect();
    activity(&letter.sentence, above, facts_of_an_entry(&letter), below)
}

/// An activity with as many facts as there is room for.
fn activity<'a>(
    summary: &str,
    mut above: Vec<Value>,
    facts: impl Iterator<Item = &'a (&'static str, Vec<String>)>,
    below: Vec<Value>,
) -> Value {
    let more = line(&[run(MORE, LONGEST_LINE, Look::Normal)], "Default");
    let rest = [above.as_slice(), &below, std::slice::from_ref(&more)].concat();
    let mut room = LARGEST.saturating_sub(with_card(summary, &rest).to_string().len());
    for (label, lines) in facts {
        let fact = fact(label, lines);
        // Each but the first has a comma before it.
        let size: usize = fact.iter().map(|element| element.to_string().len() + 1).sum();
        let Some(left) = room.checked_sub(size) else {
            above.push(more);
            break;
        };
        room = left;
        above.extend(fact);
    }
    with_card(summary, &[above, below].concat())
}

fn with_card(summary: &str, body: &[Value]) -> Value {
    let summary = cut(summary, LONGEST_SUMMARY);
    json!({
        "type": "message",
        "summary": summary,
        "attachments": [{
            "contentType": CARD,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "fallbackText": summary,
                "body": body,
            },
        }],
    })
}

fn sentence(letter: &Letter) -> Value {
    line(&[run(&letter.sentence, LONGEST_LINE, Look::Normal)], "Default")
}

/// A fact of one line stands behind its label, one of several below it.
fn fact(label: &str, lines: &[String]) -> Vec<Value> {
    let label = run(&format!("{label}: "), LONGEST_LINE, Look::Label);
    let text = |text: &String| run(text, LONGEST_LINE, Look::Normal);
    match lines {
        [one] => vec![line(&[label, text(one)], "Small")],
        lines => {
            let items: Vec<Value> = lines.iter().map(|one| line(&[text(one)], "None")).collect();
            let lines = json!({"type": "Container", "style": "emphasis", "spacing": "Small", "items": items});
            vec![line(&[label], "Small"), lines]
        }
    }
}

/// Something that the reader can do, and what to write for it.
fn step(Step { words, act }: &Step) -> Vec<Value> {
    let said = act.iter().flat_map(|act| Speech::Teams.says(act));
    let said = said.map(|said| line(&[run(&said, LONGEST_LINE, Look::Code)], "None"));
    std::iter::once(line(&[run(words, LONGEST_LINE, Look::Normal)], "Default")).chain(said).collect()
}

#[derive(Clone, Copy)]
enum Look {
    Title,
    Label,
    Normal,
    Code,
}

fn run(text: &str, longest: usize, look: Look) -> Value {
    // An element without text is none.
    let text = if text.is_empty() { " ".to_owned() } else { cut(text, longest) };
    match look {
        Look::Title => json!({"type": "TextRun", "text": text, "size": "Large", "weight": "Bolder"}),
        Look::Label => json!({"type": "TextRun", "text": text, "weight": "Bolder"}),
        Look::Normal => json!({"type": "TextRun", "text": text}),
        Look::Code => json!({"type": "TextRun", "text": text, "fontType": "Monospace"}),
    }
}

fn line(runs: &[Value], spacing: &str) -> Value {
    json!({"type": "RichTextBlock", "spacing": spacing, "inlines": runs})
}
