//! Slack: Block Kit (<https://docs.slack.dev/reference/block-kit/blocks>).
//!
//! Text from outside is escaped ([`escape`]), and what has several lines is quoted line by line, so that none of them
//! passes for a fact of ours. People are called by their ids where they have something to do: who is to decide, and who
//! is to look at a broken glass. All others are named.

mod blocks;
mod buttons;
mod escape;

use egress::config::{Config, same_spelling};
use serde_json::Value;

use self::blocks::{context, fields, header, section};
use self::buttons::buttons;
use self::escape::{call, code, date, escaped, quoted};
use super::{MORE, Reader, facts, facts_of_an_entry};
use crate::message::act::{Act, Speech};
use crate::message::letter as letter_of;
use crate::message::letter::{Letter, Step};
use crate::notice::Notice;
use crate::plain;

/// The longest `text`, which notifications show, in characters: Slack advises 4,000 at most
/// (<https://docs.slack.dev/reference/methods/chat.postMessage#truncating>).
const LONGEST_TEXT: usize = 3_000;
/// The longest sentence, in characters.
const LONGEST_SENTENCE: usize = 2_000;
/// The most characters of all facts together, and of all that is to do. Slack takes some 13,000 in all blocks of a
/// message (<https://github.com/slackapi/bolt-js/issues/2509>).
const MOST_OF_FACTS: usize = 6_500;
const MOST_TO_DO: usize = 1_900;
/// The longest text of a fact, in characters: with its label it fits into a section, which has 3,000 at most.
const LONGEST_FACT: usize = 2_500;
/// A fact of one line that is no longer stands beside others.
const SHORT: usize = 150;
/// The most fields of a section.
const MOST_FIELDS: usize = 10;
/// The most people who are called.
const MOST_CALLED: usize = 20;
/// The longest id of an event that is shown, in characters.
const LONGEST_ID: usize = 200;

/// What is shown: the blocks, and the text that stands for them where there is no room.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// The text, in Slack's markup.
    pub text: String,
    /// The blocks, at most 50.
    pub blocks: Vec<Value>,
}

/// The one message about a request as it is by this notice, or the whole message of any other notice.
pub fn message(notice: &Notice, reader: Reader, config: &Config) -> Shown {
    let mut letter = letter_of(notice);
    if reader == Reader::Requester {
        letter.subject = for_who_asked(letter.subject);
    }
    let mut blocks = vec![header(&letter.subject), section(&escaped(&letter.sentence, LONGEST_SENTENCE))];
    if reader == Reader::Channel {
        blocks.extend(called(notice, config).as_deref().map(section));
    }
    blocks.extend(fact_blocks(&letter));
    blocks.extend(to_do(&letter));
    blocks.extend(buttons(notice, reader));
    blocks.push(context(&event(notice)));
    Shown { text: escaped(&letter.subject, LONGEST_TEXT), blocks }
}

/// It isn't who asked that has to decide.
fn for_who_asked(subject: String) -> String {
    match subject.strip_prefix("To decide") {
        Some(rest) => format!("Waiting for a decision{rest}"),
        None => subject,
    }
}

/// One entry of the thread below it: what just happened, by whom, with the comment.
pub fn entry(notice: &Notice, config: &Config) -> Shown {
    let letter = letter_of(notice);
    let mut lines = vec![escaped(&letter.sentence, LONGEST_SENTENCE)];
    lines.extend(called(notice, config));
    let mut blocks = vec![section(&lines.join("\n"))];
    let told = facts_of_an_entry(&letter).map(|(label, texts)| section(&fact(label, texts)));
    blocks.extend(told);
    // Whoever is called here need not look for the message above.
    if matches!(notice, Notice::DecisionAwaited(_) | Notice::GlassBroken(_)) {
        blocks.extend(steps(letter.next.iter()));
    }
    Shown { text: escaped(&letter.sentence, LONGEST_TEXT), blocks }
}

/// Who is called to decide, or to look: those of them whom Slack knows.
fn called(notice: &Notice, config: &Config) -> Option<String> {
    let (people, request) = match notice {
        Notice::DecisionAwaited(it) => (&it.approvers, &it.request),
        Notice::GlassBroken(it) => (&it.approvers, &it.request),
        _ => return None,
    };
    let is = |one: &str, person: &str| same_spelling(one) == same_spelling(person);
    let has_said = |person: &str| request.approvals.iter().any(|yes| is(&yes.by, person));
    let to_do = people.iter().filter(|person| !has_said(person));
    let ids = to_do.filter_map(|person| call(config.id_of("slack", person)?));
    let ids: Vec<String> = ids.take(MOST_CALLED).collect();
    (!ids.is_empty()).then(|| ids.join(" "))
}

/// Short facts side by side, the others one below the other, as many as there is room for.
fn fact_blocks(letter: &Letter) -> Vec<Value> {
    let (mut beside, mut below, mut room) = (Vec::new(), Vec::new(), MOST_OF_FACTS);
    for (label, lines) in facts(letter) {
        let text = fact(label, lines);
        let length = text.chars().count();
        let Some(rest) = room.checked_sub(length) else {
            below.push(context(MORE));
            break;
        };
        room = rest;
        if lines.len() == 1 && length <= SHORT {
            beside.push(text);
        } else {
            below.push(section(&text));
        }
    }
    beside.chunks(MOST_FIELDS).map(fields).chain(below).collect()
}

fn fact(label: &str, lines: &[String]) -> String {
    let text = match lines {
        [line] => escaped(line, LONGEST_FACT),
        lines => quoted(lines, LONGEST_FACT),
    };
    format!("*{label}*\n{text}")
}

/// What is done by words. There are buttons to decide, to take back, and to silence.
fn to_do(letter: &Letter) -> Option<Value> {
    let by_button =
        |step: &&Step| matches!(step.act, Some(Act::Decide(_) | Act::Withdraw(_) | Act::Silence(_)));
    steps(letter.next.iter().filter(|step| !by_button(step)))
}

/// As many steps as there is room for: what can't be shown whole is not shown.
fn steps<'a>(steps: impl Iterator<Item = &'a Step>) -> Option<Value> {
    let mut room = MOST_TO_DO;
    let lines = steps.flat_map(|Step { words, act }| {
        let said = act.iter().flat_map(|act| Speech::Slack.says(act));
        let said = said.map(|said| code(&said, MOST_TO_DO));
        std::iter::once(escaped(words, MOST_TO_DO)).chain(said).collect::<Vec<_>>()
    });
    let fits = |line: &String| {
        let rest = room.checked_sub(line.chars().count() + 1);
        room = rest.unwrap_or_default();
        rest.is_some()
    };
    let lines: Vec<String> = lines.take_while(fits).collect();
    (!lines.is_empty()).then(|| section(&lines.join("\n")))
}

/// By what the event can be known again, and when it happened.
fn event(notice: &Notice) -> String {
    let id = code(&plain::name(&notice.event_id()), LONGEST_ID);
    notice.at().map_or_else(|| id.clone(), |at| format!("{id}, {}", date(at)))
}
