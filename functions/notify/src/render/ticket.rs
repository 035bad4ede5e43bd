//! Tickets: what the templates of an adapter know of a notice.
//!
//! Every system has a markup of its own, so the text is made for what all have: a block of code, in which nothing is
//! read. It has none of the signs by which one could be ended, neither a backtick (GitHub's) nor a brace (Jira's), and
//! no line that begins with a slash: what we write is never a command for us. The example configuration's templates put
//! it into such a block.

use egress::adapter::writing::Facts;

use super::cut;
use crate::message::act::Speech;
use crate::message::letter as letter_of;
use crate::notice::Notice;

/// The longest text, in characters: GitHub takes 65,536, Jira 32,767.
const LONGEST: usize = 30_000;
/// The longest of the other texts, in characters.
const LONGEST_LINE: usize = 2_000;

/// What the templates know.
pub fn facts(notice: &Notice, ticket: &str) -> Facts {
    let letter = letter_of(notice);
    let request = notice.request();
    let (by, comment) = match notice {
        Notice::RequestStateChanged(it) => (it.by.as_str(), it.comment.as_deref().unwrap_or_default()),
        _ => ("", ""),
    };
    let ends_at = request.and_then(|request| request.ends_at.filter(|_| request.state.is_live()));
    Facts {
        ticket: ticket.to_owned(),
        request_id: request.map(|request| request.id.to_string()).unwrap_or_default(),
        state: request.map(|request| request.state.to_string()).unwrap_or_default(),
        headline: code(&letter.subject, LONGEST_LINE),
        text: code(letter.text(Speech::Ticket).trim_end(), LONGEST),
        by: code(&crate::plain::name(by), LONGEST_LINE),
        comment: code(&crate::plain::lines(comment).join("\n"), LONGEST_LINE),
        ends_at: ends_at.map(|at| format!("{at:.0}")).unwrap_or_default(),
        event_id: notice.event_id().into_owned(),
    }
}

/// A text that doesn't end a block of code, and has no command in it.
fn code(text: &str, longest: usize) -> String {
    let text = cut(text, longest).replace('`', "'").replace('{', "(").replace('}', ")");
    let line = |line: &str| if line.starts_with('/') { format!(" {line}") } else { line.to_owned() };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}
