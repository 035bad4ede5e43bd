//! Slack's Web API, as far as an app posts, edits and opens dialogs: `chat.postMessage`, `chat.update`,
//! `views.open`. It answers as the documentation says (<https://docs.slack.dev/reference/methods>), and
//! refuses what that forbids, with the limits of Block Kit; see `blocks`. Slack's own schema of blocks takes no
//! field that it doesn't know; of arguments that it doesn't know nothing is said, and they are refused here.

pub(super) mod answers;
mod arguments;
mod blocks;
mod kit;
mod message;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::server::{Call, Reply};
use super::stand_in::{Notes, StandIn};
pub use answers::{Answer, Answers, Said};
use arguments::{Open, Post, Update};
pub use message::{Button, Message};

/// The bot token that the stand-in takes.
pub const TOKEN: &str = "xoxb-stand-in";

/// An id of a workspace, an app and a bot, as answers name them.
const TEAM: &str = "T0STANDIN";

/// What a method answers in place of its success, e.g. `channel_not_found`.
type Refusal = &'static str;

/// A workspace: its messages and the dialogs that were opened in it.
#[derive(Debug, Clone, Default)]
pub struct Workspace {
    /// All messages in their order, those in threads as well, as they are now.
    pub messages: Vec<Message>,
    /// The dialogs that were opened, in their order.
    pub views: Vec<View>,
    /// The time of the last message, in microseconds since 1970.
    last: i64,
    /// The channels that aren't there.
    closed: BTreeSet<String>,
    /// Conversations with one person each: their id and the person's.
    direct: BTreeMap<String, String>,
    expired_triggers: BTreeSet<String>,
}

/// A dialog that was opened.
#[derive(Debug, Clone)]
pub struct View {
    /// Its id (`V…`).
    pub id: String,
    /// What it was opened with.
    pub trigger_id: String,
    /// What was to be shown.
    pub view: Value,
}

impl Workspace {
    /// The messages that stand in a channel, without those in threads. A person's id means the
    /// conversation with that person.
    pub fn in_channel(&self, channel: &str) -> Vec<&Message> {
        let is_there = |message: &&Message| message.channel == channel || message.posted_to == channel;
        self.messages.iter().filter(|message| message.thread.is_none()).filter(is_there).collect()
    }

    /// The replies in the thread under a message, in their order.
    pub fn thread(&self, channel: &str, ts: &str) -> Vec<&Message> {
        let is_under = |message: &&Message| message.thread.as_deref() == Some(ts);
        self.messages.iter().filter(|message| message.channel == channel).filter(is_under).collect()
    }

    /// The message that begins a thread, by its time or by that of one of the replies.
    fn parent(&self, channel: &str, ts: &str) -> Result<String, Refusal> {
        let is_meant = |message: &&Message| message.channel == channel && message.ts == ts;
        let message = self.messages.iter().find(is_meant).ok_or("cannot_reply_to_message")?;
        Ok(message.thread.as_ref().unwrap_or(&message.ts).clone())
    }

    /// The conversation that an id means; a person's id opens one with that person
    /// (<https://docs.slack.dev/reference/methods/chat.postMessage#channels>).
    fn conversation(&mut self, id: &str) -> Result<String, Refusal> {
        let is_id = id.len() > 1 && id.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
        match id.chars().next() {
            _ if !is_id || self.closed.contains(id) => Err("channel_not_found"),
            Some('C' | 'G') => Ok(id.to_owned()),
            Some('D') if self.direct.contains_key(id) => Ok(id.to_owned()),
            Some('U' | 'W') => {
                let direct = id.replacen(['U', 'W'], "D", 1);
                self.direct.insert(direct.clone(), id.to_owned());
                Ok(direct)
            }
            _ => Err("channel_not_found"),
        }
    }

    /// A time that no message has yet, as Slack writes it.
    fn next_ts(&mut self) -> String {
        self.last = Timestamp::now().as_microsecond().max(self.last + 1);
        format!("{}.{:06}", self.last / 1_000_000, self.last % 1_000_000)
    }

    fn post(&mut self, post: Post) -> Result<Value, Refusal> {
        let channel = self.conversation(&post.channel)?;
        let thread = post.thread_ts.map(|ts| self.parent(&channel, &ts)).transpose()?;
        let message = Message {
            ts: self.next_ts(),
            channel: channel.clone(),
            posted_to: post.channel,
            thread,
            text: post.text.unwrap_or_default(),
            blocks: post.blocks.unwrap_or_default(),
            metadata: post.metadata,
            edits: 0,
        };
        let answer = json!({"ok": true, "channel": channel, "ts": message.ts, "message": message.answer()});
        self.messages.push(message);
        Ok(answer)
    }

    fn update(&mut self, update: Update) -> Result<Value, Refusal> {
        // A person's id opens nothing here
        // (<https://docs.slack.dev/reference/methods/chat.update>, `channel`).
        let known = self.direct.contains_key(&update.channel) || update.channel.starts_with(['C', 'G']);
        if !known || self.closed.contains(&update.channel) {
            return Err("channel_not_found");
        }
        let is_meant = |message: &&mut Message| message.channel == update.channel && message.ts == update.ts;
        let message = self.messages.iter_mut().find(is_meant).ok_or("message_not_found")?;
        message.edits += 1;
        // A text without blocks takes the blocks away; without a text they stay
        // (<https://docs.slack.dev/reference/methods/chat.update>, `blocks`).
        if update.text.is_some() || update.blocks.is_some() {
            message.blocks = update.blocks.unwrap_or_default();
        }
        if let Some(text) = update.text {
            message.text = text;
        }
        if update.metadata.is_some() {
            message.metadata = update.metadata;
        }
        let (text, answer) = (&message.text, message.answer());
        Ok(json!({"ok": true, "channel": message.channel, "ts": message.ts, "text": text, "message": answer}))
    }

    fn open(&mut self, open: Open) -> Result<Value, Refusal> {
        if self.expired_triggers.contains(&open.trigger_id) {
            return Err("expired_trigger_id");
        }
        if self.views.iter().any(|view| view.trigger_id == open.trigger_id) {
            return Err("exchanged_trigger_id");
        }
        let id = format!("V{:010}", self.views.len() + 1);
        let mut answer = open.view.clone();
        let added =
            json!({"id": id, "team_id": TEAM, "state": {"values": {}}, "hash": "0.0", "root_view_id": id});
        if let (Value::Object(answer), Value::Object(added)) = (&mut answer, added) {
            answer.extend(added);
        }
        self.views.push(View { id, trigger_id: open.trigger_id, view: open.view });
        Ok(json!({"ok": true, "view": answer}))
    }
}

impl StandIn<Workspace> {
    /// All messages as a person sees them now, those in threads as well, in the order of their posting.
    pub fn messages(&self) -> Vec<Message> {
        self.look(|seen| seen.now.messages.clone())
    }

    /// The first message that is so, now or within `limit`.
    pub async fn find(
        &self,
        limit: std::time::Duration,
        is_so: impl Fn(&Message) -> bool,
    ) -> anyhow::Result<Message> {
        self.until(limit, |seen| seen.now.messages.iter().find(|message| is_so(message)).cloned()).await
    }

    /// The dialogs that were opened.
    pub fn views(&self) -> Vec<View> {
        self.look(|seen| seen.now.views.clone())
    }

    /// A channel is deleted: it isn't found any more.
    pub fn close_channel(&self, channel: &str) {
        self.change(|workspace| {
            workspace.closed.insert(channel.to_owned());
        });
    }

    /// The three seconds of a trigger are over.
    pub fn expire_trigger(&self, trigger_id: &str) {
        self.change(|workspace| {
            workspace.expired_triggers.insert(trigger_id.to_owned());
        });
    }
}

/// Answers a call of a method. An error has the status 200, too
/// (<https://docs.slack.dev/apis/web-api#responses>).
pub(super) fn answer(workspace: &mut Workspace, call: &Call, notes: &mut Notes) -> Reply {
    let answered = match call.way().as_slice() {
        [_, "chat.postMessage"] => authorized(call)
            .and_then(|()| checked::<Post>(call, notes, arguments::check_post))
            .and_then(|post| workspace.post(post)),
        [_, "chat.update"] => authorized(call)
            .and_then(|()| checked::<Update>(call, notes, arguments::check_update))
            .and_then(|update| workspace.update(update)),
        [_, "views.open"] => authorized(call)
            .and_then(|()| checked::<Open>(call, notes, arguments::check_open))
            .and_then(|open| workspace.open(open)),
        _ => {
            notes.violation("no such method");
            Err("unknown_method")
        }
    };
    Reply::json(200, answered.unwrap_or_else(|error| refused(error, notes)))
}

/// The answer of a refusal; what it complains of is named as Slack names it.
fn refused(error: Refusal, notes: &Notes) -> Value {
    let messages: Vec<_> = notes.violations.iter().map(|what| format!("[ERROR] {what}")).collect();
    if messages.is_empty() {
        return json!({"ok": false, "error": error});
    }
    json!({"ok": false, "error": error, "response_metadata": {"messages": messages}})
}

fn authorized(call: &Call) -> Result<(), Refusal> {
    match call.header("authorization").strip_prefix("Bearer ") {
        Some(token) if token == TOKEN => Ok(()),
        Some(_) => Err("invalid_auth"),
        None => Err("not_authed"),
    }
}

/// A method's arguments, when there is nothing to hold against them.
fn checked<T: DeserializeOwned>(
    call: &Call,
    notes: &mut Notes,
    check: impl FnOnce(&T, &mut Notes) -> Option<Refusal>,
) -> Result<T, Refusal> {
    if !call.is_json() {
        notes.violation("the arguments are not sent as application/json");
        return Err("invalid_post_type");
    }
    if !call.header("content-type").contains("charset=utf-8") {
        notes.warning("missing_charset");
    }
    let arguments = serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_slice(&call.body));
    let arguments: T = arguments.map_err(|error| {
        notes.violation(error.to_string());
        "invalid_arguments"
    })?;
    match check(&arguments, notes) {
        Some(error) => Err(error),
        None => Ok(arguments),
    }
}
