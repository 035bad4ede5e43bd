//! Slack's markup as HTML, for the report: what a person sees of a text
//! (<https://docs.slack.dev/messaging/formatting-message-text>). Signs of HTML come escaped in it; whatever else
//! stands there is shown as it is, and nothing of it becomes HTML of its own.

/// The HTML of a text. What is quoted stands together.
pub(super) fn html(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let parts = lines.chunk_by(|one, next| quoted(one).is_some() == quoted(next).is_some()).map(|lines| {
        let shown: Vec<String> = lines.iter().map(|text| line(quoted(text).unwrap_or(text))).collect();
        let shown = shown.join("<br>");
        let is_quoted = lines.first().and_then(|text| quoted(text)).is_some();
        if is_quoted { format!("<blockquote>{shown}</blockquote>") } else { shown }
    });
    parts.collect()
}

/// What is behind the sign of a quotation.
fn quoted(line: &str) -> Option<&str> {
    line.strip_prefix('>').or_else(|| line.strip_prefix("&gt;"))
}

fn line(text: &str) -> String {
    let (mut html, mut rest) = (String::new(), text);
    while let Some(first) = rest.chars().next() {
        let (shown, left) = match first {
            '<' => reference(rest),
            '`' => between(rest, '`', "code"),
            '*' => between(rest, '*', "b"),
            '_' => between(rest, '_', "i"),
            _ => None,
        }
        .unwrap_or_else(|| (escaped(first, rest), rest.get(first.len_utf8()..).unwrap_or_default()));
        html.push_str(&shown);
        rest = left;
    }
    html
}

/// `<@U1>`, `<!date^…|fallback>`, `<https://…|label>`.
fn reference(text: &str) -> Option<(String, &str)> {
    let (inside, rest) = text.strip_prefix('<')?.split_once('>')?;
    let (target, label) = inside.split_once('|').unwrap_or((inside, inside));
    let class = match target.chars().next()? {
        '!' if target.starts_with("!date") => "time",
        '@' | '#' | '!' => "mention",
        _ => "link",
    };
    Some((format!("<span class=\"{class}\">{}</span>", all_escaped(label)), rest))
}

/// What stands between two signs, in an element; nothing where they don't close, or stand within a word.
fn between<'a>(text: &'a str, sign: char, element: &str) -> Option<(String, &'a str)> {
    let (inside, rest) = text.strip_prefix(sign)?.split_once(sign)?;
    let closes = !rest.starts_with(char::is_alphanumeric);
    let tight = !inside.is_empty() && !inside.starts_with(' ') && !inside.ends_with(' ');
    if !closes || !tight {
        return None;
    }
    let inside = if sign == '`' { all_escaped(inside) } else { line(inside) };
    Some((format!("<{element}>{inside}</{element}>"), rest))
}

fn all_escaped(text: &str) -> String {
    let with_rest = text.char_indices().map(|(at, c)| escaped(c, text.get(at..).unwrap_or_default()));
    with_rest.collect()
}

/// A sign as HTML has it. What is escaped already stays so.
fn escaped(sign: char, rest: &str) -> String {
    let is_entity = ["&amp;", "&lt;", "&gt;"].iter().any(|entity| rest.starts_with(entity));
    match sign {
        '&' if !is_entity => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '"' => "&quot;".to_owned(),
        sign => sign.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_becomes_html_and_nothing_else_does() {
        for (text, shown) in [
            (
                "*Bob* approved `.github.com`\nuntil noon",
                "<b>Bob</b> approved <code>.github.com</code><br>until noon",
            ),
            ("<@U0B0B> decides", "<span class=\"mention\">@U0B0B</span> decides"),
            ("until <!date^1767225600^{date}|2026-01-01>", "until <span class=\"time\">2026-01-01</span>"),
            ("*Why*\n>two\n>lines\nend", "<b>Why</b><blockquote>two<br>lines</blockquote>end"),
            ("&lt;!channel&gt; &amp; co", "&lt;!channel&gt; &amp; co"),
            ("a & b > c \"d\"", "a &amp; b &gt; c &quot;d&quot;"),
            ("<script>alert(1)", "<span class=\"link\">script</span>alert(1)"),
            ("2 * 3 * 4, snake_case_name", "2 * 3 * 4, snake_case_name"),
            ("<", "&lt;"),
        ] {
            assert_eq!(html(text), shown, "{text}");
        }
    }
}
