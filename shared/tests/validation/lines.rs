//! The line that is named is the one where the field stands, however the file is written.

use proptest::prelude::*;

use crate::{SMALLEST, TOML, mistakes};

#[test]
fn of_every_field_of_the_example() {
    let lines: Vec<&str> = TOML.lines().collect();
    let mut fields = 0;
    for (place, line) in lines.iter().enumerate() {
        let Some((key, value)) = line.split_once(" = ").filter(|(key, _)| !key.contains('#')) else {
            continue;
        };
        if value.trim() == "[" {
            continue;
        }
        // Nothing in it is a date.
        let wrong = format!("{key} = 1979-05-27");
        let text = [&lines[..place], &[&wrong], &lines[place + 1..]].concat().join("\r\n");
        let found = mistakes(&text);
        let told = found.iter().find(|mistake| mistake.line() == Some(place + 1));
        assert!(told.is_some_and(|mistake| mistake.reason().contains(key)), "{}: {found}", place + 1);
        fields += 1;
    }
    assert!(fields > 80, "{fields}");
}

/// A field that can't be meant, and what stands beside it in its table.
#[derive(Debug, Clone)]
struct Wrong {
    table: Vec<String>,
    key: &'static str,
    value: &'static str,
    beside: &'static str,
}

#[derive(Debug, Clone, Copy)]
enum Style {
    Header,
    Dotted,
    Inline,
}

fn quoted(key: &str) -> String {
    format!("{key:?}")
}

fn wrong() -> impl Strategy<Value = Wrong> {
    let name = "[a-zü][a-z0-9 .\"'#=\\]-]{0,9}";
    let fields = prop::sample::select(vec![
        ("durations", false, "default", "\"1s\"", "pending = \"1d\""),
        ("risk", false, "days", "99", "anybody_can_upload = []"),
        ("alerts", false, "window", "'''2d'''", ""),
        ("presets", true, "domains", "[\"co.uk\"]", "description = \"\""),
        ("presets", true, "domains", "[ 3 ]", "description = \"\""),
        ("identities", true, "slak", "\"U1\"", "slack = \"U2\""),
        ("routes", true, "tells", "[]", "to = \"mail\""),
        ("routes", true, "to", "{ slack = \"#x\" }", "tells = [\"alerts\"]"),
        ("groups", false, "team", "[' ']", ""),
    ]);
    (fields, name).prop_map(|((section, named, key, value, beside), name)| {
        let table = if named { vec![quoted(section), quoted(&name)] } else { vec![section.to_owned()] };
        Wrong { table, key, value, beside }
    })
}

/// What comes before a table.
fn filler() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just("\n".to_owned()),
        Just("# a comment with [brackets] and key = \"value\"\r\n".to_owned()),
        Just("denied_domains = [\n  \".evil.org\",\n\n]\n".to_owned()),
    ]
}

impl Wrong {
    fn written(&self, style: Style) -> String {
        let Self { table, key, value, beside } = self;
        let name = table.join(" . ");
        match style {
            Style::Header => format!("[ {name} ]\n{beside}\n{key} = {value}\n"),
            Style::Dotted if beside.is_empty() => format!("{name}.{key} = {value}\n"),
            Style::Dotted => format!("{name}.{key} = {value}\n{name}.{beside}\n"),
            Style::Inline if beside.is_empty() => format!("{name} = {{ {key} = {value} }}\n"),
            Style::Inline => format!("{name} = {{ {beside}, {key} = {value} }}\n"),
        }
    }
}

proptest! {
    #[test]
    fn of_any_field_in_any_style(
        wrong in wrong(),
        style in prop::sample::select(vec![Style::Header, Style::Dotted, Style::Inline]),
        before in filler(),
        between in "(\n|# x\n){0,3}",
    ) {
        let groups = if wrong.table == ["groups"] { "groups.approvers = [\"bob\"]\n" } else { "" };
        let style = if groups.is_empty() { style } else { Style::Dotted };
        let written = wrong.written(style);
        let text = format!("{before}{between}{groups}{written}{}", if groups.is_empty() { SMALLEST } else { "" });
        let found = mistakes(&text);
        let [mistake] = found.iter().collect::<Vec<_>>()[..] else { panic!("{text}\n{found}") };
        let line = text.lines().nth(mistake.line().unwrap() - 1).unwrap();
        prop_assert!(line.contains(wrong.key) && line.contains(wrong.value), "{text}\n{found}");
        prop_assert!(mistake.reason().contains(wrong.key), "{found}");
    }
}
