//! Slack's response URLs: what is posted to one appears where the command was typed or the button pressed
//! (<https://docs.slack.dev/interactivity/handling-user-interaction#message_responses>).

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::super::server::{Call, Reply};
use super::super::stand_in::{Notes, StandIn};
use super::arguments;

/// How often a URL can be used, within 30 minutes.
const USES: usize = 5;

/// The response URLs that were used. They need not be made known before.
#[derive(Debug, Clone, Default)]
pub struct Answers {
    by_path: BTreeMap<String, Answer>,
    expired: BTreeSet<String>,
}

/// What was answered at one response URL.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// What a person sees now, in its order.
    pub shown: Vec<Said>,
    /// Whether the message with the button that was pressed was replaced or deleted.
    pub original_is_gone: bool,
    /// How often the URL was used.
    pub uses: usize,
}

/// One message.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// Its text.
    pub text: String,
    /// Its blocks.
    pub blocks: Vec<Value>,
    /// Whether all in the channel see it, or only who typed or pressed.
    pub to_all: bool,
    /// The message under which it stands in a thread.
    pub thread: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Body {
    response_type: Option<ResponseType>,
    replace_original: bool,
    delete_original: bool,
    text: Option<String>,
    blocks: Option<Vec<Value>>,
    thread_ts: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ResponseType {
    Ephemeral,
    InChannel,
}

impl StandIn<Answers> {
    /// What was answered at a response URL, by its path, e.g. `/commands/T1/1/x`.
    pub fn at(&self, path: &str) -> Answer {
        self.look(|seen| seen.now.by_path.get(path).cloned().unwrap_or_default())
    }

    /// The 30 minutes of a response URL are over.
    pub fn expire(&self, path: &str) {
        self.change(|answers| {
            answers.expired.insert(path.to_owned());
        });
    }
}

impl Answers {
    /// What was answered at a response URL, by its path.
    pub fn at(&self, path: &str) -> Option<&Answer> {
        self.by_path.get(path)
    }
}

/// Takes what is posted to a response URL.
pub(in super::super) fn answer(answers: &mut Answers, call: &Call, notes: &mut Notes) -> Reply {
    if answers.expired.contains(&call.path) {
        return Reply::text(404, "expired_url");
    }
    let answer = answers.by_path.entry(call.path.clone()).or_default();
    answer.uses += 1;
    if answer.uses > USES {
        notes.violation(format!("used more than {USES} times"));
        return Reply::text(404, "used_url");
    }
    if call.method != hyper::Method::POST || !call.is_json() {
        notes.violation("not a POST of application/json");
        return Reply::text(400, "invalid_payload");
    }
    let body: Body = match serde_json::from_slice(&call.body) {
        Ok(body) => body,
        Err(error) => {
            notes.violation(error.to_string());
            return Reply::text(400, "invalid_payload");
        }
    };
    if !body.delete_original {
        let error = arguments::check(body.text.as_deref(), body.blocks.as_deref(), None, notes);
        if let Some(error) = error {
            return Reply::text(400, error);
        }
    }
    answer.take(body);
    Reply::text(200, "ok")
}

impl Answer {
    fn take(&mut self, body: Body) {
        if body.replace_original || body.delete_original {
            // The last message of this URL, or else the one with the button.
            self.original_is_gone |= self.shown.pop().is_none();
        }
        if body.delete_original {
            return;
        }
        self.shown.push(Said {
            text: body.text.unwrap_or_default(),
            blocks: body.blocks.unwrap_or_default(),
            to_all: matches!(body.response_type, Some(ResponseType::InChannel)),
            thread: body.thread_ts,
        });
    }
}
