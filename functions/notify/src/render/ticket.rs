//! Tickets: what the templates of an adapter know of a notice.
//!
//! Every system has a markup of its own. The text is made to stand in a block of code, in which none is read, and has
//! none of the signs by which one could be ended, neither a backtick (GitHub's) nor a brace (Jira's); the templates of
//! the example configuration put it into one. In a template that doesn't, or in a system that has none, still nothing is
//! left of it that would call, link, or be HTML ([`calm`](super::calm)).
//!
//! No line of it begins with a slash, as commands do: what we write is never one, not for us and for nobody else.

use egress::adapter::request_of;
use egress::adapter::writing::Facts;
use egress::request::{Request, RequestId};

use super::calm::calm;
use super::cut;
use crate::message::act::Speech;
use crate::message::letter as letter_of;
use crate::notice::Notice;
use crate::plain;

/// The longest text, in characters: Jira takes 32,767 in UTF-16 (<https://github.com/jenkinsci/jira-plugin/issues/667>),
/// GitHub 65,536 (<https://github.com/telia-oss/github-pr-resource/issues/259>).
const LONGEST: usize = 15_000;
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
    let own = request.and_then(|request| own(request, ticket));
    Facts {
        ticket: ticket.to_owned(),
        request_id: request.map(|request| request.id.to_string()).unwrap_or_default(),
        state: request.map(|request| request.state.to_string()).unwrap_or_default(),
        headline: text(&letter.subject, LONGEST_LINE),
        text: text(letter.text(Speech::Ticket { own }).trim_end(), LONGEST),
        by: text(&plain::name(by), LONGEST_LINE),
        comment: text(&plain::lines(comment).join("\n"), LONGEST_LINE),
        ends_at: ends_at.map(|at| format!("{at:.0}")).unwrap_or_default(),
        event_id: plain::line(&notice.event_id()),
    }
}

/// The request, where it is the one that this ticket asked for: commands on it need not name that.
fn own<'a>(request: &'a Request, ticket: &str) -> Option<&'a RequestId> {
    let asked = request.reply_to.as_ref().filter(|reply_to| reply_to.to == ticket)?;
    Some(&request.id).filter(|id| **id == request_of(&asked.via, ticket))
}

/// A text that is only text, wherever it is put.
fn text(text: &str, longest: usize) -> String {
    let text = calm(text);
    let lines: Vec<String> = text.lines().map(no_command).collect();
    cut(&lines.join("\n"), longest)
}

/// A line that doesn't begin with a slash. Markdown takes away the sign before it.
fn no_command(line: &str) -> String {
    let text = line.trim_start();
    let indented = line.len() - text.len();
    match line.split_at_checked(indented) {
        Some((space, text)) if text.starts_with('/') => format!("{space}\\{text}"),
        _ => line.to_owned(),
    }
}
