//! Text in Slack's markup (<https://docs.slack.dev/messaging/formatting-message-text>).
//!
//! Its three signs are escaped, so that nothing calls anybody or becomes a link; those of bold, italic, struck out and
//! code have no escape, and are others that look like them. What is escaped is no longer than it may be: nothing is cut
//! in the middle of an escape.

use jiff::Timestamp;

use crate::message::minute;
use crate::render::unformatted::unformatted;

/// The longest id of a person, in characters; Slack's have 9 to 11.
const LONGEST_ID: usize = 32;

/// A text that is only text, at most so many characters; what is left out is marked.
pub(super) fn escaped(text: &str, longest: usize) -> String {
    let text = unformatted(text);
    let (mut escaped, mut left) = (String::new(), longest);
    for (place, c) in text.char_indices() {
        let rest = text.get(place + c.len_utf8()..).unwrap_or_default();
        let mut buffer = [0; 4];
        let one = match c {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            c => c.encode_utf8(&mut buffer),
        };
        // There has to be room for the mark behind it, unless it is the last.
        let needed = one.chars().count() + usize::from(!rest.is_empty());
        if needed > left {
            escaped.push('…');
            return escaped;
        }
        left -= one.chars().count();
        escaped.push_str(one);
    }
    escaped
}

/// Lines in somebody's own words: each is quoted, so that none of them passes for one of ours.
pub(super) fn quoted(lines: &[String], longest: usize) -> String {
    // There has to be room for a last line that says that there are more.
    let (mut quoted, mut left) = (Vec::new(), longest.saturating_sub(3));
    for line in lines {
        let line = format!(">{}", escaped(line, left.saturating_sub(1)));
        let Some(rest) = left.checked_sub(line.chars().count() + 1).filter(|rest| *rest > 0) else {
            quoted.push(">…".to_owned());
            break;
        };
        left = rest;
        quoted.push(line);
    }
    quoted.join("\n")
}

/// Something to be typed.
pub(super) fn code(text: &str, longest: usize) -> String {
    format!("`{}`", escaped(text, longest.saturating_sub(2)))
}

/// A call of a person; nothing where it is no id of Slack's.
pub(super) fn call(id: &str) -> Option<String> {
    let is_id = (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_id.then(|| format!("<@{id}>"))
}

/// A time, as each reader's clock shows it
/// (<https://docs.slack.dev/messaging/formatting-message-text#date-formatting>).
pub(super) fn date(at: Timestamp) -> String {
    format!("<!date^{}^{{date_short_pretty}} {{time}}|{}>", at.as_second(), minute(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_is_cut_between_escapes() {
        assert_eq!(escaped("<!channel> & *x*", 100), "&lt;!channel&gt; &amp; ∗x∗");
        for (longest, cut) in
            [(0, "…"), (3, "…"), (4, "…"), (5, "&lt;…"), (8, "&lt;…"), (9, "&lt;&gt;…"), (10, "&lt;&gt;a…")]
        {
            assert_eq!(escaped("<>abc", longest), cut, "{longest}");
        }
        assert_eq!(escaped("abc", 3), "abc");
        assert_eq!(escaped("<", 4), "&lt;");
    }

    #[test]
    fn each_line_is_quoted() {
        let lines = ["a".to_owned(), String::new(), "> b".to_owned()];
        assert_eq!(quoted(&lines, 100), ">a\n>\n>&gt; b");
        assert_eq!(quoted(&lines, 9), ">a\n>\n>…");
    }

    #[test]
    fn nobody_is_called_by_what_is_no_id() {
        assert_eq!(call("U2CERLKJA").as_deref(), Some("<@U2CERLKJA>"));
        for id in ["", "U1> <!channel", "ü", &"U".repeat(33)] {
            assert_eq!(call(id), None, "{id}");
        }
    }

    #[test]
    fn a_time_is_that_of_the_reader() {
        let at = "2026-05-14T09:15:30Z".parse().unwrap();
        assert_eq!(date(at), "<!date^1778750130^{date_short_pretty} {time}|2026-05-14 09:15 UTC>");
    }
}
