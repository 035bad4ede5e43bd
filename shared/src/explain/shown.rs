//! Text from outside, as it can stand in a sentence: on one line, to its end, with nothing in it that hides or turns
//! the reading direction. Shown twice, it stays as it is.

/// The longest name, in characters: a rule group, an entry, a person, a rule's message.
pub(super) const NAME: usize = 256;
/// The longest sentence, in characters.
pub(super) const SENTENCE: usize = 600;

/// At most so many characters of a text, what can't be seen escaped as `<U+202E>`.
pub(super) fn shown(text: &str, longest: usize) -> String {
    let mut seen = String::new();
    let mut left = longest;
    for c in text.trim().chars() {
        let one = match c {
            c if c.is_whitespace() => " ".to_owned(),
            c if c.is_control() || is_invisible(c) => format!("<U+{:04X}>", u32::from(c)),
            c => c.to_string(),
        };
        let Some(after) = left.checked_sub(one.chars().count()) else {
            seen.push('…');
            return seen;
        };
        left = after;
        seen.push_str(&one);
    }
    seen
}

/// Unicode's format characters that hide, join, or turn the direction of what stands around them (general
/// category Cf), and its separators of lines and paragraphs.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_twice_stays_as_it_is() {
        for text in ["", " a\n b ", "a\u{202e}b\u{0}", "aaaaaaaaaaaa", "aaaaaaaa\u{202e}", "ääääääääää…x"]
        {
            let once = shown(text, 10);
            assert_eq!(shown(&once, 10), once);
            assert!(once.chars().count() <= 11, "{once}");
        }
        assert_eq!(
            shown("a\nb\u{202e}", 10),
            "a b<U+202E>".get(..3).map(|start| format!("{start}…")).unwrap()
        );
        assert_eq!(shown("a\u{202e}b", 20), "a<U+202E>b");
    }
}
