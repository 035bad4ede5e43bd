//! Slack: Block Kit (<https://docs.slack.dev/reference/block-kit/blocks>).
//!
//! Where a text stands in Slack's markup, its three signs are escaped
//! (<https://docs.slack.dev/messaging/formatting-message-text#escaping>): nothing in it calls anybody, or becomes a link;
//! and since texts are sent as `verbatim`, Slack looks for no addresses in it. Texts of several lines, which somebody
//! wrote, are quoted line by line, so that none of them passes for a fact of ours.

mod blocks;

use egress::config::Config;
use egress::request::{Request, StateName};
use egress::slack::{APPROVE, Ask, COMMENT, DENY, REQUEST, WITHDRAW};
use serde_json::{Value, json};

use self::blocks::{button, context, escaped, header, markup, quoted};
use super::{Reader, cut, facts};
use crate::message::act::{Act, Speech};
use crate::message::letter as letter_of;
use crate::message::letter::{Letter, Step};
use crate::notice::Notice;

/// The longest `text`, which notifications show, in characters: Slack advises 4,000 at most.
const LONGEST_TEXT: usize = 3_000;
/// The most characters of all facts together. Slack takes some 13,000 in all blocks of a message
/// (<https://github.com/slackapi/bolt-js/issues/2509>).
const MOST_OF_FACTS: usize = 7_000;
/// The most characters of one fact.
const MOST_OF_A_FACT: usize = 2_500;
/// A fact of one line that is no longer stands beside others.
const SHORT: usize = 150;
/// The most fields of a section.
const MOST_FIELDS: usize = 10;
/// The most people who are called.
const MOST_CALLED: usize = 20;

/// What is shown: the blocks, and the text that stands for them where there is no room.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// The text, in Slack's markup.
    pub text: String,
    /// The blocks, at most 50.
    pub blocks: Vec<Value>,
}

/// The one message about a request as it is by this notice, or the whole message of any other notice.
pub fn message(notice: &Notice, reader: Reader, config: &Config) -> Shown {
    let letter = letter_of(notice);
    let mut blocks = vec![header(&letter.subject), markup(&escaped(&letter.sentence))];
    blocks.extend(called(notice, config).as_deref().map(markup));
    blocks.extend(fact_blocks(&letter));
    blocks.extend(to_do(&letter));
    blocks.extend(buttons(notice, reader));
    blocks.push(context(&format!("`{}`", escaped(&notice.event_id()))));
    Shown { text: cut(&escaped(&letter.subject), LONGEST_TEXT), blocks }
}

/// One entry of the thread below it: what just happened, by whom, with the comment.
pub fn entry(notice: &Notice, config: &Config) -> Shown {
    let letter = letter_of(notice);
    let sentence = escaped(&letter.sentence);
    let said = facts(&letter)
        .filter(|(label, _)| ["Comment", "Missing", "Decide by", "Ends", "Host"].contains(label));
    let mut lines = vec![sentence.clone()];
    lines.extend(called(notice, config));
    lines.extend(said.map(|(label, texts)| fact(label, texts)));
    Shown {
        text: cut(&sentence, LONGEST_TEXT),
        blocks: vec![markup(&cut(&lines.join("\n"), MOST_OF_A_FACT))],
    }
}

/// Who is called to decide, or to look: those of them whom Slack knows.
fn called(notice: &Notice, config: &Config) -> Option<String> {
    let (people, request) = match notice {
        Notice::DecisionAwaited(it) => (&it.approvers, &it.request),
        Notice::GlassBroken(it) => (&it.approvers, &it.request),
        _ => return None,
    };
    let has_said = |person: &str| request.approvals.iter().any(|yes| yes.by == person);
    let ids =
        people.iter().filter(|person| !has_said(person)).filter_map(|person| config.id_of("slack", person));
    // An id of the configuration that could be anything else is none of Slack's.
    let ids = ids.filter(|id| id.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let called: Vec<String> = ids.take(MOST_CALLED).map(|id| format!("<@{id}>")).collect();
    (!called.is_empty()).then(|| called.join(" "))
}

/// Short facts side by side, the others one below the other, as many as there is room for.
fn fact_blocks(letter: &Letter) -> Vec<Value> {
    let (mut blocks, mut fields, mut room) = (Vec::new(), Vec::new(), MOST_OF_FACTS);
    for (label, lines) in facts(letter) {
        let text = fact(label, lines);
        let Some(rest) = room.checked_sub(text.chars().count()) else {
            blocks.push(context("There is more than there is room for: `status` shows it."));
            break;
        };
        room = rest;
        if lines.len() == 1 && text.chars().count() <= SHORT {
            fields.push(text);
        } else {
            blocks.push(markup(&text));
        }
    }
    let fields = fields.chunks(MOST_FIELDS).map(blocks::fields);
    fields.chain(blocks.iter().cloned()).collect()
}

fn fact(label: &str, lines: &[String]) -> String {
    match lines {
        [line] => format!("*{label}*\n{}", escaped(&cut(line, MOST_OF_A_FACT))),
        lines => format!("*{label}*\n{}", quoted(&cut(&lines.join("\n"), MOST_OF_A_FACT))),
    }
}

/// What can be done by words; a decision is made by the buttons.
fn to_do(letter: &Letter) -> Option<Value> {
    let line = |Step { words, act }: &Step| match act {
        Some(Act::Decide(_)) => None,
        Some(act) => {
            let said = Speech::Slack.says(act).into_iter().map(|said| format!("`{}`", escaped(&said)));
            Some(format!("{}\n{}", escaped(words), said.collect::<Vec<_>>().join("\n")))
        }
        None => Some(escaped(words)),
    };
    let lines: Vec<String> = letter.next.iter().filter_map(line).collect();
    (!lines.is_empty()).then(|| markup(&cut(&lines.join("\n"), MOST_OF_A_FACT)))
}

/// The buttons: as long as a request waits, and where there is something to ask for.
fn buttons(notice: &Notice, reader: Reader) -> Vec<Value> {
    match notice {
        Notice::RequestStateChanged(it) if it.to == StateName::Pending => waiting(&it.request, reader),
        Notice::DecisionAwaited(it) => waiting(&it.request, reader),
        Notice::TrafficBlocked(it) => {
            let ask = it.suggestion.as_ref().and_then(|suggestion| {
                let preset = suggestion.preset.clone();
                let domains = if preset.is_some() { Vec::new() } else { vec![suggestion.pattern.clone()] };
                Ask { domains, preset, ..Ask::default() }.value()
            });
            ask.map(|ask| json!({"type": "actions", "elements": [button(REQUEST, "Request this domain", &ask, Some("primary"))]}))
                .into_iter()
                .collect()
        }
        _ => Vec::new(),
    }
}

fn waiting(request: &Request, reader: Reader) -> Vec<Value> {
    let id = request.id.as_str();
    if reader == Reader::Requester {
        let mut withdraw = button(WITHDRAW, "Withdraw", id, None);
        if let Value::Object(withdraw) = &mut withdraw {
            withdraw.insert(
                "confirm".to_owned(),
                blocks::confirm("Take it back?", "Nobody has to decide about it then."),
            );
        }
        return vec![json!({"type": "actions", "elements": [withdraw]})];
    }
    let comment = json!({
        "type": "input", "block_id": format!("{COMMENT}.{}", request.version), "optional": true,
        "label": {"type": "plain_text", "text": "Comment"},
        "element": {
            "type": "plain_text_input", "action_id": COMMENT, "max_length": 2_000,
            "placeholder": {"type": "plain_text", "text": "Why, if there is something to say"},
        },
    });
    let decide = [button(APPROVE, "Approve", id, Some("primary")), button(DENY, "Deny", id, Some("danger"))];
    vec![comment, json!({"type": "actions", "elements": decide})]
}
