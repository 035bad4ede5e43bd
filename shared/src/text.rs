//! Text from outside, as people can be shown it.

/// At most so many characters of a text on one line, in which nothing hides or turns the reading direction: white space
/// is a space, and what can't be seen is escaped, as `<U+202E>`. Shown twice, it stays as it is.
pub fn visible(text: &str, longest: usize) -> String {
    let (mut seen, mut left) = (String::new(), longest);
    for c in text.chars() {
        let one = match c {
            c if c.is_whitespace() => " ".to_owned(),
            c if c.is_control() || is_invisible(c) => format!("<U+{:04X}>", u32::from(c)),
            c => c.to_string(),
        };
        let Some(rest) = left.checked_sub(one.chars().count()) else {
            seen.push('…');
            return seen;
        };
        left = rest;
        seen.push_str(&one);
    }
    seen
}

/// Unicode's format characters that hide, join, or turn the direction of what stands around them (general
/// category Cf), its line and paragraph separators, and the two that are no characters, which SNS doesn't take
/// (<https://aws.amazon.com/sns/faqs/>).
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}'
        | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_twice_stays_as_it_is() {
        for text in ["", "a\n b", "a\u{202e}b\u{0}", "aaaaaaaaaaaa", "aaaaaaaa\u{202e}", "ääääääääää…x"]
        {
            let once = visible(text, 10);
            assert_eq!(visible(&once, 10), once);
            assert!(once.chars().count() <= 11, "{once}");
        }
        assert_eq!(
            visible("a\nb\u{202e}", 10),
            "a b<U+202E>".get(..3).map(|start| format!("{start}…")).unwrap()
        );
        assert_eq!(visible("a\u{202e}b", 20), "a<U+202E>b");
    }
}
