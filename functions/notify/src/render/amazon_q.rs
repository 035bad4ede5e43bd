//! Amazon Q Developer in chat applications: its custom notification, the only form that it shows
//! (<https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html>).
//!
//! It hands Markdown to the chat behind it, Slack or Teams, and calls people by their names: `@somebody` is enough. So
//! nothing that either would read is left in what comes from outside ([`calm`](super::calm)), and what there is to know
//! stands in a block of code.

use egress::owner::Owner;
use serde_json::{Value, json};

use super::calm::calm;
use super::unformatted::unformatted;
use super::{MORE, cut, facts};
use crate::message::act::Speech;
use crate::message::letter as letter_of;
use crate::message::letter::{Letter, Step};
use crate::notice::Notice;
use crate::plain;

/// The longest title, in characters: AWS names no limit, and this is a line.
const LONGEST_TITLE: usize = 250;
/// The longest description, in characters: AWS names no limit, Slack behind it takes 3,000 of a text.
const LONGEST_DESCRIPTION: usize = 2_900;
/// The longest sentence in it.
const LONGEST_SENTENCE: usize = 1_000;
/// The longest of the next steps, in characters, and the most of them.
const LONGEST_STEP: usize = 500;
const MOST_STEPS: usize = 5;
/// What begins and ends a block of code.
const FENCE: &str = "```";

/// The notification. Those of one request are one thread.
pub fn notification(notice: &Notice) -> Value {
    let letter = letter_of(notice);
    let title = text(&letter.subject, LONGEST_TITLE);
    let event_id = plain::name(&notice.event_id());
    let request = notice.request().map(|request| request.id.to_string());
    json!({
        "version": "1.0",
        "source": "custom",
        "id": event_id,
        "content": {
            "textType": "client-markdown",
            "title": title,
            "description": description(&letter),
            "nextSteps": letter.next.iter().take(MOST_STEPS).map(step).collect::<Vec<_>>(),
            "keywords": ["studio-egress", notice.detail_type()],
        },
        "metadata": {
            "threadId": thread(notice),
            "summary": title,
            "eventType": notice.detail_type(),
            "relatedResources": request.into_iter().collect::<Vec<_>>(),
            "additionalContext": {"event_id": event_id},
        },
    })
}

/// What a notice is about: those of the same stand in one thread.
fn thread(notice: &Notice) -> String {
    let kind = notice.detail_type();
    match notice {
        // Alerts and what they are summed up in, of one owner and one domain.
        Notice::TrafficBlocked(it) => blocked(&it.owner, Some(&it.source), &it.domain),
        Notice::BlockedDigest(it) => blocked(&it.owner, it.sources.first(), &it.domain),
        Notice::AllowListChanged(it) => format!("{kind} {}", plain::name(&it.rule_group)),
        Notice::DriftFound(it) => format!("{kind} {}", plain::name(&it.rule_group)),
        _ => {
            let request = notice.request().map(|request| request.id.to_string());
            request.unwrap_or_else(|| plain::name(&notice.event_id()))
        }
    }
}

fn blocked(owner: &Owner, source: Option<&String>, domain: &str) -> String {
    let key = source.and_then(|source| Some(owner.key(source.parse().ok()?)));
    // What isn't an address has no key.
    let owner = key.unwrap_or_else(|| owner.to_string());
    format!("blocked {} {}", plain::name(&owner), plain::name(domain))
}

fn description(letter: &Letter) -> String {
    let sentence = text(&letter.sentence, LONGEST_SENTENCE);
    let mut room = LONGEST_DESCRIPTION.saturating_sub(sentence.chars().count() + MORE.len() + 20);
    let mut lines = Vec::new();
    for line in facts(letter).flat_map(|(label, lines)| fact(label, lines)) {
        let line = calm(&line);
        let Some(left) = room.checked_sub(line.chars().count() + 1) else {
            lines.push(MORE.to_owned());
            break;
        };
        room = left;
        lines.push(line);
    }
    format!("{sentence}\n{FENCE}\n{}\n{FENCE}", lines.join("\n"))
}

/// A fact, as lines of which only the first begins with a label.
fn fact(label: &str, lines: &[String]) -> Vec<String> {
    match lines {
        [line] => vec![format!("{label}: {line}")],
        lines => {
            let lines = lines.iter().map(|line| format!("  {line}").trim_end().to_owned());
            std::iter::once(format!("{label}:")).chain(lines).collect()
        }
    }
}

fn step(Step { words, act }: &Step) -> String {
    let words = text(words, LONGEST_STEP);
    let said = act.iter().flat_map(|act| Speech::Words.says(act));
    let said: Vec<String> = said.map(|said| format!("`{}`", calm(&said))).collect();
    let step = format!("{words} {}", said.join(" or "));
    // What can't be said whole is not said.
    if step.chars().count() > LONGEST_STEP { words } else { step.trim_end().to_owned() }
}

/// A text outside of a block of code, in which nothing is formatted either.
fn text(text: &str, longest: usize) -> String {
    cut(&unformatted(&calm(text)), longest)
}
