//! What people see on each channel: pure functions of the notice. Mail is [`Message`](crate::message::Message).
//!
//! Text from outside has no signs in it that hide or turn (see [`plain`](crate::plain)); each channel's module says how
//! it is kept from being read as anything but text there.

pub mod amazon_q;
pub mod slack;
pub mod teams;
pub mod ticket;

/// Who reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// A channel of approvers and operators.
    Channel,
    /// The one whom it concerns.
    Requester,
}

/// Facts of answers that say nothing to who reads the answer where they asked.
const OF_AN_ANSWER: [&str; 3] = ["Answer to", "Message", "Answered"];

/// The facts that are shown to people in a chat.
fn facts(letter: &crate::message::letter::Letter) -> impl Iterator<Item = &(&'static str, Vec<String>)> {
    letter.facts.iter().filter(|(label, _)| !OF_AN_ANSWER.contains(label))
}

/// At most so many characters; what is left out is marked.
fn cut(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        None => text.to_owned(),
        Some(_) => text.chars().take(longest.saturating_sub(1)).chain(['…']).collect(),
    }
}
