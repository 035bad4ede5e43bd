//! Teams: Adaptive Cards (<https://adaptivecards.io/explorer/>), of the version that bots may send
//! (<https://learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/cards/cards-reference>).
//!
//! Every text is a `TextRun`, in which no Markdown is read: nothing from outside becomes a link, or calls anybody. Cards
//! have no buttons, since an outgoing webhook takes none: they say what to write.

use serde_json::{Value, json};

use super::{cut, facts};
use crate::message::act::Speech;
use crate::message::letter as letter_of;
use crate::message::letter::{Letter, Step};
use crate::notice::Notice;

/// What goes into an attachment.
const CARD: &str = "application/vnd.microsoft.card.adaptive";
/// The most characters of all facts together, and of one: a message has 80 KB at most that Microsoft advises, two bytes
/// a character (<https://learn.microsoft.com/microsoftteams/platform/bots/how-to/format-your-bot-messages>).
const MOST_OF_FACTS: usize = 9_000;
const MOST_OF_A_FACT: usize = 3_000;
const LONGEST_LINE: usize = 400;

/// The one message about a request as it is by this notice, or the whole message of any other notice: an activity.
pub fn message(notice: &Notice) -> Value {
    let letter = letter_of(notice);
    let mut body = vec![
        rich(&[run(&cut(&letter.subject, LONGEST_LINE), Weight::Title)]),
        rich(&[run(&letter.sentence, Weight::Normal)]),
    ];
    body.extend(fact_blocks(&letter));
    body.extend(letter.next.iter().map(step));
    activity(&letter.subject, &body)
}

/// One entry of the thread below it: what just happened, by whom, with the comment.
pub fn entry(notice: &Notice) -> Value {
    let letter = letter_of(notice);
    let said = facts(&letter)
        .filter(|(label, _)| ["Comment", "Missing", "Decide by", "Ends", "Host"].contains(label));
    let mut body = vec![rich(&[run(&letter.sentence, Weight::Normal)])];
    body.extend(said.map(|(label, lines)| fact(label, &lines.join("\n"))));
    activity(&letter.sentence, &body)
}

fn activity(summary: &str, body: &[Value]) -> Value {
    let summary = cut(summary, LONGEST_LINE);
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

fn fact_blocks(letter: &Letter) -> Vec<Value> {
    let (mut blocks, mut room) = (Vec::new(), MOST_OF_FACTS);
    for (label, lines) in facts(letter) {
        let text = lines.join("\n");
        let Some(rest) = room.checked_sub(text.chars().count().min(MOST_OF_A_FACT)) else {
            blocks
                .push(rich(&[run("There is more than there is room for: status shows it.", Weight::Normal)]));
            break;
        };
        room = rest;
        blocks.push(fact(label, &text));
    }
    blocks
}

/// A fact; what has several lines begins below its label.
fn fact(label: &str, text: &str) -> Value {
    let gap = if text.contains('\n') { "\n" } else { " " };
    rich(&[run(&format!("{label}:{gap}"), Weight::Label), run(&cut(text, MOST_OF_A_FACT), Weight::Normal)])
}

fn step(Step { words, act }: &Step) -> Value {
    let mut runs = vec![run(words, Weight::Normal)];
    for said in act.iter().flat_map(|act| Speech::Teams.says(act)) {
        runs.push(run(&format!("\n{said}"), Weight::Code));
    }
    rich(&runs)
}

#[derive(Clone, Copy)]
enum Weight {
    Title,
    Label,
    Normal,
    Code,
}

fn run(text: &str, weight: Weight) -> Value {
    // An element without text is none.
    let text = if text.is_empty() { " " } else { text };
    match weight {
        Weight::Title => json!({"type": "TextRun", "text": text, "size": "Large", "weight": "Bolder"}),
        Weight::Label => json!({"type": "TextRun", "text": text, "weight": "Bolder"}),
        Weight::Normal => json!({"type": "TextRun", "text": text}),
        Weight::Code => json!({"type": "TextRun", "text": text, "fontType": "Monospace"}),
    }
}

fn rich(runs: &[Value]) -> Value {
    json!({"type": "RichTextBlock", "inlines": runs})
}
