//! Amazon Q Developer in chat applications: its custom notification, the only form that it shows
//! (<https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html>).
//!
//! It hands Markdown to the chat behind it, Slack or Teams. The signs by which either calls people, links or formats
//! are taken out of what comes from outside: what somebody wrote stands in a block of code, in which nothing is read.

use serde_json::{Value, json};

use super::{cut, facts};
use crate::message::act::Speech;
use crate::message::letter as letter_of;
use crate::message::letter::{Letter, Step};
use crate::notice::Notice;

/// The longest title and description, in characters; AWS documents no limits, Slack's behind it are 3,000 for a text.
const LONGEST_TITLE: usize = 250;
const LONGEST_DESCRIPTION: usize = 2_800;
/// The longest of the next steps, in characters, and the most of them.
const LONGEST_STEP: usize = 500;
const MOST_STEPS: usize = 5;

/// The notification. Those of one request are one thread.
pub fn notification(notice: &Notice) -> Value {
    let letter = letter_of(notice);
    let title = cut(&calm(&letter.subject), LONGEST_TITLE);
    let request = notice.request().map(|request| request.id.to_string());
    json!({
        "version": "1.0",
        "source": "custom",
        "id": notice.event_id(),
        "content": {
            "textType": "client-markdown",
            "title": title,
            "description": description(&letter),
            "nextSteps": letter.next.iter().take(MOST_STEPS).map(step).collect::<Vec<_>>(),
            "keywords": ["studio-egress", notice.detail_type()],
        },
        "metadata": {
            "threadId": request.clone().unwrap_or_else(|| notice.event_id().into_owned()),
            "summary": title,
            "eventType": notice.detail_type(),
            "relatedResources": request.into_iter().collect::<Vec<_>>(),
            "additionalContext": {"event_id": notice.event_id()},
        },
    })
}

fn description(letter: &Letter) -> String {
    let (sentence, fence) = (calm(&letter.sentence), "```");
    let room = LONGEST_DESCRIPTION.saturating_sub(sentence.chars().count().min(LONGEST_DESCRIPTION / 2) + 20);
    let lines = facts(letter).flat_map(|(label, lines)| match lines.as_slice() {
        [line] => vec![format!("{label}: {line}")],
        lines => {
            std::iter::once(format!("{label}:")).chain(lines.iter().map(|line| format!("  {line}"))).collect()
        }
    });
    let lines = code(&lines.collect::<Vec<_>>().join("\n"));
    format!("{}\n{fence}\n{}\n{fence}", cut(&sentence, LONGEST_DESCRIPTION / 2), cut(&lines, room))
}

fn step(Step { words, act }: &Step) -> String {
    let said: Vec<String> =
        act.iter().flat_map(|act| Speech::Words.says(act)).map(|said| format!("`{}`", code(&said))).collect();
    let step = if said.is_empty() { calm(words) } else { format!("{} {}", calm(words), said.join(" or ")) };
    cut(&step, LONGEST_STEP)
}

/// A text of a sentence, without the signs that format, link or call.
fn calm(text: &str) -> String {
    let look_alike = |c: char| match c {
        '*' => '∗',
        '`' => '\'',
        '~' => '∼',
        '[' => '(',
        ']' => ')',
        c => c,
    };
    // Of `<@U1>` and `<!channel>`, as of `@somebody`, nothing is left that is called.
    text.chars()
        .map(look_alike)
        .collect::<String>()
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// A text within a block of code, which it can't end.
fn code(text: &str) -> String {
    text.replace('`', "'").replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
