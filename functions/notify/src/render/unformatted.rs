//! Text in which nothing is bold, italic, struck out or code, in Slack's markup or in Markdown. Neither has an escape
//! for that which the other knows, so the signs become others that look like them: `*.com` and `*.net` beside each other
//! would else lose their stars.

/// The text with other signs.
pub(super) fn unformatted(text: &str) -> String {
    let before = std::iter::once(None).chain(text.chars().map(Some));
    let after = text.chars().skip(1).map(Some).chain([None]);
    before.zip(text.chars()).zip(after).map(|((before, c), after)| sign(before, c, after)).collect()
}

fn sign(before: Option<char>, c: char, after: Option<char>) -> char {
    let in_a_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    match c {
        '*' => '∗',
        '~' => '∼',
        '`' => '\'',
        // Between letters it is none of theirs: `first_last`.
        '_' if !in_a_word(before) || !in_a_word(after) => '＿',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::unformatted;

    #[test]
    fn what_would_format_is_another_sign() {
        assert_eq!(unformatted("*.com ~x~ `y` ```z"), "∗.com ∼x∼ 'y' '''z");
        assert_eq!(unformatted("_x_ first_last@example.com _"), "＿x＿ first_last@example.com ＿");
        assert_eq!(unformatted(""), "");
    }
}
