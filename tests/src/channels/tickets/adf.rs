//! The Atlassian Document Format: the nodes that this stand-in knows, and what a person reads in them
//! (<https://developer.atlassian.com/cloud/jira/platform/apis/document/structure>).

use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u8,
    r#type: String,
    content: Vec<Node>,
}

/// A node. Attributes are taken as they are.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "some are known so that they are taken, and change nothing here")]
enum Node {
    Paragraph { content: Option<Vec<Inline>> },
    Heading { attrs: Level, content: Option<Vec<Inline>> },
    CodeBlock { attrs: Option<Value>, content: Option<Vec<Inline>> },
    BulletList { content: Vec<Node> },
    OrderedList { attrs: Option<Value>, content: Vec<Node> },
    ListItem { content: Vec<Node> },
    Blockquote { content: Vec<Node> },
    Panel { attrs: Value, content: Vec<Node> },
    Rule,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Level {
    level: u8,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "some are known so that they are taken, and change nothing here")]
enum Inline {
    Text { text: String, marks: Option<Vec<Mark>> },
    HardBreak { attrs: Option<Value> },
    Mention { attrs: Value },
    Emoji { attrs: Value },
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "that it can be read is the check")]
enum Mark {
    Strong,
    Em,
    Code,
    Underline,
    Strike,
    Link { attrs: Link },
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "that it can be read is the check")]
struct Link {
    href: String,
}

/// What a person reads in a document, one line a paragraph; or what is wrong with it.
pub(super) fn text(document: &Value) -> Result<String, String> {
    let document = Document::deserialize(document).map_err(|error| error.to_string())?;
    if document.version != 1 || document.r#type != "doc" {
        return Err("not a document of version 1".to_owned());
    }
    let mut lines = Vec::new();
    document.content.iter().try_for_each(|node| read(node, &mut lines))?;
    Ok(lines.join("\n"))
}

fn read(node: &Node, lines: &mut Vec<String>) -> Result<(), String> {
    match node {
        Node::Heading { attrs, .. } if !(1..=6).contains(&attrs.level) => {
            Err(format!("a heading of level {}", attrs.level))
        }
        Node::Paragraph { content } | Node::Heading { content, .. } | Node::CodeBlock { content, .. } => {
            lines.push(content.iter().flatten().map(inline).collect::<Result<_, _>>()?);
            Ok(())
        }
        Node::BulletList { content } | Node::OrderedList { content, .. } => {
            if content.iter().any(|node| !matches!(node, Node::ListItem { .. })) {
                return Err("a list of something else than items".to_owned());
            }
            content.iter().try_for_each(|node| read(node, lines))
        }
        Node::ListItem { content } | Node::Blockquote { content } | Node::Panel { content, .. } => {
            content.iter().try_for_each(|node| read(node, lines))
        }
        Node::Rule => Ok(()),
    }
}

fn inline(inline: &Inline) -> Result<&str, String> {
    match inline {
        // The schema has a minimum length of 1.
        Inline::Text { text, .. } if text.is_empty() => Err("a text node without text".to_owned()),
        Inline::Text { text, .. } => Ok(text),
        Inline::HardBreak { .. } => Ok("\n"),
        Inline::Mention { attrs } | Inline::Emoji { attrs } => {
            Ok(attrs.get("text").and_then(Value::as_str).unwrap_or_default())
        }
    }
}
