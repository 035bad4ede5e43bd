//! The arguments of the methods, and what is wrong with them.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::super::stand_in::Notes;
use super::{Refusal, blocks};

/// The longest text of a message, in characters, and what is advised. Slack cuts what is longer
/// (<https://api.slack.com/changelog/2018-04-truncating-really-long-messages>), which is refused here.
const TEXT: usize = 40_000;
const ADVISED_TEXT: usize = 4_000;
/// How long all texts of a message's blocks are together before it is refused. It is not documented, and was
/// found at some 13,200 (<https://github.com/slackapi/bolt-js/issues/2509>).
const BLOCKS_TEXT: usize = 13_000;
/// The most blocks of a message, and of a view
/// (<https://docs.slack.dev/reference/block-kit/blocks>).
pub(super) const BLOCKS: usize = 50;
const VIEW_BLOCKS: usize = 100;
/// The longest title, and the longest text of the buttons, of a modal; in characters, as all here
/// (<https://docs.slack.dev/reference/views/modal-views>).
const VIEW_TITLE: usize = 24;
const PRIVATE_METADATA: usize = 3_000;
const CALLBACK_ID: usize = 255;
/// The largest view, in bytes (<https://docs.slack.dev/reference/methods/views.open>, `view_too_large`).
const VIEW_BYTES: usize = 250 * 1024;

/// What `chat.postMessage` is given (<https://docs.slack.dev/reference/methods/chat.postMessage>).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "some are known so that they are taken, and change nothing here")]
pub(super) struct Post {
    pub(super) channel: String,
    pub(super) text: Option<String>,
    pub(super) blocks: Option<Vec<Value>>,
    pub(super) thread_ts: Option<String>,
    pub(super) metadata: Option<Value>,
    reply_broadcast: Option<bool>,
    unfurl_links: Option<bool>,
    unfurl_media: Option<bool>,
    mrkdwn: Option<bool>,
    parse: Option<String>,
    link_names: Option<bool>,
}

/// What `chat.update` is given (<https://docs.slack.dev/reference/methods/chat.update>).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "some are known so that they are taken, and change nothing here")]
pub(super) struct Update {
    pub(super) channel: String,
    pub(super) ts: String,
    pub(super) text: Option<String>,
    pub(super) blocks: Option<Vec<Value>>,
    pub(super) metadata: Option<Value>,
    reply_broadcast: Option<bool>,
    parse: Option<String>,
    link_names: Option<bool>,
}

/// What `views.open` is given (<https://docs.slack.dev/reference/methods/views.open>).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Open {
    pub(super) trigger_id: String,
    pub(super) view: Value,
}

/// What goes with a message for programs (<https://docs.slack.dev/messaging/message-metadata>).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "that it can be read is the check")]
struct Metadata {
    event_type: String,
    event_payload: Map<String, Value>,
}

/// A modal (<https://docs.slack.dev/reference/views/modal-views>).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "some are known so that they are taken, and change nothing here")]
struct Modal {
    r#type: String,
    title: Value,
    blocks: Vec<Value>,
    submit: Option<Value>,
    close: Option<Value>,
    private_metadata: Option<String>,
    callback_id: Option<String>,
    clear_on_close: Option<bool>,
    notify_on_close: Option<bool>,
    external_id: Option<String>,
}

pub(super) fn check_post(post: &Post, notes: &mut Notes) -> Option<Refusal> {
    check(post.text.as_deref(), post.blocks.as_deref(), post.metadata.as_ref(), notes)
}

pub(super) fn check_update(update: &Update, notes: &mut Notes) -> Option<Refusal> {
    check(update.text.as_deref(), update.blocks.as_deref(), update.metadata.as_ref(), notes)
}

/// What is wrong with a message. The error is the one of the first kind that applies.
pub(super) fn check(
    text: Option<&str>,
    blocks: Option<&[Value]>,
    metadata: Option<&Value>,
    notes: &mut Notes,
) -> Option<Refusal> {
    let length = text.unwrap_or_default().chars().count();
    if text.is_none_or(str::is_empty) && blocks.is_none_or(<[Value]>::is_empty) {
        notes.violation("neither text nor blocks");
        return Some("no_text");
    }
    if length == 0 {
        notes.warning("blocks without a text: notifications and screen readers have nothing to show");
    }
    if length > TEXT {
        notes.violation(format!("must be less than {} characters [json-pointer:/text]", TEXT + 1));
        return Some("msg_too_long");
    }
    if length > ADVISED_TEXT {
        notes.warning(format!("a text of {length} characters; {ADVISED_TEXT} are advised"));
    }
    if blocks::length(blocks.unwrap_or_default()) > BLOCKS_TEXT {
        notes.violation(format!("the texts of the blocks have more than {BLOCKS_TEXT} characters together"));
        return Some("msg_blocks_too_long");
    }
    let complaints = blocks::check(blocks.unwrap_or_default(), BLOCKS, "/blocks");
    if !complaints.is_empty() {
        notes.violations.extend(complaints);
        return Some("invalid_blocks");
    }
    if let Some(Err(error)) = metadata.map(Metadata::deserialize) {
        notes.violation(format!("{error} [json-pointer:/metadata]"));
        return Some("invalid_metadata_format");
    }
    None
}

pub(super) fn check_open(open: &Open, notes: &mut Notes) -> Option<Refusal> {
    if open.view.to_string().len() > VIEW_BYTES {
        notes.violation("the view has more than 250 KB");
        return Some("view_too_large");
    }
    match Modal::deserialize(&open.view) {
        Ok(modal) => notes.violations.extend(complaints(&modal)),
        Err(error) => notes.violation(format!("{error} [json-pointer:/view]")),
    }
    (!notes.violations.is_empty()).then_some("invalid_arguments")
}

fn complaints(modal: &Modal) -> Vec<String> {
    let mut complaints = blocks::check(&modal.blocks, VIEW_BLOCKS, "/view/blocks");
    if modal.r#type != "modal" {
        complaints.push("must be modal [json-pointer:/view/type]".to_owned());
    }
    let texts =
        [("title", Some(&modal.title)), ("submit", modal.submit.as_ref()), ("close", modal.close.as_ref())];
    for (name, text) in texts {
        let text = text.map(|text| blocks::check_plain(text, VIEW_TITLE, &format!("/view/{name}")));
        complaints.extend(text.unwrap_or_default());
    }
    let strings = [
        ("private_metadata", &modal.private_metadata, PRIVATE_METADATA),
        ("callback_id", &modal.callback_id, CALLBACK_ID),
        ("external_id", &modal.external_id, CALLBACK_ID),
    ];
    for (name, string, most) in strings {
        if string.as_ref().is_some_and(|string| string.chars().count() > most) {
            let less = most + 1;
            complaints.push(format!("must be less than {less} characters [json-pointer:/view/{name}]"));
        }
    }
    let has_input = modal.blocks.iter().any(|block| block.get("type").is_some_and(|kind| kind == "input"));
    if has_input && modal.submit.is_none() {
        complaints.push("missing required field: submit [json-pointer:/view]".to_owned());
    }
    complaints
}
