//! Rules as Suricata's loader reads them: a line a rule, a header of seven words, keywords in brackets.
//!
//! Nothing here knows what a rule means. How lines, brackets and escapes are read was tried on Suricata 7.0.

use std::borrow::Cow;
use std::str::Lines;

use super::Action;

/// A rule.
#[derive(Debug)]
pub(super) struct Rule<'a> {
    /// None where it only alerts, and so decides nothing.
    pub(super) action: Option<Action>,
    pub(super) protocol: &'a str,
    pub(super) source: &'a str,
    pub(super) source_port: &'a str,
    /// Whether it is `<>`, which looks at both directions, and not `->`.
    pub(super) both_ways: bool,
    pub(super) destination: &'a str,
    pub(super) destination_port: &'a str,
    pub(super) keywords: Vec<Keyword<'a>>,
}

/// One of the `name:value;` of a rule, or `name;`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keyword<'a> {
    pub(super) name: &'a str,
    pub(super) value: Option<&'a str>,
}

/// What a line is.
#[derive(Debug)]
pub(super) enum Line<'a> {
    /// Blank, or a comment.
    Idle,
    /// A rule.
    Rule(Rule<'a>),
    /// Something else, which may be a rule all the same.
    Unreadable,
}

/// The lines of a text, those put together that end with a backslash.
pub(super) fn lines(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    Joined(text.lines())
}

struct Joined<'a>(Lines<'a>);

impl<'a> Iterator for Joined<'a> {
    type Item = Cow<'a, str>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut line = self.0.next()?;
        // A comment ends with its line, whatever it ends with.
        if line.trim_start().starts_with('#') {
            return Some(Cow::Borrowed(line));
        }
        let mut joined = String::new();
        while let Some(part) = line.trim_end().strip_suffix('\\') {
            joined.push_str(part);
            line = self.0.next().unwrap_or_default();
        }
        if joined.is_empty() {
            return Some(Cow::Borrowed(line));
        }
        joined.push_str(line);
        Some(Cow::Owned(joined))
    }
}

/// Reads one line.
pub(super) fn read(line: &str) -> Line<'_> {
    let trimmed = line.trim();
    if trimmed.is_empty() || trimmed.starts_with('#') {
        return Line::Idle;
    }
    // Suricata skips a line that begins with a blank; what Network Firewall does is not documented.
    if line.starts_with(char::is_whitespace) {
        return Line::Unreadable;
    }
    rule(trimmed).unwrap_or(Line::Unreadable)
}

fn rule(text: &str) -> Option<Line<'_>> {
    let (header, keywords) = text.split_once('(')?;
    let [action, protocol, source, source_port, arrow, destination, destination_port] = words(header)?;
    let action = match action.to_ascii_lowercase().as_str() {
        "alert" => None,
        "pass" => Some(Action::Pass),
        "drop" => Some(Action::Drop),
        "reject" | "rejectsrc" | "rejectdst" | "rejectboth" => Some(Action::Reject),
        _ => return None,
    };
    let both_ways = match arrow {
        "->" => false,
        "<>" => true,
        _ => return None,
    };
    let keywords = split(keywords.strip_suffix(')')?)?;
    Some(Line::Rule(Rule {
        action,
        protocol,
        source,
        source_port,
        both_ways,
        destination,
        destination_port,
        keywords,
    }))
}

/// The seven words of a header. Blanks inside square brackets part nothing.
fn words(header: &str) -> Option<[&str; 7]> {
    let mut depth = 0_usize;
    let parts = header.split(|c: char| {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && c.is_whitespace()
    });
    let words: Vec<&str> = parts.filter(|word| !word.is_empty()).take(8).collect();
    words.try_into().ok()
}

/// The keywords: each ends at a semicolon that no backslash stands before, quotes or not.
fn split(text: &str) -> Option<Vec<Keyword<'_>>> {
    let mut keywords = Vec::new();
    let (mut rest, mut from) = (text, 0);
    while let Some(found) = rest.get(from..)?.find(';') {
        let (keyword, after) = rest.split_at_checked(from + found)?;
        if keyword.ends_with('\\') {
            from += found + 1;
            continue;
        }
        keywords.push(match keyword.split_once(':') {
            Some((name, value)) => Keyword { name: name.trim(), value: Some(value.trim()) },
            None => Keyword { name: keyword.trim(), value: None },
        });
        (rest, from) = (after.strip_prefix(';')?, 0);
    }
    rest.trim().is_empty().then_some(keywords)
}

impl<'a> Rule<'a> {
    /// The value of the first keyword of that name.
    pub(super) fn value(&self, name: &str) -> Option<&'a str> {
        self.keywords.iter().find(|keyword| keyword.name == name).and_then(|keyword| keyword.value)
    }

    /// Its number in its group; 0 where it has none.
    pub(super) fn sid(&self) -> u64 {
        self.value("sid").and_then(|sid| sid.parse().ok()).unwrap_or_default()
    }

    /// What it says in the log; empty where it says nothing.
    pub(super) fn message(&self) -> String {
        let quoted = self.value("msg").unwrap_or_default();
        let message = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(quoted);
        message.replace("\\;", ";").replace("\\\"", "\"").replace("\\\\", "\\")
    }

    /// The words behind `grant` in its metadata, as [`crate::rules`] writes the requests that it stands for.
    pub(super) fn granted_for(&self) -> impl Iterator<Item = &'a str> {
        let entries = self.value("metadata").into_iter().flat_map(|metadata| metadata.split(','));
        entries.filter_map(|entry| entry.trim().strip_prefix("grant ")).map(str::trim)
    }
}

/// What a `content` compares with.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    pub(super) negated: bool,
    pub(super) bytes: Vec<u8>,
}

/// The value of a `content`: `"evil.com"`, `!"|16 03|"`, with `\` before `"`, `;`, `:` and itself.
pub(super) fn pattern(value: &str) -> Option<Pattern> {
    let (negated, quoted) = match value.strip_prefix('!') {
        Some(rest) => (true, rest.trim_start()),
        None => (false, value),
    };
    let text = quoted.strip_prefix('"')?.strip_suffix('"')?;
    let mut bytes = Vec::with_capacity(text.len());
    let mut characters = text.bytes();
    while let Some(byte) = characters.next() {
        match byte {
            b'|' => hexadecimal(&mut characters, &mut bytes)?,
            b'\\' => {
                bytes.push(characters.next().filter(|escaped| b"\";:\\".contains(escaped))?);
            }
            b'"' => return None,
            byte => bytes.push(byte),
        }
    }
    (!bytes.is_empty()).then_some(Pattern { negated, bytes })
}

/// Bytes in hexadecimal up to the next `|`.
fn hexadecimal(characters: &mut impl Iterator<Item = u8>, bytes: &mut Vec<u8>) -> Option<()> {
    let mut half: Option<u32> = None;
    loop {
        let byte = characters.next()?;
        match (byte, half) {
            (b'|', None) => return Some(()),
            (b' ', None) => {}
            (digit, None) => half = Some(char::from(digit).to_digit(16)?),
            (digit, Some(high)) => {
                let low = char::from(digit).to_digit(16)?;
                bytes.push(u8::try_from(high * 16 + low).ok()?);
                half = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keywords(line: &str) -> Vec<(&str, Option<&str>)> {
        match read(line) {
            Line::Rule(rule) => rule.keywords.iter().map(|keyword| (keyword.name, keyword.value)).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_semicolon_ends_a_keyword_unless_a_backslash_stands_before_it() {
        let line = r#"drop tls [10.0.0.0/8, $HOME_NET] any -> any [443, 80] ( msg : "a\; b (c)" ; tls.sni; content:"x"; sid:9 ; )"#;
        assert_eq!(
            keywords(line),
            [
                ("msg", Some(r#""a\; b (c)""#)),
                ("tls.sni", None),
                ("content", Some("\"x\"")),
                ("sid", Some("9"))
            ]
        );
        let Line::Rule(rule) = read(line) else { panic!("no rule") };
        assert_eq!((rule.source, rule.destination_port), ("[10.0.0.0/8, $HOME_NET]", "[443, 80]"));
        assert_eq!((rule.sid(), rule.message().as_str()), (9, "a; b (c)"));
    }

    #[test]
    fn what_suricata_refuses_or_skips_is_not_taken_for_a_rule() {
        let rule = "drop tls any any -> any any (sid:9;)";
        assert!(matches!(read(rule), Line::Rule(_)));
        assert!(matches!(read(&format!("{rule}\r")), Line::Rule(_)));
        assert!(matches!(read(&format!("  # {rule}")), Line::Idle));
        for wrong in [
            format!(" {rule}"),
            format!("{rule} # x"),
            rule.replace(";)", ")"),
            rule.replace("->", "=>"),
            rule.replace("any any (", "any ("),
            rule.replace("drop", "config"),
            "drop".to_owned(),
        ] {
            assert!(matches!(read(&wrong), Line::Unreadable), "{wrong}");
        }
    }

    #[test]
    fn a_line_goes_on_behind_a_backslash() {
        let text = "# a\\\nb\ndrop tls any any -> \\\n any any (sid:9;)\nlast\\";
        assert_eq!(
            lines(text).collect::<Vec<_>>(),
            ["# a\\", "b", "drop tls any any ->  any any (sid:9;)", "last"]
        );
    }

    #[test]
    fn a_content_is_bytes() {
        let read = |value| pattern(value).map(|pattern| (pattern.negated, pattern.bytes));
        assert_eq!(read(r#""evil.com""#), Some((false, b"evil.com".to_vec())));
        assert_eq!(read(r#"!"|16 03|x|0d0A|""#), Some((true, b"\x16\x03x\r\n".to_vec())));
        assert_eq!(read(r#""a\;\"\\\:b""#), Some((false, br#"a;"\:b"#.to_vec())));
        for wrong in ["x", "\"", "\"\"", "\"|1|\"", "\"|16\"", r#""a\.b""#, r#""a"b""#, "!"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
