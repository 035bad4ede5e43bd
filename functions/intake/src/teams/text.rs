//! The text of a message in Teams, as it was typed.

/// Who is called by a name that can't be read.
const NAMELESS: &str = "egress";

/// What somebody says to whom.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// The name by which the webhook was mentioned.
    pub(super) to: String,
    /// All else.
    pub(super) text: String,
}

/// Reads a text: HTML, with the mention in `<at>`, and entities.
pub(super) fn said(html: &str) -> Said {
    let (mut to, mut text, mut rest) = (None, String::new(), html);
    while let Some((before, tag, behind)) = next_tag(rest) {
        text.push_str(before);
        rest = behind;
        match tag.split(char::is_whitespace).next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "at" if to.is_none() => {
                let (name, behind) = behind.split_once("</at>").unwrap_or((behind, ""));
                to = Some(html_escape::decode_html_entities(name).into_owned());
                rest = behind;
            }
            "br" | "br/" | "/p" | "/div" | "/li" => text.push('\n'),
            _ => {}
        }
    }
    text.push_str(rest);
    let plain = |c: &char| !c.is_control() && !"<>`".contains(*c);
    let name: String = to.iter().flat_map(|name| name.trim().chars()).filter(plain).take(100).collect();
    Said {
        to: if name.is_empty() { NAMELESS.to_owned() } else { name },
        text: html_escape::decode_html_entities(&text).trim().to_owned(),
    }
}

/// What stands before a tag, in it, and behind it. A `<` that begins none is a sign like others.
fn next_tag(html: &str) -> Option<(&str, &str, &str)> {
    // Behind the last `>` nothing ends: it isn't looked for again and again.
    let last = html.rfind('>')?;
    let begins = |behind: &str| behind.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '!');
    html.match_indices('<').take_while(|(at, _)| *at < last).find_map(|(at, _)| {
        let behind = html.get(at + 1..).filter(|behind| begins(behind))?;
        let (tag, behind) = behind.split_once('>')?;
        Some((html.get(..at)?, tag, behind))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_is_what_was_typed() {
        for (sent, to, text) in [
            ("<at>Egress</at> list", "Egress", "list"),
            ("<at>Studio&nbsp;Egress</at>&nbsp;why github.com\n", "Studio\u{a0}Egress", "why github.com"),
            (
                "<p><at id=\"0\">Egress</at> request <a href=\"http://github.com\">github.com</a> because a &lt; b &amp;amp; <b>c</b></p>",
                "Egress",
                "request github.com because a < b &amp; c",
            ),
            ("<at>Egress</at> deny x<br>for <at>Bob</at>", "Egress", "deny x\nfor Bob"),
            ("1 < 2 <at>E", "E", "1 < 2"),
            ("help", "egress", "help"),
            ("<at></at>", "egress", ""),
        ] {
            assert_eq!(said(sent), Said { to: to.to_owned(), text: text.to_owned() }, "{sent}");
        }
    }

    proptest! {
        #[test]
        fn fuzz_no_text_is_too_strange(text in "(<|>|</?at>|&[a-z#0-9]{0,6};?|<br|.){0,60}") {
            let said = said(&text);
            prop_assert!(!said.to.is_empty() && !said.to.contains(['<', '`']));
        }
    }
}
