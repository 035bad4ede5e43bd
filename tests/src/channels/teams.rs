//! Microsoft Teams, as far as a bot posts and edits: the Bot Connector's conversations
//! (<https://learn.microsoft.com/azure/bot-service/rest-api/bot-framework-rest-connector-api-reference>),
//! and what a message in a Teams channel may be; see `cards`. What it doesn't know is refused.

mod cards;
pub(super) mod login;
mod message;

use std::collections::{BTreeMap, BTreeSet};

use hyper::Method;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::server::{Call, Reply};
use super::stand_in::{Notes, StandIn};
pub use login::{CLIENT_ID, CLIENT_SECRET, Login, TENANT_ID};
pub use message::Message;

/// The largest message, and what is advised, in bytes of UTF-16: 413 `MessageSizeTooBig`. (What an incoming
/// webhook takes is less, 28 KB; a bot's limit was 40 KB until 2025.)
/// <https://learn.microsoft.com/microsoftteams/platform/bots/how-to/format-your-bot-messages>
const MESSAGE_BYTES: usize = 100 * 1024;
const ADVISED_BYTES: usize = 80 * 1024;

/// What stands between a channel and the message that begins the thread.
const THREAD: &str = ";messageid=";

/// A tenant's channels.
#[derive(Debug, Clone, Default)]
pub struct Tenant {
    /// All messages in their order, those in threads as well, as they are now.
    pub messages: Vec<Message>,
    /// The last message's id: milliseconds since 1970.
    last: i64,
    /// The conversations that the bot isn't a member of.
    closed: BTreeSet<String>,
    /// Conversations with one person each: their id and the person's.
    direct: BTreeMap<String, String>,
}

/// What is sent: <https://learn.microsoft.com/azure/bot-service/rest-api/bot-framework-rest-connector-api-reference#activity-object>.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[expect(dead_code, reason = "some are known so that they are taken, and change nothing here")]
struct Activity {
    r#type: String,
    text: Option<String>,
    text_format: Option<String>,
    summary: Option<String>,
    attachments: Option<Vec<Attachment>>,
    attachment_layout: Option<String>,
    conversation: Option<Value>,
    from: Option<Value>,
    recipient: Option<Value>,
    reply_to_id: Option<String>,
    channel_data: Option<Value>,
    entities: Option<Vec<Value>>,
    importance: Option<String>,
    locale: Option<String>,
    id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Attachment {
    content_type: String,
    content: Value,
}

/// What a conversation is begun with:
/// <https://learn.microsoft.com/azure/bot-service/rest-api/bot-framework-rest-connector-api-reference#conversationparameters-object>.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[expect(dead_code, reason = "some are known so that they are taken, and change nothing here")]
struct Beginning {
    is_group: bool,
    bot: Option<Value>,
    #[serde(default)]
    members: Vec<Account>,
    tenant_id: Option<String>,
    channel_data: Option<Value>,
    activity: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Account {
    id: String,
}

/// What is answered in place of a success.
type Refusal = Reply;

fn refusal(status: u16, code: &str, message: &str) -> Refusal {
    Reply::json(status, json!({"error": {"code": code, "message": message}}))
}

/// The statuses and codes of
/// <https://learn.microsoft.com/microsoftteams/platform/bots/build-conversational-capability>.
fn not_found() -> Refusal {
    refusal(404, "ConversationNotFound", "Conversation not found.")
}

impl Tenant {
    /// The messages that stand in a channel or with a person, without those in threads.
    pub fn in_channel(&self, channel: &str) -> Vec<&Message> {
        let is_there = |message: &&Message| message.channel == channel && message.thread.is_none();
        self.messages.iter().filter(is_there).collect()
    }

    /// The replies in the thread under a message, in their order.
    pub fn thread(&self, channel: &str, id: &str) -> Vec<&Message> {
        let is_under = |message: &&Message| message.thread.as_deref() == Some(id);
        self.messages.iter().filter(|message| message.channel == channel).filter(is_under).collect()
    }

    /// The channel and the thread that a conversation's id means.
    fn conversation(&self, id: &str) -> Result<(String, Option<String>), Refusal> {
        let (channel, thread) = id.split_once(THREAD).map_or((id, None), |(channel, id)| (channel, Some(id)));
        let is_channel = channel.starts_with("19:") && channel.contains("@thread.");
        if !is_channel && !self.direct.contains_key(channel) {
            return Err(not_found());
        }
        if self.closed.contains(channel) {
            let message = "The bot is not part of the conversation roster.";
            return Err(refusal(403, "BotNotInConversationRoster", message));
        }
        let begins = |message: &Message| {
            message.channel == channel && Some(message.id.as_str()) == thread && message.thread.is_none()
        };
        match thread {
            Some(_) if !self.messages.iter().any(begins) => Err(not_found()),
            _ => Ok((channel.to_owned(), thread.map(str::to_owned))),
        }
    }

    fn next_id(&mut self) -> String {
        self.last = Timestamp::now().as_millisecond().max(self.last + 1);
        self.last.to_string()
    }

    fn post(&mut self, conversation: &str, activity: Value) -> Result<String, Refusal> {
        let (channel, thread) = self.conversation(conversation)?;
        let id = self.next_id();
        self.messages.push(Message { channel, id: id.clone(), thread, activity, edits: 0 });
        Ok(id)
    }

    fn edit(&mut self, conversation: &str, id: &str, activity: Value) -> Result<Reply, Refusal> {
        let (channel, _) = self.conversation(conversation)?;
        let is_meant = |message: &&mut Message| message.channel == channel && message.id == id;
        let message = self.messages.iter_mut().find(is_meant).ok_or_else(not_found)?;
        message.activity = activity;
        message.edits += 1;
        Ok(Reply::json(200, json!({"id": id})))
    }

    /// Begins a thread in a channel, or finds the conversation with one person
    /// (<https://learn.microsoft.com/microsoftteams/platform/bots/how-to/conversations/send-proactive-messages>).
    fn begin(&mut self, beginning: Beginning, notes: &mut Notes) -> Result<Reply, Refusal> {
        if let (false, [person]) = (beginning.is_group, beginning.members.as_slice()) {
            let id = format!("a:{}", person.id);
            self.direct.insert(id.clone(), person.id.clone());
            return Ok(Reply::json(201, json!({"id": id})));
        }
        let channel = beginning.channel_data.as_ref().and_then(|data| data.pointer("/channel/id")?.as_str());
        let (true, Some(channel), Some(activity)) = (beginning.is_group, channel, beginning.activity) else {
            notes.violation("neither a channel with an activity nor one person");
            return Err(refusal(400, "BadSyntax", "Incorrect conversation creation parameters"));
        };
        check(&activity, notes)?;
        let id = self.post(channel, activity)?;
        Ok(Reply::json(201, json!({"id": format!("{channel}{THREAD}{id}"), "activityId": id})))
    }
}

impl StandIn<Tenant> {
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

    /// The bot is taken out of a channel.
    pub fn close_channel(&self, channel: &str) {
        self.change(|tenant| {
            tenant.closed.insert(channel.to_owned());
        });
    }

    /// A person writes into a channel, and begins a thread there; its id.
    pub fn person_writes(&self, channel: &str, text: &str) -> String {
        let mut id = String::new();
        self.change(|tenant| {
            id = tenant.next_id();
            let activity = json!({"type": "message", "text": text});
            let (channel, id) = (channel.to_owned(), id.clone());
            tenant.messages.push(Message { channel, id, thread: None, activity, edits: 0 });
        });
        id
    }
}

/// Answers a call of the Bot Connector, which takes the tokens of [`login`].
pub(super) fn answer(tenant: &mut Tenant, login: &Login, call: &Call, notes: &mut Notes) -> Reply {
    let token = call.header("authorization").strip_prefix("Bearer ").unwrap_or_default();
    if !login.has_given(token) {
        return refusal(401, "Unauthorized", "Authorization has been denied for this request.");
    }
    let answered = match (&call.method, call.way().as_slice()) {
        (&Method::POST, [_, "v3", "conversations"]) => {
            read::<Beginning>(call, notes).and_then(|beginning| tenant.begin(beginning, notes))
        }
        (&Method::POST, [_, "v3", "conversations", conversation, "activities"]) => sent(call, notes)
            .and_then(|activity| tenant.post(conversation, activity))
            .map(|id| Reply::json(201, json!({"id": id}))),
        (&Method::PUT, [_, "v3", "conversations", conversation, "activities", id]) => {
            sent(call, notes).and_then(|activity| tenant.edit(conversation, id, activity))
        }
        _ => {
            notes.violation("no such operation");
            Err(Reply::empty(404))
        }
    };
    answered.unwrap_or_else(|refusal| refusal)
}

/// The activity of a request, when there is nothing to hold against it.
fn sent(call: &Call, notes: &mut Notes) -> Result<Value, Refusal> {
    let activity: Value = read(call, notes)?;
    check(&activity, notes)?;
    Ok(activity)
}

fn read<T: DeserializeOwned>(call: &Call, notes: &mut Notes) -> Result<T, Refusal> {
    let read = if call.is_json() {
        serde_json::from_slice(&call.body).map_err(|error| error.to_string())
    } else {
        Err("the body is not sent as application/json".to_owned())
    };
    read.map_err(|error| {
        notes.violation(error.clone());
        refusal(400, "BadSyntax", &error)
    })
}

fn check(activity: &Value, notes: &mut Notes) -> Result<(), Refusal> {
    let size = activity.to_string().encode_utf16().count() * 2;
    if size > MESSAGE_BYTES {
        notes.violation(format!("a message of {size} bytes in UTF-16"));
        return Err(refusal(413, "MessageSizeTooBig", "Message size too large."));
    }
    if size > ADVISED_BYTES {
        notes.warning(format!("a message of {size} bytes in UTF-16; {ADVISED_BYTES} are advised"));
    }
    let complaints = match Activity::deserialize(activity) {
        Ok(activity) => complaints(&activity),
        Err(error) => vec![error.to_string()],
    };
    if complaints.is_empty() {
        return Ok(());
    }
    let error = complaints.join("; ");
    notes.violations.extend(complaints);
    Err(refusal(400, "BadSyntax", &error))
}

fn complaints(activity: &Activity) -> Vec<String> {
    let mut complaints = Vec::new();
    if activity.r#type != "message" {
        complaints.push(format!("an activity of type {}", activity.r#type));
    }
    let attachments = activity.attachments.as_deref().unwrap_or_default();
    if attachments.is_empty() && activity.text.as_deref().is_none_or(str::is_empty) {
        complaints.push("neither text nor attachments".to_owned());
    }
    for attachment in attachments {
        if attachment.content_type == cards::CONTENT_TYPE {
            complaints.extend(cards::check(&attachment.content));
        } else {
            complaints.push(format!("an attachment of type {}", attachment.content_type));
        }
    }
    complaints
}
