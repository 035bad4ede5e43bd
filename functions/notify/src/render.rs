//! What people see on each channel: pure functions of the notice. Mail is [`Message`](crate::message::Message).
//!
//! Text from outside has no signs in it that hide or turn (see [`plain`](crate::plain)). Each channel keeps it from being
//! read as anything but text in its own way: Slack's markup is escaped, a card in Teams has elements in which none is
//! read, and where it isn't known who shows a text (Amazon Q Developer, a ticket system), nothing is left of it that
//! any of them would read.

pub mod amazon_q;
mod calm;
pub mod slack;
pub mod teams;
pub mod ticket;
mod unformatted;

use crate::message::letter::Letter;

/// Who reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// A channel of approvers and operators.
    Channel,
    /// The one whom it concerns.
    Requester,
}

/// Facts of answers that say nothing to who reads the answer where they asked.
const OF_AN_ANSWER: [&str; 4] = ["Answer to", "Message", "Answered", "Said by"];
/// Facts that an entry under a message tells, beside what happened.
const OF_AN_ENTRY: [&str; 7] =
    ["Comment", "Break glass", "Not possible", "Missing", "Decide by", "Ends", "Host"];
/// Where there is more than there is room for.
const MORE: &str = "There is more than there is room for here.";

/// The facts that are shown to people in a chat.
fn facts(letter: &Letter) -> impl Iterator<Item = &(&'static str, Vec<String>)> {
    letter.facts.iter().filter(|(label, _)| !OF_AN_ANSWER.contains(label))
}

/// The facts that say what just happened.
fn facts_of_an_entry(letter: &Letter) -> impl Iterator<Item = &(&'static str, Vec<String>)> {
    letter.facts.iter().filter(|(label, _)| OF_AN_ENTRY.contains(label))
}

/// At most so many characters; what is left out is marked.
fn cut(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        None => text.to_owned(),
        Some(_) => text.chars().take(longest.saturating_sub(1)).chain(['…']).collect(),
    }
}
