//! Text for places whose markup isn't known: the chat behind Amazon Q Developer, a ticket system. Nothing is left in it
//! that calls somebody, links, shows an image, refers to an issue, is HTML, or ends a block of code, in any markup of
//! Slack's, Teams', GitHub's, Jira's or ServiceNow's.
//!
//! - Brackets are others that look like them: `[x](y)` is Markdown's link, `[~bob]` Jira's mention, `{noformat}` the end
//!   of its block of code, `[code]` the begin of HTML in ServiceNow
//!   (<https://www.servicenow.com/docs/r/australia/platform-administration/render-journal-field-entries-as-html.html>).
//! - What is read only as a whole has a space in it: `@ bob`, `# 1`, `https: //evil.example`. A backslash would not do:
//!   GitHub takes Markdown's escapes away before it looks for mentions, and shows them where no Markdown is read.
//!
//! A name alone, such as `www.example.com`, or an address of mail stays what it is, and GitHub links it where it doesn't
//! stand in a block of code.

/// The text with other signs.
pub(super) fn calm(text: &str) -> String {
    let mut calm = String::with_capacity(text.len());
    let (mut before, mut after) = (None, text.chars().skip(1));
    for c in text.chars() {
        calm.push(look_alike(c));
        if begins(before, c, after.next()) {
            calm.push(' ');
        }
        before = Some(c);
    }
    calm
}

fn look_alike(c: char) -> char {
    match c {
        '`' => '\'',
        '<' => '‹',
        '>' => '›',
        '[' | '{' => '(',
        ']' | '}' => ')',
        c => c,
    }
}

/// Whether something begins here that is more than text: a mention, a reference, an entity (which could be the sign of
/// one), a URL.
fn begins(before: Option<char>, c: char, after: Option<char>) -> bool {
    let word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    match c {
        // `alice@example.com` calls nobody; GitHub looks for words in ASCII.
        '@' => {
            !before.is_some_and(|c| c.is_ascii_alphanumeric()) && after.is_some_and(|c| !c.is_whitespace())
        }
        '#' => word(after),
        '&' => word(after) || after == Some('#'),
        // Markdown reads `:\//` as `://`.
        ':' => matches!(after, Some('/' | '\\')),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::calm;

    #[test]
    fn nothing_is_left_that_is_more_than_text() {
        for (text, seen) in [
            (
                "[this](https://evil.example) ![](http://x/p.png)",
                "(this)(https: //evil.example) !()(http: //x/p.png)",
            ),
            ("@bob, (@channel), é@here", "@ bob, (@ channel), é@ here"),
            ("alice@example.com, a @ b, @", "alice@example.com, a @ b, @"),
            ("closes #1, x/y#2, A & B # 3", "closes # 1, x/y# 2, A & B # 3"),
            ("&#64;bob, &commat;bob", "& # 64;bob, & commat;bob"),
            ("<b>x</b> <!channel> <@U1>", "‹b›x‹/b› ‹!channel› ‹@ U1›"),
            ("``` {noformat} {{x}}", "''' (noformat) ((x))"),
            ("[~bob] [code]<script>[/code]", "(~bob) (code)‹script›(/code)"),
            (r"https:\//evil.example", r"https: \//evil.example"),
            ("*.com, 09:15, a::b", "*.com, 09:15, a::b"),
        ] {
            assert_eq!(calm(text), seen);
        }
    }

    #[test]
    fn what_is_calm_stays_as_it_is() {
        for text in ["", "@", "a@b #", "@@@x", "&#&#1", ":::///", "@é#1:/\\"] {
            assert_eq!(calm(&calm(text)), calm(text));
        }
    }
}
