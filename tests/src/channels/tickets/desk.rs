//! A desk of no vendor: whatever takes a text and a state at a URL of its own.

use hyper::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::server::{Call, Reply};
use super::super::stand_in::Notes;
use super::{Comment, Tickets, read};

/// The `Authorization` header that the stand-in takes.
pub const AUTHORIZATION: &str = "Token desk-stand-in";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    text: String,
    state: Option<String>,
}

/// Answers a call.
pub(in super::super) fn answer(tickets: &mut Tickets, call: &Call, notes: &mut Notes) -> Reply {
    if call.header("authorization") != AUTHORIZATION {
        return Reply::json(401, json!({"error": "not authorized"}));
    }
    let way = call.way();
    let (&Method::POST, [_, "tickets", id, "messages"]) = (&call.method, way.as_slice()) else {
        notes.violation("no such operation");
        return Reply::json(404, json!({"error": "not found"}));
    };
    let message: Message = match read(call, notes) {
        Ok(message) => message,
        Err(error) => return Reply::json(400, json!({"error": error})),
    };
    if message.text.is_empty() {
        notes.violation("an empty text");
        return Reply::json(400, json!({"error": "text is empty"}));
    }
    let body = Value::String(message.text.clone());
    let number = tickets.comment((*id).to_owned(), Comment::new(message.text, body));
    if message.state.is_some() {
        tickets.ticket((*id).to_owned()).state = message.state;
    }
    Reply::json(201, json!({"id": number}))
}
