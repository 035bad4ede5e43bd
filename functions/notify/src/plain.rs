//! Text from outside, made fit for a mail in plain text: nothing in it moves the cursor, turns the reading
//! direction, hides, or looks like a line of ours; and it ends.

use egress::text::visible;

/// The longest name, in characters: a person, a domain, a rule's message.
const LONGEST_NAME: usize = 256;
/// The longest text in somebody's own words, in characters.
const LONGEST_TEXT: usize = 2_000;
/// The most lines of such a text.
const MOST_LINES: usize = 40;
/// SNS takes subjects of less than 100 characters
/// (<https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>).
const LONGEST_SUBJECT: usize = 99;

/// A name on one line.
pub fn name(text: &str) -> String {
    visible(text.trim(), LONGEST_NAME)
}

/// A sentence, or an address in another system, on one line.
pub fn line(text: &str) -> String {
    visible(text.trim(), LONGEST_TEXT)
}

/// A text in somebody's own words, as lines.
pub fn lines(text: &str) -> Vec<String> {
    let text = cut(text.trim(), LONGEST_TEXT);
    let mut lines: Vec<String> = text.lines().map(|line| visible(line.trim_end(), LONGEST_TEXT)).collect();
    if lines.len() > MOST_LINES {
        lines.truncate(MOST_LINES);
        lines.push("…".to_owned());
    }
    lines
}

/// The subject of a mail.
pub fn subject(text: &str) -> String {
    let ascii = |c: char| match c {
        ' '..='~' => c,
        c if c.is_whitespace() => ' ',
        _ => '?',
    };
    let text: String = text.chars().map(ascii).collect();
    match text.char_indices().nth(LONGEST_SUBJECT) {
        None => text,
        Some(_) => text.chars().take(LONGEST_SUBJECT - 3).chain("...".chars()).collect(),
    }
}

/// At most so many characters; what is left out is marked.
fn cut(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        None => text.to_owned(),
        Some(_) => text.chars().take(longest).chain(['…']).collect(),
    }
}
